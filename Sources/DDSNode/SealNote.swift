// How a member's agent learns what kind of keys a message was sealed to on its whole way: a stanza of the member's own age
// header, as GroupNote is. One classical key among them decides: all headers of a message hold the same file key.

package import DDSSeal

/// `-> ddsnode-seal hybrid` or `-> ddsnode-seal classical` with an empty body; absent where the group promises nothing.
package enum SealNote {
    private static let kind = "ddsnode-seal"

    package static func stanza(_ keys: AgeKeyKind) -> AgeStanza {
        HeaderNote.stanza(kind, keys.rawValue)
    }

    /// What `stanzas` say, if they do; a word of a later version says nothing.
    package static func keys(in stanzas: [AgeStanza]) -> AgeKeyKind? {
        HeaderNote.word(kind, in: stanzas).flatMap { AgeKeyKind(rawValue: $0) }
    }
}
