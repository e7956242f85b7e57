// How a member's agent learns which roster a message was sealed for: a stanza of the member's own age header, as GroupNote is.

import DDSCore
package import DDSSeal

/// `-> ddsnode-roster GROUP NUMBER HASH` with an empty body; the hash in hexadecimal. What is sealed to the node for members who
/// cannot be sealed to yet has one for each group.
package struct RosterNote: Hashable, Sendable {
    private static let kind = "ddsnode-roster"

    /// The group's plain name.
    package var group: String
    package var head: RosterHead

    package init(group: String, head: RosterHead) {
        self.group = group
        self.head = head
    }

    package var stanza: AgeStanza { HeaderNote.stanza(Self.kind, group, "\(head.number)", Hex.encode(head.hash)) }

    /// Those that `stanzas` hold.
    package static func notes(in stanzas: [AgeStanza]) -> [RosterNote] {
        HeaderNote.all(kind, count: 3, in: stanzas).compactMap { words in
            guard let number = UInt64(words[1]), let hash = Hex.decode(words[2]), hash.count == 32 else { return nil }
            return RosterNote(group: words[0], head: RosterHead(number: number, hash: hash))
        }
    }

    /// The same of a whole age header, or a file that begins with one; none when it is no header.
    package static func notes(inHeader bytes: [UInt8]) -> [RosterNote] {
        var reader = AgeHeaderReader()
        guard (try? reader.feed(bytes[...])) != nil, reader.isComplete else { return [] }
        return notes(in: reader.stanzas)
    }
}
