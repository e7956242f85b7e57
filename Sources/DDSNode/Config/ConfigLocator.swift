// Where in a TOML text each key stands, for TOMLKit gives no positions. This reads only as much of the grammar (TOML 1.0) as it
// takes to follow keys. It is exact up to the first syntax error, and what it says about the text behind one is not used.

/// A place in a text, counted from one; columns count Unicode scalars.
struct ConfigPosition: Hashable, Comparable, Sendable {
    var line: Int
    var column: Int

    static let start = ConfigPosition(line: 1, column: 1)

    static func < (left: ConfigPosition, right: ConfigPosition) -> Bool {
        (left.line, left.column) < (right.line, right.column)
    }
}

/// Walks the text once.
struct ConfigLocator {
    /// Where each key is first named, also as a part of a dotted key or a header.
    private(set) var keys: [[String]: ConfigPosition] = [:]
    /// Where each value starts.
    private(set) var values: [[String]: ConfigPosition] = [:]
    /// The first place where a table's name or a value must begin and cannot, what is missing there, and the text before the statement.
    /// TOMLKit's parser asserts at some of these places instead of reporting them, so it must never see any.
    private(set) var hole: (place: ConfigPosition, missing: String, before: String)?

    private let text: [Unicode.Scalar]
    private var index = 0
    private var position = ConfigPosition.start
    private var statement = 0
    private var depth = 0
    /// Deeper keys and values are none of ours, and TOMLKit's parser refuses values nested deeper than 256.
    private static let keyDepth = 8
    private static let valueDepth = 300

    init(_ text: String) {
        self.text = Array(text.unicodeScalars)
        if self.text.first == "\u{feff}" { index = 1 }
        document()
    }

    /// The place of the first thing named `path`, or the start of the text.
    func key(_ path: [String]) -> ConfigPosition { keys[path] ?? .start }

    /// The place of the value, or of the key where the value is a table.
    func value(_ path: [String]) -> ConfigPosition { values[path] ?? key(path) }

    private var current: Unicode.Scalar? { index < text.count ? text[index] : nil }

    private func startsWith(_ mark: String) -> Bool { text[index...].starts(with: mark.unicodeScalars) }

    private mutating func step(_ count: Int = 1) {
        for _ in 0..<count where index < text.count {
            if text[index] == "\n" {
                position = ConfigPosition(line: position.line + 1, column: 1)
            } else {
                position.column += 1
            }
            index += 1
        }
    }

    private mutating func skip(_ isSkipped: (Unicode.Scalar) -> Bool) {
        while let scalar = current, isSkipped(scalar) { step() }
    }

    /// White space, line ends and comments.
    private mutating func skipFiller() {
        while let scalar = current {
            switch scalar {
            case " ", "\t", "\r", "\n": step()
            case "#": skip { $0 != "\n" }
            default: return
            }
        }
    }

    private mutating func document() {
        var table: [String] = []
        while true {
            skipFiller()
            guard let scalar = current else { return }
            statement = index
            if scalar == "[" {
                step(startsWith("[[") ? 2 : 1)
                skip { $0 == " " || $0 == "\t" }
                if let first = current, first != "]", !Self.startsKey(first) { note("the name of a table") }
                table = dottedKey(inside: [])
                skip { $0 != "\n" && $0 != "#" }
            } else {
                pair(inside: table)
            }
            // The text is valid, so this always moves on; should the two readers ever differ, a position is lost and no more.
            if index == statement { step() }
        }
    }

    private mutating func pair(inside table: [String]) {
        let path = dottedKey(inside: table)
        guard current == "=" else { return }
        step()
        skip { $0 == " " || $0 == "\t" }
        if path.count <= Self.keyDepth, values[path] == nil { values[path] = position }
        if let first = current, !Self.startsValue(first) { note("a value") }
        readValue(path)
    }

    private mutating func note(_ missing: String) {
        guard hole == nil else { return }
        hole = (position, missing, String(String.UnicodeScalarView(text[..<statement])))
    }

    /// Reads `a."b".c` and white space behind it; notes each part and returns the whole path.
    private mutating func dottedKey(inside table: [String]) -> [String] {
        var path = table
        while true {
            skip { $0 == " " || $0 == "\t" }
            let start = position
            guard let part = simpleKey() else { return path }
            path.append(part)
            if path.count <= Self.keyDepth, keys[path] == nil { keys[path] = start }
            skip { $0 == " " || $0 == "\t" }
            guard current == "." else { return path }
            step()
        }
    }

    private mutating func simpleKey() -> String? {
        switch current {
        case "\"", "'": return string()
        default:
            let start = index
            skip { Self.isBare($0) }
            return index > start ? String(String.UnicodeScalarView(text[start..<index])) : nil
        }
    }

    private static func isBare(_ scalar: Unicode.Scalar) -> Bool {
        scalar == "-" || scalar == "_" || (scalar.isASCII && scalar.properties.isAlphabetic) || ("0"..."9").contains(scalar)
    }

    private static func startsValue(_ scalar: Unicode.Scalar) -> Bool {
        isBare(scalar) || "\"'[{+.".unicodeScalars.contains(scalar)
    }

    private static func startsKey(_ scalar: Unicode.Scalar) -> Bool {
        isBare(scalar) || scalar == "\"" || scalar == "'"
    }

    private mutating func readValue(_ path: [String]) {
        depth += 1
        defer { depth -= 1 }
        guard depth < Self.valueDepth else {
            index = text.count
            return
        }
        switch current {
        case "\"", "'": _ = string()
        case "[":
            step()
            while true {
                skipFiller()
                guard let scalar = current, scalar != "]" else { return step() }
                let before = index
                if scalar == "," {
                    step()
                } else {
                    if !Self.startsValue(scalar) { note("a value") }
                    readValue(path)
                }
                if index == before { step() }
            }
        case "{":
            step()
            while true {
                skip { $0 == " " || $0 == "\t" }
                guard let scalar = current, scalar != "}", scalar != "\n" else { return step() }
                let before = index
                if scalar == "," { step() } else { pair(inside: path) }
                if index == before { step() }
            }
        default: skip { !",]}#\r\n".unicodeScalars.contains($0) }
        }
    }

    /// Any of the four kinds of strings; escapes other than of quotes stay as they are, for keys of ours have none.
    private mutating func string() -> String {
        let quote: Unicode.Scalar = current ?? "\""
        let mark = String(repeating: Character(quote), count: 3)
        let isLong = startsWith(mark)
        step(isLong ? 3 : 1)
        var content = String.UnicodeScalarView()
        while let scalar = current {
            if isLong, startsWith(mark) {
                step(3)
                // Up to two quotes may stand right before the closing three.
                skip { $0 == quote }
                break
            }
            if !isLong, scalar == quote {
                step()
                break
            }
            if scalar == "\\", quote == "\"" { step() }
            if let kept = current { content.append(kept) }
            step()
        }
        return String(content)
    }
}
