// A thread that owns one piece of state which must stay off the loop, such as the spool's disk. What arrives while it works
// waits and is handed over as one batch; that is all there is to group commit here.

import DDSCore
import DDSLock

/// A dedicated thread with a state of its own. Jobs are performed in the order of `submit`.
package final class WriterThread<State, Job: Sendable>: Sendable {
    /// After a batch of so many its thread waits a little for as many to come again.
    package static var gatheredMin: Int { 8 }

    private let queue: JobQueue<Job>

    private init(_ queue: JobQueue<Job>) {
        self.queue = queue
    }

    deinit {
        queue.stop(nil)
    }

    /// Starts the thread and returns once `makeState` has run on it; throws what `makeState` throws.
    ///
    /// `perform` is handed everything that is queued, never an empty list. Whenever the queue is empty `idle` is called and
    /// answers after how long it wants to be called again if nothing comes; nil is only after the next jobs.
    ///
    /// Behind a batch of `gatheredMin` jobs or more the next one waits until as many have come, for `gathering` at most: those
    /// who were answered together mostly ask again together, and one sync then serves all. The standard is a part of what a
    /// sync takes. A batch that took five times as long was paid for its bytes and not for its sync; nobody waits behind it.
    package static func start(
        name: String,
        gathering: Duration = .microseconds(150),
        makeState: @escaping @Sendable () throws -> State,
        perform: @escaping @Sendable (inout State, [Job]) -> Void,
        idle: @escaping @Sendable (inout State) -> Duration? = { _ in nil }
    ) async throws -> WriterThread {
        let queue = JobQueue<Job>()
        try await withCheckedThrowingContinuation { (started: CheckedContinuation<Void, any Error>) in
            Thread.start(name: name) {
                do {
                    var state = try makeState()
                    started.resume()
                    while true {
                        let jobs = queue.take(waitingAtMost: .zero) ?? []
                        if jobs.isEmpty {
                            let pause = idle(&state)
                            guard let late = queue.take(waitingAtMost: pause) else { break }
                            if !late.isEmpty { perform(&state, late) }
                        } else {
                            let start = Loop.time.now
                            perform(&state, jobs)
                            if jobs.count >= Self.gatheredMin, Loop.time.now - start < gathering * 5 {
                                queue.gather(jobs.count, waitingAtMost: gathering)
                            }
                        }
                    }
                } catch {
                    queue.stop(nil)
                    started.resume(throwing: error)
                }
                // The state is gone when those who wait for the end are told.
                queue.finish()
            }
        }
        return WriterThread(queue)
    }

    /// Queues a job, from any thread. False after `stop`: the job is not performed.
    @discardableResult
    package func submit(_ job: Job) -> Bool {
        queue.append(job)
    }

    /// Performs what is queued, drops the state on its thread and ends it. Further calls wait for the same end.
    package func stop() async {
        await withCheckedContinuation { queue.stop($0) }
    }
}

/// The hand-over between any thread and the writer.
private final class JobQueue<Job: Sendable>: Sendable {
    private struct State {
        var jobs: [Job] = []
        /// So many wake the thread.
        var wanted = 1
        var isStopping = false
        var isFinished = false
        var waiters: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Lock(State())

    func append(_ job: Job) -> Bool {
        state.withLock { queue in
            guard !queue.isStopping else { return false }
            queue.jobs.append(job)
            if queue.jobs.count == queue.wanted { state.signal() }
            return true
        }
    }

    /// Waits until `count` jobs more are there than now.
    func gather(_ count: Int, waitingAtMost pause: Duration) {
        state.withLock { $0.wanted = $0.jobs.count + count }
        state.withLock(
            waitingAtMost: pause, while: { $0.jobs.count < $0.wanted && !$0.isStopping }, then: { $0.wanted = 1 })
    }

    /// Everything queued; after the wait perhaps nothing. Nil when the thread shall end. A nil pause waits for ever.
    func take(waitingAtMost pause: Duration?) -> [Job]? {
        state.withLock(
            waitingAtMost: pause, while: { $0.jobs.isEmpty && !$0.isStopping },
            then: { queue in
                let taken = queue.jobs
                queue.jobs = []
                return taken.isEmpty && queue.isStopping ? nil : taken
            })
    }

    /// Asks the thread to end. `waiter` is resumed when it has, or now when it had.
    func stop(_ waiter: CheckedContinuation<Void, Never>?) {
        let isOver = state.withLock { queue in
            queue.isStopping = true
            state.signal()
            if let waiter, !queue.isFinished { queue.waiters.append(waiter) }
            return queue.isFinished
        }
        if isOver { waiter?.resume() }
    }

    func finish() {
        let released = state.withLock { queue in
            queue.isFinished = true
            defer { queue.waiters = [] }
            return queue.waiters
        }
        for waiter in released { waiter.resume() }
    }
}
