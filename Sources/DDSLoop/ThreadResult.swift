// What a thread of its own works out while the one that started it does something else, and can wait for.

import DDSLock

/// The outcome of one piece of work.
package final class ThreadResult<Value: Sendable>: Sendable {
    private let state: Lock<Value?> = Lock(nil)

    private init() {}

    /// Starts `work` on a thread of the system.
    package static func start(name: String, _ work: @escaping @Sendable () -> Value) -> ThreadResult<Value> {
        let result = ThreadResult<Value>()
        Thread.start(name: name) {
            let value = work()
            result.state.withLock { $0 = value }
            result.state.signal()
        }
        return result
    }

    /// Nil until the work is done.
    package var value: Value? { state.withLock { $0 } }

    /// Blocks the calling thread until the work is done. One thread may wait.
    package func wait() -> Value {
        state.withLock(
            waitingAtMost: nil, while: { $0 == nil },
            then: { value in
                guard let value else { preconditionFailure("the wait ends with a value") }
                return value
            })
    }
}
