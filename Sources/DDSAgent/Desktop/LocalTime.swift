// The time of day where the person is, for hours of quiet and for what an icon says.

import DDSCore
import Glibc

enum LocalTime {
    /// The minute of the local day, 0 to 1439.
    static func minute(_ time: WallTime) -> Int {
        var seconds = time_t(time.seconds)
        // Its zone points into the C library's own memory and is not looked at.
        var parts = unsafe tm()
        unsafe localtime_r(&seconds, &parts)
        return unsafe Int(parts.tm_hour) * 60 + Int(parts.tm_min)
    }

    /// `09:05`.
    static func clock(_ time: WallTime) -> String {
        let minute = minute(time)
        func two(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
        return "\(two(minute / 60)):\(two(minute % 60))"
    }
}
