// Makes hostile text showable: names, subjects, file names and bodies, scalar by scalar. Escaping for HTML comes after it,
// decoding and normalising came before.

/// Text that may be shown, and whether something hidden was taken out of it.
package struct DisplayText: Hashable, Sendable {
    package var text: String
    package var hadHiddenCharacters: Bool

    package init(text: String, hadHiddenCharacters: Bool) {
        self.text = text
        self.hadHiddenCharacters = hadHiddenCharacters
    }

    /// One line: a subject, a name, a file name. Controls, bidi controls, invisible spaces and tags are removed.
    package static func line(_ raw: String) -> DisplayText {
        var scalars = String.UnicodeScalarView()
        var hidden = false
        var previous: Unicode.Scalar?
        var rest = raw.unicodeScalars[...]
        while let scalar = rest.popFirst() {
            switch scalar.value {
            case 0x09, 0x0a, 0x0d:
                scalars.append(" ")
            case 0x200c, 0x200d:
                // Joiners stay between letters and emoji that they join, and nowhere else.
                if let previous, let next = rest.first, previous.value > 0xff, next.value > 0xff, !isHidden(next) {
                    scalars.append(scalar)
                } else {
                    hidden = true
                }
            case _ where isHidden(scalar):
                hidden = true
            default:
                scalars.append(scalar)
            }
            previous = scalar
        }
        return DisplayText(text: String(scalars), hadHiddenCharacters: hidden)
    }

    /// A message body: line ends, tabs and bidi marks stay; overrides and controls become visible signs.
    package static func body(_ raw: String) -> DisplayText {
        var scalars = String.UnicodeScalarView()
        var hidden = false
        for scalar in raw.unicodeScalars {
            switch scalar.value {
            case 0x09, 0x0a: scalars.append(scalar)
            case 0x0d: break
            case 0x00...0x1f:
                scalars.append(Unicode.Scalar(UInt8(scalar.value)).picture)
                hidden = true
            case 0x7f...0x9f, 0x202a...0x202e:
                scalars.append("\u{241b}")
                hidden = true
            case 0x2028, 0x2029: scalars.append("\n")
            case 0x200b, 0x2060, 0xfeff, 0xe0000...0xe007f: hidden = true
            default: scalars.append(scalar)
            }
        }
        return DisplayText(text: String(scalars), hadHiddenCharacters: hidden)
    }

    /// A file name in the part that says nothing and the ending that decides what opens it.
    package static func fileName(_ raw: String) -> (stem: String, ending: String) {
        let name = line(raw).text
        guard let dot = name.lastIndex(of: "."), dot != name.startIndex, name[dot...].count > 1 else { return (name, "") }
        return (String(name[..<dot]), String(name[dot...]))
    }

    private static func isHidden(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x00...0x1f, 0x7f...0x9f, 0x061c, 0x200b, 0x200e, 0x200f, 0x2028...0x202e, 0x2060, 0x2066...0x2069, 0xfeff,
            0xe0000...0xe007f:
            true
        default: false
        }
    }
}

extension Unicode.Scalar {
    /// The sign for a C0 control, from the block Control Pictures.
    fileprivate var picture: Unicode.Scalar {
        Unicode.Scalar(0x2400 + value) ?? "\u{241b}"
    }
}

/// A message body cut into what is shown plainly, what is folded, and the signature.
package enum BodyPart: Hashable, Sendable {
    case text(String)
    /// Lines that start with `>`, without counting what is inside them.
    case quote(String, lines: Int)
    /// From the line `-- ` on (RFC 3676 section 4.3).
    case signature(String)

    package static func parts(of body: String) -> [BodyPart] {
        var parts: [BodyPart] = []
        var lines = body.split(separator: "\n", omittingEmptySubsequences: false)[...]
        while let first = lines.first {
            if first == "-- " {
                parts.append(.signature(joined(lines)))
                break
            }
            let isQuote = first.hasPrefix(">")
            let run = lines.prefix { $0.hasPrefix(">") == isQuote && $0 != "-- " }
            lines = lines.dropFirst(run.count)
            let text = joined(run)
            if isQuote {
                parts.append(.quote(text, lines: run.count))
            } else if !text.allSatisfy(\.isWhitespace) {
                parts.append(.text(text))
            }
        }
        return parts
    }

    private static func joined(_ lines: ArraySlice<Substring>) -> String {
        var lines = lines
        while let last = lines.last, last.allSatisfy(\.isWhitespace) { lines.removeLast() }
        while let first = lines.first, first.allSatisfy(\.isWhitespace) { lines.removeFirst() }
        return lines.joined(separator: "\n")
    }
}
