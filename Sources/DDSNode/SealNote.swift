// How a member's agent learns what kind of keys a message was sealed to on its whole way: a stanza of the member's own age
// header, as GroupNote is. One classical key among them decides: all headers of a message hold the same file key.

package import DDSSeal

/// `-> ddsnode-seal hybrid` or `-> ddsnode-seal classical` with an empty body; absent where the group promises nothing.
package enum SealNote {
    private static let kind = "ddsnode-seal"

    package static func stanza(_ keys: AgeKeyKind) -> AgeStanza {
        AgeStanza(arguments: [Array(kind.utf8), Array(keys.rawValue.utf8)], body: [])
    }

    /// What `stanzas` say, if they do; a word of a later version says nothing.
    package static func keys(in stanzas: [AgeStanza]) -> AgeKeyKind? {
        guard let stanza = stanzas.first(where: { $0.kind == kind }), stanza.arguments.count == 2, stanza.body.isEmpty else {
            return nil
        }
        return AgeKeyKind(rawValue: String(decoding: stanza.arguments[1], as: UTF8.self))
    }
}
