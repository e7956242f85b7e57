// Keeps what a person has chosen for their page: one record, sealed with the store key, written anew with every change. Known only
// while the agent is unlocked.

import DDSCore
import DDSLoop
import DDSNode
import DDSSeal
import DDSSpool

@LoopActor final class SettingsBook {
    private(set) var settings = PageSettings()
    /// Why what was chosen last is not what holds, in words; nil when it is.
    private(set) var trouble: String?
    private let spool: any SpoolEngine
    private let seal: StoreSeal
    private let gate: LoopGate
    private var record: SpoolUID?
    private var isClosed = false

    private static var tag: RecordTag { .named("settings") }

    private init(spool: any SpoolEngine, keys: VaultKeys, random: any RandomSource, gate: LoopGate) {
        self.spool = spool
        self.gate = gate
        seal = StoreSeal(key: keys.storeKey, random: random)
    }

    /// A record that does not open gives the defaults, and is kept.
    static func open(
        spool: any SpoolEngine, keys: VaultKeys, random: any RandomSource, gate: LoopGate
    ) async throws(Failure) -> SettingsBook {
        let book = SettingsBook(spool: spool, keys: keys, random: random, gate: gate)
        await gate.enter()
        defer { gate.leave() }
        do throws(SpoolError) {
            try await book.load()
        } catch {
            throw Failure(.inputOutput, "the settings cannot be read: \(error); restore the state folder from a backup")
        }
        return book
    }

    private func load() async throws(SpoolError) {
        var superseded: [SpoolUID] = []
        for entry in try await spool.entries(in: AgentMailbox.settings) {
            guard let found = try await opened(entry) else {
                trouble = "the settings of the page cannot be read and are kept; choose anew under Settings, or restore a backup"
                continue
            }
            // Records come oldest first. A crash between writing anew and erasing leaves two.
            if let record { superseded.append(record) }
            (record, settings, trouble) = (entry.uid, found, nil)
        }
        if !superseded.isEmpty { _ = try await spool.commit(SpoolTransaction(erasures: superseded)) }
    }

    private func opened(_ entry: SpoolEntry) async throws(SpoolError) -> PageSettings? {
        do throws(SpoolError) {
            return Self.opened(try await spool.read(entry.uid, offset: 0, count: entry.size), tag: entry.tag, by: seal)
        } catch {
            if case .damaged = error { return nil }
            throw error
        }
    }

    nonisolated static func opened(_ body: [UInt8], tag: RecordTag, by seal: StoreSeal) -> PageSettings? {
        PageSettings(json: seal.open(body, mailbox: AgentMailbox.settings, tag: tag).flatMap { JSONValue(parsing: $0) })
    }

    /// Changes the settings durably. When the spool refuses, nothing is changed.
    func change(_ change: (inout PageSettings) -> Void) async throws(SpoolError) {
        await gate.enter()
        defer { gate.leave() }
        guard !isClosed else { throw .stopped("the agent was locked meanwhile") }
        var changed = settings
        change(&changed)
        guard changed != settings || trouble != nil else { return }
        let body = seal.seal(changed.json.line, mailbox: AgentMailbox.settings, tag: Self.tag)
        let records = try await spool.commit(
            SpoolTransaction(
                appends: [.record(mailbox: AgentMailbox.settings, tag: Self.tag, flags: 0, body: body)],
                erasures: record.map { [$0] } ?? []))
        guard !isClosed else { return }
        (record, settings, trouble) = (records.first, changed, nil)
    }

    /// The agent was locked.
    func close() {
        isClosed = true
        settings = PageSettings()
    }
}
