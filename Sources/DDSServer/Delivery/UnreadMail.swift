// Erases copies that nobody will read: those that expired, and those under keys that are lost. In one transaction their records
// are marked, so that their authors learn it, and the member is told in the node's own mail. Which copies expire is decided
// elsewhere; which are lost is decided here, by the number of the key in their headers.

import DDSBus
import DDSCore
import DDSLoop
import DDSNode
import DDSSpool
import Logging

@LoopActor struct UnreadMail {
    /// Copies erased in one transaction; each may rewrite a record.
    static var batch: Int { 500 }

    let store: DirectoryStore
    let spool: any SpoolEngine
    let book: MaildropBook
    let delivery: DeliveryService
    let services: Services

    /// Erases copies of one member, with the reason that is told. The caller is inside the fence and the ledger's gate; `gone` is
    /// called when the transaction is durable. `untold` is what notices among the copies tell of, and is told again.
    func erase(
        _ copies: [ExpiryPlan.Expired], of account: Account, as end: CopyState, untold: [ExpiryNotice] = [],
        gone: @LoopActor (Set<SpoolUID>) -> Void
    ) async throws(SpoolError) {
        // The key may have changed since this member's turn began.
        let account = store.directory.account(mailbox: account.mailbox) ?? account
        let pages = try await delivery.ledger.pages(Set(copies.map(\.id)))
        let plan = ExpiryPlan(copies, mailbox: account.mailbox, pages: pages, end: end)
        let news = plan.spans.map { span in
            ExpiryNotice(group: span.group, count: span.ids.count, days: span.days, cause: end == .lost ? .lostKey : .time)
        }
        var mails: [ControlCopy] = []
        for notice in ExpiryNotice.joined(untold + news) {
            if let mail = await delivery.mailer.mail(.expiry(notice), to: account, group: notice.group) { mails.append(mail) }
        }
        let stored = try await spool.commit(plan.transaction(mails: mails))
        for (entry, uid) in zip(plan.records, stored) { delivery.ledger.replaced(entry.id, by: uid) }
        gone(Set(plan.erasures))
        delivery.noteStored(mails)
    }

    // MARK: Lost keys

    /// A copy under a lost key.
    private struct Lost {
        var copy: ExpiryPlan.Expired
        /// As it lies in the maildrop; nil for a held one.
        var entry: SpoolEntry?
        /// What it tells, of a notice that the member has not fetched.
        var notice: ExpiryNotice?

        /// Messages that the member learns of by it.
        var count: Int {
            guard copy.isControl else { return 1 }
            return notice.map { $0.cause == .lostKey ? $0.count : 0 } ?? 0
        }
    }

    /// Erases what waits for a member under keys that a restoration gave up, until nothing is left of it. False when another
    /// session has the maildrop, and nothing was erased.
    func eraseLost(of name: String) async throws(Failure) -> Bool {
        guard let account = store.directory.accounts[name], let number = account.lostBefore else { return true }
        let mailbox = MailboxID(rawValue: account.mailbox)
        // What was being sealed to the old key when it was replaced is stored before this goes on.
        await store.fence.drained()
        guard book.lease(mailbox) else { return false }
        defer { book.release(mailbox) }
        while true {
            let found = try await found(of: account, before: number)
            if found.isEmpty { break }
            // With those of an earlier restoration of which the member has not heard.
            let count = found.reduce(0) { $0 + $1.count }
            // First the number, so that a stop in the middle does not make it smaller.
            try await store.change { directory throws(Failure) in
                count > directory.accounts[name]?.lost ?? 0 ? [.lostMailFound(name: name, count: count)] : []
            }
            for start in stride(from: 0, to: found.count, by: Self.batch) {
                try await eraseLost(Array(found[start..<min(start + Self.batch, found.count)]), of: account)
            }
        }
        try await store.change { directory throws(Failure) in
            directory.accounts[name]?.lostBefore == number ? [.lostMailErased(name: name)] : []
        }
        return true
    }

    private static func failure(_ error: SpoolError) -> Failure {
        Failure(.inputOutput, "mail under lost keys was not erased", reason: "\(error)")
    }

    private func found(of account: Account, before number: UInt64) async throws(Failure) -> [Lost] {
        do throws(SpoolError) {
            return try await delivery.ledger.gate.pass { [self] () throws(SpoolError) in
                try await lost(in: account, before: number)
            }
        } catch {
            throw Self.failure(error)
        }
    }

    private func eraseLost(_ part: [Lost], of account: Account) async throws(Failure) {
        do throws(SpoolError) {
            try await store.fence.pass { [self] () throws(SpoolError) in
                try await delivery.ledger.gate.pass { [self] () throws(SpoolError) in
                    // A held one may have gone meanwhile; the maildrop is ours.
                    let part = part.filter { $0.entry != nil || delivery.held.items[$0.copy.uid] != nil }
                    try await erase(part.map(\.copy), of: account, as: .lost, untold: part.compactMap(\.notice)) { [self] _ in
                        delivery.held.erased(part.filter { $0.entry == nil }.map(\.copy.uid))
                        delivery.erased(part.compactMap(\.entry), from: MailboxID(rawValue: account.mailbox))
                    }
                }
            }
        } catch {
            throw Self.failure(error)
        }
        delivery.reports.noteChange(part.map(\.copy.id))
        services.bus.publish(.maildropErased(count: part.count))
        services.log.notice("mail under lost keys erased", metadata: ["count": "\(part.count)"])
    }

    /// The caller is inside the gate: nothing moves between the maildrop and what is held.
    private func lost(in account: Account, before number: UInt64) async throws(SpoolError) -> [Lost] {
        var found: [Lost] = []
        for entry in try await spool.entries(in: MailboxID(rawValue: account.mailbox)) where entry.payload != nil {
            guard let header = try await header(entry.uid), KeyNote.number(inHeader: header) ?? number < number else {
                continue
            }
            let copy = ExpiryPlan.Expired(uid: entry.uid, id: entry.tag, day: entry.day, isControl: entry.isControl)
            found.append(
                Lost(copy: copy, entry: entry, notice: entry.isControl ? ExpiryNote.notice(inHeader: header) : nil))
        }
        for item in delivery.held.items.values.sorted(by: { $0.uid < $1.uid }) where item.member == account.mailbox {
            // What is sealed to the node is sealed anew when it goes.
            guard let copy = try await delivery.held.copy(item.uid), copy.sealing == .member,
                KeyNote.number(inHeader: copy.header) ?? number < number
            else { continue }
            found.append(
                Lost(copy: ExpiryPlan.Expired(uid: item.uid, id: item.id, day: item.day, isControl: false), entry: nil))
        }
        return found
    }

    /// Whether a waiting copy is sealed to a key of a lower number. What cannot be read opens with no key.
    func isOlder(_ uid: SpoolUID, than number: UInt64) async throws(SpoolError) -> Bool {
        try await header(uid).map { KeyNote.number(inHeader: $0) ?? number < number } ?? false
    }

    /// Nil for what cannot be read.
    private func header(_ uid: SpoolUID) async throws(SpoolError) -> [UInt8]? {
        do throws(SpoolError) {
            return try await spool.read(uid, offset: 0, count: .max)
        } catch {
            switch error {
            case .damaged, .noSuchRecord: return nil
            case .full, .tooLarge, .stopped: throw error
            }
        }
    }
}
