// Group commit: every transaction of the pass is laid out in memory, then bodies, slots and the mark are written, and one
// sync per touched segment makes them durable; only then come the erasures. Decides the order of writes; recovery relies
// on it.

import DDSCore

/// What a pass will write to one segment.
private struct PassPart {
    var segment: Segment
    var firstSlot: Int
    var slotBytes: [UInt8] = []
    /// Where the bodies begin that are not written yet.
    var bodyStart: Int
    var bodyBytes: [UInt8] = []
    var metas: [SlotMeta] = []
    var lastCommit: UInt64 = 0
}

/// Where the bodies of one atomic set go, relative to a 512-byte boundary. Headers of deliveries follow one another; every
/// other body has sectors of its own.
struct SetLayout {
    private(set) var offsets: [Int] = []
    private var areaBytes = 0
    private var isPacking = false

    /// Nil when no segment with these parameters can take the set.
    init?(_ appends: [PreparedAppend], _ parameters: SpoolParameters) {
        guard appends.count <= min(parameters.slots, Int(UInt16.max)) else { return nil }
        for append in appends {
            guard append.length <= Int(UInt32.max) else { return nil }
            place(append.length, isDelivery: append.isDelivery, isBig: append.isBig)
        }
        guard totalBytes <= parameters.bodyBytes else { return nil }
    }

    init() {}

    /// Whole sectors of all bodies.
    var totalBytes: Int { SpoolFormat.aligned(areaBytes) }

    /// The next body.
    mutating func place(_ size: Int, isDelivery: Bool, isBig: Bool) {
        guard !isBig else { return offsets.append(0) }
        if !isDelivery || !isPacking { areaBytes = SpoolFormat.aligned(areaBytes) }
        offsets.append(areaBytes)
        areaBytes += size
        isPacking = isDelivery
    }
}

extension SpoolLog {
    /// Commits `transactions` together: all that succeed are durable when this returns, erasures included (level E1).
    /// Appends of the same group cannot be erased in it. `.full` and `.tooLarge` concern one transaction, of which nothing
    /// is kept; `.stopped` concerns all.
    package func commit(_ transactions: [PreparedTransaction]) -> [Result<[SpoolUID], SpoolError>] {
        if let stopped { return transactions.map { _ in .failure(.stopped(stopped)) } }
        closeSurplusFiles()
        do {
            var parts: [PassPart] = []
            var results: [Result<[SpoolUID], SpoolError>] = []
            let bodyBytes = transactions.reduce(0) { $0 + $1.sealedBytes }
            for transaction in transactions {
                results.append(try stage(transaction, in: &parts, expecting: min(bodyBytes, policy.bytesAhead * 2)))
                try writeAhead(&parts)
            }
            try write(parts)
            var erasures: [SpoolUID] = []
            for (transaction, result) in zip(transactions, results) {
                if case .success = result { erasures += transaction.erasures }
            }
            try erase(erasures)
            return results
        } catch {
            let failure = stop(error)
            return transactions.map { _ in .failure(failure) }
        }
    }

    /// The same of transactions that nobody has prepared.
    package func commit(_ transactions: [SpoolTransaction]) -> [Result<[SpoolUID], SpoolError>] {
        commit(transactions.map(preparer.prepare))
    }

    /// What prepares transactions for this log, on any thread.
    package var preparer: SpoolPreparer { SpoolPreparer(cipher: cipher, parameters: parameters) }

    private func stage(
        _ transaction: PreparedTransaction, in parts: inout [PassPart], expecting bodyBytes: Int
    ) throws(DiskError) -> Result<[SpoolUID], SpoolError> {
        let appends = transaction.appends
        guard !appends.isEmpty else { return .success([]) }
        guard let layout = SetLayout(appends, parameters) else { return .failure(.tooLarge) }
        guard let segment = try room(slots: appends.count, bytes: layout.totalBytes) else { return .failure(.full) }
        guard let bigFiles = try writeBigFiles(of: appends) else { return .failure(.full) }

        let firstSlot = segment.slots.count
        let bodyStart = segment.nextBody
        if parts.last?.segment !== segment {
            parts.append(PassPart(segment: segment, firstSlot: firstSlot, bodyStart: bodyStart))
            // Growing by and by would copy what there is again and again.
            parts[parts.count - 1].bodyBytes.reserveCapacity(min(bodyBytes, parameters.bodyBytes - bodyStart))
        }
        let last = parts.count - 1
        let commit = nextCommit
        precondition(commit <= SpoolSlot.commitMax, "a spool has 2^56 commits in it")
        nextCommit += 1
        checkReferences(appends)
        for (position, append) in appends.enumerated() {
            let slot = firstSlot + position
            let big = bigFiles[position]
            let meta = meta(
                append, uid: segment.uid(of: slot), offset: big == nil ? bodyStart + layout.offsets[position] : 0,
                bigID: big?.id, setUID: segment.uid(of: firstSlot))
            var key = big?.key ?? []
            var tag = [UInt8](repeating: 0, count: 16)
            if case .sealed(let ownKey, let ciphertext, let ownTag) = append.body {
                (key, tag) = (ownKey, ownTag)
                let gap = Int(meta.offset) - parts[last].bodyStart - parts[last].bodyBytes.count
                if gap > 0 { parts[last].bodyBytes += [UInt8](repeating: 0, count: gap) }
                parts[last].bodyBytes += ciphertext
            }
            let plain = SpoolSlot(
                meta: meta, commit: commit, setSize: UInt16(appends.count), position: UInt16(position), key: key, bodyTag: tag)
            parts[last].slotBytes += segment.keys.seal(slot: slot, plain.encoded())
            parts[last].metas.append(meta)
        }
        parts[last].lastCommit = commit
        // The places are taken at once, so that the next transaction of the pass goes behind them.
        segment.isStaged = true
        segment.slots += [SlotMeta?](repeating: nil, count: appends.count)
        segment.nextBody = bodyStart + layout.totalBytes
        return .success((0..<appends.count).map { SpoolUID(rawValue: segment.uid(of: firstSlot + $0)) })
    }

    private func checkReferences(_ appends: [PreparedAppend]) {
        var isNamed = appends.map { append in if case .payload = append.kind { false } else { true } }
        for case .delivery(_, _, _, _, let payload) in appends.map(\.kind) {
            precondition(appends.indices.contains(payload), "a delivery names an append of its own transaction")
            guard case .payload = appends[payload].kind else { preconditionFailure("a delivery names a payload") }
            isNamed[payload] = true
        }
        precondition(!isNamed.contains(false), "a payload comes with at least one delivery")
    }

    private func meta(_ append: PreparedAppend, uid: UInt64, offset: Int, bigID: UInt64?, setUID: UInt64) -> SlotMeta {
        let length = UInt32(append.length)
        switch append.kind {
        case .record(let mailbox, let tag, let flags, _):
            return SlotMeta(
                mailbox: mailbox.rawValue, uid: uid, offset: UInt32(offset), length: length, reference: bigID ?? 0, tag: tag,
                flags: flags, day: today, kind: .record, isBig: bigID != nil)
        case .payload(let tag, _):
            return SlotMeta(
                mailbox: 0, uid: uid, offset: UInt32(offset), length: length, reference: bigID ?? 0, tag: tag, flags: 0,
                day: today, kind: .payload, isBig: bigID != nil)
        case .delivery(let mailbox, let tag, let flags, _, let payload):
            return SlotMeta(
                mailbox: mailbox.rawValue, uid: uid, offset: UInt32(offset), length: length,
                reference: setUID + UInt64(payload), tag: tag, flags: flags, day: today, kind: .delivery, isBig: false)
        }
    }

    /// A segment with room for a set, or nil when the disk is full.
    func room(slots: Int, bytes: Int) throws(DiskError) -> Segment? {
        if let active, active.slots.count + slots <= parameters.slots, active.nextBody + bytes <= parameters.bodyBytes {
            return active
        }
        if ready.isEmpty {
            do { try prepareSegment() } catch {
                guard error.kind == .full else { throw error }
                return nil
            }
        }
        return try activate(ready.removeFirst())
    }

    /// From now on appends go to `segment`.
    func activate(_ segment: Segment) throws(DiskError) -> Segment {
        try enlist(segment.sequence)
        segments[segment.sequence] = segment
        active = segment
        activations.append(time.now)
        return segment
    }

    /// The disk has something to do while slots are sealed. Bodies without slots are nothing, whatever stops this.
    private func writeAhead(_ parts: inout [PassPart]) throws(DiskError) {
        guard let part = parts.last, part.bodyBytes.count >= policy.bytesAhead else { return }
        let file = try file(of: part.segment)
        let start = parameters.bodyStart + part.bodyStart
        try disk.write(file, at: start, part.bodyBytes)
        disk.startWriting(file, start..<start + part.bodyBytes.count)
        parts[parts.count - 1].bodyStart += part.bodyBytes.count
        parts[parts.count - 1].bodyBytes.removeAll(keepingCapacity: true)
    }

    /// Bodies, slots and the mark about the *previous* pass share one sync; nothing depends on the order in which they
    /// reach the medium, because a set counts only when all its slots unseal and all its bodies authenticate.
    private func write(_ parts: [PassPart]) throws(DiskError) {
        for part in parts {
            let file = try file(of: part.segment)
            if !part.bodyBytes.isEmpty { try disk.write(file, at: parameters.bodyStart + part.bodyStart, part.bodyBytes) }
            try disk.write(file, at: SpoolFormat.slotOffset(part.firstSlot), part.slotBytes)
            try writeMark(in: part.segment)
            try sync(part.segment)
            marked(in: part.segment, through: lastCommit)
        }
        for part in parts {
            for (position, meta) in part.metas.enumerated() { part.segment.enter(meta, at: part.firstSlot + position) }
            part.segment.lastCommit = part.lastCommit
            part.segment.isStaged = false
            lastCommit = part.lastCommit
            for meta in part.metas where meta.isBig { countBigFile(meta, by: 1) }
            for meta in part.metas where meta.kind == .payload { index.insert(meta) }
            for meta in part.metas where meta.kind != .payload { index.insert(meta) }
        }
        if !parts.isEmpty { counters.commits += 1 }
    }
}
