// The local store while it is unlocked: summaries in RAM, messages on disk under the store key. Imports what was fetched,
// keeps what was written, applies what became of it. Nothing is deleted before its successor is durable.

import DDSCore
import DDSLoop
import DDSMail
import DDSNode
import DDSSeal
import DDSSpool

@LoopActor final class MessageStore {
    /// A message in memory, and where its records are.
    struct Item: Sendable {
        var summary: StoredSummary
        var tag: RecordTag
        var summaryRecord: SpoolUID
        var messageRecord: SpoolUID
    }

    private let spool: any SpoolEngine
    private let keys: VaultKeys
    private let seal: StoreSeal
    private let account: AgentAccount
    private let random: any RandomSource
    private let time: any TimeSource
    /// In order of arrival.
    private(set) var items: [String: Item] = [:]
    private(set) var order: [String] = []
    /// Fetched mail that could not be opened; kept, never deleted.
    private(set) var unopened = 0
    private var isImporting = false
    private var importAgain = false

    private init(
        spool: any SpoolEngine, keys: VaultKeys, account: AgentAccount, random: any RandomSource, time: any TimeSource
    ) {
        self.spool = spool
        self.keys = keys
        self.account = account
        self.random = random
        self.time = time
        seal = StoreSeal(key: keys.storeKey, random: random)
    }

    /// Loads the summaries. Throws when one cannot be read; a store that shows less than it has would lie.
    static func open(
        spool: any SpoolEngine, keys: VaultKeys, account: AgentAccount, random: any RandomSource, time: any TimeSource
    ) async throws(Failure) -> MessageStore {
        let store = MessageStore(spool: spool, keys: keys, account: account, random: random, time: time)
        do throws(SpoolError) {
            try await store.load()
        } catch {
            throw Failure(.inputOutput, "the local store cannot be read: \(error); restore the state folder from a backup")
        }
        return store
    }

    private func load() async throws(SpoolError) {
        var messageRecords: [RecordTag: SpoolUID] = [:]
        for entry in try await spool.entries(in: AgentMailbox.messages) { messageRecords[entry.tag] = entry.uid }
        for entry in try await spool.entries(in: AgentMailbox.summaries) {
            let sealed = try await spool.read(entry.uid, offset: 0, count: entry.size)
            guard let message = messageRecords[entry.tag],
                let summary = seal.open(StoredSummary.self, sealed, mailbox: AgentMailbox.summaries, tag: entry.tag)
            else { throw .damaged(entry.uid, "a summary of the local store does not open") }
            put(Item(summary: summary, tag: entry.tag, summaryRecord: entry.uid, messageRecord: message))
        }
        order.sort { (items[$0]?.messageRecord.rawValue ?? 0) < (items[$1]?.messageRecord.rawValue ?? 0) }
    }

    private func put(_ item: Item) {
        if items.updateValue(item, forKey: item.summary.id) == nil { order.append(item.summary.id) }
    }

    /// Summaries in order of arrival.
    var summaries: [StoredSummary] { order.compactMap { items[$0]?.summary } }

    var unreadCount: Int { items.values.count { $0.summary.isUnread } }

    /// The message byte for byte, nil when unknown.
    func message(_ id: String) async throws(SpoolError) -> [UInt8]? {
        guard let item = items[id] else { return nil }
        let sealed = try await spool.read(item.messageRecord, offset: 0, count: .max)
        guard let message = seal.open(sealed, mailbox: AgentMailbox.messages, tag: item.tag) else {
            throw .damaged(item.messageRecord, "a message of the local store does not open")
        }
        return message
    }
}

// MARK: Changes

extension MessageStore {
    /// The records of a new message, for a transaction of the caller's; `added` makes it visible when that is durable.
    func prepare(_ message: [UInt8], summary: StoredSummary) throws -> (appends: [SpoolAppend], tag: RecordTag) {
        let tag = RecordTag.named(summary.id)
        return (
            [
                .record(
                    mailbox: AgentMailbox.messages, tag: tag, flags: 0,
                    body: seal.seal(message, mailbox: AgentMailbox.messages, tag: tag)),
                .record(
                    mailbox: AgentMailbox.summaries, tag: tag, flags: 0,
                    body: try seal.seal(summary, mailbox: AgentMailbox.summaries, tag: tag)),
            ], tag
        )
    }

    func added(_ summary: StoredSummary, tag: RecordTag, records: ArraySlice<SpoolUID>) {
        precondition(records.count == 2, "a message has two records")
        put(Item(summary: summary, tag: tag, summaryRecord: records[records.startIndex + 1], messageRecord: records[records.startIndex]))
    }

    /// Changes summaries by `change`; what it leaves alone is not written.
    func update(_ ids: [String], alsoErasing erasures: [SpoolUID] = [], _ change: (inout StoredSummary) -> Void) async throws(SpoolError) {
        var transaction = SpoolTransaction(erasures: erasures)
        var changed: [Item] = []
        for id in ids {
            guard var item = items[id] else { continue }
            let before = item.summary
            change(&item.summary)
            guard item.summary != before else { continue }
            transaction.appends.append(
                .record(mailbox: AgentMailbox.summaries, tag: item.tag, flags: 0, body: try sealed(item.summary, tag: item.tag)))
            transaction.erasures.append(item.summaryRecord)
            changed.append(item)
        }
        guard !transaction.appends.isEmpty || !transaction.erasures.isEmpty else { return }
        let records = try await spool.commit(transaction)
        for (item, record) in zip(changed, records) {
            var item = item
            item.summaryRecord = record
            put(item)
        }
    }

    private func sealed(_ summary: StoredSummary, tag: RecordTag) throws(SpoolError) -> [UInt8] {
        do {
            return try seal.seal(summary, mailbox: AgentMailbox.summaries, tag: tag)
        } catch {
            throw .stopped("a summary cannot be encoded: \(error)")
        }
    }

    /// Erases messages from the local store.
    func remove(_ ids: [String]) async throws(SpoolError) {
        let gone = ids.compactMap { items[$0] }
        _ = try await spool.commit(SpoolTransaction(erasures: gone.flatMap { [$0.messageRecord, $0.summaryRecord] }))
        for item in gone { items[item.summary.id] = nil }
        order.removeAll { items[$0] == nil }
    }

    /// Writes what became of submissions into their summaries and forgets the outcome records.
    func applyOutcomes() async throws(SpoolError) {
        let byTag = Dictionary(items.values.map { ($0.tag, $0.summary.id) }, uniquingKeysWith: { $1 })
        for entry in try await spool.entries(in: AgentMailbox.outcomes) {
            let note = String(decoding: try await spool.read(entry.uid, offset: 0, count: entry.size), as: UTF8.self)
            let state: SendState = entry.flags == 1 ? .sent : .refused
            try await update(byTag[entry.tag].map { [$0] } ?? [], alsoErasing: [entry.uid]) { summary in
                summary.sendState = state
                summary.note = note.isEmpty ? nil : note
            }
        }
    }
}

// MARK: Import

extension MessageStore {
    /// Opens what was fetched and moves it into the store; each message in one transaction, so that it is shown exactly once.
    /// Returns the summaries of what came in. Mail that does not open stays where it is and is counted.
    func importFetched() async throws(SpoolError) -> [StoredSummary] {
        if isImporting {
            importAgain = true
            return []
        }
        isImporting = true
        defer { isImporting = false }
        var imported: [StoredSummary] = []
        repeat {
            importAgain = false
            unopened = 0
            for entry in try await spool.entries(in: AgentMailbox.inbox) {
                let wrapped = try await spool.read(entry.uid, offset: 0, count: entry.size)
                guard let (message, group) = await Self.opened(wrapped, identity: keys.mailbox) else {
                    unopened += 1
                    continue
                }
                imported.append(try await store(message, group: group, erasing: entry.uid))
            }
        } while importAgain
        return imported
    }

    private func store(_ message: [UInt8], group: String?, erasing record: SpoolUID) async throws(SpoolError) -> StoredSummary {
        let summary = summarise(message, sendState: nil, group: group)
        let (appends, tag): ([SpoolAppend], RecordTag)
        do {
            (appends, tag) = try prepare(message, summary: summary)
        } catch {
            throw .stopped("a message cannot be encoded: \(error)")
        }
        let records = try await spool.commit(SpoolTransaction(appends: appends, erasures: [record]))
        added(summary, tag: tag, records: records[...])
        return summary
    }

    /// The inner message of a fetched wrapper and the group it came through, nil when it does not open with this key.
    private static func opened(_ wrapped: [UInt8], identity: AgeIdentity) async -> (message: [UInt8], group: String?)? {
        // Opening a megabyte takes milliseconds; more would make the loop late.
        if wrapped.count < 512 * 1024 { return try? open(wrapped, identity: identity) }
        return try? await Loop.offload { try open(wrapped, identity: identity) }
    }

    private nonisolated static func open(_ wrapped: [UInt8], identity: AgeIdentity) throws -> (message: [UInt8], group: String?) {
        var reader = SealedWrapperReader()
        var opener = AgeDecryptor(identities: [identity])
        let armor = try reader.feed(wrapped) + reader.finish()
        guard reader.kind == .sealed else { throw Failure(.badInput, "the message is not sealed") }
        let message = try opener.feed(armor) + opener.finish()
        return (message, GroupNote.group(in: opener.stanzas))
    }

    /// Makes the summary of a message as it came in or was written; `group` is the one that the node named.
    func summarise(_ message: [UInt8], sendState: SendState?, group known: String? = nil) -> StoredSummary {
        let parsed = ParsedMessage(message)
        let recipients = (parsed.to + parsed.cc).map(\.address)
        return StoredSummary(
            id: OpaqueID.make(random), subject: parsed.subject.text, fromName: parsed.from?.name.text ?? "",
            fromAddress: parsed.from?.address ?? "", recipients: recipients, group: known ?? group(of: recipients, isOwn: sendState != nil),
            date: parsed.date?.seconds ?? time.wall.seconds, received: time.wall.milliseconds, isUnread: sendState == nil, sendState: sendState,
            note: nil, messageID: parsed.messageID ?? "", inReplyTo: parsed.inReplyTo, references: parsed.references,
            snippet: String(parsed.bestPlainText.prefix(200)), hasAttachments: !parsed.attachments.isEmpty, size: message.count)
    }

    /// A message belongs to the first of its recipients at the node that is a group: one that is known to be, or, for mail
    /// that came in and does not name this member, whatever it was sent to. A person whom this member writes to is no group.
    private func group(of recipients: [String], isOwn: Bool) -> String? {
        let locals = recipients.compactMap { MailAddress($0) }.filter { $0.domain == account.address.domain }.map(\.local)
        if let known = locals.first(where: { account.groups.contains($0) || hasMail(ofGroup: $0) }) { return known }
        return isOwn || locals.contains(account.address.local) ? nil : locals.first
    }

    /// Groups that were joined after the enrolment are known by their mail.
    private func hasMail(ofGroup name: String) -> Bool {
        items.values.contains { $0.summary.group == name && !$0.summary.isOwn }
    }
}
