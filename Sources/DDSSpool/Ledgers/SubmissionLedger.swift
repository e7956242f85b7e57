// Which submissions were accepted, so that a resend delivers nothing twice; and the one transaction by which a message comes
// into the spool with the receipt that says so. Decides neither readers nor headers, and does no I/O.

/// The receipts of a node: one for each submission and destination, each the tag of a record without a body.
package struct SubmissionLedger: Sendable {
    /// The mailbox of the receipts.
    package static let mailbox = MailboxID(rawValue: 2)
    /// Days for which a resend is recognised.
    package static let lifetimeDays = 30

    package enum Admission: Hashable, Sendable {
        /// Every destination was served by an earlier submission of the same id.
        case alreadyAccepted
        /// The same submission is being accepted right now; it cannot be said yet what will come of it.
        case beingAccepted
        /// The destinations at these positions are to be served, and these receipts kept with the message. Ends with
        /// `settle`, whatever came of it.
        case admitted(positions: [Int], receipts: [RecordTag])
    }

    /// With the day of acceptance.
    private var receipts: [RecordTag: Int] = [:]
    private var inFlight: Set<RecordTag> = []

    /// From the records of `mailbox`.
    package init(_ listed: [SpoolEntry]) {
        for entry in listed { receipts[entry.tag] = entry.day }
    }

    /// Decides about a submission by the receipts that its destinations would get; nil where the author gave no id.
    package mutating func admit(_ tags: [RecordTag?]) -> Admission {
        let positions = tags.indices.filter { position in tags[position].map { receipts[$0] == nil } ?? true }
        if positions.isEmpty { return .alreadyAccepted }
        let wanted = positions.compactMap { tags[$0] }
        guard inFlight.isDisjoint(with: wanted) else { return .beingAccepted }
        inFlight.formUnion(wanted)
        return .admitted(positions: positions, receipts: wanted)
    }

    /// Ends an admission; `acceptedOn` is the day on which the message became durable, nil when it did not.
    package mutating func settle(_ tags: [RecordTag], acceptedOn day: Int?) {
        inFlight.subtract(tags)
        if let day { for tag in tags { receipts[tag] = day } }
    }

    /// The message and its receipts, all or nothing. Without readers only the receipts are kept; without anything to keep the
    /// transaction is empty. The deliveries' records follow the payload's.
    package static func accepting(
        payload: [UInt8], deliveries: [(mailbox: MailboxID, header: [UInt8])], receipts: [RecordTag]
    ) -> SpoolTransaction {
        var appends: [SpoolAppend] = []
        if !deliveries.isEmpty { appends.append(.payload(tag: .none, body: payload)) }
        for (mailbox, header) in deliveries {
            appends.append(.delivery(mailbox: mailbox, tag: .none, flags: 0, header: header, payload: 0))
        }
        for receipt in receipts { appends.append(.record(mailbox: mailbox, tag: receipt, flags: 0, body: [])) }
        return SpoolTransaction(appends: appends)
    }

    /// True when some receipt is older than a resend can be.
    package func hasExpired(on today: Int) -> Bool {
        receipts.values.contains { $0 < today - Self.lifetimeDays }
    }

    /// Erases the receipts that are older than a resend can be.
    package static func forgetting(_ listed: [SpoolEntry], on today: Int) -> SpoolTransaction {
        SpoolTransaction(erasures: listed.filter { $0.day < today - lifetimeDays }.map(\.uid))
    }

    /// What `forgetting` named is erased.
    package mutating func forgot(on today: Int) {
        receipts = receipts.filter { $0.value >= today - Self.lifetimeDays }
    }
}
