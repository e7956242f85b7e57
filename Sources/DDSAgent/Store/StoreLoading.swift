// How the local store comes into memory: what lies on disk is listed and read while the passphrase is being tried, opened beside
// the loop when the keys are there, and what a stop has left half done is finished.

import DDSCore
import DDSLoop
import DDSSpool

/// Everything that can be known of the local store without keys.
struct StoreListing: Sendable {
    var messages: [SpoolEntry]
    var summaries: [SpoolEntry]
    var packs: [(record: SpoolUID, sealed: [UInt8])]

    /// Waits for whoever is writing.
    @LoopActor static func read(_ spool: any SpoolEngine, gate: LoopGate) async throws(SpoolError) -> StoreListing {
        await gate.enter()
        defer { gate.leave() }
        return try await read(spool)
    }

    /// The same for a caller who is inside the gate.
    @LoopActor static func read(_ spool: any SpoolEngine) async throws(SpoolError) -> StoreListing {
        let messages = try await spool.entries(in: AgentMailbox.messages)
        let summaries = try await spool.entries(in: AgentMailbox.summaries)
        var packs: [(record: SpoolUID, sealed: [UInt8])] = []
        for entry in try await spool.entries(in: AgentMailbox.packs) {
            do throws(SpoolError) {
                packs.append((entry.uid, try await spool.read(entry.uid, offset: 0, count: entry.size)))
            } catch {
                guard case .damaged = error else { throw error }
                // What it saved is read from the summaries' own records, and it is written anew.
                packs.append((entry.uid, []))
            }
        }
        return StoreListing(messages: messages, summaries: summaries, packs: packs)
    }
}

extension MessageStore {
    /// The caller is inside the gate.
    func load(_ known: StoreListing?) async throws(SpoolError) {
        let listing = if let known { known } else { try await StoreListing.read(spool) }
        let selection = await Loop.offload { [seal] in
            let packs = listing.packs.map { ($0.record, Self.opened($0.sealed, seal)) }
            return PackSelection(packs, messages: listing.messages, summaries: listing.summaries)
        }
        let lost = await Loop.offload {
            Set(StoreRemoval.leftovers(summaries: selection.summaries, messages: listing.messages))
        }
        let opened = try await open(selection.summaries.filter { !lost.contains($0.uid) })
        var fetched: [SpoolEntry] = []
        for mailbox in [AgentMailbox.inbox, AgentMailbox.quarantine] { fetched += try await spool.entries(in: mailbox) }
        let contents = await Loop.offload { [fetched] in
            Contents(selection, Self.loose(opened, listing.messages), fetched: fetched)
        }
        items = contents.items
        packs = PackBook(contents.packs, seal: seal, time: time)
        sequences = contents.sequences
        let leftovers = Array(lost) + contents.leftovers
        Loop.discard((listing, selection, opened, contents))
        if !leftovers.isEmpty { _ = try await spool.commit(SpoolTransaction(erasures: leftovers)) }
        try await trust.load()
        quarantined = Set(try await spool.entries(in: AgentMailbox.quarantine).map(\.uid))
    }

    private nonisolated static func opened(_ sealed: [UInt8], _ seal: StoreSeal) -> SummaryPack? {
        seal.open(sealed, mailbox: AgentMailbox.packs, tag: PackBook.tag).flatMap { SummaryPack($0) }
    }

    private nonisolated static func loose(
        _ opened: [(SpoolEntry, StoredSummary)], _ messages: [SpoolEntry]
    ) -> [TableLoading.Loose] {
        let wanted = Set(opened.map(\.0.tag))
        let records = Dictionary(
            messages.filter { wanted.contains($0.tag) }.map { ($0.tag, $0.uid) }, uniquingKeysWith: { $1 })
        return opened.compactMap { entry, summary in
            records[entry.tag].map {
                TableLoading.Loose(summary: summary, messageRecord: $0.rawValue, summaryRecord: entry.uid.rawValue)
            }
        }
    }

    /// What a store holds, put together of its records.
    private nonisolated struct Contents: Sendable {
        let items: SummaryTable
        let packs: [PackBook.Entry]
        private(set) var sequences: [String: UInt64] = [:]
        /// Records that a crash has left over.
        let leftovers: [SpoolUID]

        init(_ selection: PackSelection, _ loose: [TableLoading.Loose], fetched: [SpoolEntry]) {
            let loading = TableLoading(selection, loose)
            items = SummaryTable(loading.chunks)
            packs = loading.packs
            for summary in items.own {
                guard let number = summary.sequence else { continue }
                let group = summary.group ?? ""
                sequences[group] = max(sequences[group] ?? 0, number)
            }
            let origins = fetched.isEmpty ? [] : Self.origins(items)
            leftovers = selection.leftovers + loading.leftovers + InboxImport.finished(fetched, origins: origins)
        }

        /// The fetched records that messages came from.
        private static func origins(_ items: SummaryTable) -> Set<SpoolUID> {
            Set(items.all.compactMap { items.summary($0).origin.map { SpoolUID(rawValue: $0) } })
        }
    }

    /// Summaries in order of their records, opened beside the loop.
    private func open(_ entries: [SpoolEntry]) async throws(SpoolError) -> [(SpoolEntry, StoredSummary)] {
        let sealed = try await spool.read(entries.map { SpoolRange($0.uid, offset: 0, count: $0.size) })
        let (summaries, damaged) = await Loop.offload { [seal] () -> ([(SpoolEntry, StoredSummary)], SpoolUID?) in
            var summaries: [(SpoolEntry, StoredSummary)] = []
            for (entry, bytes) in zip(entries, sealed) {
                guard let summary = seal.open(StoredSummary.self, bytes, mailbox: AgentMailbox.summaries, tag: entry.tag) else {
                    return (summaries, entry.uid)
                }
                summaries.append((entry, summary))
            }
            return (summaries, nil)
        }
        if let damaged { throw .damaged(damaged, "a summary of the local store does not open") }
        Loop.discard(sealed)
        return summaries
    }

    /// Writes the packs anew that have much changed. What a full disk or a lock keeps from happening is done another time.
    func tidyPacks() async throws(SpoolError) {
        for chunk in packs.worn {
            try await enter()
            defer { gate.leave() }
            try await packs.write(chunk, items, to: spool)
        }
    }
}
