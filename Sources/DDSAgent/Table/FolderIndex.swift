// The table's rows by folder, in order of their numbers there: what mail programs look at. Made anew for each version of the
// table beside the loop; what is taken over from the last one is which group each row is of, since finding that out takes the
// longest.

import DDSSpool

struct FolderIndex: Sendable {
    /// One folder.
    struct Rows: Hashable, Sendable {
        /// Ascending (RFC 9051 section 2.3.1.1).
        fileprivate(set) var numbers: [UInt32] = []
        fileprivate(set) var places: [SummaryTable.Place] = []
        /// Of each row when it was changed last: the number of its summary's record (RFC 7162 section 3.1.1).
        fileprivate(set) var changes: [UInt64] = []
        /// Those of which it is not known how long they are given out, see `GivenSizes`.
        fileprivate(set) var unsized: [SummaryTable.Place] = []
        /// How many messages have numbers that do not fit into 32 bits: mail programs cannot be told of them.
        fileprivate(set) var unnumbered = 0

        var count: Int { numbers.count }

        /// Where the row with that number stands; nil when it is not here.
        func row(_ number: UInt32) -> Int? {
            let row = numbers.partition { $0 >= number }
            return row < numbers.count && numbers[row] == number ? row : nil
        }

        fileprivate mutating func append(_ place: SummaryTable.Place, of table: SummaryTable) {
            let number = table.folderNumber(place)
            guard let number = UInt32(exactly: number) else {
                unnumbered += 1
                return
            }
            numbers.append(number)
            places.append(place)
            changes.append(table.summaryRecord(place).rawValue)
            if table.givenSize(place) == nil { unsized.append(place) }
        }

        /// Most rows come in order; those that were moved may not.
        fileprivate mutating func sort() {
            guard zip(numbers, numbers.dropFirst()).contains(where: { $0 > $1 }) else { return }
            let order = numbers.indices.sorted { numbers[$0] < numbers[$1] }
            numbers = order.map { numbers[$0] }
            places = order.map { places[$0] }
            changes = order.map { changes[$0] }
        }
    }

    let table: SummaryTable
    private let rows: [Rows]
    private let groups: [String: Int]
    /// By place: 0 for private mail, else one more than the group's number; negative where that was not looked at.
    private let groupOf: [Int32]

    private enum Shelf {
        static let inbox = 0
        static let sent = 1
        static let outbox = 2
        static let archive = 3
        static let trash = 4
        static let groups = 5
    }

    /// `before` is of an earlier version of the same table: a message's group does not change, and a place is never another's.
    init(_ table: SummaryTable, before: FolderIndex? = nil) {
        self.table = table
        var groups = before?.groups ?? [:]
        var groupOf = before?.groupOf ?? []
        groupOf += repeatElement(-1, count: max(0, table.placesEnd - groupOf.count))
        var rows = [Rows](repeating: Rows(), count: Shelf.groups + groups.count)
        for place in table.all {
            let marks = table.marks(place)
            var shelf = Shelf.inbox
            if marks.contains(.trashed) {
                shelf = Shelf.trash
            } else if marks.contains(.own) {
                shelf = marks.contains(.unsent) ? Shelf.outbox : Shelf.sent
            } else if marks.contains(.archived) {
                shelf = Shelf.archive
            } else {
                if groupOf[place.number] < 0 {
                    groupOf[place.number] = Int32(table.group(place).map { Self.number(of: $0, &groups) + 1 } ?? 0)
                }
                if groupOf[place.number] > 0 { shelf = Shelf.groups + Int(groupOf[place.number]) - 1 }
                while rows.count <= shelf { rows.append(Rows()) }
            }
            rows[shelf].append(place, of: table)
        }
        for shelf in rows.indices { rows[shelf].sort() }
        self.rows = rows
        self.groups = groups
        self.groupOf = groupOf
    }

    private static func number(of group: String, _ groups: inout [String: Int]) -> Int {
        if let known = groups[group] { return known }
        groups[group] = groups.count
        return groups.count - 1
    }

    /// Empty for a group that no mail has come for.
    func rows(of folder: MailFolder) -> Rows {
        switch folder {
        case .inbox: rows[Shelf.inbox]
        case .sent: rows[Shelf.sent]
        case .outbox: rows[Shelf.outbox]
        case .archive: rows[Shelf.archive]
        case .trash: rows[Shelf.trash]
        case .group(let name): groups[name].map { rows[Shelf.groups + $0] } ?? Rows()
        }
    }
}
