// What is done with threads in lists: read, starred, archived, muted, and all of it taken back.

import DDSCore
import DDSLoop
import DDSNode
import DDSSpool
import Logging

/// What can be taken back, by opaque handles. Kept in memory only.
struct UndoBook {
    enum Step: Sendable {
        /// The marks that messages had.
        case marks([String: MessageMarks])
        /// A message that has been sent, by its id.
        case sent(String)
    }

    /// The oldest go first.
    static let stepsMax = 32
    private var steps: [(handle: String, step: Step)] = []

    mutating func add(_ step: Step, random: any RandomSource) -> String {
        let handle = OpaqueID.make(random)
        steps.append((handle, step))
        if steps.count > Self.stepsMax { steps.removeFirst() }
        return handle
    }

    /// Gives a step back once.
    mutating func take(_ handle: String) -> Step? {
        guard let index = steps.firstIndex(where: { $0.handle == handle }) else { return nil }
        return steps.remove(at: index).step
    }
}

extension MailPage {
    func act(_ action: ThreadAction, on ids: [String]) async -> ActionOutcome {
        let index = await desk.current()
        let threads = ids.compactMap { index.thread($0) }
        guard !threads.isEmpty else { return ActionOutcome(words: "Select a thread first.") }
        return await act(action, threads)
    }

    func readAll(in folder: FolderReference) async -> ActionOutcome {
        let threads = await threads(in: folder)?.threads ?? []
        let (count, ids) = await Loop.offload(when: threads.count > Self.threadsAtOnce) {
            let unread = threads.filter(\.isUnread)
            return (unread.count, unread.flatMap(\.messages.unreadIDs))
        }
        guard count > 0 else { return ActionOutcome(words: "Nothing was unread here.") }
        return outcome(Self.words(.read, count), await change(ids) { $0.isUnread = false })
    }

    func unread(from message: String) async -> ActionOutcome {
        guard let thread = await desk.current().thread(message),
            let first = thread.messages.ids.firstIndex(of: message)
        else { return ActionOutcome(words: "This message is no longer there.") }
        let before = await change(thread.messages[first...].filter { !$0.isOwn }.map(\.id)) { $0.isUnread = true }
        return outcome("Unread from here on.", before)
    }

    private func act(_ action: ThreadAction, _ threads: [StoredThread]) async -> ActionOutcome {
        let before = await change(threads.flatMap { Self.messages(for: action, of: $0) }) { Self.apply(action, to: &$0) }
        return outcome(Self.words(action, threads.count), before)
    }

    private func outcome(_ words: String, _ before: [String: MessageMarks]?) -> ActionOutcome {
        guard let before else {
            return ActionOutcome(words: "Nothing was changed: the local store cannot be written. See: ddsnode status")
        }
        guard !before.isEmpty, !agent.isLocked else { return ActionOutcome(words: words) }
        return ActionOutcome(words: words, undo: undoBook.add(.marks(before), random: agent.services.random))
    }

    /// A star is on one message, so that a search finds just that; the other marks are a thread's.
    private static func messages(for action: ThreadAction, of thread: StoredThread) -> [String] {
        switch action {
        case .star: [thread.messages.last { !$0.isOwn } ?? thread.messages.last].compactMap { $0?.id }
        case .unread: thread.messages.last { !$0.isOwn }.map { [$0.id] } ?? []
        // What is still on its way out is not thrown away.
        case .trash: thread.messages.filter { $0.sendState != .waiting }.map(\.id)
        case .read, .unstar, .archive, .unarchive, .mute, .unmute, .restore: thread.messages.ids
        }
    }

    private static func apply(_ action: ThreadAction, to marks: inout MessageMarks) {
        switch action {
        case .read: marks.isUnread = false
        case .unread: marks.isUnread = true
        case .star: marks.isStarred = true
        case .unstar: marks.isStarred = false
        case .archive: marks.isArchived = true
        case .unarchive: marks.isArchived = false
        case .mute: marks.isMuted = true
        case .unmute: marks.isMuted = false
        case .trash: marks.isTrashed = true
        case .restore: marks.isTrashed = false
        }
    }

    private static func words(_ action: ThreadAction, _ count: Int) -> String {
        let what = count == 1 ? "Thread" : "\(count) threads"
        return switch action {
        case .read: "\(what) marked as read."
        case .unread: "\(what) marked as unread."
        case .star: "\(what) starred."
        case .unstar: "\(what) not starred any more."
        case .archive: "\(what) archived; a new message brings \(count == 1 ? "it" : "them") back."
        case .unarchive: "\(what) moved to the inbox."
        case .mute: "\(what) muted: nothing in \(count == 1 ? "it" : "them") is told until a message names you."
        case .unmute: "\(what) not muted any more."
        case .trash: "\(what) moved to the trash."
        case .restore: "\(what) taken out of the trash."
        }
    }

    /// Erases what is in the trash for ever.
    func emptyTrash() async -> String {
        guard let store = agent.unlocked?.store else { return "Nothing was erased: the agent is locked." }
        let ids = await store.withItems { items in
            items.trashedCount == 0 ? [] : items.all.filter { items.marks($0).contains(.trashed) }.map { items.id($0) }
        }
        guard !ids.isEmpty else { return "The trash is empty." }
        do throws(SpoolError) {
            try await store.remove(ids)
        } catch {
            agent.services.log.error("trash not emptied", metadata: ["error": "\(error)"])
        }
        guard agent.unlocked?.store === store else { return "The agent was locked meanwhile; look at the trash again." }
        desk.storeChanged()
        agent.noteChange(of: store)
        let left = ids.count { store.items.contains($0) }
        let count = ids.count - left
        let words = "\(count) \(count == 1 ? "message" : "messages") erased for ever."
        return left == 0 ? words : words + " The others could not be: see ddsnode status."
    }

    func undo(_ handle: String) async -> UndoOutcome {
        switch undoBook.take(handle) {
        case nil: return UndoOutcome("This cannot be taken back any more.")
        case .marks(let before):
            let after = await change(Array(before.keys)) { _, id in before[id] }
            return UndoOutcome(
                after == nil ? "Not taken back: the local store cannot be written. See: ddsnode status" : "Taken back.")
        case .sent(let message):
            do throws(Failure) {
                let draft = try await agent.unsend(message)
                desk.storeChanged()
                return UndoOutcome("Taken back; nothing was sent.", draft: draft)
            } catch {
                return UndoOutcome("Not taken back: \(error.publicText).")
            }
        }
    }

    /// Changes the marks of messages. Returns those that were changed as they were before; nil when the disk refused.
    func change(_ ids: [String], _ change: (inout MessageMarks) -> Void) async -> [String: MessageMarks]? {
        await self.change(ids) { marks, _ in
            var marks = marks
            change(&marks)
            return marks
        }
    }

    private func change(_ ids: [String], _ change: (MessageMarks, String) -> MessageMarks?) async -> [String: MessageMarks]? {
        guard let store = agent.unlocked?.store else { return [:] }
        var before: [String: MessageMarks] = [:]
        let changed = ids.filter { id in
            guard let marks = store.marks(id), let after = change(marks, id), after != marks else { return false }
            before[id] = marks
            return true
        }
        guard !before.isEmpty else { return [:] }
        var isKept = true
        do throws(SpoolError) {
            try await store.update(changed) { summary in
                if let after = change(summary.marks, summary.id) { summary.marks = after }
            }
        } catch {
            agent.services.log.error("marks not kept", metadata: ["error": "\(error)"])
            isKept = false
        }
        desk.storeChanged()
        agent.noteChange(of: store)
        return isKept ? before : nil
    }
}
