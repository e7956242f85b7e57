// A summary as the octets that stay in memory: a tenth of what the value with its texts takes, and what lists and threads ask for
// most often comes first, so that it is read without the rest. Marks are not in it; they change too often and stand in a column.

import DDSCore
import DDSMail
import DDSNode
import DDSSeal
import FoundationEssentials

/// What a column keeps of a message, two octets.
struct RowMarks: OptionSet, Hashable, Sendable {
    var rawValue: UInt16

    static let unread = RowMarks(rawValue: 1)
    static let starred = RowMarks(rawValue: 2)
    static let archived = RowMarks(rawValue: 4)
    static let muted = RowMarks(rawValue: 8)
    /// Written by this person. Like the next two it is no mark, but asked for whenever threads are added up.
    static let own = RowMarks(rawValue: 16)
    static let files = RowMarks(rawValue: 32)
    /// It is not what it says it is.
    static let doubtful = RowMarks(rawValue: 64)
    /// The row is not there any more.
    static let gone = RowMarks(rawValue: 128)
    static let trashed = RowMarks(rawValue: 1 << 8)
    static let answered = RowMarks(rawValue: 1 << 9)
    static let deleted = RowMarks(rawValue: 1 << 10)
    /// Written by this person, and not with the node: it waits, or was refused.
    static let unsent = RowMarks(rawValue: 1 << 11)
    /// It has keywords, which the summary knows.
    static let keywords = RowMarks(rawValue: 1 << 12)

    init(rawValue: UInt16) { self.rawValue = rawValue }

    init(_ summary: StoredSummary) {
        self = []
        if summary.isUnread { insert(.unread) }
        if summary.isStarred == true { insert(.starred) }
        if summary.isArchived == true { insert(.archived) }
        if summary.isMuted == true { insert(.muted) }
        if summary.isTrashed == true { insert(.trashed) }
        if summary.isAnswered == true { insert(.answered) }
        if summary.isDeleted == true { insert(.deleted) }
        if summary.keywords?.isEmpty == false { insert(.keywords) }
        if summary.isOwn { insert(.own) }
        if summary.sendState == .waiting || summary.sendState == .refused { insert(.unsent) }
        if summary.hasAttachments { insert(.files) }
        if summary.warning != nil || summary.signature?.isException == true { insert(.doubtful) }
    }

    var message: MessageMarks {
        MessageMarks(
            isUnread: contains(.unread), isStarred: contains(.starred), isArchived: contains(.archived), isMuted: contains(.muted),
            isTrashed: contains(.trashed))
    }
}

enum SummaryCodec {
    /// Which of the fields that may be missing are there, and what needs a bit only.
    private struct Fields: OptionSet {
        var rawValue: UInt32

        static let group = Fields(rawValue: 1)
        static let signature = Fields(rawValue: 1 << 1)
        static let submission = Fields(rawValue: 1 << 2)
        static let seal = Fields(rawValue: 1 << 3)
        static let mode = Fields(rawValue: 1 << 4)
        static let roster = Fields(rawValue: 1 << 5)
        static let sequence = Fields(rawValue: 1 << 6)
        static let origin = Fields(rawValue: 1 << 7)
        static let rare = Fields(rawValue: 1 << 8)
        static let attachments = Fields(rawValue: 1 << 9)
        static let waiting = Fields(rawValue: 1 << 10)
        static let sent = Fields(rawValue: 1 << 11)
        static let refused = Fields(rawValue: 1 << 12)
        /// A reply that names no message: threads join it by its subject.
        static let orphan = Fields(rawValue: 1 << 13)
        static let key = Fields(rawValue: 1 << 14)
        static let signedAs = Fields(rawValue: 1 << 15)
        static let digest = Fields(rawValue: 1 << 16)
        static let since = Fields(rawValue: 1 << 17)
        static let attested = Fields(rawValue: 1 << 18)
        static let folderNumber = Fields(rawValue: 1 << 19)
        static let givenSize = Fields(rawValue: 1 << 20)
    }

    /// What few messages have.
    private struct Rare: Codable, Hashable {
        var note: String?
        var copies: [StoredCopy]?
        var revision: Int?
        var isFromNode: Bool?
        var warning: String?
        var reason: String?
        var repeats: Int?
        var isWanted: Bool?
        var keywords: [String]?
    }

    /// The first octets: subject's key, fields, date, received, size. The number in the folder and the given size come next.
    static let headBytes = 8 + 4 + 8 + 8 + 8

    // MARK: Writing

    static func encode(_ summary: StoredSummary) -> [UInt8] {
        let rare = Rare(
            note: summary.note, copies: summary.copies, revision: summary.revision, isFromNode: summary.isFromNode,
            warning: summary.warning, reason: summary.signature?.reason, repeats: summary.signature?.repeats,
            isWanted: summary.signature?.isWanted, keywords: summary.keywords)
        // Encoding fields of plain types cannot fail.
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        let rareBytes = rare == Rare() ? nil : (try? encoder.encode(rare)).map { [UInt8]($0) }
        let subject = ThreadKey(summary.subject)
        var writer = SummaryWriter()
        writer.fixed(subjectKey(subject.subject))
        var fields = present(summary)
        if subject.isReply, summary.inReplyTo.isEmpty, summary.references.isEmpty { fields.insert(.orphan) }
        if rareBytes != nil { fields.insert(.rare) }
        writer.fixed(fields.rawValue)
        writer.fixed(summary.date)
        writer.fixed(summary.received)
        writer.fixed(Int64(summary.size))
        if let number = summary.folderNumber { writer.fixed(number) }
        if let size = summary.givenSize { writer.fixed(UInt32(clamping: size)) }
        writer.text(summary.id)
        writer.text(summary.messageID)
        writer.texts(summary.references)
        writer.texts(summary.inReplyTo)
        if let group = summary.group { writer.text(group) }
        if let signature = summary.signature { write(signature, &writer) }
        writer.text(summary.fromAddress)
        writer.text(summary.fromName)
        writer.texts(summary.recipients)
        writer.text(summary.subject)
        writer.text(summary.snippet)
        if let submission = summary.submission { writer.text(submission) }
        if let seal = summary.seal { writer.text(seal.rawValue) }
        if let mode = summary.mode { writer.text(mode.rawValue) }
        if let roster = summary.roster {
            writer.number(roster.number)
            writer.hexadecimal(roster.hash)
        }
        if let sequence = summary.sequence { writer.number(sequence) }
        if let origin = summary.origin { writer.number(origin) }
        if let rareBytes { writer.text(String(decoding: rareBytes, as: UTF8.self)) }
        return writer.bytes
    }

    private static func present(_ summary: StoredSummary) -> Fields {
        let signature = summary.signature
        let found: [(Fields, Bool)] = [
            (.group, summary.group != nil), (.signature, signature != nil), (.submission, summary.submission != nil),
            (.seal, summary.seal != nil), (.mode, summary.mode != nil), (.roster, summary.roster != nil),
            (.sequence, summary.sequence != nil), (.origin, summary.origin != nil), (.attachments, summary.hasAttachments),
            (.waiting, summary.sendState == .waiting), (.sent, summary.sendState == .sent),
            (.refused, summary.sendState == .refused), (.key, signature?.key != nil),
            (.signedAs, signature?.submission != nil), (.digest, signature?.digest != nil), (.since, signature?.since != nil),
            (.attested, signature?.attested != nil), (.folderNumber, summary.folderNumber != nil),
            (.givenSize, summary.givenSize != nil),
        ]
        return found.reduce(into: []) { if $1.1 { $0.insert($1.0) } }
    }

    private static func write(_ signature: StoredSignature, _ writer: inout SummaryWriter) {
        writer.text(signature.verdict.rawValue)
        if let key = signature.key { writer.hexadecimal(key) }
        if let submission = signature.submission { writer.text(submission) }
        if let digest = signature.digest { writer.hexadecimal(digest) }
        if let since = signature.since { writer.fixed(since) }
        if let attested = signature.attested { writer.text(attested) }
    }

    /// Zero for a subject that says nothing.
    private static func subjectKey(_ subject: String) -> UInt64 {
        guard !subject.isEmpty else { return 0 }
        return Hash.blake2b(Array(subject.utf8), key: Array("ddsnode/v1/subject".utf8), count: 16)[..<8]
            .reduce(0) { $0 << 8 | UInt64($1) }
    }

    // MARK: Reading

    /// Nil for octets that are no summary.
    static func decode(_ bytes: [UInt8], _ range: Range<Int>, marks: RowMarks) -> StoredSummary? {
        var reader = SummaryReader(bytes, range)
        _ = reader.fixed(UInt64.self)
        let fields = Fields(rawValue: reader.fixed())
        let (date, received, size): (Int64, Int64, Int64) = (reader.fixed(), reader.fixed(), reader.fixed())
        let folderNumber = fields.contains(.folderNumber) ? reader.fixed(UInt64.self) : nil
        let givenSize = fields.contains(.givenSize) ? Int(reader.fixed(UInt32.self)) : nil
        let id = reader.text()
        let messageID = reader.text()
        let references = reader.texts()
        let inReplyTo = reader.texts()
        let group = fields.contains(.group) ? reader.text() : nil
        let signature = fields.contains(.signature) ? signature(fields, &reader) : nil
        guard (signature != nil) == fields.contains(.signature) else { return nil }
        let sendState: SendState? =
            fields.contains(.waiting) ? .waiting : fields.contains(.sent) ? .sent : fields.contains(.refused) ? .refused : nil
        let fromAddress = reader.text()
        let fromName = reader.text()
        let recipients = reader.texts()
        let subject = reader.text()
        var summary = StoredSummary(
            id: id, subject: subject, fromName: fromName, fromAddress: fromAddress, recipients: recipients, group: group,
            date: date, received: received, isUnread: marks.contains(.unread), sendState: sendState, note: nil,
            messageID: messageID, inReplyTo: inReplyTo, references: references, snippet: reader.text(),
            hasAttachments: fields.contains(.attachments), size: Int(size))
        if fields.contains(.submission) { summary.submission = reader.text() }
        if fields.contains(.seal) { summary.seal = AgeKeyKind(rawValue: reader.text()) }
        if fields.contains(.mode) { summary.mode = GroupMode(rawValue: reader.text()) }
        if fields.contains(.roster) { summary.roster = StoredRoster(number: reader.number(), hash: reader.hexadecimal()) }
        if fields.contains(.sequence) { summary.sequence = reader.number() }
        if fields.contains(.origin) { summary.origin = reader.number() }
        summary.signature = signature
        summary.marks = marks.message
        summary.isAnswered = marks.contains(.answered) ? true : nil
        summary.isDeleted = marks.contains(.deleted) ? true : nil
        (summary.folderNumber, summary.givenSize) = (folderNumber, givenSize)
        if fields.contains(.rare) {
            guard let rare = try? JSONDecoder().decode(Rare.self, from: Data(reader.text().utf8)) else { return nil }
            (summary.note, summary.copies, summary.revision) = (rare.note, rare.copies, rare.revision)
            (summary.isFromNode, summary.warning, summary.keywords) = (rare.isFromNode, rare.warning, rare.keywords)
            summary.signature?.reason = rare.reason
            summary.signature?.repeats = rare.repeats
            summary.signature?.isWanted = rare.isWanted
        }
        return reader.isWhole && reader.place == range.upperBound ? summary : nil
    }

    private static func signature(_ fields: Fields, _ reader: inout SummaryReader) -> StoredSignature? {
        guard let verdict = SignatureVerdict(rawValue: reader.text()) else { return nil }
        var signature = StoredSignature(verdict: verdict)
        if fields.contains(.key) { signature.key = reader.hexadecimal() }
        if fields.contains(.signedAs) { signature.submission = reader.text() }
        if fields.contains(.digest) { signature.digest = reader.hexadecimal() }
        if fields.contains(.since) { signature.since = reader.fixed(Int64.self) }
        if fields.contains(.attested) { signature.attested = reader.text() }
        return signature
    }

    /// What is asked of all rows at once, read without making texts.
    struct Head {
        var subjectKey: UInt64
        var isOrphan: Bool
        var date: Int64
        var received: Int64
        var size: Int64
        var id: Range<Int>
        /// Of Message-ID, References and In-Reply-To, those that name something.
        var names: [Range<Int>]
        var group: Range<Int>?
        /// Of a signature that holds.
        var signer: (key: Range<Int>, submission: Range<Int>)?
        var author: Range<Int>
    }

    /// The instant alone: it is asked for whenever threads are added up.
    static func received(_ bytes: [UInt8], _ range: Range<Int>) -> Int64 { number(bytes, range.lowerBound + 8 + 4 + 8) }

    /// Octets of the message.
    static func size(_ bytes: [UInt8], _ range: Range<Int>) -> Int64 { number(bytes, range.lowerBound + 8 + 4 + 8 + 8) }

    /// See `StoredSummary.folderNumber` and `givenSize`.
    static func folderNumber(_ bytes: [UInt8], _ range: Range<Int>) -> UInt64? {
        fields(bytes, range).contains(.folderNumber)
            ? UInt64(bitPattern: number(bytes, range.lowerBound + headBytes)) : nil
    }

    static func givenSize(_ bytes: [UInt8], _ range: Range<Int>) -> Int? {
        let fields = fields(bytes, range)
        guard fields.contains(.givenSize) else { return nil }
        let start = range.lowerBound + headBytes + (fields.contains(.folderNumber) ? 8 : 0)
        return (0..<4).reduce(0) { $0 | Int(bytes[start + $1]) << (8 * $1) }
    }

    private static func fields(_ bytes: [UInt8], _ range: Range<Int>) -> Fields {
        Fields(rawValue: (0..<4).reduce(0) { $0 | UInt32(bytes[range.lowerBound + 8 + $1]) << (8 * UInt32($1)) })
    }

    private static func number(_ bytes: [UInt8], _ start: Int) -> Int64 {
        (0..<8).reduce(0) { $0 | Int64(bytes[start + $1]) << (8 * $1) }
    }

    static func head(_ bytes: [UInt8], _ range: Range<Int>) -> Head? {
        var reader = SummaryReader(bytes, range)
        let subjectKey: UInt64 = reader.fixed()
        let fields = Fields(rawValue: reader.fixed())
        let (date, received, size): (Int64, Int64, Int64) = (reader.fixed(), reader.fixed(), reader.fixed())
        _ = reader.take(optionalBytes(fields))
        var head = Head(
            subjectKey: subjectKey, isOrphan: fields.contains(.orphan), date: date, received: received, size: size,
            id: reader.span(), names: [], author: 0..<0)
        head.names.append(reader.span())
        for _ in 0..<2 {
            var count = reader.count()
            while count > 0, reader.isWhole {
                head.names.append(reader.span())
                count -= 1
            }
        }
        head.names.removeAll(where: \.isEmpty)
        if fields.contains(.group) { head.group = reader.span() }
        if fields.contains(.signature) { head.signer = signer(fields, &reader) }
        head.author = reader.span()
        return reader.isWhole ? head : nil
    }

    /// What stands behind the first octets where it is known.
    private static func optionalBytes(_ fields: Fields) -> Int {
        (fields.contains(.folderNumber) ? 8 : 0) + (fields.contains(.givenSize) ? 4 : 0)
    }

    private static func signer(_ fields: Fields, _ reader: inout SummaryReader) -> (Range<Int>, Range<Int>)? {
        _ = reader.span()
        let key = fields.contains(.key) ? reader.hexadecimalSpan() : 0..<0
        let submission = fields.contains(.signedAs) ? reader.span() : 0..<0
        if fields.contains(.digest) { _ = reader.hexadecimalSpan() }
        if fields.contains(.since) { _ = reader.take(8) }
        if fields.contains(.attested) { _ = reader.span() }
        return fields.isSuperset(of: [.key, .signedAs, .digest]) ? (key, submission) : nil
    }

    /// Whether a summary can be read from these octets, found out without making one.
    static func isWhole(_ bytes: [UInt8], _ range: Range<Int>) -> Bool {
        var reader = SummaryReader(bytes, range)
        _ = reader.take(8)
        let fields = Fields(rawValue: reader.fixed())
        _ = reader.take(headBytes - 12 + optionalBytes(fields))
        func skipTexts() {
            var count = reader.count()
            while count > 0, reader.isWhole {
                _ = reader.span()
                count -= 1
            }
        }
        for _ in 0..<2 { _ = reader.span() }
        for _ in 0..<2 { skipTexts() }
        if fields.contains(.group) { _ = reader.span() }
        if fields.contains(.signature) { _ = signer(fields, &reader) }
        for _ in 0..<2 { _ = reader.span() }
        skipTexts()
        for _ in 0..<2 { _ = reader.span() }
        for field in [Fields.submission, .seal, .mode] where fields.contains(field) { _ = reader.span() }
        if fields.contains(.roster) {
            _ = reader.number()
            _ = reader.hexadecimalSpan()
        }
        for field in [Fields.sequence, .origin] where fields.contains(field) { _ = reader.number() }
        if fields.contains(.rare) { _ = reader.span() }
        return reader.isWhole && reader.place == range.upperBound
    }
}
