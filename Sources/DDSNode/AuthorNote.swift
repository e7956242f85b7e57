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

    package var stanza: AgeStanza { AgeStanza(arguments: [Self.kind, group, author].map { Array($0.utf8) }, body: []) }

    /// Those that `stanzas` hold.
    package static func notes(in stanzas: [AgeStanza]) -> [AuthorNote] {
        stanzas.compactMap { stanza in
            guard stanza.kind == kind, stanza.arguments.count == 3, stanza.body.isEmpty else { return nil }
            let words = stanza.arguments.map { String(decoding: $0, as: UTF8.self) }
            return AuthorNote(group: words[1], author: words[2])
        }
    }
}
