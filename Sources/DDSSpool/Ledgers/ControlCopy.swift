// Mail of the node itself to a member, ready to be stored beside whatever it tells of. Decides only how it lies in the maildrop.

/// Flags of a delivery in a maildrop.
package enum DeliveryFlags {
    /// The node wrote it: outside the quota, never reported on, erased without notice.
    package static let control: UInt16 = 1
}

extension SpoolEntry {
    package var isControl: Bool { flags & DeliveryFlags.control != 0 }
}

/// A control mail that is sealed and ready to be stored.
package struct ControlCopy: Sendable {
    package var id: RecordTag
    package var mailbox: MailboxID
    package var payload: [UInt8]
    package var header: [UInt8]

    package init(id: RecordTag, mailbox: MailboxID, payload: [UInt8], header: [UInt8]) {
        self.id = id
        self.mailbox = mailbox
        self.payload = payload
        self.header = header
    }

    package var bytes: Int { header.count + payload.count }

    /// Payload and delivery, to stand at `place` of a transaction's appends.
    package func appends(at place: Int) -> [SpoolAppend] {
        [
            .payload(tag: id, body: payload),
            .delivery(mailbox: mailbox, tag: id, flags: DeliveryFlags.control, header: header, payload: place),
        ]
    }
}
