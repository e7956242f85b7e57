// What this agent knows of who is who: the rosters of its groups and the keys that people sign with, sealed with the store key
// like everything else. Changed only together with the mail that says so.

import DDSCore
import DDSLoop
import DDSNode
import DDSSeal
import DDSSpool

@LoopActor final class TrustBook {
    /// By the names of groups.
    private(set) var groups: [String: GroupRosters] = [:]
    /// What messages are judged by.
    private(set) var trust = Trust()
    /// Grows with every change.
    private(set) var changeCount = 0

    /// Mail that waits for a decision on a key.
    let held: HeldMail

    let spool: any SpoolEngine
    private let seal: StoreSeal
    let me: MailAddress
    /// What this person signs with, in hexadecimal.
    private let ownKey: String
    private var records: [RecordTag: SpoolUID] = [:]

    init(spool: any SpoolEngine, seal: StoreSeal, me: MailAddress, ownKey: String) {
        self.spool = spool
        held = HeldMail(spool: spool)
        self.seal = seal
        self.me = me
        self.ownKey = ownKey
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
        for entry in try await spool.entries(in: AgentMailbox.knownKeys) {
            let sealed = try await spool.read(entry.uid, offset: 0, count: entry.size)
            guard let keys = seal.open(KnownKeys.self, sealed, mailbox: AgentMailbox.knownKeys, tag: entry.tag) else {
                throw .damaged(entry.uid, "the known keys do not open")
            }
            if let older = records.updateValue(entry.uid, forKey: entry.tag) { superseded.append(older) }
            trust.keys = keys
        }
        if !superseded.isEmpty { _ = try await spool.commit(SpoolTransaction(erasures: superseded)) }
        try await held.load()
    }

    /// Takes over a roster that the node has signed, and forgets the mail that brought it, in one transaction. The caller is
    /// inside the gate.
    func take(_ document: RosterDocument, from record: SpoolUID, at wall: WallTime) async throws(SpoolError) {
        let name = document.roster.group.local
        var rosters = groups[name] ?? GroupRosters(group: document.roster.group)
        guard rosters.take(document, me: me, ownKey: ownKey, at: wall) != .known else {
            _ = try await spool.commit(SpoolTransaction(erasures: [record]))
            return
        }
        var keys = trust.keys
        // What is not taken over teaches nothing.
        if rosters.last == document { keys.learn(document.roster, at: wall) }
        try await keep(rosters, keys, octets: document.bytes.count, erasing: record)
    }

    /// Takes over an owner's word about a roster, as above.
    func take(_ confirmation: RosterConfirmation, from record: SpoolUID, at wall: WallTime) async throws(SpoolError) {
        guard var rosters = groups[confirmation.group.local],
            rosters.take(confirmation, key: trust.keys["\(confirmation.owner)"]?.key, at: wall) != .known
        else {
            _ = try await spool.commit(SpoolTransaction(erasures: [record]))
            return
        }
        try await keep(rosters, trust.keys, octets: rosters.last?.bytes.count ?? 0, erasing: record)
    }

    private func keep(
        _ rosters: GroupRosters, _ keys: KnownKeys, octets: Int, erasing record: SpoolUID
    ) async throws(SpoolError) {
        let name = rosters.group.local
        let tag = Self.tag(name)
        let body: [UInt8]
        do {
            body = try await Heavy.perform(octets: 2 * octets) { [seal] in
                try seal.seal(rosters, mailbox: AgentMailbox.rosters, tag: tag)
            }
        } catch {
            throw .stopped("a roster cannot be encoded: \(error)")
        }
        let newKeys = try change(to: keys)
        let appends =
            [SpoolAppend.record(mailbox: AgentMailbox.rosters, tag: tag, flags: 0, body: body)] + (newKeys.map { [$0] } ?? [])
        let tags = [tag] + (newKeys == nil ? [] : [Self.keysTag])
        let move = newKeys == nil ? HeldMail.Move(target: AgentMailbox.heldBack) : try await held.holding(keys)
        let stored: [SpoolUID]
        do throws(SpoolError) {
            stored = try await spool.commit(
                SpoolTransaction(
                    appends: appends + move.appends, erasures: tags.compactMap { records[$0] } + move.erasures + [record]))
        } catch {
            held.stayed(move)
            throw error
        }
        for (tag, uid) in zip(tags, stored) { records[tag] = uid }
        held.moved(move, records: stored[tags.count...])
        groups[name] = rosters
        trust.keys = keys
        changeCount += 1
    }

    /// Takes over what a person decided, with the mail that goes out by it; returns how many messages those are. The caller is
    /// inside the gate.
    func settle(_ keys: KnownKeys) async throws(SpoolError) -> Int {
        let newKeys = try change(to: keys)
        let move = try await held.releasing(keys)
        guard newKeys != nil || !move.erasures.isEmpty else { return 0 }
        let tags = newKeys == nil ? [] : [Self.keysTag]
        let stored = try await spool.commit(
            SpoolTransaction(
                appends: (newKeys.map { [$0] } ?? []) + move.appends,
                erasures: tags.compactMap { records[$0] } + move.erasures))
        for (tag, uid) in zip(tags, stored) { records[tag] = uid }
        trust.keys = keys
        held.moved(move, records: stored[tags.count...])
        changeCount += 1
        return move.submissions.count
    }

    /// The record of other keys than those that are known; nil when they are the same.
    private func change(to keys: KnownKeys) throws(SpoolError) -> SpoolAppend? {
        guard keys != trust.keys else { return nil }
        do {
            return .record(
                mailbox: AgentMailbox.knownKeys, tag: Self.keysTag, flags: 0,
                body: try seal.seal(keys, mailbox: AgentMailbox.knownKeys, tag: Self.keysTag))
        } catch {
            throw .stopped("the known keys cannot be encoded: \(error)")
        }
    }

    /// What a message teaches, to be stored in the transaction that keeps it, and said to have been by `learnt`.
    func learning(_ key: String?, of author: String, at wall: WallTime) throws(SpoolError) -> (
        keys: KnownKeys, append: SpoolAppend, replaces: [SpoolUID]
    )? {
        guard let key else { return nil }
        var keys = trust.keys
        keys.learn(key, of: author, at: wall)
        return try change(to: keys).map { (keys, $0, records[Self.keysTag].map { [$0] } ?? []) }
    }

    func learnt(_ keys: KnownKeys, record: SpoolUID) {
        trust.keys = keys
        records[Self.keysTag] = record
    }

    /// What messages are judged by, with what the groups want of them and what is here already.
    func view(_ messages: SummaryTable) -> Trust {
        var view = trust
        view.groups = groups
        view.messages = messages
        return view
    }

    private static var keysTag: RecordTag { RecordTag.named("known keys") }

    /// The agent was locked.
    func close() {
        groups = [:]
        held.close()
        trust = Trust()
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

    /// What owners say of the roster that a message was sealed for; nil where there is nothing to say.
    func confirmation(of summary: StoredSummary) -> String? {
        guard !summary.isOwn, let head = summary.roster?.head else { return nil }
        return summary.group.flatMap { groups[$0]?.confirmation(of: head) }
    }

    /// What changed in a group since then, oldest first.
    func events(in group: String, since: WallTime) -> [GroupEvent] {
        guard let rosters = groups[group] else { return [] }
        var events = rosters.steps.filter { $0.received >= since.milliseconds }.flatMap { step in
            step.sentences.map {
                GroupEvent(received: step.received, time: WallTime(milliseconds: step.time), text: $0, isAlarming: false)
            }
        }
        events += rosters.steps.flatMap { step in
            (step.confirmations ?? []).filter { $0.received >= since.milliseconds }.map { word in
                GroupEvent(
                    received: word.received, time: WallTime(milliseconds: word.time),
                    text: "\(word.words) confirmed who is in the group, roster \(step.number)", isAlarming: word.isOfItself)
            }
        }
        events += rosters.steps.filter { $0.received >= since.milliseconds }.compactMap { step in
            step.otherMe.map {
                GroupEvent(received: step.received, time: WallTime(milliseconds: step.time), text: $0, isAlarming: true)
            }
        }
        events += rosters.disputes.filter { $0.received >= since.milliseconds }.map { dispute in
            GroupEvent(
                received: dispute.received, time: WallTime(milliseconds: dispute.received), text: dispute.words,
                isAlarming: true)
        }
        return Array(events.sorted { $0.received < $1.received }.suffix(Self.eventsMax))
    }

    private static let eventsMax = 200

    /// What a person should know of, each in a sentence.
    var problems: [String] {
        groups.values.sorted { $0.group.local < $1.group.local }.flatMap { rosters in
            [rosters.steps.last?.otherMe, rosters.disputes.last?.words].compactMap { $0 }.map {
                "#\(rosters.group.local): \($0)"
            }
        } + contacts.filter { $0.waiting > 0 }.map { "\($0.address): \($0.words); see: ddsnode key verify \($0.address)" }
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
