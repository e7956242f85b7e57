// How a member's agent learns who submitted a message to a group that wants no signatures: the node's word, in a stanza of the
// member's own age header, as GroupNote is. It proves nothing to anybody else.

package import DDSSeal

/// `-> ddsnode-author GROUP NAME` with an empty body: who was logged in.
package struct AuthorNote: Hashable, Sendable {
    private static let kind = "ddsnode-author"

    /// Plain names of the directory.
    package var group: String
    package var author: String

    package init(group: String, author: String) {
        self.group = group
        self.author = author
    }

    package var stanza: AgeStanza { HeaderNote.stanza(Self.kind, group, author) }

    /// Those that `stanzas` hold.
    package static func notes(in stanzas: [AgeStanza]) -> [AuthorNote] {
        HeaderNote.all(kind, count: 2, in: stanzas).map { AuthorNote(group: $0[0], author: $0[1]) }
    }
}
