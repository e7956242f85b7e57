// Virtual time: nothing passes unless a test says so.

package import DDSCore
import DDSLock

/// A `TimeSource` that stands still until `advance`.
package final class ManualTime: TimeSource {
    private let state: Lock<(now: Instant, wall: WallTime)>

    /// Starts at `wall`, by default 2026-11-23T00:00:00Z.
    package init(wall: WallTime = WallTime(milliseconds: 1_795_392_000_000)) {
        state = Lock((Instant(nanoseconds: 1_000_000_000), wall))
    }

    package var now: Instant { state.withLock { $0.now } }
    package var wall: WallTime { state.withLock { $0.wall } }

    /// Moves both clocks forward.
    package func advance(by duration: Duration) {
        state.withLock {
            $0.now = $0.now + duration
            $0.wall = $0.wall + duration
        }
    }
}
