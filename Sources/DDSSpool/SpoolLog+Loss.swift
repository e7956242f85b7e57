// What was accepted and is gone: how it is found at an opening, besides what the scan meets, and what becomes of the rest of it
// once the loss is accepted. Whether it is accepted is decided by who opens.

import DDSCore

extension SpoolLog {
    /// What is lost for good is cleared away, so that it is told once: slots that do not unseal become zeros, segments without
    /// a header are overwritten and removed, missing ones are struck off the list.
    func giveUpWhatIsLost() throws(DiskError) {
        for segment in segmentsInOrder where !segment.unreadable.isEmpty {
            try zeroSlots(segment.unreadable.sorted(), of: segment)
            try sync(segment)
            segment.unreadable = []
            segment.needsScrub = true
        }
        for sequence in quarantined.sorted() { try eraseBigFile(SpoolFileName.segment(sequence, isTemporary: false).text) }
        quarantined = []
        if try !disk.list().contains(SpoolFormat.segmentListName) {
            try disk.replace(SpoolFormat.segmentListName, with: SegmentList.created(epoch: identity.generation, cipher))
        }
        let present = Set(segments.keys)
        let isIncomplete = segments.values.contains { $0.liveCount > 0 && !segmentList.sequences.contains($0.sequence) }
        guard !isListHealthy || !segmentList.sequences.isSubset(of: present) || isIncomplete else { return }
        segmentList.sequences.formIntersection(present)
        for segment in segments.values where segment.liveCount > 0 { segmentList.sequences.insert(segment.sequence) }
        try writeSegmentList()
        isListHealthy = true
    }

    /// Bodies that are known to be lost without reading all there is: big files that are missing, what is behind the end of a
    /// file, and in the newest segment, where a stop does its harm, whatever does not authenticate. Others are verified when
    /// they are read.
    func findLostBodies(_ bigNames: [UInt64], _ leftovers: inout [UInt64: [Int]]) throws(DiskError) {
        let big = Set(bigNames)
        let newest = segments.values.max { $0.sequence < $1.sequence }
        for segment in segmentsInOrder {
            let isShort = segment.fileBytes < parameters.fileBytes
            for (slot, meta) in segment.slots.enumerated() {
                guard let meta else { continue }
                let isMissing =
                    meta.isBig
                    ? !big.contains(meta.reference)
                    : isShort && parameters.bodyStart + meta.bodyRange.upperBound > segment.fileBytes
                var isLost = isMissing
                if !isMissing, segment === newest, let content = try readSlot(slot, of: segment) {
                    isLost = try !isBodyAuthentic(content, of: segment)
                }
                guard isLost else { continue }
                let file = SpoolFileName.big(meta.reference, isTemporary: false).text
                let place = meta.isBig ? "\(file) of \(segment.place(slot))" : bodyPlace(meta, of: segment)
                noteLoss("\(place) \(isMissing ? "is missing" : "does not authenticate"): \(owner(of: meta)) is lost")
                leftovers[segment.sequence, default: []].append(slot)
                // Who has lost the payload has lost the message.
                if meta.kind == .payload { try dropDeliveries(of: meta.uid, &leftovers) }
            }
        }
    }

    private func owner(of meta: SlotMeta) -> String {
        let uid = SpoolFileName.hex(meta.uid)
        return meta.kind == .payload ? "payload \(uid)" : "record \(uid) of mailbox \(meta.mailbox)"
    }

    private func dropDeliveries(of payload: UInt64, _ leftovers: inout [UInt64: [Int]]) throws(DiskError) {
        for segment in segmentsInOrder {
            for (slot, meta) in segment.slots.enumerated() {
                guard let meta, meta.kind == .delivery, meta.reference == payload else { continue }
                noteLoss("\(segment.place(slot)): \(owner(of: meta)) is lost with its payload")
                leftovers[segment.sequence, default: []].append(slot)
            }
        }
    }
}
