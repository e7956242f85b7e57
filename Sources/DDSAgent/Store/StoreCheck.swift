// Looks through everything an agent has stored: each record is read whole, so that the spool authenticates it, and with the
// keys each is opened too. Says what is damaged and where; changes nothing.

import DDSCore
import DDSLoop
import DDSNode
import DDSSeal
import DDSSpool

/// What a look through the store found.
struct StoreReport: Hashable, Sendable {
    var records = 0
    var bytes = 0
    /// Records that were opened with the keys.
    var opened = 0
    /// True when there were keys.
    var hasKeys = false
    /// What cannot be read or opened, in words with its place.
    var damage: [String] = []
}

@LoopActor struct StoreCheck {
    let spool: any SpoolEngine
    /// Shared with whoever changes the store: records that go together are listed together.
    let gate: LoopGate
    /// Opens the records; nil checks only that the spool can read them.
    let keys: VaultKeys?
    let random: any RandomSource

    /// Throws only when the spool cannot be read at all.
    func run() async throws(SpoolError) -> StoreReport {
        var report = StoreReport()
        report.hasKeys = keys != nil
        report.damage = try await spool.statistics().damage
        let listed = try await list()
        let summaries = Set(listed.filter { $0.mailbox == AgentMailbox.summaries }.map(\.tag))
        let messages = Set(listed.filter { $0.mailbox == AgentMailbox.messages }.map(\.tag))
        for entry in listed {
            let place = "record \(entry.uid.rawValue) of \(AgentMailbox.words(entry.mailbox))"
            guard let body = try await body(entry, place, &report) else { continue }
            report.records += 1
            report.bytes += body.count
            if await opens(entry, body) == false { report.damage.append("\(place) does not open") }
            if keys != nil, Self.isSealed(entry.mailbox) { report.opened += 1 }
            if entry.mailbox == AgentMailbox.messages, !summaries.contains(entry.tag) {
                report.damage.append("\(place) is listed nowhere: its summary is lost")
            }
            if entry.mailbox == AgentMailbox.summaries, !messages.contains(entry.tag) {
                report.damage.append("\(place) has lost its message, or was being removed with it; unlocking removes it")
            }
        }
        return report
    }

    private func list() async throws(SpoolError) -> [SpoolEntry] {
        await gate.enter()
        defer { gate.leave() }
        var listed: [SpoolEntry] = []
        for mailbox in try await spool.mailboxes().keys.sorted() { listed += try await spool.entries(in: mailbox) }
        return listed
    }

    /// Nil when it is damaged, which is noted, or was erased meanwhile, which is not.
    private func body(_ entry: SpoolEntry, _ place: String, _ report: inout StoreReport) async throws(SpoolError) -> [UInt8]? {
        do throws(SpoolError) {
            return try await spool.read(entry.uid, offset: 0, count: entry.size)
        } catch {
            switch error {
            case .damaged(_, let words): report.damage.append("\(place): \(words)")
            case .noSuchRecord: break
            case .full, .tooLarge, .stopped: throw error
            }
            return nil
        }
    }

    private static func isSealed(_ mailbox: MailboxID) -> Bool {
        [
            AgentMailbox.messages, AgentMailbox.summaries, AgentMailbox.drafts, AgentMailbox.sheltered, AgentMailbox.rosters,
            AgentMailbox.knownKeys, AgentMailbox.packs, AgentMailbox.settings,
        ].contains(mailbox)
    }

    /// Nil where nothing is to be opened: fetched mail waits for its import, and mail that does not open is counted elsewhere.
    private func opens(_ entry: SpoolEntry, _ body: [UInt8]) async -> Bool? {
        switch entry.mailbox {
        case AgentMailbox.outbox: return QueuedSubmission(body: body) != nil
        case AgentMailbox.heads: return JSONValue(parsing: body).flatMap { HeadWatch(json: $0) } != nil
        default: break
        }
        guard let keys, Self.isSealed(entry.mailbox) else { return nil }
        let seal = StoreSeal(key: keys.storeKey, random: random)
        return try? await Heavy.perform(octets: body.count) {
            switch entry.mailbox {
            case AgentMailbox.summaries: seal.open(StoredSummary.self, body, mailbox: entry.mailbox, tag: entry.tag) != nil
            case AgentMailbox.drafts: seal.open(Draft.self, body, mailbox: entry.mailbox, tag: entry.tag) != nil
            case AgentMailbox.rosters: seal.open(GroupRosters.self, body, mailbox: entry.mailbox, tag: entry.tag) != nil
            case AgentMailbox.knownKeys: seal.open(KnownKeys.self, body, mailbox: entry.mailbox, tag: entry.tag) != nil
            case AgentMailbox.settings: SettingsBook.opened(body, tag: entry.tag, by: seal) != nil
            case AgentMailbox.sheltered: DraftBook.openSheltered(body, keys.mailbox) != nil
            default: seal.open(body, mailbox: entry.mailbox, tag: entry.tag) != nil
            }
        }
    }
}
