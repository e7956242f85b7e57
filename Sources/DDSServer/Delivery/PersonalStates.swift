// What an author is told of each member, where members have several devices with a copy each: one state, and `fetched` only when no
// copy of theirs is left at the node.

import DDSCore
import DDSNode
import DDSSpool

enum PersonalStates {
    /// Of one member.
    struct Line: Hashable, Sendable {
        var copy: MessageRecord.Copy
        var state: CopyState
    }

    /// In the order of the record. What the author's own other devices get is no news to the author.
    static func lines(of record: MessageRecord, _ states: [CopyState], authorUsesKey: Bool) -> [Line] {
        var places: [String: Int] = [:]
        var lines: [Line] = []
        for (copy, state) in zip(record.copies, states) {
            if authorUsesKey, copy.member == record.author, !record.destinations.contains(record.author) { continue }
            guard let place = places[copy.member] else {
                places[copy.member] = lines.count
                lines.append(Line(copy: copy, state: state))
                continue
            }
            if rank(state) < rank(lines[place].state) { lines[place] = Line(copy: copy, state: state) }
        }
        return lines
    }

    /// What is left at the node counts first, then that somebody has it.
    private static func rank(_ state: CopyState) -> Int {
        switch state {
        case .waiting: 0
        case .held: 1
        case .fetched: 2
        case .expired: 3
        case .lost: 4
        case .removed: 5
        case .unsealed: 6
        }
    }
}
