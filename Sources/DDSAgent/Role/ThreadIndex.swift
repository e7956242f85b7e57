// The threads of the local store, computed from its summaries when they have changed.

import DDSMail

/// One thread: messages in order of arrival, the newest last.
struct StoredThread: Sendable {
    /// The id of its first message; stable while that message is kept.
    var id: String
    var messages: [StoredSummary]
    /// Its replies are silent: neither unread nor in the inbox. A message that names this person after it was muted ends that.
    var isMuted: Bool

    /// `me` is this person's address in lower case.
    init(id: String, messages: [StoredSummary], me: String) {
        self.id = id
        self.messages = messages
        let silencing = messages.lastIndex { $0.isMuted == true }
        isMuted =
            silencing.map { last in
                !messages[(last + 1)...].contains { !$0.isOwn && $0.recipients.contains { $0.lowercased() == me } }
            } ?? false
    }

    /// The group that the newest message belongs to.
    var group: String? { messages.last?.group }
    var isUnread: Bool { messages.contains(where: \.isUnread) }
    var lastActivity: Int64 { messages.map(\.received).max() ?? 0 }
    var hasReceived: Bool { messages.contains { !$0.isOwn } }
    var hasOwn: Bool { messages.contains(where: \.isOwn) }
    var isStarred: Bool { messages.contains { $0.isStarred == true } }
    /// Everything that came is archived: a new message brings the thread back, one's own answer does not.
    var isArchived: Bool { hasReceived && messages.allSatisfy { $0.isOwn || $0.isArchived == true } }
    var unreadCount: Int { isMuted ? 0 : messages.count(where: \.isUnread) }
}

/// What belongs in the inbox depends on the groups that a person has muted.
struct ThreadRules: Hashable, Sendable {
    /// This person's address in lower case.
    var me = ""
    var mutedGroups: Set<String> = []

    func isInInbox(_ thread: StoredThread) -> Bool {
        thread.hasReceived && !thread.isArchived && !thread.isMuted && !(thread.group.map { mutedGroups.contains($0) } ?? false)
    }
}

/// Unread messages of threads, by what a sidebar shows.
struct UnreadCounts: Hashable, Sendable {
    var all = 0
    var inbox = 0
    var privateMail = 0
    /// Every group that mail has come for, by name.
    var groups: [String: Int] = [:]

    fileprivate mutating func add(_ thread: StoredThread, _ rules: ThreadRules) {
        let count = thread.unreadCount
        all += count
        if rules.isInInbox(thread) { inbox += count }
        if let group = thread.group { groups[group, default: 0] += count } else { privateMail += count }
    }
}

struct ThreadIndex: Sendable {
    /// Newest activity first.
    let threads: [StoredThread]
    let unread: UnreadCounts
    let rules: ThreadRules
    private let byID: [String: Int]
    private let byMessage: [String: Int]

    /// A thread never spans two groups: a message that was forwarded into another group begins anew there, since other
    /// people read it. `summaries` come in order of arrival, which no clock disturbs.
    init(_ summaries: [StoredSummary], rules: ThreadRules = ThreadRules()) {
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
                if let first = messages.first { threads.append(StoredThread(id: first.id, messages: messages, me: rules.me)) }
            }
        }
        func lastPlace(_ thread: StoredThread) -> Int { thread.messages.last.flatMap { places[$0.id] } ?? 0 }
        threads.sort { lastPlace($0) > lastPlace($1) }
        self.threads = threads
        self.rules = rules
        unread = threads.reduce(into: UnreadCounts()) { $0.add($1, rules) }
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
