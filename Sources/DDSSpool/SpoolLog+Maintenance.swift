// What can wait: overwriting the bodies of erased records (level E2), having the next segment ready, putting emptied
// segments to new use. One bounded step per call, so that commits come in between.

import DDSCore

extension SpoolLog {
    private static let scrubStep = 1 << 20

    /// Does one step. True when there is more to do at once.
    package func maintain() throws(SpoolError) -> Bool {
        if let stopped { throw .stopped(stopped) }
        closeSurplusFiles()
        do {
            if try prepareNext() { return true }
            if try overwriteNext() { return true }
            if try scrubNext() { return true }
            return try retireNext()
        } catch {
            throw stop(error)
        }
    }

    /// The next segment is prepared when the active one is half full. A full disk is no error here: erasures free space.
    private func prepareNext() throws(DiskError) -> Bool {
        guard ready.isEmpty else { return false }
        if let active {
            let isHalfFull = active.slots.count * 2 >= parameters.slots || active.nextBody * 2 >= parameters.bodyBytes
            guard isHalfFull else { return false }
        }
        do { try prepareSegment() } catch {
            guard error.kind == .full else { throw error }
            return false
        }
        return true
    }

    /// Overwrites what erasures of one segment left, or one big file.
    func overwriteNext() throws(DiskError) -> Bool {
        let waiting = segments.values.first { !$0.toOverwrite.isEmpty } ?? spare.first { !$0.toOverwrite.isEmpty }
        if let segment = waiting {
            let file = try file(of: segment)
            for range in segment.toOverwrite {
                try disk.write(file, at: parameters.bodyStart + range.lowerBound, [UInt8](repeating: 0, count: range.count))
            }
            try sync(segment)
            segment.toOverwrite = []
            return true
        }
        if let name = bigToErase.last {
            try eraseBigFile(name)
            bigToErase.removeLast()
            return true
        }
        return false
    }

    /// After a stop that was not in order, bytes of erased bodies may be left where no slot says so any more: whatever no
    /// live slot covers becomes zeros. A segment with unreadable slots is left alone: their bodies are not known.
    private func scrubNext() throws(DiskError) -> Bool {
        let waiting = segments.values.first { $0.needsScrub } ?? spare.first { $0.needsScrub }
        guard let segment = waiting else { return false }
        segment.needsScrub = false
        guard segment.unreadable.isEmpty, segment !== active else { return true }
        let covered = segment.slots.compactMap { $0?.bodyRange }.filter { !$0.isEmpty }
            .sorted { $0.lowerBound < $1.lowerBound }
        var isChanged = false
        var position = 0
        for range in covered + [parameters.bodyBytes..<parameters.bodyBytes] {
            while position < range.lowerBound {
                let end = min(range.lowerBound, position + Self.scrubStep)
                if try scrub(position..<end, of: segment) { isChanged = true }
                position = end
            }
            position = max(position, range.upperBound)
        }
        if isChanged { try sync(segment) }
        return true
    }

    private func scrub(_ range: Range<Int>, of segment: Segment) throws(DiskError) -> Bool {
        let file = try file(of: segment)
        let bytes = try disk.read(file, at: parameters.bodyStart + range.lowerBound, count: range.count)
        guard !bytes.isZero(in: 0..<bytes.count) else { return false }
        try disk.write(file, at: parameters.bodyStart + range.lowerBound, [UInt8](repeating: 0, count: range.count))
        return true
    }

    /// Emptied segments become spares; one spare and one ready segment are kept, the rest is given back to the disk.
    private func retireNext() throws(DiskError) -> Bool {
        if let emptied = segments.values.first(where: { $0.isEmpty && $0 !== active && $0.toOverwrite.isEmpty }) {
            segments[emptied.sequence] = nil
            spare.append(emptied)
            return true
        }
        guard spare.count > 1, let surplus = spare.min(by: { $0.sequence < $1.sequence }) else { return false }
        try keepMark(outside: surplus)
        closeFile(of: surplus)
        openFiles.removeAll { $0 === surplus }
        spare.removeAll { $0 === surplus }
        try disk.remove(surplus.name)
        try disk.syncFolder()
        return true
    }
}
