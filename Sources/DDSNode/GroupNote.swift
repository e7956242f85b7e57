// How a member's agent learns through which group a message came: a stanza of the member's own age header, which other
// readers ignore and the header's code authenticates. The mail itself stays byte for byte what its author wrote.

package import DDSSeal

/// `-> ddsnode-group NAME` with an empty body. Not secret from the node, which knows its groups, nor from who reads the
/// member's maildrop; it is on no disk of the node in clear.
package enum GroupNote {
    private static let kind = "ddsnode-group"

    /// The note of a group; `name` is one of the directory's plain names.
    package static func stanza(_ name: String) -> AgeStanza {
        HeaderNote.stanza(kind, name)
    }

    /// The group that `stanzas` name, if they name one.
    package static func group(in stanzas: [AgeStanza]) -> String? {
        HeaderNote.word(kind, in: stanzas)
    }
}
