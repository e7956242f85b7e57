// The local store while it is unlocked: summaries in RAM, messages on disk under the store key. Imports what was fetched,
// keeps what was written, applies what became of it. Nothing is deleted before its successor is durable, and nothing is shown
// that is not stored.

import DDSCore
import DDSLoop
import DDSNode
import DDSSeal
import DDSSpool

@LoopActor final class MessageStore {
    /// A message, and where its records are.
    nonisolated struct Item: Sendable {
        var summary: StoredSummary
        var summaryRecord: SpoolUID
        var messageRecord: SpoolUID

        var tag: RecordTag { RecordTag.named(summary.id) }
    }

    /// What makes records of messages; free to use beside the loop.
    nonisolated let intake: StoreIntake
    let spool: any SpoolEngine
    let keys: VaultKeys
    /// What may open fetched mail, asked anew for each message: the keys change while the store is open.
    var identities: @LoopActor () -> [AgeIdentity]
    let seal: StoreSeal
    let trust: TrustBook
    let time: any TimeSource
    /// Shared with whatever else writes to this spool's local records, a store that was opened earlier included.
    let gate: LoopGate
    var items = SummaryTable()
    var packs: PackBook
    /// Fetched mail in the inbox that could not be opened: kept, never deleted, not tried again before the next unlock.
    var unopenable: Set<SpoolUID> = []
    /// The same, set aside after the last try.
    var quarantined: Set<SpoolUID> = []
    /// Of messages that an import compared; each is read once for it.
    var digests: [String: [UInt8]] = [:]
    private(set) var isClosed = false
    /// Hears of messages that came or went, by `SearchableMessages.number`.
    var onChange: (@LoopActor (_ added: [UInt64], _ removed: [UInt64]) -> Void)?
    /// Of messages that this person signed, the last number for each group and, under an empty name, for persons.
    var sequences: [String: UInt64] = [:]
    /// Imports follow each other; each goes through `gate` once a message.
    let importGate = LoopGate()

    private init(
        spool: any SpoolEngine, keys: VaultKeys, account: AgentAccount, random: any RandomSource, time: any TimeSource,
        gate: LoopGate
    ) {
        self.spool = spool
        self.keys = keys
        identities = { [mailbox = keys.mailbox] in [mailbox] }
        self.time = time
        self.gate = gate
        seal = StoreSeal(key: keys.storeKey, random: random)
        let judge = SignatureJudge(
            server: Array(account.nodeKeyHash.prefix(SignatureContext.serverBytes)), me: account.address,
            ownKey: Hex.encode(SigningKey(seed: keys.identitySeed).publicKey))
        intake = StoreIntake(seal: seal, account: account, judge: judge)
        trust = TrustBook(spool: spool, seal: seal, me: account.address, ownKey: judge.ownKey)
        packs = PackBook([], seal: seal, time: time)
    }

    /// Loads the summaries, and finishes what a stop has cut off. Throws when one cannot be read; a store that shows less than it
    /// has would lie. `listing` is what lies on disk; whoever has read it while there was no key yet has gained that time.
    static func open(
        spool: any SpoolEngine, keys: VaultKeys, account: AgentAccount, random: any RandomSource, time: any TimeSource,
        gate: LoopGate, listing: StoreListing? = nil
    ) async throws(Failure) -> MessageStore {
        let store = MessageStore(spool: spool, keys: keys, account: account, random: random, time: time, gate: gate)
        await gate.enter()
        defer { gate.leave() }
        do throws(SpoolError) {
            try await store.load(listing)
        } catch {
            throw Failure(.inputOutput, "the local store cannot be read: \(error); restore the state folder from a backup")
        }
        return store
    }

    /// The number of the next message that this person signs for a group, nil for persons.
    func nextSequence(_ group: String?) -> UInt64 {
        let number = (sequences[group ?? ""] ?? 0) + 1
        sequences[group ?? ""] = number
        return number
    }

    private func put(_ summary: StoredSummary, messageRecord: SpoolUID, summaryRecord: SpoolUID) {
        let isNew = !items.contains(summary.id)
        packs.changed(items.put(summary, messageRecord: messageRecord, summaryRecord: summaryRecord))
        if isNew { onChange?([messageRecord.rawValue], []) }
    }

    /// Nothing is changed any more and memory is given back; the agent was locked. What is being written is finished.
    func close() {
        isClosed = true
        Loop.discard(items)
        items = SummaryTable()
        packs.close()
        digests = [:]
        trust.close()
    }

    /// Waits for the changes before this one. Leaves the gate again and throws when the store was closed meanwhile.
    func enter() async throws(SpoolError) {
        await gate.enter()
        guard isClosed else { return }
        gate.leave()
        throw .stopped("the agent was locked meanwhile")
    }

    /// Ids in order of arrival. Made anew by each call, like the next.
    var order: [String] { items.all.map { items.id($0) } }

    /// Summaries in order of arrival.
    var summaries: [StoredSummary] { Self.summaries(items) }

    private nonisolated static func summaries(_ items: SummaryTable) -> [StoredSummary] { items.all.map { items.summary($0) } }

    func marks(_ id: String) -> MessageMarks? { items.place(id).map { items.marks($0).message } }

    var unreadCount: Int { items.unreadCount }

    /// What a turn of the loop may do something with.
    private static let summariesAtOnce = 200

    /// What `work` makes of all summaries in order of arrival; on a worker when they are many.
    func withSummaries<Value: Sendable>(_ work: @escaping @Sendable ([StoredSummary]) -> Value) async -> Value {
        await withItems { work(Self.summaries($0)) }
    }

    /// What `work` makes of the table; on a worker when it has many rows.
    func withItems<Value: Sendable>(_ work: @escaping @Sendable (SummaryTable) -> Value) async -> Value {
        await Loop.offload(when: items.count > Self.summariesAtOnce) { [items] in work(items) }
    }

    /// Fetched messages that do not open and are kept.
    var unopened: Int { unopenable.count + quarantined.count }

    /// The message byte for byte, nil when unknown.
    func message(_ id: String) async throws(SpoolError) -> [UInt8]? {
        guard let item = items[id] else { return nil }
        let sealed = try await spool.read(item.messageRecord, offset: 0, count: .max)
        let message = try? await Heavy.perform(octets: sealed.count) { [seal] in
            seal.open(sealed, mailbox: AgentMailbox.messages, tag: item.tag)
        }
        guard let message else { throw .damaged(item.messageRecord, "a message of the local store does not open") }
        return message
    }
}

// MARK: Changes

extension MessageStore {
    /// Makes a message visible whose records a caller's own transaction has made durable. The caller is inside the gate.
    func added(_ message: StoreIntake.Prepared, records: ArraySlice<SpoolUID>) {
        precondition(records.count == 2, "a message has two records")
        guard !isClosed else { return }
        put(
            message.summary, messageRecord: records[records.startIndex], summaryRecord: records[records.startIndex + 1])
    }

    /// Messages that one transaction of many changes: sealing their summaries is done in one turn of the loop.
    private static let changedAtOnce = 50

    /// Changes summaries by `change`; what it leaves alone is not written. Many are changed in several transactions: after an error
    /// those before it are.
    func update(_ ids: [String], _ change: (inout StoredSummary) -> Void) async throws(SpoolError) {
        try await inParts(ids) { part throws(SpoolError) in try await write(part, alsoErasing: [], change) }
    }

    private func inParts(_ ids: [String], _ work: ([String]) async throws(SpoolError) -> Void) async throws(SpoolError) {
        for start in stride(from: 0, to: ids.count, by: Self.changedAtOnce) {
            try await enter()
            defer { gate.leave() }
            try await work(Array(ids[start..<min(start + Self.changedAtOnce, ids.count)]))
        }
    }

    /// The same for a caller who is inside the gate, with other records that go in the same transaction.
    func write(_ ids: [String], alsoErasing erasures: [SpoolUID], _ change: (inout StoredSummary) -> Void)
        async throws(SpoolError)
    {
        var transaction = SpoolTransaction(erasures: erasures)
        var changed: [Item] = []
        for id in ids {
            guard var item = items[id] else { continue }
            let before = item.summary
            change(&item.summary)
            guard item.summary != before else { continue }
            item.summary.renumber(since: before, in: item.summaryRecord)
            transaction.appends.append(
                .record(mailbox: AgentMailbox.summaries, tag: item.tag, flags: 0, body: try sealed(item.summary, tag: item.tag))
            )
            transaction.erasures.append(item.summaryRecord)
            changed.append(item)
        }
        guard !transaction.appends.isEmpty || !transaction.erasures.isEmpty else { return }
        let records = try await spool.commit(transaction)
        guard !isClosed else { return }
        for (item, record) in zip(changed, records) {
            put(item.summary, messageRecord: item.messageRecord, summaryRecord: record)
        }
    }

    private func sealed(_ summary: StoredSummary, tag: RecordTag) throws(SpoolError) -> [UInt8] {
        do {
            return try seal.seal(summary, mailbox: AgentMailbox.summaries, tag: tag)
        } catch {
            throw .stopped("a summary cannot be encoded: \(error)")
        }
    }

    /// Erases messages from the local store, many of them in several transactions.
    func remove(_ ids: [String]) async throws(SpoolError) {
        try await inParts(ids) { part throws(SpoolError) in try await erase(part) }
    }

    /// The same for a caller who is inside the gate. Packs go first: nothing of what is removed stays in one.
    func erase(_ ids: [String]) async throws(SpoolError) {
        let gone = ids.compactMap { items[$0] }
        guard !gone.isEmpty else { return }
        let chunks = Set(ids.compactMap { items.place($0)?.chunk })
        var transactions = StoreRemoval.removing(messages: gone.map(\.messageRecord), summaries: gone.map(\.summaryRecord))
        transactions[0].erasures.insert(contentsOf: packs.records(of: chunks), at: 0)
        for (step, transaction) in transactions.enumerated() {
            _ = try await spool.commit(transaction)
            guard !isClosed, step == 0 else { continue }
            packs.erased(chunks, items)
            for item in gone { items.remove(item.summary.id) }
        }
        onChange?([], gone.map(SearchableMessages.number))
    }

    /// Writes what the node reports into the summaries and forgets the report, in one transaction. The caller is inside the gate.
    func apply(_ report: DeliveryReport, from record: SpoolUID) async throws(SpoolError) {
        let messages = Dictionary(
            report.messages.filter { !$0.submission.isEmpty }.map { ($0.submission, $0) }, uniquingKeysWith: { $1 })
        let ids = await withItems { items in
            items.own.filter { $0.submission.map { messages[$0] != nil } ?? false }.map(\.id)
        }
        try await write(ids, alsoErasing: [record]) { summary in
            if let message = summary.submission.flatMap({ messages[$0] }) { summary.apply(message) }
        }
    }

    /// Writes what became of submissions into their summaries and forgets the outcome records, each in one transaction.
    func applyOutcomes() async throws(SpoolError) {
        try await enter()
        defer { gate.leave() }
        let outcomes = try await spool.entries(in: AgentMailbox.outcomes)
        guard !outcomes.isEmpty else { return }
        let byTag = await withItems { items in
            Dictionary(items.own.map { (RecordTag.named($0.id), $0.id) }, uniquingKeysWith: { $1 })
        }
        for entry in outcomes {
            let note = String(decoding: try await spool.read(entry.uid, offset: 0, count: entry.size), as: UTF8.self)
            let state: SendState = entry.flags == OutcomeFlags.accepted ? .sent : .refused
            try await write(byTag[entry.tag].map { [$0] } ?? [], alsoErasing: [entry.uid]) { summary in
                summary.sendState = state
                summary.note = note.isEmpty ? nil : note
            }
            if isClosed { return }
        }
    }
}

// MARK: Groups

extension MessageStore {
    /// Groups that were joined after the enrolment are known by their mail.
    func hasMail(ofGroup name: String) -> Bool {
        (items.received[name] ?? 0) > 0
    }

    var groupsWithMail: [String] { items.received.filter { $0.value > 0 }.map(\.key) }
}
