// What erasing mail unread means, because nobody fetched it in time or nobody can open it any more: which deliveries go, what their records say from then on, and what the
// member is told. A value; when a day is over, how the member is told and how it is stored is the owner's affair.

package import DDSCore

package struct ExpiryPlan: Sendable {
    /// A copy that goes.
    package struct Expired: Sendable {
        package var uid: SpoolUID
        package var id: RecordTag
        /// Day of acceptance.
        package var day: Int
        package var isControl: Bool

        package init(uid: SpoolUID, id: RecordTag, day: Int, isControl: Bool) {
            self.uid = uid
            self.id = id
            self.day = day
            self.isControl = isControl
        }
    }

    /// What one notice tells of.
    package struct Span: Hashable, Sendable {
        /// Nil for mail that was sent to the member.
        package var group: String?
        package var ids: [RecordTag]
        /// Days of acceptance of the oldest and the newest.
        package var days: ClosedRange<Int>
    }

    /// For the member, one for each group and one for what was sent to the member.
    package private(set) var spans: [Span] = []
    /// The records as they are from now on, and what they replace.
    package private(set) var records: [(id: RecordTag, record: MessageRecord, replaces: SpoolUID)] = []
    package private(set) var erasures: [SpoolUID] = []

    /// `pages` are the records of these messages, as far as there are any. A copy that is marked as ended already was told of:
    /// a machine that stopped between mark and erasure left it.
    package init(_ expired: [Expired], mailbox: UInt64, pages: [MessagePage], end: CopyState = .expired) {
        let byID = Dictionary(pages.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
        var spans: [String?: Span] = [:]
        for copy in expired {
            erasures.append(copy.uid)
            if copy.isControl { continue }
            var group: String?
            if let page = byID[copy.id], let index = page.record.index(of: mailbox) {
                if page.record.copies[index].end != nil { continue }
                group = page.record.group(of: page.record.copies[index])
                var record = page.record
                record.copies[index].end = end
                records.append((page.id, record, page.uid))
            }
            var span = spans[group] ?? Span(group: group, ids: [], days: copy.day...copy.day)
            span.ids.append(copy.id)
            span.days = min(span.days.lowerBound, copy.day)...max(span.days.upperBound, copy.day)
            spans[group] = span
        }
        self.spans = spans.values.sorted { ($0.group ?? "") < ($1.group ?? "") }
    }

    /// Everything in one transaction; nothing is erased that the member is not told of.
    package func transaction(mails: [ControlCopy]) -> SpoolTransaction {
        var transaction = SpoolTransaction()
        transaction.appends = records.map { $0.record.append(id: $0.id) }
        for mail in mails { transaction.appends += mail.appends(at: transaction.appends.count) }
        transaction.erasures = erasures + records.map(\.replaces)
        return transaction
    }

    /// Never early: a message counts as accepted at the end of its day.
    package static func hasExpired(acceptedOn day: Int, today: Int, keep: Duration) -> Bool {
        Duration.seconds((today - day - 1) * 86400) >= keep
    }
}
