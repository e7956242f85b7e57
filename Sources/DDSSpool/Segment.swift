// One segment as the log knows it in memory, and what is known of its slots. No I/O: who writes what and when is in the
// extensions of SpoolLog.

import DDSCore

/// A segment file whose header was verified, or that this process made.
final class Segment {
    let sequence: UInt64
    let salt: [UInt8]
    let createdDay: UInt32
    /// Epoch of the root that `keys` hang on; the first header copy names it.
    var epoch: UInt32
    var keys: any SegmentCipher
    /// While the segment changes its root: what slots may still be sealed under.
    var formerKeys: (any SegmentCipher)?
    /// Slots below this are sealed under `keys`; only of use while there are former keys.
    var rekeyed = 0
    /// Name in the folder; a segment that is put to new use gets another object.
    let name: String
    /// Open handle, if any; see `SpoolLog.file(of:)`.
    var file: DiskFile?
    /// By slot index as far as slots were used; nil is empty, erased or unreadable.
    var slots: [SlotMeta?] = []
    var liveCount = 0
    /// Room that the bodies of live records take: whole sectors, but of headers of deliveries, which are packed, their bytes.
    var liveBytes = 0
    /// What the file has of its bytes, when it was opened shorter than it should be.
    var fileBytes = Int.max
    /// A body in it does not authenticate: its records are not moved.
    var isSpoiled = false
    /// Slots that do not unseal. A segment with any is never put to new use.
    var unreadable: Set<Int> = []
    /// Highest commit number in the segment.
    var lastCommit: UInt64 = 0
    /// First body byte that is not taken; only of use while the segment is active.
    var nextBody = 0
    /// Which of the two mark sectors is written next.
    var markSide = 0
    /// Body ranges of erased records, still to be overwritten.
    var toOverwrite: [Range<Int>] = []
    /// The spool was not closed in order: bytes that no slot covers may be left of erased records.
    var needsScrub = false
    /// How far that has been seen to.
    var scrubbed = 0

    init(_ header: SegmentHeader, keys: any SegmentCipher) {
        sequence = header.sequence
        salt = header.salt
        createdDay = header.createdDay
        epoch = header.rootEpoch
        self.keys = keys
        name = SpoolFileName.segment(sequence, isTemporary: false).text
    }

    /// Slots are taken by a pass that has not been written yet.
    var isStaged = false

    var isEmpty: Bool { liveCount == 0 && unreadable.isEmpty && !isStaged }

    /// Where a record of `slot` is, in words.
    func place(_ slot: Int) -> String { "segment \(name), slot \(slot) at byte \(SpoolFormat.slotOffset(slot))" }

    func uid(of slot: Int) -> UInt64 { sequence << 16 | UInt64(slot) }

    func isLive(_ slot: Int) -> Bool { slot < slots.count && slots[slot] != nil }

    func forget(_ slot: Int) {
        guard let meta = slots[slot] else { return }
        slots[slot] = nil
        liveCount -= 1
        liveBytes -= meta.room
    }

    /// Enters a record that is durable in `slot`.
    func enter(_ meta: SlotMeta, at slot: Int) {
        slots[slot] = meta
        liveCount += 1
        liveBytes += meta.room
    }

    /// The plaintext of slot `slot`, under whichever of its keys it is sealed.
    func open(slot: Int, _ sealed: [UInt8]) -> [UInt8]? {
        keys.open(slot: slot, sealed) ?? formerKeys?.open(slot: slot, sealed)
    }
}

/// Where a record's slot is.
struct SlotLocation: Hashable {
    var sequence: UInt64
    var slot: Int
}
