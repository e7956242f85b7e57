// When a spool's root key is due to change.

import DDSCore
import DDSSpool
import Testing

@testable import DDSServer

@Suite struct RootKeeperTests {
    private static let made = WallTime(milliseconds: 1_800_000_000_000)

    private func statistics(erased: Int64?, remaining: Int = 0) -> SpoolStatistics {
        var statistics = SpoolStatistics()
        statistics.rootMade = Self.made
        statistics.rotation = SpoolRotation(epoch: 3, remaining: remaining)
        statistics.lastErased = erased.map { WallTime(milliseconds: Self.made.milliseconds + $0) }
        return statistics
    }

    private func isDue(_ statistics: SpoolStatistics, after milliseconds: Int64) -> Bool {
        RootKeeper.isDue(
            statistics, now: WallTime(milliseconds: Self.made.milliseconds + milliseconds), every: .seconds(3600))
    }

    @Test func rootOfItsAge_isDueToTheMillisecond() {
        #expect(!isDue(statistics(erased: 5), after: 3_599_999))
        #expect(isDue(statistics(erased: 5), after: 3_600_000))
        #expect(isDue(statistics(erased: 5), after: 3_600_001))
    }

    @Test func rootUnderWhichNothingWasErased_stays() {
        #expect(!isDue(statistics(erased: nil), after: 99_000_000))
        #expect(!isDue(statistics(erased: -1), after: 99_000_000))
        #expect(isDue(statistics(erased: 0), after: 99_000_000))
    }

    @Test func changeUnderWay_isNotBegunAgain() {
        #expect(!isDue(statistics(erased: 5, remaining: 1), after: 99_000_000))
    }

    @Test func rootThatNeverChanges_isNeverDue() {
        var fixed = statistics(erased: 5)
        fixed.rootMade = nil
        #expect(!isDue(fixed, after: 99_000_000))
    }
}
