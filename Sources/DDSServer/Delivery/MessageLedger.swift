// The records of accepted messages: which there are, where their copies lie, and who has to be told. It keeps the index and
// reads and replaces records; what a copy's state is, MessageRecord says.

import DDSCore
import DDSLoop
import DDSNode
import DDSSpool
import Logging

@LoopActor final class MessageLedger {
    /// A record and what is known of it without reading it.
    struct Line: Sendable {
        var uid: SpoolUID
        /// The author's maildrop; nil until the record was read once, 0 for none.
        var author: UInt64?
        /// Copies in maildrops or held, as far as was counted since the start. A hint for when to report, never a state.
        var open: Int?
    }

    /// Whoever moves or erases copies other than by a fetch, and whoever derives states, goes through here: a copy on its way
    /// between two mailboxes would count as fetched.
    let gate = LoopGate()
    private(set) var lines: [RecordTag: Line] = [:]
    private let spool: any SpoolEngine
    private let store: DirectoryStore
    private let log: Logger

    private init(spool: any SpoolEngine, store: DirectoryStore, log: Logger) {
        self.spool = spool
        self.store = store
        self.log = log
    }

    static func open(spool: any SpoolEngine, store: DirectoryStore, log: Logger) async throws(SpoolError) -> MessageLedger {
        let ledger = MessageLedger(spool: spool, store: store, log: log)
        let entries = try await spool.entries(in: MessageRecord.mailbox)
        let (lines, superseded) = await Loop.offload {
            let (records, superseded) = MessageRecord.newest(entries)
            return (records.mapValues { Line(uid: $0) }, superseded)
        }
        ledger.lines = lines
        if !superseded.isEmpty { _ = try await spool.commit(SpoolTransaction(erasures: superseded)) }
        return ledger
    }

    // MARK: What has happened

    /// A record was stored with the message it belongs to.
    func accepted(_ id: RecordTag, uid: SpoolUID, _ record: MessageRecord) {
        lines[id] = Line(uid: uid, author: record.authorMailbox, open: record.copies.count)
    }

    /// A record was replaced; nil for one that was erased.
    func replaced(_ id: RecordTag, by uid: SpoolUID?) {
        if let uid { lines[id]?.uid = uid } else { lines[id] = nil }
    }

    /// One copy fewer is on its way.
    func closed(_ id: RecordTag) {
        guard let open = lines[id]?.open else { return }
        lines[id]?.open = max(0, open - 1)
    }

    func counted(_ id: RecordTag, author: UInt64, open: Int) {
        lines[id]?.author = author
        lines[id]?.open = open
    }

    // MARK: Reading

    /// The records of `ids` that can be read. One that cannot is reported and left alone: mail is not concerned.
    func pages(_ ids: some Sequence<RecordTag>) async throws(SpoolError) -> [MessagePage] {
        var pages: [MessagePage] = []
        for id in ids {
            guard let line = lines[id] else { continue }
            do throws(SpoolError) {
                guard let record = MessageRecord(try await spool.read(line.uid, offset: 0, count: .max)) else {
                    throw .damaged(line.uid, "a message's record is none")
                }
                pages.append(MessagePage(id: id, uid: line.uid, record: record))
            } catch {
                switch error {
                case .damaged, .noSuchRecord:
                    log.error("the record of a message cannot be read; its author is not told", metadata: ["error": "\(error)"])
                    lines[id] = nil
                case .full, .tooLarge, .stopped: throw error
                }
            }
        }
        return pages
    }

    /// Where the copies of these messages lie. The caller is inside the gate.
    func places(of pages: [MessagePage], held: [RecordTag: [UInt64: HoldCause]]) async throws(SpoolError) -> [RecordTag:
        CopyPlaces]
    {
        var wanted: Set<UInt64> = []
        for page in pages {
            for copy in page.record.copies where !copy.told.isFinal { wanted.insert(copy.mailbox) }
            await Loop.giveWay()
        }
        let ownerless = wanted.filter { store.directory.account(mailbox: $0) == nil }
        var places: [RecordTag: CopyPlaces] = [:]
        for page in pages {
            places[page.id] = CopyPlaces(held: held[page.id] ?? [:], ownerless: ownerless)
            await Loop.giveWay()
        }
        for mailbox in wanted where !ownerless.contains(mailbox) {
            for entry in try await spool.entries(in: MailboxID(rawValue: mailbox)) {
                places[entry.tag]?.waiting.insert(mailbox)
                await Loop.giveWay()
            }
        }
        return places
    }
}
