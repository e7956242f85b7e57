// What an agent has of what its node lists: what to fetch, what is stored already and may be deleted there, which transaction
// keeps a message, what may be forgotten. And how a submission leaves the outbox. No I/O.

/// The messages that this agent has stored and that the node may still list, by the tag of their UIDL.
package struct FetchLedger: Sendable {
    /// Which messages of a listing are wanted, by position; each is in one list at most.
    package struct Plan: Hashable, Sendable {
        package var fetch: [Int] = []
        package var alreadyStored: [Int] = []
        /// Left at the node.
        package var tooLarge: [Int] = []
    }

    private let inbox: MailboxID
    private let mailbox: MailboxID
    private var seen: [RecordTag: SpoolUID] = [:]

    /// From the records of `mailbox`, which hold one tag each and no body. Messages are kept in `inbox`.
    package init(_ listed: [SpoolEntry], mailbox: MailboxID, inbox: MailboxID) {
        self.mailbox = mailbox
        self.inbox = inbox
        for entry in listed { seen[entry.tag] = entry.uid }
    }

    /// Answers a listing: what to fetch, and what is here already and may be deleted there.
    package func plan(_ tags: [RecordTag], octets: [Int], octetsMax: Int) -> Plan {
        var plan = Plan()
        for (position, tag) in tags.enumerated() {
            if seen[tag] != nil {
                plan.alreadyStored.append(position)
            } else if octets[position] <= octetsMax {
                plan.fetch.append(position)
            } else {
                plan.tooLarge.append(position)
            }
        }
        return plan
    }

    /// What the node no longer lists is deleted there for certain; its name need not be kept. Empty when nothing is to go.
    package func forgettable(unlessIn listed: Set<RecordTag>) -> [RecordTag: SpoolUID] {
        seen.filter { !listed.contains($0.key) }
    }

    package static func forgetting(_ gone: [RecordTag: SpoolUID]) -> SpoolTransaction {
        SpoolTransaction(erasures: gone.values.sorted())
    }

    /// The transaction of `forgetting` is durable.
    package mutating func forgot(_ gone: [RecordTag: SpoolUID]) {
        for tag in gone.keys { seen[tag] = nil }
    }

    /// Keeps a message and, in the same transaction, that it is here. Only when it is durable may the node delete it.
    package func keeping(_ tag: RecordTag, _ message: [UInt8]) -> SpoolTransaction {
        SpoolTransaction(appends: [
            .record(mailbox: inbox, tag: tag, flags: 0, body: message),
            .record(mailbox: mailbox, tag: tag, flags: 0, body: []),
        ])
    }

    /// The transaction of `keeping` is durable under these names.
    package mutating func kept(_ tag: RecordTag, _ records: [SpoolUID]) {
        seen[tag] = records[1]
    }
}

/// How a submission leaves the outbox.
package enum OutboxLedger {
    /// A crash between noting an outcome and erasing the submission leaves both; those submissions were answered all the
    /// same, and must not go out again.
    package static func answered(_ outbox: [SpoolEntry], outcomes: [SpoolEntry]) -> [SpoolUID] {
        let known = Set(outcomes.map(\.tag))
        return outbox.filter { known.contains($0.tag) }.map(\.uid)
    }

    /// Sealed anew, a submission takes the place of the former one under the same tag. A crash between the two leaves both, and only
    /// the last may go out.
    package static func replaced(_ outbox: [SpoolEntry]) -> [SpoolUID] {
        let last = Dictionary(outbox.map { ($0.tag, $0.uid) }, uniquingKeysWith: max)
        // What has no tag is no submission, and stays.
        return outbox.filter { $0.tag != .none && last[$0.tag] != $0.uid }.map(\.uid)
    }

    /// The outcome replaces the submission.
    package static func settling(_ submission: SpoolUID, outcome: SpoolAppend) -> SpoolTransaction {
        SpoolTransaction(appends: [outcome], erasures: [submission])
    }
}
