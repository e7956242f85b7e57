// What an opening found, for the log and for people.

/// What recovery decided. Nothing in it is secret: places and counts only.
package struct RecoveryReport: Hashable, Sendable {
    /// The last process closed the spool in order.
    package var wasClean = false
    package var segments = 0
    package var records = 0
    /// Atomic sets of which only a part had reached the disk; they were never acknowledged and are gone.
    package var tornSets = 0
    /// Sets that were complete though no mark covered them: kept, whether or not they had been acknowledged.
    package var keptSets = 0
    /// Records whose erasure had been begun, or whose last reference is gone: erased now.
    package var finishedErasures = 0
    package var damagedSupers = 0
    /// What does not authenticate, each with file and offset; what is lost of it is in `lost` as well.
    package var damage: [String] = []
    /// What was accepted and is gone, each place in words: the spool was opened with `acceptLoss`.
    package var lost: [String] = []

    package init() {}

    /// One sentence for the log.
    package var words: String {
        let start = wasClean ? "closed in order" : "not closed in order"
        return "spool \(start): \(records) records in \(segments) segments, \(keptSets) unmarked sets kept, "
            + "\(tornSets) torn sets dropped, \(finishedErasures) erasures finished, \(damage.count) damaged places, \(lost.count) losses"
    }
}
