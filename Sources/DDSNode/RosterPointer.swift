// How the node tells an author's agent for which roster a message has to be sealed: a word of an SMTP reply. The roster itself comes
// as mail, signed: a reply proves nothing, and has no room for a thousand keys.

import DDSCore

/// `roster=GROUP:NUMBER:HASH`, the hash in hexadecimal.
package struct RosterPointer: Hashable, Sendable {
    private static let start = "roster="

    /// The group's plain name.
    package var group: String
    package var head: RosterHead

    package init(group: String, head: RosterHead) {
        self.group = group
        self.head = head
    }

    package var word: String { "\(Self.start)\(group):\(head.number):\(Hex.encode(head.hash))" }

    /// The first that a reply's text holds.
    package init?(in text: String) {
        for word in text.split(separator: " ") where word.hasPrefix(Self.start) {
            let parts = word.dropFirst(Self.start.count).split(separator: ":", omittingEmptySubsequences: false)
            guard parts.count == 3, !parts[0].isEmpty, let number = UInt64(parts[1]), let hash = Hex.decode(String(parts[2])),
                hash.count == 32
            else { continue }
            self.init(group: String(parts[0]), head: RosterHead(number: number, hash: hash))
            return
        }
        return nil
    }
}
