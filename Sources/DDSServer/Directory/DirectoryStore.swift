// Keeps the directory in the spool: decides under a lock, stores the events, and only then believes them.

import DDSCore
import DDSLoop
import DDSSpool
import FoundationEssentials

/// The directory with its storage. Commands take effect in the order in which they are stored.
@LoopActor final class DirectoryStore {
    /// The spool's mailbox that holds the events.
    static let mailbox = MailboxID(rawValue: 1)
    /// Stored commands after which the state is written as one event and the older ones are erased.
    private static var recordsBeforeCheckpoint: Int { 512 }
    /// Events of one command that are written on the loop itself.
    private static var eventsOnLoopMax: Int { 64 }

    private(set) var directory = Directory()
    /// Called when the directory has changed.
    var onChange: @LoopActor () -> Void = {}
    private let spool: any SpoolEngine
    private var records: [SpoolUID] = []
    private let gate = LoopGate()

    private init(spool: any SpoolEngine) {
        self.spool = spool
    }

    /// Replays what the spool holds. Throws with exit code 74 when a record cannot be read: a node that has forgotten a member
    /// would refuse or misdeliver their mail.
    static func open(spool: any SpoolEngine) async throws(Failure) -> DirectoryStore {
        let store = DirectoryStore(spool: spool)
        do {
            // Together, because each record alone would cost two changes of threads.
            let entries = try await spool.entries(in: mailbox)
            let bodies = try await spool.read(entries.map { SpoolRange($0.uid, offset: 0, count: $0.size) })
            store.directory = try await Loop.offload { try replay(bodies) }
            store.records = entries.map(\.uid)
        } catch {
            throw Failure(.inputOutput, "the node's directory cannot be read; restore it from a backup", reason: "\(error)")
        }
        return store
    }

    private nonisolated static func replay(_ bodies: [[UInt8]]) throws -> Directory {
        var directory = Directory()
        let decoder = JSONDecoder()
        for body in bodies {
            for event in try decoder.decode([DirectoryEvent].self, from: Data(body)) { directory.apply(event) }
        }
        return directory
    }

    /// Runs `decide` on the current directory and stores what it returns; nothing happened when this throws. Others wait
    /// meanwhile, so that what was decided still holds when it is stored.
    func change<Value>(
        _ decide: (Directory) throws(Failure) -> (events: [DirectoryEvent], value: Value)
    ) async throws(Failure) -> Value {
        try await gate.pass { [self] () throws(Failure) in
            let (events, value) = try decide(directory)
            guard !events.isEmpty else { return value }
            try await store(events)
            await believe(events)
            return value
        }
    }

    /// The same for a change that takes a while to be made ready, and other records that are stored in its transaction, in front of
    /// its own. Nobody changes the directory meanwhile.
    func change(
        together prepare: @LoopActor (Directory) async throws(Failure) -> (events: [DirectoryEvent], appends: [SpoolAppend])
    ) async throws(Failure) {
        try await gate.pass { [self] () throws(Failure) in
            let (events, appends) = try await prepare(directory)
            guard !events.isEmpty else { return }
            try await store(events, with: appends)
            await believe(events)
        }
    }

    private func believe(_ events: [DirectoryEvent]) async {
        for event in events { directory.apply(event) }
        // The change is stored already: a checkpoint that fails is tried again at the next change.
        if records.count > Self.recordsBeforeCheckpoint { try? await checkpoint() }
        onChange()
    }

    /// `change` for decisions without a value.
    func change(_ decide: (Directory) throws(Failure) -> [DirectoryEvent]) async throws(Failure) {
        try await change { directory throws(Failure) in (try decide(directory), ()) }
    }

    /// Erases what waits for a removed member; returns the messages of which that was a copy.
    @discardableResult
    func eraseMaildrop(of account: Account) async throws(Failure) -> [RecordTag] {
        do throws(SpoolError) {
            let waiting = try await spool.entries(in: MailboxID(rawValue: account.mailbox))
            if !waiting.isEmpty { _ = try await spool.commit(SpoolTransaction(erasures: waiting.map(\.uid))) }
            return waiting.map(\.tag)
        } catch {
            throw Failure(.inputOutput, "the maildrop of \(account.name) could not be erased; see the log", reason: "\(error)")
        }
    }

    /// A checkpoint, or a group made with a thousand members, takes tens of milliseconds to write and is written beside the
    /// loop. Smaller commands are written at once: none of them waits for the password checks that fill the pool.
    private static func encoded(_ events: [DirectoryEvent]) async throws -> [UInt8] {
        let isCheckpoint = if case .checkpoint = events.first { true } else { false }
        guard isCheckpoint || events.count > eventsOnLoopMax else { return [UInt8](try JSONEncoder().encode(events)) }
        return try await Loop.offload { [UInt8](try JSONEncoder().encode(events)) }
    }

    private func store(
        _ events: [DirectoryEvent], with others: [SpoolAppend] = [], erasing: [SpoolUID] = []
    ) async throws(Failure) {
        do {
            let body = try await Self.encoded(events)
            let record = SpoolAppend.record(mailbox: Self.mailbox, tag: .none, flags: 0, body: body)
            let stored = try await spool.commit(SpoolTransaction(appends: others + [record], erasures: erasing))
            records += stored.suffix(1)
        } catch SpoolError.full {
            throw Failure(.inputOutput, "the disk is full; free some space and try again")
        } catch {
            throw Failure(.inputOutput, "the change could not be stored; see the log", reason: "\(error)")
        }
    }

    private func checkpoint() async throws(Failure) {
        let older = records
        try await store([.checkpoint(directory)], erasing: older)
        records.removeFirst(older.count)
    }
}
