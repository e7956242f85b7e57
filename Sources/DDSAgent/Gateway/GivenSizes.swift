// How many octets messages have as mail programs are given them. They are counted when a message comes; of those that came before
// that was so, when somebody asks for the first time, and then kept with them.

import DDSLoop
import DDSSpool
import Logging

@LoopActor final class GivenSizes {
    /// Messages that are looked at together.
    private static let countedAtOnce = 50

    private let log: Logger
    /// Of messages of which it could not be written down.
    private var counted: [String: Int] = [:]
    private var unreadable: Set<String> = []

    init(log: Logger) {
        self.log = log
    }

    /// The sizes of messages that have none of their own yet. What cannot be read has no size, nor has anything once the store is
    /// closed.
    func octets(of ids: [String], in store: MessageStore) async -> [String: Int] {
        var found: [String: Int] = [:]
        var rest = ids[...]
        while !rest.isEmpty, !store.isClosed {
            let part = rest.prefix(Self.countedAtOnce)
            rest = rest.dropFirst(Self.countedAtOnce)
            let unknown = part.filter { counted[$0] == nil && !unreadable.contains($0) }
            if !unknown.isEmpty { await count(unknown, in: store) }
            for id in part { found[id] = counted[id] ?? store.items.place(id).flatMap { store.items.givenSize($0) } }
        }
        return found
    }

    private func count(_ ids: [String], in store: MessageStore) async {
        let messages = await store.given(ids)
        guard !store.isClosed else { return }
        for (id, message) in zip(ids, messages) {
            if let message { counted[id] = message.count } else { unreadable.insert(id) }
        }
        do throws(SpoolError) {
            try await store.update(ids) { [counted] in $0.givenSize = counted[$0.id] }
            for id in ids { counted[id] = nil }
        } catch {
            // They are counted again after the next unlock.
            log.notice("sizes not kept", metadata: ["error": "\(error)"])
        }
    }

    /// The agent was locked.
    func forget() { (counted, unreadable) = ([:], []) }
}
