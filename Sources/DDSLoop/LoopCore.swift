// The loop-thread half of the executor: the ring of jobs, the libuv handles that drain it, and the measurement of its turns.

import CUV
import DDSCore
import Glibc

/// State of `Loop` that only the loop's thread touches.
@safe
final class LoopCore {
    /// So many jobs run before I/O gets its turn again, if the turn's budget does not end them sooner.
    private static let jobBudget = 256

    let loop = UnsafeMutablePointer<uv_loop_t>.allocate(capacity: 1)
    private let async = UnsafeMutablePointer<uv_async_t>.allocate(capacity: 1)
    private let prepare = UnsafeMutablePointer<uv_prepare_t>.allocate(capacity: 1)
    private let check = UnsafeMutablePointer<uv_check_t>.allocate(capacity: 1)
    private let idle = UnsafeMutablePointer<uv_idle_t>.allocate(capacity: 1)

    private var jobs: [UnownedJob] = []
    private var isIdleArmed = false
    private var processorTime: UInt64 = 0
    private var budget = TurnBudget()
    /// What the budget is measured with.
    var budgetTime: any TimeSource = Loop.time
    var lag = LagMeter(now: 0)
    var cpu = LagHistogram()

    func append(_ job: UnownedJob) {
        jobs.append(job)
    }

    /// From any thread, between `open` and `closeHandles`.
    func wake() {
        unsafe uv_async_send(async)
    }

    @LoopActor
    func open() {
        var status = unsafe uv_loop_init(loop)
        status |= unsafe dds_uv_measure_idle_time(loop)
        // The check hook follows in the same iteration and drains what woke us.
        status |= unsafe uv_async_init(loop, async) { _ in }
        status |= unsafe uv_prepare_init(loop, prepare)
        status |= unsafe uv_check_init(loop, check)
        status |= unsafe uv_idle_init(loop, idle)
        status |= unsafe uv_prepare_start(prepare) { _ in Loop.main.beforePoll() }
        status |= unsafe uv_check_start(check) { _ in Loop.main.afterPoll() }
        // libuv leaves `data` as it was; for `closeHandles` nil tells our own handles from the wrappers'.
        unsafe async.pointee.data = nil
        unsafe prepare.pointee.data = nil
        unsafe check.pointee.data = nil
        unsafe idle.pointee.data = nil
        precondition(status == 0, "a fresh process can open an event loop")
        lag = LagMeter(now: uv_hrtime())
        processorTime = Self.threadProcessorTime()
    }

    /// Runs until `stop`.
    func spin() {
        unsafe uv_run(loop, UV_RUN_DEFAULT)
    }

    func stop() {
        unsafe uv_stop(loop)
    }

    /// Runs queued jobs and sends what they wrote; jobs that arise meanwhile count against the same budget.
    @LoopActor
    func turn() {
        jobs.append(contentsOf: Loop.main.takeInbox())
        let loop = Loop.main
        var next = 0
        while next < jobs.count, next < Self.jobBudget, allows(.jobs) {
            let job = jobs[next]
            next += 1
            unsafe job.runSynchronously(
                isolatedTo: loop.asUnownedSerialExecutor(), taskExecutor: loop.asUnownedTaskExecutor())
        }
        jobs.removeFirst(next)
        ByteStream.flushAll()
    }

    /// Whether the turn has time for one more piece of `work`.
    func allows(_ work: TurnBudget.Work) -> Bool { budget.allows(work, now: budgetTime.now) }

    var isTurnSpent: Bool { budget.isSpent(now: budgetTime.now) }

    /// With jobs, unsent bytes or resting streams left, an idle handle keeps the poll from sleeping.
    @LoopActor
    func armIdle() {
        let isNeeded = !jobs.isEmpty || ByteStream.hasWorkLeft
        guard isNeeded != isIdleArmed else { return }
        isIdleArmed = isNeeded
        if isNeeded {
            unsafe uv_idle_start(idle) { _ in }
        } else {
            unsafe uv_idle_stop(idle)
        }
    }

    /// A turn ends where the next poll begins; libuv tells how much of it was sleep.
    func measure() {
        lag.iterationEnded(now: uv_hrtime(), idle: unsafe uv_metrics_idle_time(loop))
        let processorNow = Self.threadProcessorTime()
        cpu.record(.nanoseconds(Int64(bitPattern: processorNow &- processorTime)))
        processorTime = processorNow
        budget.begin()
    }

    /// Nanoseconds for which the calling thread has had a processor.
    private static func threadProcessorTime() -> UInt64 {
        var time = timespec()
        unsafe clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }

    /// Closes every handle: the program's by their wrappers, then our own, and lets the close callbacks run.
    @LoopActor
    func closeHandles() {
        unsafe uv_walk(
            loop,
            { handle, _ in
                guard let handle = unsafe handle, let data = unsafe handle.pointee.data else { return }
                unsafe Unmanaged<LoopHandle>.fromOpaque(data).takeUnretainedValue().close()
            }, nil)
        for _ in 0..<16 {
            unsafe uv_run(loop, UV_RUN_NOWAIT)
        }
    }

    /// Ends the loop. When the pool still works on something the memory is left to the end of the process.
    func close() {
        unsafe uv_close(UnsafeMutableRawPointer(async).assumingMemoryBound(to: uv_handle_t.self), nil)
        unsafe uv_close(UnsafeMutableRawPointer(prepare).assumingMemoryBound(to: uv_handle_t.self), nil)
        unsafe uv_close(UnsafeMutableRawPointer(check).assumingMemoryBound(to: uv_handle_t.self), nil)
        unsafe uv_close(UnsafeMutableRawPointer(idle).assumingMemoryBound(to: uv_handle_t.self), nil)
        unsafe uv_run(loop, UV_RUN_NOWAIT)
        _ = unsafe uv_loop_close(loop)
    }
}
