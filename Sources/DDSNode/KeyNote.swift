// How it is known which of a member's mailbox keys a copy is sealed to: a stanza of the member's own age header, as GroupNote
// is. The agent needs it to know which keys it must keep, the node to say whether something still waits under an old one.

package import DDSSeal

/// `-> ddsnode-key NUMBER` with an empty body: the number of the `MailboxStatement` that named the key. Absent where the
/// member's agent has made no statement.
package enum KeyNote {
    private static let kind = "ddsnode-key"

    package static func stanza(_ number: UInt64) -> AgeStanza {
        HeaderNote.stanza(kind, "\(number)")
    }

    /// The number in `stanzas`; 0 where there is none.
    package static func number(in stanzas: [AgeStanza]) -> UInt64 {
        HeaderNote.word(kind, in: stanzas).flatMap { UInt64($0) } ?? 0
    }

    /// The same of a whole age header, or a file that begins with one. Nil when it is none.
    package static func number(inHeader bytes: [UInt8]) -> UInt64? {
        var reader = AgeHeaderReader()
        guard (try? reader.feed(bytes[...])) != nil, reader.isComplete else { return nil }
        return number(in: reader.stanzas)
    }
}
