// SEARCH, SORT and THREAD in the open mailbox. Words are looked for in the agent's index first, which knows the beginnings of
// words; a message is read only where neither the index nor its row can tell.

import DDSCore
import DDSLoop
import DDSMail
import DDSNode
import DDSSearch
import DDSSpool
import DDSUnicode
import DDSWire

extension IMAPHandler {
    private static var textsAtOnce: Int { 64 }
    private static var wordsMax: Int { 20 }

    func search(_ key: IMAPSearchKey) async throws(FolderDesk.Problem) -> [UInt32] {
        try await found(key).rows.map(\.facts.uid)
    }

    func thread(_ key: IMAPSearchKey) async throws(FolderDesk.Problem) -> [IMAPThread] {
        let (search, rows) = try await found(key)
        guard let table = search.table else { return rows.map { IMAPThread(uid: $0.facts.uid) } }
        let members = await folders.members(of: table)
        return await Loop.offload { IMAPThreads.threads(rows, table, members) }
    }

    func sort(_ order: [IMAPSortKey], _ key: IMAPSearchKey) async throws(FolderDesk.Problem) -> [UInt32] {
        let (search, rows) = try await found(key)
        var texts: [UInt32: IMAPSorting.Texts] = [:]
        if order.contains(where: { $0.field == .cc }) || search.table == nil {
            try await read(rows) { row, message in texts[row.facts.uid] = IMAPSorting.Texts(message.sorting) }
        }
        return await Loop.offload { [texts] in IMAPSorting.sorted(rows, by: order, search, texts) }
    }

    /// Messages of the open mailbox of which `key` holds, ascending.
    private func found(_ key: IMAPSearchKey) async throws(FolderDesk.Problem) -> (search: IMAPSearch, rows: [IMAPSearch.Row]) {
        let view = try await view()
        guard let store = openStore else { throw .locked }
        let now = agent.services.time.wall.seconds
        var table: SummaryTable?
        var rows = view.view.rows.map { IMAPSearch.Row(facts: $0) }
        if case .mail(let folder) = view.folder {
            let index = await folders.current(store)
            table = index.table
            rows = await Loop.offload(when: rows.count > 200) { [rows] in
                let known = index.rows(of: folder)
                return rows.compactMap { row in
                    known.row(row.facts.uid).map { IMAPSearch.Row(facts: row.facts, place: known.places[$0]) }
                }
            }
        }
        var search = IMAPSearch(key: key, candidates: [:], now: now, table: table)
        if table != nil {
            let candidates = await candidates(search.texts, isTrash: view.folder == .mail(.trash), store)
            guard openStore === store else { throw .locked }
            search = IMAPSearch(key: key, candidates: candidates, now: now, table: table)
        }
        let (sure, rest) = await Loop.offload(when: rows.count > 200) { [search, rows] in
            var (sure, rest) = ([IMAPSearch.Row](), [IMAPSearch.Row]())
            for row in rows {
                switch search.holds(row) {
                case true?: sure.append(row)
                case nil: rest.append(row)
                case false?: break
                }
            }
            return (sure, rest)
        }
        var found = sure
        try await read(rest) { [search] row, message in if search.holds(row, message) { found.append(row) } }
        return (search, rest.isEmpty ? found : found.sorted { $0.facts.uid < $1.facts.uid })
    }

    /// Gives the messages of rows to `use`, read and taken apart beside the loop. What cannot be read is left out.
    private func read(
        _ rows: [IMAPSearch.Row], _ use: @escaping @LoopActor (IMAPSearch.Row, IMAPSearchText) -> Void
    ) async throws(FolderDesk.Problem) {
        var rest = rows[...]
        while !rest.isEmpty {
            let part = Array(rest.prefix(Self.textsAtOnce))
            rest = rest.dropFirst(Self.textsAtOnce)
            let octets = try await bodies(part.map(\.facts.uid))
            let texts = await Loop.offload { octets.map { $0.map { IMAPSearchText($0) } } }
            guard openStore != nil else { throw .locked }
            for (row, text) in zip(part, texts) { if let text { use(row, text) } }
        }
    }

    /// The records of messages that may have each text, as far as the index can tell.
    private func candidates(
        _ texts: Set<String>, isTrash: Bool, _ store: MessageStore
    ) async -> [String: Set<UInt64>] {
        guard !texts.isEmpty else { return [:] }
        agent.openSearch()
        await agent.search.settled()
        var found: [String: Set<UInt64>] = [:]
        for text in texts {
            guard let query = Self.query(text, isTrash: isTrash),
                let answer = try? await agent.search.find(query, limit: .max), answer.isExact, !answer.isIndexing,
                openStore === store
            else { continue }
            let items = store.items
            found[text] = Set(answer.ids.compactMap { items.place($0) }.map { items.messageRecord($0).rawValue })
        }
        return found
    }

    /// Everything that has `text` has these words, the last of them perhaps longer; nil where that says nothing.
    private static func query(_ text: String, isTrash: Bool) -> SearchQuery? {
        let words = FoldedWord.words(of: text)
        guard let last = words.last, words.count <= wordsMax else { return nil }
        let ends = last.kind == .word && last.text.unicodeScalars.count > 1 ? "*" : ""
        let query = SearchQuery((isTrash ? "in:trash " : "") + words.map(\.text).joined(separator: " ") + ends)
        return query.problem == nil && !query.terms.isEmpty ? query : nil
    }
}

/// The order of SORT (RFC 5256 section 3).
enum IMAPSorting {
    /// What is compared of a message's header.
    struct Texts: Sendable {
        var from = "", to = "", cc = "", subject = ""

        init(_ texts: (from: String, to: String, cc: String, subject: String)) {
            (from, to, cc, subject) = texts
        }

        init(_ summary: StoredSummary?) {
            guard let summary else { return }
            from = IMAPSearchText.mailbox(summary.fromAddress)
            to = IMAPSearchText.mailbox(summary.recipients.first)
            subject = ThreadKey(summary.subject).subject
        }
    }

    /// Where everything else is equal, the order of the mailbox counts.
    static func sorted(
        _ rows: [IMAPSearch.Row], by order: [IMAPSortKey], _ search: IMAPSearch, _ texts: [UInt32: Texts]
    ) -> [UInt32] {
        let needsTexts = order.contains { [.cc, .from, .subject, .to].contains($0.field) }
        let keyed = rows.map { row in
            (
                row: row, date: search.date(row),
                texts: texts[row.facts.uid] ?? Texts(needsTexts ? search.summary(row) : nil)
            )
        }
        return keyed.sorted { left, right in
            for key in order {
                let isBefore: Bool? =
                    switch key.field {
                    case .arrival: differs(left.row.facts.internalDate, right.row.facts.internalDate)
                    case .date: differs(left.date, right.date)
                    case .size: differs(left.row.facts.size, right.row.facts.size)
                    case .from: differs(left.texts.from, right.texts.from)
                    case .to: differs(left.texts.to, right.texts.to)
                    case .cc: differs(left.texts.cc, right.texts.cc)
                    case .subject: differs(left.texts.subject, right.texts.subject)
                    }
                if let isBefore { return isBefore != key.isReverse }
            }
            return left.row.facts.uid < right.row.facts.uid
        }
        .map(\.row.facts.uid)
    }

    private static func differs<Value: Comparable>(_ left: Value, _ right: Value) -> Bool? {
        left == right ? nil : left < right
    }
}
