// What a spool must hold after any fault: the acknowledged records, perhaps the ones in flight as whole sets, nothing else.

import DDSCore
import DDSSpool
import DDSTestKit

/// A record as the test submitted it. Tags are unique, so they name records across crashes.
struct Expected: Hashable {
    var tag: RecordTag
    var mailbox: MailboxID
    var flags: UInt16
    var body: [UInt8]
    var payload: [UInt8]?
    var uid: SpoolUID?
}

/// One transaction as a test writes it: erasures by tag.
struct PlannedTransaction {
    var appends: [SpoolAppend] = []
    var erasures: [RecordTag] = []
}

struct Violation: Error, CustomStringConvertible {
    var description: String
}

struct SpoolModel {
    private(set) var live: [RecordTag: Expected] = [:]
    private var issuedSets: [[Expected]] = []
    private var issuedErasures: Set<RecordTag> = []
    private var highestUID: UInt64 = 0
    private var head: SpoolHead?
    /// Records whose erasure was acknowledged.
    private(set) var erased: Set<RecordTag> = []
    /// Bodies of records whose erasure was acknowledged.
    private(set) var erasedBodies: [[UInt8]] = []

    static func expected(_ transaction: PlannedTransaction) -> [Expected] {
        transaction.appends.compactMap { append in
            switch append {
            case .record(let mailbox, let tag, let flags, let body):
                return Expected(tag: tag, mailbox: mailbox, flags: flags, body: body)
            case .payload:
                return nil
            case .delivery(let mailbox, let tag, let flags, let header, let payload):
                guard case .payload(_, let body) = transaction.appends[payload] else { return nil }
                return Expected(tag: tag, mailbox: mailbox, flags: flags, body: header, payload: body)
            }
        }
    }

    /// Commits a group and learns from the answers. Throws on an answer that no fault explains. False: the log stopped.
    mutating func commit(_ planned: [PlannedTransaction], on log: SpoolLog, _ disk: SimDisk) throws -> Bool {
        // What has no UID yet cannot be erased.
        let group = planned.map { plan in
            PlannedTransaction(appends: plan.appends, erasures: plan.erasures.filter { live[$0] != nil })
        }
        let transactions = group.map { plan in
            SpoolTransaction(appends: plan.appends, erasures: plan.erasures.compactMap { live[$0]?.uid })
        }
        issuedSets += group.map(Self.expected)
        issuedErasures.formUnion(group.flatMap(\.erasures))
        let results = log.commit(transactions)
        guard results.count == group.count else { throw Violation(description: "\(results.count) answers to \(group.count)") }
        if results.contains(where: { if case .failure(.stopped) = $0 { true } else { false } }) { return false }
        issuedSets = []
        issuedErasures = []
        var hasChanged = false
        for (plan, result) in zip(group, results) {
            guard case .success(let uids) = result else { continue }
            hasChanged = hasChanged || !uids.isEmpty || !plan.erasures.isEmpty
            try learn(plan, uids)
            for tag in plan.erasures {
                guard let record = live.removeValue(forKey: tag) else { continue }
                erasedBodies.append(record.body)
                erased.insert(tag)
            }
        }
        try checkHead(of: log, hasChanged: hasChanged)
        return true
    }

    /// A head grows with every pass that changed anything and never goes back.
    private mutating func checkHead(of log: SpoolLog, hasChanged: Bool) throws {
        let now = try log.head()
        defer { head = now }
        guard let head else { return }
        guard now.uuid == head.uuid, now.counter > head.counter || !hasChanged && now.counter == head.counter else {
            throw Violation(description: "the head was \(head.counter) and is \(now.counter)")
        }
    }

    private mutating func learn(_ plan: PlannedTransaction, _ uids: [SpoolUID]) throws {
        guard uids.count == plan.appends.count else { throw Violation(description: "a UID for every append") }
        for uid in uids {
            guard uid.rawValue > highestUID else { throw Violation(description: "UID \(uid) is not above \(highestUID)") }
            highestUID = uid.rawValue
        }
        var expected = Self.expected(plan)[...]
        for (append, uid) in zip(plan.appends, uids) {
            if case .payload = append { continue }
            guard var record = expected.popFirst() else { continue }
            record.uid = uid
            live[record.tag] = record
        }
    }

    /// Compares with what `log` holds after a fault, and adopts what was in flight as it turned out.
    mutating func verify(_ log: SpoolLog) throws {
        try checkHead(of: log, hasChanged: false)
        let found = try Self.contents(of: log)
        for (tag, record) in live {
            guard let present = found[tag] else {
                if issuedErasures.contains(tag) { continue }
                throw Violation(description: "acknowledged record \(tag) is gone")
            }
            guard present == record else { throw Violation(description: "acknowledged record \(tag) differs") }
        }
        var possible: [RecordTag: Expected] = live
        for set in issuedSets {
            let present = set.filter { found[$0.tag] != nil }
            guard present.isEmpty || present.count == set.count else {
                throw Violation(description: "\(present.count) of \(set.count) records of a transaction")
            }
            for record in set { possible[record.tag] = record }
        }
        for (tag, record) in found {
            guard var expected = possible[tag] else { throw Violation(description: "garbage or erased record \(tag)") }
            expected.uid = record.uid
            guard expected == record else { throw Violation(description: "record \(tag) in flight differs") }
            highestUID = max(highestUID, record.uid?.rawValue ?? 0)
        }
        live = found
        issuedSets = []
        issuedErasures = []
    }

    static func contents(of log: SpoolLog) throws -> [RecordTag: Expected] {
        var found: [RecordTag: Expected] = [:]
        var payloads: Set<SpoolUID> = []
        for (mailbox, summary) in try log.mailboxes() {
            let entries = try log.entries(in: mailbox)
            guard entries.count == summary.count, entries.reduce(0, { $0 + $1.size + $1.payloadSize }) == summary.bytes else {
                throw Violation(description: "the counters of \(mailbox) are wrong")
            }
            guard entries.map(\.uid) == entries.map(\.uid).sorted() else { throw Violation(description: "UIDs out of order") }
            for entry in entries {
                guard found[entry.tag] == nil else { throw Violation(description: "record \(entry.tag) twice") }
                let body = try log.read(entry.uid, offset: 0, count: .max)
                let payload = try entry.payload.map { payload throws in
                    payloads.insert(payload)
                    return try log.read(payload, offset: 0, count: .max)
                }
                guard payload?.count ?? 0 == entry.payloadSize else { throw Violation(description: "payload size") }
                found[entry.tag] = Expected(
                    tag: entry.tag, mailbox: mailbox, flags: entry.flags, body: body, payload: payload, uid: entry.uid)
            }
        }
        guard try log.statistics().records == found.count + payloads.count else {
            throw Violation(description: "records that nobody names")
        }
        return found
    }
}
