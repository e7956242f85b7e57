// What the loop decides by the clock, as values that are told the time: when a turn has run enough jobs, and how much of an
// iteration counts as busy.

import DDSCore

/// How many jobs one turn runs before I/O and timers get theirs. One job always runs; a turn without progress would repeat
/// for ever.
struct TurnBudget {
    /// So many jobs at most.
    static let jobsMax = 256
    /// And no further one that many nanoseconds after the turn began.
    static let nanosecondsMax: UInt64 = 3_000_000

    private let start: UInt64
    private var jobs = 0

    /// A turn that begins at `now`, in nanoseconds of any clock that does not go back.
    init(now: UInt64) {
        start = now
    }

    /// True when one more job may run; it is counted.
    mutating func takeJob(now: UInt64) -> Bool {
        guard jobs == 0 || (jobs < Self.jobsMax && now &- start < Self.nanosecondsMax) else { return false }
        jobs += 1
        return true
    }
}

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
