// Which rows belong to one conversation: by the messages that they name, and by subject only where a reply names none. The rules
// are Threader's; this is the same over the table's octets, for a hundred thousand messages at once.

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
        var joining = Joining(table)
        for place in table.all { joining.add(place) }
        joining.joinOrphans()
        var threadOf = [Int32](repeating: -1, count: table.placesEnd)
        var counts: [Int32] = []
        var groupOf: [Int] = []
        let all = Array(table.all)
        for place in all.reversed() {
            let root = joining.root(place.rawValue)
            if threadOf[Int(root)] < 0 {
                threadOf[Int(root)] = Int32(counts.count)
                counts.append(0)
                groupOf.append(Int(joining.groupOf[Int(root)]))
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
        groups = joining.groups
    }

    var numbers: Range<Int> { 0..<starts.count - 1 }

    /// In order of arrival.
    func places(of thread: Int) -> ArraySlice<SummaryTable.Place> { rows[Int(starts[thread])..<Int(starts[thread + 1])] }

    func thread(of place: SummaryTable.Place) -> Int? {
        place.number < threadOf.count && threadOf[place.number] >= 0 ? Int(threadOf[place.number]) : nil
    }

    /// Rows on their way to threads: sets that grow into one another.
    private struct Joining {
        private let table: SummaryTable
        private var parents: [Int32]
        /// Who named a message first, by a hash of its id and the group.
        private var holders: [Int: Int32] = [:]
        private var orphans: Set<Int32> = []
        private var subjects: [UInt64]
        private(set) var groups: [String?] = []
        private var numberOfGroup: [String?: Int32] = [:]
        private(set) var groupOf: [Int32]

        init(_ table: SummaryTable) {
            self.table = table
            parents = (0..<Int32(table.placesEnd)).map { $0 }
            subjects = [UInt64](repeating: 0, count: table.placesEnd)
            groupOf = [Int32](repeating: 0, count: table.placesEnd)
            holders.reserveCapacity(table.count * 2)
        }

        mutating func add(_ place: SummaryTable.Place) {
            let head = table.head(place)
            let chunk = table.chunks[place.chunk]
            let group = number(of: head.group.map { chunk.text($0) })
            groupOf[place.number] = group
            subjects[place.number] = head.subjectKey
            if head.isOrphan { orphans.insert(place.rawValue) }
            for name in head.names {
                var hasher = Hasher()
                hasher.combine(group)
                hasher.combine(bytes: chunk.bytes[name])
                let hash = hasher.finalize()
                if let holder = holders[hash] { join(place.rawValue, holder) } else { holders[hash] = place.rawValue }
            }
        }

        private mutating func number(of group: String?) -> Int32 {
            if let known = numberOfGroup[group] { return known }
            let number = Int32(groups.count)
            groups.append(group)
            numberOfGroup[group] = number
            return number
        }

        /// A reply that names no message goes to the latest earlier message of its subject, by the authors' dates.
        mutating func joinOrphans() {
            guard !orphans.isEmpty else { return }
            struct Subject: Hashable {
                var group: Int32
                var key: UInt64
            }
            var latest: [Subject: Int32] = [:]
            let dated = table.all.map { (date: table.head($0).date, place: $0) }.sorted { ($0.date, $0.place) < ($1.date, $1.place) }
            for (_, place) in dated where subjects[place.number] != 0 {
                let subject = Subject(group: groupOf[place.number], key: subjects[place.number])
                if orphans.contains(place.rawValue), let earlier = latest[subject] { join(place.rawValue, earlier) }
                latest[subject] = place.rawValue
            }
        }

        mutating func root(_ element: Int32) -> Int32 {
            var element = element
            while parents[Int(element)] != element {
                parents[Int(element)] = parents[Int(parents[Int(element)])]
                element = parents[Int(element)]
            }
            return element
        }

        private mutating func join(_ left: Int32, _ right: Int32) {
            let (left, right) = (root(left), root(right))
            parents[Int(max(left, right))] = min(left, right)
        }
    }
}
