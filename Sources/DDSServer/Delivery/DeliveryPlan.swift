// What storing one message takes: who gets a copy in the maildrop, for whom one is held, what the node remembers of it. A
// value, so that the one transaction can be looked at without a disk.

import DDSCore
import DDSNode
import DDSSeal
import DDSSpool

struct DeliveryPlan: Sendable {
    /// One reader's copy.
    struct Copy: Sendable {
        var member: String
        var mailbox: UInt64
        /// The group through which it comes.
        var group: String?
        /// The text of the key that the header was to be made for.
        var recipient: String?
        /// The header made for the member; nil when that was not possible.
        var header: [UInt8]?
        /// What waits for the member has reached the quota.
        var isFull: Bool
        /// The member has other devices, which get theirs: nobody was answered that this one's maildrop is full.
        var isOneOfSeveral = false

        var route: CopyRoute {
            CopyRoute(hasOwnHeader: header != nil, isFull: isFull, cameThroughGroup: group != nil || isOneOfSeveral)
        }
    }

    var id: RecordTag
    var author: Account?
    var submission: String
    var day: Int
    var destinations: [Directory.Destination]
    var copies: [Copy]
    /// Who gets none, because the author has sealed the message and had no key of theirs.
    var unsealed: [Account] = []
    /// Whose keys open the headers of what is held.
    var sealing = HeldCopy.Sealing.node
    /// The payload's header for the node itself; opens what is held. Needed only when something is.
    var nodeHeader: [UInt8] = []

    var needsNodeHeader: Bool { sealing == .node && copies.contains { $0.route != .maildrop } }
    var heldCount: Int { copies.count { $0.route != .maildrop } }

    /// What is held for a copy's member.
    func heldCopy(_ copy: Copy) -> HeldCopy? {
        guard case .held(let cause) = copy.route else { return nil }
        guard let header = sealing == .node ? nodeHeader : copy.header, !header.isEmpty else {
            preconditionFailure("what is held is sealed to somebody")
        }
        return HeldCopy(member: copy.mailbox, cause: cause, sealing: sealing, group: copy.group, header: header)
    }

    var record: MessageRecord {
        let places = destinations.map { destination in
            switch destination {
            case .member(let name): name
            case .group(let name): "#" + name
            }
        }
        return MessageRecord(
            author: author?.name ?? "", authorMailbox: author?.mailbox ?? 0,
            submission: submission.utf8.count <= MessageRecord.submissionBytesMax ? submission : "", day: day,
            destinations: places,
            copies: copies.map { copy in
                MessageRecord.Copy(
                    member: copy.member, mailbox: copy.mailbox, group: copy.group.flatMap { places.firstIndex(of: "#" + $0) })
            }
                + unsealed.map { account in
                    MessageRecord.Copy(member: account.name, mailbox: account.mailbox, group: 0, end: .unsealed)
                })
    }

    /// Without copies there is nothing to remember, but for those who get none.
    private var records: [SpoolAppend] { copies.isEmpty && unsealed.isEmpty ? [] : [record.append(id: id)] }
    /// Where the record is among what the transaction stores.
    var recordIndex: Int? { records.isEmpty ? nil : copies.isEmpty ? 0 : copies.count + 1 }

    /// Everything in one transaction: the payload, the copies in order, the record, and the receipt by which a resend is known.
    func transaction(payload: [UInt8], receipt: SpoolAppend?) -> SpoolTransaction {
        let deliveries = copies.map { copy in
            heldCopy(copy).map { (mailbox: HeldCopy.mailbox, header: $0.encoded) }
                ?? (mailbox: MailboxID(rawValue: copy.mailbox), header: copy.header ?? [])
        }
        return SubmissionLedger.accepting(
            payload: payload, id: id, deliveries: deliveries, records: records, receipt: receipt)
    }
}
