// Work that comes round again: one run after the other, each a pause after the last has ended.

package import DDSCore

/// Runs its work when it is started and ever again, until it is stopped. What runs then is finished.
@LoopActor package final class Recurring {
    private let name: String
    private let pause: Duration
    private let time: any TimeSource
    private let work: @LoopActor () async -> Void
    private var timer: LoopTimer?

    /// `name` is for those who look at tasks.
    package init(_ name: String, every pause: Duration, time: any TimeSource, _ work: @escaping @LoopActor () async -> Void) {
        self.name = name
        self.pause = pause
        self.time = time
        self.work = work
    }

    /// Begins with a run at once.
    package func start() {
        timer = LoopTimer { [weak self] in self?.run() }
        run()
    }

    package func stop() {
        timer?.close()
        timer = nil
    }

    private func run() {
        Loop.spawn(name: name) { [self] in
            await work()
            timer?.schedule(at: time.now + pause)
        }
    }
}
