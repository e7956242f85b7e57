// How much of an iteration of the loop counts as busy, as a value that is told the time.

import DDSCore

/// How long each iteration of the loop kept others waiting: its length without the wait for events.
struct LagMeter {
    var histogram = LagHistogram()
    private var start: UInt64
    private var idle: UInt64

    /// Measures from `now` on; `idle` is the time the loop has slept so far, both in nanoseconds.
    init(now: UInt64, idle: UInt64 = 0) {
        start = now
        self.idle = idle
    }

    /// An iteration ends, and the next begins.
    mutating func iterationEnded(now: UInt64, idle: UInt64) {
        let busy = (now &- start) &- (idle &- self.idle)
        start = now
        self.idle = idle
        // Two clocks are read one behind the other: the sleep may seem longer than the iteration.
        histogram.record(.nanoseconds(max(0, Int64(bitPattern: busy))))
    }
}
