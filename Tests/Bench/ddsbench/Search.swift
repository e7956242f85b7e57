// Searching many messages, beside one table of SQLite's own with the same texts in the same process. Texts are random words, of
// which few are frequent and most are rare (Zipf), as in mail.

import CSQLite
import DDSNode
import DDSSearch
import Glibc

enum SearchBench {
    private static let vocabulary = 60_000
    private static let wordsOfText = 330
    private static let queries = 400

    /// Words by their rank, and texts of them; the same for the same seed.
    private struct Texts {
        private var state: UInt64 = 4711
        private let words: [String]

        init() {
            var state: UInt64 = 1
            words = (0..<SearchBench.vocabulary).map { rank in
                var number = rank
                var word = ""
                for _ in 0..<(2 + rank % 4) {
                    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                    word.unicodeScalars.append(Unicode.Scalar(UInt8(0x61 + (state >> 33) % 26)))
                }
                repeat {
                    word.unicodeScalars.append(Unicode.Scalar(UInt8(0x61 + number % 26)))
                    number /= 26
                } while number > 0
                return word
            }
        }

        mutating func fraction() -> Double {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Double(state >> 11) / Double(1 << 53)
        }

        /// The n-th word is n times as rare as the first.
        mutating func word() -> String {
            let rank = exp(fraction() * log(Double(SearchBench.vocabulary)))
            return words[min(SearchBench.vocabulary - 1, Int(rank) - 1)]
        }

        mutating func text() -> String { (0..<SearchBench.wordsOfText).map { _ in word() }.joined(separator: " ") }
    }

    static func run(count: Int) throws -> [(String, JSONValue)] {
        var texts = Texts()
        let before = residentBytes()
        let index = SearchIndex()
        var indexing = Duration.zero
        var octets = 0
        for start in stride(from: 0, to: count, by: 64) {
            let batch = (start..<min(count, start + 64)).map { number in
                SearchDocument(number: UInt64(number + 1), subject: "", from: [], to: [], body: texts.text())
            }
            octets += batch.reduce(0) { $0 + $1.body.utf8.count }
            indexing += try ContinuousClock().measure { try index.add(batch) }
        }
        let after = residentBytes()
        let asked = (0..<queries).map { number -> String in
            let words = (0...(number % 3)).map { _ in texts.word() }
            return number % 5 == 4 ? words[0] + "*" : words.joined(separator: " ")
        }
        let times = try asked.map { text in
            try ContinuousClock().measure { _ = try index.find(SearchQuery(text), limit: 1000) }
        }
        let wide = try asked.map { text in try ContinuousClock().measure { _ = try index.find(SearchQuery(text)) } }
        var images = 0
        let loading = try ContinuousClock().measure {
            let again = SearchIndex()
            for part in 0...(count / SearchIndex.partMessages) {
                guard let image = try index.image(part: part) else { continue }
                images += image.count
                try again.load(image, part: part)
            }
            again.close()
        }
        index.close()
        let bare = try bareTimes(count: count, asked)
        return [
            ("messages", .number(count)), ("octets", .number(octets)), ("rss_kib", .number((after - before) / 1024)),
            ("image_kib", .number(images / 1024)), ("indexed_per_second", .number(Int(Double(count) / indexing.seconds))),
            ("p50_us", .number(at(0.5, of: times))), ("p95_us", .number(at(0.95, of: times))),
            ("all_p95_us", .number(at(0.95, of: wide))), ("load_ms", .number(Int(loading.seconds * 1000))),
            ("bare_p95_us", .number(at(0.95, of: bare))),
        ]
    }

    private static func at(_ share: Double, of times: [Duration]) -> Int {
        let sorted = times.sorted()
        return Int(sorted[min(sorted.count - 1, Int(Double(sorted.count) * share))].seconds * 1_000_000)
    }

    private static func residentBytes() -> Int {
        guard let file = unsafe fopen("/proc/self/statm", "r") else { return 0 }
        defer { unsafe fclose(file) }
        var text = [CChar](repeating: 0, count: 200)
        guard unsafe fgets(&text, 200, file) != nil else { return 0 }
        let fields = String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self).split(
            separator: " ")
        return fields.count > 1 ? (Int(fields[1]) ?? 0) * Int(sysconf(Int32(_SC_PAGESIZE))) : 0
    }

    /// One table with the same texts, asked for the newest thousand and for how many there are.
    private static func bareTimes(count: Int, _ asked: [String]) throws -> [Duration] {
        var texts = Texts()
        var opened: OpaquePointer?
        guard unsafe sqlite3_open(":memory:", &opened) == SQLITE_OK, let database = unsafe opened else {
            throw BenchError("SQLite does not open")
        }
        defer { unsafe sqlite3_close_v2(database) }
        func run(_ sql: String) throws {
            guard unsafe sqlite3_exec(database, sql, nil, nil, nil) == SQLITE_OK else {
                throw BenchError("SQLite: \(sql.prefix(60))")
            }
        }
        try run("CREATE VIRTUAL TABLE words USING fts5(text, content = '', detail = none, columnsize = 0)")
        for start in stride(from: 0, to: count, by: 64) {
            let rows = (start..<min(count, start + 64)).map { "(\($0 + 1), '\(texts.text())')" }.joined(separator: ",")
            try run("INSERT INTO words(rowid, text) VALUES \(rows)")
        }
        try run("INSERT INTO words(words) VALUES('optimize')")
        return try asked.map { text in
            let words = text.split(separator: " ").map { $0.hasSuffix("*") ? "\"\($0.dropLast())\" *" : "\"\($0)\"" }.joined(
                separator: " AND ")
            return try ContinuousClock().measure {
                try run("SELECT rowid FROM words WHERE words MATCH '\(words)' ORDER BY rowid DESC LIMIT 1000")
                try run("SELECT count(*) FROM words WHERE words MATCH '\(words)'")
            }
        }
    }
}

extension Duration {
    fileprivate var seconds: Double { Double(components.seconds) + Double(components.attoseconds) / 1e18 }
}
