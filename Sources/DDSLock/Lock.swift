// State that several threads use in turn. A pthread mutex and not `Synchronization.Mutex`, whose waiting happens in a library
// where ThreadSanitizer cannot see it: what it guards would be reported as races. What is guarded, the user decides.

package import Glibc

/// `State` behind a lock, which is held for a few instructions only, and a way to wait for a change of it.
@safe
package final class Lock<State>: @unchecked Sendable {
    // @unchecked is safe because `state` is touched only between lock and unlock.
    @usableFromInline var state: State
    @usableFromInline let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let changed = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

    package init(_ state: sending State) {
        self.state = state
        var attributes = pthread_condattr_t()
        unsafe pthread_condattr_init(&attributes)
        unsafe pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        unsafe pthread_mutex_init(mutex, nil)
        unsafe pthread_cond_init(changed, &attributes)
        unsafe pthread_condattr_destroy(&attributes)
    }

    deinit {
        unsafe pthread_cond_destroy(changed)
        unsafe pthread_mutex_destroy(mutex)
        unsafe changed.deallocate()
        unsafe mutex.deallocate()
    }

    /// Calls `body` while nobody else has the state. `body` must not use this lock again, except for `signal`.
    @inlinable
    package func withLock<Value>(_ body: (inout sending State) -> sending Value) -> sending Value {
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        return body(&state)
    }

    /// Waits while `isUnready` holds, for `pause` at most or, with nil, for ever; then runs `body` all the same. Others use the
    /// state meanwhile and say with `signal` that it has changed.
    package func withLock<Value>(
        waitingAtMost pause: Duration?, while isUnready: (State) -> Bool, then body: (inout sending State) -> sending Value
    ) -> sending Value {
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        let deadline = pause.map(Self.deadline)
        // No access to `state` lasts over the wait, in which others change it.
        while isUnready(state), pause != .zero {
            guard var time = deadline else {
                unsafe pthread_cond_wait(changed, mutex)
                continue
            }
            if unsafe pthread_cond_timedwait(changed, mutex, &time) == ETIMEDOUT { break }
        }
        return body(&state)
    }

    /// Wakes one who waits.
    package func signal() { unsafe pthread_cond_signal(changed) }

    /// When `pause` will be over, on the clock that `changed` was given.
    private static func deadline(_ pause: Duration) -> timespec {
        var time = timespec()
        let status = unsafe clock_gettime(CLOCK_MONOTONIC, &time)
        precondition(status == 0, "this clock exists on every Linux")
        let (seconds, attoseconds) = max(.zero, pause).components
        let nanoseconds = time.tv_nsec + Int(attoseconds / 1_000_000_000)
        return timespec(tv_sec: time.tv_sec + Int(seconds) + nanoseconds / 1_000_000_000, tv_nsec: nanoseconds % 1_000_000_000)
    }
}
