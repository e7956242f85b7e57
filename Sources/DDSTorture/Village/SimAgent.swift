// A member's agent in the simulated village: outbox, fetching and store, with the decisions that the agent role itself uses
// (FetchLedger, InboxImport, StoreRemoval, OutboxLedger), and without vault, pages and pauses.

import DDSCore
import DDSSpool
import DDSWire

final class SimAgent {
    static let inbox = MailboxID(rawValue: 1)
    static let seen = MailboxID(rawValue: 2)
    static let outbox = MailboxID(rawValue: 3)
    static let outcomes = MailboxID(rawValue: 4)
    static let messages = MailboxID(rawValue: 5)
    static let summaries = MailboxID(rawValue: 6)
    /// What the node said last of each of the member's own letters; the flags are the report's number.
    static let states = MailboxID(rawValue: 7)
    /// An agent takes what a node has, and the village writes no more than a few thousand octets at once.
    private static let octetsMax = 1 << 20

    let machine: SimMachine
    let member: Int
    private let sabotage: Sabotage?
    private var ledger = FetchLedger([], mailbox: seen, inbox: inbox)
    private(set) var waiting: [(uid: SpoolUID, number: Int)] = []
    private var known: Set<RecordTag> = []
    private var postponed: [SpoolTransaction] = []
    /// A message was kept durably.
    var onStored: ([UInt8]) -> Void = { _ in }
    /// A message came into the store that was not there.
    var onShown: ([UInt8]) -> Void = { _ in }
    /// A message is about to be erased from the store.
    var onDiscarded: ([UInt8]) -> Void = { _ in }

    init(machine: SimMachine, member: Int, sabotage: Sabotage?) {
        self.machine = machine
        self.member = member
        self.sabotage = sabotage
    }

    var peer: TLSPeer { TLSPeer(version: "TLSv1.3", keyHash: [UInt8(member)]) }

    /// Starts the process; false when the machine went down meanwhile.
    func boot() throws(BrokenPromise) -> Bool {
        postponed = []
        guard try machine.boot() else { return false }
        ledger = FetchLedger(machine.entries(in: Self.seen), mailbox: Self.seen, inbox: Self.inbox)
        guard finishWhatWasCut() else { return false }
        known = Set(machine.entries(in: Self.summaries).map(\.tag))
        let queued = machine.entries(in: Self.outbox)
        let answered = OutboxLedger.answered(queued, outcomes: machine.entries(in: Self.outcomes))
        if !answered.isEmpty, case .failure = machine.commit(SpoolTransaction(erasures: answered)) { return false }
        waiting = queued.filter { !answered.contains($0.uid) }.map { ($0.uid, Int($0.tag.high)) }
        return true
    }

    /// Removals, imports and reports that a stop has cut off, as MessageStore does it when it opens.
    private func finishWhatWasCut() -> Bool {
        let summaries = machine.entries(in: Self.summaries)
        var left = StoreRemoval.leftovers(summaries: summaries, messages: machine.entries(in: Self.messages))
        if sabotage != .leavesImportsUnfinished {
            let origins = summaries.compactMap { machine.body($0.uid).map { SpoolUID(rawValue: RecordTag($0).high) } }
            left += InboxImport.finished(machine.entries(in: Self.inbox), origins: Set(origins))
        }
        let states = machine.entries(in: Self.states)
        for entry in states where states.contains(where: { $0.tag == entry.tag && $0.flags > entry.flags }) {
            left.append(entry.uid)
        }
        guard !left.isEmpty else { return true }
        if case .success = machine.commit(SpoolTransaction(erasures: left)) { return true }
        return false
    }

    // MARK: Outbox

    /// Keeps a letter until the node has it; false when it could not be kept.
    func write(_ letter: Letter) -> Bool {
        let record = SpoolAppend.record(
            mailbox: Self.outbox, tag: RecordTag(high: UInt64(letter.number), low: 1), flags: 0, body: letter.text)
        guard case .success(let uids) = machine.commit(SpoolTransaction(appends: [record])) else { return false }
        waiting.append((uids[0], letter.number))
        return true
    }

    func configuration(for letter: Letter, to destinations: [LetterDestination]) -> SMTPClientConfiguration {
        let recipients = destinations.map { Recipient(SimNode.address(of: $0)) }
        return SMTPClientConfiguration(
            clientName: "agent", tls: .implicit, credentials: .external(authzid: nil),
            envelope: Envelope(reversePath: .address(SimNode.address(of: .member(member))), recipients: recipients),
            message: letter.text)
    }

    /// The node has the letter: what came of it replaces it in the outbox. False when that could not be written.
    func settle(_ number: Int) -> Bool {
        guard let position = waiting.firstIndex(where: { $0.number == number }) else { return true }
        let outcome = SpoolAppend.record(
            mailbox: Self.outcomes, tag: RecordTag(high: UInt64(number), low: 1), flags: 1, body: [])
        guard case .success = machine.commit(OutboxLedger.settling(waiting[position].uid, outcome: outcome)) else {
            return false
        }
        waiting.remove(at: position)
        return true
    }

    // MARK: Fetching

    func answer(_ question: POP3FetchQuestion) -> POP3FetchAnswer? {
        guard !machine.disk.isStopped else { return nil }
        let answer: POP3FetchAnswer
        switch question {
        case .listing(let items): answer = plan(items)
        case .store(_, let uidl, let bytes): answer = keep(uidl, bytes)
        }
        return machine.disk.isStopped ? nil : answer
    }

    private func plan(_ items: [POP3Item]) -> POP3FetchAnswer {
        let tags = items.map { Self.tag(of: $0.uidl) }
        let gone = ledger.forgettable(unlessIn: Set(tags))
        if !gone.isEmpty, case .success = machine.commit(FetchLedger.forgetting(gone)) { ledger.forgot(gone) }
        let plan = ledger.plan(tags, octets: items.map(\.octets), octetsMax: Self.octetsMax)
        return .plan(fetch: plan.fetch, alreadyStored: plan.alreadyStored)
    }

    private func keep(_ uidl: String, _ bytes: [UInt8]) -> POP3FetchAnswer {
        let tag = Self.tag(of: uidl)
        var keeping = ledger.keeping(tag, bytes)
        switch sabotage {
        case .deletesBeforeStored:
            postponed.append(keeping)
            return .stored
        case .forgetsWhatWasSeen:
            keeping.appends.removeLast()
        default: break
        }
        guard case .success(let records) = machine.commit(keeping) else { return .notStored }
        if records.count == 2 { ledger.kept(tag, records) }
        onStored(bytes)
        return .stored
    }

    private static func tag(of uidl: String) -> RecordTag { .of(2, uidl.utf8) }

    /// What a sabotaged agent does too late.
    func commitPostponed() {
        for transaction in postponed { _ = machine.commit(transaction) }
        postponed = []
    }

    // MARK: Store

    /// The person erases the oldest message from the store.
    func discard() {
        guard let summary = machine.entries(in: Self.summaries).first,
            let message = machine.entries(in: Self.messages).first(where: { $0.tag == summary.tag }),
            let bytes = machine.body(message.uid)
        else { return }
        onDiscarded(bytes)
        var steps = StoreRemoval.removing(messages: [message.uid], summaries: [summary.uid])
        if sabotage == .removesSummaryFirst { steps.reverse() }
        for step in steps {
            guard case .success = machine.commit(step) else { return }
            known.remove(summary.tag)
        }
    }

    /// Shows everything in the inbox to the person, and notes what became of submissions.
    func importFetched() {
        for entry in machine.entries(in: Self.inbox) {
            guard let bytes = machine.body(entry.uid) else { return }
            if let notice = Notice.read(bytes.dropFirst(LetterCopy.headerLength)), notice.isReport {
                guard apply(notice.lines, from: entry.uid) else { return }
                continue
            }
            // The same copy gives the same name: one that is there already is recognised.
            let tag = RecordTag.of(3, bytes)
            let origin = RecordTag(high: entry.uid.rawValue, low: 0).bytes
            let records: [SpoolAppend] = [
                .record(mailbox: Self.messages, tag: tag, flags: 0, body: bytes),
                .record(mailbox: Self.summaries, tag: tag, flags: 0, body: origin + bytes.prefix(40)),
            ]
            let moving = InboxImport.moving(entry.uid, as: records, isKnown: known.contains(tag))
            guard case .success = machine.commit(moving) else { return }
            if known.insert(tag).inserted { onShown(bytes) }
        }
        let outcomes = machine.entries(in: Self.outcomes)
        if !outcomes.isEmpty { _ = machine.commit(SpoolTransaction(erasures: outcomes.map(\.uid))) }
    }

    /// Keeps what a report says of the member's letters instead of the report and of what earlier ones said.
    private func apply(_ lines: [Notice.Line], from record: SpoolUID) -> Bool {
        let old = machine.entries(in: Self.states)
        var transaction = SpoolTransaction(erasures: [record])
        for (letter, lines) in Dictionary(grouping: lines, by: \.letter).sorted(by: { $0.key < $1.key }) {
            let tag = RecordTag(high: UInt64(letter), low: 2)
            let revision = UInt16(lines[0].revision)
            let earlier = old.filter { $0.tag == tag }
            guard earlier.allSatisfy({ $0.flags < revision }) else { continue }
            let body = Notice(place: 0, reader: member, isReport: true, lines: lines).text
            transaction.appends.append(.record(mailbox: Self.states, tag: tag, flags: revision, body: body))
            transaction.erasures += earlier.map(\.uid)
        }
        if case .success = machine.commit(transaction) { return true }
        return false
    }

    /// What the member knows of the copies of an own letter.
    func states(of letter: Int) -> [Notice.Line] {
        let tag = RecordTag(high: UInt64(letter), low: 2)
        return machine.entries(in: Self.states).last { $0.tag == tag }.flatMap { machine.body($0.uid) }
            .flatMap { Notice.read($0[...]) }?.lines ?? []
    }
}
