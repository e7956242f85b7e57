// The selected mailbox as the client knows it, against the mailbox as it is: numbers of messages, and which differences may be
// told when. Only in `tellChanges` does a sequence number ever change (RFC 9051 7.5.1).
//
// Theory. `shown` is what the client has been told: its n-th row is message n. `view` is what the last answer said. Equal
// versions mean that there is nothing to compare, and an untouched `shown` shares its memory with the view's rows.

struct IMAPSelection: Sendable {
    let name: String
    /// By EXAMINE.
    let isExamined: Bool
    private(set) var shown: [IMAPRow]
    private(set) var view: IMAPView
    /// `shown` says all that `view` says.
    private(set) var isCurrent = true
    /// What SEARCH has saved (RFC 9051 6.4.4.1): uids, ascending. Some may be gone, and no uid comes again.
    var saved: [UInt32] = []
    /// Keywords in the last FLAGS response, in lower case; beyond `keywordsToldMax` no more are told.
    private var keywordsTold: Set<String> = []
    private var keywords: [String] = []

    static let keywordsToldMax = 200
    /// Told before anybody uses them: RFC 8457, RFC 9051 2.3.2.
    private static let keywordsAtFirst = ["$Forwarded", "$MDNSent", "$Junk", "$NotJunk", "$Phishing"]

    init(name: String, isExamined: Bool, view: IMAPView) {
        self.name = name
        self.isExamined = isExamined
        self.view = view
        shown = view.rows
        learn(Self.keywordsAtFirst)
        for row in shown where !row.flags.keywords.isEmpty { learn(row.flags.keywords) }
    }

    var isReadOnly: Bool { isExamined || view.isReadOnly }

    // MARK: Rows

    /// The index in `rows` of the first uid that is not below `uid`.
    private static func lowerBound(_ uid: UInt32, in rows: [IMAPRow], from start: Int = 0) -> Int {
        var low = start
        var high = rows.count
        while low < high {
            let middle = (low + high) / 2
            if rows[middle].uid < uid { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// The index in `shown` of a message; its sequence number is one more.
    func index(of uid: UInt32, from start: Int = 0) -> Int? {
        let place = Self.lowerBound(uid, in: shown, from: start)
        return place < shown.count && shown[place].uid == uid ? place : nil
    }

    /// The message as it is now; nil when it is gone.
    func latest(_ uid: UInt32) -> IMAPRow? {
        let place = Self.lowerBound(uid, in: view.rows)
        return place < view.rows.count && view.rows[place].uid == uid ? view.rows[place] : nil
    }

    // MARK: Sets

    /// Indices in `shown` that a set names, ascending and disjoint.
    func indices(_ set: IMAPSequenceSet, isUID: Bool) throws(IMAPFault) -> [Range<Int>] {
        let ranges: [Range<Int>]
        switch set {
        case .saved: ranges = saved.compactMap { index(of: $0).map { $0..<$0 + 1 } }
        case .ranges(let list):
            var found: [Range<Int>] = []
            for range in list {
                if let indices = try indices(range, isUID: isUID), !indices.isEmpty { found.append(indices) }
            }
            ranges = found
        }
        return Self.merged(ranges)
    }

    private func indices(_ range: IMAPNumberRange, isUID: Bool) throws(IMAPFault) -> Range<Int>? {
        let count = shown.count
        let isOpen = range.first == 0 || range.last == 0
        guard isUID else {
            let first = Int(range.first == 0 ? UInt32(clamping: count) : range.first)
            let last = Int(range.last == 0 ? UInt32(clamping: count) : range.last)
            var (low, high) = (min(first, last), max(first, last))
            if isOpen {
                // `1:*` of an empty mailbox is nothing, and `9:*` of three messages is the third.
                if count == 0 { return nil }
                (low, high) = (min(low, count), min(high, count))
            }
            // A number that the client cannot have seen is its error.
            guard high <= count else { throw .bad("No message has this number") }
            return low - 1..<high
        }
        let bounds = uidBounds(range)
        let start = Self.lowerBound(bounds.lowerBound, in: shown)
        let end = bounds.upperBound == .max ? count : Self.lowerBound(bounds.upperBound + 1, in: shown, from: start)
        return start..<end
    }

    /// `*` is the highest uid there is, and `9:*` is that one also when all are below 9 (RFC 9051 9: seq-range).
    private func uidBounds(_ range: IMAPNumberRange) -> ClosedRange<UInt32> {
        let star = shown.last?.uid ?? 0
        let first = range.first == 0 ? star : range.first
        let last = range.last == 0 ? star : range.last
        return min(first, last)...max(first, last)
    }

    private static func merged(_ ranges: [Range<Int>]) -> [Range<Int>] {
        var merged: [Range<Int>] = []
        for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            if let last = merged.last, range.lowerBound <= last.upperBound {
                merged[merged.count - 1] = last.lowerBound..<max(last.upperBound, range.upperBound)
            } else {
                merged.append(range)
            }
        }
        return merged
    }

    /// The same for a search, where what is not there is just not found.
    func uids(_ set: IMAPSequenceSet, isUID: Bool) -> IMAPSet {
        switch set {
        case .saved: return IMAPSet(saved.map { $0...$0 })
        case .ranges(let list):
            if isUID { return IMAPSet(list.map { uidBounds($0) }) }
            return IMAPSet(
                list.compactMap { range in
                    let star = UInt32(clamping: shown.count)
                    let first = range.first == 0 ? star : range.first
                    let last = range.last == 0 ? star : range.last
                    let low = Int(min(first, last))
                    let high = min(Int(max(first, last)), shown.count)
                    guard low >= 1, low <= high else { return nil }
                    return shown[low - 1].uid...shown[high - 1].uid
                })
        }
    }

    // MARK: Changes

    /// An answer has said how the mailbox is.
    mutating func update(_ view: IMAPView) {
        if view.version != self.view.version { isCurrent = false }
        self.view = view
    }

    /// The client is told these flags now; nil when the message is gone.
    mutating func show(_ index: Int) -> IMAPRow? {
        guard let row = latest(shown[index].uid) else { return nil }
        if shown[index] != row { shown[index] = row }
        return row
    }

    /// Tells every difference that may be told: EXPUNGE where `allowsExpunge`, new messages, changed flags.
    mutating func tellChanges(
        allowsExpunge: Bool, withModSeq: Bool, withUID: Bool, into writer: inout IMAPWriter
    ) {
        guard !isCurrent else { return }
        let rows = view.rows
        var kept: [IMAPRow] = []
        kept.reserveCapacity(rows.count)
        var changed: [Int] = []
        var place = 0
        var isComplete = true
        var isSame = true
        let toldBefore = shown.count
        var expunged = 0
        for row in shown {
            while place < rows.count, rows[place].uid < row.uid {
                // A uid below one that was told cannot get a number any more.
                isSame = false
                place += 1
            }
            guard place < rows.count, rows[place].uid == row.uid else {
                if allowsExpunge {
                    writer.line("* \(kept.count + 1) EXPUNGE")
                    expunged += 1
                } else {
                    isComplete = false
                    kept.append(row)
                }
                continue
            }
            if row.flags != rows[place].flags || (withModSeq && row.modSeq != rows[place].modSeq) { changed.append(kept.count) }
            kept.append(rows[place])
            place += 1
        }
        if place < rows.count {
            kept += rows[place...]
        }
        if kept.count != toldBefore - expunged { writer.line("* \(kept.count) EXISTS") }
        let new = max(0, kept.count - (toldBefore - expunged))
        let fresh = kept[(kept.count - new)...].flatMap(\.flags.keywords) + changed.flatMap { kept[$0].flags.keywords }
        if learn(fresh) { tellFlags(into: &writer) }
        // Whole views share their memory.
        shown = isComplete && isSame ? rows : kept
        isCurrent = isComplete
        for index in changed { tellFlags(of: index, withModSeq: withModSeq, withUID: withUID, into: &writer) }
    }

    func tellFlags(of index: Int, withModSeq: Bool, withUID: Bool, into writer: inout IMAPWriter) {
        let row = shown[index]
        writer.text("* ")
        writer.number(index + 1)
        writer.text(" FETCH (")
        if withUID {
            writer.text("UID ")
            writer.number(row.uid)
            writer.octet(" ")
        }
        writer.text("FLAGS ")
        writer.flags(row.flags)
        if withModSeq {
            writer.text(" MODSEQ (")
            writer.number(row.modSeq)
            writer.octet(")")
        }
        writer.octet(")")
        writer.endLine()
    }

    // MARK: FLAGS

    /// Whether there are keywords among these that were never told.
    @discardableResult
    mutating func learn(_ fresh: [String]) -> Bool {
        var isNew = false
        for keyword in fresh where keywords.count < Self.keywordsToldMax {
            guard keywordsTold.insert(keyword.lowercased()).inserted else { continue }
            keywords.append(keyword)
            isNew = true
        }
        return isNew
    }

    /// `* FLAGS (...)`, all that messages here have or may get.
    func tellFlags(into writer: inout IMAPWriter) {
        writer.text("* FLAGS ")
        writer.flags(IMAPFlags([.seen, .answered, .flagged, .deleted, .draft], keywords: keywords))
        writer.endLine()
    }
}
