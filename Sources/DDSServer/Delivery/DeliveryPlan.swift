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

        var route: CopyRoute { CopyRoute(hasOwnHeader: header != nil, isFull: isFull, cameThroughGroup: group != nil) }
    }

    var id: RecordTag
    var author: Account?
    var submission: String
    var day: Int
    var destinations: [Directory.Destination]
    var copies: [Copy]
    /// The payload's header for the node itself; opens what is held. Needed only when something is.
    var nodeHeader: [UInt8] = []

    var needsNodeHeader: Bool { copies.contains { $0.route != .maildrop } }
    var heldCount: Int { copies.count { $0.route != .maildrop } }

    /// What is held for a copy's member.
    func heldCopy(_ copy: Copy) -> HeldCopy? {
        guard case .held(let cause) = copy.route else { return nil }
        precondition(!nodeHeader.isEmpty, "what is held is sealed to the node")
        return HeldCopy(member: copy.mailbox, cause: cause, sealing: .node, group: copy.group, header: nodeHeader)
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
            })
    }

    /// Everything in one transaction: the payload, the copies in order, the record, and the receipt by which a resend is known.
    func transaction(payload: [UInt8], receipt: SpoolAppend?) -> SpoolTransaction {
        let deliveries = copies.map { copy in
            heldCopy(copy).map { (mailbox: HeldCopy.mailbox, header: $0.encoded) }
                ?? (mailbox: MailboxID(rawValue: copy.mailbox), header: copy.header ?? [])
        }
        return SubmissionLedger.accepting(
            payload: payload, id: id, deliveries: deliveries, records: [record.append(id: id)],
            receipt: receipt)
    }
}
