// How a query is written: words, `word*`, `"phrases"`, `-not`, and `name:value`. What is written wrongly gives a sentence with
// a remedy and finds nothing; names that are none of these are words like others.

import DDSCore
import DDSUnicode

extension SearchQuery {
    /// Octets of a query, and what it may consist of.
    package static let octetsMax = 1000
    package static let partsMax = 24
    /// Shorter beginnings of words would find nearly everything.
    static let prefixLettersMin = 2

    private enum Name: String {
        case from, to, `in`, has, before, after, `is`
    }

    /// One part of a query as it was written.
    private struct Piece {
        var name: Name?
        var value = ""
        var isQuoted = false
        var isNegated = false
    }

    package init(_ text: String) {
        guard text.utf8.count <= Self.octetsMax else {
            problem = "That is too long to look for; a few words are enough."
            return
        }
        let pieces = Self.pieces(of: text)
        guard pieces.count <= Self.partsMax else {
            problem = "That is more than \(Self.partsMax) words; take away those that matter least."
            return
        }
        for piece in pieces where problem == nil { add(piece) }
        if problem == nil, isEmpty, !pieces.isEmpty {
            problem = "There is no letter or digit in that; type a word to look for."
        }
    }

    private static func isQuote(_ character: Character) -> Bool { "\"“”„‟".contains(character) }

    private static func pieces(of text: String) -> [Piece] {
        var pieces: [Piece] = []
        var rest = text[...]
        while true {
            rest = rest.drop(while: \.isWhitespace)
            guard !rest.isEmpty else { return pieces }
            var piece = Piece()
            if rest.first == "-", rest.dropFirst().first.map({ !$0.isWhitespace }) == true {
                piece.isNegated = true
                rest = rest.dropFirst()
            }
            let name = rest.prefix { $0.isASCII && $0.isLetter }
            if let known = Name(rawValue: name.lowercased()), rest[name.endIndex...].first == ":" {
                piece.name = known
                rest = rest[name.endIndex...].dropFirst()
            }
            if rest.first.map(isQuote) == true {
                piece.isQuoted = true
                let inner = rest.dropFirst()
                piece.value = String(inner.prefix { !isQuote($0) })
                // Whoever forgot the second quote means everything behind the first.
                rest = inner.dropFirst(piece.value.count).dropFirst()
            } else {
                piece.value = String(rest.prefix { !$0.isWhitespace && !isQuote($0) })
                rest = rest.dropFirst(piece.value.count)
            }
            pieces.append(piece)
        }
    }

    private mutating func add(_ piece: Piece) {
        switch piece.name {
        case nil: addWords(piece, .anywhere)
        case .from: addWords(piece, .from)
        case .to: addWords(piece, .to)
        case .in, .has, .before, .after, .is:
            guard let condition = condition(piece) else { return }
            filters.append(Filter(condition: condition, isNegated: piece.isNegated))
        }
    }

    private mutating func addWords(_ piece: Piece, _ field: Term.Field) {
        let words = FoldedWord.words(of: piece.value)
        guard let last = words.last else {
            if let name = piece.name {
                problem = "Write a name or an address right behind \(name.rawValue):, like \(name.rawValue):bob."
            }
            return
        }
        var term = Term(words: words, field: field)
        term.isPrefix = !piece.isQuoted && piece.value.hasSuffix("*") && last.kind == .word
        if term.isPrefix, last.text.unicodeScalars.count < Self.prefixLettersMin {
            problem = "Write at least \(Self.prefixLettersMin) letters before *, like bud*."
            return
        }
        term.isPhrase = piece.isQuoted
        term.isNegated = piece.isNegated
        terms.append(term)
    }

    private mutating func condition(_ piece: Piece) -> Condition? {
        let value = piece.value.lowercased()
        switch piece.name {
        case .is:
            switch value {
            case "unread": return .unread
            case "read": return .read
            case "starred": return .starred
            default: problem = "Behind is: stands unread, read or starred."
            }
        case .has:
            if ["attachment", "attachments", "file", "files"].contains(value) { return .attachment }
            problem = "Behind has: stands attachment."
        case .in: return place(value)
        case .before, .after:
            guard let start = Self.start(of: value) else {
                problem = "Behind \(piece.name?.rawValue ?? ""): stands a date, like 2026, 2026-11 or 2026-11-28."
                break
            }
            return piece.name == .before ? .before(start) : .after(start)
        case .from, .to, nil: break
        }
        return nil
    }

    private mutating func place(_ value: String) -> Condition? {
        switch value {
        case "inbox": return .inbox
        case "archive": return .archive
        case "sent": return .sent
        case "private": return .privateMail
        case "trash": return .trash
        default:
            let name = Self.folded(value)
            if !name.isEmpty { return .group(name) }
            problem = "Behind in: stands a group's name, or inbox, archive, sent, private or trash."
            return nil
        }
    }

    /// When a year, month or day begins, in UTC; nil for what is none.
    static func start(of date: String) -> Int64? {
        let parts = date.split(separator: "-", omittingEmptySubsequences: false)
        guard (1...3).contains(parts.count), parts[0].utf8.count == 4,
            parts.dropFirst().allSatisfy({ (1...2).contains($0.utf8.count) })
        else { return nil }
        let numbers = parts.compactMap { part in part.utf8.allSatisfy { (0x30...0x39).contains($0) } ? Int(part) : nil }
        guard numbers.count == parts.count else { return nil }
        let (year, month, day) = (numbers[0], numbers.count > 1 ? numbers[1] : 1, numbers.count > 2 ? numbers[2] : 1)
        guard year >= 1, (1...12).contains(month), (1...31).contains(day) else { return nil }
        // Years that begin in March have the leap day at their end.
        let shifted = month > 2 ? year : year - 1
        let dayOfYear = (153 * ((month + 9) % 12) + 2) / 5 + day - 1
        let days = shifted * 365 + shifted / 4 - shifted / 100 + shifted / 400 + dayOfYear - 719_468
        let seconds = Int64(days) * 86400
        let civil = CivilTime(secondsSinceEpoch: seconds)
        return (civil.year, civil.month, civil.day) == (year, month, day) ? seconds : nil
    }
}
