// What can wait: overwriting the bodies of erased records (level E2), having the next segment ready, putting emptied
// segments to new use. One bounded step per call, so that commits come in between.

import DDSCore

extension SpoolLog {
    private static let scrubStep = 1 << 20
    private static let scrubBytesMax = 4 << 20
    private static let overwriteBytesMax = 4 << 20

    /// Does one step. True when there is more to do at once.
    package func maintain() throws(SpoolError) -> Bool {
        if let stopped { throw .stopped(stopped) }
        closeSurplusFiles()
        do {
            if try prepareNext() { return true }
            if try overwriteNext() { return true }
            if try rekeyNext() { return true }
            if try scrubNext() { return true }
            if try retireNext() { return true }
            return try compactNext()
        } catch {
            throw stop(error)
        }
    }

    /// For whoever commits so busily that nothing is left for `maintain`: the next segment is prepared in time, and now and
    /// then a step of the rest is done, so that erased bodies do not wait for an idle moment that never comes.
    package func keepUp() throws(SpoolError) {
        guard stopped == nil else { return }
        let now = time.now
        do {
            if try prepareNext() { return }
            guard lastStep.map({ now - $0 >= policy.pauseUnderLoad }) ?? true else { return }
        } catch {
            throw stop(error)
        }
        lastStep = now
        _ = try maintain()
    }

    /// The next segment is prepared when the active one is half full. A full disk is no error here: erasures free space.
    private func prepareNext() throws(DiskError) -> Bool {
        guard ready.isEmpty, !isSpaceWanted, !isAwaitingZeros else { return false }
        if let active {
            let isHalfFull = active.slots.count * 2 >= parameters.slots || active.nextBody * 2 >= parameters.bodyBytes
            guard isHalfFull else { return false }
        }
        do { _ = try prepareStep() } catch {
            guard error.kind == .full else { throw error }
            return false
        }
        return true
    }

    /// Overwrites a part of what erasures of one segment left, or one big file.
    func overwriteNext() throws(DiskError) -> Bool {
        let waiting = oldest { !$0.toOverwrite.isEmpty } ?? spare.first { !$0.toOverwrite.isEmpty }
        if let segment = waiting {
            let file = try file(of: segment)
            var bytes = 0
            var left = segment.toOverwrite
            while bytes < Self.overwriteBytesMax, let range = left.popLast() {
                try disk.write(file, at: parameters.bodyStart + range.lowerBound, [UInt8](repeating: 0, count: range.count))
                bytes += range.count
            }
            try sync(segment)
            segment.toOverwrite = left
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
        let waiting = oldest { $0.needsScrub } ?? spare.first { $0.needsScrub }
        guard let segment = waiting else { return false }
        guard segment.unreadable.isEmpty, segment !== active else {
            segment.needsScrub = false
            return true
        }
        let covered = segment.slots.compactMap { $0?.bodyRange }.filter { $0.upperBound > segment.scrubbed && !$0.isEmpty }
            .sorted { $0.lowerBound < $1.lowerBound }
        let stop = min(segment.scrubbed + Self.scrubBytesMax, parameters.bodyBytes)
        var isChanged = false
        var position = segment.scrubbed
        for range in covered + [parameters.bodyBytes..<parameters.bodyBytes] where position < stop {
            while position < min(range.lowerBound, stop) {
                let end = min(range.lowerBound, stop, position + Self.scrubStep)
                if try scrub(position..<end, of: segment) { isChanged = true }
                position = end
            }
            if position >= range.lowerBound { position = max(position, range.upperBound) }
        }
        if isChanged { try sync(segment) }
        segment.scrubbed = position
        segment.needsScrub = position < parameters.bodyBytes
        return true
    }

    private func scrub(_ range: Range<Int>, of segment: Segment) throws(DiskError) -> Bool {
        let file = try file(of: segment)
        do throws(DiskError) {
            let bytes = try disk.read(file, at: parameters.bodyStart + range.lowerBound, count: range.count)
            guard !bytes.isZero(in: 0..<bytes.count) else { return false }
        } catch {
            // What cannot be read belongs to nobody here, and may hold what was erased.
            guard error.kind == .inputOutput else { throw error }
        }
        try disk.write(file, at: parameters.bodyStart + range.lowerBound, [UInt8](repeating: 0, count: range.count))
        return true
    }

    /// Emptied segments become spares; surplus ones are given back to the disk.
    private func retireNext() throws(DiskError) -> Bool {
        if let emptied = oldest({ $0.isEmpty && $0 !== active && $0.toOverwrite.isEmpty }) {
            segments[emptied.sequence] = nil
            spare.append(emptied)
            return true
        }
        guard spare.count > 1, spare.count > sparesKept, let surplus = spare.min(by: { $0.sequence < $1.sequence }),
            try keepMark(outside: surplus)
        else { return false }
        try strike(surplus.sequence)
        closeFile(of: surplus)
        openFiles.removeAll { $0 === surplus }
        spare.removeAll { $0 === surplus }
        try disk.remove(surplus.name)
        try disk.syncFolder()
        return true
    }

    /// What two minutes of the present traffic need, and not less than the policy's number; one when space is low.
    private var sparesKept: Int {
        let now = time.now
        activations.removeAll { now - $0 > .seconds(120) }
        guard spare.count > 1, !isSpaceLow else { return 1 }
        return max(policy.sparesKept, activations.count)
    }
}
