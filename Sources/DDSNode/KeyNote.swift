// How it is known which of a member's mailbox keys a copy is sealed to: a stanza of the member's own age header, as GroupNote
// is. The agent needs it to know which keys it must keep, the node to say whether something still waits under an old one.

package import DDSSeal

/// `-> ddsnode-key NUMBER` with an empty body: the number of the `MailboxStatement` that named the key. Absent where the
/// member's agent has made no statement.
package enum KeyNote {
    private static let kind = "ddsnode-key"

    package static func stanza(_ number: UInt64) -> AgeStanza {
        AgeStanza(arguments: [Array(kind.utf8), Array("\(number)".utf8)], body: [])
    }

    /// The number in `stanzas`; 0 where there is none.
    package static func number(in stanzas: [AgeStanza]) -> UInt64 {
        guard let stanza = stanzas.first(where: { $0.kind == kind }), stanza.arguments.count == 2, stanza.body.isEmpty else {
            return 0
        }
        return UInt64(String(decoding: stanza.arguments[1], as: UTF8.self)) ?? 0
    }

    /// The same of a whole age header, or a file that begins with one. Nil when it is none.
    package static func number(inHeader bytes: [UInt8]) -> UInt64? {
        var reader = AgeHeaderReader()
        guard (try? reader.feed(bytes[...])) != nil, reader.isComplete else { return nil }
        return number(in: reader.stanzas)
    }
}
