// Which records are in which mailbox, and who still names which payload. Derived from the slots at every opening, never
// stored; knows nothing of files.

struct SpoolIndex {
    struct Mailbox {
        /// Ascending.
        var uids: [UInt64] = []
        var bytes = 0
    }

    struct Payload {
        var uses = 0
        var length = 0
    }

    private(set) var mailboxes: [UInt64: Mailbox] = [:]
    private(set) var payloads: [UInt64: Payload] = [:]
    private(set) var records = 0
    private(set) var liveBytes = 0

    /// Room for so many payloads at once, which is quicker than growing.
    mutating func reserve(payloads count: Int) { payloads.reserveCapacity(count) }

    /// Enters a record. A payload goes in before its deliveries; within a mailbox UIDs arrive in ascending order, or else
    /// `sort` follows. False for a delivery whose payload is not in.
    @discardableResult
    mutating func insert(_ meta: SlotMeta) -> Bool {
        records += 1
        liveBytes += Int(meta.length)
        switch meta.kind {
        case .payload:
            payloads[meta.uid] = Payload(uses: 0, length: Int(meta.length))
        case .record:
            enter(meta, bytes: Int(meta.length))
        case .delivery:
            guard let place = payloads.index(forKey: meta.reference) else {
                enter(meta, bytes: Int(meta.length))
                return false
            }
            payloads.values[place].uses += 1
            enter(meta, bytes: Int(meta.length) + payloads.values[place].length)
        }
        return true
    }

    private mutating func enter(_ meta: SlotMeta, bytes: Int) {
        { (mailbox: inout Mailbox) in
            mailbox.uids.append(meta.uid)
            mailbox.bytes += bytes
        }(&mailboxes[meta.mailbox, default: Mailbox()])
    }

    mutating func sort() {
        for place in mailboxes.values.indices {
            if !mailboxes.values[place].uids.isAscending { mailboxes.values[place].uids.sort() }
        }
    }

    /// Takes a record out. Of a payload that means: nobody names it any more.
    mutating func remove(_ meta: SlotMeta) {
        records -= 1
        liveBytes -= Int(meta.length)
        switch meta.kind {
        case .payload:
            payloads[meta.uid] = nil
        case .record:
            leave(meta, bytes: Int(meta.length))
        case .delivery:
            payloads[meta.reference]?.uses -= 1
            leave(meta, bytes: Int(meta.length) + (payloads[meta.reference]?.length ?? 0))
        }
    }

    private mutating func leave(_ meta: SlotMeta, bytes: Int) {
        guard var mailbox = mailboxes.removeValue(forKey: meta.mailbox) else { return }
        let position = mailbox.uids.partition(from: meta.uid)
        if position < mailbox.uids.count, mailbox.uids[position] == meta.uid { mailbox.uids.remove(at: position) }
        mailbox.bytes -= bytes
        if !mailbox.uids.isEmpty { mailboxes[meta.mailbox] = mailbox }
    }
}

extension [UInt64] {
    fileprivate var isAscending: Bool { !zip(self, dropFirst()).contains { $0 > $1 } }

    /// Index of the first element of this ascending array that is not below `value`.
    fileprivate func partition(from value: UInt64) -> Int {
        var low = 0
        var high = count
        while low < high {
            let middle = (low + high) / 2
            if self[middle] < value { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
