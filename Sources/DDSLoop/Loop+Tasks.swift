// Ways onto the loop: the only places that create tasks, sleep, or hand work to the thread pool.

import CUV
package import DDSCore
import DDSLock

extension Loop {
    /// How many pieces of work it pays to offload at once: the cores, but no more than libuv's pool has threads.
    package static var workerCount: Int { min(4, Int(uv_available_parallelism())) }

    /// The program's clocks.
    package static let time: any TimeSource = SystemTime()

    /// Starts a task on the loop. Its executor preference keeps every resumption on the loop's thread, which a bare `Task`
    /// would not inherit.
    @discardableResult
    package static func spawn(
        name: String = "", _ operation: @escaping @LoopActor @Sendable () async -> Void
    ) -> Task<Void, Never> {
        Task(name: name.isEmpty ? nil : name, executorPreference: main, operation: operation)
    }

    /// Waits without blocking the loop, on libuv's timer. Throws `CancellationError` as soon as the task is cancelled.
    @LoopActor
    package static func sleep(for duration: Duration) async throws {
        try Task.checkCancellation()
        let sleeper = Sleeper()
        await withTaskCancellationHandler {
            await withCheckedContinuation { sleeper.start(until: time.now + max(.zero, duration), $0) }
        } onCancel: {
            // Comes on the thread of whoever cancels.
            _ = spawn { sleeper.wake() }
        }
        try Task.checkCancellation()
    }

    /// Calls `body` with each of `items`, in as many turns as that takes: for whatever concerns everybody at once.
    @LoopActor
    package static func inTurns<Items: Sequence>(_ items: Items, _ body: (Items.Element) -> Void) async {
        for item in items {
            body(item)
            await Task.yield()
        }
    }

    /// Goes on in another turn when this one has lasted long enough: to be called by loops over as many things as there happen
    /// to be, in each round.
    @LoopActor
    package static func giveWay() async {
        if isTurnSpent { await Task.yield() }
    }

    /// Runs `work` on libuv's thread pool and waits for what it returns or throws: for whatever computes longer than the
    /// others on the loop should wait. Cancelling the task does not stop work that has begun.
    @LoopActor
    package static func offload<Value: Sendable, Problem: Error>(
        _ work: @escaping @Sendable () throws(Problem) -> Value
    ) async throws(Problem) -> Value {
        try await withCheckedContinuation { (continuation: CheckedContinuation<Result<Value, Problem>, Never>) in
            PoolJob.submit {
                let result = Result { () throws(Problem) in try work() }
                return { continuation.resume(returning: result) }
            }
        }.get()
    }

    /// Lets go of `value` on the pool: for what has so many parts that freeing them would keep the others waiting. It does what
    /// it says when the caller hands over the last reference.
    @LoopActor
    package static func discard<Value: Sendable>(_ value: consuming Value) {
        let last = Lock<Value?>(value)
        PoolJob.submit {
            last.withLock { $0 = nil }
            return {}
        }
    }

    /// The same as `offload` when the work `isLong`, and otherwise here and now: the pool may be busy with passwords.
    @LoopActor
    package static func offload<Value: Sendable, Problem: Error>(
        when isLong: Bool, _ work: @escaping @Sendable () throws(Problem) -> Value
    ) async throws(Problem) -> Value {
        isLong ? try await offload(work) : try work()
    }
}

/// One sleeping task.
@LoopActor
private final class Sleeper {
    private enum State {
        case new
        case sleeping(LoopTimer, CheckedContinuation<Void, Never>)
        case awake
    }

    private var state = State.new

    nonisolated init() {}

    func start(until instant: Instant, _ continuation: CheckedContinuation<Void, Never>) {
        // The cancellation handler may have run before.
        if case .awake = state {
            continuation.resume()
            return
        }
        let timer = LoopTimer { [self] in wake() }
        timer.schedule(at: instant)
        state = .sleeping(timer, continuation)
    }

    func wake() {
        let before = state
        state = .awake
        guard case .sleeping(let timer, let continuation) = before else { return }
        timer.close()
        continuation.resume()
    }
}

/// One piece of work for libuv's pool, with its C request.
@safe
private final class PoolJob: Sendable {
    /// Runs on the pool and returns what is left to do on the loop.
    private let work: @Sendable () -> @Sendable () -> Void
    private let completion = Lock<(@Sendable () -> Void)?>(nil)

    private init(_ work: @escaping @Sendable () -> @Sendable () -> Void) {
        self.work = work
    }

    @LoopActor
    static func submit(_ work: @escaping @Sendable () -> @Sendable () -> Void) {
        let request = UnsafeMutablePointer<uv_work_t>.allocate(capacity: 1)
        unsafe request.pointee.data = Unmanaged.passRetained(PoolJob(work)).toOpaque()
        let status = unsafe uv_queue_work(Loop.main.uvLoop, request, runOnPool) { request, _ in
            guard let request = unsafe request, let data = unsafe request.pointee.data else { return }
            let job = unsafe Unmanaged<PoolJob>.fromOpaque(data).takeRetainedValue()
            unsafe request.deallocate()
            job.completion.withLock { $0 }?()
        }
        precondition(status == 0, "uv_queue_work fails only without a work function")
    }

    func run() {
        let rest = work()
        completion.withLock { $0 = rest }
    }
}

/// At file scope and not isolated: a closure inside a `LoopActor` method would be taken for loop code and trap on the pool.
private nonisolated func runOnPool(_ request: UnsafeMutablePointer<uv_work_t>?) {
    guard let data = unsafe request?.pointee.data else { return }
    unsafe Unmanaged<PoolJob>.fromOpaque(data).takeUnretainedValue().run()
}
