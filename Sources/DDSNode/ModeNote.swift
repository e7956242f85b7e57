// What the node does with a group's mail and how a reader's agent learns it: a stanza of the reader's own age header, as
// GroupNote is. Which mode a message is taken in, the server decides.

package import DDSSeal

/// How the node handles a group's mail (SEALING.md, "Group modes").
package enum GroupMode: String, Hashable, Sendable, Codable, CaseIterable {
    /// It opens each message piece by piece in locked memory, seals it anew, and seals the new key to each reader.
    case relay
    /// It opens the header and never the message: the author's seal stays, and its key is sealed to each reader.
    case blind

    /// What the node could see, for who reads the message.
    package var words: String {
        switch self {
        case .relay: "The node opened this message in its memory to seal it for each reader, and kept nothing of it."
        case .blind:
            "The node passed this message on unopened. It held the key for a moment to seal it for each reader, and could have opened it."
        }
    }
}

/// `-> ddsnode-mode blind` with an empty body. Absent where the mode is `relay`, which is what every other message went through.
package enum ModeNote {
    private static let kind = "ddsnode-mode"

    package static func stanza(_ mode: GroupMode) -> AgeStanza? {
        mode == .relay ? nil : AgeStanza(arguments: [Array(kind.utf8), Array(mode.rawValue.utf8)], body: [])
    }

    /// What `stanzas` say; nil for a word of a later version.
    package static func mode(in stanzas: [AgeStanza]) -> GroupMode? {
        guard let stanza = stanzas.first(where: { $0.kind == kind }) else { return .relay }
        guard stanza.arguments.count == 2, stanza.body.isEmpty else { return nil }
        return GroupMode(rawValue: String(decoding: stanza.arguments[1], as: UTF8.self))
    }
}
