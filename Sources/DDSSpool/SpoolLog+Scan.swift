// Reading what is on the disk at opening: headers, marks and slot tables. Changes nothing. A part that cannot be read is
// named and left out; it never hides its neighbours.

import DDSCore

/// A slot whose set no mark covers: recovery has to judge it.
struct UnmarkedSlot {
    var segment: Segment
    var slot: Int
    var content: SpoolSlot
    var sealed: [UInt8]
}

/// What the scan found besides the segments themselves.
struct ScanResult {
    var bigNames: [UInt64] = []
    var marks: [(segment: Segment, mark: SegmentMark)] = []
    /// A mark sector does not authenticate: marks are no proof that a set is torn.
    var isMarkDamaged = false
    var unmarked: [UInt64: [UnmarkedSlot]] = [:]
    var highestCommit: UInt64 = 0
}

extension SpoolLog {
    /// More marks than can be written between two that are still on the disk.
    private static let markGap: UInt64 = 1 << 20

    func scan() throws(SpoolOpenError) -> ScanResult {
        var result = ScanResult()
        let names: [String]
        do { names = try disk.list() } catch { throw .disk(error) }
        for name in names.sorted() {
            switch SpoolFileName(name) {
            case .segment(let sequence, let isTemporary):
                maximumSequence = max(maximumSequence, sequence)
                if isTemporary { rawFiles.append(name) } else { try scanHeader(name, sequence, &result) }
            case .big(_, isTemporary: true):
                bigToErase.append(name)
            case .big(let id, isTemporary: false):
                result.bigNames.append(id)
            case nil:
                break
            }
        }
        do { try readSegmentList() } catch { throw .disk(error) }
        for sequence in segmentList.sequences.sorted() where segments[sequence] == nil && !quarantined.contains(sequence) {
            noteLoss("segment \(SpoolFileName.segment(sequence, isTemporary: false).text) is missing with all that it held")
        }
        let newest = result.marks.max { $0.mark.counter < $1.mark.counter }
        markedThrough = result.marks.map(\.mark.durableThrough).max() ?? 0
        markHolder = newest?.segment.sequence ?? 0
        markCounter = newest?.mark.counter ?? 0
        // A damaged mark may have been the newest. The head must not go back for that, and any higher number is as good.
        if result.isMarkDamaged { markCounter += Self.markGap }
        durableCounter = markCounter
        recovery.wasClean = newest?.mark.isClean ?? true
        result.highestCommit = markedThrough
        for segment in segmentsInOrder {
            do { try scanTable(of: segment, &result) } catch { throw .disk(error) }
        }
        return result
    }

    private func scanHeader(_ name: String, _ sequence: UInt64, _ result: inout ScanResult) throws(SpoolOpenError) {
        let page: [UInt8]
        let size: Int
        do {
            let file = try disk.open(name)
            defer { disk.close(file) }
            page = try readPieces(file, at: 0, count: SpoolFormat.headerBytes) { recovery.damage.append("\(name), \($0)") }
            size = try disk.size(file)
            if size < parameters.fileBytes { recovery.damage.append("\(name) ends at byte \(size) of \(parameters.fileBytes)") }
        } catch {
            throw .disk(error)
        }
        var copies: [(header: SegmentHeader, keys: any SegmentCipher)] = []
        var strangers: [SpoolOpenError] = []
        for offset in SpoolFormat.headerOffsets {
            switch SegmentHeader.decode(page, at: offset, cipher) {
            case .newerVersion(let version):
                strangers.append(.newerVersion(version))
            case .valid(let header, let keys):
                guard header.uuid == identity.uuid else { throw .foreign(name) }
                if header.sequence == sequence { copies.append((header, keys)) }
            case .invalid(let uuid):
                if let uuid, uuid != identity.uuid { strangers.append(.foreign(name)) }
                recovery.damage.append("\(name), header copy at byte \(offset) does not authenticate")
            }
        }
        guard let segment = segment(copies) else {
            // One flipped bit is no newer version and no other spool: both copies have to say the same.
            if strangers.count == 2, strangers[0] == strangers[1] { throw strangers[0] }
            quarantined.insert(sequence)
            noteLoss("segment \(name), headers at bytes 0 and 2048 do not authenticate: the whole segment is set aside")
            return
        }
        segments[sequence] = segment
        segment.fileBytes = size
        if copies.count < SpoolFormat.headerOffsets.count || size < parameters.fileBytes { toHeal.insert(sequence) }
        var marks: [SegmentMark?] = []
        for offset in SpoolFormat.markOffsets {
            let mark =
                SegmentMark.decode(page, at: offset, sequence: sequence, segment.keys)
                ?? segment.formerKeys.flatMap { SegmentMark.decode(page, at: offset, sequence: sequence, $0) }
            marks.append(mark)
            if let mark { result.marks.append((segment, mark)) }
            if mark == nil {
                result.isMarkDamaged = true
                toHeal.insert(sequence)
                recovery.damage.append("\(name), mark at byte \(offset) does not authenticate")
            }
        }
        // The next mark goes over the older one, or over the one that is damaged.
        segment.markSide = (marks[0]?.counter ?? 0) <= (marks[1]?.counter ?? 0) ? 0 : 1
    }

    /// The segment whose header copies these are. Where they name two roots, or one is lost while two roots are known, the
    /// segment may be in the middle of a change: its slots are tried under both.
    private func segment(_ copies: [(header: SegmentHeader, keys: any SegmentCipher)]) -> Segment? {
        guard let newest = copies.max(by: { $0.header.rootEpoch < $1.header.rootEpoch }) else { return nil }
        let segment = Segment(newest.header, keys: newest.keys)
        let isOne = copies.count == SpoolFormat.headerOffsets.count && copies[0].header.rootEpoch == copies[1].header.rootEpoch
        if isOne { return segment }
        let epochs = [identity.generation &- 1, identity.generation]
        let keys = epochs.map { cipher.segment(epoch: $0, sequence: segment.sequence, salt: segment.salt) }
        if let former = keys[0], let present = keys[1] {
            segment.epoch = identity.generation
            segment.keys = present
            segment.formerKeys = former
        }
        return segment
    }

    private func scanTable(of segment: Segment, _ result: inout ScanResult) throws(DiskError) {
        var unread: [Range<Int>] = []
        let size = parameters.slots * SpoolFormat.slotBytes
        let table = try readPieces(file(of: segment), at: SpoolFormat.headerBytes, count: size) { unread.append($0.range) }
        let opened = segment.keys.open(table: table, firstSlot: 0)
        for slot in 0..<parameters.slots {
            let place = SpoolFormat.slotOffset(slot)
            if !unread.isEmpty, unread.contains(where: { $0.contains(place) }) {
                setAside(slot, of: segment, "cannot be read")
                continue
            }
            guard opened.states[slot] != .empty else { continue }
            let sealed = { Array(table[slot * SpoolFormat.slotBytes..<(slot + 1) * SpoolFormat.slotBytes]) }
            guard let (plain, start) = plaintext(of: slot, opened, segment, sealed),
                let (meta, commit) = SpoolSlot.index(plain, at: start, parameters)
            else {
                setAside(slot, of: segment, "does not unseal")
                continue
            }
            result.highestCommit = max(result.highestCommit, commit)
            if commit <= markedThrough || result.isMarkDamaged {
                adopt(meta, commit, slot, of: segment)
            } else {
                let content = SpoolSlot(meta, commit, plain, at: start)
                result.unmarked[commit, default: []].append(
                    UnmarkedSlot(segment: segment, slot: slot, content: content, sealed: sealed()))
            }
        }
        closeSurplusFiles()
    }

    /// Bytes and where in them the slot's 112 begin; nil when it opens under none of the segment's keys.
    private func plaintext(
        of slot: Int, _ table: OpenedTable, _ segment: Segment, _ sealed: () -> [UInt8]
    ) -> (plain: [UInt8], start: Int)? {
        if table.states[slot] == .open { return (table.plain, slot * SpoolFormat.slotPlainBytes) }
        return segment.formerKeys?.open(slot: slot, sealed()).map { ($0, 0) }
    }

    private func setAside(_ slot: Int, of segment: Segment, _ why: String) {
        segment.unreadable.insert(slot)
        noteLoss("\(segment.place(slot)) \(why): its record is lost")
    }

    func adopt(_ meta: SlotMeta, _ commit: UInt64, _ slot: Int, of segment: Segment) {
        while segment.slots.count <= slot { segment.slots.append(nil) }
        segment.enter(meta, at: slot)
        segment.lastCommit = max(segment.lastCommit, commit)
    }

    /// A range of file bytes that could not be read, and why.
    struct UnreadPiece: CustomStringConvertible {
        var range: Range<Int>
        var reason: String
        var description: String { "bytes \(range.lowerBound) to \(range.upperBound - 1) cannot be read: \(reason)" }
    }

    /// Reads `count` bytes, halving on errors down to single sectors; what cannot be read, or lies behind the file's end,
    /// is zero in the result and handed to `failed`.
    private func readPieces(
        _ file: DiskFile, at offset: Int, count: Int, failed: (UnreadPiece) -> Void
    ) throws(DiskError) -> [UInt8] {
        do {
            let bytes = try disk.read(file, at: offset, count: count)
            if bytes.count < count { failed(UnreadPiece(range: offset + bytes.count..<offset + count, reason: "end of file")) }
            return bytes + [UInt8](repeating: 0, count: count - bytes.count)
        } catch {
            guard error.kind == .inputOutput else { throw error }
            guard count > SpoolFormat.sectorBytes else {
                failed(UnreadPiece(range: offset..<offset + count, reason: "\(error)"))
                return [UInt8](repeating: 0, count: count)
            }
            let half = SpoolFormat.aligned(count / 2)
            return try readPieces(file, at: offset, count: half, failed: failed)
                + readPieces(file, at: offset + half, count: count - half, failed: failed)
        }
    }
}
