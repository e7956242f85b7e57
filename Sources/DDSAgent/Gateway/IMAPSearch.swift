// SEARCH over rows of a mailbox (RFC 9051 section 6.4.4): what is known of each without its message, and what its message
// says where that is not enough. Which messages have which words, the search index is asked beforehand.

import DDSCore
import DDSMail
import DDSNode
import DDSSpool
import DDSWire

/// A question about messages of one folder.
struct IMAPSearch: Sendable {
    /// With its texts and keywords folded.
    private let key: IMAPSearchKey
    /// Of texts that the index was asked for: the records of messages that may have them. What is not there is not decided.
    let candidates: [String: Set<UInt64>]
    /// Seconds since 1970.
    let now: Int64

    /// A row, and where the store has it; a draft is not in the table.
    struct Row: Sendable {
        var facts: IMAPRow
        var place: SummaryTable.Place?
    }

    /// Nil for drafts.
    let table: SummaryTable?

    /// `candidates` are by `texts`.
    init(key: IMAPSearchKey, candidates: [String: Set<UInt64>], now: Int64, table: SummaryTable?) {
        self.key = Self.folded(key)
        self.candidates = candidates
        self.now = now
        self.table = table
    }

    /// What is compared without case is folded once and not again for each message.
    private static func folded(_ key: IMAPSearchKey) -> IMAPSearchKey {
        switch key {
        case .keyword(let keyword, let isSet): .keyword(keyword.lowercased(), isSet)
        case .header(let name, let text): .header(name, IMAPSearchText.folded(text))
        case .body(let text): .body(IMAPSearchText.folded(text))
        case .text(let text): .text(IMAPSearchText.folded(text))
        case .not(let key): .not(folded(key))
        case .or(let left, let right): .or(folded(left), folded(right))
        case .and(let keys): .and(keys.map(folded))
        case .all, .uids, .flag, .before, .on, .since, .younger, .older, .larger, .smaller, .modSeq: key
        }
    }

    /// True or false where the row tells, nil where its message has to be looked at.
    func holds(_ row: Row) -> Bool? { holds(key, row, nil) }

    func holds(_ row: Row, _ message: IMAPSearchText) -> Bool { holds(key, row, message) ?? false }

    private func holds(_ key: IMAPSearchKey, _ row: Row, _ message: IMAPSearchText?) -> Bool? {
        switch key {
        case .all: true
        case .uids(let set): Self.holds(set.ranges, row.facts.uid)
        case .flag(let flag, let isSet): row.facts.flags.system.contains(flag) == isSet
        case .keyword(let keyword, let isSet):
            row.facts.flags.keywords.contains { $0.lowercased() == keyword } == isSet
        case .before(let day, let sent): self.day(row, sent, message) { $0 < day }
        case .on(let day, let sent): self.day(row, sent, message) { $0 == day }
        case .since(let day, let sent): self.day(row, sent, message) { $0 >= day }
        case .younger(let seconds): now - row.facts.internalDate <= Int64(seconds)
        case .older(let seconds): now - row.facts.internalDate >= Int64(seconds)
        case .larger(let octets): row.facts.size > octets
        case .smaller(let octets): row.facts.size < octets
        case .modSeq(let number): row.facts.modSeq >= number
        case .header(let name, let text): header(name, text, row, message)
        case .body(let text): words(text, row, message) { $0.bodyHas($1) }
        case .text(let text): words(text, row, message) { $0.has($1) }
        case .not(let key): holds(key, row, message).map { !$0 }
        case .or(let left, let right): Self.any([holds(left, row, message), holds(right, row, message)])
        case .and(let keys): Self.any(keys.map { holds($0, row, message).map { !$0 } }).map { !$0 }
        }
    }

    private static func holds(_ ranges: [ClosedRange<UInt32>], _ uid: UInt32) -> Bool {
        let place = ranges.partition { $0.upperBound >= uid }
        return place < ranges.count && ranges[place].lowerBound <= uid
    }

    private static func any(_ values: [Bool?]) -> Bool? {
        if values.contains(true) { return true }
        return values.contains(nil) ? nil : false
    }

    /// Whether a day, counted from 1970, is one that is looked for. When a message was sent is said in its author's zone (RFC 9051
    /// section 6.4.4), of which the row tells only that some day is today there.
    private func day(_ row: Row, _ sent: Bool, _ message: IMAPSearchText?, _ isWanted: (Int) -> Bool) -> Bool? {
        guard sent, row.place != nil else { return isWanted(Self.day(row.facts.internalDate)) }
        let date = date(row)
        if let message { return isWanted(Self.day(message.localDate ?? date)) }
        let wanted = Set((Self.day(date - Self.zones.west)...Self.day(date + Self.zones.east)).map(isWanted))
        return wanted.count == 1 ? wanted.first : nil
    }

    /// How far clocks on earth are behind and ahead of UTC, in seconds.
    private static let zones: (west: Int64, east: Int64) = (12 * 3600, 14 * 3600)

    private static func day(_ seconds: Int64) -> Int { Int(seconds >= 0 ? seconds / 86400 : (seconds - 86399) / 86400) }

    /// The author's date; a draft has none but that of its keeping.
    func date(_ row: Row) -> Int64 {
        guard let table, let place = row.place else { return row.facts.internalDate }
        return table.head(place).date
    }

    func summary(_ row: Row) -> StoredSummary? {
        guard let table, let place = row.place else { return nil }
        return table.summary(place)
    }

    private func header(_ name: String, _ text: String, _ row: Row, _ message: IMAPSearchText?) -> Bool? {
        if let message { return message.headerHas(name, text) }
        guard !text.isEmpty, let summary = summary(row) else { return nil }
        switch name {
        case "message-id": return IMAPSearchText.contains("<\(summary.messageID)>", text)
        case "from":
            return IMAPSearchText.contains("\(summary.fromName) <\(summary.fromAddress)>", text) ? true : nil
        case "subject": return IMAPSearchText.contains(summary.subject, text) ? true : nil
        default: return nil
        }
    }

    private func words(
        _ text: String, _ row: Row, _ message: IMAPSearchText?, _ check: (IMAPSearchText, String) -> Bool
    ) -> Bool? {
        if let known = candidates[text], let table, let place = row.place,
            !known.contains(table.messageRecord(place).rawValue)
        {
            return false
        }
        return message.map { check($0, text) }
    }

    /// The texts that the index should be asked for, folded.
    var texts: Set<String> { Self.texts(key) }

    private static func texts(_ key: IMAPSearchKey) -> Set<String> {
        switch key {
        case .body(let text), .text(let text): [text]
        case .not(let key): texts(key)
        case .or(let left, let right): texts(left).union(texts(right))
        case .and(let keys): keys.reduce(into: []) { $0.formUnion(texts($1)) }
        default: []
        }
    }
}

/// A message's texts as they are looked through: in any case of letters, for what is folded already.
struct IMAPSearchText: Sendable {
    private let parsed: ParsedMessage
    private let fields: [HeaderField]

    init(_ octets: [UInt8]) {
        parsed = ParsedMessage(octets)
        fields = (try? HeaderSection(of: octets))?.fields ?? []
    }

    /// What its author's clock showed, as if it were UTC; nil without a date.
    var localDate: Int64? { parsed.date.map { $0.seconds + Int64($0.zoneMinutes) * 60 } }

    /// An empty text asks whether there is such a field.
    func headerHas(_ name: String, _ text: String) -> Bool {
        let named = fields.filter { $0.isNamed(name) }
        guard !named.isEmpty, !text.isEmpty else { return !named.isEmpty }
        if named.contains(where: { Self.contains($0.text, text) }) { return true }
        // As it is decoded (RFC 2047).
        let decoded: [String] =
            switch name {
            case "subject": [parsed.subject.text]
            case "from": Self.words(parsed.from.map { [$0] } ?? [])
            case "to": Self.words(parsed.to)
            case "cc": Self.words(parsed.cc)
            default: []
            }
        return decoded.contains { Self.contains($0, text) }
    }

    private static func words(_ people: [Person]) -> [String] { people.map { "\($0.name.text) <\($0.address)>" } }

    func bodyHas(_ text: String) -> Bool {
        text.isEmpty || Self.contains(parsed.bestPlainText, text) || Self.contains(parsed.formattedText, text)
    }

    func has(_ text: String) -> Bool {
        bodyHas(text) || Self.contains(parsed.subject.text, text)
            || Self.words((parsed.from.map { [$0] } ?? []) + parsed.to + parsed.cc).contains { Self.contains($0, text) }
            || fields.contains { Self.contains("\($0.name): \($0.text)", text) }
            || parsed.attachments.contains { Self.contains($0.fileName.text, text) }
    }

    static func folded(_ text: String) -> String { text.lowercased() }

    static func contains(_ text: String, _ folded: String) -> Bool {
        let wanted = Array(folded.utf8)
        guard let first = wanted.first else { return true }
        let octets = Array(Self.folded(text).utf8)
        guard octets.count >= wanted.count else { return false }
        for start in 0...(octets.count - wanted.count)
        where octets[start] == first && octets[start..<start + wanted.count].elementsEqual(wanted) {
            return true
        }
        return false
    }

    /// What messages are sorted by (RFC 5256 section 3): the part of the first address before the sign.
    var sorting: (from: String, to: String, cc: String, subject: String) {
        (
            Self.mailbox(parsed.from?.address), Self.mailbox(parsed.to.first?.address), Self.mailbox(parsed.cc.first?.address),
            ThreadKey(parsed.subject.text).subject
        )
    }

    static func mailbox(_ address: String?) -> String { String((address ?? "").prefix { $0 != "@" }).lowercased() }
}
