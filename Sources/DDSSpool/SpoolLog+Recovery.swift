// Telling a torn tail from a media fault, and finishing what a stopped machine left half done. Everything is read and
// judged before the first byte is written; every step may be interrupted and begun again.

import DDSCore

extension SpoolLog {
    func recover() throws(SpoolOpenError) {
        var result = try scan()
        do {
            let kept = try judge(&result)
            let leftovers = buildIndex()
            lastCommit = max(markedThrough, segments.values.map(\.lastCommit).max() ?? 0)
            nextCommit = max(result.highestCommit, lastCommit) + 1
            try disk.syncFolder()
            if !recovery.wasClean { try settle(kept) }
            if let holder = markSegment { try mark(in: holder) }
            try finishErasures(leftovers)
            settleBigFiles(result.bigNames)
            retireEmptied()
            try verifyNewest()
        } catch {
            throw .disk(error)
        }
        recovery.segments = segments.count + spare.count + quarantined.count
        recovery.records = index.records
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
            for member in members { adopt(member.content, member.slot, of: member.segment) }
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
            let isOfSet = member.segment === first.segment && Int(member.content.setSize) == size
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

    private func isBodyAuthentic(_ content: SpoolSlot, of segment: Segment) throws(DiskError) -> Bool {
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
    private func buildIndex() -> [UInt64: [Int]] {
        var leftovers: [UInt64: [Int]] = [:]
        var seen: Set<UInt64> = []
        var deliveries: [(segment: Segment, slot: Int, meta: SlotMeta)] = []
        for sequence in segments.keys.sorted(by: >) {
            guard let segment = segments[sequence] else { continue }
            for (slot, meta) in segment.slots.enumerated() {
                guard let meta else { continue }
                guard seen.insert(meta.uid).inserted else {
                    leftovers[sequence, default: []].append(slot)
                    continue
                }
                if meta.uid != segment.uid(of: slot) { moved[meta.uid] = SlotLocation(sequence: sequence, slot: slot) }
                if meta.kind == .delivery { deliveries.append((segment, slot, meta)) } else { index.insert(meta) }
            }
        }
        for (_, _, meta) in deliveries { index.insert(meta) }
        index.sort()
        // As long as some slot cannot be read, who names what is not known, and nothing is concluded from absence.
        guard !hasUnreadable else { return leftovers }
        for (uid, payload) in index.payloads where payload.uses == 0 {
            if let (segment, slot, _) = locate(uid) { leftovers[segment.sequence, default: []].append(slot) }
        }
        for (segment, slot, meta) in deliveries where index.payloads[meta.reference] == nil {
            if segments[meta.reference >> 16] != nil {
                leftovers[segment.sequence, default: []].append(slot)
            } else {
                recovery.damage.append("\(segment.place(slot)): the segment of its payload is missing")
            }
        }
        return leftovers
    }

    private var hasUnreadable: Bool { !quarantined.isEmpty || segments.values.contains { !$0.unreadable.isEmpty } }

    /// After a stop that was not in order, what was read may be the system's cache and not the medium (a failed sync drops
    /// its pages but leaves them readable). So sets that are kept are written once more as they are, every empty slot is
    /// zeroed once more, torn sets with them, and all is synced before any mark says so.
    private func settle(_ kept: [UnmarkedSlot]) throws(DiskError) {
        for sequence in segments.keys.sorted() {
            guard let segment = segments[sequence] else { continue }
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
        for (sequence, slots) in leftovers {
            guard let segment = segments[sequence] else { continue }
            for slot in slots {
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
        if hasUnreadable {
            recovery.damage += orphans.map { "\($0): named by no slot that can be read; it is kept" }
        } else {
            bigToErase += orphans.filter { !bigToErase.contains($0) }
        }
        for missing in named.subtracting(names).sorted() {
            recovery.damage.append("\(SpoolFileName.big(missing, isTemporary: false).text) is missing")
        }
    }

    private func retireEmptied() {
        for segment in segments.values where segment.isEmpty && segment.toOverwrite.isEmpty {
            segments[segment.sequence] = nil
            spare.append(segment)
        }
        spare.sort { $0.sequence < $1.sequence }
    }

    /// The newest segment is where a stop does its harm: its bodies are all verified, older ones when they are read.
    private func verifyNewest() throws(DiskError) {
        guard let newest = segments.values.max(by: { $0.sequence < $1.sequence }) else { return }
        for (slot, meta) in newest.slots.enumerated() {
            guard let meta else { continue }
            guard let content = try readSlot(slot, of: newest) else { continue }
            guard try !isBodyAuthentic(content, of: newest) else { continue }
            let place = meta.isBig ? SpoolFileName.big(meta.reference, isTemporary: false).text : bodyPlace(meta, of: newest)
            recovery.damage.append("\(place) does not authenticate")
        }
    }
}
