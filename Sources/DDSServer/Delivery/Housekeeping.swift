// What a node tidies up by itself once an hour: mail that nobody fetched in time, maildrops without a member, receipts of
// submissions that can no longer be sent again; and it tries again what is held. It decides by days, the precision that entries
// have. Where the disk is full nothing is dropped without a notice: it is kept until there is room for the notice.

import DDSBus
import DDSCore
import DDSLoop
import DDSNode
import DDSSpool
import Logging

@LoopActor final class Housekeeping {
    private static var pause: Duration { .seconds(3600) }

    /// `server.spool.keep_undelivered`.
    var keepUndelivered: Duration
    /// Deliveries that were erased unread since the start.
    private(set) var expiredCount = 0

    private let store: DirectoryStore
    private let spool: any SpoolEngine
    private let book: MaildropBook
    private let delivery: DeliveryService
    private let services: Services
    private var rounds: Recurring?

    init(
        store: DirectoryStore, spool: any SpoolEngine, book: MaildropBook, delivery: DeliveryService, services: Services,
        keepUndelivered: Duration
    ) {
        self.store = store
        self.spool = spool
        self.book = book
        self.delivery = delivery
        self.services = services
        self.keepUndelivered = keepUndelivered
    }

    /// Sweeps now and then every hour, until `stop`.
    func start() {
        rounds = Recurring("housekeeping", every: Self.pause, time: services.time) { [weak self] in await self?.sweep() }
        rounds?.start()
    }

    func stop() {
        rounds?.stop()
        rounds = nil
    }

    /// One round.
    func sweep() async {
        await eraseLost()
        do throws(SpoolError) {
            try await delivery.forgetOldReceipts()
            for mailbox in try await spool.mailboxes().keys.sorted() where mailbox.rawValue >= Directory.firstMailbox {
                try await sweep(mailbox)
                await Loop.giveWay()
            }
            try await sweepHeld()
        } catch {
            // A spool that has stopped ends the process by itself; anything else is tried again in an hour.
            services.log.error("housekeeping", metadata: ["error": "\(error)"])
        }
        await delivery.held.retry { _ in true }
    }

    private func sweep(_ mailbox: MailboxID) async throws(SpoolError) {
        let entries = try await spool.entries(in: mailbox)
        guard let account = store.directory.account(mailbox: mailbox.rawValue) else {
            // A member who was removed while mail was on its way to them.
            if !entries.isEmpty { _ = try await spool.commit(SpoolTransaction(erasures: entries.map(\.uid))) }
            delivery.reports.noteChange(entries.map(\.tag))
            return book.forget(mailbox)
        }
        let expired = entries.filter { hasExpired($0.day) }
        // A session that lists these messages now may still fetch them; the next round finds them again otherwise.
        guard !expired.isEmpty, book.lease(mailbox) else { return }
        defer { book.release(mailbox) }
        try await expire(expired.map { .init(uid: $0.uid, id: $0.tag, day: $0.day, isControl: $0.isControl) }, of: account) {
            [self] uids in
            delivery.erased(expired.filter { uids.contains($0.uid) }, from: mailbox)
        }
    }

    /// What is held expires like what waits: a member who never comes cannot fill the disk.
    private func sweepHeld() async throws(SpoolError) {
        for (member, items) in Dictionary(grouping: delivery.held.items.values.filter { hasExpired($0.day) }, by: \.member) {
            // Without an account it goes when it is tried again.
            guard let account = store.directory.account(mailbox: member) else { continue }
            try await expire(items.map { .init(uid: $0.uid, id: $0.id, day: $0.day, isControl: false) }, of: account) {
                [self] uids in
                delivery.held.erased(uids)
            }
        }
    }

    private var unread: UnreadMail {
        UnreadMail(store: store, spool: spool, book: book, delivery: delivery, services: services)
    }

    /// What a node that stopped in the middle of a restoration has left.
    private func eraseLost() async {
        for account in store.directory.accounts.values where account.lostBefore != nil {
            do throws(Failure) {
                _ = try await unread.eraseLost(of: account.name)
            } catch {
                services.log.error("housekeeping", metadata: ["error": "\(error)"])
            }
        }
    }

    private func expire(
        _ copies: [ExpiryPlan.Expired], of account: Account, gone: @LoopActor (Set<SpoolUID>) -> Void
    ) async throws(SpoolError) {
        for start in stride(from: 0, to: copies.count, by: UnreadMail.batch) {
            let part = Array(copies[start..<min(start + UnreadMail.batch, copies.count)])
            try await store.fence.pass { [self] () throws(SpoolError) in
                try await delivery.ledger.gate.pass { [self] () throws(SpoolError) in
                    try await unread.erase(part, of: account, as: .expired, gone: gone)
                }
            }
            delivery.reports.noteChange(part.map(\.id))
            let count = part.count { !$0.isControl }
            expiredCount += count
            services.bus.publish(.maildropErased(count: part.count))
            services.log.notice("undelivered mail expired", metadata: ["count": "\(count)"])
        }
    }

    private func hasExpired(_ day: Int) -> Bool {
        ExpiryPlan.hasExpired(acceptedOn: day, today: services.time.wall.day, keep: keepUndelivered)
    }
}
