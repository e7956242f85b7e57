// How a segment comes to be: a file full of zeros with a header and marks, durable under its name before anything is
// appended to it. Pre-zeroed, because then a commit's sync has no metadata to write. Made in bounded steps, so that commits
// come in between and no sync has more than a step to write.

import DDSCore

/// A segment that is being made.
struct SegmentPreparation {
    /// Its name until it is ready.
    var name: String
    var sequence: UInt64
    /// Everything before it is zero on stable storage.
    var offset = SpoolFormat.headerBytes
    /// The file was created for this; else it holds what was there before.
    var isOwn: Bool
    /// Whoever writes the zeros, when it is not this thread.
    var aside: (any SpoolAside)?

    /// Nothing can be done here before the zeros are there.
    var isAway: Bool { aside != nil && aside?.outcome == nil }

    func zerosLeft(in parameters: SpoolParameters) -> SpoolZeroing {
        SpoolZeroing(name: name, range: offset..<parameters.fileBytes)
    }
}

extension SpoolLog {
    /// Adds a segment to `ready`, out of an emptied one or a leftover if there is any, in as many steps as it takes. Throws
    /// `.full` with nothing changed but a leftover perhaps; any other error leaves the disk in doubt.
    func prepareSegment() throws(DiskError) {
        while try prepareStep(isUrgent: true) {}
    }

    /// One step of the same, with one sync at most. True when more steps are to follow. Zeros are left to `zeroAside` where there
    /// is one; an urgent step waits for them.
    func prepareStep(isUrgent: Bool = false) throws(DiskError) -> Bool {
        guard let current = preparing else {
            let sequence = maximumSequence + 1
            let name = SpoolFileName.segment(sequence, isTemporary: true).text
            let isOwn = try takeMaterial(as: name)
            preparing = SegmentPreparation(name: name, sequence: sequence, isOwn: isOwn)
            return true
        }
        do {
            if let aside = current.aside {
                guard let outcome = isUrgent ? aside.wait() : aside.outcome else { return true }
                preparing?.aside = nil
                try outcome.get()
                zeroed(current.zerosLeft(in: parameters))
                return true
            }
            if !isUrgent, current.offset < parameters.fileBytes, let zeroAside {
                preparing?.aside = zeroAside(current.zerosLeft(in: parameters))
                return true
            }
            return try zero(current)
        } catch {
            preparing = nil
            guard error.kind == .full else { throw error }
            if current.isOwn { try disk.remove(current.name) } else { rawFiles.append(current.name) }
            throw error
        }
    }

    /// Puts a file of any content under `name`. True when it was created for that, false when it existed before.
    private func takeMaterial(as name: String) throws(DiskError) -> Bool {
        if rawFiles.isEmpty, spare.isEmpty, let emptied = oldest({ $0.isEmpty && $0 !== active }) {
            segments[emptied.sequence] = nil
            spare.append(emptied)
        }
        if let raw = rawFiles.popLast() {
            try disk.rename(raw, to: name)
        } else if let emptied = spare.last, try keepMark(outside: emptied) {
            try strike(emptied.sequence)
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

    /// Zeroes the next piece; behind the last one the segment gets its header and its name.
    private func zero(_ current: SegmentPreparation) throws(DiskError) -> Bool {
        guard current.offset == parameters.fileBytes else {
            let end = min(current.offset + SpoolZeroing.pieceBytes, parameters.fileBytes)
            let piece = SpoolZeroing(name: current.name, range: current.offset..<end)
            try piece.run(on: disk)
            zeroed(piece)
            return true
        }
        let file = try disk.open(current.name)
        defer { disk.close(file) }
        let header = SegmentHeader(
            sequence: current.sequence, uuid: identity.uuid, salt: cipher.random(16), rootEpoch: identity.generation,
            createdDay: UInt32(today))
        let segment = Segment(header, keys: keys(of: header))
        try disk.write(file, at: 0, headerPage(header, keys: segment.keys))
        try disk.sync(file)
        try disk.rename(current.name, to: segment.name)
        try disk.syncFolder()
        counters.syncs += 1
        preparing = nil
        ready.append(segment)
        return false
    }

    private func zeroed(_ zeroing: SpoolZeroing) {
        counters.syncs += zeroing.syncs
        preparing?.offset = zeroing.range.upperBound
    }

    /// True while the next segment's zeros are on their way and nothing else can be done about it.
    package var isAwaitingZeros: Bool { preparing?.isAway == true }

    /// The keys of a segment under a root that is known: that of the spool's own epoch.
    func keys(of header: SegmentHeader) -> any SegmentCipher {
        guard let keys = cipher.segment(epoch: header.rootEpoch, sequence: header.sequence, salt: header.salt) else {
            preconditionFailure("the root of the spool's epoch is known")
        }
        return keys
    }

    private func headerPage(_ header: SegmentHeader, keys: any SegmentCipher) -> [UInt8] {
        let headerBytes = header.encoded(keys)
        markCounter += 1
        let mark = SegmentMark(counter: markCounter, durableThrough: markedThrough, isClean: false)
        let markBytes = mark.encoded(sequence: header.sequence, keys)
        var page = [UInt8](repeating: 0, count: SpoolFormat.headerBytes)
        for offset in SpoolFormat.headerOffsets { page.replaceSubrange(offset..<offset + headerBytes.count, with: headerBytes) }
        for offset in SpoolFormat.markOffsets { page.replaceSubrange(offset..<offset + markBytes.count, with: markBytes) }
        return page
    }

    /// Before `segment` loses its content: if it holds the mark that covers all others, another segment gets one. False
    /// when there is no other: then this one has to stay, or the head would be forgotten.
    func keepMark(outside segment: Segment) throws(DiskError) -> Bool {
        guard markHolder == segment.sequence else { return true }
        let others = Array(segments.values) + spare + ready
        guard let holder = others.filter({ $0 !== segment }).max(by: { $0.sequence < $1.sequence }) else { return false }
        try mark(in: holder)
        return true
    }
}
