// How a member's agent learns through which group a message came: a stanza of the member's own age header, which other
// readers ignore and the header's code authenticates. The mail itself stays byte for byte what its author wrote.

package import DDSSeal

/// `-> ddsnode-group NAME` with an empty body. Not secret from the node, which knows its groups, nor from who reads the
/// member's maildrop; it is on no disk of the node in clear.
package enum GroupNote {
    private static let kind = "ddsnode-group"

    /// The note of a group; `name` is one of the directory's plain names.
    package static func stanza(_ name: String) -> AgeStanza {
        AgeStanza(arguments: [Array(kind.utf8), Array(name.utf8)], body: [])
    }

    /// The group that `stanzas` name, if they name one.
    package static func group(in stanzas: [AgeStanza]) -> String? {
        guard let stanza = stanzas.first(where: { $0.kind == kind }), stanza.arguments.count == 2, stanza.body.isEmpty else { return nil }
        return String(decoding: stanza.arguments[1], as: UTF8.self)
    }
}
