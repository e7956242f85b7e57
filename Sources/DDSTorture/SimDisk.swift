// A disk in memory that loses what a real one may lose: sectors that were not synced, names whose folder was not synced.
// Decides when operations fail; what survives a crash is decided in SimDisk+Crash.

package import DDSCore

/// What goes wrong, by number of the changing operation (create, write, sync, rename, remove, folder sync), from 1.
package struct SimFaults: Hashable, Sendable {
    /// The machine stops in the middle of this operation.
    package var stopAt: Int?
    /// This operation fails with an input/output error; of a failed sync an arbitrary part is on the medium, and the rest
    /// will never get there although reads show it.
    package var failAt: Int?
    /// This operation, when it is a write, gets only some of its sectors into the file and fails. Kernels write page by page,
    /// so that no sector is cut in two.
    package var shortAt: Int?
    /// From this operation on nothing can grow.
    package var fullFrom: Int?
    /// Bytes that all files together may have.
    package var capacity: Int?
    /// Syncs of files succeed and do nothing: to see tests go red.
    package var losesSyncs = false
    /// The same, when the last write to the file was behind a segment's header and not of zeros.
    package var losesSyncsOfRecords = false
    /// The same for the syncs of the folder.
    package var losesFolderSyncs = false

    package init(
        stopAt: Int? = nil, failAt: Int? = nil, shortAt: Int? = nil, fullFrom: Int? = nil, capacity: Int? = nil
    ) {
        self.stopAt = stopAt
        self.failAt = failAt
        self.shortAt = shortAt
        self.fullFrom = fullFrom
        self.capacity = capacity
    }

    /// The same faults with every number moved by `operations`, for a disk that counts from elsewhere.
    package func shifted(by operations: Int) -> SimFaults {
        var moved = self
        moved.stopAt = stopAt.map { $0 + operations }
        moved.failAt = failAt.map { $0 + operations }
        moved.shortAt = shortAt.map { $0 + operations }
        moved.fullFrom = fullFrom.map { $0 + operations }
        return moved
    }
}

/// A changing operation, as far as it makes a difference for what can go wrong with it.
enum SimOperation: Hashable, Sendable {
    case write
    /// A write that makes a file longer, or a new file.
    case growth
    case other
}

/// A simulated disk. `crashed()` and `restarted()` give the disk that the next process finds.
package final class SimDisk: Disk {
    package var faults: SimFaults
    /// Changing operations so far.
    package private(set) var operations = 0
    /// Names and byte ranges whose reading fails.
    package var unreadable: [String: Range<Int>] = [:]
    package private(set) var isStopped = false
    /// A write or sync has failed on this disk, other than for want of space.
    package private(set) var hasFailed = false
    /// How often something went wrong on purpose.
    package private(set) var injected = 0
    /// What each changing operation was, when somebody wants to know.
    var journal: [SimOperation]?

    var names: [String: SimFile] = [:]
    var durableNames: [String: SimFile] = [:]
    var pendingNames: [SimNameChange] = []
    private var handles: [Int32: SimFile] = [:]
    private var nextHandle: Int32 = 3
    private var isLocked = false
    let random: SeededRandom

    package init(seed: UInt64 = 1, faults: SimFaults = SimFaults()) {
        random = SeededRandom(seed: seed)
        self.faults = faults
    }

    init(names: [String: SimFile], durableNames: [String: SimFile], pending: [SimNameChange], random: SeededRandom) {
        self.names = names
        self.durableNames = durableNames
        pendingNames = pending
        self.random = random
        faults = SimFaults()
    }

    /// A disk with these files on its medium.
    package convenience init(seed: UInt64, files: [String: [UInt8]]) {
        let files = files.mapValues { SimFile(durable: $0) }
        self.init(names: files, durableNames: files, pending: [], random: SeededRandom(seed: seed))
    }

    package var openHandles: Int { handles.count }

    // MARK: - Disk

    package func list() throws(DiskError) -> [String] {
        try checkRunning("list")
        return Array(names.keys)
    }

    package func open(_ name: String) throws(DiskError) -> DiskFile {
        try checkRunning("open \(name)")
        guard let file = names[name] else { throw DiskError(.notFound, operation: "open \(name)", detail: "no such file") }
        return handle(for: file)
    }

    package func create(_ name: String) throws(DiskError) -> DiskFile {
        guard names[name] == nil else { throw DiskError(.exists, operation: "create \(name)", detail: "file exists") }
        let file = SimFile()
        let isFull = faults.fullFrom.map { operations + 1 >= $0 } ?? false
        journal?.append(.growth)
        try change("create", name) {
            if !isFull {
                names[name] = file
                pendingNames.append(.create(name, file))
            }
        }
        if isFull { throw full("create \(name)") }
        return handle(for: file)
    }

    package func close(_ file: DiskFile) {
        handles[file.rawValue] = nil
    }

    package func size(_ file: DiskFile) throws(DiskError) -> Int {
        try checkRunning("size")
        return target(file).view.count
    }

    package func read(_ file: DiskFile, at offset: Int, count: Int) throws(DiskError) -> [UInt8] {
        try checkRunning("read")
        let target = target(file)
        let end = min(offset + count, target.view.count)
        guard offset < end else { return [] }
        for (name, range) in unreadable where names[name] === target && range.overlaps(offset..<end) {
            injected += 1
            throw DiskError(.inputOutput, operation: "read \(name)", detail: "input/output error")
        }
        return Array(target.view[offset..<end])
    }

    package func write(_ file: DiskFile, at offset: Int, _ bytes: [UInt8]) throws(DiskError) {
        let target = target(file)
        let growth = max(0, offset + bytes.count - target.view.count)
        var isFull = false
        journal?.append(growth > 0 ? .growth : .write)
        if growth > 0 {
            isFull = faults.fullFrom.map { operations + 1 >= $0 } ?? false
            if let capacity = faults.capacity, usedBytes + growth > capacity { isFull = true }
        }
        if operations + 1 == faults.shortAt, !isStopped {
            operations += 1
            hasFailed = true
            injected += 1
            let end = (offset + random.below(bytes.count + 1)) / SimFile.sectorBytes * SimFile.sectorBytes
            target.write(at: offset, Array(bytes.prefix(max(0, end - offset))))
            throw DiskError(.inputOutput, operation: "write", detail: "only a part was written")
        }
        try change("write", nil) { if !isFull { target.write(at: offset, bytes) } }
        if isFull { throw full("write") }
    }

    package func sync(_ file: DiskFile) throws(DiskError) {
        let target = target(file)
        operations += 1
        journal?.append(.other)
        try checkRunning("sync")
        if stopsNow() { throw DiskError(.crashed, operation: "sync", detail: "the machine stopped") }
        if operations == faults.failAt {
            hasFailed = true
            injected += 1
            target.failSync(random)
            throw DiskError(.inputOutput, operation: "sync", detail: "input/output error")
        }
        if faults.losesSyncs || (faults.losesSyncsOfRecords && target.isLastWriteOfRecords) { return }
        target.sync()
    }

    package func syncFolder() throws(DiskError) {
        journal?.append(.other)
        try change("sync folder", nil, beforeFailing: false) {
            if faults.losesFolderSyncs { return }
            durableNames = names
            pendingNames = []
        }
    }

    package func rename(_ name: String, to newName: String) throws(DiskError) {
        guard let file = names[name] else { throw DiskError(.notFound, operation: "rename \(name)", detail: "no such file") }
        journal?.append(.other)
        try change("rename", name) {
            names[name] = nil
            names[newName] = file
            pendingNames.append(.rename(name, newName, file))
        }
    }

    package func remove(_ name: String) throws(DiskError) {
        guard names[name] != nil else { throw DiskError(.notFound, operation: "remove \(name)", detail: "no such file") }
        journal?.append(.other)
        try change("remove", name) {
            names[name] = nil
            pendingNames.append(.remove(name))
        }
    }

    package func lock() throws(DiskError) {
        try checkRunning("lock")
        guard !isLocked else { throw DiskError(.locked, operation: "lock", detail: "another process has it") }
        isLocked = true
    }

    package func unlock() {
        isLocked = false
    }

    package func freeBytes() throws(DiskError) -> Int {
        try checkRunning("free")
        return (faults.capacity ?? 1 << 40) - usedBytes
    }

    // MARK: - Inner workings

    /// The length of all files together.
    package var usedBytes: Int { names.values.reduce(0) { $0 + $1.view.count } }

    /// A handle that is not open is a bug of the caller.
    private func target(_ file: DiskFile) -> SimFile {
        guard let target = handles[file.rawValue] else { preconditionFailure("the file is not open") }
        return target
    }

    private func handle(for file: SimFile) -> DiskFile {
        nextHandle += 1
        handles[nextHandle] = file
        return DiskFile(rawValue: nextHandle)
    }

    private func checkRunning(_ operation: String) throws(DiskError) {
        if isStopped { throw DiskError(.crashed, operation: operation, detail: "the machine stopped") }
    }

    private func stopsNow() -> Bool {
        if operations == faults.stopAt {
            isStopped = true
            injected += 1
        }
        return isStopped
    }

    private func full(_ operation: String) -> DiskError {
        injected += 1
        return DiskError(.full, operation: operation, detail: "no space left")
    }

    /// Counts a changing operation. When the machine stops in it, its effect may or may not get to the medium like any
    /// other that is not synced; a sync that is interrupted or fails has no effect.
    private func change(
        _ operation: String, _ name: String?, beforeFailing: Bool = true, _ effect: () -> Void
    ) throws(DiskError) {
        operations += 1
        try checkRunning(operation)
        let stops = stopsNow()
        let fails = operations == faults.failAt
        if beforeFailing ? !fails : !stops && !fails { effect() }
        guard stops || fails else { return }
        let words = operation + (name.map { " \($0)" } ?? "")
        if stops { throw DiskError(.crashed, operation: words, detail: "the machine stopped") }
        hasFailed = true
        injected += 1
        throw DiskError(.inputOutput, operation: words, detail: "input/output error")
    }
}
