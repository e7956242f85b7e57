// Keeps the search index in step with the local store while the agent is unlocked: what was kept of it is put back, what is new
// is added, what was removed goes at once, and all that beside the loop. What is looked for and shown is in other files.

import DDSCore
import DDSLoop
import DDSNode
import DDSSeal
import DDSSpool
import DDSSearch
import Logging

@LoopActor final class SearchDesk {
    /// What exists between unlock and lock.
    @LoopActor final class Session {
        let store: MessageStore
        let index: SearchIndex
        let snapshot: SearchSnapshot?
        /// Numbers of messages that are not indexed yet, in ascending order.
        fileprivate(set) var pending: [UInt64] = []
        /// Numbers of messages that were removed and may be indexed.
        fileprivate var removed: Set<UInt64> = []
        /// What was kept has been looked at.
        fileprivate(set) var isPrepared = false
        fileprivate var isWorking = false
        /// Why it is not complete and will not be, in words.
        fileprivate(set) var trouble: String?
        fileprivate var waiting: [CheckedContinuation<Void, Never>] = []

        fileprivate init(store: MessageStore, index: SearchIndex, snapshot: SearchSnapshot?) {
            self.store = store
            self.index = index
            self.snapshot = snapshot
        }

        var isSettled: Bool { isPrepared && pending.isEmpty && removed.isEmpty && !isWorking }
        /// Messages that can be found.
        var indexed: Int { isPrepared ? max(0, store.items.count - pending.count) : 0 }
    }

    /// Messages and octets that are taken at once: less than a pool thread does in a tenth of a second.
    private static let batchMessages = 64
    private static let batchOctets = 4 << 20
    /// How long changes may be in memory only. They are added again after an end that came before.
    static let quiet: Duration = .seconds(60)

    let services: Services
    private let makeDisk: @Sendable () throws(DiskError) -> sending any Disk
    private let partMessages: Int
    private(set) var session: Session?
    var results = SearchResultBook()
    /// One change of an index and of the files at a time, also over a lock.
    private let gate = LoopGate()
    private var timer: LoopTimer?
    private var closing: Task<Void, Never>?
    /// What was found on the disk at the last unlock, for `status`.
    private(set) var keptAtUnlock = 0
    /// For tests: called before each batch.
    var onBatch: @LoopActor () async -> Void = {}

    init(
        services: Services, partMessages: Int = SearchIndex.partMessages,
        disk: @escaping @Sendable () throws(DiskError) -> sending any Disk
    ) {
        self.services = services
        self.partMessages = partMessages
        makeDisk = disk
    }

    // MARK: Unlock and lock

    /// Begins to index `store` under its keys; nothing happens when that has begun.
    func open(_ store: MessageStore, storeKey: SecretBytes) {
        guard session == nil, !store.isClosed else { return }
        var snapshot: SearchSnapshot?
        do throws(DiskError) {
            snapshot = SearchSnapshot(disk: try makeDisk(), storeKey: storeKey, random: services.random)
        } catch {
            services.log.error("the search index is not kept", metadata: ["error": "\(error)"])
        }
        let session = Session(store: store, index: SearchIndex(partMessages: partMessages), snapshot: snapshot)
        self.session = session
        store.onChange = { [weak self] added, removed in self?.changed(session, added, removed) }
        timer = LoopTimer { [weak self] in self?.saveSoon(session) }
        Loop.spawn(name: "search") { [self] in await prepare(session) }
    }

    /// Forgets everything. What was not written yet is written first, beside the loop; `closed` waits for it.
    func close() {
        guard let session else { return }
        self.session = nil
        results = SearchResultBook()
        session.store.onChange = nil
        session.pending = []
        timer?.close()
        timer = nil
        let removed = session.removed
        session.removed = []
        release(session)
        closing = Loop.spawn(name: "search") { [self] in
            await gate.pass {
                if session.isPrepared, session.trouble == nil {
                    await remove(removed, from: session)
                    await save(session)
                }
                await Loop.offload { session.index.close() }
            }
        }
    }

    func closed() async { await closing?.value }

    /// Waits until everything that is in the store now can be found, or never will be.
    func settled() async {
        guard let session else { return }
        await withCheckedContinuation { continuation in
            if session.isSettled || session.trouble != nil || self.session !== session { return continuation.resume() }
            session.waiting.append(continuation)
        }
    }

    private func release(_ session: Session) {
        for continuation in session.waiting { continuation.resume() }
        session.waiting = []
    }

    // MARK: Work

    /// Puts back what was kept, and finds out what is missing and what is too much.
    private func prepare(_ session: Session) async {
        await gate.pass {
            guard self.session === session else { return }
            await load(session)
            guard self.session === session else { return }
            // From here on every change is heard; nothing awaits between these lines.
            let messages = SearchableMessages(session.store)
            session.pending = []
            session.removed = []
            let found = await Loop.offload { [index = session.index] in
                Result { () throws(SearchError) in Self.difference(try index.numbers(), messages.numbers) }
            }
            guard self.session === session else { return }
            switch found {
            case .success(let difference):
                keptAtUnlock = messages.count - difference.missing.count
                session.pending = difference.missing.filter { !session.removed.contains($0) } + session.pending
                session.removed.formUnion(difference.gone)
                session.isPrepared = true
            case .failure(let error): fail(session, error)
            }
        }
        work(session)
    }

    private func load(_ session: Session) async {
        guard let snapshot = session.snapshot else { return }
        let loaded = await Loop.offload { [index = session.index] in
            Result { () throws(DiskError) in try snapshot.load(into: index) }
        }
        switch loaded {
        case .success(let lost):
            for part in lost {
                services.log.notice(
                    "a part of the search index is made anew", metadata: ["part": "\(part.name)", "why": "\(part.why)"])
            }
        case .failure(let error): services.log.error("the search index cannot be read", metadata: ["error": "\(error)"])
        }
    }

    /// Both in ascending order.
    private nonisolated static func difference(_ indexed: [UInt64], _ stored: [UInt64]) -> (missing: [UInt64], gone: [UInt64]) {
        let (known, there) = (Set(indexed), Set(stored))
        return (stored.filter { !known.contains($0) }, indexed.filter { !there.contains($0) })
    }

    private func changed(_ session: Session, _ added: [UInt64], _ removed: [UInt64]) {
        session.pending += added
        if !removed.isEmpty {
            session.removed.formUnion(removed)
            session.pending.removeAll { session.removed.contains($0) }
        }
        work(session)
    }

    private func work(_ session: Session) {
        guard session.isPrepared, !session.isWorking, self.session === session else { return }
        if session.isSettled { return release(session) }
        session.isWorking = true
        Loop.spawn(name: "search") { [self] in
            while self.session === session, session.trouble == nil, !(session.pending.isEmpty && session.removed.isEmpty) {
                await onBatch()
                await gate.pass { await step(session) }
            }
            session.isWorking = false
            release(session)
            if self.session === session { timer?.schedule(at: services.time.now + Self.quiet) }
        }
    }

    /// The caller is inside the gate.
    private func step(_ session: Session) async {
        guard self.session === session else { return }
        if !session.removed.isEmpty {
            let removed = session.removed
            session.removed = []
            await remove(removed, from: session)
            await save(session)
            return
        }
        var batch: [(number: UInt64, summary: StoredSummary, message: [UInt8]?)] = []
        var octets = 0
        let numbers = Array(session.pending.prefix(Self.batchMessages))
        for (number, summary) in Self.summaries(numbers, session.store.items) where octets < Self.batchOctets {
            let message = try? await session.store.message(summary.id)
            guard self.session === session else { return }
            batch.append((number, summary, message))
            octets += summary.size
            await Loop.giveWay()
        }
        let last = octets < Self.batchOctets ? numbers.last : batch.last?.number
        let result = await Loop.offload { [index = session.index, batch] in
            Result { () throws(SearchError) in
                try index.add(batch.map { SearchableMessages.document($0.number, $0.summary, $0.message) })
            }
        }
        Loop.discard(batch)
        guard self.session === session else { return }
        if case .failure(let error) = result { return fail(session, error) }
        session.pending.removeAll { number in last.map { number <= $0 } ?? true }
        // A part that is full will not change soon.
        if await Loop.offload({ [index = session.index] in index.changed.count > 1 }) { await save(session, onlyFull: true) }
    }

    /// Of those that are there. Whoever holds the whole table while others change it makes them copy it.
    private static func summaries(_ numbers: [UInt64], _ table: SummaryTable) -> [(UInt64, StoredSummary)] {
        numbers.compactMap { number in table.place(of: SpoolUID(rawValue: number)).map { (number, table.summary($0)) } }
    }

    private func remove(_ numbers: Set<UInt64>, from session: Session) async {
        guard !numbers.isEmpty else { return }
        let result = await Loop.offload { [index = session.index] in
            Result { () throws(SearchError) in try index.remove(numbers) }
        }
        if case .failure(let error) = result { fail(session, error) }
    }

    private func fail(_ session: Session, _ error: SearchError) {
        session.trouble = "the search index cannot be kept up: \(error.words); lock and unlock to try again"
        services.log.error("search index", metadata: ["error": "\(error)"])
        release(session)
    }

    // MARK: Files

    private func saveSoon(_ session: Session) {
        Loop.spawn(name: "search") { [self] in await save() }
    }

    /// Writes what has changed; for tests, and when it was quiet for a while.
    func save() async {
        guard let session else { return }
        await gate.pass { if self.session === session { await save(session) } }
    }

    /// The caller is inside the gate.
    private func save(_ session: Session, onlyFull: Bool = false) async {
        guard let snapshot = session.snapshot else { return }
        let trouble = await Loop.offload { [index = session.index] () -> String? in
            let changed = index.changed
            for part in onlyFull ? changed.dropLast() : changed[...] {
                do throws(Failure) {
                    try snapshot.save(part: part, of: index)
                } catch {
                    return error.publicText
                }
            }
            return nil
        }
        // Nothing is lost: it is indexed again after the next unlock.
        if let trouble { services.log.error("search index not written", metadata: ["error": "\(trouble)"]) }
    }
}
