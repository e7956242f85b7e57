// Where work on message bytes is done: small ones at once, large ones on a worker thread, so that the loop is not late for
// everybody else.

import DDSLoop

enum Heavy {
    /// Opening, sealing or parsing so many octets takes a millisecond or two.
    static let octetsMax = 512 * 1024

    /// Does `work`, which handles about `octets` octets.
    @LoopActor static func perform<Value: Sendable>(
        octets: Int, _ work: @escaping @Sendable () throws -> Value
    ) async throws -> Value {
        try await Loop.offload(when: octets > octetsMax, work)
    }
}
