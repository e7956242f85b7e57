// Runs a script of spool operations on a disk with faults, over as many processes as it takes, and checks the model after
// every stop.

import DDSCore
import DDSSpool
import DDSTestKit

enum SpoolStep {
    case commit([PlannedTransaction])
    /// All maintenance there is.
    case maintain
    /// Close in order and open again.
    case reopen
    /// End the process without closing.
    case kill
}

struct SpoolRun {
    static let parameters = SpoolParameters(slots: 32, bodyBytes: 16 << 10, bigThreshold: 2048, chunkBytes: 1024)

    var disk: SimDisk
    let cipher: TestSpoolCipher
    let time = ManualTime()
    var model = SpoolModel()
    private var log: SpoolLog?
    /// Operations of earlier processes, since fault numbers count over the whole run.
    private var operationsBefore = 0
    private var faults: SimFaults

    var operations: Int { operationsBefore + disk.operations }

    init(seed: UInt64, faults: SimFaults = SimFaults(), parameters: SpoolParameters = Self.parameters) throws {
        disk = SimDisk(seed: seed)
        cipher = TestSpoolCipher(root: 7, seed: seed &* 31 &+ 5)
        try SpoolLog.create(on: disk, cipher: cipher, parameters: parameters, time: time)
        self.faults = faults
        disk = disk.restarted()
        disk.faults = faults
    }

    /// The open log, opening it if need be. Throws what opening throws.
    mutating func opened() throws -> SpoolLog {
        if let log { return log }
        let log = try SpoolLog(opening: disk, cipher: cipher, time: time)
        self.log = log
        return log
    }

    /// Plays the script until it ends or the log stops. True when it ended.
    mutating func play(_ script: [SpoolStep]) throws -> Bool {
        for step in script {
            do { _ = try opened() } catch let error as SpoolOpenError {
                guard case .disk = error else { throw error }
                return false
            }
            guard let log else { return false }
            switch step {
            case .commit(let group):
                guard try model.commit(group, on: log, disk) else { return false }
            case .maintain:
                guard maintain(log) else { return false }
            case .reopen:
                guard log.close() == nil else { return false }
                nextProcess()
            case .kill:
                nextProcess()
            }
        }
        return true
    }

    /// All maintenance; false when the log stopped.
    func maintain(_ log: SpoolLog) -> Bool {
        do {
            var steps = 0
            while try log.maintain() {
                steps += 1
                precondition(steps < 1000, "maintenance comes to an end")
            }
            return true
        } catch {
            return false
        }
    }

    mutating func nextProcess() {
        let handles = disk.openHandles
        log = nil
        operationsBefore += disk.operations
        let next = disk.restarted()
        next.faults = faults
        next.faults.stopAt = faults.stopAt.map { $0 - operationsBefore }
        next.faults.failAt = faults.failAt.map { $0 - operationsBefore }
        next.faults.fullFrom = faults.fullFrom.map { $0 - operationsBefore }
        precondition(handles < 100, "files are closed again")
        disk = next
    }

    /// From now on `faults` apply, their numbers counted from here.
    mutating func arm(_ faults: SimFaults) {
        operationsBefore = 0
        self.faults = faults
        self.faults.stopAt = faults.stopAt.map { $0 + disk.operations }
        self.faults.failAt = faults.failAt.map { $0 + disk.operations }
        self.faults.fullFrom = faults.fullFrom.map { $0 + disk.operations }
        disk.faults = self.faults
    }

    /// The machine stops now and starts again, without further faults.
    mutating func crash() {
        log = nil
        faults = SimFaults()
        disk = disk.crashed()
    }

    /// The process ends now and starts again, without further faults; the system's cache stays.
    mutating func restart() {
        log = nil
        faults = SimFaults()
        disk = disk.restarted()
    }

    /// Opens, compares with the model, and asks for no damage and no nonce used twice.
    mutating func verify() throws {
        let log = try opened()
        try model.verify(log)
        guard log.recovery.damage.isEmpty else { throw Violation(description: "damage: \(log.recovery.damage)") }
        guard cipher.repeatedNonces == 0 else { throw Violation(description: "a (key, nonce) pair was used twice") }
    }

    /// No slot of an erased record is on the medium (E1).
    func verifyErased() throws {
        if disk.durablyContains(anyOf: model.erasedSlots) {
            throw Violation(description: "the slot of an erased record is on the medium")
        }
    }
}
