// Which messages belong to one conversation: by the ids they name, and by subject only where a reply names none. It knows messages
// by number, and of ids and subjects only hashes, so that a hundred thousand cost no texts; what is hashed is the caller's to say.

/// Messages on their way to threads: sets that grow into one another.
package struct Threader: Sendable {
    private var parents: [Int32]
    /// Who named a message first, by the hash of its id.
    private var holders: [Int: Int32] = [:]
    /// Replies that name no message.
    private var orphans: Set<Int32> = []
    private var subjects: [Int]

    /// For messages with numbers below `count`; each is alone.
    package init(count: Int) {
        parents = (0..<Int32(count)).map { $0 }
        subjects = [Int](repeating: 0, count: count)
    }

    /// Takes a message in. `names` are the hashes of its own id and of those that it refers to (RFC 5322 section 3.6.4): messages
    /// that name a common message which is not there belong together all the same. `subject` is the hash of what it is about,
    /// see `ThreadKey`, 0 for nothing; `isOrphan` says that it is a reply and names no message.
    package mutating func add(_ message: Int32, names: some Sequence<Int>, subject: Int, isOrphan: Bool) {
        subjects[Int(message)] = subject
        if isOrphan { orphans.insert(message) }
        for name in names {
            if let holder = holders[name] { join(message, holder) } else { holders[name] = message }
        }
    }

    /// Once all are in: a reply that names no message goes to the latest earlier one of its subject, by the authors' dates.
    /// Messages that are no replies are never joined by subject: two people may both write "Lunch".
    package mutating func joinOrphans(_ dated: () -> [(date: Int64, message: Int32)]) {
        guard !orphans.isEmpty else { return }
        var latest: [Int: Int32] = [:]
        for (_, message) in dated().sorted(by: { ($0.date, $0.message) < ($1.date, $1.message) }) {
            let subject = subjects[Int(message)]
            guard subject != 0 else { continue }
            if orphans.contains(message), let earlier = latest[subject] { join(message, earlier) }
            latest[subject] = message
        }
    }

    /// The lowest number among those that a message belongs to.
    package mutating func root(_ message: Int32) -> Int32 {
        var message = message
        while parents[Int(message)] != message {
            parents[Int(message)] = parents[Int(parents[Int(message)])]
            message = parents[Int(message)]
        }
        return message
    }

    private mutating func join(_ left: Int32, _ right: Int32) {
        let (left, right) = (root(left), root(right))
        parents[Int(max(left, right))] = min(left, right)
    }
}
