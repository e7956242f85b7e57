// One machine of the simulated village: a disk, a spool on it, and the ways in which a process or a machine ends. Decides no
// protocol; what the node and the agents do with their spools is in SimNode and SimAgent.

import DDSCore
import DDSSpool

/// What a machine suffers next, with operation numbers counted from when it is armed.
package enum MachineFault: Hashable, Sendable {
    case stop(at: Int)
    case fail(at: Int)
    case short(at: Int)
    case full(from: Int)
    /// This many bytes more than are used now.
    case room(Int)
}

/// A bug that is put in on purpose, to see that it is found.
package enum Sabotage: Hashable, Sendable, CaseIterable {
    case filesAreNotSynced
    case folderIsNotSynced
    /// The node says 250 and commits later.
    case acceptsBeforeCommit
    /// The node says +OK to QUIT and erases later.
    case confirmsBeforeErasure
    /// The node erases what was retrieved, before any DELE and QUIT.
    case erasesAtRetrieval
    /// The agent lets the node delete what it stores only later.
    case deletesBeforeStored
    /// The agent keeps a message without the note that it has it.
    case forgetsWhatWasSeen
    /// The node keeps a message without the receipt of its submission.
    case keepsNoReceipt
    /// The receipt says which destinations were served, and not which readers.
    case forgetsReaders
    /// The records that compaction copies are not synced, only what it overwrites with zeros: they are erased in their old
    /// place before they are durable in their new one.
    case movesAreNotSynced
    /// The old root is destroyed when the change to a new one begins, and not when it is over.
    case destroysRootTooEarly
    /// A held copy is erased before it is in the maildrop.
    case erasesHeldFirst
    /// What a stop has left in two places is handed out from both.
    case leavesMovesUnfinished
    /// Mail expires, and nobody is told.
    case expiresWithoutNotice
    /// Mail is erased before the notice of it is durable.
    case expiresBeforeNotice
    /// The record of a message goes before its author was told.
    case forgetsToReport
    /// The agent erases the summary before the message.
    case removesSummaryFirst
    /// The agent does not finish the imports that a stop has cut off.
    case leavesImportsUnfinished
}

final class SimMachine {
    private static let template: SimTemplate = SimTemplate()

    private(set) var disk: SimDisk
    let cipher: TestSpoolCipher
    let time: ManualTime
    let name: String
    private(set) var log: SpoolLog?
    private var faults = SimFaults()
    private let isSyncLost: Bool
    private let isFolderSyncLost: Bool
    private let sabotage: Sabotage?
    private static let policy: SpoolPolicy = {
        var policy = SpoolPolicy()
        policy.compactBelow = 60
        policy.rekeySlots = 4
        policy.moveSlots = 4
        policy.sparesKept = 1
        policy.bytesAhead = 1000
        return policy
    }()
    /// The medium was damaged on purpose: who runs the machine accepts what is lost with it.
    var acceptsLoss = false
    /// Something went wrong that ends the process, and the world has not started it again yet.
    var isDown: Bool { log?.isStopped ?? true }
    /// Records that compaction has moved, and changes of the root, in all lives.
    private(set) var moved = 0
    private(set) var rotations = 0
    private var journalBefore: [SimOperation]?
    private var faultsBefore = 0
    private var operationsBefore = 0

    init(name: String, seed: UInt64, time: ManualTime, sabotage: Sabotage?) {
        self.name = name
        self.time = time
        self.sabotage = sabotage
        isSyncLost = sabotage == .filesAreNotSynced
        isFolderSyncLost = sabotage == .folderIsNotSynced
        disk = Self.template.disk(seed: seed)
        cipher = TestSpoolCipher(root: SimTemplate.root, seed: seed &* 31 &+ 7)
        cipher.recordCiphertexts()
        applyFaults()
    }

    /// Changing operations of all its disks' lives.
    var operations: Int { operationsBefore + disk.operations }
    var faultsInjected: Int { faultsBefore + disk.injected }

    /// From now on every operation is noted, for `journal`.
    func noteOperations() {
        journalBefore = []
        disk.journal = []
    }

    /// What was noted.
    var journal: [SimOperation] { (journalBefore ?? []) + (disk.journal ?? []) }

    func arm(_ fault: MachineFault?) {
        switch fault {
        case nil: faults = SimFaults()
        case .stop(let number): faults = SimFaults(stopAt: number)
        case .fail(let number): faults = SimFaults(failAt: number)
        case .short(let number): faults = SimFaults(shortAt: number)
        case .full(let number): faults = SimFaults(fullFrom: number)
        case .room(let bytes): faults = SimFaults(capacity: disk.usedBytes + bytes)
        }
        faults = faults.shifted(by: disk.operations)
        applyFaults()
    }

    private func applyFaults() {
        disk.faults = faults
        disk.faults.losesSyncs = isSyncLost
        disk.faults.losesFolderSyncs = isFolderSyncLost
        if journalBefore != nil, disk.journal == nil { disk.journal = [] }
    }

    /// Starts the process. False when the machine stopped or the disk failed meanwhile; anything else that keeps a spool from
    /// opening breaks a promise.
    func boot() throws(BrokenPromise) -> Bool {
        let before = acceptsLoss ? disk.durableContents : [:]
        do throws(SpoolOpenError) {
            log = try SpoolLog(opening: disk, cipher: cipher, time: time, policy: Self.policy)
            return true
        } catch {
            if case .disk = error { return false }
            guard case .damaged = error, acceptsLoss else {
                throw BrokenPromise(.other, "\(name): the spool does not open: \(error)")
            }
        }
        guard disk.durableContents == before else {
            throw BrokenPromise(.other, "\(name): a refusal to open changed the disk")
        }
        do throws(SpoolOpenError) {
            log = try SpoolLog(opening: disk, cipher: cipher, time: time, policy: Self.policy, acceptLoss: true)
            return true
        } catch {
            if case .disk = error { return false }
            throw BrokenPromise(.other, "\(name): the spool does not open though the loss is accepted: \(error)")
        }
    }

    /// The process ends without notice; the system's cache stays.
    func kill() {
        leave()
        faults = faults.shifted(by: -disk.operations)
        disk = disk.restarted()
        applyFaults()
    }

    /// The machine loses its power now, and has it again, without further faults.
    func crash() {
        leave()
        disk = disk.crashed()
        faults = SimFaults()
        applyFaults()
    }

    private func leave() {
        log = nil
        faultsBefore += disk.injected
        operationsBefore += disk.operations
        journalBefore = journalBefore.map { $0 + (disk.journal ?? []) }
    }

    /// Maintenance, all there is or so many steps. False when the machine went down.
    @discardableResult
    func maintain(steps: Int = .max) -> Bool {
        guard let log else { return false }
        disk.faults.losesSyncsOfRecords = sabotage == .movesAreNotSynced && log.rotation.remaining == 0
        defer { disk.faults.losesSyncsOfRecords = false }
        let before = (try? log.statistics())?.moved ?? 0
        defer { moved += ((try? log.statistics())?.moved ?? before) - before }
        do throws(SpoolError) {
            var left = steps
            while left > 0, try log.maintain() { left -= 1 }
        } catch {
            return false
        }
        destroyOldRoot()
        return true
    }

    /// Begins a change of the root, unless one is under way. The next root is durable before that, as RootKeeper has it.
    func rotate() {
        guard let log, log.rotation.remaining == 0 else { return }
        do throws(SpoolError) {
            try log.rotate()
            rotations += 1
        } catch {
            return
        }
        if sabotage == .destroysRootTooEarly { cipher.know(log.rootEpoch...UInt32.max) }
    }

    /// Nothing hangs on it any more.
    private func destroyOldRoot() {
        guard let log, log.rotation.remaining == 0, cipher.knownEpochs.lowerBound < log.rootEpoch else { return }
        cipher.know(log.rootEpoch...UInt32.max)
    }

    func close() -> Bool { log?.close() == nil }

    /// The records of a mailbox; none when the process has stopped.
    func entries(in mailbox: MailboxID) -> [SpoolEntry] { (try? log?.entries(in: mailbox)) ?? [] }

    /// The record's body; nil when the process has stopped, or it is damaged.
    func body(_ uid: SpoolUID) -> [UInt8]? { try? log?.read(uid, offset: 0, count: .max) }

    func commit(_ transaction: SpoolTransaction) -> Result<[SpoolUID], SpoolError> {
        commit([transaction])[0]
    }

    func commit(_ transactions: [SpoolTransaction]) -> [Result<[SpoolUID], SpoolError>] {
        guard let log else { return transactions.map { _ in .failure(.stopped("not running")) } }
        return log.commit(transactions)
    }
}

/// An empty spool, made once and copied for every machine of every village.
struct SimTemplate: Sendable {
    static let root: UInt64 = 7
    static let parameters = SpoolParameters(slots: 16, bodyBytes: 8 << 10, bigThreshold: 1024, chunkBytes: 512)

    private let files: [String: [UInt8]]

    init() {
        let disk = SimDisk(seed: 1)
        do {
            try SpoolLog.create(
                on: disk, cipher: TestSpoolCipher(root: Self.root, seed: 1), parameters: Self.parameters, time: ManualTime())
        } catch {
            preconditionFailure("an empty disk without faults takes a spool: \(error)")
        }
        files = disk.durableContents
    }

    func disk(seed: UInt64) -> SimDisk { SimDisk(seed: seed, files: files) }
}
