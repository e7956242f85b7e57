// The log itself: what is open, what is known, and the small steps that every operation shares. Decides nothing about
// formats; committing, erasing, recovery and maintenance are in the extensions.

package import DDSCore

/// A spool over a disk, synchronous and owned by one thread. Every method that returns without an error has made its
/// effect durable. After `.stopped` nothing is accepted: open a new log, which reads the disk again.
package final class SpoolLog {
    let disk: any Disk
    let cipher: any SpoolCipher
    let time: any TimeSource
    var identity: SpoolSuper
    let parameters: SpoolParameters
    let policy: SpoolPolicy

    /// Segments that hold, held or may receive records, by sequence.
    var segments: [UInt64: Segment] = [:]
    /// The one that appends go to; nil until the first append.
    var active: Segment?
    /// Prepared and empty, to be active next.
    var ready: [Segment] = []
    /// What will be ready next.
    var preparing: SegmentPreparation?
    /// Starts zeroing on another thread. Without one the log writes the zeros itself, a piece at a time.
    package var zeroAside: ((SpoolZeroing) -> any SpoolAside)?
    /// Emptied; raw material for preparation, or to be removed.
    var spare: [Segment] = []
    /// Leftovers of an interrupted preparation: raw material too.
    var rawFiles: [String] = []
    /// Segments whose header cannot be read: never touched.
    var quarantined: Set<UInt64> = []
    var maximumSequence: UInt64 = 0

    var index = SpoolIndex()
    /// Slots whose UID names another place, because the record was moved.
    var moved: [UInt64: SlotLocation] = [:]

    /// Commit number of the last set that is durable, and the next to be given.
    var lastCommit: UInt64 = 0
    var nextCommit: UInt64 = 1
    /// What the marks on disk say, and in which segment the newest is.
    var markedThrough: UInt64 = 0
    var markHolder: UInt64 = 0
    var markCounter: UInt64 = 0
    /// Counter of the newest mark that was synced: the head. It never leaves the disk before a higher one is there.
    var durableCounter: UInt64 = 0

    /// Big files of erased records: to be overwritten and removed.
    var bigToErase: [String] = []
    var bigBytes = 0
    var openFiles: [Segment] = []
    var stopped: String?
    var counters = SpoolStatistics()
    /// Which segments may hold records, as the disk says, and the root under which it says so.
    var segmentList = SegmentList(counter: 0, sequences: [])
    var segmentListEpoch: UInt32 = 0
    /// Both copies on the disk say the same.
    var isListHealthy = false
    /// Segments whose header or marks are not as they should be, though nothing is lost.
    var toHeal: Set<UInt64> = []
    /// Somebody asked for space: see `compact`.
    var isSpaceWanted = false
    /// The change of the root waits for space.
    var isRoomMissing = false
    /// When segments became active, as far as the last two minutes go.
    var activations: [Instant] = []
    /// When maintenance last did a step, for the steps under load.
    var lastStep: Instant?
    /// The body that was read last, because long bodies are read in pieces.
    var lastRead: (uid: UInt64, body: [UInt8])?
    package internal(set) var recovery = RecoveryReport()

    /// Opens the spool that `create` made: takes the lock, reads every slot, decides what a stopped machine left behind
    /// and reports it in `recovery`. Throws without having changed anything unless the error is `.disk`. Where something
    /// that was accepted is lost it throws `.damaged`; with `acceptLoss` it erases what is left of that, and goes on.
    package init(
        opening disk: any Disk, cipher: any SpoolCipher, time: any TimeSource, policy: SpoolPolicy = SpoolPolicy(),
        acceptLoss: Bool = false
    ) throws(SpoolOpenError) {
        self.disk = disk
        self.policy = policy
        self.cipher = cipher
        self.time = time
        do {
            // A folder that holds no spool is not even locked, which would leave a file in it.
            guard try disk.list().contains(SpoolFormat.superName) else { throw SpoolOpenError.missing }
            try disk.lock()
        } catch let error as DiskError {
            throw .disk(error)
        } catch {
            throw .missing
        }
        do {
            (identity, recovery.damagedSupers) = try Self.readSuper(disk, cipher)
            parameters = identity.parameters
        } catch {
            disk.unlock()
            throw error
        }
        do { try recover(acceptLoss: acceptLoss) } catch {
            release()
            throw error
        }
    }

    /// Makes an empty spool with `parameters`. Refuses a folder where any file of a spool already is.
    package static func create(
        on disk: any Disk, cipher: any SpoolCipher, parameters: SpoolParameters, time: any TimeSource
    ) throws(SpoolOpenError) {
        guard parameters.areValid else { throw .invalid("parameters out of range") }
        do {
            try disk.lock()
            defer { disk.unlock() }
            for name in try disk.list() where name == SpoolFormat.superName || SpoolFileName(name) != nil {
                throw SpoolOpenError.exists(name)
            }
            try disk.replace(SpoolFormat.segmentListName, with: SegmentList.created(epoch: 1, cipher))
            let identity = SpoolSuper(
                uuid: cipher.random(16), generation: 1, parameters: parameters, createdDay: UInt32(max(0, time.wall.day)))
            try disk.replace(SpoolFormat.superName, with: identity.encoded(cipher))
        } catch let error as SpoolOpenError {
            throw error
        } catch let error as DiskError {
            throw .disk(error)
        } catch {
            preconditionFailure("only the two errors above are thrown here")
        }
    }

    private static func readSuper(
        _ disk: any Disk, _ cipher: any SpoolCipher
    ) throws(SpoolOpenError) -> (SpoolSuper, Int) {
        let bytes: [UInt8]
        do { bytes = try disk.contents(of: SpoolFormat.superName) } catch {
            throw error.kind == .notFound ? .missing : .disk(error)
        }
        return try SpoolSuper.decode(bytes, cipher)
    }

    /// Overwrites what awaits it, marks the spool as closed in order and releases the lock; after a stop it only releases.
    /// An error concerns the overwriting and the mark: whatever was acknowledged is durable all the same.
    @discardableResult
    package func close() -> SpoolError? {
        defer { release() }
        guard stopped == nil else { return nil }
        do {
            while try overwriteNext() {}
            // Half of what was in it before may still be there.
            while preparing?.isOwn == false, try prepareStep(isUrgent: true) {}
            if let segment = markSegment {
                let isClean = !segments.values.contains { $0.needsScrub } && !spare.contains { $0.needsScrub }
                try mark(in: segment, isClean: isClean)
            }
        } catch {
            return stop(error)
        }
        stopped = "the spool was closed"
        return nil
    }

    /// Gives up handles and lock. May be called again.
    private func release() {
        // The next process may put the same file to another use.
        _ = preparing?.aside?.wait()
        for segment in openFiles { closeFile(of: segment) }
        openFiles = []
        disk.unlock()
    }

    /// True after `close`, `release` or an error that has stopped the log.
    package var isStopped: Bool { stopped != nil }

    // MARK: - Shared steps

    /// The first failed write or sync ends the log: what is on the medium is unknown until it is read again.
    func stop(_ error: DiskError) -> SpoolError {
        let words = "\(error)"
        if stopped == nil { stopped = words }
        return .stopped(words)
    }

    func file(of segment: Segment) throws(DiskError) -> DiskFile {
        if let file = segment.file { return file }
        let file = try disk.open(segment.name)
        segment.file = file
        openFiles.append(segment)
        return file
    }

    /// Called between operations, never while a write awaits its sync.
    func closeSurplusFiles(keeping limit: Int = 64) {
        guard openFiles.count > limit else { return }
        let surplus = openFiles.filter { $0 !== active }.prefix(openFiles.count - limit)
        for segment in surplus { closeFile(of: segment) }
        openFiles.removeAll { $0.file == nil }
    }

    /// The order of a dictionary is another in each process; what happened has to be the same when it is played again.
    var segmentsInOrder: [Segment] { segments.values.sorted { $0.sequence < $1.sequence } }

    func oldest(_ isWanted: (Segment) -> Bool) -> Segment? {
        segments.values.filter(isWanted).min { $0.sequence < $1.sequence }
    }

    func closeFile(of segment: Segment) {
        if let file = segment.file { disk.close(file) }
        segment.file = nil
    }

    func sync(_ segment: Segment) throws(DiskError) {
        try disk.sync(file(of: segment))
        counters.syncs += 1
    }

    /// Where the next mark goes: the active segment, or the newest one whose header is good.
    var markSegment: Segment? {
        active ?? segments.values.max { $0.sequence < $1.sequence } ?? spare.max { $0.sequence < $1.sequence } ?? ready.last
    }

    /// Writes, without syncing, that everything up to `lastCommit` is durable. Call `marked` once it is synced.
    func writeMark(in segment: Segment, isClean: Bool = false) throws(DiskError) {
        markCounter += 1
        let mark = SegmentMark(counter: markCounter, durableThrough: lastCommit, isClean: isClean)
        let offset = SpoolFormat.markOffsets[segment.markSide]
        try disk.write(file(of: segment), at: offset, mark.encoded(sequence: segment.sequence, segment.keys))
        segment.markSide = 1 - segment.markSide
    }

    func marked(in segment: Segment, through commit: UInt64) {
        durableCounter = markCounter
        markedThrough = commit
        markHolder = segment.sequence
    }

    func mark(in segment: Segment, isClean: Bool = false) throws(DiskError) {
        try writeMark(in: segment, isClean: isClean)
        try sync(segment)
        marked(in: segment, through: lastCommit)
    }

    /// A zero slot of a set that no mark covers would look like a torn set, and recovery would drop its other members:
    /// so before any slot of `segment` is zeroed, a mark covers all that it holds.
    func coverErasure(in segment: Segment) throws(DiskError) {
        guard segment.lastCommit > markedThrough, let holder = markSegment else { return }
        try mark(in: holder)
    }

    func locate(_ uid: UInt64) -> (segment: Segment, slot: Int, meta: SlotMeta)? {
        let place = moved[uid] ?? SlotLocation(sequence: uid >> 16, slot: Int(uid & 0xffff))
        guard let segment = segments[place.sequence], place.slot < segment.slots.count,
            let meta = segment.slots[place.slot], meta.uid == uid
        else { return nil }
        return (segment, place.slot, meta)
    }

    var today: UInt16 { UInt16(clamping: time.wall.day) }
}
