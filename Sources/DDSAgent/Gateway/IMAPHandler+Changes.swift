// What a mail program does with messages: flags, copies, moves, removal. What makes no sense here is refused in words, and
// nothing is erased but from the trash.

import DDSCore
import DDSLoop
import DDSNode
import DDSSpool
import DDSWire

extension IMAPHandler {
    /// Of one message (RFC 9051 says nothing), and octets of one.
    private static var keywordsMax: Int { 64 }
    private static var keywordOctetsMax: Int { 128 }

    // MARK: Flags

    func mark(
        _ uids: [UInt32], _ change: IMAPFlagChange, unchangedSince limit: UInt64?
    ) async throws(FolderDesk.Problem) -> IMAPServerAnswer {
        guard let store = openStore, let selected else { throw .locked }
        let before = try await view()
        let keywords = uids.lazy.compactMap { before.row($0)?.flags.changed(by: change).keywords }
        guard keywords.allSatisfy(Self.areReasonable) else {
            throw .refused(
                IMAPRefusal(
                    "LIMIT", "A message has at most \(Self.keywordsMax) keywords, each of \(Self.keywordOctetsMax) octets"))
        }
        // RFC 7162 3.1.3: what somebody else has changed meanwhile is left alone.
        let modified = limit.map { limit in uids.filter { before.row($0).map { $0.modSeq > limit } ?? false } } ?? []
        let wanted = modified.isEmpty ? uids : uids.filter { !modified.contains($0) }
        do throws(SpoolError) {
            if case .mail = selected {
                let ids = await ids(wanted, store).compactMap { $0 }
                try await store.update(ids) { $0.flags = $0.flags.changed(by: change) }
            } else {
                for case let draft? in drafts(wanted) {
                    let flags = draft.imapFlags.changed(by: change)
                    try await agent.unlocked?.drafts.mark(
                        draft.id, flags: flags.system.subtracting([.draft, .seen]).rawValue, keywords: flags.keywords)
                }
            }
        } catch {
            throw trouble("flags not kept", error)
        }
        changed(store)
        let view = try await view().view
        return limit == nil ? .view(view) : .stored(view, modified: modified)
    }

    private static func areReasonable(_ keywords: [String]) -> Bool {
        keywords.count <= keywordsMax && keywords.allSatisfy { $0.utf8.count <= keywordOctetsMax }
    }

    // MARK: Moves

    /// How the summary changes that goes from the open mailbox into `folder`; throws where it cannot.
    private static func move(_ summary: StoredSummary, to folder: MailFolder) throws(FolderDesk.Problem) -> StoredSummary {
        var moved = summary
        moved.isDeleted = nil
        switch folder {
        case .trash: moved.isTrashed = true
        case .archive:
            moved.isTrashed = nil
            if !summary.isOwn { moved.isArchived = true }
        case .inbox, .group, .sent, .outbox:
            moved.isTrashed = nil
            if !summary.isOwn { moved.isArchived = nil }
        }
        // What is on its way is not put away, it is taken back.
        if summary.sendState == .waiting {
            throw cannot("This message waits to be sent; delete and expunge it in the Outbox to take it back")
        }
        guard moved.folder == folder else { throw cannot(words(moved.folder)) }
        return moved
    }

    private static func words(_ home: MailFolder) -> String {
        "A message is in its own folder, in Archive or in Trash; the own folder of this one is \(IMAPFolder.mail(home).name)"
    }

    static func cannot(_ words: String) -> FolderDesk.Problem { .refused(IMAPRefusal("CANNOT", words)) }

    /// The folder of the store that messages can be put into.
    private static func mail(_ folder: IMAPFolder) throws(FolderDesk.Problem) -> MailFolder {
        guard case .mail(let mail) = folder else {
            throw cannot("A message does not become a draft; append one, or forward it")
        }
        return mail
    }

    func move(_ uids: [UInt32], to folder: IMAPFolder) async throws(FolderDesk.Problem) -> IMAPServerAnswer {
        let (store, found) = try await messages(uids)
        let target = try Self.mail(folder)
        if folder == selected { throw Self.cannot("The messages are there already") }
        for (_, item) in found { _ = try Self.move(item.summary, to: target) }
        do throws(SpoolError) {
            try await store.update(found.map(\.item.summary.id)) { summary in
                if let moved = try? Self.move(summary, to: target) { summary = moved }
            }
        } catch {
            changed(store)
            throw trouble("messages not moved", error)
        }
        changed(store)
        let pairs = found.compactMap { uid, item in
            store.items[item.summary.id].flatMap { UInt32(exactly: $0.folderNumber) }.map { (uid, $0) }
        }
        return .copied(uidValidity: try await folders.uidValidity(), pairs: pairs)
    }

    /// Messages of the open mailbox that are there, with their numbers.
    private func messages(
        _ uids: [UInt32]
    ) async throws(FolderDesk.Problem) -> (store: MessageStore, found: [(uid: UInt32, item: MessageStore.Item)]) {
        guard let store = openStore, let selected else { throw .locked }
        guard case .mail = selected else { throw Self.cannot("A draft is no message; send or discard it") }
        let ids = await ids(uids, store)
        guard openStore === store else { throw .locked }
        return (store, zip(uids, ids).compactMap { uid, id in id.flatMap { store.items[$0] }.map { (uid, $0) } })
    }

    // MARK: Copies

    /// Octets that one COPY writes at most: it is one transaction.
    private static var copyOctetsMax: Int { 48 << 20 }

    func copy(_ uids: [UInt32], to folder: IMAPFolder) async throws(FolderDesk.Problem) -> IMAPServerAnswer {
        let (store, found) = try await messages(uids)
        let target = try Self.mail(folder)
        guard target != .outbox else { throw Self.cannot("What is in the Outbox is sent; send a message to have one there") }
        var copies: [StoredSummary] = []
        for (_, item) in found {
            var copy = item.summary
            if item.summary.folder == target { copy.isDeleted = nil } else { copy = try Self.move(item.summary, to: target) }
            copy.id = OpaqueID.make(agent.services.random)
            (copy.folderNumber, copy.origin) = (nil, nil)
            // By its signature the message is known that was there first.
            copy.signature?.digest = nil
            copies.append(copy)
        }
        guard copies.reduce(0, { $0 + $1.size }) <= Self.copyOctetsMax else {
            throw .refused(IMAPRefusal("LIMIT", "That is too much to copy at once; copy fewer messages, or move them"))
        }
        let records: [SpoolUID]
        do throws(SpoolError) {
            records = try await store.copy(found.map(\.item), as: copies)
        } catch {
            throw trouble("messages not copied", error)
        }
        changed(store)
        let pairs = zip(found.map(\.uid), records).compactMap { uid, record in
            UInt32(exactly: record.rawValue).map { (uid, $0) }
        }
        return .copied(uidValidity: try await folders.uidValidity(), pairs: pairs)
    }

    // MARK: Removal

    /// Does with what is marked `\Deleted` what its folder is for: into the trash, back from the outbox, from the trash for ever.
    func expunge(_ uids: [UInt32]) async throws(FolderDesk.Problem) -> IMAPView {
        guard let store = openStore, let selected else { throw .locked }
        if selected == .drafts {
            try await discard(uids, store)
        } else {
            let found = try await messages(uids).found.map(\.item.summary).filter { $0.isDeleted == true }
            var problem: FolderDesk.Problem?
            do throws(SpoolError) {
                switch selected {
                case .mail(.trash):
                    try await store.remove(found.map(\.id))
                case .mail(.outbox):
                    try await store.trash(found.filter { $0.sendState != .waiting }.map(\.id))
                    for summary in found where summary.sendState == .waiting {
                        do throws(Failure) {
                            _ = try await agent.unsend(summary.id)
                        } catch {
                            problem = Self.cannot("It cannot be taken back: \(error.publicText)")
                        }
                    }
                case .mail, .drafts: try await store.trash(found.map(\.id))
                }
            } catch {
                changed(store)
                throw trouble("messages not removed", error)
            }
            if !found.isEmpty { changed(store) }
            if let problem { throw problem }
        }
        return try await view().view
    }

    private func discard(_ uids: [UInt32], _ store: MessageStore) async throws(FolderDesk.Problem) {
        do throws(SpoolError) {
            for case let draft? in drafts(uids) where draft.imapFlags.system.contains(.deleted) {
                try await agent.unlocked?.drafts.discard(draft.id)
            }
        } catch {
            throw trouble("draft not discarded", error)
        }
        changed(store)
    }
}

// MARK: Flags of messages and drafts

extension RowMarks {
    var flags: IMAPFlags.System {
        var flags: IMAPFlags.System = contains(.unread) ? [] : .seen
        if contains(.answered) { flags.insert(.answered) }
        if contains(.starred) { flags.insert(.flagged) }
        if contains(.deleted) { flags.insert(.deleted) }
        return flags
    }
}

extension StoredSummary {
    /// `\Seen` is kept of what came in, and `\Draft` of nothing here.
    var flags: IMAPFlags {
        get { IMAPFlags(RowMarks(self).flags, keywords: keywords ?? []) }
        set {
            if !isOwn { isUnread = !newValue.system.contains(.seen) }
            isAnswered = newValue.system.contains(.answered) ? true : nil
            isStarred = newValue.system.contains(.flagged) ? true : nil
            isDeleted = newValue.system.contains(.deleted) ? true : nil
            keywords = newValue.keywords.isEmpty ? nil : newValue.keywords
        }
    }
}

extension Draft {
    var imapFlags: IMAPFlags {
        IMAPFlags(IMAPFlags.System(rawValue: flags ?? 0).union([.draft, .seen]), keywords: keywords ?? [])
    }
}
