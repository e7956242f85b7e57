// What telling an author of copies means for the records: each notes what was told, or goes when there is nothing more to tell,
// in the transaction that stores the mail which tells it. A value; when and in which words an author is told is the owner's.

package import DDSCore

/// A record as it lies in the spool.
package struct MessagePage: Sendable {
    package var id: RecordTag
    package var uid: SpoolUID
    package var record: MessageRecord

    package init(id: RecordTag, uid: SpoolUID, record: MessageRecord) {
        self.id = id
        self.uid = uid
        self.record = record
    }
}

/// How far a message's copies are, beside what its author knows.
package struct MessageNews: Sendable {
    package var page: MessagePage
    package var states: [CopyState]
    /// Of what is held, by maildrop.
    package var causes: [UInt64: HoldCause]

    package init(_ page: MessagePage, _ places: CopyPlaces) {
        self.page = page
        states = page.record.copies.map { page.record.state(of: $0, places) }
        causes = places.held
    }

    package var isNews: Bool { isDone || zip(page.record.copies, states).contains { $0.told != $1 } }
    /// Nothing more will ever happen to it.
    package var isDone: Bool { states.allSatisfy(\.isFinal) }
}

/// One control mail's worth of news for one author.
package struct ReportPlan: Sendable {
    /// The records as they are from now on; nil for those that go.
    package private(set) var records: [(id: RecordTag, record: MessageRecord?, replaces: SpoolUID)] = []
    /// Of what the author is told, in order, with the number of the report in each record.
    package private(set) var told: [(news: MessageNews, revision: Int)] = []

    /// `isWorthTelling` says of which messages the author is told; the others are only noted.
    package init(_ batch: [MessageNews], isWorthTelling: (MessageNews) -> Bool) {
        for news in batch {
            var record = news.page.record
            if isWorthTelling(news) {
                record.revision += 1
                told.append((news, record.revision))
            }
            for index in news.states.indices { record.copies[index].told = news.states[index] }
            records.append((news.page.id, news.isDone ? nil : record, news.page.uid))
        }
    }

    /// Everything in one transaction; the records that stay come first, in order.
    package func transaction(mail: ControlCopy?) -> SpoolTransaction {
        var transaction = SpoolTransaction()
        transaction.appends = records.compactMap { entry in entry.record.map { $0.append(id: entry.id) } }
        transaction.appends += mail?.appends(at: transaction.appends.count) ?? []
        transaction.erasures = records.map(\.replaces)
        return transaction
    }
}
