// What of a found message is shown: the place where the words stand, and which of them are what was looked for. The text is
// already safe to show; escaping for HTML comes after.

import DDSUnicode

/// A text in pieces, some of which are what was looked for.
package struct SearchSnippet: Hashable, Sendable {
    package struct Piece: Hashable, Sendable {
        package var text: String
        package var isMatch: Bool

        package init(_ text: String, isMatch: Bool = false) {
            self.text = text
            self.isMatch = isMatch
        }
    }

    package private(set) var pieces: [Piece] = []

    package var text: String { pieces.map(\.text).joined() }
    package var hasMatch: Bool { pieces.contains(where: \.isMatch) }

    /// Only so many octets of a text are looked through.
    private static let octetsMax = 64 * 1024
    /// Characters that stand before the first match.
    private static let leadMax = 40

    /// One line, at most `charactersMax` long, with the matches of `query`.
    package init(line: String, _ query: SearchQuery, charactersMax: Int = 160) {
        let matches = Self.matches(of: query, in: line)
        let first = matches.first?.lowerBound ?? line.startIndex
        var start = line.index(first, offsetBy: -Self.leadMax, limitedBy: line.startIndex) ?? line.startIndex
        if start > line.startIndex, let gap = line[start..<first].firstIndex(of: " ") { start = line.index(after: gap) }
        let end = line.index(start, offsetBy: charactersMax, limitedBy: line.endIndex) ?? line.endIndex
        if start > line.startIndex { pieces.append(Piece("… ")) }
        var position = start
        for match in matches where match.upperBound <= end && match.lowerBound >= position {
            if position < match.lowerBound { pieces.append(Piece(String(line[position..<match.lowerBound]))) }
            pieces.append(Piece(String(line[match]), isMatch: true))
            position = match.upperBound
        }
        if position < end { pieces.append(Piece(String(line[position..<end]))) }
        if end < line.endIndex { pieces.append(Piece(" …")) }
    }

    /// The first place of a text of many lines where something of `query` stands, and what follows; nil when there is none.
    package init?(body: String, _ query: SearchQuery, charactersMax: Int = 160) {
        var lines = body.utf8.prefix(Self.octetsMax).split(separator: 0x0a).map { String(decoding: $0, as: UTF8.self) }[...]
        while let line = lines.first {
            if !Self.matches(of: query, in: line).isEmpty {
                var text = ""
                for next in lines {
                    text += (text.isEmpty ? "" : " ") + next
                    if text.utf8.count > 4 * charactersMax { break }
                }
                self.init(line: text, query, charactersMax: charactersMax)
                return
            }
            lines = lines.dropFirst()
        }
        return nil
    }

    /// In order, none of them within another.
    private static func matches(of query: SearchQuery, in line: String) -> [Range<String.Index>] {
        let terms = query.terms.filter { !$0.isNegated && $0.field == .anywhere }
        guard !terms.isEmpty else { return [] }
        let places = FoldedWord.places(in: line)
        let words = places.map { SearchTokens.cut($0.word.text) }
        var found: [Range<String.Index>] = []
        for term in terms {
            let wanted = term.words.map { SearchTokens.cut($0.text) }
            for start in words.places(ofSequence: wanted, isPrefix: term.isPrefix) {
                found.append(places[start].place.lowerBound..<places[start + wanted.count - 1].place.upperBound)
            }
        }
        found.sort { ($0.lowerBound, $1.upperBound) < ($1.lowerBound, $0.upperBound) }
        return found.reduce(into: []) { kept, range in
            if kept.last.map({ range.lowerBound >= $0.upperBound }) ?? true { kept.append(range) }
        }
    }
}
