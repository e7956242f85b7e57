// Reading and counting. Errors of the medium concern the record that was asked for, never the log.

import DDSCore

extension SpoolLog {
    /// The records of a mailbox in ascending order of UID; none for a mailbox that has none.
    package func entries(in mailbox: MailboxID) throws(SpoolError) -> [SpoolEntry] {
        try checkRunning()
        let uids = index.mailboxes[mailbox.rawValue]?.uids ?? []
        var entries: [SpoolEntry] = []
        entries.reserveCapacity(uids.count)
        for uid in uids {
            guard let (_, _, meta) = locate(uid) else { continue }
            let payload = meta.kind == .delivery ? meta.reference : nil
            entries.append(
                SpoolEntry(
                    uid: SpoolUID(rawValue: uid), mailbox: mailbox, tag: meta.tag, flags: meta.flags, day: Int(meta.day),
                    size: Int(meta.length), payload: payload.map { SpoolUID(rawValue: $0) },
                    payloadSize: payload.flatMap { index.payloads[$0]?.length } ?? 0))
        }
        return entries
    }

    /// Every mailbox that has records, with their number and total size (of deliveries: header and payload).
    package func mailboxes() throws(SpoolError) -> [MailboxID: (count: Int, bytes: Int)] {
        try checkRunning()
        var result: [MailboxID: (count: Int, bytes: Int)] = [:]
        for (number, mailbox) in index.mailboxes {
            result[MailboxID(rawValue: number)] = (mailbox.uids.count, mailbox.bytes)
        }
        return result
    }

    /// Up to `count` bytes of a record's own body from `offset`; fewer only at its end. `.damaged` when they do not
    /// authenticate or cannot be read; other records are not concerned.
    package func read(_ uid: SpoolUID, offset: Int, count: Int) throws(SpoolError) -> [UInt8] {
        try checkRunning()
        precondition(offset >= 0 && count >= 0, "a range of bytes of a record")
        closeSurplusFiles()
        guard let (segment, slot, meta) = locate(uid.rawValue) else { throw absence(of: uid) }
        let start = min(offset, Int(meta.length))
        let end = start + min(count, Int(meta.length) - start)
        if let lastRead, lastRead.uid == uid.rawValue { return Array(lastRead.body[start..<end]) }
        do {
            guard let sealed = try readSlot(slot, of: segment), sealed.meta == meta else {
                throw SpoolError.damaged(uid, "\(segment.place(slot)) does not authenticate")
            }
            if meta.isBig {
                guard let bytes = try readBigFile(meta, key: sealed.key, start..<end) else {
                    let name = SpoolFileName.big(meta.reference, isTemporary: false).text
                    noteDamage("\(name) does not authenticate")
                    throw SpoolError.damaged(uid, "\(name) does not authenticate")
                }
                return bytes
            }
            guard let body = try readBody(sealed, of: segment) else {
                let words = bodyPlace(meta, of: segment) + " does not authenticate"
                noteDamage(words)
                throw SpoolError.damaged(uid, words)
            }
            lastRead = (uid.rawValue, body)
            return Array(body[start..<end])
        } catch let error as SpoolError {
            throw error
        } catch let error as DiskError {
            if error.kind == .crashed { throw stop(error) }
            noteDamage("record \(SpoolFileName.hex(uid.rawValue)): \(error)")
            throw .damaged(uid, "\(error)")
        } catch {
            preconditionFailure("only the two errors above are thrown here")
        }
    }

    /// Where a record is now: for those who look for what is left of it. Nil when there is no such record.
    package func place(of uid: SpoolUID) -> SpoolPlace? {
        guard let (segment, slot, meta) = locate(uid.rawValue) else { return nil }
        let start = parameters.bodyStart + meta.bodyRange.lowerBound
        return SpoolPlace(
            file: segment.name, slotOffset: SpoolFormat.slotOffset(slot),
            bodyFile: meta.isBig ? SpoolFileName.big(meta.reference, isTemporary: false).text : segment.name,
            bodyOffset: meta.isBig ? 0 : start, bodyBytes: Int(meta.length))
    }

    /// How far this spool has come; see `SpoolHead`.
    package func head() throws(SpoolError) -> SpoolHead {
        try checkRunning()
        return SpoolHead(uuid: identity.uuid, counter: durableCounter)
    }

    /// Numbers go on behind the last place that was taken, whatever has become of what was there, and segments have ever higher
    /// ones.
    private var nextUID: SpoolUID {
        SpoolUID(
            rawValue: active.map { $0.uid(of: $0.slots.count) } ?? (ready.first?.sequence ?? maximumSequence + 1) << 16)
    }

    /// Counters for people; sizes of the disk are of this moment.
    package func statistics() throws(SpoolError) -> SpoolStatistics {
        try checkRunning()
        var result = counters
        result.head = try head()
        result.rotation = rotation
        result.records = index.records
        result.nextUID = nextUID
        result.liveBytes = index.liveBytes
        result.segments = segments.count
        result.freeSegments = ready.count + spare.count
        result.diskBytes = (segments.count + ready.count + spare.count) * parameters.fileBytes + bigBytes
        result.awaitingOverwrite = bigToErase.count
        for segment in segments.values {
            result.awaitingOverwrite += segment.toOverwrite.count
        }
        if preparing?.isOwn == false { result.awaitingOverwrite += 1 }
        for segment in spare { result.awaitingOverwrite += segment.toOverwrite.count }
        // Unknown is told as none: this number is for refusing in time.
        result.freeDiskBytes = (try? disk.freeBytes()) ?? 0
        result.damage = recovery.damage
        return result
    }

    /// A record that is not in the index is gone, unless its slot or segment is one that cannot be read.
    private func absence(of uid: SpoolUID) -> SpoolError {
        let sequence = uid.rawValue >> 16
        let slot = Int(uid.rawValue & 0xffff)
        if let segment = segments[sequence], segment.unreadable.contains(slot) {
            return .damaged(uid, "\(segment.place(slot)) does not authenticate")
        }
        if quarantined.contains(sequence) {
            return .damaged(uid, "the header of segment \(SpoolFileName.segment(sequence, isTemporary: false).text) is damaged")
        }
        return .noSuchRecord(uid)
    }

    func checkRunning() throws(SpoolError) {
        if let stopped { throw .stopped(stopped) }
    }

    /// Damage that was met after opening; said once.
    func noteDamage(_ words: String) {
        if !recovery.damage.contains(words) { recovery.damage.append(words) }
    }

    /// Damage that cost something.
    func noteLoss(_ words: String) {
        noteDamage(words)
        if !recovery.lost.contains(words) { recovery.lost.append(words) }
    }

    func bodyPlace(_ meta: SlotMeta, of segment: Segment) -> String {
        "segment \(segment.name), body at byte \(parameters.bodyStart + Int(meta.offset)) (\(meta.length) bytes)"
    }

    /// The opened slot, or nil when it does not unseal.
    func readSlot(_ slot: Int, of segment: Segment) throws(DiskError) -> SpoolSlot? {
        let sealed = try disk.read(file(of: segment), at: SpoolFormat.slotOffset(slot), count: SpoolFormat.slotBytes)
        guard sealed.count == SpoolFormat.slotBytes, let plain = segment.open(slot: slot, sealed) else { return nil }
        return SpoolSlot(plain, parameters)
    }

    /// The body in the segment, or nil when it does not authenticate.
    func readBody(_ slot: SpoolSlot, of segment: Segment) throws(DiskError) -> [UInt8]? {
        let length = Int(slot.meta.length)
        let start = parameters.bodyStart + Int(slot.meta.offset)
        let ciphertext = length == 0 ? [] : try disk.read(file(of: segment), at: start, count: length)
        guard ciphertext.count == length else { return nil }
        return cipher.openBody(key: slot.key, ciphertext: ciphertext, tag: slot.bodyTag)
    }
}
