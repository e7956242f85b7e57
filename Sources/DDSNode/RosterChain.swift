// Which roster may follow which, as a value: the next number, with the hash of the one before. What is wrong with another one is
// said exactly; what is done about it is the caller's affair. Who signed it was looked at before.

package import DDSCore

/// Why a roster is not taken.
package enum RosterRefusal: Error, Hashable, Sendable {
    /// It does not end where JSON ends.
    case truncated
    /// JSON, and no roster.
    case malformed
    case oversized
    case newerVersion(Int64)
    /// It is about this group.
    case wrongGroup(String)
    /// Those between the two did not come.
    case gap(known: UInt64, found: UInt64)
    /// It claims the place of a known one, or to follow one, and does not: the node has told others something else.
    case fork(UInt64)
    /// It came before.
    case replay(UInt64)

    /// A sentence without its full stop.
    package var words: String {
        switch self {
        case .truncated: "the roster is cut off"
        case .malformed: "it is no roster"
        case .oversized: "the roster is larger than any can be"
        case .newerVersion(let version): "the roster has version \(version), which this program does not know; update ddsnode"
        case .wrongGroup(let group): "the roster is about \(group)"
        case .gap(let known, let found): "roster \(found) follows \(known), and what is between them did not come"
        case .fork(let number):
            "roster \(number) does not fit to those before it: the node has told different members different things"
        case .replay(let number): "roster \(number) came before"
        }
    }
}

/// What is known of a group's rosters.
package struct RosterChain: Hashable, Sendable {
    package let group: MailAddress
    /// The last one that was taken; nil before the first.
    package private(set) var last: RosterHead?

    package init(group: MailAddress, last: RosterHead? = nil) {
        self.group = group
        self.last = last
    }

    /// Takes the next one. The first to come may have any number: who joins later is told the state as of then.
    package mutating func take(_ document: RosterDocument) throws(RosterRefusal) {
        try check(document)
        last = document.head
    }

    /// Throws for everything but the next one.
    package func check(_ document: RosterDocument) throws(RosterRefusal) {
        let roster = document.roster
        guard roster.group == group else { throw .wrongGroup("\(roster.group)") }
        guard let last else { return }
        if roster.number == last.number { throw document.hash == last.hash ? .replay(roster.number) : .fork(roster.number) }
        // What came before is not kept octet for octet, so an old one and one that never was look alike.
        if roster.number < last.number { throw .replay(roster.number) }
        guard roster.number == last.number + 1 else { throw .gap(known: last.number, found: roster.number) }
        guard roster.previous == last.hash else { throw .fork(roster.number) }
    }
}
