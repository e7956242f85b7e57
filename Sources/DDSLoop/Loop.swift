// The executor: Swift jobs on a libuv loop. It decides in which order jobs run and when the loop may sleep; what the jobs
// do, and every handle of theirs, is elsewhere. The rules it follows are in DESIGN.md 3.5.

import CUV
package import DDSCore
import DDSLock
import Glibc
import Synchronization

/// The one event loop of the process. As a `SerialExecutor` it is where `LoopActor` runs; as a `TaskExecutor` it keeps the
/// resumptions of tasks started by `spawn` on its thread instead of a trip through the global pool.
@safe
package final class Loop: SerialExecutor, TaskExecutor {
    package static let main = Loop()

    private enum Phase {
        /// Nobody has used the loop yet.
        case unbound
        /// A thread is on its way; it looks into the inbox before it first sleeps.
        case starting
        /// `uv_async_send` wakes the loop.
        case running
        /// `run` has returned; jobs stay where they are.
        case closed
    }

    private struct Inbox {
        var phase = Phase.unbound
        var jobs: [UnownedJob] = []
    }

    /// Jobs from other threads. The wake-up is sent while the lock is held: otherwise `shutDown` could close the async
    /// handle between the decision to wake and the call.
    private let inbox = Lock(Inbox())
    /// The pthread id of the loop's thread; 0, which no thread has, until it is bound.
    private let owner = Atomic<UInt>(0)
    /// `nonisolated(unsafe)` is safe because the core is touched by the loop's thread alone (`turn`, `enqueue` after the
    /// comparison with `owner`), except for its async handle, whose `wake` libuv allows from any thread.
    nonisolated(unsafe) private let core = LoopCore()

    private init() {}

    // MARK: Executor

    package func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        if isOnLoopThread {
            unsafe core.append(job)
            return
        }
        let mustStart = inbox.withLock { inbox in
            let wasEmpty = inbox.jobs.isEmpty
            inbox.jobs.append(job)
            switch inbox.phase {
            case .unbound:
                inbox.phase = .starting
                return true
            case .starting, .closed:
                return false
            case .running:
                if wasEmpty { unsafe core.wake() }
                return false
            }
        }
        // Nothing called `run`, as in tests: the loop gets a thread of its own.
        if mustStart {
            Thread.start(name: "ddsnode-loop") { [self] in
                bind()
                unsafe core.spin()
            }
        }
    }

    package func asUnownedSerialExecutor() -> UnownedSerialExecutor { unsafe UnownedSerialExecutor(ordinary: self) }

    package func checkIsolated() {
        precondition(isOnLoopThread, "LoopActor code runs on the loop's thread only")
    }

    package func isIsolatingCurrentContext() -> Bool? { isOnLoopThread }

    /// True on the thread that runs the loop.
    package var isOnLoopThread: Bool { UInt(pthread_self()) == owner.load(ordering: .relaxed) }

    // MARK: Life

    /// Makes the calling thread the loop's, runs `root` on it and returns what `root` returns. At most once in a process, and
    /// before anything else has used the loop. Handles that `root` left open are closed.
    package static func run(_ root: @escaping @Sendable @LoopActor () async -> Int32) -> Int32 {
        main.inbox.withLock { inbox in
            precondition(inbox.phase == .unbound, "the loop runs already")
            inbox.phase = .starting
        }
        main.bind()
        let status = ExitStatus()
        _ = spawn(name: "root") {
            let value = await root()
            status.value.withLock { $0 = value }
            main.stop()
        }
        unsafe main.core.spin()
        main.shutDown()
        return status.value.withLock { $0 }
    }

    private final class ExitStatus: Sendable {
        let value = Lock<Int32>(0)
    }

    @LoopActor private func stop() {
        unsafe core.stop()
    }

    private func bind() {
        // A peer that goes away is an error code of write(2), never a signal.
        _ = signal(SIGPIPE, SIG_IGN)
        owner.store(UInt(pthread_self()), ordering: .relaxed)
        LoopActor.assumeIsolated { unsafe self.core.open() }
        inbox.withLock { $0.phase = .running }
    }

    private func shutDown() {
        LoopActor.assumeIsolated { unsafe self.core.closeHandles() }
        inbox.withLock { $0.phase = .closed }
        unsafe core.close()
    }

    /// What other threads have sent, emptied.
    func takeInbox() -> [UnownedJob] {
        inbox.withLock { inbox in
            guard !inbox.jobs.isEmpty else { return [] }
            let jobs = inbox.jobs
            inbox.jobs = []
            return jobs
        }
    }

    @LoopActor func beforePoll() {
        unsafe core.turn()
        unsafe core.armIdle()
        unsafe core.measure()
    }

    @LoopActor func afterPoll() {
        unsafe core.turn()
    }

    @LoopActor var uvLoop: UnsafeMutablePointer<uv_loop_t> { unsafe core.loop }

    /// How long the turns of the loop took, not counting the wait for events but with what the system gave to others meanwhile.
    @LoopActor package static var lag: LagHistogram {
        get { unsafe main.core.lag.histogram }
        set { unsafe main.core.lag.histogram = newValue }
    }

    /// The processor time of the same turns: what of `lag` is the program's own.
    @LoopActor package static var cpu: LagHistogram { unsafe main.core.cpu }

    /// What the budget of a turn is measured with; tests take one that they put forward.
    @LoopActor package static var budgetTime: any TimeSource {
        get { unsafe main.core.budgetTime }
        set { unsafe main.core.budgetTime = newValue }
    }

    /// Whether this turn has time for one more piece of `work`.
    @LoopActor static func allows(_ work: TurnBudget.Work) -> Bool { unsafe main.core.allows(work) }

    /// Whether this turn has lasted so long that a job should go on in another.
    @LoopActor static var isTurnSpent: Bool { unsafe main.core.isTurnSpent }
}
