// Telling a torn tail from a media fault, and finishing what a stopped machine left half done. Everything is read and
// judged before the first byte is written; every step may be interrupted and begun again.

import DDSCore

extension SpoolLog {
    /// Throws `.damaged` before the first byte is written when something is lost and `acceptLoss` is not given.
    func recover(acceptLoss: Bool) throws(SpoolOpenError) {
        var result = try scan()
        let kept: [UnmarkedSlot]
        var leftovers: [UInt64: [Int]]
        do {
            kept = try judge(&result)
            leftovers = try buildIndex()
            try findLostBodies(result.bigNames, &leftovers)
        } catch {
            throw .disk(error)
        }
        if !recovery.lost.isEmpty, !acceptLoss { throw .damaged(recovery.lost) }
        do {
            lastCommit = max(markedThrough, segments.values.map(\.lastCommit).max() ?? 0)
            nextCommit = max(result.highestCommit, lastCommit) + 1
            try disk.syncFolder()
            if !recovery.wasClean { try settle(kept) }
            if let holder = markSegment { try mark(in: holder) }
            try giveUpWhatIsLost()
            try heal()
            try finishErasures(leftovers)
            settleBigFiles(result.bigNames)
            retireEmptied()
        } catch {
            throw .disk(error)
        }
        counters.lastErased = time.wall
        recovery.segments = segments.count + spare.count
        recovery.records = index.records
    }

    /// Headers, marks and ends of files that were damaged at no loss are written again from what is known.
    private func heal() throws(DiskError) {
        if recovery.damagedSupers > 0 {
            do { try disk.replace(SpoolFormat.superName, with: identity.encoded(cipher)) } catch {
                guard error.kind == .full else { throw error }
            }
        }
        for sequence in toHeal.sorted() {
            guard let segment = segments[sequence] else { continue }
            let file = try file(of: segment)
            var end = min(segment.fileBytes, parameters.fileBytes)
            do throws(DiskError) {
                while end < parameters.fileBytes {
                    let count = min(1 << 20, parameters.fileBytes - end)
                    try disk.write(file, at: end, [UInt8](repeating: 0, count: count))
                    end += count
                }
            } catch {
                guard error.kind == .full else { throw error }
            }
            if segment.formerKeys == nil {
                let header = SegmentHeader(
                    sequence: sequence, uuid: identity.uuid, salt: segment.salt, rootEpoch: segment.epoch,
                    createdDay: segment.createdDay
                ).encoded(segment.keys)
                for offset in SpoolFormat.headerOffsets { try disk.write(file, at: offset, header) }
            }
            for _ in SpoolFormat.markOffsets { try writeMark(in: segment) }
            try sync(segment)
            marked(in: segment, through: lastCommit)
        }
        toHeal = []
    }

    /// Sets beyond the marks: complete with authentic bodies, or torn. A set that lacks a member because the medium lost
    /// it, and not because it was never written, is no torn set.
    private func judge(_ result: inout ScanResult) throws(DiskError) -> [UnmarkedSlot] {
        var kept: [UnmarkedSlot] = []
        for commit in result.unmarked.keys.sorted() {
            let members = result.unmarked[commit] ?? []
            guard isComplete(members), try areAuthentic(members) else {
                recovery.tornSets += 1
                continue
            }
            for member in members { adopt(member.content.meta, member.content.commit, member.slot, of: member.segment) }
            kept += members
            recovery.keptSets += 1
        }
        return kept
    }

    private func isComplete(_ members: [UnmarkedSlot]) -> Bool {
        guard let first = members.first else { return false }
        let start = first.slot - Int(first.content.position)
        let size = Int(first.content.setSize)
        var isPresent = [Bool](repeating: false, count: size)
        for member in members {
            let isOfSet =
                member.segment === first.segment && Int(member.content.setSize) == size
                && member.slot - Int(member.content.position) == start
            guard isOfSet else { return false }
            isPresent[Int(member.content.position)] = true
        }
        // A slot is never torn, because it does not cross a sector: what is neither zero nor valid was damaged later.
        return isPresent.indices.allSatisfy { isPresent[$0] || first.segment.unreadable.contains(start + $0) }
    }

    private func areAuthentic(_ members: [UnmarkedSlot]) throws(DiskError) -> Bool {
        for member in members {
            guard try isBodyAuthentic(member.content, of: member.segment) else { return false }
        }
        return true
    }

    func isBodyAuthentic(_ content: SpoolSlot, of segment: Segment) throws(DiskError) -> Bool {
        do {
            guard content.meta.isBig else { return try readBody(content, of: segment) != nil }
            var start = 0
            while start < Int(content.meta.length) {
                let end = min(start + parameters.chunkBytes, Int(content.meta.length))
                guard try readBigFile(content.meta, key: content.key, start..<end) != nil else { return false }
                start = end
            }
            return true
        } catch {
            guard error.kind == .inputOutput || error.kind == .notFound else { throw error }
            return false
        }
    }

    /// Enters every adopted slot into the index. Returns what must not stay: lower copies of a moved record, payloads that
    /// nobody names, deliveries whose payload was erased with the last of them.
    private func buildIndex() throws(DiskError) -> [UInt64: [Int]] {
        var leftovers: [UInt64: [Int]] = [:]
        let ordered = segmentsInOrder
        for segment in ordered.reversed() {
            for (slot, meta) in segment.slots.enumerated() {
                guard let meta else { continue }
                // Only a moved record has a second slot, and the higher one was met before.
                if let copy = moved[meta.uid] {
                    try settle(copy, and: SlotLocation(sequence: segment.sequence, slot: slot), of: meta.uid, &leftovers)
                } else if meta.uid != segment.uid(of: slot) {
                    moved[meta.uid] = SlotLocation(sequence: segment.sequence, slot: slot)
                }
            }
        }
        // A local value: there are millions of slots, and each use of a class's property is checked while the program runs.
        var index = SpoolIndex()
        index.reserve(payloads: ordered.reduce(0) { $0 + $1.slots.count { $0?.kind == .payload } })
        for segment in ordered {
            for (slot, meta) in segment.slots.enumerated() {
                if let meta, meta.kind != .delivery, isPlace(of: meta.uid, slot, of: segment) { index.insert(meta) }
            }
        }
        for segment in ordered {
            for (slot, meta) in segment.slots.enumerated() {
                guard let meta, meta.kind == .delivery, isPlace(of: meta.uid, slot, of: segment), !index.insert(meta) else { continue }
                leftovers[segment.sequence, default: []].append(slot)
                // Only where nothing is missing does absence mean that the payload was erased.
                if !recovery.lost.isEmpty {
                    noteLoss(
                        "\(segment.place(slot)): the payload of this delivery in mailbox \(meta.mailbox) is gone with what is lost")
                }
            }
        }
        index.sort()
        self.index = index
        for (uid, payload) in index.payloads where payload.uses == 0 {
            if let (segment, slot, _) = locate(uid) { leftovers[segment.sequence, default: []].append(slot) }
        }
        return leftovers
    }

    /// Whether the record lies here, and not only a copy of it that does not count.
    private func isPlace(of uid: UInt64, _ slot: Int, of segment: Segment) -> Bool {
        let own = segment.uid(of: slot)
        guard !moved.isEmpty, let place = moved[uid] else { return uid == own }
        return place == SlotLocation(sequence: segment.sequence, slot: slot)
    }

    /// Of two copies of a record the higher one stays, unless its body is damaged and that of the lower one is not.
    private func settle(
        _ higher: SlotLocation, and lower: SlotLocation, of uid: UInt64, _ leftovers: inout [UInt64: [Int]]
    ) throws(DiskError) {
        let isLowerKept = try isAuthentic(higher) ? false : isAuthentic(lower)
        let leaving = isLowerKept ? higher : lower
        leftovers[leaving.sequence, default: []].append(leaving.slot)
        guard isLowerKept else { return }
        moved[uid] = uid == lower.sequence << 16 | UInt64(lower.slot) ? nil : lower
    }

    private func isAuthentic(_ place: SlotLocation) throws(DiskError) -> Bool {
        guard let segment = segments[place.sequence] else { return false }
        do throws(DiskError) {
            guard let content = try readSlot(place.slot, of: segment) else { return false }
            return try isBodyAuthentic(content, of: segment)
        } catch {
            guard error.kind == .inputOutput else { throw error }
            return false
        }
    }

    /// After a stop that was not in order, what was read may be the system's cache and not the medium (a failed sync drops
    /// its pages but leaves them readable). So sets that are kept are written once more as they are, every empty slot is
    /// zeroed once more, torn sets with them, and all is synced before any mark says so.
    private func settle(_ kept: [UnmarkedSlot]) throws(DiskError) {
        for segment in segmentsInOrder {
            let file = try file(of: segment)
            for member in kept where member.segment === segment {
                let range = member.content.meta.bodyRange
                if !range.isEmpty {
                    let start = parameters.bodyStart + range.lowerBound
                    try disk.write(file, at: start, disk.read(file, at: start, count: range.count))
                }
                try disk.write(file, at: SpoolFormat.slotOffset(member.slot), member.sealed)
            }
            let empty = (0..<parameters.slots).filter { !segment.isLive($0) && !segment.unreadable.contains($0) }
            try zeroSlots(empty, of: segment)
            try sync(segment)
            segment.needsScrub = true
            closeSurplusFiles()
        }
    }

    private func finishErasures(_ leftovers: [UInt64: [Int]]) throws(DiskError) {
        var own: [UInt64: [Int]] = [:]
        for (sequence, slots) in leftovers.sorted(by: { $0.key < $1.key }) {
            guard let segment = segments[sequence] else { continue }
            for slot in Set(slots).sorted() {
                recovery.finishedErasures += 1
                // The lower copy of a moved record is in no mailbox: it only loses its slot.
                if let meta = segment.slots[slot], let place = locate(meta.uid), place.segment === segment, place.slot == slot {
                    own[sequence, default: []].append(slot)
                } else {
                    try coverErasure(in: segment)
                    try zeroSlots([slot], of: segment)
                    try sync(segment)
                    if let meta = segment.slots[slot], !meta.isBig { segment.toOverwrite.append(meta.bodyRange) }
                    segment.forget(slot)
                }
            }
        }
        try zero(own)
    }

    /// Big files that no slot names: interrupted before their slot was written or after it was erased.
    private func settleBigFiles(_ names: [UInt64]) {
        var named: Set<UInt64> = []
        for segment in segments.values {
            for case let meta? in segment.slots where meta.isBig {
                named.insert(meta.reference)
                countBigFile(meta, by: 1)
            }
        }
        let orphans = names.filter { !named.contains($0) }.map { SpoolFileName.big($0, isTemporary: false).text }
        bigToErase += orphans.filter { !bigToErase.contains($0) }
    }

    private func retireEmptied() {
        for segment in segments.values where segment.isEmpty && segment.toOverwrite.isEmpty {
            segments[segment.sequence] = nil
            spare.append(segment)
        }
        spare.sort { $0.sequence < $1.sequence }
    }
}
