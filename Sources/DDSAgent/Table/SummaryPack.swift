// A chunk of the table as one record of the spool, so that unlocking a hundred thousand messages opens a hundred records. It saves
// work and nothing else: each row counts only while the records that it speaks of are there, and what no pack has is read from its
// own record.

import DDSSpool

struct SummaryPack: Sendable {
    /// Raised with every change of `SummaryCodec`: packs of another version are made anew.
    static let version: UInt8 = 2
    private static let columnBytes = 2 + 8 + 8 + 4

    /// In order of arrival, none gone.
    let chunk: SummaryChunk

    /// What `chunk` looks like on disk.
    static func bytes(_ chunk: SummaryChunk) -> [UInt8] {
        let rows = (0..<chunk.count).filter { chunk.marks[$0] != .gone }
        var writer = SummaryWriter()
        writer.fixed(version)
        writer.fixed(UInt32(rows.count))
        for row in rows {
            writer.fixed(chunk.marks[row].rawValue)
            writer.fixed(chunk.messageRecords[row])
            writer.fixed(chunk.summaryRecords[row])
            writer.fixed(chunk.spans[row].count)
        }
        return rows.reduce(into: writer.bytes) { $0 += chunk.bytes[chunk.spans[$1].range] }
    }

    /// Nil for a pack of another version, or one that is none.
    init?(_ bytes: [UInt8]) {
        var reader = SummaryReader(bytes, 0..<bytes.count)
        guard reader.fixed(UInt8.self) == Self.version else { return nil }
        let count = Int(reader.fixed(UInt32.self))
        guard count > 0, count <= SummaryChunk.rowsMax, bytes.count >= reader.place + count * Self.columnBytes else { return nil }
        var (marks, messages, summaries, spans) = ([RowMarks](), [UInt64](), [UInt64](), [SummaryChunk.Span]())
        var start = reader.place + count * Self.columnBytes
        for _ in 0..<count {
            marks.append(RowMarks(rawValue: reader.fixed()))
            messages.append(reader.fixed())
            summaries.append(reader.fixed())
            let range = start..<start + Int(reader.fixed(UInt32.self))
            guard range.upperBound <= bytes.count, marks.last != .gone, SummaryCodec.isWhole(bytes, range) else { return nil }
            spans.append(SummaryChunk.Span(range))
            start = range.upperBound
        }
        guard start == bytes.count, zip(messages, messages.dropFirst()).allSatisfy({ $0 < $1 }) else { return nil }
        chunk = SummaryChunk(
            bytes: bytes, spans: spans, marks: marks, messageRecords: messages, summaryRecords: summaries)
    }

    var first: UInt64 { chunk.messageRecords[0] }
    var last: UInt64 { chunk.messageRecords[chunk.count - 1] }
}

/// What of the packs on disk still counts, found out by the records that are there.
struct PackSelection: Sendable {
    /// A pack, and which of its rows count.
    struct Part: Sendable {
        var record: SpoolUID
        var pack: SummaryPack
        var rows: [Int]
    }

    /// In order of arrival.
    private(set) var parts: [Part] = []
    /// Packs to be erased: of nothing, of what another says too, or of a message that is gone, of which nothing may stay.
    private(set) var leftovers: [SpoolUID] = []
    /// Summaries that no pack speaks for, in order.
    private(set) var summaries: [SpoolEntry] = []

    /// Entries come in ascending order of their records. Nil stands for a pack that does not open.
    init(_ packs: [(record: SpoolUID, pack: SummaryPack?)], messages: [SpoolEntry], summaries: [SpoolEntry]) {
        var isSummaryKnown = [Bool](repeating: false, count: summaries.count)
        var end: UInt64 = 0
        // Of two of the same rows, which a crash leaves, the newer counts.
        let sorted = packs.compactMap { packed in packed.pack.map { (packed.record, $0) } }
            .sorted { ($0.1.first, $1.0.rawValue) < ($1.1.first, $0.0.rawValue) }
        leftovers = packs.filter { $0.pack == nil }.map(\.record)
        for (record, pack) in sorted {
            guard pack.first > end else {
                leftovers.append(record)
                continue
            }
            var rows: [Int] = []
            var isOfLost = false
            for row in 0..<pack.chunk.count {
                guard Self.place(of: pack.chunk.messageRecords[row], in: messages) != nil else {
                    isOfLost = true
                    continue
                }
                guard let summary = Self.place(of: pack.chunk.summaryRecords[row], in: summaries) else { continue }
                isSummaryKnown[summary] = true
                rows.append(row)
            }
            if isOfLost { leftovers.append(record) }
            guard !rows.isEmpty else {
                if !isOfLost { leftovers.append(record) }
                continue
            }
            end = pack.last
            parts.append(Part(record: record, pack: pack, rows: rows))
        }
        self.summaries = summaries.indices.filter { !isSummaryKnown[$0] }.map { summaries[$0] }
    }

    private static func place(of record: UInt64, in entries: [SpoolEntry]) -> Int? {
        let place = entries.partition { $0.uid.rawValue >= record }
        return place < entries.count && entries[place].uid.rawValue == record ? place : nil
    }
}
