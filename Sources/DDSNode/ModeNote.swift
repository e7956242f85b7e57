// What the node does with a group's mail and how a reader's agent learns it: a stanza of the reader's own age header, as
// GroupNote is. Which mode a message is taken in, the server decides.

package import DDSSeal

/// How the node handles a group's mail (SEALING.md, "Group modes").
package enum GroupMode: String, Hashable, Sendable, Codable, CaseIterable {
    /// It opens each message piece by piece in its memory, seals it anew, and seals the new key to each reader.
    case relay
    /// It opens the header and never the message: the author's seal stays, and its key is sealed to each reader.
    case blind
    /// It has no key: the author's agent seals to each reader, and the node passes the headers on.
    case sealed

    /// What the node could see, for who reads the message.
    package var words: String {
        switch self {
        case .relay: "The node opened this message in its memory to seal it for each reader, and kept no readable copy."
        case .blind:
            "The node passed this message on unopened. It held the key for a moment to seal it for each reader, and could have opened it."
        case .sealed:
            "The node could not open this message: its author sealed it to each reader. The node saw who wrote it, who could read it, its size and when it came."
        }
    }
}

/// `-> ddsnode-mode blind` with an empty body. Absent where the mode is `relay`, which is what every other message went through. In
/// the header that is sealed to the node, `sealed` says that a `SealedBundle` is within.
package enum ModeNote {
    private static let kind = "ddsnode-mode"

    package static func stanza(_ mode: GroupMode) -> AgeStanza? {
        mode == .relay ? nil : HeaderNote.stanza(kind, mode.rawValue)
    }

    /// What `stanzas` say; nil for a word of a later version.
    package static func mode(in stanzas: [AgeStanza]) -> GroupMode? {
        guard HeaderNote.isSaid(kind, in: stanzas) else { return .relay }
        return HeaderNote.word(kind, in: stanzas).flatMap { GroupMode(rawValue: $0) }
    }
}
