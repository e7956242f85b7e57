// What the node knows of its maildrops besides the spool: how full they are, who has one open, who waits for mail.

import DDSCore
import DDSLoop
import DDSSpool

@LoopActor final class MaildropBook {
    struct Usage: Hashable, Sendable {
        var count = 0
        var bytes = 0
    }

    private(set) var usage: [MailboxID: Usage]
    private var leased: Set<MailboxID> = []
    private var waiters: [MailboxID: [UInt64: CheckedContinuation<Void, Never>]] = [:]
    private var nextWaiter: UInt64 = 0

    /// Begins with what the spool counted.
    init(_ mailboxes: [MailboxID: (count: Int, bytes: Int)]) {
        usage = mailboxes.mapValues { Usage(count: $0.count, bytes: $0.bytes) }
    }

    /// Takes the maildrop for one session; false when another has it (RFC 1939 section 4).
    func lease(_ mailbox: MailboxID) -> Bool {
        leased.insert(mailbox).inserted
    }

    func release(_ mailbox: MailboxID) {
        leased.remove(mailbox)
    }

    func isLeased(_ mailbox: MailboxID) -> Bool { leased.contains(mailbox) }

    /// Counts a stored delivery and wakes who waits for it.
    func stored(_ mailbox: MailboxID, bytes: Int) {
        usage[mailbox, default: Usage()].count += 1
        usage[mailbox, default: Usage()].bytes += bytes
        for waiter in waiters.removeValue(forKey: mailbox)?.values.map({ $0 }) ?? [] { waiter.resume() }
    }

    func erased(_ mailbox: MailboxID, count: Int, bytes: Int) {
        guard var current = usage[mailbox] else { return }
        current.count -= count
        current.bytes -= bytes
        usage[mailbox] = current.count > 0 ? current : nil
    }

    /// The maildrop's owner is gone: nothing is counted any more, and who waits is told.
    func forget(_ mailbox: MailboxID) {
        usage[mailbox] = nil
        for waiter in waiters.removeValue(forKey: mailbox)?.values.map({ $0 }) ?? [] { waiter.resume() }
    }

    /// Returns when mail arrives for `mailbox`, or when `MaildropWait.stop` is called.
    func wait(_ mailbox: MailboxID, _ wait: MaildropWait) async {
        guard !wait.isStopped else { return }
        nextWaiter += 1
        let id = nextWaiter
        wait.stopAction = { [unowned self] in waiters[mailbox]?.removeValue(forKey: id)?.resume() }
        await withCheckedContinuation { waiters[mailbox, default: [:]][id] = $0 }
        wait.stopAction = nil
        if waiters[mailbox]?.isEmpty == true { waiters[mailbox] = nil }
    }
}

/// One client's wait for mail, which can be ended from outside.
@LoopActor final class MaildropWait {
    private(set) var isStopped = false
    fileprivate var stopAction: (@LoopActor () -> Void)?

    init() {}

    func stop() {
        isStopped = true
        stopAction?()
    }
}
