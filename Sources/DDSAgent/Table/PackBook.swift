// Which packs lie in the spool, and how far the table has gone on since: packs are written anew when enough rows of theirs have
// changed, and erased in the transaction that removes a message of theirs.

import DDSCore
import DDSLoop
import DDSSpool

@LoopActor final class PackBook {
    /// What is on disk of one chunk.
    nonisolated struct Entry: Hashable, Sendable {
        var record: SpoolUID?
        /// Rows that have to be read from their own records at the next unlock.
        var stale = 0
    }

    /// So many loose rows of a chunk, and reading them costs more than the pack's writing.
    nonisolated static let staleMax = 32
    /// After the last change; marks come in bursts.
    static var quiet: Duration { .seconds(30) }

    private var entries: [Entry]
    private let seal: StoreSeal
    private let time: any TimeSource
    private var timer: LoopTimer?
    /// Called when it has been quiet for a while and there is something to write.
    var onQuiet: @LoopActor () -> Void = {}

    nonisolated static let tag = RecordTag.named("pack")

    init(_ entries: [Entry], seal: StoreSeal, time: any TimeSource) {
        self.entries = entries
        self.seal = seal
        self.time = time
    }

    /// A row of that chunk is not what its pack says.
    func changed(_ chunk: Int) {
        while entries.count <= chunk { entries.append(Entry()) }
        entries[chunk].stale += 1
        guard entries[chunk].stale >= Self.staleMax else { return }
        if timer == nil { timer = LoopTimer { [weak self] in self?.onQuiet() } }
        timer?.schedule(at: time.now + Self.quiet)
    }

    /// The packs that a removal from these chunks erases. Once it has happened, `erased` follows.
    func records(of chunks: Set<Int>) -> [SpoolUID] { chunks.sorted().compactMap { entries[$0].record } }

    func erased(_ chunks: Set<Int>, _ table: SummaryTable) {
        for chunk in chunks {
            entries[chunk].record = nil
            // Every row is loose now.
            entries[chunk].stale = table.chunks[chunk].count - 1
            changed(chunk)
        }
    }

    /// Chunks whose packs are to be written anew.
    var worn: [Int] { entries.indices.filter { entries[$0].stale >= Self.staleMax } }

    /// Writes one pack anew. The caller is inside the store's gate.
    func write(_ chunk: Int, _ table: SummaryTable, to spool: any SpoolEngine) async throws(SpoolError) {
        let stale = entries[chunk].stale
        let rows = table.chunks[chunk]
        guard rows.marks.contains(where: { $0 != .gone }) else {
            let record = entries[chunk].record
            entries[chunk] = Entry()
            if let record { _ = try await spool.commit(SpoolTransaction(erasures: [record])) }
            return
        }
        let body = await Loop.offload { [seal] in
            seal.seal(SummaryPack.bytes(rows), mailbox: AgentMailbox.packs, tag: Self.tag)
        }
        let records = try await spool.commit(
            SpoolTransaction(
                appends: [.record(mailbox: AgentMailbox.packs, tag: Self.tag, flags: 0, body: body)],
                erasures: entries[chunk].record.map { [$0] } ?? []))
        // Locked meanwhile.
        guard chunk < entries.count else { return }
        entries[chunk].record = records[0]
        entries[chunk].stale -= stale
    }

    func close() {
        timer?.close()
        timer = nil
        entries = []
    }
}
