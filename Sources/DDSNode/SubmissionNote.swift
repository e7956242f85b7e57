// How a node that does not open a message tells a resend from a new one: the submission id in a stanza of the header that is
// sealed to the node, which authenticates it. Readers do not get that header.

package import DDSSeal

/// `-> ddsnode-submission ID` with an empty body; the same id as in the message's field `X-DDS-Submission`.
package enum SubmissionNote {
    private static let kind = "ddsnode-submission"
    /// Longer ids are none.
    private static let bytesMax = 200

    /// Nil for an id that fits no stanza.
    package static func stanza(_ id: String) -> AgeStanza? {
        let bytes = Array(id.utf8)
        guard isUsable(bytes) else { return nil }
        return AgeStanza(arguments: [Array(kind.utf8), bytes], body: [])
    }

    /// The id that `stanzas` name, if they name one.
    package static func id(in stanzas: [AgeStanza]) -> String? {
        guard let stanza = stanzas.first(where: { $0.kind == kind }), stanza.arguments.count == 2, stanza.body.isEmpty,
            isUsable(stanza.arguments[1])
        else { return nil }
        return String(decoding: stanza.arguments[1], as: UTF8.self)
    }

    private static func isUsable(_ bytes: [UInt8]) -> Bool {
        !bytes.isEmpty && bytes.count <= bytesMax && bytes.allSatisfy { (0x21...0x7e).contains($0) }
    }
}
