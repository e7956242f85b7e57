// The screen of a search.

import DDSSearch

extension PageRenderer {
    /// Six things that can be looked for, and what they mean. Dates are in UTC.
    static let searchExamples = [
        ("budget roof", "both words, anywhere: subject, text, names of people and files"),
        ("budg*", "words that begin so"), ("\"annual meeting\"", "these words side by side"),
        ("from:bob has:attachment", "by Bob, with a file"),
        ("in:board is:unread -draft", "unread in the group board, without the word draft"),
        ("after:2026-01 before:2026-07", "of the first half of 2026"),
    ]

    /// A search with what it found; `model` is nil before anything was looked for.
    package func search(_ context: Context, frame: FrameModel, handle: String?, _ model: SearchModel?) -> String {
        var values = surroundings(.search, kind: "search", context, frame, current: nil)
        let text = model.map { DisplayText.line($0.text).text } ?? ""
        values["searchText"] = text
        values["searchFocus"] = model?.rows.isEmpty ?? true
        values["isHelpOpen"] = model?.rows.isEmpty ?? true
        values["examples"] = Self.searchExamples.map { ["exampleText": $0.0, "exampleMeans": $0.1] }
        values["problem"] = optional((model?.problem ?? model?.trouble).map { DisplayText.line($0).text })
        values["foundText"] = model.map { foundText($0) } ?? ""
        values["indexingText"] = optional(
            model?.indexing.map {
                "Still indexing: \(Self.number($0.done)) of \(Self.number($0.count)). Search again in a while for the rest."
            })
        values["hasChoices"] = !(model?.choices.isEmpty ?? true)
        values["choices"] = (model?.choices ?? []).map {
            [
                "choiceAdds": DisplayText.line($0.adds).text, "choiceLabel": DisplayText.line($0.label).text,
                "choiceCount": Self.number($0.count),
            ]
        }
        let rows = model?.rows ?? []
        values["hasRows"] = !rows.isEmpty
        values["rows"] = rows.map { row($0, frame: frame, context) }
        let path = "/s/\(handle ?? "")"
        values["newerPath"] = optional(model?.newer.map { "\(path)?c=\($0)" })
        values["olderPath"] = optional(model?.older.map { "\(path)?c=\($0)" })
        values["rangeText"] = model.map { rangeText($0) } ?? ""
        let isUnanswered = model.map { $0.rows.isEmpty && $0.problem == nil } ?? false
        values["emptyHeading"] = optional(isUnanswered ? "Nothing found" : nil)
        values["emptyText"] = "Look for fewer words, or for the beginning of one with * behind it."
        return templates.render("search", values)
    }

    /// A search whose results are forgotten, with the field to search again.
    package func searchGone(_ context: Context, frame: FrameModel) -> String {
        var model = SearchModel(text: "")
        model.problem = "What was found is forgotten with the lock, and after twenty more searches. Search again."
        return search(context, frame: frame, handle: nil, model)
    }

    private func row(_ found: SearchRowModel, frame: FrameModel, _ context: Context) -> [String: Any] {
        var values = row(found.row, frame: frame, in: .all, now: context.now)
        values["rowPath"] = "/t/\(found.row.id)" + (found.cursor.map { "?c=\($0)" } ?? "") + "#m-\(found.message)"
        values["matchesText"] = optional(found.matches > 1 ? "\(found.matches) matches" : nil)
        let subject = pieces(found.subject)
        values["subjectPieces"] = subject.isEmpty ? [["pieceText": values["subject"] ?? "", "isMatch": false]] : subject
        values["snippetPieces"] = pieces(found.snippet)
        return values
    }

    /// Each is made safe by itself and escaped by the template: what is marked is text like any other.
    private func pieces(_ pieces: [SearchSnippet.Piece]) -> [[String: Any]] {
        pieces.map { ["pieceText": DisplayText.line($0.text).text, "isMatch": $0.isMatch] }
    }

    /// `212 in 14 ms`.
    private func foundText(_ model: SearchModel) -> String {
        guard model.problem == nil else { return "" }
        return (model.isExact ? "" : "at least ") + "\(Self.number(model.total)) in \(model.milliseconds) ms"
    }

    private func rangeText(_ model: SearchModel) -> String {
        let last = model.first + max(0, model.rows.count - 1)
        let threads = "\(model.first)–\(last) of \(Self.number(model.threads)) \(model.threads == 1 ? "thread" : "threads")"
        guard model.shown < model.total else { return threads }
        return threads + " with the newest \(Self.number(model.shown)) messages"
    }

    /// With a sign between thousands.
    static func number(_ number: Int) -> String {
        var text = ""
        for (place, digit) in String(number).reversed().enumerated() {
            if place > 0, place.isMultiple(of: 3), digit != "-" { text = "," + text }
            text = "\(digit)" + text
        }
        return text
    }
}
