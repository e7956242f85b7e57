// The threads of the local store, computed from its summaries when they have changed.

import DDSMail

/// One thread: messages in order of arrival, the newest last.
struct StoredThread: Sendable {
    /// The id of its first message; stable while that message is kept.
    var id: String
    var messages: [StoredSummary]

    /// The group that the newest message belongs to.
    var group: String? { messages.last?.group }
    var isUnread: Bool { messages.contains(where: \.isUnread) }
    var lastActivity: Int64 { messages.map(\.received).max() ?? 0 }
    var hasReceived: Bool { messages.contains { !$0.isOwn } }
    var hasOwn: Bool { messages.contains(where: \.isOwn) }
}

/// Unread messages of threads, by what a sidebar shows.
struct UnreadCounts: Hashable, Sendable {
    var all = 0
    var inbox = 0
    var privateMail = 0
    /// Every group that mail has come for, by name.
    var groups: [String: Int] = [:]

    fileprivate mutating func add(_ thread: StoredThread) {
        let count = thread.messages.count(where: \.isUnread)
        all += count
        if thread.hasReceived { inbox += count }
        if let group = thread.group { groups[group, default: 0] += count } else { privateMail += count }
    }
}

struct ThreadIndex: Sendable {
    /// Newest activity first.
    let threads: [StoredThread]
    let unread: UnreadCounts
    private let byID: [String: Int]
    private let byMessage: [String: Int]

    /// A thread never spans two groups: a message that was forwarded into another group begins anew there, since other
    /// people read it. `summaries` come in order of arrival, which no clock disturbs.
    init(_ summaries: [StoredSummary]) {
        var threads: [StoredThread] = []
        var places: [String: Int] = [:]
        for (place, summary) in summaries.enumerated() { places[summary.id] = place }
        for (_, members) in Dictionary(grouping: summaries, by: \.group) {
            let keys = members.map {
                MessageSummary(
                    messageID: $0.messageID, inReplyTo: $0.inReplyTo, references: $0.references, subject: $0.subject, date: $0.date)
            }
            for indices in Threader.group(keys) {
                let messages = indices.sorted().map { members[$0] }
                if let first = messages.first { threads.append(StoredThread(id: first.id, messages: messages)) }
            }
        }
        func lastPlace(_ thread: StoredThread) -> Int { thread.messages.last.flatMap { places[$0.id] } ?? 0 }
        threads.sort { lastPlace($0) > lastPlace($1) }
        self.threads = threads
        unread = threads.reduce(into: UnreadCounts()) { $0.add($1) }
        byID = Dictionary(threads.enumerated().map { ($1.id, $0) }, uniquingKeysWith: { first, _ in first })
        var byMessage: [String: Int] = [:]
        for (index, thread) in threads.enumerated() {
            for message in thread.messages { byMessage[message.id] = index }
        }
        self.byMessage = byMessage
    }

    /// The thread of that id, or the one that a message of that id is in.
    func thread(_ id: String) -> StoredThread? { (byID[id] ?? byMessage[id]).map { threads[$0] } }
}
