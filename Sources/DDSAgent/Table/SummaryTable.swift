// Every message of the store as a row, in order of arrival: what an unlocked agent keeps of a hundred thousand messages. A value;
// a copy is taken beside the loop while the store goes on.

import DDSCore
import DDSSpool

struct SummaryTable: Sendable {
    private(set) var chunks: [SummaryChunk] = []
    /// Rows by the ids of messages.
    private var places: [String: Place] = [:]
    /// Signed messages by a hash of author's key and submission id; looked at before it is believed.
    private var signed: [Int: Place] = [:]
    /// How many messages each group has that came in; of those without a group nothing is said.
    private(set) var received: [String: Int] = [:]
    /// By author, how many messages.
    private var authors: [String: Int] = [:]
    /// Of messages of the same size, the one that was added last, and of each the one that was added before it; -1 for none.
    /// What an import compares with. Those that are gone stay in here.
    private var newestOfSize: [Int64: Place] = [:]
    private var olderOfSize: [Int32] = []
    /// Of what is not in the trash.
    private(set) var unreadCount = 0
    private(set) var trashedCount = 0
    /// Grows whenever a message comes or goes, and not with what becomes of it.
    private(set) var membership = 0
    /// Grows with every change.
    private(set) var version = 0

    /// A row's number. It stays while the table is open.
    struct Place: Hashable, Comparable, Sendable {
        var rawValue: Int32

        init(chunk: Int, row: Int) { rawValue = Int32(chunk * SummaryChunk.rowsMax + row) }
        init(_ number: Int) { rawValue = Int32(number) }

        var number: Int { Int(rawValue) }
        var chunk: Int { number / SummaryChunk.rowsMax }
        var row: Int { number % SummaryChunk.rowsMax }

        static func < (left: Place, right: Place) -> Bool { left.rawValue < right.rawValue }
    }

    init() {}

    /// The rows of `chunks`, which come in order of arrival.
    init(_ chunks: [SummaryChunk]) {
        self.chunks = chunks
        places.reserveCapacity(chunks.reduce(0) { $0 + $1.count })
        for (index, chunk) in chunks.enumerated() {
            for row in 0..<chunk.count where chunk.marks[row] != .gone {
                noteAdded(Place(chunk: index, row: row))
            }
        }
    }

    /// Messages in the table.
    var count: Int { places.count }
    var isEmpty: Bool { places.isEmpty }
    /// Everybody who has written something that is here.
    var people: [String] { authors.filter { $0.value > 0 }.map(\.key) }

    /// Numbers that places can have.
    var placesEnd: Int { chunks.count * SummaryChunk.rowsMax }

    /// Every message, oldest first.
    var all: some Sequence<Place> {
        chunks.indices.lazy.flatMap { index in
            chunks[index].marks.indices.lazy.filter { chunks[index].marks[$0] != .gone }.map { Place(chunk: index, row: $0) }
        }
    }

    func place(_ id: String) -> Place? { places[id] }

    func contains(_ id: String) -> Bool { places[id] != nil }

    subscript(id: String) -> MessageStore.Item? { places[id].map { item($0) } }

    func item(_ place: Place) -> MessageStore.Item {
        let chunk = chunks[place.chunk]
        return MessageStore.Item(
            summary: summary(place), summaryRecord: SpoolUID(rawValue: chunk.summaryRecords[place.row]),
            messageRecord: SpoolUID(rawValue: chunk.messageRecords[place.row]))
    }

    func summary(_ place: Place) -> StoredSummary {
        guard let summary = chunks[place.chunk].summary(place.row) else {
            preconditionFailure("a row was written by us, or checked when it was read")
        }
        return summary
    }

    func head(_ place: Place) -> SummaryCodec.Head {
        guard let head = chunks[place.chunk].head(place.row) else {
            preconditionFailure("a row was written by us, or checked when it was read")
        }
        return head
    }

    func marks(_ place: Place) -> RowMarks { chunks[place.chunk].marks[place.row] }

    func id(_ place: Place) -> String { chunks[place.chunk].text(head(place).id) }

    func group(_ place: Place) -> String? { head(place).group.map { chunks[place.chunk].text($0) } }

    /// When it came in, milliseconds since 1970.
    func received(_ place: Place) -> Int64 {
        let chunk = chunks[place.chunk]
        return SummaryCodec.received(chunk.bytes, chunk.spans[place.row].range)
    }

    /// The message's number in its folder, see `StoredSummary.folderNumber`.
    func folderNumber(_ place: Place) -> UInt64 {
        let chunk = chunks[place.chunk]
        return StoredSummary.number(
            SummaryCodec.folderNumber(chunk.bytes, chunk.spans[place.row].range), messageRecord: chunk.messageRecords[place.row],
            summaryRecord: chunk.summaryRecords[place.row])
    }

    /// Nil where it is not known yet.
    func givenSize(_ place: Place) -> Int? {
        let chunk = chunks[place.chunk]
        return SummaryCodec.givenSize(chunk.bytes, chunk.spans[place.row].range)
    }

    func summaryRecord(_ place: Place) -> SpoolUID { SpoolUID(rawValue: chunks[place.chunk].summaryRecords[place.row]) }

    func messageRecord(_ place: Place) -> SpoolUID { SpoolUID(rawValue: chunks[place.chunk].messageRecords[place.row]) }

    /// The message with that record; nil when it is not here. Rows are in order of their records.
    func place(of record: SpoolUID) -> Place? {
        let chunk = chunks.partition { ($0.messageRecords.last ?? 0) >= record.rawValue }
        guard chunk < chunks.count else { return nil }
        let records = chunks[chunk].messageRecords
        let row = records.partition { $0 >= record.rawValue }
        guard row < records.count, records[row] == record.rawValue, chunks[chunk].marks[row] != .gone else { return nil }
        return Place(chunk: chunk, row: row)
    }

    /// The record of the message that came last, of those that have ever been here; 0 for none.
    var newestRecord: UInt64 { chunks.last?.messageRecords.last ?? 0 }

    /// What came after the message of that record, oldest first.
    func arrived(after record: UInt64) -> [Place] {
        var found: [Place] = []
        for (index, chunk) in chunks.enumerated().reversed() {
            for row in (0..<chunk.count).reversed() {
                guard chunk.messageRecords[row] > record else { return found.reversed() }
                if chunk.marks[row] != .gone { found.append(Place(chunk: index, row: row)) }
            }
        }
        return found.reversed()
    }

    /// The messages that this person wrote, oldest first.
    var own: [StoredSummary] { all.filter { marks($0).contains(.own) }.map { summary($0) } }

    /// Messages of so many octets, written by this person or not.
    func ids(ofSize size: Int, own: Bool) -> [String] {
        var found: [String] = []
        var next = newestOfSize[Int64(size)]
        while let place = next {
            let marks = marks(place)
            if marks != .gone, marks.contains(.own) == own { found.append(id(place)) }
            let older = olderOfSize[place.number]
            next = older < 0 ? nil : Place(Int(older))
        }
        return found
    }

    /// The message of an author's key that has this submission id; nil when it is not here.
    func message(signedBy key: String, as submission: String) -> Trust.Seen? {
        guard let raw = Hex.decode(key), let place = signed[Self.name(raw, Array(submission.utf8))] else { return nil }
        let summary = summary(place)
        guard let signature = summary.signature, signature.key == key, signature.submission == submission,
            let digest = signature.digest
        else { return nil }
        return Trust.Seen(id: summary.id, digest: digest, isOwn: summary.isOwn)
    }

    // MARK: Changes

    /// Adds a message, or puts its new state in the place of the old. Returns the number of the chunk that has it.
    @discardableResult
    mutating func put(_ summary: StoredSummary, messageRecord: SpoolUID, summaryRecord: SpoolUID) -> Int {
        version += 1
        let bytes = SummaryCodec.encode(summary)
        let marks = RowMarks(summary)
        if let place = places[summary.id] {
            noteGone(place)
            chunks[place.chunk].replace(place.row, by: bytes, marks: marks, summaryRecord: summaryRecord.rawValue)
            noteThere(place)
            return place.chunk
        }
        if chunks.last?.isFull ?? true { chunks.append(SummaryChunk()) }
        let last = chunks.count - 1
        chunks[last].append(
            bytes, marks: marks, messageRecord: messageRecord.rawValue, summaryRecord: summaryRecord.rawValue)
        noteAdded(Place(chunk: last, row: chunks[last].count - 1))
        return last
    }

    mutating func remove(_ id: String) {
        guard let place = places.removeValue(forKey: id) else { return }
        noteGone(place)
        chunks[place.chunk].remove(place.row)
        membership += 1
        version += 1
    }

    private mutating func noteAdded(_ place: Place) {
        places[id(place)] = place
        membership += 1
        noteThere(place)
        noteSize(place)
    }

    private mutating func noteSize(_ place: Place) {
        let chunk = chunks[place.chunk]
        let size = SummaryCodec.size(chunk.bytes, chunk.spans[place.row].range)
        let older = newestOfSize.updateValue(place, forKey: size)
        let missing = place.number - olderOfSize.count
        if missing > 0 { olderOfSize += Array(repeating: -1, count: missing) }
        olderOfSize.append(older?.rawValue ?? -1)
    }

    private mutating func noteThere(_ place: Place) { note(place, 1) }
    private mutating func noteGone(_ place: Place) { note(place, -1) }

    private mutating func note(_ place: Place, _ count: Int) {
        let chunk = chunks[place.chunk]
        let marks = chunk.marks[place.row]
        let head = head(place)
        if marks.contains(.trashed) { trashedCount += count } else if marks.contains(.unread) { unreadCount += count }
        authors[chunk.text(head.author), default: 0] += count
        if !marks.contains(.own), let group = head.group { received[chunk.text(group), default: 0] += count }
        guard let signer = head.signer else { return }
        let name = Self.name(chunk.bytes[signer.key], chunk.bytes[signer.submission])
        if count > 0 { signed[name] = place } else if signed[name] == place { signed[name] = nil }
    }

    /// Different in each process, so that nobody can aim at a collision.
    private static func name(_ key: some Collection<UInt8>, _ submission: some Collection<UInt8>) -> Int {
        var hasher = Hasher()
        hasher.combine(bytes: key)
        hasher.combine(bytes: submission)
        return hasher.finalize()
    }
}

extension Array {
    /// Where the first element stands of which `holds` says so, as of all behind it; the end when there is none.
    func partition(_ holds: (Element) -> Bool) -> Int {
        var (low, high) = (0, count)
        while low < high {
            let middle = (low + high) / 2
            if holds(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}

extension Hasher {
    /// The octets and how many they are.
    mutating func combine(bytes: some Collection<UInt8>) {
        combine(bytes.count)
        let isDone: Void? = bytes.withContiguousStorageIfAvailable { buffer in
            // The hasher reads the buffer and keeps nothing of it.
            unsafe combine(bytes: UnsafeRawBufferPointer(buffer))
        }
        if isDone == nil { for byte in bytes { combine(byte) } }
    }
}
