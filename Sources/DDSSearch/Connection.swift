// One SQLite database in memory, as a Swift object. It decides nothing about what is kept in it. Nothing of it reaches a disk:
// temporary tables and journals are in memory too, and memory that SQLite gives back is overwritten first.

import CSQLite

/// Why the index cannot do something, in SQLite's words. Nothing of a message is in them.
package struct SearchError: Error, Hashable, Sendable, CustomStringConvertible {
    package var code: Int32
    package var words: String

    package var description: String { "\(words) (\(code))" }
}

/// Used by one thread at a time.
@safe
final class Connection {
    enum Value {
        case number(Int64)
        case text(String)
    }

    private static let isStarted: Bool = {
        let status = dds_sqlite_start()
        precondition(status == SQLITE_OK, "SQLite does not start: \(status)")
        return true
    }()

    private let handle: OpaquePointer
    /// Statements by their text, each prepared once.
    private var statements: [String: OpaquePointer] = unsafe [:]

    /// An empty database.
    init() throws(SearchError) {
        precondition(Self.isStarted)
        var opened: OpaquePointer?
        let flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_MEMORY | SQLITE_OPEN_NOMUTEX
        let status = unsafe sqlite3_open_v2(":memory:", &opened, flags, nil)
        guard status == SQLITE_OK, let handle = unsafe opened else {
            unsafe sqlite3_close_v2(opened)
            throw SearchError(code: status, words: "no database in memory")
        }
        unsafe self.handle = handle
        try run("PRAGMA temp_store = MEMORY")
    }

    /// The database of which `image` was taken.
    convenience init(image: [UInt8]) throws(SearchError) {
        try self.init()
        guard let buffer = unsafe sqlite3_malloc64(UInt64(image.count)) else {
            throw SearchError(code: SQLITE_NOMEM, words: "no memory for an image")
        }
        unsafe buffer.copyMemory(from: image, byteCount: image.count)
        let flags = UInt32(SQLITE_DESERIALIZE_FREEONCLOSE | SQLITE_DESERIALIZE_RESIZEABLE)
        // Takes the buffer over, also when it fails.
        let status = unsafe sqlite3_deserialize(
            handle, "main", buffer.assumingMemoryBound(to: UInt8.self), Int64(image.count), Int64(image.count), flags)
        try check(status)
        // The image is in memory already; the pages need not be there twice.
        try run("PRAGMA cache_size = -128")
    }

    deinit {
        unsafe statements.values.forEach { _ = unsafe sqlite3_finalize($0) }
        unsafe sqlite3_close_v2(handle)
    }

    /// The whole database as bytes.
    func image() throws(SearchError) -> [UInt8] {
        var size: Int64 = 0
        guard let bytes = unsafe sqlite3_serialize(handle, "main", &size, 0) else {
            throw SearchError(code: SQLITE_NOMEM, words: "no memory for an image")
        }
        defer { unsafe sqlite3_free(bytes) }
        return unsafe [UInt8](UnsafeRawBufferPointer(start: bytes, count: Int(size)))
    }

    /// Runs statements that take and give nothing.
    func run(_ sql: String) throws(SearchError) {
        try check(unsafe sqlite3_exec(handle, sql, nil, nil, nil))
    }

    /// Runs one statement.
    func run(_ sql: String, _ values: Value...) throws(SearchError) {
        _ = unsafe try rows(sql, values, limit: 0) { _ in () }
    }

    /// The first column of the first `limit` rows.
    func numbers(_ sql: String, _ values: Value..., limit: Int = .max) throws(SearchError) -> [Int64] {
        unsafe try rows(sql, values, limit: limit) { unsafe sqlite3_column_int64($0, 0) }
    }

    /// The first two columns: a text and a number.
    func pairs(_ sql: String, _ values: Value...) throws(SearchError) -> [(String, Int64)] {
        unsafe try rows(sql, values, limit: .max) { statement in
            guard let text = unsafe sqlite3_column_text(statement, 0) else { return ("", 0) }
            return unsafe (String(cString: text), sqlite3_column_int64(statement, 1))
        }
    }

    private func rows<Row>(
        _ sql: String, _ values: [Value], limit: Int, _ row: (OpaquePointer) -> Row
    ) throws(SearchError) -> [Row] {
        let statement = unsafe try prepared(sql)
        defer {
            unsafe sqlite3_reset(statement)
            unsafe sqlite3_clear_bindings(statement)
        }
        for (place, value) in values.enumerated() {
            switch value {
            case .number(let number): try check(unsafe sqlite3_bind_int64(statement, Int32(place + 1), number))
            case .text(let text):
                var text = text
                let status = text.withUTF8 { octets in
                    unsafe octets.withMemoryRebound(to: CChar.self) {
                        unsafe dds_sqlite_bind_text(statement, Int32(place + 1), $0.baseAddress, Int32($0.count))
                    }
                }
                try check(status)
            }
        }
        var found: [Row] = []
        while true {
            let status = unsafe sqlite3_step(statement)
            guard status == SQLITE_ROW else {
                if status == SQLITE_DONE { return found }
                throw failure(status)
            }
            guard found.count < limit else { return found }
            found.append(unsafe row(statement))
        }
    }

    private func prepared(_ sql: String) throws(SearchError) -> OpaquePointer {
        if let known = unsafe statements[sql] { return unsafe known }
        var made: OpaquePointer?
        try check(unsafe sqlite3_prepare_v3(handle, sql, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &made, nil))
        guard let statement = unsafe made else { preconditionFailure("an empty statement") }
        unsafe statements[sql] = statement
        return unsafe statement
    }

    private func check(_ status: Int32) throws(SearchError) {
        guard status == SQLITE_OK else { throw failure(status) }
    }

    private func failure(_ status: Int32) -> SearchError {
        // The words for a code say nothing of a text, the message of the connection may.
        SearchError(code: status, words: unsafe String(cString: sqlite3_errstr(status)))
    }
}
