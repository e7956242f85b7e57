// Keeps the mailboxes of mail programs in step with the local store, for all sessions together, and says how each is now.
// What is in which folder, FolderIndex says; what is done with it, IMAPHandler.

import DDSBus
import DDSCore
import DDSLoop
import DDSNode
import DDSSpool
import DDSWire
import Logging

/// A mailbox as it was at one moment, with what its rows stand for.
final class FolderView: Sendable {
    let folder: IMAPFolder
    let view: IMAPView
    let status: IMAPStatus

    init(_ folder: IMAPFolder, _ view: IMAPView) {
        self.folder = folder
        self.view = view
        status = IMAPStatus(
            messages: view.rows.count, unseen: view.rows.count { !$0.flags.system.contains(.seen) },
            deleted: view.rows.count { $0.flags.system.contains(.deleted) }, uidNext: view.uidNext,
            uidValidity: view.uidValidity, highestModSeq: view.highestModSeq, size: view.rows.reduce(0) { $0 + $1.size })
    }

    func row(_ uid: UInt32) -> IMAPRow? {
        let place = view.rows.partition { $0.uid >= uid }
        return place < view.rows.count && view.rows[place].uid == uid ? view.rows[place] : nil
    }
}

@LoopActor final class FolderDesk {
    /// What a version of a mailbox was, to know whether it is another one.
    private struct Known {
        var rows = FolderIndex.Rows()
        var draftChanges = 0
        /// The version of the table that was looked at last.
        var tableVersion = -1
        var version: UInt64 = 0
        /// Never less than they were (RFC 9051 section 2.3.1.1, RFC 7162 section 3.1.2.1), not even by a program before this one.
        var uidNext: UInt32 = 1
        var highestModSeq: UInt64 = 1
    }

    /// Why a mailbox is not told.
    enum Problem: Error, Hashable {
        case locked
        case refused(IMAPRefusal)
    }

    let agent: Agent
    private var index = FolderIndex(SummaryTable())
    private var indexOf: ObjectIdentifier?
    private var known: [IMAPFolder: Known] = [:]
    /// Higher than the numbers of everything that was there before the first look, gone or not.
    private var firstNext: SpoolUID?
    private var views: [IMAPFolder: FolderView] = [:]
    private var statuses: [IMAPFolder: (version: UInt64, status: IMAPStatus)] = [:]
    /// How many sessions look at a mailbox; the views of others are not kept.
    private var watchers: [IMAPFolder: Int] = [:]
    let sizes: GivenSizes
    /// Of drafts, by their records: of another record it is another text.
    private var draftSizes: [SpoolUID: Int] = [:]
    /// Which messages belong together, and the table's state of which that is so.
    private var members: (membership: Int, value: ThreadMembers)?
    private let gate = LoopGate()
    private var busSubscription: SubscriberID?

    init(agent: Agent) {
        self.agent = agent
        sizes = GivenSizes(log: agent.services.log)
        busSubscription = agent.services.bus.subscribe([.store]) { [weak self] events in
            if events.contains(.locked) { self?.wipe() }
        }
    }

    /// Ends the subscription to the bus.
    func close() {
        if let busSubscription { agent.services.bus.unsubscribe(busSubscription) }
        busSubscription = nil
        wipe()
    }

    /// Forgets what it knows of mail; numbers stay, since mail programs remember them.
    func wipe() {
        let old = index
        index = FolderIndex(SummaryTable())
        indexOf = nil
        views = [:]
        statuses = [:]
        sizes.forget()
        draftSizes = [:]
        members = nil
        for folder in known.keys {
            known[folder]?.rows = FolderIndex.Rows()
            known[folder]?.tableVersion = -1
        }
        Loop.discard(old)
    }

    func began(_ folder: IMAPFolder) { watchers[folder, default: 0] += 1 }

    func ended(_ folder: IMAPFolder) {
        watchers[folder, default: 1] -= 1
        guard watchers[folder] ?? 0 <= 0 else { return }
        watchers[folder] = nil
        if let view = views.removeValue(forKey: folder) { Loop.discard(view) }
    }

    // MARK: Names

    var mailboxes: [IMAPMailbox] {
        let left = agent.unlocked?.settings.settings.unsubscribedMailboxes ?? []
        return (IMAPFolder.standing + agent.groupNames.map { IMAPFolder.mail(.group($0)) }).map { folder in
            IMAPMailbox(name: folder.name, use: folder.use, isSubscribed: !left.contains(folder.name))
        }
    }

    func folder(_ name: String) -> IMAPFolder? { IMAPFolder(name: name, groups: agent.groupNames) }

    // MARK: How it is

    /// The same for all mailboxes, and made once: another store has another one, and a later one a higher.
    func uidValidity() async throws(Problem) -> UInt32 {
        guard let settings = agent.unlocked?.settings else { throw .locked }
        if let number = settings.settings.uidValidity { return number }
        let fresh = UInt32(clamping: max(1, agent.services.time.wall.seconds))
        do throws(SpoolError) {
            try await settings.change { $0.uidValidity = $0.uidValidity ?? fresh }
        } catch {
            throw .refused(IMAPRefusal("SERVERBUG", "The mailboxes cannot be numbered: the local store cannot be written"))
        }
        guard let number = agent.unlocked?.settings.settings.uidValidity else { throw .locked }
        return number
    }

    /// What is known of a mailbox. At the first look it begins behind all numbers that were ever used: nobody has kept what the
    /// highest of this mailbox was, if that is gone.
    private func known(_ folder: IMAPFolder) async throws(Problem) -> Known {
        if let known = known[folder] { return known }
        if firstNext == nil {
            do throws(SpoolError) {
                firstNext = try await agent.spool.statistics().nextUID
            } catch {
                throw .refused(IMAPRefusal("SERVERBUG", "The mailboxes cannot be numbered: the local store cannot be read"))
            }
        }
        var fresh = Known()
        fresh.uidNext = UInt32(clamping: max(1, firstNext?.rawValue ?? 1))
        fresh.highestModSeq = max(1, (firstNext?.rawValue ?? 1) &- 1)
        return known[folder] ?? fresh
    }

    /// The index of everything as it is now.
    func current(_ store: MessageStore) async -> FolderIndex {
        if isCurrent(store) { return index }
        await gate.pass {
            guard !isCurrent(store), !store.isClosed else { return }
            let before = indexOf == ObjectIdentifier(store) ? index : nil
            let fresh = await store.withItems { FolderIndex($0, before: before) }
            guard agent.unlocked?.store === store else { return }
            let old = index
            (index, indexOf) = (fresh, ObjectIdentifier(store))
            Loop.discard((old, before))
        }
        return index
    }

    /// Which messages of `table` belong together: the same until one comes or goes.
    func members(of table: SummaryTable) async -> ThreadMembers {
        if let members, members.membership == table.membership { return members.value }
        let fresh = await Loop.offload { ThreadMembers(table) }
        if !agent.isLocked { members = (table.membership, fresh) }
        return fresh
    }

    private func isCurrent(_ store: MessageStore) -> Bool {
        indexOf == ObjectIdentifier(store) && index.table.version == store.items.version
    }

    func view(_ folder: IMAPFolder) async throws(Problem) -> FolderView {
        guard let store = agent.unlocked?.store else { throw .locked }
        // Most questions come when nothing has changed.
        if isCurrent(store), let view = views[folder], let known = known[folder], known.version == view.view.version,
            known.tableVersion == store.items.version
        {
            return view
        }
        let validity = try await uidValidity()
        if case .mail(let mail) = folder {
            var index = await current(store)
            var learnt: [String: Int] = [:]
            let unsized = index.rows(of: mail).unsized
            if !unsized.isEmpty {
                learnt = await sizes.octets(of: unsized.map { index.table.id($0) }, in: store)
                index = await current(store)
            }
            guard agent.unlocked?.store === store else { throw .locked }
            return try await view(folder, index, index.rows(of: mail), validity, learnt)
        }
        return try await draftsView(validity)
    }

    func status(_ folder: IMAPFolder) async throws(Problem) -> IMAPStatus {
        if case .mail(let mail) = folder, let store = agent.unlocked?.store, let kept = statuses[folder],
            known[folder]?.version == kept.version
        {
            let rows = await current(store).rows(of: mail)
            let last = known[folder]?.rows
            if await Loop.offload(when: rows.count > 1000, { rows == last }) { return kept.status }
        }
        return try await view(folder).status
    }

    private func view(
        _ folder: IMAPFolder, _ index: FolderIndex, _ rows: FolderIndex.Rows, _ validity: UInt32, _ sizes: [String: Int]
    ) async throws(Problem) -> FolderView {
        guard rows.unnumbered == 0 else {
            throw .refused(
                IMAPRefusal(
                    "LIMIT",
                    "More was stored in this state folder than mail programs can count (4,294,967,295 records); they can show "
                        + "messages again once you have joined with a new one"
                ))
        }
        var known = try await known(folder)
        let last = known.rows
        if known.version > 0, await Loop.offload(when: rows.count > 1000, { last == rows }), let view = views[folder],
            view.view.version == known.version
        {
            self.known[folder]?.tableVersion = index.table.version
            return view
        }
        known = self.known[folder] ?? known
        known.rows = rows
        known.tableVersion = index.table.version
        known.version += 1
        known.uidNext = max(known.uidNext, (rows.numbers.last ?? 0) &+ 1)
        known.highestModSeq = max(known.highestModSeq, rows.changes.max() ?? 1)
        self.known[folder] = known
        let view = await Loop.offload(when: rows.count > 200) { [known] in
            FolderView(
                folder,
                IMAPView(
                    uidValidity: validity, uidNext: known.uidNext, highestModSeq: known.highestModSeq,
                    rows: Self.rows(rows, index.table, sizes: sizes), permanentFlags: folder.permanentFlags,
                    version: known.version))
        }
        keep(view)
        return view
    }

    private func keep(_ view: FolderView) {
        guard !agent.isLocked else { return }
        statuses[view.folder] = (view.view.version, view.status)
        if watchers[view.folder] != nil { views[view.folder] = view }
    }

    private nonisolated static func rows(
        _ rows: FolderIndex.Rows, _ table: SummaryTable, sizes: [String: Int]
    ) -> [IMAPRow] {
        var found: [IMAPRow] = []
        found.reserveCapacity(rows.count)
        for row in 0..<rows.count {
            let place = rows.places[row]
            // What cannot be read has no size, and is in no mailbox.
            guard let size = table.givenSize(place) ?? sizes[table.id(place)] else { continue }
            found.append(
                IMAPRow(
                    uid: rows.numbers[row], modSeq: rows.changes[row], flags: flags(of: place, table),
                    internalDate: table.received(place) / 1000, size: size))
        }
        return found
    }

    private nonisolated static func flags(of place: SummaryTable.Place, _ table: SummaryTable) -> IMAPFlags {
        let marks = table.marks(place)
        // Few have keywords, and for them alone the summary is decoded.
        return IMAPFlags(marks.flags, keywords: marks.contains(.keywords) ? table.summary(place).keywords ?? [] : [])
    }

    // MARK: Drafts

    private func draftsView(_ validity: UInt32) async throws(Problem) -> FolderView {
        guard let drafts = agent.unlocked?.drafts else { throw .locked }
        var known = try await known(.drafts)
        if known.version > 0, known.draftChanges == drafts.changeCount, let view = views[.drafts],
            view.view.version == known.version
        {
            return view
        }
        known.draftChanges = drafts.changeCount
        known.version += 1
        self.known[.drafts] = known
        var rows: [IMAPRow] = []
        for kept in drafts.numbered {
            guard let number = UInt32(exactly: kept.number) else { continue }
            guard let size = await draftSize(kept) else { throw .locked }
            rows.append(
                IMAPRow(
                    uid: number, modSeq: kept.record.rawValue, flags: kept.draft.imapFlags,
                    internalDate: kept.draft.saved / 1000, size: size))
        }
        known.uidNext = max(known.uidNext, (rows.last?.uid ?? 0) &+ 1)
        known.highestModSeq = max(known.highestModSeq, rows.map(\.modSeq).max() ?? 1)
        self.known[.drafts]?.uidNext = known.uidNext
        self.known[.drafts]?.highestModSeq = known.highestModSeq
        let view = FolderView(
            .drafts,
            IMAPView(
                uidValidity: validity, uidNext: known.uidNext, highestModSeq: known.highestModSeq, rows: rows,
                permanentFlags: IMAPFolder.drafts.permanentFlags, version: known.version))
        keep(view)
        return view
    }

    private func draftSize(_ kept: DraftBook.Numbered) async -> Int? {
        if let raw = kept.draft.raw { return raw.count }
        if let size = draftSizes[kept.record] { return size }
        let size = await agent.octets(of: kept.draft).count
        if agent.isLocked { return nil }
        draftSizes[kept.record] = size
        return size
    }
}
