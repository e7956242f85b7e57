// The index of some thousand messages: which words are in which. Texts are not kept, and of a message that is removed no word
// stays, neither in the table nor in what was freed.

/// Used by one thread at a time. Messages are numbers; tokens are what `SearchTokens` makes of texts.
final class SearchShard {
    /// Changes whenever an image of before cannot be used any more.
    static let format = 1

    private let connection: Connection

    /// An empty one.
    init() throws(SearchError) {
        connection = try Connection()
        // Neither texts nor places in them: a message has a word, or has it not. That is a third of what places take.
        try connection.run(
            """
            PRAGMA secure_delete = ON;
            CREATE VIRTUAL TABLE words USING fts5(
                text, content = '', detail = none, columnsize = 0, tokenize = "ascii tokenchars '='");
            CREATE TABLE messages(number INTEGER PRIMARY KEY);
            PRAGMA user_version = \(Self.format);
            """)
    }

    /// The one of which `image` was taken; throws when it is of another format or damaged.
    init(image: [UInt8]) throws(SearchError) {
        connection = try Connection(image: image)
        try connection.run("PRAGMA secure_delete = ON")
        guard try connection.numbers("PRAGMA user_version") == [Int64(Self.format)] else {
            throw SearchError(code: 0, words: "an image of another format")
        }
    }

    /// In ascending order.
    func numbers() throws(SearchError) -> [UInt64] {
        try connection.numbers("SELECT number FROM messages ORDER BY number").map { UInt64(bitPattern: $0) }
    }

    func image() throws(SearchError) -> [UInt8] { try connection.image() }

    /// All of them or, when it throws, none.
    func add(_ messages: [(number: UInt64, tokens: String)]) throws(SearchError) {
        try transaction { () throws(SearchError) in
            for message in messages {
                let number = Connection.Value.number(Int64(bitPattern: message.number))
                try connection.run("INSERT INTO messages VALUES(?1)", number)
                try connection.run("INSERT INTO words(rowid, text) VALUES(?1, ?2)", number, .text(message.tokens))
            }
        }
    }

    /// A table without texts wants to be told which words a message had. It knows them itself.
    func remove(_ numbers: Set<UInt64>) throws(SearchError) {
        try connection.run("CREATE VIRTUAL TABLE IF NOT EXISTS temp.had USING fts5vocab(main, words, instance)")
        var tokens: [Int64: [String]] = [:]
        let list = numbers.map { "\(Int64(bitPattern: $0))" }.joined(separator: ",")
        for (term, number) in try connection.pairs("SELECT term, doc FROM temp.had WHERE doc IN (\(list))") {
            tokens[number, default: []].append(term)
        }
        try connection.run("DROP TABLE temp.had")
        try transaction { () throws(SearchError) in
            for number in numbers.map({ Int64(bitPattern: $0) }) {
                let text = (tokens[number] ?? []).joined(separator: " ")
                try connection.run(
                    "INSERT INTO words(words, rowid, text) VALUES('delete', ?1, ?2)", .number(number), .text(text))
                try connection.run("DELETE FROM messages WHERE number = ?1", .number(number))
            }
        }
        try compact()
    }

    /// Puts the parts of the table together, which is when removed words go, and gives back what is free.
    func compact() throws(SearchError) {
        try connection.run("INSERT INTO words(words) VALUES('optimize')")
        try connection.run("VACUUM")
    }

    private func transaction(_ work: () throws(SearchError) -> Void) throws(SearchError) {
        try connection.run("BEGIN")
        do throws(SearchError) {
            try work()
            try connection.run("COMMIT")
        } catch {
            try? connection.run("ROLLBACK")
            throw error
        }
    }

    /// Messages that an expression of FTS5 matches, the newest `limit` of them and how many there are.
    func find(_ expression: String, limit: Int) throws(SearchError) -> (numbers: [UInt64], count: Int) {
        let found =
            limit == 0
            ? []
            : try connection.numbers(
                "SELECT rowid FROM words WHERE words MATCH ?1 ORDER BY rowid DESC", .text(expression), limit: limit)
        guard found.count == limit else { return (found.map { UInt64(bitPattern: $0) }, found.count) }
        let count = try connection.numbers("SELECT count(*) FROM words WHERE words MATCH ?1", .text(expression))
        return (found.map { UInt64(bitPattern: $0) }, Int(count.first ?? 0))
    }
}
