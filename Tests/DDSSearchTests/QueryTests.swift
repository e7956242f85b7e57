import DDSCore
import DDSUnicode
import Testing

@testable import DDSSearch

@Suite struct SearchQueryTests {
    private func words(_ text: String) -> [[String]] { SearchQuery(text).terms.map { $0.words.map(\.text) } }

    @Test func wordsPrefixesAndPhrases_areTerms() {
        let query = SearchQuery("Budget roof* \"old barn\" -noise -\"not this\" from:Bob to:\"Carol Miller\"")
        #expect(query.problem == nil)
        #expect(
            query.terms.map { $0.words.map(\.text) } == [
                ["budget"], ["roof"], ["old", "barn"], ["noise"], ["not", "this"], ["bob"], ["carol", "miller"],
            ])
        #expect(query.terms.map(\.isPrefix) == [false, true, false, false, false, false, false])
        #expect(query.terms.map(\.isPhrase) == [false, false, true, false, true, false, true])
        #expect(query.terms.map(\.isNegated) == [false, false, false, true, true, false, false])
        #expect(query.terms.map(\.field) == [.anywhere, .anywhere, .anywhere, .anywhere, .anywhere, .from, .to])
    }

    @Test func unknownNames_areWords() {
        #expect(words("http://node.test re: x:y") == [["http", "node", "test"], ["re"], ["x", "y"]])
        #expect(words("FROM:bob From:\"x\"") == [["bob"], ["x"]])
    }

    @Test(arguments: [
        ("in:Board", SearchQuery.Condition.group("board")), ("in:#board", .group("board")), ("in:inbox", .inbox),
        ("in:ARCHIVE", .archive), ("in:sent", .sent), ("in:private", .privateMail), ("has:attachment", .attachment),
        ("is:unread", .unread), ("is:read", .read), ("is:starred", .starred), ("before:1970", .before(0)),
        ("after:1970-02", .after(31 * 86400)), ("after:2000-03-01", .after(951_868_800)),
        ("in:\"Éva's group\"", .group("eva s group")),
    ])
    func conditions(text: String, condition: SearchQuery.Condition) {
        #expect(SearchQuery(text).filters == [SearchQuery.Filter(condition: condition)])
        #expect(SearchQuery("-" + text).filters == [SearchQuery.Filter(condition: condition, isNegated: true)])
    }

    /// Each names what to write instead, and nothing is looked for.
    @Test(arguments: [
        ("is:", "unread, read or starred"), ("is:new", "unread, read or starred"), ("has:wings", "attachment"),
        ("in:", "group's name"), ("before:", "2026-11-28"), ("after:yesterday", "2026-11-28"), ("before:2026-13", "2026-11-28"),
        ("before:2026-02-29", "2026-11-28"), ("before:26", "2026-11-28"), ("after:2026-11-28-1", "2026-11-28"),
        ("after:2026-+1", "2026-11-28"), ("from:", "from:bob"), ("to:\"\"", "to:bob"), ("a*", "2 letters"),
        ("!!", "type a word"),
        ("\"\"", "type a word"),
    ])
    func mistakes_haveARemedy(text: String, remedy: String) {
        #expect(SearchQuery(text).problem?.contains(remedy) == true, "\(SearchQuery(text))")
    }

    @Test func nothing_isNoMistake() {
        for text in ["", "  ", "\n\t"] { #expect(SearchQuery(text).isEmpty) }
        #expect(!SearchQuery("!!").isEmpty)
    }

    @Test func limits_holdExactly() {
        let longest = String(repeating: "x", count: SearchQuery.octetsMax)
        #expect(SearchQuery(longest).problem == nil)
        #expect(SearchQuery(longest + "x").problem?.contains("too long") == true)
        let most = Array(repeating: "word", count: SearchQuery.partsMax).joined(separator: " ")
        #expect(SearchQuery(most).problem == nil && SearchQuery(most).terms.count == SearchQuery.partsMax)
        #expect(SearchQuery(most + " one").problem?.contains("\(SearchQuery.partsMax) words") == true)
        #expect(SearchQuery("bu*").problem == nil && SearchQuery("b*").problem != nil)
    }

    /// A quote that is not closed, a lone hyphen, typographic quotes.
    @Test func sloppyWriting_isUnderstood() {
        #expect(words("\"old barn") == [["old", "barn"]] && SearchQuery("\"old barn").terms[0].isPhrase)
        #expect(words("“old barn” roof") == [["old", "barn"], ["roof"]])
        #expect(words("roof - barn") == [["roof"], ["barn"]] && !SearchQuery("roof - barn").terms[1].isNegated)
        #expect(words("roof\"old barn\"") == [["roof"], ["old", "barn"]])
    }

    /// What FTS5 reads as its own language arrives as words.
    @Test(arguments: ["AND OR NOT NEAR(a b)", "text : x", "^a {b} + c", "words MATCH 'x'; DROP TABLE messages", "\0\u{1}"])
    func nothingOfFTS5sLanguage_getsThrough(text: String) throws {
        let index = SearchIndex()
        try index.add([document(1, "nothing of the kind")])
        #expect(try index.find(SearchQuery(text + " kind")).count <= 1)
        guard case .words(let expression) = SearchQuery("kind " + text).expression else { return }
        let inQuotes = expression.split(separator: "\"", omittingEmptySubsequences: false).enumerated()
        for (place, part) in inQuotes where place.isMultiple(of: 2) {
            #expect(
                part.allSatisfy { " ()*".contains($0) } || ["AND", "OR", "NOT"].contains(part.filter { $0.isLetter }), "\(part)"
            )
        }
    }

    @Test func facts_decideFilters() {
        let fact = SearchFacts(group: "Board", date: 1000, isUnread: true, hasAttachments: true)
        for text in [
            "in:board", "is:unread has:attachment", "-is:read", "in:inbox", "before:1971", "-in:private", "after:1970",
        ] {
            #expect(SearchQuery(text).admits(fact), "\(text)")
        }
        for text in ["in:other", "is:read", "is:starred", "in:archive", "in:sent", "in:private", "before:1970", "-in:board"] {
            #expect(!SearchQuery(text).admits(fact), "\(text)")
        }
        // before: ends where after: begins.
        let midnight = SearchFacts(group: nil, date: 31 * 86400)
        #expect(SearchQuery("after:1970-02-01").admits(midnight) && !SearchQuery("before:1970-02-01").admits(midnight))
    }

    @Test func everyDay_beginsWhereItsCivilDateSays() {
        for day in stride(from: -30_000, through: 60_000, by: 17) {
            let civil = CivilTime(secondsSinceEpoch: Int64(day) * 86400)
            func two(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
            #expect(SearchQuery.start(of: "\(civil.year)-\(two(civil.month))-\(two(civil.day))") == Int64(day) * 86400)
        }
    }
}

func document(_ number: UInt64, _ body: String, subject: String = "", from: [String] = [], to: [String] = []) -> SearchDocument
{
    SearchDocument(number: number, subject: subject, from: from, to: to, body: body)
}
