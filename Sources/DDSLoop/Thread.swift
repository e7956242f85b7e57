// Threads beside the loop: a detached pthread that runs one closure. Who owns what on it is the closure's affair.

import CUV
import Glibc

package enum Thread {
    private final class Body: Sendable {
        let name: String
        let run: @Sendable () -> Void

        init(name: String, run: @escaping @Sendable () -> Void) {
            self.name = name
            self.run = run
        }
    }

    /// Starts a detached thread with every signal blocked, so that signals reach the loop's handlers and never interrupt a
    /// write to disk. A system that cannot start one more thread cannot run this program: traps.
    package static func start(name: String, _ run: @escaping @Sendable () -> Void) {
        let body = unsafe Unmanaged.passRetained(Body(name: name, run: run)).toOpaque()
        var all = sigset_t()
        var before = sigset_t()
        unsafe sigfillset(&all)
        unsafe pthread_sigmask(SIG_SETMASK, &all, &before)
        var attributes = pthread_attr_t()
        unsafe pthread_attr_init(&attributes)
        unsafe pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
        var thread = pthread_t()
        let status = unsafe pthread_create(
            &thread, &attributes,
            { argument in
                guard let argument = unsafe argument else { return nil }
                let body = unsafe Unmanaged<Body>.fromOpaque(argument).takeRetainedValue()
                // Linux shows 15 bytes of a thread's name.
                unsafe pthread_setname_np(pthread_self(), String(body.name.prefix(15)))
                body.run()
                return nil
            }, body)
        unsafe pthread_attr_destroy(&attributes)
        unsafe pthread_sigmask(SIG_SETMASK, &before, nil)
        precondition(status == 0, "the system can start a thread")
    }
}
