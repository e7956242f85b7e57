// What an administrator sees and does of messages under way: which copies wait or are held and why, and moving or erasing them by
// hand. Nothing of a message can be read here; the node has no key to what waits.

import DDSCore
import DDSLoop
import DDSNode
import DDSSpool
import Logging

@LoopActor final class QueueDesk {
    /// A message of which copies wait or are held.
    struct Entry: Sendable {
        var id: RecordTag
        var record: MessageRecord
        var states: [CopyState]
        var causes: [UInt64: HoldCause]
    }

    private static var slice: Int { 20_000 }

    private let delivery: DeliveryService
    private let store: DirectoryStore
    private let spool: any SpoolEngine
    private let book: MaildropBook

    init(delivery: DeliveryService, store: DirectoryStore, spool: any SpoolEngine, book: MaildropBook) {
        self.delivery = delivery
        self.store = store
        self.spool = spool
        self.book = book
    }

    private var ledger: MessageLedger { delivery.ledger }
    private var held: HeldQueue { delivery.held }

    // MARK: Looking

    /// Messages of which something waits or is held, oldest first; with `member`, those of that member only.
    func entries(member: Account? = nil) async throws(SpoolError) -> [Entry] {
        var ids = Array(ledger.lines.keys)
        if let member {
            let mailboxes = Set(member.perDevice.map(\.mailbox))
            var tags = Set(held.items.values.filter { mailboxes.contains($0.member) }.map(\.id))
            for mailbox in mailboxes { tags.formUnion(try await spool.entries(in: MailboxID(rawValue: mailbox)).map(\.tag)) }
            ids = tags.filter { ledger.lines[$0] != nil }
        }
        return try await entries(ids: ids)
    }

    /// Those of `ids` of which something waits or is held, oldest first.
    func entries(ids: [RecordTag]) async throws(SpoolError) -> [Entry] {
        var entries: [(uid: SpoolUID, entry: Entry)] = []
        for start in stride(from: 0, to: ids.count, by: Self.slice) {
            let part = ids[start..<min(start + Self.slice, ids.count)]
            try await ledger.gate.pass { [self] () throws(SpoolError) in
                let pages = try await ledger.pages(part)
                let places = try await ledger.places(of: pages, held: held.causes)
                for page in pages {
                    let here = places[page.id] ?? CopyPlaces()
                    let states = page.record.copies.map { page.record.state(of: $0, here) }
                    guard states.contains(where: { !$0.isFinal }) else { continue }
                    entries.append((page.uid, Entry(id: page.id, record: page.record, states: states, causes: here.held)))
                }
            }
        }
        return entries.sorted { $0.uid < $1.uid }.map(\.entry)
    }

    /// The message that these hexadecimal digits name: the whole id or its beginning.
    func id(_ text: String) throws(Failure) -> RecordTag {
        let digits = text.lowercased()
        guard (4...32).contains(digits.utf8.count), digits.allSatisfy({ $0.isHexDigit }) else {
            throw Failure(.usage, "\"\(text)\" is no message's id; give at least 4 of its digits, see: ddsnode queue list")
        }
        let found = ledger.lines.keys.filter { Hex.encode($0.bytes).hasPrefix(digits) }
        guard let first = found.first else {
            throw Failure(.unknownName, "no message \(digits) waits or is held; see: ddsnode queue list")
        }
        guard found.count == 1 else { throw Failure(.usage, "\(found.count) messages begin with \(digits); give more digits") }
        return first
    }

    // MARK: Moving

    /// Tries again what is held of the message, or everything. Returns what became of each copy.
    func retry(_ id: RecordTag?) async throws(SpoolError) -> [(item: HeldQueue.Item, outcome: HeldQueue.Release)] {
        try await release(id, isForced: false)
    }

    /// Hands the held copies of a message on, whatever the administrator or the quota holds them for.
    func release(_ id: RecordTag) async throws(SpoolError) -> [(item: HeldQueue.Item, outcome: HeldQueue.Release)] {
        try await release(id, isForced: true)
    }

    private func release(_ id: RecordTag?, isForced: Bool) async throws(SpoolError) -> [(
        item: HeldQueue.Item, outcome: HeldQueue.Release
    )] {
        var outcomes: [(item: HeldQueue.Item, outcome: HeldQueue.Release)] = []
        for item in held.items.values.filter({ id == nil || $0.id == id }).sorted(by: { $0.uid < $1.uid }) {
            let outcome = try await held.release(item.uid, isForced: isForced)
            outcomes.append((held.items[item.uid] ?? item, outcome))
        }
        return outcomes
    }

    /// A member's copy in the maildrop or among the held ones.
    private struct Place {
        var entry: SpoolEntry
        var member: UInt64
        /// Of a held copy.
        var copy: HeldCopy?
    }

    /// Holds every copy that waits, and keeps from release what is held already. `busy` are members who have their maildrop open
    /// just now; their copies stay.
    func hold(_ id: RecordTag) async throws(SpoolError) -> (held: Int, busy: [String]) {
        try await work(on: id) { [self] page, places throws(SpoolError) in
            guard let payload = places.first?.entry.payload else { return 0 }
            var copies: [HeldCopy] = []
            for place in places {
                if var copy = place.copy {
                    copy.cause = .admin
                    copies.append(copy)
                } else {
                    let group = page.record.index(of: place.member).flatMap { page.record.group(of: page.record.copies[$0]) }
                    let header = try await spool.read(place.entry.uid, offset: 0, count: .max)
                    copies.append(HeldCopy(member: place.member, cause: .admin, sealing: .member, group: group, header: header))
                }
            }
            let body = try await spool.read(payload, offset: 0, count: .max)
            let stored = try await spool.commit(
                HeldCopy.holding(copies, id: id, payload: body, insteadOf: places.map(\.entry.uid)))
            gone(places)
            for (index, copy) in copies.enumerated() {
                held.stored(stored[index + 1], id, copy, day: places[index].entry.day, payload: stored[0])
            }
            return copies.count
        }
    }

    /// Erases every copy that waits or is held; the author sees it in the delivery state.
    func remove(_ id: RecordTag) async throws(SpoolError) -> (removed: Int, busy: [String]) {
        let (count, busy) = try await work(on: id) { [self] page, places throws(SpoolError) in
            var record = page.record
            for place in places {
                if let index = record.index(of: place.member) { record.copies[index].end = .removed }
            }
            let stored = try await spool.commit(
                SpoolTransaction(
                    appends: [record.append(id: id)], erasures: places.map(\.entry.uid) + [page.uid]))
            ledger.replaced(id, by: stored[0])
            gone(places)
            return places.count
        }
        return (count, busy)
    }

    private func gone(_ places: [Place]) {
        held.erased(places.filter { $0.copy != nil }.map(\.entry.uid))
        for place in places where place.copy == nil { delivery.erased([place.entry], from: place.entry.mailbox) }
    }

    /// Does `body` with every copy of the message that is at hand: those whose maildrop no session has open are kept to
    /// ourselves meanwhile.
    private func work(
        on id: RecordTag, _ body: @LoopActor (MessagePage, [Place]) async throws(SpoolError) -> Int
    ) async throws(SpoolError) -> (Int, busy: [String]) {
        var leased: [MailboxID] = []
        defer { for mailbox in leased { book.release(mailbox) } }
        var busy: [String] = []
        var count = 0
        try await ledger.gate.pass { [self] () throws(SpoolError) in
            guard let page = try await ledger.pages(CollectionOfOne(id)).first else { return }
            var places: [Place] = []
            for copy in page.record.copies where !copy.told.isFinal && copy.end == nil {
                let mailbox = MailboxID(rawValue: copy.mailbox)
                guard let entry = try await spool.entries(in: mailbox).first(where: { $0.tag == id }) else { continue }
                guard book.lease(mailbox) else {
                    busy.append(copy.member)
                    continue
                }
                leased.append(mailbox)
                places.append(Place(entry: entry, member: copy.mailbox))
            }
            for entry in try await spool.entries(in: HeldCopy.mailbox) where entry.tag == id {
                guard let copy = try await held.copy(entry.uid) else { continue }
                places.append(Place(entry: entry, member: copy.member, copy: copy))
            }
            guard !places.isEmpty else { return }
            count = try await body(page, places)
        }
        delivery.reports.noteChange(CollectionOfOne(id))
        return (count, busy)
    }
}
