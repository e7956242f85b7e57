// When maintenance acts, and how much it does at once. Nothing of it is stored; every process may choose anew.

package struct SpoolPolicy: Hashable, Sendable {
    /// A closed segment is emptied into the active one when its live share, in percent, is below this...
    package var compactBelow = 25
    /// ...or below this when it is older than `oldAfterDays`...
    package var compactOldBelow = 50
    package var oldAfterDays = 7
    /// ...or below this when fewer than `lowSpaceBytes` are free.
    package var compactWhenLowBelow = 75
    /// Nil: four segments.
    package var lowSpaceBytes: Int?
    /// Emptied segments that are kept for new use; as many as were needed in the last two minutes if those were more, and
    /// one when space is low.
    package var sparesKept = 4
    /// Records and body bytes that one step moves at most; a single record may have more bytes.
    package var moveSlots = 512
    package var moveBytes = 1 << 20
    /// Slots whose keys one step of a rotation changes at most.
    package var rekeySlots = 4096
    /// So many bytes of bodies go to the disk while the rest of a pass is put together.
    package var bytesAhead = 64 << 10
    /// Under load, when there is no idle moment, a step of maintenance is due after this long.
    package var pauseUnderLoad: Duration = .milliseconds(50)

    package init() {}
}
