// Up to a thousand rows of the table. Copies of a table share its chunks, so that a change copies one of them at most.

import DDSSpool

struct SummaryChunk: Sendable {
    static let rowsMax = 1024

    /// The rows' summaries, one after the other; see `SummaryCodec`.
    private(set) var bytes: [UInt8] = []
    private(set) var spans: [Span] = []
    private(set) var marks: [RowMarks] = []
    private(set) var messageRecords: [UInt64] = []
    private(set) var summaryRecords: [UInt64] = []
    /// Octets that no row uses any more.
    private var wasted = 0

    /// Where a row's octets lie.
    struct Span: Sendable {
        var start: UInt32
        var count: UInt32

        init(_ range: Range<Int>) {
            start = UInt32(range.lowerBound)
            count = UInt32(range.count)
        }

        var range: Range<Int> { Int(start)..<Int(start) + Int(count) }
    }

    init() {}

    /// Rows that lie in `bytes` already, all columns in order.
    init(bytes: [UInt8], spans: [Span], marks: [RowMarks], messageRecords: [UInt64], summaryRecords: [UInt64]) {
        precondition(Set([spans.count, marks.count, messageRecords.count, summaryRecords.count]).count == 1, "columns of one table")
        self.bytes = bytes
        self.spans = spans
        self.marks = marks
        self.messageRecords = messageRecords
        self.summaryRecords = summaryRecords
    }

    var count: Int { spans.count }
    var isFull: Bool { count >= Self.rowsMax }

    /// Octets of rows of usual mail lie in a chunk's first half megabyte; those of a list of copies may need more.
    func summary(_ row: Int) -> StoredSummary? { SummaryCodec.decode(bytes, spans[row].range, marks: marks[row]) }

    func head(_ row: Int) -> SummaryCodec.Head? { SummaryCodec.head(bytes, spans[row].range) }

    func text(_ range: Range<Int>) -> String { String(decoding: bytes[range], as: UTF8.self) }

    mutating func append(_ summary: [UInt8], marks: RowMarks, messageRecord: UInt64, summaryRecord: UInt64) {
        spans.append(Span(bytes.count..<bytes.count + summary.count))
        bytes += summary
        self.marks.append(marks)
        messageRecords.append(messageRecord)
        summaryRecords.append(summaryRecord)
    }

    /// Takes a row over from another chunk as it is.
    mutating func append(_ row: Int, of other: SummaryChunk) {
        append(
            Array(other.bytes[other.spans[row].range]), marks: other.marks[row], messageRecord: other.messageRecords[row],
            summaryRecord: other.summaryRecords[row])
    }

    /// A row's new state under another record.
    mutating func replace(_ row: Int, by summary: [UInt8], marks: RowMarks, summaryRecord: UInt64) {
        self.marks[row] = marks
        summaryRecords[row] = summaryRecord
        let span = spans[row].range
        // Most changes are of marks, which are not in there.
        guard !bytes[span].elementsEqual(summary) else { return }
        blank(span)
        spans[row] = Span(bytes.count..<bytes.count + summary.count)
        bytes += summary
        tidy()
    }

    mutating func remove(_ row: Int) {
        marks[row] = .gone
        blank(spans[row].range)
        spans[row] = Span(0..<0)
        tidy()
    }

    /// What was removed is not kept in memory either.
    private mutating func blank(_ span: Range<Int>) {
        for index in span { bytes[index] = 0 }
        wasted += span.count
    }

    private mutating func tidy() {
        guard wasted > bytes.count / 2 else { return }
        var kept: [UInt8] = []
        kept.reserveCapacity(bytes.count - wasted)
        for row in spans.indices {
            let span = spans[row].range
            spans[row] = Span(kept.count..<kept.count + span.count)
            kept += bytes[span]
        }
        bytes = kept
        wasted = 0
    }
}
