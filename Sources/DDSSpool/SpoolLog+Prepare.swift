// How a segment comes to be: a file full of zeros with a header and marks, durable under its name before anything is
// appended to it. Pre-zeroed, because then a commit's sync has no metadata to write.

import DDSCore

extension SpoolLog {
    private static let zeroStep = 1 << 20

    /// Adds a segment to `ready`, out of an emptied one or a leftover if there is any. Throws `.full` with nothing changed
    /// but a leftover perhaps; any other error leaves the disk in doubt.
    func prepareSegment() throws(DiskError) {
        let sequence = maximumSequence + 1
        let name = SpoolFileName.segment(sequence, isTemporary: true).text
        let isOwn = try takeMaterial(as: name)
        do {
            let segment = try fill(name, sequence: sequence)
            ready.append(segment)
        } catch {
            guard error.kind == .full else { throw error }
            if isOwn { try disk.remove(name) } else { rawFiles.append(name) }
            throw error
        }
    }

    /// Puts a file of any content under `name`. True when it was created for that, false when it existed before.
    private func takeMaterial(as name: String) throws(DiskError) -> Bool {
        if rawFiles.isEmpty, spare.isEmpty, let emptied = segments.values.first(where: { $0.isEmpty && $0 !== active }) {
            segments[emptied.sequence] = nil
            spare.append(emptied)
        }
        if let raw = rawFiles.popLast() {
            try disk.rename(raw, to: name)
        } else if let emptied = spare.last {
            try keepMark(outside: emptied)
            closeFile(of: emptied)
            openFiles.removeAll { $0 === emptied }
            spare.removeLast()
            try disk.rename(emptied.name, to: name)
        } else {
            // Zeroing up to the last free byte, only to give up, would take from everybody else on every attempt.
            guard try disk.freeBytes() >= parameters.fileBytes else {
                throw DiskError(.full, operation: "create \(name)", detail: "too little space for a segment")
            }
            disk.close(try disk.create(name))
            maximumSequence += 1
            return true
        }
        maximumSequence += 1
        // Before the first byte changes, no crash may bring the old name back over new content.
        try disk.syncFolder()
        return false
    }

    private func fill(_ name: String, sequence: UInt64) throws(DiskError) -> Segment {
        let salt = cipher.random(16)
        let keys = cipher.segment(sequence: sequence, salt: salt)
        let segment = Segment(sequence: sequence, keys: keys)
        let file = try disk.open(name)
        defer { disk.close(file) }
        var offset = SpoolFormat.headerBytes
        while offset < parameters.fileBytes {
            let count = min(Self.zeroStep, parameters.fileBytes - offset)
            try disk.write(file, at: offset, [UInt8](repeating: 0, count: count))
            offset += count
        }
        try disk.write(file, at: 0, headerPage(sequence: sequence, salt: salt, keys: keys))
        try disk.sync(file)
        try disk.rename(name, to: segment.name)
        try disk.syncFolder()
        counters.syncs += 1
        return segment
    }

    private func headerPage(sequence: UInt64, salt: [UInt8], keys: any SegmentCipher) -> [UInt8] {
        let header = SegmentHeader(
            sequence: sequence, uuid: identity.uuid, salt: salt, rootEpoch: identity.generation, createdDay: UInt32(today))
        let headerBytes = header.encoded(keys)
        markCounter += 1
        let mark = SegmentMark(counter: markCounter, durableThrough: markedThrough, isClean: false)
        let markBytes = mark.encoded(sequence: sequence, keys)
        var page = [UInt8](repeating: 0, count: SpoolFormat.headerBytes)
        for offset in SpoolFormat.headerOffsets { page.replaceSubrange(offset..<offset + headerBytes.count, with: headerBytes) }
        for offset in SpoolFormat.markOffsets { page.replaceSubrange(offset..<offset + markBytes.count, with: markBytes) }
        return page
    }

    /// Before `segment` loses its content: if it holds the mark that covers all others, another segment gets one.
    func keepMark(outside segment: Segment) throws(DiskError) {
        guard markHolder == segment.sequence else { return }
        let others = [active].compactMap { $0 } + segments.values + spare
        let holder = others.filter { $0 !== segment }.max { $0.sequence < $1.sequence }
        if let holder { try mark(in: holder) }
    }
}
