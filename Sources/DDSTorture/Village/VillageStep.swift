// The steps that people, clients, administrators and faults take in the simulated village, and what is counted of them. Decides
// nothing; what a step does, Village says.

package enum VillageMachine: Hashable, Sendable {
    case node
    case agent(Int)
}

/// How a connection breaks.
package enum ConnectionCut: Hashable, Sendable {
    case never
    /// Before this octet.
    case toServer(Int)
    case toClient(Int)
    /// Instead of the reply to the end of the message, or to QUIT.
    case lastReply
}

package enum VillageStep: Hashable, Sendable {
    case write(member: Int, to: [LetterDestination], octets: Int)
    /// Everything in the outbox, a connection each. With `isLingering` the node does not notice that a line is dead.
    case submit(member: Int, ConnectionCut, isLingering: Bool)
    /// The first letter of each member's outbox, committed in one pass.
    case rush
    /// The newest accepted letter once more, under the same id.
    case resend(member: Int, to: [LetterDestination])
    /// With `hasRival` another login is tried in the middle.
    case fetch(member: Int, ConnectionCut, isLingering: Bool, hasRival: Bool)
    case show(member: Int)
    /// The person erases a message that was shown.
    case discard(member: Int)
    /// Marks everything as deleted, and leaves without QUIT, or takes it back with RSET.
    case careless(member: Int, resets: Bool)
    case maintain(VillageMachine)
    /// Some steps of maintenance, and not all there are.
    case tidy(VillageMachine, steps: Int)
    /// A change of the node's root begins; maintenance does the rest.
    case rotate
    /// Nothing can be sealed to the member from now on, or something can again.
    case loseKey(member: Int)
    case giveKey(member: Int)
    /// The administrator holds what has waited longest for the member, and hands on all that is held.
    case hold(member: Int)
    case release(member: Int)
    /// Days pass, and the node looks for what is old.
    case pass(days: Int)
    /// Authors are told what is new.
    case report
    case reopen(VillageMachine)
    case kill(VillageMachine)
    /// Lines that are dead without the node's knowledge carry what was on its way, and end.
    case late
}

/// What happened, for the summary.
package struct VillageCounts: Hashable, Sendable {
    package var crashes = 0
    package var faults = 0
    package var cuts = 0
    package var written = 0
    package var accepted = 0
    package var fetched = 0
    package var confirmed = 0
    package var refused = 0
    package var resent = 0
    /// Letters of which a reader was told that they expired, and copies of which an author was told.
    package var expired = 0
    package var told = 0
    /// Copies that were handed on after they had been held.
    package var held = 0
    /// Records that compaction has moved, and changes of the root.
    package var moved = 0
    package var rotations = 0
    /// Changing operations of all disks.
    package var operations = 0

    package init() {}

    mutating func add(_ other: VillageCounts) {
        crashes += other.crashes
        faults += other.faults
        cuts += other.cuts
        written += other.written
        accepted += other.accepted
        fetched += other.fetched
        confirmed += other.confirmed
        refused += other.refused
        resent += other.resent
        expired += other.expired
        told += other.told
        held += other.held
        moved += other.moved
        rotations += other.rotations
        operations += other.operations
    }
}

/// Octets that went over a line each way.
struct ConnectionOctets: Hashable, Sendable {
    var submissionToNode = 0
    var submissionToAgent = 0
    var retrievalToNode = 0
    var retrievalToAgent = 0
}
