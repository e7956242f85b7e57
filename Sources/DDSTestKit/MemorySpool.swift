// A spool without a disk, for tests of whoever uses one: keeps the promises of `SpoolEngine`, and can be told to fail, or to
// let commits wait until the test has looked around.

package import DDSCore
import DDSLock
package import DDSSpool

package final class MemorySpool: SpoolEngine {
    private struct State {
        var entries: [SpoolUID: SpoolEntry] = [:]
        var bodies: [SpoolUID: [UInt8]] = [:]
        var lastUID: UInt64 = 0
        var failures: [SpoolError?] = []
        var isHolding = false
        var held: [CheckedContinuation<Void, Never>] = []
        var whenHeld: [CheckedContinuation<Void, Never>] = []
        var commits = 0
        var statistics = SpoolStatistics()
        var head: SpoolHead
    }

    private let time: any TimeSource
    private let state: Lock<State>

    /// Empty. Days of acceptance are those of `time`.
    package init(time: any TimeSource, uuid: [UInt8] = Array(1...16)) {
        self.time = time
        state = Lock(State(head: SpoolHead(uuid: uuid, counter: 0)))
    }

    // MARK: What tests do

    /// The next commits fail, in order, and keep nothing; nil is one that succeeds.
    package func failNext(_ errors: SpoolError?...) { state.withLock { $0.failures += errors } }

    /// From now on commits wait; `release` lets them go on.
    package func hold() { state.withLock { $0.isHolding = true } }

    package func release() {
        let held = state.withLock { state in
            state.isHolding = false
            defer { state.held = [] }
            return state.held
        }
        for continuation in held { continuation.resume() }
    }

    /// Returns when a commit waits.
    package func waitUntilHeld() async {
        await withCheckedContinuation { continuation in
            let isHeld = state.withLock { state in
                if state.held.isEmpty { state.whenHeld.append(continuation) }
                return !state.held.isEmpty
            }
            if isHeld { continuation.resume() }
        }
    }

    /// Commits that were made so far.
    package var commitCount: Int { state.withLock { $0.commits } }
    /// All records, payloads included.
    package var recordCount: Int { state.withLock { $0.entries.count } }
    package var payloadCount: Int { state.withLock { state in state.entries.values.count { $0.mailbox == Self.nowhere } } }

    /// Makes the spool show this head from now on, as if its files had been put back or replaced.
    package func setHead(_ head: SpoolHead) { state.withLock { $0.head = head } }

    /// Spoils a record's body.
    package func damage(_ uid: SpoolUID) { state.withLock { $0.bodies[uid] = nil } }

    // MARK: SpoolEngine

    /// Payloads are in no mailbox.
    private static let nowhere = MailboxID(rawValue: .max)

    package func commit(_ transaction: SpoolTransaction) async throws(SpoolError) -> [SpoolUID] {
        await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
            let resumed = state.withLock { state in
                guard state.isHolding else { return [continuation] }
                state.held.append(continuation)
                defer { state.whenHeld = [] }
                return state.whenHeld
            }
            for waiter in resumed { waiter.resume() }
        }
        let day = time.wall.day
        let result: Result<[SpoolUID], SpoolError> = state.withLock { state in
            if !state.failures.isEmpty, let failure = state.failures.removeFirst() { return .failure(failure) }
            state.commits += 1
            state.head.counter += 1
            return .success(Self.apply(transaction, day: day, &state))
        }
        return try result.get()
    }

    private static func apply(_ transaction: SpoolTransaction, day: Int, _ state: inout State) -> [SpoolUID] {
        var made: [SpoolUID] = []
        for append in transaction.appends {
            state.lastUID += 1
            let uid = SpoolUID(rawValue: state.lastUID)
            switch append {
            case .record(let mailbox, let tag, let flags, let body):
                state.entries[uid] = SpoolEntry(
                    uid: uid, mailbox: mailbox, tag: tag, flags: flags, day: day, size: body.count, payload: nil, payloadSize: 0)
                state.bodies[uid] = body
            case .payload(let tag, let body):
                state.entries[uid] = SpoolEntry(
                    uid: uid, mailbox: nowhere, tag: tag, flags: 0, day: day, size: body.count, payload: nil, payloadSize: 0)
                state.bodies[uid] = body
            case .delivery(let mailbox, let tag, let flags, let header, let payload):
                let body = made[payload]
                precondition(state.entries[body]?.mailbox == nowhere, "a delivery names a payload of its transaction")
                state.entries[uid] = SpoolEntry(
                    uid: uid, mailbox: mailbox, tag: tag, flags: flags, day: day, size: header.count, payload: body,
                    payloadSize: state.bodies[body]?.count ?? 0)
                state.bodies[uid] = header
            }
            made.append(uid)
        }
        for uid in transaction.erasures {
            state.entries[uid] = nil
            state.bodies[uid] = nil
        }
        let named = Set(state.entries.values.compactMap(\.payload))
        for entry in state.entries.values where entry.mailbox == nowhere && !named.contains(entry.uid) {
            state.entries[entry.uid] = nil
            state.bodies[entry.uid] = nil
        }
        return made
    }

    package func entries(in mailbox: MailboxID) async throws(SpoolError) -> [SpoolEntry] {
        state.withLock { state in state.entries.values.filter { $0.mailbox == mailbox }.sorted { $0.uid < $1.uid } }
    }

    package func mailboxes() async throws(SpoolError) -> [MailboxID: (count: Int, bytes: Int)] {
        state.withLock { state in
            var sums: [MailboxID: (count: Int, bytes: Int)] = [:]
            for entry in state.entries.values where entry.mailbox != Self.nowhere {
                sums[entry.mailbox, default: (0, 0)].count += 1
                sums[entry.mailbox, default: (0, 0)].bytes += entry.size + entry.payloadSize
            }
            return sums
        }
    }

    package func read(_ uid: SpoolUID, offset: Int, count: Int) async throws(SpoolError) -> [UInt8] {
        let (isKnown, body) = state.withLock { ($0.entries[uid] != nil, $0.bodies[uid]) }
        guard isKnown else { throw .noSuchRecord(uid) }
        guard let body else { throw .damaged(uid, "spoiled by the test") }
        return Array(body.dropFirst(offset).prefix(count))
    }

    package func statistics() async throws(SpoolError) -> SpoolStatistics {
        state.withLock { state in
            var statistics = state.statistics
            statistics.head = state.head
            statistics.nextUID = SpoolUID(rawValue: state.lastUID + 1)
            return statistics
        }
    }

    package func head() async throws(SpoolError) -> SpoolHead { state.withLock { $0.head } }

    package func close() async {}
}
