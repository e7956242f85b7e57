// Time as the program knows it: a monotonic instant for deadlines and a wall time for what people and formats see.
// Nothing here reads a clock; whoever needs the time is handed a `TimeSource`.

/// A point on the monotonic clock, in nanoseconds since an arbitrary start. Never compared across processes.
package struct Instant: Hashable, Comparable, Sendable {
    package var nanoseconds: UInt64

    package init(nanoseconds: UInt64) {
        self.nanoseconds = nanoseconds
    }

    package static func < (left: Instant, right: Instant) -> Bool {
        left.nanoseconds < right.nanoseconds
    }

    /// The instant `duration` later. Negative durations are our bug.
    package static func + (instant: Instant, duration: Duration) -> Instant {
        precondition(duration >= .zero, "a deadline lies in the future")
        return Instant(nanoseconds: instant.nanoseconds &+ UInt64(duration.nanoseconds))
    }

    /// How much later `left` is than `right`; zero when it is earlier.
    package static func - (left: Instant, right: Instant) -> Duration {
        left > right ? .nanoseconds(Int64(left.nanoseconds - right.nanoseconds)) : .zero
    }
}

extension Duration {
    /// The whole duration in nanoseconds; durations beyond 292 years saturate.
    package var nanoseconds: Int64 {
        let (seconds, attoseconds) = components
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        return overflow ? .max : product + attoseconds / 1_000_000_000
    }
}

/// Wall-clock time in milliseconds since 1970-01-01T00:00:00Z. Used for dates, lifetimes and display; never for protocol
/// decisions that a set-back clock could break.
package struct WallTime: Hashable, Comparable, Sendable {
    package var milliseconds: Int64

    package init(milliseconds: Int64) {
        self.milliseconds = milliseconds
    }

    /// Whole seconds since the epoch.
    package var seconds: Int64 { milliseconds.quotientFloor(1000) }

    /// Days since the epoch; day precision is all that the spool and the wrapper ever show.
    package var day: Int { Int(seconds.quotientFloor(86400)) }

    package static func < (left: WallTime, right: WallTime) -> Bool {
        left.milliseconds < right.milliseconds
    }

    package static func + (time: WallTime, duration: Duration) -> WallTime {
        WallTime(milliseconds: time.milliseconds + duration.nanoseconds / 1_000_000)
    }
}

/// A UTC calendar date and time of day (proleptic Gregorian).
package struct CivilTime: Hashable, Sendable {
    package var year: Int
    package var month: Int
    package var day: Int
    package var hour: Int
    package var minute: Int
    package var second: Int
    /// 0 is Sunday.
    package var weekday: Int

    private static let weekdays = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
    private static let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

    /// The civil time in UTC of `secondsSinceEpoch`.
    package init(secondsSinceEpoch: Int64) {
        let days = secondsSinceEpoch.quotientFloor(86400)
        let rest = Int(secondsSinceEpoch - days * 86400)
        // Days to civil date with the year starting in March, so that the leap day is the last of its year.
        let shifted = days + 719_468
        let era = shifted.quotientFloor(146_097)
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        day = Int(dayOfYear - (153 * monthFromMarch + 2) / 5 + 1)
        month = Int(monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9)
        year = Int(yearOfEra + era * 400) + (month <= 2 ? 1 : 0)
        hour = rest / 3600
        minute = rest / 60 % 60
        second = rest % 60
        weekday = Int((days + 4) - (days + 4).quotientFloor(7) * 7)
    }

    /// `Mon, 23 Nov 2026 16:46:00 +0000` (RFC 5322 3.3).
    package var rfc5322: String {
        "\(Self.weekdays[weekday]), \(day) \(Self.months[month - 1]) \(year) \(two(hour)):\(two(minute)):\(two(second)) +0000"
    }

    /// `Mon Nov 23 16:46:00 2026`, as asctime(3) writes it: the day has two columns.
    package var asctime: String {
        let column = day < 10 ? " \(day)" : "\(day)"
        return "\(Self.weekdays[weekday]) \(Self.months[month - 1]) \(column) \(two(hour)):\(two(minute)):\(two(second)) \(four(year))"
    }

    /// `Nov`.
    package var monthName: String { Self.months[month - 1] }

    /// `2026-11-23T16:46:00Z` (RFC 3339).
    package var rfc3339: String {
        "\(four(year))-\(two(month))-\(two(day))T\(two(hour)):\(two(minute)):\(two(second))Z"
    }

    private func two(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
    private func four(_ value: Int) -> String { String(repeating: "0", count: max(0, 4 - "\(value)".count)) + "\(value)" }
}

/// Where the time comes from. The loop implements it for the program, `ManualTime` for tests.
package protocol TimeSource: Sendable {
    /// The monotonic clock, for deadlines.
    var now: Instant { get }
    /// The wall clock, for dates.
    var wall: WallTime { get }
}

extension Int64 {
    fileprivate func quotientFloor(_ divisor: Int64) -> Int64 {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? quotient - 1 : quotient
    }
}
