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
        isUsable(id) ? HeaderNote.stanza(kind, id) : nil
    }

    /// The id that `stanzas` name, if they name one.
    package static func id(in stanzas: [AgeStanza]) -> String? {
        HeaderNote.word(kind, in: stanzas).flatMap { isUsable($0) ? $0 : nil }
    }

    private static func isUsable(_ id: String) -> Bool {
        !id.isEmpty && id.utf8.count <= bytesMax && id.utf8.allSatisfy { (0x21...0x7e).contains($0) }
    }
}
