// Runs a script of spool operations on a disk with faults, over as many processes as it takes, and checks the model after
// every stop.

import DDSCore
import DDSSpool
import DDSTestKit

enum SpoolStep {
    case commit([PlannedTransaction])
    /// All maintenance there is.
    case maintain
    /// Begin a change of the root, unless one is under way.
    case rotate
    /// Close in order and open again.
    case reopen
    /// End the process without closing.
    case kill
}

struct SpoolRun {
    static let parameters = SpoolParameters(slots: 32, bodyBytes: 16 << 10, bigThreshold: 2048, chunkBytes: 1024)

    /// Small steps, so that a sweep gets in between.
    static let policy: SpoolPolicy = {
        var policy = SpoolPolicy()
        policy.sparesKept = 1
        policy.bytesAhead = 700
        policy.moveSlots = 5
        policy.rekeySlots = 12
        return policy
    }()

    var disk: SimDisk
    let cipher: TestSpoolCipher
    let time = ManualTime()
    var policy = Self.policy
    /// Zeros of new segments are written elsewhere, after so many questions; nil where the log writes them itself.
    var zerosLate: Int?
    var model = SpoolModel()
    private var log: SpoolLog?
    /// Operations of earlier processes, since fault numbers count over the whole run.
    private var operationsBefore = 0
    private var faults: SimFaults

    var operations: Int { operationsBefore + disk.operations }

    init(seed: UInt64, faults: SimFaults = SimFaults(), parameters: SpoolParameters = Self.parameters) throws {
        disk = SimDisk(seed: seed)
        cipher = TestSpoolCipher(root: 7, seed: seed &* 31 &+ 5)
        cipher.know(1...1)
        try SpoolLog.create(on: disk, cipher: cipher, parameters: parameters, time: time)
        self.faults = faults
        disk = disk.restarted()
        disk.faults = faults
    }

    /// The open log, opening it if need be. Throws what opening throws.
    mutating func opened() throws -> SpoolLog {
        if let log { return log }
        let log = try SpoolLog(opening: disk, cipher: cipher, time: time, policy: policy)
        if let zerosLate { log.zeroAside = { [disk] in LateZeros($0, on: disk, patience: zerosLate) } }
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
            case .rotate:
                guard rotate(log) else { return false }
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
            // What the owner of the roots does when nothing hangs on the old one any more.
            if log.rotation.remaining == 0 { cipher.know(log.rootEpoch...log.rootEpoch) }
            return true
        } catch {
            return false
        }
    }

    /// Makes the next root known, as its owner would durably, and begins to use it. False when the log stopped.
    private func rotate(_ log: SpoolLog) -> Bool {
        guard log.rotation.remaining == 0 else { return true }
        cipher.know(log.rootEpoch...log.rootEpoch + 1)
        do throws(SpoolError) {
            try log.rotate()
            return true
        } catch {
            return error == .full
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
        let first = cipher.knownEpochs.lowerBound
        guard first > 1 else { return }
        let former = TestSpoolCipher(root: 7, seed: 1)
        former.know(1...first - 1)
        if let (place, _) = Self.records(on: disk, former).first {
            throw Violation(description: "a destroyed root still opens \(place)")
        }
    }

    /// No slot of an erased record is on the medium (E1): whoever has every file and every root the cipher knows opens every
    /// slot there is and finds none.
    func verifyErased() throws {
        for (place, tag) in Self.records(on: disk, cipher) where model.erased.contains(tag) {
            throw Violation(description: "the slot of an erased record is on the medium: \(place)")
        }
    }

    /// Every slot in every file of the medium that a known root opens, with the tag of its record.
    static func records(on disk: SimDisk, _ cipher: TestSpoolCipher) -> [(place: String, tag: RecordTag)] {
        var found: [(String, RecordTag)] = []
        for (name, bytes) in disk.durableContents where name.hasPrefix("seg-") && bytes.count >= 4096 {
            for header in [0, 2048] {
                let number = { (at: Int, count: Int) in bytes[at..<at + count].reduce(UInt64(0)) { $0 << 8 | UInt64($1) } }
                for epoch in cipher.knownEpochs {
                    // Both copies have one salt, so that any root can be tried on any segment.
                    guard
                        let keys = cipher.segment(
                            epoch: epoch, sequence: number(header + 16, 8), salt: Array(bytes[header + 40..<header + 56]))
                    else { continue }
                    for slot in 0..<min(parameters.slots, (bytes.count - 4096) / 128) {
                        let start = 4096 + slot * 128
                        guard let plain = keys.open(slot: slot, Array(bytes[start..<start + 128])) else { continue }
                        found.append(("\(name), slot \(slot)", RecordTag(Array(plain[92..<108]))))
                    }
                }
            }
        }
        return found
    }
}
