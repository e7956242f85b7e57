// One caller at a time through a piece of work that waits in between. Who may go in, and what it protects, is the owner's affair.

/// Lets callers in one by one, in the order in which they came. `enter` and `leave` go in pairs; it must not be entered twice
/// by the same caller.
@LoopActor package final class LoopGate {
    private var isTaken = false
    private var waiting: [CheckedContinuation<Void, Never>] = []

    package init() {}

    /// Callers that are not in yet.
    package var waitingCount: Int { waiting.count }

    /// Runs `body` when nobody else is inside.
    package func pass<Value, Problem: Error>(_ body: @LoopActor () async throws(Problem) -> Value) async throws(Problem)
        -> Value
    {
        await enter()
        defer { leave() }
        return try await body()
    }

    package func enter() async {
        // Asked inside, because any await may let others in between.
        await withCheckedContinuation { continuation in
            if isTaken { return waiting.append(continuation) }
            isTaken = true
            continuation.resume()
        }
    }

    package func leave() {
        precondition(isTaken, "who leaves has entered")
        // The gate stays taken when it is handed on, so that nobody slips in between.
        if waiting.isEmpty { isTaken = false } else { waiting.removeFirst().resume() }
    }
}
