// The program's two clocks. Deadlines use the monotonic one, which is also the clock of libuv's timers.

// `timespec` comes from whichever C module the compiler has met first.
import CUV
package import DDSCore
import Glibc

/// The clocks of the operating system.
package struct SystemTime: TimeSource {
    package init() {}

    package var now: Instant {
        let time = Self.read(CLOCK_MONOTONIC)
        return Instant(nanoseconds: UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec))
    }

    package var wall: WallTime {
        let time = Self.read(CLOCK_REALTIME)
        return WallTime(milliseconds: Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000)
    }

    private static func read(_ clock: clockid_t) -> timespec {
        var time = timespec()
        let status = unsafe clock_gettime(clock, &time)
        precondition(status == 0, "both clocks exist on every Linux")
        return time
    }
}
