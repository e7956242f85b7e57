// One-shot timers on the loop's clock.

import CUV
package import DDSCore

/// Calls back once at a given instant, never before it. Made for deadlines that are moved far more often than they fire:
/// moving one to a later instant costs a store. Must be closed.
@LoopActor
package final class LoopTimer: LoopHandle {
    private var fire: (@LoopActor () -> Void)?
    /// When to fire; nil when nothing is scheduled.
    private var deadline: Instant?
    /// What libuv is set to, which may be earlier than `deadline`.
    private var armed: Instant?
    /// It was found too late once, and the network has been looked at since.
    private var hasYielded = false
    /// A loop that comes later than this after a deadline looks at the network before it says that nothing has come.
    private static let lateness: Duration = .milliseconds(100)

    package init(_ fire: @escaping @LoopActor () -> Void) {
        self.fire = fire
        do {
            try super.init(UV_TIMER, operation: "timer") { cell in
                unsafe uv_timer_init(Loop.main.uvLoop, cell.assumingMemoryBound(to: uv_timer_t.self))
            }
        } catch {
            preconditionFailure("uv_timer_init has no way to fail: \(error)")
        }
    }

    /// Fires at `instant`, or at once when it has passed. A timer already scheduled is moved.
    package func schedule(at instant: Instant) {
        precondition(isOpen, "a closed timer cannot be scheduled")
        if instant != deadline { hasYielded = false }
        deadline = instant
        if let armed, armed <= instant { return }
        arm(at: instant)
    }

    /// Takes back what was scheduled.
    package func cancel() {
        deadline = nil
    }

    override func willClose() {
        deadline = nil
        fire = nil
    }

    private func arm(at instant: Instant) {
        armed = instant
        // libuv counts whole milliseconds of the same clock; rounding up keeps the timer from firing early.
        let milliseconds = instant.nanoseconds / 1_000_000 + (instant.nanoseconds % 1_000_000 == 0 ? 0 : 1)
        let now = unsafe uv_now(Loop.main.uvLoop)
        let timer = unsafe cell.assumingMemoryBound(to: uv_timer_t.self)
        let status = unsafe uv_timer_start(
            timer,
            { timer in
                guard let data = unsafe timer?.pointee.data else { return }
                unsafe Unmanaged<LoopTimer>.fromOpaque(data).takeUnretainedValue().expired()
            }, milliseconds > now ? milliseconds - now : 0, 0)
        precondition(status == 0, "uv_timer_start refuses only handles that are closing")
    }

    private func expired() {
        guard let reached = armed else { return }
        armed = nil
        guard let deadline else { return }
        if deadline > reached {
            arm(at: deadline)
            return
        }
        // libuv runs timers before it polls. Where a turn was long or the machine stood still, what a peer sent in time lies in the
        // kernel, and whoever reads it moves the deadline or takes it back.
        let now = Loop.time.now
        if now - deadline > Self.lateness, !hasYielded {
            hasYielded = true
            return arm(at: now + .milliseconds(1))
        }
        // After a machine slept, every timer is due at once.
        guard Loop.allows(.timers) else { return arm(at: now + .milliseconds(1)) }
        hasYielded = false
        self.deadline = nil
        fire?()
    }
}
