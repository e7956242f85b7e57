// The table's rows by conversation. Which belong together, Threader says; here is what it is told, and how threads are found.

import DDSMail

struct ThreadMembers: Sendable {
    /// The threads' rows, one thread after the other.
    private let rows: [SummaryTable.Place]
    /// Where each thread begins in `rows`, and the end.
    private let starts: [Int32]
    /// By place; negative where there is no message.
    private let threadOf: [Int32]
    /// The groups that threads have; nil for private mail.
    let groups: [String?]
    /// By thread: its group's place in `groups`.
    let groupOf: [Int]

    /// A thread never spans two groups: a message that was forwarded into another group begins anew there, since other people
    /// read it. Threads come by their newest message, latest first.
    init(_ table: SummaryTable) {
        var names = GroupNames()
        var groupOfRow = [Int32](repeating: 0, count: table.placesEnd)
        var threader = Threader(count: table.placesEnd)
        let all = Array(table.all)
        for place in all {
            let head = table.head(place)
            let chunk = table.chunks[place.chunk]
            let group = names.number(of: head.group.map { chunk.text($0) })
            groupOfRow[place.number] = group
            threader.add(
                place.rawValue, names: head.names.lazy.map { Self.hash(group, chunk.bytes[$0]) },
                subject: head.subjectKey == 0 ? 0 : Self.hash(group, head.subjectKey), isOrphan: head.isOrphan)
        }
        threader.joinOrphans { all.map { (table.head($0).date, $0.rawValue) } }
        var threadOf = [Int32](repeating: -1, count: table.placesEnd)
        var counts: [Int32] = []
        var groupOf: [Int] = []
        for place in all.reversed() {
            let root = threader.root(place.rawValue)
            if threadOf[Int(root)] < 0 {
                threadOf[Int(root)] = Int32(counts.count)
                counts.append(0)
                groupOf.append(Int(groupOfRow[Int(root)]))
            }
            threadOf[place.number] = threadOf[Int(root)]
            counts[Int(threadOf[place.number])] += 1
        }
        var starts: [Int32] = [0]
        for count in counts { starts.append(starts[starts.count - 1] + count) }
        var next = starts
        var rows = [SummaryTable.Place](repeating: SummaryTable.Place(0), count: all.count)
        for place in all {
            let thread = Int(threadOf[place.number])
            rows[Int(next[thread])] = place
            next[thread] += 1
        }
        self.rows = rows
        self.starts = starts
        self.threadOf = threadOf
        self.groupOf = groupOf
        groups = names.all
    }

    var numbers: Range<Int> { 0..<starts.count - 1 }

    /// In order of arrival.
    func places(of thread: Int) -> ArraySlice<SummaryTable.Place> { rows[Int(starts[thread])..<Int(starts[thread + 1])] }

    func thread(of place: SummaryTable.Place) -> Int? {
        place.number < threadOf.count && threadOf[place.number] >= 0 ? Int(threadOf[place.number]) : nil
    }

    /// Of something in a group; different in each process, so that nobody can aim at a collision.
    private static func hash(_ group: Int32, _ bytes: ArraySlice<UInt8>) -> Int {
        var hasher = Hasher()
        hasher.combine(group)
        hasher.combine(bytes: bytes)
        return hasher.finalize()
    }

    private static func hash(_ group: Int32, _ key: UInt64) -> Int {
        var hasher = Hasher()
        hasher.combine(group)
        hasher.combine(key)
        return hasher.finalize()
    }

    /// Groups by small numbers.
    private struct GroupNames {
        private(set) var all: [String?] = []
        private var numbers: [String?: Int32] = [:]

        mutating func number(of group: String?) -> Int32 {
            if let known = numbers[group] { return known }
            numbers[group] = Int32(all.count)
            all.append(group)
            return Int32(all.count - 1)
        }
    }
}
