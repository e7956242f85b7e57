// The selected mailbox as the client knows it, against the mailbox as it is: numbers of messages, and which differences may be
// told when. Only in `tellChanges` does a sequence number ever change (RFC 9051 7.5.1).
//
// Theory. `shown` is what the client has been told: its n-th row is message n. `view` is what the last answer said. Equal
// versions mean that there is nothing to compare, and an untouched `shown` shares its memory with the view's rows.

struct IMAPSelection: Sendable {
    /// By EXAMINE: nothing may be changed, flags included.
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

    init(isExamined: Bool, view: IMAPView) {
        self.isExamined = isExamined
        self.view = view
        shown = view.rows
        learn(Self.keywordsAtFirst)
        for row in shown where !row.flags.keywords.isEmpty { learn(row.flags.keywords) }
    }

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

    /// Indices in `shown` that a set names, ascending, disjoint and with something between each two.
    func indices(_ set: IMAPSequenceSet, isUID: Bool) throws(IMAPFault) -> [Range<Int>] {
        // A number that the client cannot have seen is its error.
        if !isUID, case .ranges(let list) = set,
            !list.allSatisfy({ $0.isOpen || max($0.first, $0.last) <= shown.count })
        {
            throw .bad("No message has this number")
        }
        return known(set, isUID: isUID)
    }

    /// The same for a search, in uids: what is not there is just not found.
    func uids(_ set: IMAPSequenceSet, isUID: Bool) -> IMAPSet {
        IMAPSet(known(set, isUID: isUID).map { shown[$0.lowerBound].uid...shown[$0.upperBound - 1].uid })
    }

    private func known(_ set: IMAPSequenceSet, isUID: Bool) -> [Range<Int>] {
        switch set {
        case .saved: Self.merged(saved.compactMap { index(of: $0).map { $0..<$0 + 1 } })
        case .ranges(let list): Self.merged(list.compactMap { isUID ? uids($0) : numbers($0) })
        }
    }

    /// `9:*` of three messages is the third.
    private func numbers(_ range: IMAPNumberRange) -> Range<Int>? {
        let bounds = range.bounds(star: UInt32(clamping: shown.count))
        let high = min(Int(bounds.upperBound), shown.count)
        return bounds.lowerBound >= 1 && bounds.lowerBound <= high ? Int(bounds.lowerBound) - 1..<high : nil
    }

    /// `*` is the highest uid there is, and `9:*` is that one also when all are below 9 (RFC 9051 9: seq-range).
    private func uids(_ range: IMAPNumberRange) -> Range<Int>? {
        let bounds = range.bounds(star: shown.last?.uid ?? 0)
        let start = Self.lowerBound(bounds.lowerBound, in: shown)
        let end =
            bounds.upperBound == .max ? shown.count : Self.lowerBound(bounds.upperBound + 1, in: shown, from: start)
        return start < end ? start..<end : nil
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
