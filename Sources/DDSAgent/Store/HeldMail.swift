// Mail to a person whose key has changed, which waits until somebody decides on the new one. It lies apart from the outbox, so that
// it stays where it is also while the agent is locked and knows no keys. Says what a transaction moves; what is decided is
// TrustBook's.

import DDSCore
import DDSLoop
import DDSSpool

@LoopActor final class HeldMail {
    struct Entry: Sendable {
        var uid: SpoolUID
        /// Without the author.
        var recipients: [MailAddress]
    }

    /// Records that go from one mailbox to the other in somebody's transaction.
    struct Move: Sendable {
        var submissions: [(uid: SpoolUID, queued: QueuedSubmission)] = []
        var target: MailboxID

        var appends: [SpoolAppend] {
            submissions.map { .record(mailbox: target, tag: $0.queued.messageTag, flags: 0, body: $0.queued.body) }
        }
        var erasures: [SpoolUID] { submissions.map(\.uid) }
    }

    private let spool: any SpoolEngine
    /// By the tag of the message in the store.
    private(set) var entries: [RecordTag: Entry] = [:]
    /// Takes a record of the outbox back; false when the node may have it already.
    var withdraw: @LoopActor (SpoolUID) -> Bool = { _ in true }
    /// What is in the outbox from now on.
    var release: @LoopActor (SpoolUID) -> Void = { _ in }

    init(spool: any SpoolEngine) { self.spool = spool }

    /// Reads what waits, and finishes what a crash has cut off.
    func load() async throws(SpoolError) {
        let held = try await spool.entries(in: AgentMailbox.heldBack)
        let answered = OutboxLedger.answered(held, outcomes: try await spool.entries(in: AgentMailbox.outcomes))
        if !answered.isEmpty { _ = try await spool.commit(SpoolTransaction(erasures: answered)) }
        for entry in held where !answered.contains(entry.uid) {
            if let queued = try await read(entry.uid) { added(queued, record: entry.uid) }
        }
        let double = try await spool.entries(in: AgentMailbox.outbox).filter { entries[$0.tag] != nil }.map(\.uid)
        if !double.isEmpty { _ = try await spool.commit(SpoolTransaction(erasures: double)) }
    }

    /// The agent was locked. A move that is under way is told to the outbox all the same.
    func close() { entries = [:] }

    private func read(_ uid: SpoolUID) async throws(SpoolError) -> QueuedSubmission? {
        let body: [UInt8]
        do throws(SpoolError) {
            body = try await spool.read(uid, offset: 0, count: .max)
        } catch {
            if case .noSuchRecord = error { return nil }
            throw error
        }
        guard let queued = QueuedSubmission(body: body) else { throw .damaged(uid, "a submission is not one") }
        return queued
    }

    /// What of the outbox waits from now on, by `keys`; it is not sent while the transaction is under way. `moved` or `stayed` follows.
    func holding(_ keys: KnownKeys) async throws(SpoolError) -> Move {
        var move = Move(target: AgentMailbox.heldBack)
        for entry in try await spool.entries(in: AgentMailbox.outbox) {
            guard let queued = try await read(entry.uid), !keys.undecided(among: queued.others).isEmpty, withdraw(entry.uid)
            else { continue }
            move.submissions.append((entry.uid, queued))
        }
        return move
    }

    /// What goes out, by `keys`.
    func releasing(_ keys: KnownKeys) async throws(SpoolError) -> Move {
        var move = Move(target: AgentMailbox.outbox)
        for entry in entries.values.sorted(by: { $0.uid.rawValue < $1.uid.rawValue })
        where keys.undecided(among: entry.recipients).isEmpty {
            if let queued = try await read(entry.uid) { move.submissions.append((entry.uid, queued)) }
        }
        return move
    }

    /// The transaction of a move is durable; these are its new records.
    func moved(_ move: Move, records: ArraySlice<SpoolUID>) {
        for (submission, uid) in zip(move.submissions, records) {
            if move.target == AgentMailbox.heldBack {
                added(submission.queued, record: uid)
            } else {
                entries[submission.queued.messageTag] = nil
                release(uid)
            }
        }
    }

    /// The transaction failed.
    func stayed(_ move: Move) {
        guard move.target == AgentMailbox.heldBack else { return }
        for submission in move.submissions { release(submission.uid) }
    }

    /// A message was written that waits from the beginning.
    func added(_ queued: QueuedSubmission, record: SpoolUID) {
        entries[queued.messageTag] = Entry(uid: record, recipients: queued.others)
    }

    nonisolated static func record(_ queued: QueuedSubmission) -> SpoolAppend {
        .record(mailbox: AgentMailbox.heldBack, tag: queued.messageTag, flags: 0, body: queued.body)
    }

    /// What waits because of this person.
    func waiting(for address: String) -> [RecordTag: Entry] {
        entries.filter { $0.value.recipients.contains { "\($0)" == address } }
    }

    func dropped(_ tags: [RecordTag]) { for tag in tags { entries[tag] = nil } }
}

extension QueuedSubmission {
    /// Whom it goes to beside its author.
    fileprivate var others: [MailAddress] { recipients.filter { $0 != sender } }
}
