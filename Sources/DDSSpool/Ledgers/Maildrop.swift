// A maildrop as one session sees it: which records of the mailbox are mail, what they are called, and which transaction a
// QUIT makes. Decides no locking, no wrapper and no I/O; the node's POP3 handler and the simulator use it alike.

/// The snapshot that a session takes when it gets the maildrop (RFC 1939 4). Messages are known by index from 0.
package struct Maildrop: Sendable {
    /// The mail in ascending order of UID.
    package let entries: [SpoolEntry]

    /// No mail.
    package init() { entries = [] }

    /// The deliveries among the records of a mailbox, in their order.
    package init(_ listed: [SpoolEntry]) {
        entries = listed.filter { $0.payload != nil }
    }

    /// Never reused and stable: the record's name in the spool, in hexadecimal.
    package static func uidl(_ uid: SpoolUID) -> String { SpoolFileName.hex(uid.rawValue) }

    /// Destroys the messages at `indices`; to be confirmed once it is durable, and not asked for before QUIT.
    package func erasing(_ indices: [Int]) -> SpoolTransaction {
        SpoolTransaction(erasures: indices.map { entries[$0].uid })
    }

    /// What the messages at `indices` count towards the mailbox's size.
    package func bytes(of indices: [Int]) -> Int {
        indices.reduce(0) { $0 + entries[$1].size + entries[$1].payloadSize }
    }

    /// Whether the mailbox, listed anew, holds a record that this snapshot has not.
    package func isOutdated(by listed: [SpoolEntry]) -> Bool {
        let known = Set(entries.map(\.uid))
        return !listed.allSatisfy { known.contains($0.uid) }
    }
}
