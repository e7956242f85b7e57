// SEARCH, SORT and THREAD (RFC 9051 6.4.4, RFC 5256): what is asked, and how what was found is told. What matches is the
// owner's answer.

extension IMAPServerSession {
    mutating func search(_ command: IMAPCommand, _ parser: inout IMAPParser, into actions: inout [Action]) throws(IMAPFault) {
        guard let selection else { return }
        try parser.space()
        var search = Search(kind: .search, ending: Ending(command))
        var sortKeys: [IMAPSortKey] = []
        switch command.verb {
        case .search:
            search.returns = try parser.searchReturn()
            try parser.searchCharset()
        case .sort:
            search.kind = .sort
            sortKeys = try parser.sortKeys()
            try parser.space()
            try parser.charset()
            try parser.space()
        case .thread:
            search.kind = .thread
            guard try parser.keyword() == "REFERENCES" else { throw .bad("The one algorithm here is REFERENCES") }
            try parser.space()
            try parser.charset()
            try parser.space()
        default: preconditionFailure("no command that searches")
        }
        // RFC 9051 6.4.4: there is only ESEARCH.
        if usesRev2, search.kind == .search, search.returns == nil { search.returns = .all }
        var keys = IMAPSearchParser { set, isUID throws(IMAPFault) in selection.uids(set, isUID: isUID) }
        let key = try keys.keys(&parser)
        try parser.end()
        search.usesModSeq = keys.usesModSeq
        if keys.usesModSeq {
            var writer = IMAPWriter()
            useCondStore(into: &writer)
            send(writer.take(), into: &actions)
        }
        switch search.kind {
        case .search: ask(.search(key), .search(search), into: &actions)
        case .sort: ask(.sort(sortKeys, key), .search(search), into: &actions)
        case .thread: ask(.thread(key), .search(search), into: &actions)
        }
    }

    mutating func searchAnswered(_ search: Search, _ answer: Answer, into actions: inout [Action]) {
        if Self.refusal(answer) != nil, search.returns?.contains(.save) == true { selection?.saved = [] }
        guard let ending = succeeded(search.ending, answer, into: &actions) else { return }
        var writer = IMAPWriter()
        switch (search.kind, answer) {
        case (.search, .found(let uids)):
            let found = shown(uids, isUID: ending.isUID)
            if let returns = search.returns {
                tell(found, returns, search, into: &writer)
            } else {
                tell(found, "SEARCH", search, into: &writer)
            }
        case (.sort, .found(let uids)): tell(shown(uids, isUID: ending.isUID), "SORT", search, into: &writer)
        case (.thread, .threads(let threads)):
            writer.text("* THREAD")
            if !threads.isEmpty {
                let known = selection
                var text = IMAPThreadWriter { uid in known?.index(of: uid).map { ending.isUID ? uid : UInt32($0 + 1) } }
                writer.octets(text.write(threads))
            }
            writer.endLine()
        default: preconditionFailure("a search is not answered like that")
        }
        send(writer.take(), into: &actions)
        finish(ending, into: &actions)
    }

    // MARK: Results

    private struct Found {
        var uid: UInt32
        /// What the client calls it.
        var number: UInt32
    }

    /// What of it the client knows of.
    private func shown(_ uids: [UInt32], isUID: Bool) -> [Found] {
        guard let selection else { return [] }
        var start = 0
        var last: UInt32 = 0
        var found: [Found] = []
        found.reserveCapacity(uids.count)
        for uid in uids {
            // They mostly ascend, and then the rest of the rows is enough.
            let index = selection.index(of: uid, from: uid > last ? start : 0)
            last = uid
            guard let index else {
                start = 0
                continue
            }
            start = index
            found.append(Found(uid: uid, number: isUID ? uid : UInt32(index + 1)))
        }
        return found
    }

    private func highestModSeq(_ found: [Found]) -> UInt64? {
        found.compactMap { selection?.latest($0.uid)?.modSeq }.max()
    }

    private func tell(_ found: [Found], _ name: String, _ search: Search, into writer: inout IMAPWriter) {
        writer.text("* \(name)")
        for message in found {
            writer.octet(" ")
            writer.number(message.number)
        }
        // RFC 7162 3.1.5.
        if search.usesModSeq, let modSeq = highestModSeq(found) { writer.text(" (MODSEQ \(modSeq))") }
        writer.endLine()
    }

    /// ESEARCH (RFC 9051 7.3.4).
    private mutating func tell(
        _ found: [Found], _ returns: IMAPSearchReturn, _ search: Search, into writer: inout IMAPWriter
    ) {
        if returns.contains(.save) { save(found, returns) }
        guard returns != .save else { return }
        writer.text("* ESEARCH (TAG ")
        writer.string(Array(search.ending.tag.utf8))
        writer.octet(")")
        if search.ending.isUID { writer.text(" UID") }
        if let first = found.first, let last = found.last {
            if returns.contains(.min) { writer.text(" MIN \(first.number)") }
            if returns.contains(.max) { writer.text(" MAX \(last.number)") }
            if returns.contains(.all) {
                writer.text(" ALL ")
                writer.set(found.map(\.number))
            }
        }
        if returns.contains(.count) { writer.text(" COUNT \(found.count)") }
        if search.usesModSeq, let modSeq = highestModSeq(told(found, returns)) { writer.text(" MODSEQ \(modSeq)") }
        writer.endLine()
    }

    /// With MIN and MAX alone only those count (RFC 7162 3.1.10, RFC 5182 2.4).
    private func told(_ found: [Found], _ returns: IMAPSearchReturn) -> [Found] {
        guard returns.isDisjoint(with: [.all, .count]), !returns.isDisjoint(with: [.min, .max]) else { return found }
        var told: [Found] = []
        if returns.contains(.min) { told += found.prefix(1) }
        if returns.contains(.max), found.count > 1 || told.isEmpty { told += found.suffix(1) }
        return told
    }

    private mutating func save(_ found: [Found], _ returns: IMAPSearchReturn) {
        let uids = told(found, returns).map(\.uid)
        selection?.saved = uids
    }
}

/// Writes threads (RFC 5256 4). Chains of answers may be longer than a stack is deep, so it keeps its own.
struct IMAPThreadWriter {
    /// What the client calls a message; nil when it knows of none.
    let number: (UInt32) -> UInt32?
    private var writer = IMAPWriter()

    init(number: @escaping (UInt32) -> UInt32?) {
        self.number = number
    }

    private enum Step {
        case node(IMAPThread, opens: Bool)
        case close
    }

    /// Parentheses that are written when there is a number behind them.
    private var pending = 0
    private var isBehindNumber = false

    mutating func write(_ threads: [IMAPThread]) -> [UInt8] {
        writer.octet(" ")
        var steps = threads.reversed().map { Step.node($0, opens: true) }
        while let step = steps.popLast() {
            switch step {
            case .close:
                if pending > 0 {
                    pending -= 1
                } else {
                    writer.octet(")")
                    isBehindNumber = false
                }
            case .node(let thread, let opens):
                if opens {
                    pending += 1
                    steps.append(.close)
                }
                if let number = thread.uid.flatMap(number) { write(number) }
                let isChain = thread.children.count == 1
                for child in thread.children.reversed() { steps.append(.node(child, opens: !isChain)) }
            }
        }
        return writer.take()
    }

    private mutating func write(_ number: UInt32) {
        if isBehindNumber { writer.octet(" ") }
        for _ in 0..<pending { writer.octet("(") }
        pending = 0
        writer.number(number)
        isBehindNumber = true
    }
}
