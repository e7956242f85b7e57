// What of a stranger's text may stand in a line of ours (WEB 5.10): subjects, names and file names lose every character that
// hides or reorders others. Bodies keep their text and show such characters. Escaping for HTML is not done here.

/// A text that may be placed in one line beside others.
package struct SafeText: Hashable, Sendable, CustomStringConvertible {
    package let text: String
    /// True when something invisible was taken out, which the reader is told.
    package let hadHidden: Bool

    package static let empty = SafeText("")

    /// Makes `raw` safe by the rules for header text.
    package init(_ raw: String) {
        var hadHidden = false
        text = TextSafety.cleaned(NormalizationFormC.of(raw), hadHidden: &hadHidden)
        self.hadHidden = hadHidden
    }

    package var description: String { text }
    package var isEmpty: Bool { text.isEmpty }
}

package enum TextSafety {
    /// `SafeText(raw)`, for where it reads better.
    package static func header(_ raw: String) -> SafeText { SafeText(raw) }

    /// A body for display: lines end with LF; bidi overrides, embeddings and isolates, control and tag characters are shown
    /// as `[U+202E]` instead of taking effect. Marks that real text needs stay.
    package static func body(_ raw: String) -> String {
        // Most texts are such.
        if raw.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7f || $0 == 0x0a || $0 == 0x09 }) { return raw }
        var output = String.UnicodeScalarView()
        var previousWasReturn = false
        for scalar in raw.unicodeScalars {
            defer { previousWasReturn = scalar == "\r" }
            switch scalar.value {
            case 0x0a where previousWasReturn: break
            case 0x0d, 0x2028, 0x2029: output.append("\n")
            case 0x09, 0x0a: output.append(scalar)
            case 0..<0x20, 0x7f..<0xa0, 0x202a...0x202e, 0x2066...0x2069, 0xe0000...0xe007f: output += box(scalar)
            default: output.append(scalar)
            }
        }
        return String(output)
    }

    private static func box(_ scalar: Unicode.Scalar) -> String.UnicodeScalarView {
        let digits = String(scalar.value, radix: 16, uppercase: true)
        return ("[U+" + String(repeating: "0", count: max(0, 4 - digits.utf8.count)) + digits + "]").unicodeScalars
    }

    static func cleaned(_ text: String, hadHidden: inout Bool) -> String {
        // Most texts are such.
        if text.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7f }) { return text }
        let scalars = Array(text.unicodeScalars)
        var output = String.UnicodeScalarView()
        for (index, scalar) in scalars.enumerated() {
            let next = index + 1 < scalars.count ? scalars[index + 1] : nil
            switch verdict(scalar, after: output.last, before: next) {
            case .keep: output.append(scalar)
            case .space: output.append(" ")
            case .hiddenSpace:
                output.append(" ")
                hadHidden = true
            case .remove: hadHidden = true
            }
        }
        return String(output)
    }

    private enum Verdict { case keep, space, hiddenSpace, remove }

    private static func verdict(_ scalar: Unicode.Scalar, after previous: Unicode.Scalar?, before next: Unicode.Scalar?)
        -> Verdict
    {
        switch scalar.value {
        case 0x20..<0x7f: .keep
        case 0x09: .space
        // A line end is not hidden by accident: unfolding has removed the honest ones.
        case 0x0a, 0x0d, 0x2028, 0x2029: .hiddenSpace
        case 0..<0x20, 0x7f..<0xa0: .remove
        case 0x200c, 0x200d: joins(previous, next) ? .keep : .remove
        // Variation selectors: one behind a character that is seen. More of them in a row are a way to smuggle text.
        case 0xfe00...0xfe0f, 0xe0100...0xe01ef: previous.map { canVary($0) } ?? false ? .keep : .remove
        case 0x061c, 0x200b, 0x200e, 0x200f, 0x202a...0x202e, 0x2060...0x206f, 0xfeff, 0xe0000...0xe0fff, 0xfff9...0xfffb:
            .remove
        default: scalar.properties.isDefaultIgnorableCodePoint ? .remove : .keep
        }
    }

    private static func canVary(_ scalar: Unicode.Scalar) -> Bool {
        !scalar.properties.isWhitespace && !scalar.properties.isDefaultIgnorableCodePoint
    }

    /// Joiners mean something between letters of scripts that join, and between pictures.
    private static func joins(_ previous: Unicode.Scalar?, _ next: Unicode.Scalar?) -> Bool {
        guard let previous, let next else { return false }
        if isInJoiningScript(previous) && isInJoiningScript(next) { return true }
        return isPictureEnd(previous) && isPicture(next)
    }

    private static func isInJoiningScript(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x0620...0x109f, 0x1700...0x18af, 0x1900...0x1cff, 0xa800...0xabff, 0xfb50...0xfdff, 0xfe70...0xfefc,
            0x10a00...0x11fff:
            switch scalar.properties.generalCategory {
            case .otherLetter, .modifierLetter, .nonspacingMark, .spacingMark: true
            default: false
            }
        default: false
        }
    }

    private static func isPicture(_ scalar: Unicode.Scalar) -> Bool {
        scalar.value > 0xff && scalar.properties.isEmoji
    }

    private static func isPictureEnd(_ scalar: Unicode.Scalar) -> Bool {
        isPicture(scalar) || scalar.value == 0xfe0f || scalar.properties.isEmojiModifier
    }
}
