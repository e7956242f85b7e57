// The isolation domain of everything that touches libuv: one global actor whose executor is the loop.

/// Isolates to the loop's thread. C callbacks of libuv already run there; Swift checks it at their entry.
@globalActor package actor LoopActor {
    package static let shared = LoopActor()

    package nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe Loop.main.asUnownedSerialExecutor() }

    /// Runs `operation` as isolated code where only the run-time check can prove that it already is, such as in a callback
    /// of a C library that calls on the thread it was called on. Traps on any other thread.
    package static func assumeIsolated<Value: Sendable>(
        _ operation: @LoopActor () throws -> Value
    ) rethrows -> Value {
        typealias Plain = () throws -> Value
        shared.preconditionIsolated()
        return try withoutActuallyEscaping(operation) { isolated in
            // The same cast as in the standard library's MainActor.assumeIsolated: isolation is no part of a closure's
            // representation, and the line above has proved that we are where the closure demands.
            try unsafe unsafeBitCast(isolated, to: Plain.self)()
        }
    }
}
