// Compaction: the records that are left in a nearly empty segment move into the active one, so that the segment can be put to
// new use. Decides which segment, how many records at once, and the order of writes: the copies are durable and marked
// before the originals lose their slots, and nobody is answered in between, so that no erased record has a second slot.

import DDSCore

/// A record on its way: its slot as it was, and its body still encrypted.
private struct MovingRecord {
    var slot: Int
    var content: SpoolSlot
    var ciphertext: [UInt8]
}

extension SpoolLog {
    /// A step of maintenance as if space were low: what is left in segments that are no longer full moves together, and what is
    /// emptied goes back to the disk. False when there is nothing more to gain.
    package func compact() throws(SpoolError) -> Bool {
        isSpaceWanted = true
        defer { isSpaceWanted = false }
        if stopped == nil, active == nil, isPairWorthMoving {
            do { _ = try room(slots: 0, bytes: 0) } catch { throw stop(error) }
        }
        return try maintain()
    }

    /// Two segments have room in one. With one less than that, a new segment for what is moved would gain nothing.
    private var isPairWorthMoving: Bool {
        let movable = segments.values.filter(isMovable).sorted {
            (liveShare(of: $0), $0.sequence) < (liveShare(of: $1), $1.sequence)
        }
        guard movable.count > 1 else { return false }
        return movable[0].liveCount + movable[1].liveCount <= parameters.slots
            && bodyRoom(of: movable[0]) + bodyRoom(of: movable[1]) <= parameters.bodyBytes
    }

    /// What the bodies that are left take where they are moved to, at most.
    private func bodyRoom(of segment: Segment) -> Int {
        segment.slots.reduce(0) { $0 + SpoolFormat.aligned($1?.bodyRange.count ?? 0) }
    }

    /// Moves some records. False when nothing is worth moving, or there is no room that is ready.
    func compactNext() throws(DiskError) -> Bool {
        guard let active, let (source, mayActivate) = compactionSource(into: active) else { return false }
        guard let target = try compactionTarget(for: source, active, mayActivate: mayActivate) else { return false }
        let records = try movingRecords(of: source, into: target)
        guard !records.isEmpty else { return source.isSpoiled }
        try move(records, from: source, into: target)
        return true
    }

    /// The emptiest of the closed segments that are below their threshold. When space is low, also one that has more left, if
    /// what is left has room in the active segment: so every segment that is emptied is one less, and there is an end to it.
    private func compactionSource(into active: Segment) -> (segment: Segment, mayActivate: Bool)? {
        let movable = segments.values.filter(isMovable)
        func emptiest(_ candidates: [Segment]) -> Segment? {
            candidates.min { (liveShare(of: $0), $0.sequence) < (liveShare(of: $1), $1.sequence) }
        }
        let due = movable.filter { segment in
            let isOld = Int(today) - Int(segment.createdDay) > policy.oldAfterDays
            return liveShare(of: segment) < (isOld ? policy.compactOldBelow : policy.compactBelow)
        }
        if let segment = emptiest(due) { return (segment, true) }
        let fitting = movable.filter { liveShare(of: $0) < policy.compactWhenLowBelow && fits($0, in: active) }
        guard let segment = emptiest(fitting), isSpaceLow else { return nil }
        return (segment, false)
    }

    private func fits(_ source: Segment, in active: Segment) -> Bool {
        active.slots.count + source.liveCount <= parameters.slots
            && active.nextBody + bodyRoom(of: source) <= parameters.bodyBytes
    }

    private func isMovable(_ segment: Segment) -> Bool {
        segment !== active && segment.liveCount > 0 && segment.unreadable.isEmpty && !segment.isSpoiled && !segment.needsScrub
            && !segment.isStaged && segment.formerKeys == nil
    }

    /// In percent: slots or bytes, whichever are fuller.
    private func liveShare(of segment: Segment) -> Int {
        max(segment.liveCount * 100 / parameters.slots, segment.liveBytes * 100 / parameters.bodyBytes)
    }

    /// Little space is left for others, or for the segments to come.
    var isSpaceLow: Bool {
        isSpaceWanted || ((try? disk.freeBytes()) ?? .max) < policy.lowSpaceBytes ?? 4 * parameters.fileBytes
    }

    /// The active segment, or the one that is ready when the active one cannot take the next record of `source`.
    private func compactionTarget(
        for source: Segment, _ active: Segment, mayActivate: Bool
    ) throws(DiskError) -> Segment? {
        guard let first = source.slots.first(where: { $0 != nil }) ?? nil else { return nil }
        let isRoomy =
            active.slots.count < parameters.slots
            && active.nextBody + SpoolFormat.aligned(first.bodyRange.count) <= parameters.bodyBytes
        if isRoomy { return active }
        return ready.isEmpty || !mayActivate ? nil : try activate(ready.removeFirst())
    }

    /// As many records as one step and `target` can take, read and authenticated. A body that is not authentic leaves its
    /// segment as it is: the record answers `.damaged`, its neighbours stay where they are.
    private func movingRecords(of source: Segment, into target: Segment) throws(DiskError) -> [MovingRecord] {
        var layout = SetLayout()
        var records: [MovingRecord] = []
        let slotsMax = min(policy.moveSlots, parameters.slots - target.slots.count, Int(UInt16.max))
        for (slot, meta) in source.slots.enumerated() {
            guard let meta, records.count < slotsMax else { continue }
            var larger = layout
            larger.place(Int(meta.length), isDelivery: meta.kind == .delivery, isBig: meta.isBig)
            let isTooMuch = larger.totalBytes > policy.moveBytes && !records.isEmpty
            if isTooMuch || target.nextBody + larger.totalBytes > parameters.bodyBytes { break }
            guard let record = try readForMove(slot, meta, of: source) else {
                source.isSpoiled = true
                return []
            }
            layout = larger
            records.append(record)
        }
        return records
    }

    private func readForMove(_ slot: Int, _ meta: SlotMeta, of source: Segment) throws(DiskError) -> MovingRecord? {
        do {
            guard let content = try readSlot(slot, of: source), content.meta == meta else {
                noteDamage("\(source.place(slot)) does not unseal")
                return nil
            }
            if meta.isBig || meta.length == 0 { return MovingRecord(slot: slot, content: content, ciphertext: []) }
            let bytes = try disk.read(file(of: source), at: parameters.bodyStart + Int(meta.offset), count: Int(meta.length))
            guard bytes.count == Int(meta.length),
                cipher.openBody(key: content.key, ciphertext: bytes, tag: content.bodyTag) != nil
            else {
                noteDamage("\(bodyPlace(meta, of: source)) does not authenticate")
                return nil
            }
            return MovingRecord(slot: slot, content: content, ciphertext: bytes)
        } catch {
            guard error.kind == .inputOutput else { throw error }
            noteDamage("\(source.place(slot)) or its body cannot be read: \(error)")
            return nil
        }
    }

    private func move(_ records: [MovingRecord], from source: Segment, into target: Segment) throws(DiskError) {
        let firstSlot = target.slots.count
        let bodyStart = target.nextBody
        let commit = nextCommit
        nextCommit += 1
        var layout = SetLayout()
        for record in records {
            let meta = record.content.meta
            layout.place(Int(meta.length), isDelivery: meta.kind == .delivery, isBig: meta.isBig)
        }
        var bodies = [UInt8](repeating: 0, count: layout.totalBytes)
        var slots: [UInt8] = []
        var metas: [SlotMeta] = []
        for (position, record) in records.enumerated() {
            var content = record.content
            let offset = layout.offsets[position]
            if !content.meta.isBig {
                content.meta.offset = UInt32(bodyStart + offset)
                bodies.replaceSubrange(offset..<offset + record.ciphertext.count, with: record.ciphertext)
            }
            content.commit = commit
            content.setSize = UInt16(records.count)
            content.position = UInt16(position)
            slots += target.keys.seal(slot: firstSlot + position, content.encoded())
            metas.append(content.meta)
        }
        let file = try file(of: target)
        if !bodies.isEmpty { try disk.write(file, at: parameters.bodyStart + bodyStart, bodies) }
        try disk.write(file, at: SpoolFormat.slotOffset(firstSlot), slots)
        try sync(target)
        target.slots += [SlotMeta?](repeating: nil, count: records.count)
        target.nextBody = bodyStart + layout.totalBytes
        target.lastCommit = commit
        lastCommit = commit
        // From here on the copies are beyond all judging, and the originals may go.
        try mark(in: target)
        try zeroSlots(records.map(\.slot), of: source)
        try sync(source)
        for (position, record) in records.enumerated() {
            if let meta = source.slots[record.slot], !meta.bodyRange.isEmpty { source.toOverwrite.append(meta.bodyRange) }
            source.forget(record.slot)
            target.enter(metas[position], at: firstSlot + position)
            moved[metas[position].uid] = SlotLocation(sequence: target.sequence, slot: firstSlot + position)
        }
        counters.moved += records.count
    }
}
