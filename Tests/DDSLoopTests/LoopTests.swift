// Timers, sleeping, the pool, polls, signals and the lag histogram.

import DDSCore
import DDSLock
import DDSLoop
import DDSTestKit
import Foundation
import Testing

@Suite(.timeLimit(.minutes(5))) struct LoopTests {
    @Test @LoopActor func timer_firesOnceAndNeverEarly() async {
        // Many times, because a busy loop hides a timer that is early by less than a millisecond.
        for _ in 0..<30 {
            var fired: [Instant] = []
            let due = Loop.time.now + .microseconds(1500)
            let timer = LoopTimer { fired.append(Loop.time.now) }
            timer.schedule(at: due)
            while fired.isEmpty { try? await Loop.sleep(for: .milliseconds(1)) }
            try? await Loop.sleep(for: .milliseconds(1))
            #expect(fired.count == 1)
            #expect(fired.allSatisfy { $0 >= due })
            timer.close()
        }
    }

    @Test @LoopActor func movedTimer_firesAtTheNewInstantOnly() async {
        var fired: [Instant] = []
        let start = Loop.time.now
        let later = LoopTimer { fired.append(Loop.time.now) }
        later.schedule(at: start + .milliseconds(2))
        later.schedule(at: start + .milliseconds(500))
        while fired.isEmpty { try? await Loop.sleep(for: .milliseconds(5)) }
        #expect(fired.count == 1)
        #expect(fired.allSatisfy { $0 >= start + .milliseconds(500) })
        fired = []
        let sooner = LoopTimer { fired.append(Loop.time.now) }
        sooner.schedule(at: Loop.time.now + .seconds(60))
        sooner.schedule(at: Loop.time.now)
        try? await Loop.sleep(for: .milliseconds(5))
        #expect(fired.count == 1)
        later.close()
        sooner.close()
    }

    @Test @LoopActor func cancelledOrClosedTimer_doesNotFire_andCanBeSetAgain() async {
        var count = 0
        let timer = LoopTimer { count += 1 }
        timer.schedule(at: Loop.time.now + .milliseconds(1))
        timer.cancel()
        let closed = LoopTimer { count += 100 }
        closed.schedule(at: Loop.time.now)
        closed.close()
        try? await Loop.sleep(for: .milliseconds(5))
        #expect(count == 0)
        timer.schedule(at: Loop.time.now + .milliseconds(1))
        timer.cancel()
        timer.schedule(at: Loop.time.now + .milliseconds(2))
        try? await Loop.sleep(for: .milliseconds(10))
        #expect(count == 1)
        timer.close()
    }

    @Test @LoopActor func timer_mayScheduleItselfWhenItFires() async {
        let ticker = Ticker()
        await ticker.run(times: 3)
        #expect(ticker.count == 3)
    }

    @Test @LoopActor func sleep_lastsAtLeastAsLongAsAsked() async throws {
        let start = Loop.time.now
        try await Loop.sleep(for: .milliseconds(10))
        #expect(Loop.time.now - start >= .milliseconds(10))
        try await Loop.sleep(for: .zero)
        try await Loop.sleep(for: .milliseconds(-5))
    }

    @Test @LoopActor func cancelledSleep_throwsAtOnce() async {
        let start = Loop.time.now
        let sleeping = Loop.spawn {
            await #expect(throws: CancellationError.self) { try await Loop.sleep(for: .seconds(30)) }
        }
        await Task.yield()
        sleeping.cancel()
        await sleeping.value
        let cancelledBefore = Loop.spawn {
            await #expect(throws: CancellationError.self) { try await Loop.sleep(for: .seconds(30)) }
        }
        cancelledBefore.cancel()
        await cancelledBefore.value
        #expect(Loop.time.now - start < .seconds(10))
    }

    @Test @LoopActor func offload_runsElsewhereAndBringsResultsAndErrorsBack() async throws {
        let isOnLoop = await Loop.offload { Loop.main.isOnLoopThread }
        #expect(!isOnLoop)
        #expect(Loop.main.isOnLoopThread)
        await #expect(throws: Failure(.bug, "text")) { try await Loop.offload { throw Failure(.bug, "text") } }
        var squares = 0
        let tasks = (0..<50).map { number in
            Loop.spawn { squares += await Loop.offload { number * number } }
        }
        for task in tasks { await task.value }
        #expect(squares == 40425)
    }

    @Test @LoopActor func discardedValues_areFreedOnThePool() async throws {
        /// Says on which thread it goes.
        final class Mortal: Sendable {
            let gone: Lock<Bool?>
            init(_ gone: Lock<Bool?>) { self.gone = gone }
            deinit { gone.withLock { $0 = Loop.main.isOnLoopThread } }
        }
        let gone = Lock<Bool?>(nil)
        Loop.discard([Mortal(gone)])
        try await until { gone.withLock { $0 } != nil }
        #expect(gone.withLock { $0 } == false)
    }

    @Test func threadResult_isThereWhenTheWorkIsDoneAndNotBefore() {
        let mayEnd = Lock(false)
        let result = ThreadResult.start(name: "test") {
            mayEnd.withLock(waitingAtMost: nil, while: { !$0 }, then: { _ in })
            return 42
        }
        #expect(result.value == nil)
        mayEnd.withLock { $0 = true }
        mayEnd.signal()
        #expect(result.wait() == 42)
        #expect(result.value == 42)
    }

    @Test @LoopActor func poll_reportsWhatIsAskedFor() async throws {
        var ends: [Int32] = [0, 0]
        unsafe pipe(&ends)
        var seen: [PollHandle.Events] = []
        let poll = try PollHandle(fileDescriptor: ends[0], readable: false, writable: false) { seen.append($0) }
        var byte: UInt8 = 1
        unsafe write(ends[1], &byte, 1)
        try await Loop.sleep(for: .milliseconds(3))
        #expect(seen.isEmpty)
        poll.update(readable: true, writable: false)
        while seen.isEmpty { await Task.yield() }
        #expect(seen.first == .readable)
        poll.update(readable: false, writable: false)
        seen = []
        try await Loop.sleep(for: .milliseconds(3))
        #expect(seen.isEmpty)
        poll.close()
        poll.update(readable: true, writable: true)
        close(ends[0])
        close(ends[1])
    }

    @Test @LoopActor func signals_arriveOnTheLoop() async throws {
        var seen: [Int32] = []
        let source = try SignalSource([SIGUSR1, SIGUSR2]) { seen.append($0) }
        kill(getpid(), SIGUSR1)
        while seen.count < 1 { await Task.yield() }
        kill(getpid(), SIGUSR2)
        while seen.count < 2 { await Task.yield() }
        #expect(seen == [SIGUSR1, SIGUSR2])
        source.close()
        source.close()
        #expect(throws: LoopError.self) { _ = try SignalSource([SIGKILL]) { _ in } }
    }

    /// In a process of its own: other suites keep this one's loop busy.
    @Test func lag_countsBusyTimeAndNotSleep() async {
        await #expect(processExitsWith: .success) { await LagProbe.run() }
    }

    @Test func clocks_advance() {
        let first = Loop.time.now
        #expect(Loop.time.now >= first)
        #expect(Loop.time.wall.seconds > 1_700_000_000)
    }
}

@LoopActor private final class Ticker {
    var count = 0

    func run(times: Int) async {
        await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
            var timer: LoopTimer?
            timer = LoopTimer { [self] in
                count += 1
                if count == times {
                    timer?.close()
                    timer = nil
                    continuation.resume()
                } else {
                    timer?.schedule(at: Loop.time.now + .milliseconds(1))
                }
            }
            timer?.schedule(at: Loop.time.now)
        }
    }
}

@Suite struct LagHistogramTests {
    @Test func emptyHistogram_isZero() {
        let histogram = LagHistogram()
        #expect(histogram.quantile(0.5) == .zero)
        #expect(histogram.count == 0)
    }

    @Test func quantiles_areAtMostAQuarterTooLong() {
        var histogram = LagHistogram()
        for microseconds in 1...1000 { histogram.record(.microseconds(microseconds)) }
        #expect(histogram.count == 1000)
        #expect(histogram.max == .microseconds(1000))
        for (fraction, exact) in [(0.01, 10), (0.5, 500), (0.9, 900), (0.99, 990)] {
            let value = histogram.quantile(fraction)
            #expect(value >= .microseconds(exact))
            #expect(value.nanoseconds * 4 <= Int64(exact) * 1000 * 5)
        }
        #expect(histogram.quantile(1) == .microseconds(1000))
        #expect(histogram.quantile(0) >= .microseconds(1))
    }

    @Test func extremes_haveABucket() {
        var histogram = LagHistogram()
        for nanoseconds in [Int64.min, -1, 0, 1, 2, 3, 4, 5, 7, 8, .max] { histogram.record(.nanoseconds(nanoseconds)) }
        #expect(histogram.count == 11)
        #expect(histogram.max == .nanoseconds(Int64.max))
        #expect(histogram.quantile(1) == .nanoseconds(Int64.max))
        #expect(histogram.quantile(0) == .zero)
    }
}

/// What the loop's own clocks say, in the process of a test that has the loop to itself. How long anything takes is not
/// judged: where the machine is busy an attempt is repeated.
private enum LagProbe {
    @LoopActor static func run() async {
        do {
            // A sleep that counted as busy would be the longest of every attempt.
            Loop.lag.record(.milliseconds(300))
            for _ in 0..<100 where Loop.lag.max >= .milliseconds(300) {
                Loop.lag = LagHistogram()
                try await Loop.sleep(for: .milliseconds(300))
                try await iterations(2)
            }
            #expect(Loop.lag.max < .milliseconds(300))
            Loop.lag = LagHistogram()
            let start = Loop.time.now
            while Loop.time.now - start < .milliseconds(40) {}
            try await iterations(2)
            #expect(Loop.lag.max >= .milliseconds(40))
        } catch {
            Issue.record(error)
        }
    }

    @LoopActor private static func iterations(_ number: UInt64) async throws {
        let count = Loop.lag.count
        while Loop.lag.count < count + number { try await Loop.sleep(for: .milliseconds(1)) }
    }
}
