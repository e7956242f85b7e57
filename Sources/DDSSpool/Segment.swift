// One segment as the log knows it in memory, and what is known of its slots. No I/O: who writes what and when is in the
// extensions of SpoolLog.

import DDSCore

/// A segment file whose header was verified, or that this process made.
final class Segment {
    let sequence: UInt64
    let keys: any SegmentCipher
    /// Name in the folder; a segment that is put to new use gets another object.
    let name: String
    /// Open handle, if any; see `SpoolLog.file(of:)`.
    var file: DiskFile?
    /// By slot index as far as slots were used; nil is empty, erased or unreadable.
    var slots: [SlotMeta?] = []
    var liveCount = 0
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

    init(sequence: UInt64, keys: any SegmentCipher) {
        self.sequence = sequence
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
        guard slots[slot] != nil else { return }
        slots[slot] = nil
        liveCount -= 1
    }
}

/// Where a record's slot is.
struct SlotLocation: Hashable {
    var sequence: UInt64
    var slot: Int
}
