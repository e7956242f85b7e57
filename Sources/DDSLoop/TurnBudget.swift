// How much one turn of the loop takes on before it looks at the network again. It decides what may still begin; how something is
// put off to the next turn is known by those who ask.

import DDSCore

/// One turn's budget. A turn is never longer than the last limit and whatever began just before it.
struct TurnBudget {
    /// What a turn consists of, in the order of libuv's loop.
    enum Work: Int, CaseIterable {
        case reading, jobs, sending, timers

        /// When, counted from the turn's first piece of work, no more of this kind begins. Each kind leaves time to those after it.
        var limit: Duration {
            switch self {
            case .reading: .microseconds(750)
            case .jobs: .microseconds(1500)
            case .sending: .microseconds(2250)
            case .timers: .milliseconds(3)
            }
        }
    }

    private var start: Instant?
    private var begun: UInt8 = 0

    /// Another turn begins; its time counts from its first piece of work, because it may sleep before.
    mutating func begin() {
        start = nil
        begun = 0
    }

    /// Whether a piece of work may begin in this turn. The first of each kind always may, so that none is starved by another.
    mutating func allows(_ work: Work, now: Instant) -> Bool {
        let start = self.start ?? now
        self.start = start
        let mark: UInt8 = 1 << work.rawValue
        defer { begun |= mark }
        return begun & mark == 0 || now - start < work.limit
    }

    /// Whether no more jobs begin in this turn, so that a long one should leave the rest of its work to another.
    func isSpent(now: Instant) -> Bool { start.map { now - $0 >= Work.jobs.limit } ?? false }
}
