// One change of the agent's spool at a time. A change reads what is in memory, waits for the disk, and writes to memory again;
// two that overlap would undo each other, and a store opened in between would not see what is being written.

import DDSLoop

/// Lets callers in one by one, in the order in which they came. `enter` and `leave` go in pairs; it must not be entered twice
/// by the same caller.
@LoopActor final class StoreGate {
    private var isTaken = false
    private var waiting: [CheckedContinuation<Void, Never>] = []

    /// Callers that are not in yet.
    var waitingCount: Int { waiting.count }

    func enter() async {
        // Asked inside, because any await may let others in between.
        await withCheckedContinuation { continuation in
            if isTaken { return waiting.append(continuation) }
            isTaken = true
            continuation.resume()
        }
    }

    func leave() {
        precondition(isTaken, "who leaves has entered")
        // The gate stays taken when it is handed on, so that nobody slips in between.
        if waiting.isEmpty { isTaken = false } else { waiting.removeFirst().resume() }
    }
}
