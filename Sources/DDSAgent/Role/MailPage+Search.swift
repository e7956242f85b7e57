// Searching on the page: what is looked for is kept under a handle in memory, and what was found is shown as threads.

import DDSCore
import DDSLoop
import DDSMail
import DDSNode
import DDSSearch
import Logging

extension MailPage {
    /// Messages that one search keeps.
    private static var messagesMax: Int { 1000 }
    /// Of larger messages only what the list shows is shown.
    private static var octetsMax: Int { 1 << 20 }

    func search(_ text: String) async -> String? {
        guard agent.unlocked != nil else { return nil }
        agent.openSearch()
        var query = SearchQuery(text)
        var found = SearchFound()
        if query.problem == nil {
            do throws(Failure) {
                guard let answer = try await agent.search.find(query, limit: Self.messagesMax) else { return nil }
                found = answer
            } catch {
                agent.services.log.error("search", metadata: ["error": "\(error)"])
                query.problem = error.publicText
            }
        }
        return agent.search.results.add(
            SearchResultBook.Entry(text: text, query: query, found: found), random: agent.services.random)
    }

    func results(_ handle: String, cursor: String?) async -> SearchModel? {
        guard let store = agent.unlocked?.store, let entry = agent.search.results[handle] else { return nil }
        let index = await desk.current()
        var model = SearchModel(text: entry.text, problem: entry.query.problem)
        var places: [String: Int] = [:]
        var rows: [(thread: StoredThread, place: Int, matches: Int)] = []
        var kept: [StoredSummary] = []
        for id in entry.found.ids {
            guard let thread = index.thread(id), let place = thread.messages.place(of: id) else { continue }
            kept.append(thread.messages[place])
            if let known = places[thread.id] {
                rows[known].matches += 1
            } else {
                places[thread.id] = rows.count
                rows.append((thread, place, 1))
            }
            await Loop.giveWay()
        }
        model.total = entry.found.total
        model.isExact = entry.found.isExact
        model.shown = entry.found.ids.count
        model.milliseconds = Int(entry.found.duration.nanoseconds / 1_000_000)
        if entry.found.isIndexing {
            model.indexing = SearchProgress(done: entry.found.indexed, count: entry.found.messages)
        }
        model.trouble = agent.search.session?.trouble
        model.threads = rows.count
        let start = min(max(cursor.flatMap { Int($0) } ?? 0, 0), rows.count)
        let end = min(start + Self.rowsPerPage, rows.count)
        model.first = rows.isEmpty ? 0 : start + 1
        model.newer = start > 0 ? "\(max(0, start - Self.rowsPerPage))" : nil
        model.older = end < rows.count ? "\(end)" : nil
        model.rows = await shown(Array(rows[start..<end]), entry.query, store)
        model.choices = await Loop.offload { [kept, text = entry.text] in Self.choices(kept, besides: text) }
        return agent.unlocked?.store === store ? model : nil
    }

    private func shown(
        _ rows: [(thread: StoredThread, place: Int, matches: Int)], _ query: SearchQuery, _ store: MessageStore
    ) async -> [SearchRowModel] {
        var texts: [(summary: StoredSummary, message: [UInt8]?)] = []
        for found in rows {
            let summary = found.thread.messages[found.place]
            texts.append((summary, summary.size > Self.octetsMax ? nil : (try? await store.message(summary.id)) ?? nil))
        }
        let snippets = await Loop.offload { [texts] in texts.map { Self.snippets($0.summary, $0.message, query) } }
        return zip(rows, snippets).map { found, snippets in
            let summary = found.thread.messages[found.place]
            var row = self.row(found.thread)
            row.time = WallTime(milliseconds: summary.received)
            return SearchRowModel(
                row: row, message: summary.id, cursor: Self.cursor(found.place, in: found.thread), matches: found.matches,
                subject: snippets.subject, snippet: snippets.text)
        }
    }

    private nonisolated static func snippets(
        _ summary: StoredSummary, _ message: [UInt8]?, _ query: SearchQuery
    ) -> (subject: [SearchSnippet.Piece], text: [SearchSnippet.Piece]) {
        let subject = SearchSnippet(line: DisplayText.line(summary.subject).text, query).pieces
        let text = message.map { TextSafety.body(ParsedMessage(SignedMessage.inner(of: $0)).bestPlainText) } ?? ""
        let snippet = SearchSnippet(body: text, query) ?? SearchSnippet(line: DisplayText.line(summary.snippet).text, query)
        return (subject, snippet.pieces)
    }

    /// What would make a search narrower: the groups, people and months that most of what was found is of.
    private nonisolated static func choices(_ found: [StoredSummary], besides text: String) -> [SearchChoice] {
        var groups: [String: Int] = [:]
        var people: [String: Int] = [:]
        var months: [String: Int] = [:]
        var names: [String: String] = [:]
        for summary in found {
            if let group = summary.group { groups[group, default: 0] += 1 }
            let date = CivilTime(secondsSinceEpoch: summary.isOwn ? summary.received / 1000 : summary.date)
            months[String(date.rfc3339.prefix(7)), default: 0] += 1
            guard !summary.fromAddress.isEmpty else { continue }
            people[summary.fromAddress, default: 0] += 1
            names[summary.fromAddress] = summary.fromName
        }
        func most(_ counts: [String: Int], _ operation: String, label: (String) -> String) -> [SearchChoice] {
            guard counts.count > 1 else { return [] }
            return counts.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.prefix(4).map {
                SearchChoice(adds: operation + $0.key, label: label($0.key), count: $0.value)
            }
        }
        var choices = most(groups, "in:") { "#" + $0 }
        choices += most(people, "from:") { address in names[address].flatMap { $0.isEmpty ? nil : $0 } ?? address }
        let newest = Dictionary(uniqueKeysWithValues: months.sorted { $0.key > $1.key }.prefix(4).map { ($0.key, $0.value) })
        if months.count > 1 {
            choices += newest.sorted { $0.key > $1.key }.map { month, count in
                SearchChoice(adds: "after:\(month) before:\(following(month))", label: month, count: count)
            }
        }
        for (adds, label, count) in [
            ("has:attachment", "with a file", found.count(where: \.hasAttachments)),
            ("is:unread", "unread", found.count(where: \.isUnread)),
        ] where count > 0 && count < found.count {
            choices.append(SearchChoice(adds: adds, label: label, count: count))
        }
        // What is asked for already makes nothing narrower.
        let words = Set(text.split(separator: " "))
        return choices.filter { choice in !choice.adds.split(separator: " ").allSatisfy { words.contains($0) } }
    }

    private nonisolated static func following(_ month: String) -> String {
        let parts = month.split(separator: "-").compactMap { Int($0) }
        guard parts.count == 2 else { return month }
        let (year, next) = parts[1] == 12 ? (parts[0] + 1, 1) : (parts[0], parts[1] + 1)
        return "\(year)-" + (next < 10 ? "0\(next)" : "\(next)")
    }
}
