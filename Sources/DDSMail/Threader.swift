// Which messages belong to one conversation: by the ids they name, and by subject only where a reply names none. It reads
// nothing but summaries and trusts none of them further than the grouping of a list.

/// What threading needs to know of a message.
package struct MessageSummary: Hashable, Sendable {
    /// Without angle brackets; empty when the message has none.
    package var messageID: String
    package var inReplyTo: [String]
    package var references: [String]
    package var subject: String
    /// Seconds since the epoch, as the sender says.
    package var date: Int64

    package init(messageID: String, inReplyTo: [String] = [], references: [String] = [], subject: String, date: Int64) {
        self.messageID = messageID
        self.inReplyTo = inReplyTo
        self.references = references
        self.subject = subject
        self.date = date
    }
}

/// Groups messages into threads.
package enum Threader {
    /// Indices of the messages by thread: inside a thread by date, threads by their newest message, latest first; equal dates
    /// in the order given. Every index appears exactly once. Messages that name a common message which is not there belong
    /// together all the same.
    package static func group(_ messages: [MessageSummary]) -> [[Int]] {
        var sets = DisjointSets(count: messages.count)
        var holderOfID: [String: Int] = [:]
        for (index, message) in messages.enumerated() {
            for id in [message.messageID] + message.references + message.inReplyTo where !id.isEmpty {
                if let holder = holderOfID[id] { sets.join(index, holder) } else { holderOfID[id] = index }
            }
        }
        joinOrphanReplies(messages, &sets)
        var threads: [Int: [Int]] = [:]
        for index in messages.indices { threads[sets.root(index), default: []].append(index) }
        let sorted = threads.values.map { $0.sorted { (messages[$0].date, $0) < (messages[$1].date, $1) } }
        return sorted.sorted { left, right in
            // No thread is empty, so both have a last message.
            let newest = (messages[left[left.count - 1]].date, messages[right[right.count - 1]].date)
            return newest.0 == newest.1 ? left[0] < right[0] : newest.0 > newest.1
        }
    }

    /// A reply that names no message goes to the latest earlier message of its subject. Messages that are no replies are never
    /// joined by subject: two people may both write "Lunch".
    private static func joinOrphanReplies(_ messages: [MessageSummary], _ sets: inout DisjointSets) {
        let keys = messages.map { ThreadKey($0.subject) }
        var latest: [String: Int] = [:]
        for index in messages.indices.sorted(by: { (messages[$0].date, $0) < (messages[$1].date, $1) }) {
            let subject = keys[index].subject
            guard !subject.isEmpty else { continue }
            let isOrphan = keys[index].isReply && messages[index].references.isEmpty && messages[index].inReplyTo.isEmpty
            if isOrphan, let earlier = latest[subject] { sets.join(index, earlier) }
            latest[subject] = index
        }
    }
}

private struct DisjointSets {
    private var parents: [Int]

    init(count: Int) {
        parents = Array(0..<count)
    }

    mutating func root(_ element: Int) -> Int {
        var element = element
        while parents[element] != element {
            parents[element] = parents[parents[element]]
            element = parents[element]
        }
        return element
    }

    mutating func join(_ left: Int, _ right: Int) {
        let (left, right) = (root(left), root(right))
        parents[max(left, right)] = min(left, right)
    }
}
