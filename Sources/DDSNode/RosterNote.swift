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

    package var stanza: AgeStanza {
        AgeStanza(arguments: [Self.kind, group, "\(head.number)", Hex.encode(head.hash)].map { Array($0.utf8) }, body: [])
    }

    /// Those that `stanzas` hold.
    package static func notes(in stanzas: [AgeStanza]) -> [RosterNote] {
        stanzas.compactMap { stanza in
            guard stanza.kind == kind, stanza.arguments.count == 4, stanza.body.isEmpty else { return nil }
            let words = stanza.arguments.map { String(decoding: $0, as: UTF8.self) }
            guard let number = UInt64(words[2]), let hash = Hex.decode(words[3]), hash.count == 32 else { return nil }
            return RosterNote(group: words[1], head: RosterHead(number: number, hash: hash))
        }
    }
}
