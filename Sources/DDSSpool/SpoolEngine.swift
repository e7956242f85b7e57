// What the rest of the program may know of a spool: records in mailboxes, atomic transactions, erasure. Segments, slots
// and files stay behind this seam, so that a community can move its maildrops elsewhere later.

package import DDSCore

/// A numbered mailbox of a spool. Who uses which number is the role's affair.
package struct MailboxID: Hashable, Comparable, Sendable {
    package var rawValue: UInt64

    package init(rawValue: UInt64) {
        self.rawValue = rawValue
    }

    package static func < (left: MailboxID, right: MailboxID) -> Bool { left.rawValue < right.rawValue }
}

/// A record's name: unique for ever, growing in order of acceptance, kept when the record moves.
package struct SpoolUID: Hashable, Comparable, Sendable {
    package var rawValue: UInt64

    package init(rawValue: UInt64) {
        self.rawValue = rawValue
    }

    package static func < (left: SpoolUID, right: SpoolUID) -> Bool { left.rawValue < right.rawValue }
}

/// 16 bytes that the owner of a record attaches to it, stored sealed in its slot: a message id, a submission id.
package struct RecordTag: Hashable, Sendable {
    package var high: UInt64
    package var low: UInt64

    package static let none = RecordTag(high: 0, low: 0)

    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// The first 16 of `bytes`, which must be at least as many.
    package init(_ bytes: [UInt8]) {
        precondition(bytes.count >= 16, "a record tag has 16 bytes")
        high = bytes[0..<8].reduce(0) { $0 << 8 | UInt64($1) }
        low = bytes[8..<16].reduce(0) { $0 << 8 | UInt64($1) }
    }

    package var bytes: [UInt8] {
        [high, low].flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> (56 - 8 * UInt64($0))) } }
    }
}

/// A record to be appended.
package enum SpoolAppend: Hashable, Sendable {
    /// Stands by itself: an event of the directory, a queued message, a stored one. An empty body costs a slot and nothing else.
    case record(mailbox: MailboxID, tag: RecordTag, flags: UInt16, body: [UInt8])
    /// The shared part of a message. It is in no mailbox and lives as long as a delivery names it.
    case payload(tag: RecordTag, body: [UInt8])
    /// One member's copy: the header that only that member can open, and which append of the *same transaction* is its payload.
    case delivery(mailbox: MailboxID, tag: RecordTag, flags: UInt16, header: [UInt8], payload: Int)
}

/// Appends and erasures that go together. All appends happen or none; erasures happen after the appends are durable, and
/// each erased record's only key is overwritten on stable storage (level E1) before the commit returns. Erasing a UID that
/// is already gone does nothing. Erasing needs no free space.
package struct SpoolTransaction: Hashable, Sendable {
    package var appends: [SpoolAppend]
    package var erasures: [SpoolUID]

    package init(appends: [SpoolAppend] = [], erasures: [SpoolUID] = []) {
        self.appends = appends
        self.erasures = erasures
    }
}

/// What is known of a record without reading its body.
package struct SpoolEntry: Hashable, Sendable {
    package var uid: SpoolUID
    package var mailbox: MailboxID
    package var tag: RecordTag
    package var flags: UInt16
    /// Day of acceptance, days since 1970-01-01.
    package var day: Int
    /// Octets of the record's own body (of a delivery: its header).
    package var size: Int
    /// Of a delivery: its payload and the payload's octets.
    package var payload: SpoolUID?
    package var payloadSize: Int

    package init(
        uid: SpoolUID, mailbox: MailboxID, tag: RecordTag, flags: UInt16, day: Int, size: Int, payload: SpoolUID?,
        payloadSize: Int
    ) {
        self.uid = uid
        self.mailbox = mailbox
        self.tag = tag
        self.flags = flags
        self.day = day
        self.size = size
        self.payload = payload
        self.payloadSize = payloadSize
    }
}

package enum SpoolError: Error, Hashable, Sendable {
    /// The disk is full; nothing of the transaction was kept. Erasures still work.
    case full
    /// A transaction larger than the spool can ever take.
    case tooLarge
    /// No such record (any more).
    case noSuchRecord(SpoolUID)
    /// The record's bytes do not authenticate; where is said in words.
    case damaged(SpoolUID, String)
    /// A write or sync failed, or the spool was closed: nothing is accepted until the disk has been read again.
    case stopped(String)
}

/// How far a spool has come. Whoever saw a head later meets the same uuid and no lower counter, whatever stopped in between:
/// a lower one means that files were put back to an earlier state.
package struct SpoolHead: Hashable, Sendable {
    /// 16 bytes, random, made with the spool.
    package var uuid: [UInt8]
    /// Grows with every pass that appended or erased, and is durable with it.
    package var counter: UInt64

    package init(uuid: [UInt8], counter: UInt64) {
        self.uuid = uuid
        self.counter = counter
    }
}

/// Counters for `status`; all sizes in bytes.
package struct SpoolStatistics: Hashable, Sendable {
    package var head = SpoolHead(uuid: [UInt8](repeating: 0, count: 16), counter: 0)
    package var records = 0
    /// Higher than every record that was ever made here, erased ones included, and not higher than the next.
    package var nextUID = SpoolUID(rawValue: 0)
    package var liveBytes = 0
    package var segments = 0
    package var freeSegments = 0
    package var bigFiles = 0
    package var diskBytes = 0
    package var freeDiskBytes = 0
    package var commits = 0
    package var syncs = 0
    package var erased = 0
    /// Records that compaction has moved.
    package var moved = 0
    /// Erased records whose body bytes are not yet overwritten (level E1 reached, E2 not).
    package var awaitingOverwrite = 0
    /// The root that the spool hangs on, and what is left of its last change.
    package var rotation = SpoolRotation(epoch: 1, remaining: 0)
    /// When that root was made, where roots change: what was erased before is at level E3 once nothing remains.
    package var rootMade: WallTime?
    /// When something was last erased; before this process no later than it opened the spool.
    package var lastErased: WallTime?
    /// What lies under the spool, where there is a file system.
    package var fileSystem: FileSystem?
    /// What is known to be damaged, in words: places and files.
    package var damage: [String] = []

    package init() {}
}

extension SpoolStatistics {
    /// The level that everything erased so far has reached (ddsnode-spool(5), ERASURE).
    package var eraseLevel: String {
        guard awaitingOverwrite == 0 else { return "E1" }
        guard rotation.remaining == 0, let rootMade, let lastErased, lastErased < rootMade else { return "E2" }
        return "E3"
    }
}

/// Where the bytes of a record are.
package struct SpoolPlace: Hashable, Sendable {
    package var file: String
    /// Of the slot's 128 bytes.
    package var slotOffset: Int
    package var bodyFile: String
    package var bodyOffset: Int
    package var bodyBytes: Int
}

/// Part of a record's body.
package struct SpoolRange: Hashable, Sendable {
    package var uid: SpoolUID
    package var offset: Int
    package var count: Int

    package init(_ uid: SpoolUID, offset: Int, count: Int) {
        self.uid = uid
        self.offset = offset
        self.count = count
    }
}

/// A spool that is open. Calls may come from anywhere; each returns when its effect is durable.
package protocol SpoolEngine: Sendable {
    /// Commits one transaction; the result names the appended records in order. Concurrent commits share one sync.
    func commit(_ transaction: SpoolTransaction) async throws(SpoolError) -> [SpoolUID]
    /// The records of a mailbox in ascending order of UID.
    func entries(in mailbox: MailboxID) async throws(SpoolError) -> [SpoolEntry]
    /// Every mailbox with the number and total size of its records (of deliveries: header and payload).
    func mailboxes() async throws(SpoolError) -> [MailboxID: (count: Int, bytes: Int)]
    /// Up to `count` bytes of a record's body from `offset`; fewer only at its end.
    func read(_ uid: SpoolUID, offset: Int, count: Int) async throws(SpoolError) -> [UInt8]
    /// Several such reads at once, in order.
    func read(_ ranges: [SpoolRange]) async throws(SpoolError) -> [[UInt8]]
    func statistics() async throws(SpoolError) -> SpoolStatistics
    /// The head as it is durable now: everything that was acknowledged before the call is in it.
    func head() async throws(SpoolError) -> SpoolHead
    /// Finishes what was accepted, overwrites what awaits it, and releases the spool's lock.
    func close() async
}

extension SpoolEngine {
    /// One after the other; engines whose reads cost a change of threads do better.
    package func read(_ ranges: [SpoolRange]) async throws(SpoolError) -> [[UInt8]] {
        var bodies: [[UInt8]] = []
        for range in ranges { bodies.append(try await read(range.uid, offset: range.offset, count: range.count)) }
        return bodies
    }

    /// Out of the statistics; engines that can say it for less do so.
    package func head() async throws(SpoolError) -> SpoolHead { try await statistics().head }
}
