// How fast passphrases may be tried. Never a permanent lock-out; each attempt costs the key derivation's memory, so only
// one runs at a time.

package import DDSCore

/// One attempt at a time, and pauses after five failures.
package struct UnlockLimiter: Sendable {
    package enum Decision: Equatable, Sendable {
        case go
        /// To be answered by 429 with `Retry-After`.
        case wait(seconds: Int)
    }

    /// So many failures are free of any delay.
    package static let freeFailures = 5
    package static let delaySecondsMax = 30

    private var isRunning = false
    private var failures = 0
    private var notBefore = Instant(nanoseconds: 0)
    /// Failed attempts since the last success, and when the first of them was.
    package private(set) var failed: (count: Int, since: WallTime)?

    package init() {}

    /// Asks to start an attempt. After `.go` exactly one `finish` must follow.
    package mutating func begin(now: Instant) -> Decision {
        if isRunning { return .wait(seconds: 2) }
        if now < notBefore {
            let nanoseconds = notBefore.nanoseconds - now.nanoseconds
            return .wait(seconds: Int((nanoseconds + 999_999_999) / 1_000_000_000))
        }
        isRunning = true
        return .go
    }

    /// The attempt is over.
    package mutating func finish(opened: Bool, now: Instant, wall: WallTime) {
        precondition(isRunning, "an attempt that nobody started")
        isRunning = false
        guard !opened else {
            failures = 0
            return
        }
        failures += 1
        failed = (count: (failed?.count ?? 0) + 1, since: failed?.since ?? wall)
        if failures >= Self.freeFailures {
            let delay = min(Self.delaySecondsMax, 1 << min(failures - Self.freeFailures, 8))
            notBefore = now + .seconds(delay)
        }
    }

    /// The failures to report after an unlock; the count starts anew.
    package mutating func takeFailed() -> (count: Int, since: WallTime)? {
        defer { failed = nil }
        return failed
    }
}
