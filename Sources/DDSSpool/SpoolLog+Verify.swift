// Verification: reads every header, mark, slot and body that there is and names what is not authentic. Changes nothing.
// In bounded steps, so that commits come in between.

import DDSCore

/// What a verification has seen so far.
package struct SpoolVerification: Hashable, Sendable {
    package var segments = 0
    package var records = 0
    package var bytes = 0
    package var damage: [String] = []
    package var isDone = false
    /// The place to go on from.
    var sequence: UInt64 = 0
    var slot = 0

    package init() {}
}

extension SpoolLog {
    private static let verifyBytes = 4 << 20
    private static let verifySlots = 4096

    /// One step. Errors of the medium are damage, not failures.
    package func verify(_ verification: inout SpoolVerification) throws(SpoolError) {
        try checkRunning()
        closeSurplusFiles()
        do {
            if verification.sequence == 0 {
                try verifyFrame(&verification)
                verification.sequence = 1
                return
            }
            let all = Array(segments.values) + spare + ready
            guard let segment = all.filter({ $0.sequence >= verification.sequence }).min(by: { $0.sequence < $1.sequence })
            else {
                verification.isDone = true
                return
            }
            if segment.sequence > verification.sequence || verification.slot == 0 {
                verification.sequence = segment.sequence
                verification.slot = 0
                verification.segments += 1
                try verifyPage(of: segment, &verification)
            }
            try verifyRecords(of: segment, &verification)
        } catch {
            throw stop(error)
        }
    }

    private func verifyFrame(_ verification: inout SpoolVerification) throws(DiskError) {
        if let bytes = try readable({ () throws(DiskError) in try disk.contents(of: SpoolFormat.superName) }) {
            let damaged = (try? SpoolSuper.decode(bytes, cipher).damaged) ?? SpoolSuper.copies
            if damaged > 0 {
                verification.damage.append("super: \(damaged) of \(SpoolSuper.copies) copies do not authenticate")
            }
        } else {
            verification.damage.append("super cannot be read")
        }
        let list = try readable { () throws(DiskError) in try disk.contents(of: SpoolFormat.segmentListName) } ?? []
        for number in 0..<SegmentList.copies where SegmentList.decode(list, copy: number, cipher) == nil {
            verification.damage.append(
                "\(SpoolFormat.segmentListName), copy at byte \(number * SegmentList.copyBytes) does not authenticate")
        }
    }

    private func verifyPage(of segment: Segment, _ verification: inout SpoolVerification) throws(DiskError) {
        let bytes = try readable { () throws(DiskError) in
            try disk.read(file(of: segment), at: 0, count: SpoolFormat.headerBytes)
        }
        guard let page = bytes, page.count == SpoolFormat.headerBytes else {
            return verification.damage.append("\(segment.name), bytes 0 to \(SpoolFormat.headerBytes - 1) cannot be read")
        }
        for offset in SpoolFormat.headerOffsets {
            if case .valid(let header, _) = SegmentHeader.decode(page, at: offset, cipher), header.sequence == segment.sequence
            {
                continue
            }
            verification.damage.append("\(segment.name), header copy at byte \(offset) does not authenticate")
        }
        for offset in SpoolFormat.markOffsets {
            let keys = [segment.keys] + (segment.formerKeys.map { [$0] } ?? [])
            let isGood = keys.contains { SegmentMark.decode(page, at: offset, sequence: segment.sequence, $0) != nil }
            if !isGood { verification.damage.append("\(segment.name), mark at byte \(offset) does not authenticate") }
        }
        let size = try disk.size(file(of: segment))
        if size < parameters.fileBytes {
            verification.damage.append("\(segment.name) ends at byte \(size) of \(parameters.fileBytes)")
        }
    }

    private func verifyRecords(of segment: Segment, _ verification: inout SpoolVerification) throws(DiskError) {
        let stop = min(verification.slot + Self.verifySlots, segment.slots.count)
        var bytes = 0
        while verification.slot < stop, bytes < Self.verifyBytes {
            let slot = verification.slot
            verification.slot += 1
            if segment.unreadable.contains(slot) { verification.damage.append("\(segment.place(slot)) does not unseal") }
            guard let meta = segment.slots[slot] else { continue }
            verification.records += 1
            bytes += Int(meta.length)
            guard let content = try readable({ () throws(DiskError) in try readSlot(slot, of: segment) }) ?? nil,
                content.meta == meta
            else {
                verification.damage.append("\(segment.place(slot)) does not unseal")
                continue
            }
            guard try !isBodyAuthentic(content, of: segment) else { continue }
            let file = SpoolFileName.big(meta.reference, isTemporary: false).text
            verification.damage.append("\(meta.isBig ? file : bodyPlace(meta, of: segment)) does not authenticate")
        }
        verification.bytes += bytes
        guard verification.slot >= segment.slots.count else { return }
        verification.sequence = segment.sequence + 1
        verification.slot = 0
    }

    /// Nil where the medium cannot be read.
    private func readable<Value>(_ body: () throws(DiskError) -> Value) throws(DiskError) -> Value? {
        do throws(DiskError) {
            return try body()
        } catch {
            guard error.kind == .inputOutput || error.kind == .notFound else { throw error }
            return nil
        }
    }
}
