import DDSCore
import DDSTestKit
import DDSUnicode
import Foundation
import Testing

@testable import DDSSearch

@Suite(.timeLimit(.minutes(5))) struct SearchIndexTests {
    private func found(_ index: SearchIndex, _ query: String, limit: Int = .max) throws -> [UInt64] {
        try index.find(SearchQuery(query), limit: limit).numbers
    }

    /// G1: each text by what people type for it.
    @Test(arguments: [
        ("Crème brûlée for Zoë", ["creme", "CRÈME", "brulee", "zoe", "zo*", "brûl*"]),
        ("Straße, ΣΟΦΟΣ, Ёлка", ["strasse", "STRASSE", "σοφος", "Σοφός", "елка", "ёлк*"]),
        ("東京都の会議は火曜日", ["東京", "東京都", "京", "都", "会議", "火曜日", "日", "の会"]),
        ("ﾃﾞｰﾀ と データ", ["データ", "ﾃﾞｰﾀ", "デー"]), ("회의록을 보냅니다", ["회의", "회의록", "록", "보냅"]),
        ("ประชุมวันอังคาร", ["ประชุม", "อังคาร"]),
        ("الْمُهَنْدِسُ يَكْتُبُ", ["المهندس", "يكتب", "المهنـــدس", "المه*"]), ("أحمد إلى آخر", ["احمد", "أحمد", "الى", "اخر"]),
        ("שָׁלוֹם לְכוּלָּם", ["שלום", "לכולם"]), ("नमस्ते दुनिया", ["नमस्ते", "दुनिया", "दुनि*"]),
        ("Office ﬁle №5 ½ x²", ["file", "no5", "x2"]), ("soft\u{ad}hyphen zero\u{200b}width", ["softhyphen", "zerowidth"]),
        ("don't write to bob.miller@node.test", ["don't", "don", "bob.miller@node.test", "miller"]),
        ("2026年11月", ["2026", "年", "11", "11月"]),
        ("👍 ok 🇨🇭", ["ok"]), ("Nguyễn Việt", ["nguyen", "viet", "Nguyễn"]),
    ])
    func words_areFoundAsPeopleTypeThem(text: String, queries: [String]) throws {
        let index = SearchIndex()
        try index.add([document(1, "another text altogether"), document(2, text), document(3, "", subject: text)])
        for query in queries {
            #expect(try found(index, query) == [3, 2], "\(query)")
            #expect(SearchQuery(query).admits(document(2, text)), "\(query)")
            let snippet = SearchSnippet(line: text, SearchQuery(query))
            if !["no5"].contains(query) { #expect(snippet.hasMatch, "\(query): \(snippet)") }
            #expect(snippet.text == text, "\(query)")
        }
    }

    @Test func otherWords_areNotFound() throws {
        let index = SearchIndex()
        try index.add([document(1, "東京と京都 and budgets, résumé"), document(2, "x", from: ["Bob"], to: ["Carol"])])
        for query in ["大阪", "budget", "resum", "京東", "from:carol", "to:bob", "from:x", "f=bob", "nothing*", "-budgets -x"] {
            #expect(try found(index, query) == [], "\(query)")
        }
        // The pairs are there; the word is not.
        #expect(try found(index, "東京都") == [] || !SearchQuery("東京都").admits(document(1, "東京と京都")))
        #expect(SearchQuery("東京都").needsTexts && !SearchQuery("東京").needsTexts)
    }

    @Test func phrases_standInOneField() {
        let text = document(1, "The old\nred barn burns", subject: "Sum of the parts", from: ["Old Barn"])
        for query in [
            "\"old red\"", "\"OLD, red barn\"", "\"old barn\"", "-\"red old\"", "\"of the\" \"red barn\"", "\"barn\"",
        ] {
            #expect(SearchQuery(query).admits(text), "\(query)")
        }
        for query in ["\"red old\"", "\"old burns\"", "\"parts the\"", "\"old red bar\"", "-\"old red\"", "\"burns sum\""] {
            #expect(!SearchQuery(query).admits(text), "\(query)")
        }
    }

    @Test func fields_negationsAndPrefixes() throws {
        let index = SearchIndex()
        try index.add([
            document(1, "budget", from: ["Bob Miller", "bob@node.test"], to: ["board@node.test"]),
            document(2, "budget bob", from: ["Carol", "carol@node.test"], to: ["bob@node.test"]), document(3, "buds and barns"),
        ])
        #expect(try found(index, "bob") == [2, 1])
        #expect(try found(index, "from:bob") == [1])
        #expect(try found(index, "from:\"bob miller\"") == [1])
        #expect(try found(index, "from:mil*") == [1])
        #expect(try found(index, "to:bob@node.test") == [2])
        #expect(try found(index, "-from:bob") == [3, 2])
        #expect(try found(index, "bud*") == [3, 2, 1])
        #expect(try found(index, "bud* -budget") == [3])
        #expect(try found(index, "-\"budget bob\" budget") == [2, 1])
        #expect(try found(index, "is:unread") == [3, 2, 1])
        #expect(try index.find(SearchQuery("bud*"), limit: 2) == .init(numbers: [3, 2], count: 3))
        #expect(try index.find(SearchQuery("-budget"), limit: 0) == .init(numbers: [], count: 1))
    }

    /// More parts than one; what is put in later under a lower number stands where it belongs.
    @Test func parts_areOneIndex() throws {
        let index = SearchIndex(partMessages: 4)
        try index.add((11...20).map { document($0, "word w\($0)") })
        try index.add([document(3, "word w3")])
        #expect(try found(index, "word") == (11...20).reversed() + [3])
        for limit in 0...12 {
            let newest = Array(([20, 19, 18, 17, 16, 15, 14, 13, 12, 11, 3] as [UInt64]).prefix(limit))
            #expect(try index.find(SearchQuery("word"), limit: limit) == .init(numbers: newest, count: 11), "\(limit)")
        }
        #expect(try found(index, "w3") == [3] && found(index, "w13") == [13])
        #expect(try index.numbers() == [3] + (11...20))
        var parts = 0
        let late = try index.find(SearchQuery("word")) {
            parts += 1
            return parts > 1
        }
        #expect(!late.isComplete && late.numbers == [20, 19, 3])
        index.close()
        #expect(try found(index, "word") == [] && index.numbers() == [])
        try index.add([document(30, "word")])
        #expect(try index.numbers() == [])
    }

    @Test func images_bringThePartsBack() throws {
        let index = SearchIndex(partMessages: 4)
        try index.add((1...10).map { document($0, "word w\($0)") })
        #expect(index.changed == [0, 1, 2])
        let images = try index.changed.map { try #require(try index.image(part: $0)) }
        #expect(index.changed == [])
        let again = SearchIndex(partMessages: 4)
        for (number, image) in images.enumerated().reversed() { try again.load(image, part: number) }
        #expect(try again.numbers() == Array(1...10))
        // What was put back can be added to and taken from.
        try again.add([document(11, "word"), document(12, "word"), document(13, "word")])
        #expect(again.changed == [2, 3])
        try again.remove([1, 2, 3, 4, 9, 99])
        #expect(again.changed == [0, 2, 3])
        #expect(try found(again, "word") == [13, 12, 11, 10, 8, 7, 6, 5])
        #expect(try again.image(part: 0) == nil && again.changed == [2, 3])
        #expect(throws: SearchError.self) { try again.load(Array("no database".utf8), part: 7) }
        #expect(throws: SearchError.self) { try again.load([], part: 7) }
        var cut = images[0]
        cut.removeLast(cut.count / 2)
        #expect(throws: SearchError.self) { try again.load(cut, part: 7) }
    }

    /// No word that only a removed message had is in what is written or kept, whatever was done before.
    @Test(arguments: 0..<4) func removal_leavesNoTrace(kind: Int) throws {
        // Without the first octets: those a word may share with the one before it.
        let markers = ["quetzalfeather", "東雲", "雲朝", "朝焼", "f=xylophonist"].map { Array($0.utf8.dropFirst(2)) }
        let index = SearchIndex(partMessages: 64)
        let secret = SearchDocument(
            number: 40, subject: "quetzalfeather", from: ["Xylophonist"], to: [], body: "the 東雲朝焼 common words",
            files: ["quetzalfeather.pdf"])
        func add(_ numbers: ClosedRange<UInt64>) throws {
            for number in numbers { try index.add([document(number, "common words of message w\(number)")]) }
        }
        try add(1...39)
        try index.add([secret])
        // Not yet put together, in a full part, put back from an image, and with the words in other messages removed before.
        if kind == 1 { try add(41...70) }
        if kind == 3 { try index.remove([1, 2, 3]) }
        let before = try #require(try index.image(part: 0))
        for marker in markers { #expect(before.firstRange(of: marker) != nil) }
        let used = kind == 2 ? SearchIndex(partMessages: 64) : index
        if kind == 2 { try used.load(before, part: 0) }
        try used.remove([40])
        let after = try #require(try used.image(part: 0))
        for marker in markers { #expect(after.firstRange(of: marker) == nil) }
        for query in ["quetzal*", "東雲", "from:xylophonist", "w40"] { #expect(try found(used, query) == [], "\(query)") }
        #expect(try found(used, "common").count == (kind == 1 ? 69 : kind == 3 ? 36 : 39))
        #expect(try found(used, "w39") == [39])
    }

    /// A query of the costliest parts on a part that is full is done before a person wonders.
    @Test func costliestQuery_isBounded() throws {
        let index = SearchIndex(partMessages: 2048)
        let letters = (0..<26).map { UInt8(0x61 + $0) }
        try index.add(
            (1...2048).map { number in
                document(
                    number,
                    (0..<100).map { word in
                        String(
                            decoding: [letters[Int(number + word) % 26], letters[Int(number * 7 + word * word) % 26]],
                            as: UTF8.self) + "\(word)x\(number)"
                    }.joined(separator: " "))
            })
        let query = (0..<SearchQuery.partsMax).map { "a\(Character(Unicode.Scalar(0x61 + UInt8($0))))*" }.joined(separator: " ")
        let clock = ContinuousClock()
        #expect(try clock.measure { _ = try found(index, query) } < .seconds(5))
    }
}

/// Whatever is added, removed and put back: the index finds what a list of texts finds.
@Suite(.timeLimit(.minutes(5))) struct SearchRandomTests {
    static var seeds: ClosedRange<UInt64> {
        let environment = ProcessInfo.processInfo.environment
        if let seed = environment["DDSNODE_SEED"].flatMap({ UInt64($0) }) { return seed...seed }
        return 1...max(1, environment["DDSNODE_RUNS"].flatMap { UInt64($0) } ?? 20)
    }

    private static let vocabulary = [
        "barn", "barns", "bärn", "roof", "東京", "東京都", "京都", "red", "Red", "x1", "ζεύς", "שלום", "f", "t",
    ]

    @Test(arguments: SearchRandomTests.seeds) func randomOperations_agreeWithTheModel(seed: UInt64) throws {
        let random = SeededRandom(seed: seed)
        func pick(_ count: Int) -> Int { Int(random.number() % UInt64(count)) }
        do {
            var index = SearchIndex(partMessages: 1 + pick(9))
            var model: [UInt64: SearchDocument] = [:]
            var next: UInt64 = 1
            for _ in 0..<60 {
                switch pick(6) {
                case 0, 1, 2:
                    let added = (0..<(1 + pick(5))).map { _ -> SearchDocument in
                        next += UInt64(1 + pick(3))
                        let body = (0..<pick(6)).map { _ in Self.vocabulary[pick(Self.vocabulary.count)] }.joined(
                            separator: " ")
                        return document(next, body, from: [Self.vocabulary[pick(Self.vocabulary.count)]])
                    }
                    try index.add(added)
                    for document in added { model[document.number] = document }
                case 3:
                    let gone = Set(model.keys.sorted().filter { _ in pick(4) == 0 })
                    try index.remove(gone)
                    for number in gone { model[number] = nil }
                case 4:
                    let again = SearchIndex(partMessages: 5)
                    for part in 0..<200 { if let image = try index.image(part: part) { try again.load(image, part: part) } }
                    index = again
                default:
                    let word = Self.vocabulary[pick(Self.vocabulary.count)]
                    let text = ["", "-", "from:", "-from:"][pick(4)] + word
                    let query = SearchQuery(text)
                    let wanted = model.values.filter { Self.has($0, query.terms[0]) }.map(\.number).sorted(by: >)
                    let found = try index.find(query)
                    #expect(
                        found.numbers == wanted && found.count == wanted.count,
                        "\(text); replay: DDSNODE_SEED=\(seed) swift test --filter SearchRandomTests")
                }
                #expect(
                    try index.numbers() == model.keys.sorted(),
                    "replay: DDSNODE_SEED=\(seed) swift test --filter SearchRandomTests")
            }
        }
    }

    /// By looking at every word.
    private static func has(_ document: SearchDocument, _ term: SearchQuery.Term) -> Bool {
        let texts = term.field == .from ? document.from : document.fields
        let words = texts.map { FoldedWord.words(of: $0).map(\.text) }
        // What must not stand there in this order is looked for in texts.
        if term.isNegated && term.needsText { return true }
        // The pairs of a word may stand apart; that is looked at in the text.
        let isThere: Bool
        if term.words.count == 3 {
            isThere = ["東京", "京都"].allSatisfy { pair in
                words.contains { $0.contains(sequence: pair.map { String($0) }, isPrefix: false) }
            }
        } else {
            isThere = words.contains { $0.contains(sequence: term.words.map(\.text), isPrefix: false) }
        }
        return isThere != term.isNegated
    }
}
