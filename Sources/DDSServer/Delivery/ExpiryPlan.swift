// What erasing mail that nobody fetched in time means: which deliveries go, what their records say from then on, and what the
// member is told. A value; when a day is over and how it is stored is Housekeeping's.

import DDSCore
import DDSNode
import DDSSpool

struct ExpiryPlan: Sendable {
    /// A copy that goes.
    struct Expired: Sendable {
        var uid: SpoolUID
        var id: RecordTag
        /// Day of acceptance.
        var day: Int
        var isControl: Bool
    }

    /// Notices for the member, one for each group and one for what was sent to the member.
    private(set) var notices: [ExpiryNotice] = []
    /// The records as they are from now on, and what they replace.
    private(set) var records: [(id: RecordTag, record: MessageRecord, replaces: SpoolUID)] = []
    private(set) var erasures: [SpoolUID] = []

    /// `pages` are the records of these messages, as far as there are any. A copy that is marked as expired already was told of:
    /// a machine that stopped between mark and erasure left it.
    init(_ expired: [Expired], mailbox: UInt64, pages: [MessageLedger.Page]) {
        let byID = Dictionary(pages.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
        var spans: [String?: (count: Int, days: ClosedRange<Int>)] = [:]
        for copy in expired {
            erasures.append(copy.uid)
            if copy.isControl { continue }
            var group: String?
            if let page = byID[copy.id], let index = page.record.index(of: mailbox) {
                if page.record.copies[index].end != nil { continue }
                group = page.record.group(of: page.record.copies[index])
                var record = page.record
                record.copies[index].end = .expired
                records.append((page.id, record, page.uid))
            }
            let span = spans[group]
            spans[group] = (
                (span?.count ?? 0) + 1,
                min(span?.days.lowerBound ?? copy.day, copy.day)...max(span?.days.upperBound ?? copy.day, copy.day)
            )
        }
        notices = spans.map { ExpiryNotice(group: $0.key, count: $0.value.count, days: $0.value.days) }
            .sorted { ($0.group ?? "") < ($1.group ?? "") }
    }

    /// Everything in one transaction; nothing is erased that the member is not told of.
    func transaction(mails: [ControlMailer.Sealed]) -> SpoolTransaction {
        var transaction = SpoolTransaction()
        transaction.appends = records.map { MessageLedger.append($0.record, id: $0.id) }
        for mail in mails { transaction.appends += mail.appends(at: transaction.appends.count) }
        transaction.erasures = erasures + records.map(\.replaces)
        return transaction
    }
}
