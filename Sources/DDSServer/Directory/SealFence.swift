// What is being sealed to keys of the directory and is not stored yet. After a change of a key such work may still bring a copy
// under the key of before; nobody may be told that there is none until all of it has ended.

import DDSLoop

@LoopActor final class SealFence {
    private var next: UInt64 = 0
    private var unfinished: Set<UInt64> = []
    /// By maildrop: work from this number on has begun after the last change of the key.
    private var changes: [UInt64: UInt64] = [:]
    private var waiting: [(number: UInt64, continuation: CheckedContinuation<Void, Never>)] = []

    /// Runs work that reads keys of the directory, seals, and stores what it made.
    func pass<Value, Problem: Error>(_ work: @LoopActor () async throws(Problem) -> Value) async throws(Problem) -> Value {
        let number = next
        next += 1
        unfinished.insert(number)
        defer { ended(number) }
        return try await work()
    }

    /// Returns when everything has ended that has begun before this was called.
    func drained() async {
        let number = next
        await withCheckedContinuation { continuation in
            if isClear(before: number) { return continuation.resume() }
            waiting.append((number, continuation))
        }
    }

    private func isClear(before number: UInt64) -> Bool { !unfinished.contains { $0 < number } }

    private func ended(_ number: UInt64) {
        unfinished.remove(number)
        guard !waiting.isEmpty else { return }
        let ready = waiting.filter { isClear(before: $0.number) }
        waiting.removeAll { isClear(before: $0.number) }
        for waiter in ready { waiter.continuation.resume() }
    }

    /// To be called when the directory has the new key.
    func keyChanged(of mailbox: UInt64) { changes[mailbox] = next }

    /// How much of what is under way may have begun with an earlier key of this member.
    func unfinished(for mailbox: UInt64) -> Int {
        guard let change = changes[mailbox] else { return 0 }
        let count = unfinished.count { $0 < change }
        // What is forgotten here cannot come again: numbers only grow.
        if count == 0 { changes[mailbox] = nil }
        return count
    }
}
