// The agent behind the local page: turns the store, the drafts and the outbox into what the page shows, and what the page
// asks for into calls of the agent.

import DDSBus
import DDSCore
import DDSHTTP
import DDSLoop
import DDSMail
import DDSNode
import DDSSeal
import DDSSpool

@LoopActor final class MailPage: WebBackend {
    static let rowsPerPage = 50

    let agent: Agent
    let desk: ThreadDesk
    var nameBook: NameBook?
    private var problems: [String: [DraftProblem]] = [:]
    /// What can be taken back; forgotten at the lock.
    var undoBook = UndoBook()
    /// A recovery kit that was made on the page; forgotten at the lock.
    var openKit: OpenKit?
    /// An app password that was made on the page; shown once, forgotten at the lock.
    var freshPassword: (name: String, text: Redacted<String>)?
    /// What became of the last link for another device.
    var linkWords: String?
    private var listeners: [Int: @LoopActor (WebEvent) -> Void] = [:]
    private var nextListener = 0
    /// Something has changed since listeners were told, and whether somebody is about to tell them.
    private var hasNews = false
    private var isTelling = false
    private var busSubscription: SubscriberID?

    init(agent: Agent) {
        self.agent = agent
        desk = ThreadDesk(
            rules: {
                ThreadRules(
                    me: "\(agent.account.address)", mutedGroups: agent.unlocked?.settings.settings.mutedGroups ?? [])
            }, store: { agent.unlocked?.store })
        busSubscription = agent.services.bus.subscribe([.store, .outbox, .mail]) { [weak self] events in self?.heard(events) }
    }

    /// Ends the subscription to the bus; the page is gone.
    func close() {
        if let busSubscription { agent.services.bus.unsubscribe(busSubscription) }
        busSubscription = nil
    }

    var isLocked: Bool { agent.isLocked }
    var identityWhenLocked: String? { nil }

    func unlock(passphrase: Redacted<[UInt8]>) async -> UnlockOutcome {
        var bytes = passphrase.exposed
        guard !bytes.isEmpty else { return .refused }
        do throws(Failure) {
            try await agent.unlock(passphrase: SecretBytes(consuming: &bytes))
            return .opened
        } catch {
            // No key file and a wrong passphrase look the same from outside; trouble with what lies on the disk does not.
            switch error.code {
            case .permission, .fileMissing: return .refused
            default: return .failed(error.publicText)
            }
        }
    }

    func lock() async { agent.lock() }
    func noteActivity() { agent.noteActivity() }

    // MARK: Events

    func subscribe(_ hear: @escaping @LoopActor (WebEvent) -> Void) -> WebSubscription {
        nextListener += 1
        listeners[nextListener] = hear
        return WebSubscription(number: nextListener)
    }

    func unsubscribe(_ subscription: WebSubscription) { listeners[subscription.number] = nil }

    private func heard(_ events: [NodeEvent]) {
        if events.contains(.locked) {
            desk.wipe()
            nameBook = nil
            problems = [:]
            undoBook = UndoBook()
            openKit = nil
            freshPassword = nil
            linkWords = nil
            return tell(.locked)
        }
        desk.storeChanged()
        hasNews = true
        guard !isTelling, !listeners.isEmpty else { return }
        isTelling = true
        Loop.spawn(name: "page") { [self] in
            while hasNews, !listeners.isEmpty {
                hasNews = false
                let unread = await desk.current().unread
                guard !agent.isLocked else { break }
                tell(.unread(total: unread.inbox, folders: byFolder(unread)))
                tell(.state(stateLine()))
            }
            isTelling = false
        }
    }

    private func tell(_ event: WebEvent) {
        for listener in listeners.values { listener(event) }
    }

    // MARK: Folders

    static func groupID(_ name: String) -> String {
        String(Hex.encode(Hash.blake2b(Array(name.utf8), key: Array("ddsnode/v1/group-id".utf8), count: 16)).prefix(13))
    }

    /// The account's groups and those that mail has come for, sorted.
    var groupNames: [String] { agent.groupNames }

    /// Threads that a turn of the loop may look through.
    static let threadsAtOnce = 2000

    /// The threads of a folder, newest activity first, and the name of the group that it is of; nil for an unknown group.
    func threads(in folder: FolderReference) async -> (group: String?, threads: [StoredThread])? {
        let index = await desk.current()
        var name: String?
        if case .group(let id) = folder {
            name = groupNames.first { Self.groupID($0) == id }
            if name == nil { return nil }
        }
        let matching = await Loop.offload(when: index.table.count > Self.threadsAtOnce) { [name] in
            if folder == .trash { return index.trashed }
            return index.threads.filter { thread in
                switch folder {
                case .inbox: thread.isInInbox
                case .all: true
                case .starred: thread.isStarred
                case .archive: thread.isArchived
                case .privateMail: thread.group == nil
                case .sent: thread.hasOwn
                case .drafts, .trash: false
                case .group: thread.group == name
                }
            }
        }
        return (name, matching)
    }

    private func byFolder(_ unread: UnreadCounts) -> [FolderReference: Int] {
        var counts: [FolderReference: Int] = [.inbox: unread.inbox, .all: unread.all, .privateMail: unread.privateMail]
        for name in groupNames { counts[.group(Self.groupID(name))] = unread.groups[name] ?? 0 }
        return counts
    }

    func group(_ name: String) -> GroupModel {
        GroupModel(
            id: Self.groupID(name), name: name, unread: desk.index.unread.groups[name] ?? 0,
            isMuted: chosen.mutedGroups.contains(name))
    }

    private func stateLine() -> String {
        guard let time = agent.fetcher?.lastSuccess else { return "Not fetched yet from \(agent.account.host)" }
        let civil = CivilTime(secondsSinceEpoch: time.seconds)
        let minute = civil.minute < 10 ? "0\(civil.minute)" : "\(civil.minute)"
        return "Fetched \(civil.hour):\(minute) UTC from \(agent.account.host)"
    }

    func frame() async -> FrameModel {
        let unread = await desk.current().unread
        return FrameModel(
            groups: groupNames.map(group), inboxUnread: unread.inbox, allUnread: unread.all, privateUnread: unread.privateMail,
            drafts: agent.unlocked?.drafts.open.count ?? 0,
            waitingToBeSent: agent.outbox?.waiting.count ?? 0, state: stateLine(),
            trouble: trouble())
    }

    /// Everything that a person should know of, each in a sentence.
    private func trouble() -> String? {
        var found: [String] = []
        if let words = agent.outbox?.lastTrouble { found.append("Not sent yet: \(words). It is kept and tried again.") }
        if let words = agent.fetcher?.lastTrouble { found.append("Not fetched: \(words). It is tried again.") }
        if let words = agent.importTrouble { found.append(words) }
        if let words = agent.unlocked?.settings.trouble { found.append("Attention: \(words).") }
        if let words = Agent.unopenedWords(agent.unlocked?.store.unopened ?? 0) { found.append("\(words).") }
        found += (agent.watch?.problems ?? []).map { "Attention: \($0)." }
        found += (agent.unlocked?.store.trust.problems ?? []).map { "Attention: \($0)." }
        return found.isEmpty ? nil : found.joined(separator: " ")
    }

    func list(_ folder: FolderReference, cursor: String?) async -> ThreadListModel? {
        guard !agent.isLocked else { return nil }
        if folder == .drafts { return draftList() }
        guard let (name, matching) = await threads(in: folder), !agent.isLocked else { return nil }
        let start = min(max(cursor.flatMap { Int($0) } ?? 0, 0), matching.count)
        let end = min(start + Self.rowsPerPage, matching.count)
        return ThreadListModel(
            name: name, rows: matching[start..<end].map(row), newer: start > 0 ? "\(max(0, start - Self.rowsPerPage))" : nil,
            older: end < matching.count ? "\(end)" : nil, first: matching.isEmpty ? 0 : start + 1, total: matching.count)
    }

    private func draftList() -> ThreadListModel {
        let drafts = agent.unlocked?.drafts.open ?? []
        let rows = drafts.map { draft in
            ThreadRowModel(
                id: draft.id, senders: [draft.recipients], messageCount: 1, subject: draft.subject,
                snippet: String(draft.body.prefix(120)),
                group: nil, time: WallTime(milliseconds: draft.saved), hasAttachment: !draft.attachments.isEmpty)
        }
        return ThreadListModel(rows: rows, total: rows.count)
    }

    /// Of a longer thread the row names those who wrote last.
    private static let sendersAmong = 100

    func row(_ thread: StoredThread) -> ThreadRowModel {
        var senders: [String] = []
        for message in thread.messages.suffix(Self.sendersAmong) {
            let name = message.isOwn ? "me" : message.fromName.isEmpty ? message.fromAddress : message.fromName
            senders.removeAll { $0 == name }
            senders.append(name)
        }
        // Several people go by their first names, where those tell them apart.
        let short = senders.map { $0.contains("@") ? $0 : String($0.prefix { $0 != " " }) }
        if senders.count > 1, Set(short).count == senders.count { senders = short }
        let last = thread.messages[thread.messages.count - 1]
        return ThreadRowModel(
            id: thread.id, senders: senders, messageCount: thread.messages.count, subject: thread.messages[0].subject,
            snippet: last.snippet, group: thread.group, time: WallTime(milliseconds: thread.lastActivity),
            isUnread: thread.unreadCount > 0,
            hasAttachment: thread.hasAttachment, isMuted: thread.isMuted, isStarred: thread.isStarred, sent: sentState(last),
            isDoubtful: thread.isDoubtful)
    }

    func sentState(_ message: StoredSummary) -> SentState? {
        switch message.sendState {
        case nil: nil
        case .waiting: held(message).map { .held(for: $0) } ?? .waiting
        case .sent:
            if let copies = message.copies, !copies.isEmpty {
                .fetched(by: copies.count { $0.state == .fetched }, of: copies.count, words: message.copyWords)
            } else {
                .atNode
            }
        case .refused: .failed(message.note ?? "the node refused it")
        }
    }

    private func held(_ message: StoredSummary) -> String? {
        agent.unlocked?.store.trust.undecided(message.id)?.map { "\($0)" }.joined(separator: ", ")
    }

    // MARK: Drafts' problems

    func problems(of draft: String) -> [DraftProblem] { problems[draft] ?? [] }

    func note(_ found: [DraftProblem], at draft: String) {
        problems[draft] = found.isEmpty || agent.isLocked ? nil : found
    }
}
