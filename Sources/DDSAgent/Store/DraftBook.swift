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
        var content: [UInt8]
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
}

@LoopActor final class DraftBook {
    private let spool: any SpoolEngine
    private let seal: StoreSeal
    private let time: any TimeSource
    private(set) var drafts: [String: Draft] = [:]
    private var records: [String: SpoolUID] = [:]

    private init(spool: any SpoolEngine, keys: VaultKeys, random: any RandomSource, time: any TimeSource) {
        self.spool = spool
        self.time = time
        seal = StoreSeal(key: keys.storeKey, random: random)
    }

    /// Loads the drafts and takes in what was sheltered while locked.
    static func open(
        spool: any SpoolEngine, keys: VaultKeys, random: any RandomSource, time: any TimeSource
    ) async throws(Failure) -> DraftBook {
        let book = DraftBook(spool: spool, keys: keys, random: random, time: time)
        do throws(SpoolError) {
            for entry in try await spool.entries(in: AgentMailbox.drafts) {
                let sealed = try await spool.read(entry.uid, offset: 0, count: entry.size)
                guard let draft = book.seal.open(Draft.self, sealed, mailbox: AgentMailbox.drafts, tag: entry.tag) else {
                    throw .damaged(entry.uid, "a draft does not open")
                }
                book.drafts[draft.id] = draft
                book.records[draft.id] = entry.uid
            }
            for entry in try await spool.entries(in: AgentMailbox.sheltered) {
                let sealed = try await spool.read(entry.uid, offset: 0, count: entry.size)
                guard let draft = Self.openSheltered(sealed, keys.mailbox) else { continue }
                try await book.save(draft, erasing: [entry.uid])
            }
        } catch {
            throw Failure(.inputOutput, "the drafts cannot be read: \(error); restore the state folder from a backup")
        }
        return book
    }

    /// Keeps the draft durably.
    func save(_ draft: Draft, erasing: [SpoolUID] = []) async throws(SpoolError) {
        var draft = draft
        draft.saved = time.wall.milliseconds
        let tag = RecordTag.named(draft.id)
        let body: [UInt8]
        do {
            body = try seal.seal(draft, mailbox: AgentMailbox.drafts, tag: tag)
        } catch {
            throw .stopped("a draft cannot be encoded: \(error)")
        }
        // Two saves of one draft may overlap; each replaces what it found, the later record wins.
        let older = records[draft.id].map { [$0] } ?? []
        let uids = try await spool.commit(
            SpoolTransaction(
                appends: [.record(mailbox: AgentMailbox.drafts, tag: tag, flags: 0, body: body)], erasures: older + erasing))
        records[draft.id] = uids[0]
        drafts[draft.id] = draft
    }

    /// The record that a transaction which sends the draft erases.
    func record(of id: String) -> SpoolUID? { records[id] }

    /// The draft was sent as that message.
    func sent(_ id: String, as message: String) {
        records[id] = nil
        drafts[id]?.sentAs = message
        drafts[id]?.attachments = []
        drafts[id]?.body = ""
    }

    func discard(_ id: String) async throws(SpoolError) {
        if let record = records[id] { _ = try await spool.commit(SpoolTransaction(erasures: [record])) }
        records[id] = nil
        drafts[id] = nil
    }

    /// Drafts that are not sent, newest first.
    var open: [Draft] { drafts.values.filter { $0.sentAs == nil }.sorted { $0.saved > $1.saved } }
}

// MARK: While locked

extension DraftBook {
    /// Seals a draft to the person's own recipient; nothing of it is readable before the next unlock.
    static func shelter(_ draft: Draft, recipient: AgeRecipient, spool: any SpoolEngine, random: any RandomSource) async throws {
        let encoded = [UInt8](try JSONEncoder().encode(draft))
        var encryptor = try AgeEncryptor(recipients: [recipient], armor: nil, random: random)
        let sealed = encryptor.update(encoded[...]) + encryptor.finish()
        _ = try await spool.commit(
            SpoolTransaction(appends: [.record(mailbox: AgentMailbox.sheltered, tag: .named(draft.id), flags: 0, body: sealed)]))
    }

    private static func openSheltered(_ sealed: [UInt8], _ identity: AgeIdentity) -> Draft? {
        var opener = AgeDecryptor(identities: [identity])
        guard let head = try? opener.feed(sealed), let rest = try? opener.finish() else { return nil }
        return try? JSONDecoder().decode(Draft.self, from: Data(head + rest))
    }
}
