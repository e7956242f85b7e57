// Puts the table together from packs and from the summaries that no pack has, in order of arrival.

import DDSSpool

struct TableLoading: Sendable {
    /// A summary that was read from its own record.
    struct Loose: Sendable {
        var summary: StoredSummary
        var messageRecord: UInt64
        var summaryRecord: UInt64
    }

    private(set) var chunks: [SummaryChunk] = []
    /// Of each chunk, the record of the pack that it came from, and how many of its rows are not in that.
    private(set) var packs: [PackBook.Entry] = []
    /// Summaries of which there is a newer one.
    private(set) var leftovers: [SpoolUID] = []

    /// `loose` in any order. A pack of `selection.leftovers` is not named again.
    init(_ selection: PackSelection, _ loose: [Loose]) {
        var newest: [UInt64: Loose] = [:]
        for summary in loose.sorted(by: { $0.summaryRecord < $1.summaryRecord }) {
            // A crash between writing a summary anew and erasing the old one leaves both.
            if let older = newest.updateValue(summary, forKey: summary.messageRecord) {
                leftovers.append(SpoolUID(rawValue: older.summaryRecord))
            }
        }
        var rest = newest.values.sorted { $0.messageRecord < $1.messageRecord }[...]
        let dropped = Set(selection.leftovers)
        for part in selection.parts {
            while let next = rest.first, next.messageRecord < part.pack.first {
                append(next)
                rest.removeFirst()
            }
            let between = rest.prefix { $0.messageRecord <= part.pack.last }
            rest = rest[between.endIndex...]
            let record = dropped.contains(part.record) ? nil : part.record
            if between.isEmpty, part.rows.count == part.pack.chunk.count {
                adopt(part.pack.chunk, record)
            } else {
                merge(part, record, between)
            }
        }
        for summary in rest { append(summary) }
    }

    private mutating func adopt(_ chunk: SummaryChunk, _ record: SpoolUID?) {
        chunks.append(chunk)
        packs.append(PackBook.Entry(record: record, stale: record == nil ? chunk.count : 0))
    }

    private mutating func merge(_ part: PackSelection.Part, _ record: SpoolUID?, _ between: ArraySlice<Loose>) {
        let chunk = part.pack.chunk
        chunks.append(SummaryChunk())
        packs.append(PackBook.Entry(record: record, stale: chunk.count - part.rows.count))
        var between = between
        for row in part.rows {
            while let next = between.first, next.messageRecord < chunk.messageRecords[row] {
                append(next)
                between.removeFirst()
            }
            if let next = between.first, next.messageRecord == chunk.messageRecords[row] {
                between.removeFirst()
                if next.summaryRecord > chunk.summaryRecords[row] {
                    leftovers.append(SpoolUID(rawValue: chunk.summaryRecords[row]))
                    append(next)
                    continue
                }
                leftovers.append(SpoolUID(rawValue: next.summaryRecord))
            }
            makeRoom()
            chunks[chunks.count - 1].append(row, of: chunk)
            // What has no room in the pack's own chunk is in no pack.
            if record == nil || packs[packs.count - 1].record != record { packs[packs.count - 1].stale += 1 }
        }
        for next in between { append(next) }
    }

    private mutating func append(_ loose: Loose) {
        makeRoom()
        chunks[chunks.count - 1].append(
            SummaryCodec.encode(loose.summary), marks: RowMarks(loose.summary), messageRecord: loose.messageRecord,
            summaryRecord: loose.summaryRecord)
        packs[packs.count - 1].stale += 1
    }

    private mutating func makeRoom() {
        guard chunks.last?.isFull ?? true else { return }
        chunks.append(SummaryChunk())
        packs.append(PackBook.Entry())
    }
}
