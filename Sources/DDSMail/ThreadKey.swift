// What a subject says without the prefixes that replying, forwarding and lists put before it. Grouping is done elsewhere.

/// A subject as threads compare it.
package struct ThreadKey: Hashable, Sendable {
    /// Lower-cased, with single spaces.
    package private(set) var subject: String
    /// True when a reply prefix was taken off.
    package private(set) var isReply = false
    /// True when a forward prefix was taken off.
    package private(set) var isForward = false

    private static let replies: Set<String> = [
        "re", "aw", "sv", "antw", "odp", "vs", "rv", "ref", "rif", "回复", "答复", "返信", "ynt", "отв",
    ]
    private static let forwards: Set<String> = [
        "fwd", "fw", "wg", "tr", "vb", "doorst", "pd", "enc", "转发", "轉寄", "пер",
    ]
    private static let prefixMaxCharacters = 12

    package init(_ raw: String) {
        subject = ""
        var rest = raw.lowercased().split(whereSeparator: \.isWhitespace).joined(separator: " ")[...]
        while takePrefix(&rest) || Self.takeTag(&rest) {
            rest = rest.drop { $0 == " " }
        }
        while rest.hasSuffix("(fwd)") {
            isForward = true
            rest = rest.dropLast(5)
            while rest.last == " " { rest = rest.dropLast() }
        }
        subject = String(rest)
    }

    /// Takes one `Re:` or `Fwd:` off, counted ones such as `Re[2]:` among them. Looks only as far as a prefix can reach, so
    /// that long subjects take linear time.
    private mutating func takePrefix(_ rest: inout Substring) -> Bool {
        let start = rest.prefix(Self.prefixMaxCharacters + 1)
        guard let colon = start.firstIndex(where: { $0 == ":" || $0 == "：" }) else { return false }
        let word = rest[..<colon].prefix { !"[(^ ".contains($0) }
        let count = rest[word.endIndex..<colon].filter { !"[](^) ".contains($0) }
        guard count.allSatisfy({ ("0"..."9").contains($0) }) else { return false }
        if Self.replies.contains(String(word)) {
            isReply = true
        } else if Self.forwards.contains(String(word)) {
            isForward = true
        } else {
            return false
        }
        rest = rest[rest.index(after: colon)...]
        return true
    }

    /// Takes a list's tag off, unless it is all there is.
    private static func takeTag(_ rest: inout Substring) -> Bool {
        guard rest.first == "[", let end = rest.firstIndex(of: "]") else { return false }
        let behind = rest[rest.index(after: end)...].drop { $0 == " " }
        guard !behind.isEmpty else { return false }
        rest = behind
        return true
    }
}
