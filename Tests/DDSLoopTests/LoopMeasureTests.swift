// The loop's measure of lag, in virtual time; and that the loop keeps to its turn's budget.

import DDSCore
import Foundation
import Testing

@testable import DDSLoop

@Suite struct LagMeterTests {
    @Test func busyTime_isTheIterationWithoutItsSleep() {
        var meter = LagMeter(now: 1_000, idle: 500)
        meter.iterationEnded(now: 11_000, idle: 8_500)
        #expect(meter.histogram.max == .nanoseconds(2_000))
        // Only what has passed since the last end counts, of both clocks.
        meter.iterationEnded(now: 12_000, idle: 8_500)
        #expect((Duration.nanoseconds(1_000)..<(.nanoseconds(1_250))).contains(meter.histogram.quantile(0)))
        #expect(meter.histogram.max == .nanoseconds(2_000))
        #expect(meter.histogram.count == 2)
    }

    @Test func aSleepThatSeemsLongerThanItsIteration_countsAsNothing() {
        var meter = LagMeter(now: 0)
        meter.iterationEnded(now: 1_000, idle: 1_001)
        #expect(meter.histogram.count == 1)
        #expect(meter.histogram.max == .zero)
    }
}

@Suite(.timeLimit(.minutes(5))) struct TurnTests {
    /// Jobs that each use up the budget: timers come between them, however slow the machine is.
    @Test @LoopActor func longJobs_letTimersInBetween() async {
        let log = Log()
        let timer = LoopTimer { log.entries.append("timer") }
        // One job queues the others, so that all are there when the turn's budget begins.
        let last = Loop.spawn {
            timer.schedule(at: Loop.time.now)
            var tasks: [Task<Void, Never>] = []
            for number in 0..<8 {
                tasks.append(
                    Loop.spawn {
                        let start = Loop.time.now
                        while Loop.time.now - start < TurnBudget.Work.jobs.limit {}
                        log.entries.append("\(number)")
                    })
            }
            for task in tasks { await task.value }
        }
        await last.value
        timer.close()
        // A turn is before the poll and one behind it, so that at most two jobs come before the timer.
        let position = log.entries.firstIndex(of: "timer")
        #expect(position.map { $0 <= 3 } == true, "\(log.entries)")
        #expect(log.entries.filter { $0 != "timer" } == (0..<8).map(String.init))
    }

    @LoopActor private final class Log {
        var entries: [String] = []
    }
}
