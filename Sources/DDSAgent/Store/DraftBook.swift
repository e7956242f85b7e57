// Drafts: sealed on disk at every save, in RAM while unlocked. A form that came after the lock is sealed to the own mailbox
// key and offered as a draft at the next unlock.

import DDSCore
import DDSLoop
import DDSSeal
import DDSSpool
import FoundationEssentials

/// A draft as it is kept.
struct Draft: Hashable, Sendable, Codable {
    struct Attachment: Hashable, Sendable, Codable {
        var id: String
        var name: String
        var type: String
        /// Kept as base64: JSON would otherwise spell out every octet.
        var content: Data

        init(id: String, name: String, type: String, content: [UInt8]) {
            self.id = id
            self.name = name
            self.type = type
            self.content = Data(content)
        }
    }

    var id: String
    var recipients = ""
    var subject = ""
    var body = ""
    var attachments: [Attachment] = []
    /// The message that it answers, by its id in the store.
    var repliesTo: String?
    /// Milliseconds since 1970.
    var saved: Int64 = 0
    /// Set when it was sent: the id of the message in the store. Kept in RAM until lock, so that a second click sends nothing.
    var sentAs: String?
    /// As a mail program brought it, octet for octet; nil once it was changed here.
    var raw: Data?
    /// Of mail programs: flags other than `\Seen` and `\Draft`, and keywords.
    var flags: UInt8?
    var keywords: [String]?
    /// Its number, where it is not that of its record: only marks were changed since. See `StoredSummary.folderNumber`.
    var number: UInt64?

    /// What sealing it handles, about.
    var octets: Int { attachments.reduce(body.utf8.count + (raw?.count ?? 0)) { $0 + $1.content.count } }

    /// What the page shows is the same.
    func hasContent(of other: Draft) -> Bool {
        recipients == other.recipients && subject == other.subject && body == other.body && attachments == other.attachments
    }
}

@LoopActor final class DraftBook {
    private let spool: any SpoolEngine
    private let seal: StoreSeal
    private let time: any TimeSource
    private let gate: LoopGate
    private(set) var drafts: [String: Draft] = [:]
    private var records: [String: SpoolUID] = [:]
    /// Grows with every change.
    private(set) var changeCount = 0
    /// Records that do not open: kept, not shown.
    private(set) var unreadable = 0
    private var isClosed = false

    private init(spool: any SpoolEngine, keys: VaultKeys, random: any RandomSource, time: any TimeSource, gate: LoopGate) {
        self.spool = spool
        self.time = time
        self.gate = gate
        seal = StoreSeal(key: keys.storeKey, random: random)
    }

    /// Loads the drafts and takes in what was sheltered while locked. `isSent` says of a draft's id whether it is in the store
    /// already as a message: a crash between sending and erasing leaves both.
    static func open(
        spool: any SpoolEngine, keys: VaultKeys, random: any RandomSource, time: any TimeSource, gate: LoopGate,
        isSent: (String) -> Bool = { _ in false }
    ) async throws(Failure) -> DraftBook {
        let book = DraftBook(spool: spool, keys: keys, random: random, time: time, gate: gate)
        await gate.enter()
        defer { gate.leave() }
        do throws(SpoolError) {
            try await book.load(isSent: isSent)
            try await book.takeSheltered(keys.mailbox, isSent: isSent)
        } catch {
            throw Failure(.inputOutput, "the drafts cannot be read: \(error); restore the state folder from a backup")
        }
        return book
    }

    private func load(isSent: (String) -> Bool) async throws(SpoolError) {
        var gone: [SpoolUID] = []
        for entry in try await spool.entries(in: AgentMailbox.drafts) {
            guard let sealed = try await readable(entry),
                let draft = await opened(sealed, tag: entry.tag)
            else {
                unreadable += 1
                continue
            }
            // Records come oldest first; of two of one draft the newer counts.
            if let older = records[draft.id] { gone.append(older) }
            if isSent(draft.id) {
                gone.append(entry.uid)
                records[draft.id] = nil
                drafts[draft.id] = nil
            } else {
                drafts[draft.id] = draft
                records[draft.id] = entry.uid
            }
        }
        if !gone.isEmpty { _ = try await spool.commit(SpoolTransaction(erasures: gone)) }
    }

    private func readable(_ entry: SpoolEntry) async throws(SpoolError) -> [UInt8]? {
        do throws(SpoolError) {
            return try await spool.read(entry.uid, offset: 0, count: entry.size)
        } catch {
            if case .damaged = error { return nil }
            throw error
        }
    }

    private func opened(_ sealed: [UInt8], tag: RecordTag) async -> Draft? {
        try? await Heavy.perform(octets: sealed.count) { [seal] in
            seal.open(Draft.self, sealed, mailbox: AgentMailbox.drafts, tag: tag)
        }
    }

    private func takeSheltered(_ identity: AgeIdentity, isSent: (String) -> Bool) async throws(SpoolError) {
        for entry in try await spool.entries(in: AgentMailbox.sheltered) {
            let sealed = try await readable(entry)
            let opened = try? await Heavy.perform(octets: entry.size) { sealed.flatMap { Self.openSheltered($0, identity) } }
            guard let draft = opened else {
                unreadable += 1
                continue
            }
            if isSent(draft.id) {
                _ = try await spool.commit(SpoolTransaction(erasures: [entry.uid]))
                continue
            }
            // The form knows its text; what it answers and the files it had before, only the draft knows.
            var merged = drafts[draft.id] ?? Draft(id: draft.id)
            merged.recipients = draft.recipients
            merged.subject = draft.subject
            merged.body = draft.body
            (merged.raw, merged.number) = (nil, nil)
            merged.attachments += draft.attachments.filter { new in !merged.attachments.contains { $0.id == new.id } }
            try await write(merged, erasing: [entry.uid])
        }
    }

    /// Changes a draft, known or new, and keeps it durably. False when it was sent already; then nothing is changed. When the
    /// spool refuses, the change is in memory all the same, so that no text is lost, and the error is thrown.
    func save(_ id: String, _ change: (inout Draft) -> Void) async throws(SpoolError) -> Bool {
        await gate.enter()
        defer { gate.leave() }
        guard !isClosed else { throw .stopped("the agent was locked meanwhile") }
        var draft = drafts[id] ?? Draft(id: id)
        guard draft.sentAs == nil else { return false }
        let before = draft
        change(&draft)
        if draft.raw == before.raw, !draft.hasContent(of: before) { draft.raw = nil }
        draft.number = nil
        do throws(SpoolError) {
            try await write(draft, erasing: [])
        } catch {
            if !isClosed { drafts[id] = draft }
            changeCount += 1
            throw error
        }
        return true
    }

    /// Changes what mail programs set of a draft; it stays the same draft, with the same number.
    func mark(_ id: String, flags: UInt8, keywords: [String]) async throws(SpoolError) {
        await gate.enter()
        defer { gate.leave() }
        guard !isClosed else { throw .stopped("the agent was locked meanwhile") }
        guard var draft = drafts[id], draft.sentAs == nil, let number = number(of: id) else { return }
        let before = draft
        draft.flags = flags == 0 ? nil : flags
        draft.keywords = keywords.isEmpty ? nil : keywords
        guard draft != before else { return }
        draft.number = number
        try await write(draft, erasing: [], isSaved: true)
    }

    /// The caller is inside the gate. `isSaved` when its content is what was saved before.
    private func write(_ draft: Draft, erasing: [SpoolUID], isSaved: Bool = false) async throws(SpoolError) {
        var draft = draft
        if !isSaved { draft.saved = time.wall.milliseconds }
        let kept = draft
        let tag = RecordTag.named(draft.id)
        let body: [UInt8]
        do {
            body = try await Heavy.perform(octets: kept.octets) { [seal] in
                try seal.seal(kept, mailbox: AgentMailbox.drafts, tag: tag)
            }
        } catch {
            throw .stopped("a draft cannot be encoded: \(error)")
        }
        let older = records[kept.id].map { [$0] } ?? []
        let uids = try await spool.commit(
            SpoolTransaction(
                appends: [.record(mailbox: AgentMailbox.drafts, tag: tag, flags: 0, body: body)], erasures: older + erasing))
        records[kept.id] = uids[0]
        changeCount += 1
        if !isClosed { drafts[kept.id] = kept }
    }

    /// The record that a transaction which sends the draft erases. The caller is inside the gate.
    func record(of id: String) -> SpoolUID? { records[id] }

    /// The number that mail programs know a draft by: that of its record, until it is saved anew.
    func number(of id: String) -> UInt64? { drafts[id]?.number ?? records[id]?.rawValue }

    /// A draft with its number, and the record that it is in now.
    struct Numbered: Sendable {
        var number: UInt64
        var record: SpoolUID
        var draft: Draft
    }

    /// Drafts that are not sent and are on the disk, in order of their numbers.
    var numbered: [Numbered] {
        open.compactMap { draft in
            records[draft.id].map { Numbered(number: draft.number ?? $0.rawValue, record: $0, draft: draft) }
        }
        .sorted { $0.number < $1.number }
    }

    /// The draft was sent as that message.
    func sent(_ id: String, as message: String) {
        records[id] = nil
        changeCount += 1
        if !isClosed { drafts[id] = Draft(id: id, sentAs: message) }
    }

    /// A draft that was sent is one again. `records` of what it had become are erased after it is written. The caller is inside the
    /// gate.
    func restore(_ draft: Draft, erasing records: [SpoolUID]) async throws(SpoolError) {
        var draft = draft
        draft.number = nil
        try await write(draft, erasing: records)
    }

    func discard(_ id: String) async throws(SpoolError) {
        await gate.enter()
        defer { gate.leave() }
        guard !isClosed, drafts[id]?.sentAs == nil else { return }
        if let record = records[id] { _ = try await spool.commit(SpoolTransaction(erasures: [record])) }
        records[id] = nil
        drafts[id] = nil
        changeCount += 1
    }

    /// The agent was locked.
    func close() {
        isClosed = true
        drafts = [:]
    }

    /// Drafts that are not sent, newest first.
    var open: [Draft] { drafts.values.filter { $0.sentAs == nil }.sorted { ($0.saved, $0.id) > ($1.saved, $1.id) } }
}

// MARK: While locked

extension DraftBook {
    /// Seals a draft to the person's own recipient; nothing of it is readable before the next unlock.
    static func shelter(_ draft: Draft, recipient: AgeRecipient, spool: any SpoolEngine, random: any RandomSource) async throws {
        let sealed = try await Heavy.perform(octets: draft.attachments.reduce(draft.body.utf8.count) { $0 + $1.content.count }) {
            let encoded = [UInt8](try JSONEncoder().encode(draft))
            var encryptor = try AgeEncryptor(recipients: [recipient], armor: nil, random: random)
            return encryptor.update(encoded[...]) + encryptor.finish()
        }
        _ = try await spool.commit(
            SpoolTransaction(appends: [.record(mailbox: AgentMailbox.sheltered, tag: .named(draft.id), flags: 0, body: sealed)]))
    }

    nonisolated static func openSheltered(_ sealed: [UInt8], _ identity: AgeIdentity) -> Draft? {
        var opener = AgeDecryptor(identities: [identity])
        guard let head = try? opener.feed(sealed), let rest = try? opener.finish() else { return nil }
        return try? JSONDecoder().decode(Draft.self, from: Data(head + rest))
    }
}
