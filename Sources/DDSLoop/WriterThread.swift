// A thread that owns one piece of state which must stay off the loop, such as the spool's disk. What arrives while it works
// waits and is handed over as one batch; that is all there is to group commit here.

import CUV
import DDSCore
import Glibc

/// A dedicated thread with a state of its own. Jobs are performed in the order of `submit`.
package final class WriterThread<State, Job: Sendable>: Sendable {
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
    package static func start(
        name: String,
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
                            perform(&state, jobs)
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
@safe
private final class JobQueue<Job: Sendable>: @unchecked Sendable {
    // @unchecked is safe because every variable below is touched only between lock and unlock.
    private var jobs: [Job] = []
    private var isStopping = false
    private var isFinished = false
    private var waiters: [CheckedContinuation<Void, Never>] = []
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

    init() {
        var attributes = pthread_condattr_t()
        unsafe pthread_condattr_init(&attributes)
        unsafe pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        unsafe pthread_mutex_init(mutex, nil)
        unsafe pthread_cond_init(condition, &attributes)
        unsafe pthread_condattr_destroy(&attributes)
    }

    deinit {
        unsafe pthread_cond_destroy(condition)
        unsafe pthread_mutex_destroy(mutex)
        unsafe condition.deallocate()
        unsafe mutex.deallocate()
    }

    private func withLock<Value>(_ body: () -> Value) -> Value {
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        return body()
    }

    func append(_ job: Job) -> Bool {
        withLock {
            guard !isStopping else { return false }
            jobs.append(job)
            if jobs.count == 1 { unsafe pthread_cond_signal(condition) }
            return true
        }
    }

    /// Everything queued; after the wait perhaps nothing. Nil when the thread shall end. A nil pause waits for ever.
    func take(waitingAtMost pause: Duration?) -> [Job]? {
        withLock {
            if pause != .zero { wait(atMost: pause) }
            let taken = jobs
            jobs = []
            return taken.isEmpty && isStopping ? nil : taken
        }
    }

    private func wait(atMost pause: Duration?) {
        let deadline = pause.map { SystemTime().now + max(.zero, $0) }
        while jobs.isEmpty, !isStopping {
            guard let deadline else {
                unsafe pthread_cond_wait(condition, mutex)
                continue
            }
            var time = timespec(
                tv_sec: Int(deadline.nanoseconds / 1_000_000_000), tv_nsec: Int(deadline.nanoseconds % 1_000_000_000))
            if unsafe pthread_cond_timedwait(condition, mutex, &time) == ETIMEDOUT { return }
        }
    }

    /// Asks the thread to end. `waiter` is resumed when it has, or now when it had.
    func stop(_ waiter: CheckedContinuation<Void, Never>?) {
        let isOver = withLock {
            isStopping = true
            unsafe pthread_cond_signal(condition)
            if let waiter, !isFinished { waiters.append(waiter) }
            return isFinished
        }
        if isOver { waiter?.resume() }
    }

    func finish() {
        let released = withLock {
            isFinished = true
            defer { waiters = [] }
            return waiters
        }
        for waiter in released { waiter.resume() }
    }
}
