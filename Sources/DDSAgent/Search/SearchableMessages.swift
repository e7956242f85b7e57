// What searching needs to know of the local store, at one moment. Nothing else of the search looks into the store.

import DDSLoop
import DDSMail
import DDSNode
import DDSSearch
import DDSSpool

/// Messages in order of arrival, by their places. Free to use beside the loop.
struct SearchableMessages: Sendable {
    private let items: [String: MessageStore.Item]
    private let order: [String]

    @LoopActor init(_ store: MessageStore) {
        items = store.items
        order = store.order
    }

    var count: Int { order.count }

    func summary(at place: Int) -> StoredSummary? { items[order[place]]?.summary }

    /// What the index calls a message: it grows with the arrival and stays.
    func number(at place: Int) -> UInt64 { items[order[place]].map(Self.number) ?? 0 }

    /// All of them, in ascending order.
    var numbers: [UInt64] { order.compactMap { items[$0].map(Self.number) } }

    static func number(_ item: MessageStore.Item) -> UInt64 { item.messageRecord.rawValue }

    func facts(at place: Int) -> SearchFacts? {
        summary(at: place).map { summary in
            SearchFacts(
                group: summary.group, date: summary.isOwn ? summary.received / 1000 : summary.date, isOwn: summary.isOwn,
                isUnread: summary.isUnread, isStarred: summary.isStarred == true, isArchived: summary.isArchived == true,
                isMuted: summary.isMuted == true, hasAttachments: summary.hasAttachments)
        }
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
        var (low, high) = (0, count)
        while low < high {
            let middle = (low + high) / 2
            if self.number(at: middle) < number { low = middle + 1 } else { high = middle }
        }
        return low < count && self.number(at: low) == number ? low : nil
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
