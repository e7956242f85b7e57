// Erasure, level E1: the slot, which holds the only copy of the body's key, becomes zeros on stable storage. Bodies are
// overwritten later (SpoolLog+Maintenance). Needs no free space.

import DDSCore

extension SpoolLog {
    /// Zeroes the slots of `uids`, and of every payload whose last delivery goes, with one sync per segment. What is
    /// already gone, and payloads by themselves, are passed over.
    func erase(_ uids: [SpoolUID]) throws(DiskError) {
        var targets: [UInt64: [Int]] = [:]
        var leaving: [UInt64: Int] = [:]
        var seen: Set<UInt64> = []
        for uid in uids where seen.insert(uid.rawValue).inserted {
            guard let (segment, slot, meta) = locate(uid.rawValue), meta.kind != .payload else { continue }
            targets[segment.sequence, default: []].append(slot)
            if meta.kind == .delivery { leaving[meta.reference, default: 0] += 1 }
        }
        for (payload, count) in leaving.sorted(by: { $0.key < $1.key }) where index.payloads[payload]?.uses == count {
            if let (segment, slot, _) = locate(payload) { targets[segment.sequence, default: []].append(slot) }
        }
        try zero(targets)
    }

    /// Zeroes slots that are in the index, by segment, and takes them out of the index.
    func zero(_ targets: [UInt64: [Int]]) throws(DiskError) {
        let touched = targets.keys.sorted().compactMap { segments[$0] }
        for segment in touched { try coverErasure(in: segment) }
        for segment in touched {
            try zeroSlots(targets[segment.sequence] ?? [], of: segment)
            // The head grows with the erasure; any segment may hold the mark, and here it costs no sync.
            let isLast = segment === touched.last
            if isLast { try writeMark(in: segment) }
            try sync(segment)
            if isLast { marked(in: segment, through: lastCommit) }
        }
        // A delivery leaves before its payload, whose length its mailbox has counted.
        for isPayload in [false, true] {
            for segment in touched {
                for slot in targets[segment.sequence] ?? [] { forget(slot, of: segment, onlyPayload: isPayload) }
            }
        }
    }

    /// Writes zeros over slots, neighbours in one write, without syncing.
    func zeroSlots(_ slots: [Int], of segment: Segment) throws(DiskError) {
        let file = try file(of: segment)
        var run: Range<Int>?
        for slot in slots.sorted() {
            if let current = run, current.upperBound == slot {
                run = current.lowerBound..<slot + 1
                continue
            }
            if let run { try zeroSlots(run, file) }
            run = slot..<slot + 1
        }
        if let run { try zeroSlots(run, file) }
    }

    private func zeroSlots(_ run: Range<Int>, _ file: DiskFile) throws(DiskError) {
        let zeros = [UInt8](repeating: 0, count: run.count * SpoolFormat.slotBytes)
        try disk.write(file, at: SpoolFormat.slotOffset(run.lowerBound), zeros)
    }

    private func forget(_ slot: Int, of segment: Segment, onlyPayload: Bool) {
        guard let meta = segment.slots[slot], (meta.kind == .payload) == onlyPayload else { return }
        index.remove(meta)
        segment.forget(slot)
        moved[meta.uid] = nil
        counters.erased += 1
        counters.lastErased = time.wall
        if lastRead?.uid == meta.uid { lastRead = nil }
        if meta.isBig {
            countBigFile(meta, by: -1)
            bigToErase.append(SpoolFileName.big(meta.reference, isTemporary: false).text)
        } else if meta.length > 0 {
            segment.toOverwrite.append(meta.bodyRange)
        }
    }
}
