// Change of the root key (level E3): every key of the spool comes to hang on a new root, so that the old one can be destroyed,
// and with it whatever old copies of slots a disk, a snapshot or a backup still has. Decides in which order, in bounded
// steps; who makes and destroys roots is decided by the owner of the cipher.

import DDSCore

/// How far a change of the root has come.
package struct SpoolRotation: Hashable, Sendable {
    /// Epoch of the root that everything new hangs on.
    package var epoch: UInt32
    /// Files whose keys still hang on an older root; at 0 that root may be destroyed.
    package var remaining: Int
    /// Why it does not go on by itself, with the remedy.
    package var blockedBy: String?

    package init(epoch: UInt32, remaining: Int, blockedBy: String? = nil) {
        self.epoch = epoch
        self.remaining = remaining
        self.blockedBy = blockedBy
    }
}

extension SpoolLog {
    /// Epoch of the root that the spool hangs on; at first 1.
    package var rootEpoch: UInt32 { identity.generation }

    /// Begins the change to the root of the next epoch, which the cipher knows as well as the present one, and which is
    /// durable already. `maintain` does the rest; see `rotation`. `.full` changes nothing.
    package func rotate() throws(SpoolError) {
        try checkRunning()
        var next = identity
        next.generation += 1
        precondition(cipher.authenticate(epoch: next.generation, []) != nil, "the next root is known before it is used")
        precondition(rotation.remaining == 0, "one change of the root at a time")
        do {
            try disk.replace(SpoolFormat.superName, with: next.encoded(cipher))
        } catch {
            throw error.kind == .full ? .full : stop(error)
        }
        identity = next
        // What is ready has no records, and appends shall go to segments of the new root only.
        spare += ready
        ready = []
    }

    /// What is left of the last change of the root.
    package var rotation: SpoolRotation {
        var result = SpoolRotation(epoch: identity.generation, remaining: quarantined.count)
        for segment in segments.values where isOfOldRoot(segment) {
            result.remaining += 1
            if !segment.unreadable.isEmpty { result.blockedBy = "segment \(segment.name) is damaged" }
        }
        for segment in spare where isOfOldRoot(segment) { result.remaining += 1 }
        if segmentListEpoch < identity.generation { result.remaining += 1 }
        if let segment = quarantined.first {
            result.blockedBy = "segment \(SpoolFileName.segment(segment, isTemporary: false).text) is damaged"
        }
        if let active, active.epoch < identity.generation, isRoomMissing {
            result.blockedBy = "no space is left for a new segment"
        }
        return result
    }

    private func isOfOldRoot(_ segment: Segment) -> Bool { segment.epoch < identity.generation || segment.formerKeys != nil }

    /// One step, with one sync or two. False when there is nothing to do, or nothing that can be done now.
    func rekeyNext() throws(DiskError) -> Bool {
        if segmentListEpoch < identity.generation {
            try writeSegmentList()
            return true
        }
        if let active, active.epoch < identity.generation {
            if ready.isEmpty { return try prepareOrWait() }
            _ = try activate(ready.removeFirst())
            return true
        }
        let candidates = (Array(segments.values) + spare).filter { isOfOldRoot($0) && $0 !== active && !$0.isStaged }
        guard let segment = candidates.filter({ !isHeldUp($0) }).min(by: { $0.sequence < $1.sequence }) else { return false }
        if segment.formerKeys == nil {
            try beginRekey(segment)
        } else if segment.rekeyed < usedSlots(of: segment) {
            try rekeySlots(of: segment)
        } else {
            try finishRekey(segment)
        }
        return true
    }

    /// All its slots have been tried, and one opens under neither key.
    private func isHeldUp(_ segment: Segment) -> Bool {
        segment.formerKeys != nil && !segment.unreadable.isEmpty && segment.rekeyed >= usedSlots(of: segment)
    }

    private func usedSlots(of segment: Segment) -> Int { max(segment.slots.count, (segment.unreadable.max() ?? -1) + 1) }

    private func prepareOrWait() throws(DiskError) -> Bool {
        guard !isAwaitingZeros else { return false }
        do {
            _ = try prepareStep()
            isRoomMissing = false
            return true
        } catch {
            guard error.kind == .full else { throw error }
            isRoomMissing = true
            return false
        }
    }

    private func header(of segment: Segment, epoch: UInt32) -> SegmentHeader {
        SegmentHeader(
            sequence: segment.sequence, uuid: identity.uuid, salt: segment.salt, rootEpoch: epoch,
            createdDay: segment.createdDay)
    }

    /// The first header copy names the new root, the second still the old one: from now on each slot may be under either.
    private func beginRekey(_ segment: Segment) throws(DiskError) {
        let header = header(of: segment, epoch: identity.generation)
        let keys = keys(of: header)
        try disk.write(file(of: segment), at: SpoolFormat.headerOffsets[0], header.encoded(keys))
        try sync(segment)
        segment.formerKeys = segment.keys
        segment.keys = keys
        segment.epoch = identity.generation
        segment.rekeyed = 0
    }

    /// Seals the next slots anew. The plaintext of a slot never changes, so that doing it twice after a stop gives the same.
    private func rekeySlots(of segment: Segment) throws(DiskError) {
        guard let former = segment.formerKeys else { return }
        let start = segment.rekeyed
        let end = min(start + max(4, policy.rekeySlots / 4 * 4), usedSlots(of: segment))
        let offset = SpoolFormat.slotOffset(start)
        if (start..<end).contains(where: segment.isLive) {
            let sealed = try disk.read(file(of: segment), at: offset, count: (end - start) * SpoolFormat.slotBytes)
            let table = former.open(table: sealed, firstSlot: start)
            var result = segment.keys.seal(table, firstSlot: start)
            for index in table.states.indices where table.states[index] == .sealed {
                // Sealed anew by a process that was stopped, or damaged since it was read last: in both cases it stays.
                let range = index * SpoolFormat.slotBytes..<(index + 1) * SpoolFormat.slotBytes
                result.replaceSubrange(range, with: sealed[range])
                if segment.keys.open(slot: start + index, Array(sealed[range])) == nil {
                    segment.unreadable.insert(start + index)
                    noteDamage("\(segment.place(start + index)) does not unseal")
                }
            }
            try disk.write(file(of: segment), at: offset, result)
            try sync(segment)
        }
        segment.rekeyed = end
    }

    /// Marks first, for which the old key is known as long as the second header copy names its root.
    private func finishRekey(_ segment: Segment) throws(DiskError) {
        for _ in SpoolFormat.markOffsets { try writeMark(in: segment) }
        try sync(segment)
        marked(in: segment, through: lastCommit)
        let header = header(of: segment, epoch: segment.epoch).encoded(segment.keys)
        for offset in SpoolFormat.headerOffsets { try disk.write(file(of: segment), at: offset, header) }
        try sync(segment)
        segment.formerKeys = nil
    }
}
