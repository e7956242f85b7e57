// The node of the simulated village: what the server role does between its sessions and its spool, with the decisions that the
// role itself uses (SubmissionLedger, Maildrop), and without everything that needs a loop, cryptography or a directory.

import DDSCore
import DDSSpool
import DDSWire

final class SimNode {
    static let domain = "node.test"

    let machine: SimMachine
    let groups: [[Int]]
    private let random: SeededRandom
    private let sabotage: Sabotage?
    private var submissions = SubmissionLedger([])
    /// What a session saw that may not be.
    private(set) var complaint: BrokenPromise?
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

    static func mailbox(of member: Int) -> MailboxID { MailboxID(rawValue: 1000 + UInt64(member)) }
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
        return true
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

    /// Takes a message as `DeliveryService` does, and hands the reply to `reply`, now or after `flush`.
    func accept(_ text: [UInt8], author: Int, destinations: [LetterDestination], reply: @escaping (SMTPReply) -> Void) {
        let receipts = destinations.map { destination in
            sabotage == .keepsNoReceipt
                ? nil : RecordTag.of(1, "\(author) \(Self.address(of: destination))\n".utf8 + text.prefix(15))
        }
        switch submissions.admit(receipts) {
        case .alreadyAccepted: reply(SMTPReply(250, EnhancedCode(2, 0, 0), "was accepted before"))
        case .beingAccepted: reply(SMTPReply(451, EnhancedCode(4, 3, 0), "is being accepted"))
        case .admitted(let positions, let receipts):
            let readers = readers(of: positions.map { destinations[$0] }, author: author)
            let deliveries = readers.map { reader in
                (mailbox: Self.mailbox(of: reader), header: LetterCopy.header(for: reader, nonce: random.next()))
            }
            let transaction = SubmissionLedger.accepting(payload: text, deliveries: deliveries, receipts: receipts)
            if sabotage == .acceptsBeforeCommit {
                postponed.append(transaction)
                submissions.settle(receipts, acceptedOn: machine.time.wall.day)
                return reply(SMTPReply(250, EnhancedCode(2, 0, 0), "stored, or so"))
            }
            commit(transaction) { [self] result in
                let isAccepted = if case .success = result { true } else { false }
                submissions.settle(receipts, acceptedOn: isAccepted ? machine.time.wall.day : nil)
                reply(self.reply(to: result))
            }
        }
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
