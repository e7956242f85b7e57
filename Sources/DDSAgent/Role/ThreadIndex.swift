// The threads of the local store: who belongs together, and what lists show of each. A value that refers to the table's rows;
// messages are decoded when somebody looks at them.

import DDSMail

/// One thread: messages in order of arrival, the newest last. What was thrown away of it is a thread of its own, in the trash.
struct StoredThread: Sendable {
    private let index: ThreadIndex
    private let number: Int
    let isTrash: Bool

    fileprivate init(_ index: ThreadIndex, _ number: Int, isTrash: Bool = false) {
        self.index = index
        self.number = number
        self.isTrash = isTrash
    }

    /// What a list needs of it.
    private var facts: ThreadFacts { isTrash ? index.trash[number] ?? ThreadFacts() : index.facts[number] }
    private var places: ArraySlice<SummaryTable.Place> {
        let all = index.members.places(of: number)
        guard index.trash[number] != nil else { return all }
        return all.filter { index.table.marks($0).contains(.trashed) == isTrash }[...]
    }

    /// The id of its first message; stable while that message is kept.
    var id: String { places.first.map { index.table.id($0) } ?? "" }
    /// Decoded when they are asked for.
    var messages: StoredMessages { StoredMessages(table: index.table, places: places) }
    /// The group that its messages belong to.
    var group: String? { index.members.groups[index.members.groupOf[number]] }
    /// Its replies are silent: neither unread nor in the inbox. A message that names this person after it was muted ends that.
    var isMuted: Bool { facts.isMuted }
    var isUnread: Bool { facts.unread > 0 }
    var unreadCount: Int { facts.unreadCount }
    var lastActivity: Int64 { facts.lastActivity }
    var hasOwn: Bool { facts.received < facts.count }
    var isStarred: Bool { facts.starred > 0 }
    var hasAttachment: Bool { facts.withFiles > 0 }
    /// Some message of it is not what it says it is.
    var isDoubtful: Bool { facts.doubtful > 0 }
    /// Everything that came is archived: a new message brings the thread back, one's own answer does not.
    var isArchived: Bool { facts.isArchived }
    /// What is not archived, not muted, and of no group that is.
    var isInInbox: Bool { !isTrash && index.rules.isInInbox(facts, group) }
}

/// Messages of a thread.
struct StoredMessages: RandomAccessCollection, Sendable {
    fileprivate let table: SummaryTable
    fileprivate let places: ArraySlice<SummaryTable.Place>

    var startIndex: Int { 0 }
    var endIndex: Int { places.count }
    subscript(position: Int) -> StoredSummary { table.summary(places[places.startIndex + position]) }

    /// Without decoding the rest of each.
    var ids: [String] { places.map { table.id($0) } }
    var unreadIDs: [String] { places.filter { table.marks($0).contains(.unread) }.map { table.id($0) } }
    func marks(_ position: Int) -> RowMarks { table.marks(places[places.startIndex + position]) }
    func place(of id: String) -> Int? { table.place(id).flatMap { places.firstIndex(of: $0) }.map { $0 - places.startIndex } }
    var firstUnread: Int? { indices.first { marks($0).contains(.unread) } }
}

/// What is added up of a thread's rows.
struct ThreadFacts: Hashable, Sendable {
    var count: Int32 = 0
    var received: Int32 = 0
    var unread: Int32 = 0
    var starred: Int32 = 0
    /// Of those that came in.
    var archived: Int32 = 0
    var withFiles: Int32 = 0
    var doubtful: Int32 = 0
    var isMuted = false
    /// Milliseconds since 1970.
    var lastActivity: Int64 = 0

    var isArchived: Bool { received > 0 && archived == received }
    var unreadCount: Int { isMuted ? 0 : Int(unread) }
}

/// What belongs in the inbox depends on the groups that a person has muted.
struct ThreadRules: Hashable, Sendable {
    /// This person's address in lower case.
    var me = ""
    var mutedGroups: Set<String> = []

    func isMuted(_ group: String?) -> Bool { group.map { mutedGroups.contains($0) } ?? false }

    func isInInbox(_ facts: ThreadFacts, _ group: String?) -> Bool {
        facts.received > 0 && !facts.isArchived && !facts.isMuted && !isMuted(group)
    }
}

/// Unread messages of threads, by what a sidebar shows. Of what is muted nobody is told.
struct UnreadCounts: Hashable, Sendable {
    var all = 0
    var inbox = 0
    var privateMail = 0
    /// Every group that mail has come for, by name.
    var groups: [String: Int] = [:]

    fileprivate mutating func add(_ facts: ThreadFacts, _ group: String?, _ rules: ThreadRules) {
        let count = rules.isMuted(group) ? 0 : facts.unreadCount
        all += count
        if rules.isInInbox(facts, group) { inbox += count }
        if let group { groups[group, default: 0] += count } else { privateMail += count }
    }
}

final class ThreadIndex: Sendable {
    let table: SummaryTable
    let rules: ThreadRules
    fileprivate let members: ThreadMembers
    /// Of what is not in the trash.
    fileprivate let facts: [ThreadFacts]
    /// Of what is, by thread.
    fileprivate let trash: [Int: ThreadFacts]
    /// Threads with something that is not in the trash.
    private let shown: [Int]
    let unread: UnreadCounts

    /// Who belongs together is taken over from `before` where no message has come or gone since.
    init(_ table: SummaryTable, rules: ThreadRules = ThreadRules(), before: ThreadIndex? = nil) {
        self.table = table
        self.rules = rules
        let members =
            if let before, before.table.membership == table.membership { before.members } else { ThreadMembers(table) }
        self.members = members
        var trash: [Int: ThreadFacts] = [:]
        let facts = members.numbers.map { number in
            let places = members.places(of: number)
            guard table.trashedCount > 0, places.contains(where: { table.marks($0).contains(.trashed) }) else {
                return Self.facts(table, places, me: rules.me)
            }
            func facts(isTrash: Bool) -> ThreadFacts {
                Self.facts(table, places.filter { table.marks($0).contains(.trashed) == isTrash }[...], me: rules.me)
            }
            trash[number] = facts(isTrash: true)
            return facts(isTrash: false)
        }
        self.facts = facts
        self.trash = trash
        shown = members.numbers.filter { facts[$0].count > 0 }
        unread = members.numbers.reduce(into: UnreadCounts()) {
            $0.add(facts[$1], members.groups[members.groupOf[$1]], rules)
        }
    }

    /// Newest activity first.
    var threads: some RandomAccessCollection<StoredThread> { shown.lazy.map { StoredThread(self, $0) } }

    /// What was thrown away, by threads in the same order.
    var trashed: [StoredThread] { trash.keys.sorted().map { StoredThread(self, $0, isTrash: true) } }

    /// The thread of that id, or the one that a message of that id is in.
    func thread(_ id: String) -> StoredThread? {
        guard let place = table.place(id), let number = members.thread(of: place) else { return nil }
        return StoredThread(self, number, isTrash: table.marks(place).contains(.trashed))
    }

    private static func facts(_ table: SummaryTable, _ places: ArraySlice<SummaryTable.Place>, me: String) -> ThreadFacts {
        var facts = ThreadFacts()
        var silencing: Int?
        for (position, place) in zip(places.indices, places) {
            let marks = table.marks(place)
            facts.count += 1
            facts.lastActivity = max(facts.lastActivity, table.received(place))
            if marks.contains(.unread) { facts.unread += 1 }
            if marks.contains(.starred) { facts.starred += 1 }
            if marks.contains(.files) { facts.withFiles += 1 }
            if marks.contains(.doubtful) { facts.doubtful += 1 }
            if marks.contains(.muted) { silencing = position }
            guard !marks.contains(.own) else { continue }
            facts.received += 1
            if marks.contains(.archived) { facts.archived += 1 }
        }
        if let silencing {
            facts.isMuted = !places[(silencing + 1)...].contains {
                !table.marks($0).contains(.own) && table.summary($0).recipients.contains { $0.lowercased() == me }
            }
        }
        return facts
    }
}
