// The name of an attachment as a stranger wrote it, taken apart so that nobody mistakes its end: the real extension is what
// the system would act on, whatever the name looks like.

/// A file name in two parts, both safe to show and to save under.
package struct SafeFileName: Hashable, Sendable {
    /// What stands before the last dot; never empty.
    package let stem: String
    /// What stands behind the last dot, lower-cased in ASCII; empty where there is none.
    package let realExtension: String
    /// True when something invisible was taken out of the name.
    package let hadHidden: Bool

    /// The last path component of `raw`. Without a usable name, `attachment`. Names have at most 200 octets.
    package init(_ raw: String) {
        let safe = SafeText(raw)
        hadHidden = safe.hadHidden
        let component = safe.text.split(whereSeparator: { $0 == "/" || $0 == "\\" }).last ?? ""
        let words = component.unicodeScalars.split(whereSeparator: { $0.properties.isWhitespace }).map { String($0) }
        // Trailing dots and spaces are dropped by some systems and would change the extension then.
        var name = words.joined(separator: " ")
        while let last = name.last, last == "." || last == " " { name.removeLast() }
        name = String(name.map { ":*?\"<>|".contains($0) ? "_" : $0 })
        let dot = name.unicodeScalars.lastIndex(of: ".")
        let end = dot.map { String(name.unicodeScalars[$0...].dropFirst()) } ?? ""
        var start = dot.map { String(name.unicodeScalars[..<$0]) } ?? name
        while let first = start.first, first == "." || first == " " { start.removeFirst() }
        while start.last == " " { start.removeLast() }
        realExtension = Self.lowercased(Self.cut(end.trimmingSpaces, to: 32))
        stem = Self.cut(start.isEmpty ? "attachment" : start, to: 160)
    }

    /// The name to save under.
    package var text: String { realExtension.isEmpty ? stem : "\(stem).\(realExtension)" }

    private static func cut(_ text: String, to octets: Int) -> String {
        guard text.utf8.count > octets else { return text }
        var kept = String.UnicodeScalarView()
        var count = 0
        for scalar in text.unicodeScalars {
            count += UTF8.width(scalar)
            guard count <= octets else { break }
            kept.append(scalar)
        }
        return String(kept)
    }

    private static func lowercased(_ text: String) -> String {
        String(decoding: text.utf8.map { (0x41...0x5a).contains($0) ? $0 | 0x20 : $0 }, as: UTF8.self)
    }
}

extension String {
    fileprivate var trimmingSpaces: String {
        let kept = unicodeScalars.drop { $0 == " " }
        return String(kept)
    }
}
