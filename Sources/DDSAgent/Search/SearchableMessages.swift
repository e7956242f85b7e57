// What searching needs to know of the local store, at one moment. Nothing else of the search looks into the store.

import DDSLoop
import DDSMail
import DDSNode
import DDSSearch
import DDSSpool

/// Messages in order of arrival, by their places. Free to use beside the loop.
struct SearchableMessages: Sendable {
    private let table: SummaryTable
    private let rows: [SummaryTable.Place]

    @LoopActor init(_ store: MessageStore) {
        table = store.items
        rows = Array(table.all)
    }

    var count: Int { rows.count }
    var hasTrash: Bool { table.trashedCount > 0 }

    func summary(at place: Int) -> StoredSummary { table.summary(rows[place]) }

    func id(at place: Int) -> String { table.id(rows[place]) }

    /// What the index calls a message: it grows with the arrival and stays.
    func number(at place: Int) -> UInt64 { table.messageRecord(rows[place]).rawValue }

    /// All of them, in ascending order.
    var numbers: [UInt64] { rows.map { table.messageRecord($0).rawValue } }

    static func number(_ item: MessageStore.Item) -> UInt64 { item.messageRecord.rawValue }

    func facts(at place: Int) -> SearchFacts {
        let row = rows[place]
        let (head, marks) = (table.head(row), table.marks(row))
        let isOwn = marks.contains(.own)
        return SearchFacts(
            group: table.group(row), date: isOwn ? head.received / 1000 : head.date, isOwn: isOwn,
            isUnread: marks.contains(.unread), isStarred: marks.contains(.starred), isArchived: marks.contains(.archived),
            isMuted: marks.contains(.muted), isTrashed: marks.contains(.trashed), hasAttachments: marks.contains(.files))
    }

    /// The places of messages that are there; `numbers` are in descending order, and so are the places.
    func places(of numbers: [UInt64]) -> [Int] {
        // Few are looked up, many are met on the way.
        guard numbers.count * 16 > count else { return numbers.compactMap(place) }
        var found: [Int] = []
        found.reserveCapacity(numbers.count)
        var place = count - 1
        for number in numbers {
            while place >= 0, self.number(at: place) > number { place -= 1 }
            if place >= 0, self.number(at: place) == number { found.append(place) }
        }
        return found
    }

    private func place(of number: UInt64) -> Int? {
        let place = rows.partition { table.messageRecord($0).rawValue >= number }
        return place < count && self.number(at: place) == number ? place : nil
    }

    /// A message as it is indexed; without its bytes, which cannot be read, what the list shows of it.
    static func document(_ number: UInt64, _ summary: StoredSummary, _ message: [UInt8]?) -> SearchDocument {
        let parsed = message.map { ParsedMessage(SignedMessage.inner(of: $0)) }
        // The parts for programs of what the node wrote are no files for people.
        let files = summary.isFromNode == true ? [] : (parsed?.attachments ?? []).map(\.fileName.text)
        return SearchDocument(
            number: number, subject: summary.subject, from: [summary.fromName, summary.fromAddress],
            to: summary.recipients + ((parsed?.to ?? []) + (parsed?.cc ?? [])).map(\.name.text)
                + (summary.group.map { [$0] } ?? []), body: parsed?.bestPlainText ?? "", files: files)
    }
}
