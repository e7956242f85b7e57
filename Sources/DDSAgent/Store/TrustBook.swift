// What this agent knows of who is who: the rosters of its groups, sealed with the store key like everything else. Changed only
// together with the mail that says so.

import DDSCore
import DDSLoop
import DDSNode
import DDSSeal
import DDSSpool

@LoopActor final class TrustBook {
    /// By the names of groups.
    private(set) var groups: [String: GroupRosters] = [:]
    /// Grows with every change.
    private(set) var changeCount = 0

    private let spool: any SpoolEngine
    private let seal: StoreSeal
    private let me: MailAddress
    private var records: [RecordTag: SpoolUID] = [:]

    init(spool: any SpoolEngine, seal: StoreSeal, me: MailAddress) {
        self.spool = spool
        self.seal = seal
        self.me = me
    }

    /// Throws when a record does not open. The caller is inside the gate.
    func load() async throws(SpoolError) {
        var superseded: [SpoolUID] = []
        for entry in try await spool.entries(in: AgentMailbox.rosters) {
            let sealed = try await spool.read(entry.uid, offset: 0, count: entry.size)
            let opened = try? await Heavy.perform(octets: sealed.count) { [seal] in
                seal.open(GroupRosters.self, sealed, mailbox: AgentMailbox.rosters, tag: entry.tag)
            }
            guard let rosters = opened ?? nil else { throw .damaged(entry.uid, "the rosters of a group do not open") }
            // A crash between writing it anew and erasing the old one leaves both; the later one counts.
            if let older = records.updateValue(entry.uid, forKey: entry.tag) { superseded.append(older) }
            groups[rosters.group.local] = rosters
        }
        if !superseded.isEmpty { _ = try await spool.commit(SpoolTransaction(erasures: superseded)) }
    }

    /// Takes over a roster that the node has signed, and forgets the mail that brought it, in one transaction. The caller is
    /// inside the gate.
    func take(_ document: RosterDocument, from record: SpoolUID, at wall: WallTime) async throws(SpoolError) {
        let name = document.roster.group.local
        var rosters = groups[name] ?? GroupRosters(group: document.roster.group)
        guard rosters.take(document, me: me, at: wall) != .known else {
            _ = try await spool.commit(SpoolTransaction(erasures: [record]))
            return
        }
        let tag = Self.tag(name)
        let body: [UInt8]
        do {
            body = try await Heavy.perform(octets: 2 * document.bytes.count) { [seal, rosters] in
                try seal.seal(rosters, mailbox: AgentMailbox.rosters, tag: tag)
            }
        } catch {
            throw .stopped("a roster cannot be encoded: \(error)")
        }
        let older = records[tag].map { [$0] } ?? []
        let stored = try await spool.commit(
            SpoolTransaction(
                appends: [.record(mailbox: AgentMailbox.rosters, tag: tag, flags: 0, body: body)], erasures: older + [record]))
        records[tag] = stored[0]
        groups[name] = rosters
        changeCount += 1
    }

    /// The agent was locked.
    func close() {
        groups = [:]
        records = [:]
    }

    private static func tag(_ group: String) -> RecordTag { RecordTag.named("roster\0" + group) }

    // MARK: What it tells

    /// The groups that this member is in by their last rosters, in order.
    var groupNames: [String] { groups.values.filter { $0.steps.last?.includesMe == true }.map(\.group.local).sorted() }

    /// The last roster of a group; nil when none has come.
    func roster(of group: String) -> Roster? { groups[group]?.last?.roster }

    /// Who could read a message; nil for mail that did not come through a group.
    func readers(of summary: StoredSummary) -> MessageReaders? {
        guard !summary.isOwn, summary.isFromNode != true, let group = summary.group else { return nil }
        let head = summary.roster?.head
        return groups[group]?.readers(head) ?? head.map { .unknown($0.number) } ?? .unnamed
    }

    /// What changed in a group since then, oldest first.
    func events(in group: String, since: WallTime) -> [GroupEvent] {
        guard let rosters = groups[group] else { return [] }
        var events = rosters.steps.filter { $0.received >= since.milliseconds }.flatMap { step in
            step.sentences.map { GroupEvent(received: step.received, time: WallTime(milliseconds: step.time), text: $0, isAlarming: false) }
        }
        events += rosters.disputes.filter { $0.received >= since.milliseconds }.map { dispute in
            GroupEvent(
                received: dispute.received, time: WallTime(milliseconds: dispute.received), text: dispute.words, isAlarming: true)
        }
        return Array(events.sorted { $0.received < $1.received }.suffix(Self.eventsMax))
    }

    private static let eventsMax = 200

    /// What a person should know of, each in a sentence.
    var problems: [String] {
        groups.values.sorted { $0.group.local < $1.group.local }.compactMap { rosters in
            rosters.disputes.last.map { "#\(rosters.group.local): \($0.words)" }
        }
    }
}

/// Something that happened to a group.
struct GroupEvent: Hashable, Sendable {
    /// Its place among messages, milliseconds since 1970.
    var received: Int64
    /// Shown.
    var time: WallTime
    /// A sentence without its full stop.
    var text: String
    var isAlarming: Bool
}
