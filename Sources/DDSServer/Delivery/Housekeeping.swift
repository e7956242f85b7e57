// What a node tidies up by itself once an hour: mail that nobody fetched in time, maildrops without a member, receipts of
// submissions that can no longer be sent again. It decides by days, the precision that entries have.

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
    private var timer: LoopTimer?

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
        timer = LoopTimer { [weak self] in self?.tick() }
        tick()
    }

    func stop() {
        timer?.close()
        timer = nil
    }

    private func tick() {
        Loop.spawn(name: "housekeeping") { [self] in
            await sweep()
            timer?.schedule(at: services.time.now + Self.pause)
        }
    }

    /// One round.
    func sweep() async {
        do throws(SpoolError) {
            try await delivery.forgetOldReceipts()
            for mailbox in try await spool.mailboxes().keys.sorted() where mailbox.rawValue >= Directory.firstMailbox {
                try await sweep(mailbox)
            }
        } catch {
            // A spool that has stopped ends the process by itself; anything else is tried again in an hour.
            services.log.error("housekeeping", metadata: ["error": "\(error)"])
        }
    }

    private func sweep(_ mailbox: MailboxID) async throws(SpoolError) {
        let entries = try await spool.entries(in: mailbox)
        guard store.directory.accounts.values.contains(where: { $0.mailbox == mailbox.rawValue }) else {
            // A member who was removed while mail was on its way to them.
            if !entries.isEmpty { _ = try await spool.commit(SpoolTransaction(erasures: entries.map(\.uid))) }
            return book.forget(mailbox)
        }
        let today = services.time.wall.day
        let expired = entries.filter { Self.hasExpired(acceptedOn: $0.day, today: today, keep: keepUndelivered) }
        // A session that lists these messages now may still fetch them; the next round finds them again otherwise.
        guard !expired.isEmpty, book.lease(mailbox) else { return }
        defer { book.release(mailbox) }
        _ = try await spool.commit(SpoolTransaction(erasures: expired.map(\.uid)))
        book.erased(mailbox, count: expired.count, bytes: expired.reduce(0) { $0 + $1.size + $1.payloadSize })
        expiredCount += expired.count
        services.bus.publish(.maildropErased(count: expired.count))
        services.log.notice("undelivered mail expired", metadata: ["count": "\(expired.count)"])
    }

    /// Never early: a message counts as accepted at the end of its day.
    nonisolated static func hasExpired(acceptedOn day: Int, today: Int, keep: Duration) -> Bool {
        Duration.seconds((today - day - 1) * 86400) >= keep
    }
}
