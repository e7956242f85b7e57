// The loop's measure of lag, in virtual time.

import DDSCore
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
