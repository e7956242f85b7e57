// Makes hostile text showable on the page: names, subjects, file names, addresses and bodies. What goes and what stays is decided by
// `TextSafety`; escaping for HTML comes after it.

import DDSMail
import DDSUnicode

/// Text that may be shown, and whether something hidden was taken out of it.
package struct DisplayText: Hashable, Sendable {
    package var text: String
    package var hadHiddenCharacters: Bool

    package init(text: String, hadHiddenCharacters: Bool) {
        self.text = text
        self.hadHiddenCharacters = hadHiddenCharacters
    }

    /// One line: a subject, a name, a file name.
    package static func line(_ raw: String) -> DisplayText {
        let safe = SafeText(raw)
        return DisplayText(text: safe.text, hadHiddenCharacters: safe.hadHidden)
    }

    /// A message body: nothing is hidden, what would hide or reorder is shown.
    package static func body(_ raw: String) -> DisplayText {
        DisplayText(text: TextSafety.body(raw), hadHiddenCharacters: false)
    }

    /// A mail address. Its domain is in its own script only where that cannot be taken for another one.
    package static func address(_ raw: String) -> DisplayText {
        var safe = line(raw)
        guard let at = safe.text.lastIndex(of: "@"), !safe.text[at...].utf8.allSatisfy({ $0 < 0x80 }) else { return safe }
        let domain = String(safe.text[safe.text.index(after: at)...])
        safe.text = safe.text[...at] + (HostName(domain)?.shown ?? domain)
        return safe
    }

    /// A file name in the part that says nothing and the ending that decides what opens it.
    package static func fileName(_ raw: String) -> (stem: String, ending: String) {
        let name = line(raw).text
        guard let dot = name.lastIndex(of: "."), dot != name.startIndex, name[dot...].count > 1 else { return (name, "") }
        return (String(name[..<dot]), String(name[dot...]))
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
        // By octets: a line begins with `>` whatever marks are put behind it, and characters take their time.
        var lines = body.utf8.split(separator: 0x0a, omittingEmptySubsequences: false).map { Substring($0) }[...]
        while let first = lines.first {
            if first == "-- " {
                parts.append(.signature(joined(lines)))
                break
            }
            let isQuote = isQuoted(first)
            let run = lines.prefix { isQuoted($0) == isQuote && $0 != "-- " }
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

    private static func isQuoted(_ line: Substring) -> Bool { line.utf8.first == 0x3e }

    private static func joined(_ lines: ArraySlice<Substring>) -> String {
        var lines = lines
        while let last = lines.last, last.allSatisfy(\.isWhitespace) { lines.removeLast() }
        while let first = lines.first, first.allSatisfy(\.isWhitespace) { lines.removeFirst() }
        return lines.joined(separator: "\n")
    }
}
