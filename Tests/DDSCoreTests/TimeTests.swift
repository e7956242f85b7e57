import DDSCore
import DDSTestKit
import Testing

@Suite struct TimeTests {
    @Test(arguments: [
        (0, "Thu, 1 Jan 1970 00:00:00 +0000", "1970-01-01T00:00:00Z"),
        (951_782_399, "Mon, 28 Feb 2000 23:59:59 +0000", "2000-02-28T23:59:59Z"),
        (951_782_400, "Tue, 29 Feb 2000 00:00:00 +0000", "2000-02-29T00:00:00Z"),
        (951_868_800, "Wed, 1 Mar 2000 00:00:00 +0000", "2000-03-01T00:00:00Z"),
        (1_795_452_360, "Mon, 23 Nov 2026 16:46:00 +0000", "2026-11-23T16:46:00Z"),
        (4_107_542_400, "Mon, 1 Mar 2100 00:00:00 +0000", "2100-03-01T00:00:00Z"),
        (-1, "Wed, 31 Dec 1969 23:59:59 +0000", "1969-12-31T23:59:59Z"),
    ] as [(Int64, String, String)])
    func civilTime_isWrittenAsTheRFCsWantIt(seconds: Int64, rfc5322: String, rfc3339: String) {
        let time = CivilTime(secondsSinceEpoch: seconds)
        #expect(time.rfc5322 == rfc5322)
        #expect(time.rfc3339 == rfc3339)
    }

    @Test func daysOfTheEpoch_countDownBeforeIt() {
        #expect(WallTime(milliseconds: 86_399_999).day == 0)
        #expect(WallTime(milliseconds: 86_400_000).day == 1)
        #expect(WallTime(milliseconds: -1).day == -1)
        #expect(WallTime(milliseconds: -1).seconds == -1)
    }

    @Test func instants_subtractToZeroWhenEarlier() {
        let early = Instant(nanoseconds: 5)
        let late = early + .seconds(2)
        #expect(late - early == .seconds(2))
        #expect(early - late == .zero)
        #expect(early < late)
    }

    @Test func durationBeyondNanoseconds_saturates() {
        #expect(Duration.seconds(Int64.max).nanoseconds == .max)
        #expect(Duration.milliseconds(1500).nanoseconds == 1_500_000_000)
    }

    @Test func manualTime_movesBothClocksTogether() {
        let time = ManualTime(wall: WallTime(milliseconds: 1000))
        let before = time.now
        time.advance(by: .seconds(3))
        #expect(time.now - before == .seconds(3))
        #expect(time.wall == WallTime(milliseconds: 4000))
    }
}
