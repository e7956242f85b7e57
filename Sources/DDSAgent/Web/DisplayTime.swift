// Times as people read them: short on the row, whole in the title. The zone is handed in as an offset.

package import DDSCore

package struct DisplayTime: Hashable, Sendable {
    /// `11:52`, `Yesterday`, `Mon 09:14`, `3 May`, `3 May 2025`.
    package var short: String
    /// `Mon, 3 May 2027, 11:52`.
    package var full: String
    /// For the `datetime` attribute.
    package var machine: String

    private static let weekdays = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
    private static let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

    /// `offset` gives the seconds that local time is ahead of UTC at a moment.
    package init(_ time: WallTime, now: WallTime, offset: (WallTime) -> Int) {
        let there = CivilTime(secondsSinceEpoch: time.seconds + Int64(offset(time)))
        let here = CivilTime(secondsSinceEpoch: now.seconds + Int64(offset(now)))
        let clock = "\(Self.two(there.hour)):\(Self.two(there.minute))"
        let date = "\(there.day) \(Self.months[there.month - 1])"
        let days = Self.day(now, offset) - Self.day(time, offset)
        switch days {
        case 0: short = clock
        case 1: short = "Yesterday"
        // What ends after midnight is shown with the day, and still with the hour.
        case -1, 2..<7: short = "\(Self.weekdays[there.weekday]) \(clock)"
        default: short = there.year == here.year ? date : "\(date) \(there.year)"
        }
        full = "\(Self.weekdays[there.weekday]), \(date) \(there.year), \(clock)"
        machine = CivilTime(secondsSinceEpoch: time.seconds).rfc3339
    }

    private static func day(_ time: WallTime, _ offset: (WallTime) -> Int) -> Int {
        WallTime(milliseconds: time.milliseconds + Int64(offset(time)) * 1000).day
    }

    private static func two(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
}
