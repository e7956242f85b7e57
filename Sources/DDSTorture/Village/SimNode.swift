// The node of the simulated village: what the server role does between its sessions and its spool, with the decisions that the
// role itself uses (SubmissionLedger, Maildrop, HeldCopy, MessageRecord), and without everything that needs a loop, cryptography
// or a directory. What it does by itself, without a session, is in SimNode+Housekeeping.

import DDSCore
import DDSSpool
import DDSWire

final class SimNode {
    static let domain = "node.test"

    let machine: SimMachine
    let groups: [[Int]]
    let random: SeededRandom
    let sabotage: Sabotage?
    var submissions = SubmissionLedger([])
    /// What a session saw that may not be.
    var complaint: BrokenPromise?
    /// Members to whom nothing can be sealed just now.
    var keyless: Set<Int> = []
    /// Copies that were held and are in their maildrop now.
    var handedOn = 0
    /// Makes a notice, which is known from then on to whoever judges copies.
    var makeNotice: (_ reader: Int, _ isReport: Bool, [Notice.Line]) -> Notice = {
        Notice(place: 0, reader: $0, isReport: $1, lines: $2)
    }
    /// The node erases these notices because they are old, and tells nobody.
    var onDropping: ([Int]) -> Void = { _ in }
    /// Letters are about to expire of which their reader cannot be told.
    var onSilence: ([Notice.Line]) -> Void = { _ in }
    /// The same of letters and their author.
    var onUnreported: ([Notice.Line]) -> Void = { _ in }
    /// These records are erased, and the node knows it.
    var onErased: ([SpoolUID]) -> Void = { _ in }
    /// An author is told durably.
    var onTold: ([Notice.Line]) -> Void = { _ in }
    private(set) var leases: Set<Int> = []
    /// Counts the processes, so that a session of an earlier one does nothing.
    private(set) var life = 0
    /// While this is set, what sessions want to commit is gathered for one pass.
    var isGathering = false
    private var gathered: [(transaction: SpoolTransaction, finish: (Result<[SpoolUID], SpoolError>) -> Void)] = []
    private var postponed: [SpoolTransaction] = []

    init(machine: SimMachine, groups: [[Int]], seed: UInt64, sabotage: Sabotage?) {
        self.machine = machine
        self.groups = groups
        self.sabotage = sabotage
        random = SeededRandom(seed: seed)
    }

    /// Drops what sessions wait for.
    func abandon() { gathered = [] }

    /// Letters that a maildrop takes from a group before they are held.
    private static let quota = 4

    static func mailbox(of member: Int) -> MailboxID { MailboxID(rawValue: 1000 + UInt64(member)) }
    static func member(of mailbox: UInt64) -> Int { Int(mailbox) - 1000 }
    static func name(of member: Int) -> String { "m\(member)" }

    static func address(of destination: LetterDestination) -> MailAddress {
        switch destination {
        case .member(let member): MailAddress(local: name(of: member), domain: domain) ?? unreachable()
        case .group(let group): MailAddress(local: "g\(group)", domain: domain) ?? unreachable()
        }
    }

    private static func unreachable() -> MailAddress { preconditionFailure("the village's own addresses are valid") }

    static func destination(of address: MailAddress) -> LetterDestination? {
        guard let number = Int(address.local.dropFirst()) else { return nil }
        return address.local.hasPrefix("g") ? .group(number) : .member(number)
    }

    /// Who gets a copy, ascending: a group's copy does not go back to its author.
    func readers(of destinations: [LetterDestination], author: Int) -> [Int] {
        var readers: Set<Int> = []
        for destination in destinations {
            switch destination {
            case .member(let member): readers.insert(member)
            case .group(let group): readers.formUnion(groups[group].filter { $0 != author })
            }
        }
        return readers.sorted()
    }

    /// Starts the process; false when the machine went down meanwhile.
    func boot() throws(BrokenPromise) -> Bool {
        life += 1
        leases = []
        gathered = []
        postponed = []
        isGathering = false
        guard try machine.boot() else { return false }
        submissions = SubmissionLedger(machine.entries(in: SubmissionLedger.mailbox))
        return finishWhatWasCut()
    }

    /// Copies that lie in two places and records that were written anew, as HeldQueue and MessageLedger do it when they open.
    private func finishWhatWasCut() -> Bool {
        var left = MessageRecord.newest(machine.entries(in: MessageRecord.mailbox)).superseded
        var places: [HeldCopy.Place] = heldCopies().map {
            HeldCopy.Place(uid: $0.entry.uid, id: $0.entry.tag, member: $0.copy.member)
        }
        let ids = Set(places.map(\.id))
        for member in Set(places.map(\.member)).sorted() {
            for entry in machine.entries(in: MailboxID(rawValue: member)) where ids.contains(entry.tag) {
                places.append(HeldCopy.Place(uid: entry.uid, id: entry.tag, member: member))
            }
        }
        if sabotage != .leavesMovesUnfinished { left += HeldCopy.superseded(places) }
        guard !left.isEmpty else { return true }
        if case .success = machine.commit(SpoolTransaction(erasures: left)) { return true }
        return false
    }

    /// What is held and can be read.
    func heldCopies() -> [(entry: SpoolEntry, copy: HeldCopy)] {
        machine.entries(in: HeldCopy.mailbox).compactMap { entry in
            machine.body(entry.uid).flatMap { HeldCopy($0) }.map { (entry, $0) }
        }
    }

    func isFull(_ member: Int) -> Bool {
        machine.entries(in: Self.mailbox(of: member)).count { !$0.isControl } >= Self.quota
    }

    // MARK: Commits

    /// Commits now, or with others when `flush` comes.
    private func commit(_ transaction: SpoolTransaction, finish: @escaping (Result<[SpoolUID], SpoolError>) -> Void) {
        if isGathering { gathered.append((transaction, finish)) } else { finish(machine.commit(transaction)) }
    }

    /// One pass for everything that was gathered.
    func flush() {
        isGathering = false
        let pass = gathered
        gathered = []
        guard !pass.isEmpty else { return }
        for (entry, result) in zip(pass, machine.commit(pass.map(\.transaction))) { entry.finish(result) }
    }

    /// What a sabotaged node does too late.
    func commitPostponed() {
        for transaction in postponed { _ = machine.commit(transaction) }
        postponed = []
    }

    // MARK: Submission

    /// The names that a receipt has for a submission and for what it reached.
    private func tag(_ kind: UInt8, _ author: Int, _ text: [UInt8], _ place: String = "") -> RecordTag {
        .of(kind, Array("\(author) \(place)\n".utf8) + text.prefix(15))
    }

    /// Takes a message as `DeliveryService` does, and hands the reply to `reply`, now or after `flush`.
    func accept(_ text: [UInt8], author: Int, destinations: [LetterDestination], reply: @escaping (SMTPReply) -> Void) {
        let submission = sabotage == .keepsNoReceipt ? nil : tag(1, author, text)
        guard case .admitted(let receipts) = submissions.admit(submission) else {
            return reply(SMTPReply(451, EnhancedCode(4, 3, 0), "is being accepted"))
        }
        var served = SubmissionReceipt()
        for uid in receipts { machine.body(uid).flatMap { SubmissionReceipt($0) }.map { served.add($0) } }
        let wanted = destinations.filter { !served.destinations.contains(tag(4, author, text, "\(Self.address(of: $0))")) }
        guard !wanted.isEmpty else {
            submissions.settle(submission, receipt: nil)
            return reply(SMTPReply(250, EnhancedCode(2, 0, 0), "was accepted before"))
        }
        let readers = readers(of: wanted, author: author).filter { !served.readers.contains(tag(5, author, text, "\($0)")) }
        let receipt = submission.map { submission in
            SubmissionLedger.append(
                SubmissionReceipt(
                    destinations: wanted.map { tag(4, author, text, "\(Self.address(of: $0))") },
                    readers: sabotage == .forgetsReaders ? [] : readers.map { tag(5, author, text, "\($0)") }), of: submission)
        }
        let transaction = accepting(text, author, wanted, readers, receipt)
        let day = machine.time.wall.day
        if sabotage == .acceptsBeforeCommit {
            postponed.append(transaction)
            submissions.settle(submission, receipt: (SpoolUID(rawValue: 0), day))
            return reply(SMTPReply(250, EnhancedCode(2, 0, 0), "stored, or so"))
        }
        commit(transaction) { [self] result in
            let stored = if case .success(let uids) = result { uids.last } else { nil as SpoolUID? }
            submissions.settle(submission, receipt: stored.map { ($0, day) })
            reply(self.reply(to: result))
        }
    }

    private func accepting(
        _ text: [UInt8], _ author: Int, _ destinations: [LetterDestination], _ readers: [Int], _ receipt: SpoolAppend?
    ) -> SpoolTransaction {
        let id = RecordTag(high: random.next(), low: random.next())
        let groups = readers.map { group(reaching: $0, destinations) }
        let deliveries = zip(readers, groups).map { reader, group in
            let header = LetterCopy.header(for: reader, nonce: random.next())
            let route = CopyRoute(
                hasOwnHeader: !keyless.contains(reader), isFull: isFull(reader), cameThroughGroup: group != nil)
            guard case .held(let cause) = route else { return (mailbox: Self.mailbox(of: reader), header: header) }
            let copy = HeldCopy(
                member: Self.mailbox(of: reader).rawValue, cause: cause, sealing: .node, group: group.map { "g\($0)" },
                header: header)
            return (mailbox: HeldCopy.mailbox, header: copy.encoded)
        }
        let places = destinations.map { destination in
            switch destination {
            case .member(let member): Self.name(of: member)
            case .group(let group): "#g\(group)"
            }
        }
        let record = MessageRecord(
            author: Self.name(of: author), authorMailbox: Self.mailbox(of: author).rawValue,
            submission: String(decoding: text[8..<13], as: UTF8.self), day: machine.time.wall.day, destinations: places,
            copies: zip(readers, groups).map { reader, group in
                MessageRecord.Copy(
                    member: Self.name(of: reader), mailbox: Self.mailbox(of: reader).rawValue,
                    group: group.flatMap { places.firstIndex(of: "#g\($0)") })
            })
        return SubmissionLedger.accepting(
            payload: text, id: id, deliveries: deliveries, records: readers.isEmpty ? [] : [record.append(id: id)],
            receipt: receipt)
    }

    /// The group through which a reader is reached; nil when the message was sent to the member.
    private func group(reaching member: Int, _ destinations: [LetterDestination]) -> Int? {
        if destinations.contains(.member(member)) { return nil }
        for case .group(let group) in destinations where groups[group].contains(member) { return group }
        return nil
    }

    private func reply(to result: Result<[SpoolUID], SpoolError>) -> SMTPReply {
        switch result {
        case .success: return SMTPReply(250, EnhancedCode(2, 0, 0), "sealed and stored")
        case .failure(.full): return SMTPReply(452, EnhancedCode(4, 3, 1), "the disk is full")
        case .failure(.tooLarge): return SMTPReply(552, EnhancedCode(5, 3, 4), "too large")
        case .failure: return SMTPReply(451, EnhancedCode(4, 3, 0), "the storage has stopped")
        }
    }

    // MARK: Maildrops

    func lease(_ member: Int) -> Bool { leases.insert(member).inserted }

    func release(_ member: Int, life: Int) {
        if life == self.life { leases.remove(member) }
    }

    /// A copy as it goes over the wire; nil when it cannot be read.
    func copy(_ entry: SpoolEntry) -> [UInt8]? {
        guard let log = machine.log, let payload = entry.payload, let header = try? log.read(entry.uid, offset: 0, count: .max),
            let text = try? log.read(payload, offset: 0, count: .max)
        else { return nil }
        if sabotage == .erasesAtRetrieval { _ = machine.commit(SpoolTransaction(erasures: [entry.uid])) }
        return header + text
    }

    func erase(_ transaction: SpoolTransaction, finish: @escaping (Result<[SpoolUID], SpoolError>) -> Void) {
        if sabotage == .confirmsBeforeErasure {
            postponed.append(transaction)
            return finish(.success([]))
        }
        commit(transaction) { [self] result in
            if case .failure(let error) = result, !machine.disk.hasFailed, !machine.disk.isStopped {
                complaint = BrokenPromise(.other, "an erasure failed though nothing but space was missing: \(error)")
            }
            finish(result)
        }
    }
}
