// What is being sealed to keys of the directory and is not stored yet. After a change of a key such work may still bring a copy
// under the key of before; nobody may be told that there is none until all of it has ended.

import DDSLoop

@LoopActor final class SealFence {
    private var next: UInt64 = 0
    private var unfinished: Set<UInt64> = []
    /// By maildrop: work from this number on has begun after the last change of the key.
    private var changes: [UInt64: UInt64] = [:]

    /// Runs work that reads keys of the directory, seals, and stores what it made.
    func pass<Value, Problem: Error>(_ work: @LoopActor () async throws(Problem) -> Value) async throws(Problem) -> Value {
        let number = next
        next += 1
        unfinished.insert(number)
        defer { unfinished.remove(number) }
        return try await work()
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
