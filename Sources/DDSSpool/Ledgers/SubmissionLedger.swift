// Which submissions were accepted and whom they have reached, so that a resend delivers nothing twice; and the one transaction
// by which a message comes into the spool with the receipt that says so. Decides neither readers nor headers, and does no I/O.

/// What became of a submission so far: a later one of the same id serves who is not in here. Readers count and not only
/// destinations, because one reader may be reached by several, a group and an own address. Both are here as tags which their
/// owner makes with the submission's id, so that nobody who lacks the id learns from a receipt who wrote to whom.
package struct SubmissionReceipt: Hashable, Sendable {
    /// What was served. A group that is in here is not served again, also when it has new members.
    package var destinations: Set<RecordTag> = []
    /// For whom a copy was stored or held.
    package var readers: Set<RecordTag> = []

    package init() {}

    package init(destinations: some Sequence<RecordTag>, readers: some Sequence<RecordTag>) {
        self.destinations = Set(destinations)
        self.readers = Set(readers)
    }

    private static let version: UInt64 = 1

    package var encoded: [UInt8] {
        var bytes = RecordBytes()
        bytes.put(Self.version, 1)
        for tags in [destinations, readers] {
            bytes.put(UInt64(tags.count), 4)
            for tag in tags.sorted(by: { ($0.high, $0.low) < ($1.high, $1.low) }) { bytes.put(tag.bytes) }
        }
        return bytes.bytes
    }

    /// Nil when the bytes are no receipt of this version.
    package init?(_ bytes: [UInt8]) {
        var reader = RecordBytes(bytes: bytes)
        guard reader.number(1) == Self.version, let destinations = Self.tags(&reader), let readers = Self.tags(&reader),
            reader.isAtEnd
        else { return nil }
        self.init(destinations: destinations, readers: readers)
    }

    private static func tags(_ reader: inout RecordBytes) -> [RecordTag]? {
        guard let count = reader.number(4) else { return nil }
        var tags: [RecordTag] = []
        for _ in 0..<count {
            guard let high = reader.number(8), let low = reader.number(8) else { return nil }
            tags.append(RecordTag(high: high, low: low))
        }
        return tags
    }

    /// With what another receipt of the same submission says.
    package mutating func add(_ other: SubmissionReceipt) {
        destinations.formUnion(other.destinations)
        readers.formUnion(other.readers)
    }
}

/// The receipts of a node, by the submission's tag, which its owner makes of author and id.
package struct SubmissionLedger: Sendable {
    /// The mailbox of the receipts: one record for each time that a submission was accepted.
    package static let mailbox = MailboxID(rawValue: 2)
    /// Days for which a resend is recognised.
    package static let lifetimeDays = 30

    package enum Admission: Hashable, Sendable {
        /// The same submission is being accepted right now; it cannot be said yet what will come of it.
        case beingAccepted
        /// It may be accepted, as far as the receipts in these records do not say that it was. Ends with `settle`, whatever
        /// came of it.
        case admitted(receipts: [SpoolUID])
    }

    private struct Known {
        /// Of the newest receipt.
        var day: Int
        var receipts: [SpoolUID]
    }

    private var known: [RecordTag: Known] = [:]
    private var inFlight: Set<RecordTag> = []

    /// From the records of `mailbox`.
    package init(_ listed: [SpoolEntry]) {
        for entry in listed { note(entry.tag, entry.uid, day: entry.day) }
    }

    private mutating func note(_ submission: RecordTag, _ receipt: SpoolUID, day: Int) {
        known[submission, default: Known(day: day, receipts: [])].receipts.append(receipt)
        known[submission]?.day = day
    }

    /// Decides about a submission; nil where the author gave no id.
    package mutating func admit(_ submission: RecordTag?) -> Admission {
        guard let submission else { return .admitted(receipts: []) }
        guard inFlight.insert(submission).inserted else { return .beingAccepted }
        return .admitted(receipts: known[submission]?.receipts ?? [])
    }

    /// Ends an admission; `receipt` is the record that became durable with the message and its day, nil when none did.
    package mutating func settle(_ submission: RecordTag?, receipt: (uid: SpoolUID, day: Int)?) {
        guard let submission else { return }
        inFlight.remove(submission)
        if let receipt { note(submission, receipt.uid, day: receipt.day) }
    }

    /// The record that says so.
    package static func append(_ receipt: SubmissionReceipt, of submission: RecordTag) -> SpoolAppend {
        .record(mailbox: mailbox, tag: submission, flags: 0, body: receipt.encoded)
    }

    /// The message, what is remembered of it and its receipt, all or nothing. Without readers the payload is not kept; without
    /// anything to keep the transaction is empty. The deliveries' records follow the payload's, `records` follow them,
    /// and the receipt is last; payload and deliveries carry the message's id as their tag.
    package static func accepting(
        payload: [UInt8], id: RecordTag = .none, deliveries: [(mailbox: MailboxID, header: [UInt8])],
        records: [SpoolAppend] = [],
        receipt: SpoolAppend?
    ) -> SpoolTransaction {
        var appends: [SpoolAppend] = []
        if !deliveries.isEmpty { appends.append(.payload(tag: id, body: payload)) }
        for (mailbox, header) in deliveries {
            appends.append(.delivery(mailbox: mailbox, tag: id, flags: 0, header: header, payload: 0))
        }
        appends += records
        if let receipt { appends.append(receipt) }
        return SpoolTransaction(appends: appends)
    }

    /// True when some receipt is older than a resend can be.
    package func hasExpired(on today: Int) -> Bool {
        known.values.contains { $0.day < today - Self.lifetimeDays }
    }

    /// Erases the receipts that are older than a resend can be.
    package static func forgetting(_ listed: [SpoolEntry], on today: Int) -> SpoolTransaction {
        SpoolTransaction(erasures: listed.filter { $0.day < today - lifetimeDays }.map(\.uid))
    }

    /// What `forgetting` named is erased.
    package mutating func forgot(on today: Int) {
        known = known.filter { $0.value.day >= today - Self.lifetimeDays }
    }
}
