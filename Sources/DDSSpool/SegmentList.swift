// The file `segments`: which segments may hold records. A segment is listed before the first append to it and struck off after
// its last record was erased, so that a file that is gone is noticed, whatever it held. Two copies, written one after the
// other; a copy that a stop has torn leaves the other, and what it would have said has not been acted upon.

import DDSCore

struct SegmentList: Hashable {
    static let magic = Array("DDSPSEGS".utf8)
    static let copyBytes = 16_384
    static let copies = 2
    private static let startBytes = 28
    private static let runBytes = 12
    private static let runsMax = (copyBytes - startBytes - 16) / runBytes

    /// Grows with every change.
    var counter: UInt64
    var sequences: Set<UInt64>

    /// One copy, in whole sectors. Of more segments than there is room for, the newest ones are named.
    func encoded(epoch: UInt32, _ cipher: any SpoolCipher) -> [UInt8] {
        let runs = runs().suffix(Self.runsMax)
        var copy = Self.magic
        copy.appendNumber(UInt64(SpoolFormat.version), bytes: 4)
        copy.appendNumber(UInt64(epoch), bytes: 4)
        copy.appendNumber(counter, bytes: 8)
        copy.appendNumber(UInt64(runs.count), bytes: 4)
        assert(copy.count == Self.startBytes)
        for run in runs {
            copy.appendNumber(run.lowerBound, bytes: 8)
            copy.appendNumber(UInt64(run.count), bytes: 4)
        }
        guard let tag = cipher.authenticate(epoch: epoch, copy) else {
            preconditionFailure("the root of the spool's epoch is known")
        }
        copy += tag
        return copy + [UInt8](repeating: 0, count: SpoolFormat.aligned(copy.count) - copy.count)
    }

    private func runs() -> [ClosedRange<UInt64>] {
        var runs: [ClosedRange<UInt64>] = []
        for sequence in sequences.sorted() {
            if let last = runs.last, last.upperBound + 1 == sequence {
                runs[runs.count - 1] = last.lowerBound...sequence
            } else {
                runs.append(sequence...sequence)
            }
        }
        return runs
    }

    /// A copy in the file's bytes, with the epoch of its root; nil when it is not authentic.
    static func decode(_ file: [UInt8], copy number: Int, _ cipher: any SpoolCipher) -> (list: SegmentList, epoch: UInt32)? {
        let start = number * copyBytes
        guard start + startBytes <= file.count, Array(file[start..<start + 8]) == magic else { return nil }
        let runs = Int(file.number(at: start + 24, bytes: 4))
        let end = start + startBytes + runs * runBytes
        guard runs <= runsMax, end + 16 <= file.count else { return nil }
        let epoch = UInt32(file.number(at: start + 12, bytes: 4))
        guard cipher.authenticate(epoch: epoch, Array(file[start..<end])) == Array(file[end..<end + 16]) else { return nil }
        var list = SegmentList(counter: file.number(at: start + 16, bytes: 8), sequences: [])
        for index in 0..<runs {
            let first = file.number(at: start + startBytes + index * runBytes, bytes: 8)
            let count = file.number(at: start + startBytes + index * runBytes + 8, bytes: 4)
            for sequence in first..<first + count { list.sequences.insert(sequence) }
        }
        return (list, epoch)
    }

    /// The file of a new spool.
    static func created(epoch: UInt32, _ cipher: any SpoolCipher) -> [UInt8] {
        let copy = SegmentList(counter: 1, sequences: []).encoded(epoch: epoch, cipher)
        let padding = [UInt8](repeating: 0, count: copyBytes - copy.count)
        return (0..<copies).flatMap { _ in copy + padding }
    }
}

extension SpoolLog {
    /// Says durably that `sequence` may hold records from now on.
    func enlist(_ sequence: UInt64) throws(DiskError) {
        guard segmentList.sequences.insert(sequence).inserted else { return }
        try writeSegmentList()
    }

    /// Says durably that `sequence` holds none any more.
    func strike(_ sequence: UInt64) throws(DiskError) {
        guard segmentList.sequences.remove(sequence) != nil else { return }
        try writeSegmentList()
    }

    func writeSegmentList() throws(DiskError) {
        segmentList.counter += 1
        segmentListEpoch = identity.generation
        let copy = segmentList.encoded(epoch: segmentListEpoch, cipher)
        let file = try disk.open(SpoolFormat.segmentListName)
        defer { disk.close(file) }
        for number in 0..<SegmentList.copies {
            try disk.write(file, at: number * SegmentList.copyBytes, copy)
            try disk.sync(file)
            counters.syncs += 1
        }
    }

    /// Reads the list, and names what is wrong with it. It is written again when one copy is not as the other.
    func readSegmentList() throws(DiskError) {
        let bytes: [UInt8]
        do { bytes = try disk.contents(of: SpoolFormat.segmentListName) } catch {
            guard error.kind == .notFound || error.kind == .inputOutput else { throw error }
            noteLoss(
                "the file \(SpoolFormat.segmentListName) cannot be read (\(error)): whether segments are missing is not known")
            return
        }
        let copies = (0..<SegmentList.copies).compactMap { SegmentList.decode(bytes, copy: $0, cipher) }
        guard let newest = copies.max(by: { $0.list.counter < $1.list.counter }) else {
            noteLoss("the file \(SpoolFormat.segmentListName) does not authenticate: whether segments are missing is not known")
            return
        }
        segmentList = newest.list
        segmentListEpoch = newest.epoch
        isListHealthy = copies.count == SegmentList.copies && copies[0].list == copies[1].list
    }
}
