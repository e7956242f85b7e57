// What the node knows of its maildrops besides the spool: how full they are, who has one open, who waits for mail.

import DDSCore
import DDSLoop
import DDSSpool

@LoopActor final class MaildropBook {
    struct Usage: Hashable, Sendable {
        var count = 0
        var bytes = 0
        /// Of these bytes, what the node itself wrote since it runs: outside the quota.
        var controlBytes = 0
    }

    /// Bytes a maildrop may hold before more is refused or held.
    var quota = Int.max
    private(set) var usage: [MailboxID: Usage]
    /// Day of acceptance of the oldest delivery, where it is known.
    private(set) var oldestDay: [MailboxID: Int] = [:]
    private var leased: Set<MailboxID> = []
    private var waiters: [MailboxID: [UInt64: CheckedContinuation<Void, Never>]] = [:]
    private var nextWaiter: UInt64 = 0
    private var arrivalCount: UInt64 = 0
    private var lastArrival: [MailboxID: UInt64] = [:]

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

    /// True when what waits there has reached the quota.
    func isFull(_ mailbox: MailboxID) -> Bool {
        guard let usage = usage[mailbox] else { return false }
        return usage.bytes - usage.controlBytes >= quota
    }

    /// Counts a stored delivery and wakes who waits for it.
    func stored(_ mailbox: MailboxID, bytes: Int, isControl: Bool = false) {
        usage[mailbox, default: Usage()].count += 1
        usage[mailbox, default: Usage()].bytes += bytes
        if isControl { usage[mailbox, default: Usage()].controlBytes += bytes }
        arrivalCount += 1
        lastArrival[mailbox] = arrivalCount
        for waiter in waiters.removeValue(forKey: mailbox)?.values.map({ $0 }) ?? [] { waiter.resume() }
    }

    func erased(_ mailbox: MailboxID, count: Int, bytes: Int, controlBytes: Int = 0) {
        guard var current = usage[mailbox] else { return }
        current.count -= count
        current.bytes -= bytes
        oldestDay[mailbox] = nil
        // Control mail from before the start was counted like any other.
        current.controlBytes = max(0, current.controlBytes - controlBytes)
        usage[mailbox] = current.count > 0 ? current : nil
    }

    func noteOldest(_ day: Int, in mailbox: MailboxID) { oldestDay[mailbox] = day }

    /// The maildrop's owner is gone: nothing is counted any more, and who waits is told.
    func forget(_ mailbox: MailboxID) {
        usage[mailbox] = nil
        oldestDay[mailbox] = nil
        lastArrival[mailbox] = nil
        for waiter in waiters.removeValue(forKey: mailbox)?.values.map({ $0 }) ?? [] { waiter.resume() }
    }

    /// The last arrival in `mailbox`; whoever lists it asks before.
    func arrival(_ mailbox: MailboxID) -> UInt64 { lastArrival[mailbox] ?? 0 }

    /// Returns when mail has arrived for `mailbox` since `seen`, or when `MaildropWait.stop` is called.
    func wait(_ mailbox: MailboxID, since seen: UInt64, _ wait: MaildropWait) async {
        nextWaiter += 1
        let id = nextWaiter
        wait.stopAction = { [unowned self] in waiters[mailbox]?.removeValue(forKey: id)?.resume() }
        await withCheckedContinuation { continuation in
            // Asked inside, because any await may let others in between.
            if wait.isStopped || arrival(mailbox) != seen { return continuation.resume() }
            waiters[mailbox, default: [:]][id] = continuation
        }
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
