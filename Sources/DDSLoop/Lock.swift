// State that several threads use in turn. A pthread mutex and not `Synchronization.Mutex`, whose waiting happens in a library
// where ThreadSanitizer cannot see it: what it guards would be reported as races.

import CUV
import DDSCore
import Glibc

/// `State` behind a lock, which is held for a few instructions only, and a way to wait for a change of it.
@safe
final class Lock<State>: @unchecked Sendable {
    // @unchecked is safe because `state` is touched only between lock and unlock.
    private var state: State
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let changed = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

    init(_ state: State) {
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

    func withLock<Value>(_ body: (inout State) -> Value) -> Value {
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        return body(&state)
    }

    /// Waits while `isUnready` holds, for `pause` at most or, with nil, for ever; then runs `body` all the same. Others use the
    /// state meanwhile and say with `signal` that it has changed.
    func withLock<Value>(
        waitingAtMost pause: Duration?, while isUnready: (State) -> Bool, _ body: (inout State) -> Value
    ) -> Value {
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        let deadline = pause.map { SystemTime().now + max(.zero, $0) }
        // No access to `state` lasts over the wait, in which others change it.
        while isUnready(state), pause != .zero {
            guard let deadline else {
                unsafe pthread_cond_wait(changed, mutex)
                continue
            }
            var time = timespec(
                tv_sec: Int(deadline.nanoseconds / 1_000_000_000), tv_nsec: Int(deadline.nanoseconds % 1_000_000_000))
            if unsafe pthread_cond_timedwait(changed, mutex, &time) == ETIMEDOUT { break }
        }
        return body(&state)
    }

    /// Wakes one who waits.
    func signal() { unsafe pthread_cond_signal(changed) }
}
