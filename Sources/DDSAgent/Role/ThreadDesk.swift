// Keeps the threads in step with the local store, and computes them beside the loop: a store has many thousand messages. What
// a thread is, ThreadIndex says.

import DDSLoop

@LoopActor final class ThreadDesk {
    /// As they were when they were last asked for.
    private(set) var index = ThreadIndex(SummaryTable())
    private let store: @LoopActor () -> MessageStore?
    private let rules: @LoopActor () -> ThreadRules
    /// Counts changes of the store, and says how many of them `index` knows.
    private var changes = 1
    private var known = 0
    private let gate = LoopGate()

    /// `store` is nil while the agent is locked.
    init(rules: @escaping @LoopActor () -> ThreadRules, store: @escaping @LoopActor () -> MessageStore?) {
        self.rules = rules
        self.store = store
    }

    func storeChanged() { changes += 1 }

    /// Forgets everything; the agent was locked.
    func wipe() {
        replace(ThreadIndex(SummaryTable()))
        changes += 1
    }

    /// The threads with every change that was noted before; none while the agent is locked, whether or not that was told yet.
    func current() async -> ThreadIndex {
        let wanted = changes
        // Whoever waited behind another finds the work done.
        if known < wanted { await gate.pass { if known < wanted { await compute() } } }
        return store() == nil ? ThreadIndex(SummaryTable()) : index
    }

    private func compute() async {
        let version = changes
        guard let store = store() else { return wipe() }
        let fresh = await store.withItems { [rules = rules(), index] in ThreadIndex($0, rules: rules, before: index) }
        // What was read before a lock is not kept after it.
        guard self.store() === store else { return wipe() }
        replace(fresh)
        known = version
    }

    private func replace(_ fresh: ThreadIndex) {
        let old = index
        index = fresh
        Loop.discard(old)
    }
}
