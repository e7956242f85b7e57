// Reads the words of an IMAP command (RFC 9051 9): atoms, strings, numbers, sets, flags. It decides about syntax only; the
// grammar of single commands is in the files beside it.

/// A command that is refused, and the reply without its tag.
struct IMAPFault: Error, Hashable, Sendable {
    var reply: String
    /// The command goes on behind a literal that was not read yet.
    var needsLiteral = false

    /// What breaks the grammar, or comes in the wrong state.
    static func bad(_ text: String) -> IMAPFault { IMAPFault(reply: "BAD \(text)") }
    /// What is right and cannot be done.
    static func no(_ code: String? = nil, _ text: String) -> IMAPFault {
        IMAPFault(reply: "NO " + (code.map { "[\($0)] " } ?? "") + text)
    }
}

/// Messages as a client names them; 0 is `*`.
enum IMAPSequenceSet: Hashable, Sendable {
    case ranges([IMAPNumberRange])
    /// `$`, what the last SEARCH has saved (RFC 9051 6.4.4.1).
    case saved
}

struct IMAPNumberRange: Hashable, Sendable {
    var first: UInt32
    var last: UInt32

    /// With a `*`.
    var isOpen: Bool { first == 0 || last == 0 }

    /// In order, with what `*` stands for; 0 where that is nothing.
    func bounds(star: UInt32) -> ClosedRange<UInt32> {
        let (first, last) = (first == 0 ? star : first, last == 0 ? star : last)
        return min(first, last)...max(first, last)
    }
}

/// A cursor over a command. It never traps and looks at no octet twice but for one of foresight.
struct IMAPParser: Sendable {
    /// Ranges of one set.
    static let rangesMax = 10_000
    static let keywordsMax = 100
    static let keywordOctetsMax = 200

    private let command: IMAPCommandText
    private var line = 0
    private var position = 0

    init(_ command: IMAPCommandText) {
        self.command = command
    }

    // MARK: Octets

    var peek: UInt8? {
        guard line < command.lines.count, position < command.lines[line].count else { return nil }
        return command.lines[line][position]
    }

    /// The octet behind the next one.
    private var peekSecond: UInt8? {
        guard line < command.lines.count, position + 1 < command.lines[line].count else { return nil }
        return command.lines[line][position + 1]
    }

    var isAtEnd: Bool { peek == nil && line + 1 >= command.lines.count }

    /// Takes `octet` if it comes next.
    mutating func skip(_ octet: Unicode.Scalar) -> Bool {
        guard peek == UInt8(ascii: octet) else { return false }
        position += 1
        return true
    }

    mutating func expect(_ octet: Unicode.Scalar) throws(IMAPFault) {
        guard skip(octet) else { throw .bad(octet == " " ? "An argument is missing" : "Expected \(octet)") }
    }

    mutating func space() throws(IMAPFault) { try expect(" ") }

    mutating func end() throws(IMAPFault) {
        guard isAtEnd else { throw .bad("Too many arguments, or malformed ones") }
    }

    mutating func skipTag() { _ = run { $0 != 0x20 } }

    private mutating func run(while isPart: (UInt8) -> Bool) -> ArraySlice<UInt8> {
        guard line < command.lines.count else { return [] }
        let rest = command.lines[line][position...].prefix(while: isPart)
        position = rest.endIndex
        return rest
    }

    // MARK: Words

    /// CTL, space and what RFC 9051 calls atom-specials, and everything beyond ASCII.
    static func isAtom(_ octet: UInt8) -> Bool {
        switch octet {
        case UInt8(ascii: "("), UInt8(ascii: ")"), UInt8(ascii: "{"), UInt8(ascii: "%"), UInt8(ascii: "*"), 0x22, 0x5c,
            UInt8(ascii: "]"):
            false
        default: octet > 0x20 && octet < 0x7f
        }
    }

    static func isAString(_ octet: UInt8) -> Bool { isAtom(octet) || octet == UInt8(ascii: "]") }

    mutating func atom() throws(IMAPFault) -> String {
        let octets = run(while: Self.isAtom)
        guard !octets.isEmpty else { throw .bad("Expected an atom") }
        return String(decoding: octets, as: UTF8.self)
    }

    /// An atom in capitals: a name of the protocol.
    mutating func keyword() throws(IMAPFault) -> String { try atom().uppercased() }

    /// Letters, digits, `.` and `-`: the name of something to fetch, which may go on with `[`.
    mutating func name() -> String {
        let octets = run { octet in
            switch octet {
            case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, UInt8(ascii: "."), UInt8(ascii: "-"): true
            default: false
            }
        }
        return String(decoding: octets, as: UTF8.self).uppercased()
    }

    /// Whether a string comes next that is quoted or a literal.
    var isAtString: Bool { peek == 0x22 || peek == UInt8(ascii: "{") }

    mutating func string() throws(IMAPFault) -> [UInt8] {
        if peek == 0x22 { return try quoted() }
        if peek == UInt8(ascii: "{") { return try literal() }
        throw .bad("Expected a string")
    }

    mutating func astring() throws(IMAPFault) -> [UInt8] {
        if isAtString { return try string() }
        let octets = run(while: Self.isAString)
        guard !octets.isEmpty else { throw .bad("Expected an atom or a string") }
        return Array(octets)
    }

    /// A pattern of LIST.
    mutating func listPattern() throws(IMAPFault) -> [UInt8] {
        if isAtString { return try string() }
        let octets = run { Self.isAString($0) || $0 == UInt8(ascii: "%") || $0 == UInt8(ascii: "*") }
        guard !octets.isEmpty else { throw .bad("Expected a pattern") }
        return Array(octets)
    }

    /// A string, or nil for `NIL`.
    mutating func nstring() throws(IMAPFault) -> [UInt8]? {
        if isAtString { return try string() }
        guard try keyword() == "NIL" else { throw .bad("Expected a string or NIL") }
        return nil
    }

    private mutating func quoted() throws(IMAPFault) -> [UInt8] {
        position += 1
        var octets: [UInt8] = []
        while let octet = peek {
            position += 1
            switch octet {
            case 0x22: return octets
            case 0x5c:
                guard let escaped = peek, escaped == 0x22 || escaped == 0x5c else {
                    throw .bad("A backslash escapes \\ and \" only")
                }
                position += 1
                octets.append(escaped)
            case 0: throw .bad("NUL in a string")
            default: octets.append(octet)
            }
        }
        throw .bad("A quoted string has no end")
    }

    /// Whether the announcement of a literal comes next, which may be of eight bits (RFC 3516).
    var isAtLiteral: Bool { peek == UInt8(ascii: "{") || (peek == UInt8(ascii: "~") && peekSecond == UInt8(ascii: "{")) }

    mutating func literal(mayBeBinary: Bool = false) throws(IMAPFault) -> [UInt8] {
        let isBinary = mayBeBinary && skip("~")
        guard line < command.lines.count, let start = IMAPCommandReader.Announcement(endOf: command.lines[line][...]),
            peek == UInt8(ascii: "{"), command.lines[line][position...].dropFirst().allSatisfy({ $0 != UInt8(ascii: "{") })
        else { throw .bad("Malformed literal") }
        guard line < command.literals.count, command.literals[line].count == start.octets else {
            throw IMAPFault(reply: "BAD The literal is missing", needsLiteral: true)
        }
        let octets = command.literals[line]
        line += 1
        position = 0
        guard isBinary || !octets.contains(0) else { throw .bad("NUL in a literal") }
        return octets
    }

    // MARK: Numbers

    mutating func number64() throws(IMAPFault) -> UInt64 {
        let digits = run { (0x30...0x39).contains($0) }
        guard (1...19).contains(digits.count), let value = UInt64(String(decoding: digits, as: UTF8.self)), value >> 63 == 0
        else { throw .bad("Expected a number") }
        return value
    }

    mutating func number() throws(IMAPFault) -> UInt32 {
        guard let value = UInt32(exactly: try number64()) else { throw .bad("The number is too large") }
        return value
    }

    mutating func positive() throws(IMAPFault) -> UInt32 {
        let value = try number()
        guard value > 0 else { throw .bad("Expected a number above 0") }
        return value
    }

    mutating func sequenceSet() throws(IMAPFault) -> IMAPSequenceSet {
        if skip("$") { return .saved }
        var ranges: [IMAPNumberRange] = []
        repeat {
            guard ranges.count < Self.rangesMax else { throw .bad("More than \(Self.rangesMax) ranges in a set") }
            let first = try setNumber()
            ranges.append(IMAPNumberRange(first: first, last: skip(":") ? try setNumber() : first))
        } while skip(",")
        return .ranges(ranges)
    }

    private mutating func setNumber() throws(IMAPFault) -> UInt32 { skip("*") ? 0 : try positive() }

    // MARK: Flags

    /// `(\Seen $Junk)`. Flags that nobody here knows, and `\Recent`, are counted and left out.
    mutating func flagList() throws(IMAPFault) -> (flags: IMAPFlags, unknown: Int) {
        try expect("(")
        var list = FlagList()
        if !skip(")") {
            repeat { try flag(&list) } while skip(" ")
            try expect(")")
        }
        return (IMAPFlags(list.system, keywords: list.keywords.values.sorted()), list.unknown)
    }

    /// A list, or flags with spaces between them (STORE, RFC 9051 9).
    mutating func storeFlags() throws(IMAPFault) -> (flags: IMAPFlags, unknown: Int) {
        if peek == UInt8(ascii: "(") { return try flagList() }
        var list = FlagList()
        repeat { try flag(&list) } while skip(" ")
        return (IMAPFlags(list.system, keywords: list.keywords.values.sorted()), list.unknown)
    }

    private struct FlagList {
        var system: IMAPFlags.System = []
        /// By their names in lower case.
        var keywords: [String: String] = [:]
        var unknown = 0
    }

    private mutating func flag(_ list: inout FlagList) throws(IMAPFault) {
        if skip("\\") {
            if let flag = IMAPFlags.System(name: try atom()) { list.system.insert(flag) } else { list.unknown += 1 }
            return
        }
        let keyword = try flagKeyword()
        if list.keywords[keyword.lowercased()] == nil { list.keywords[keyword.lowercased()] = keyword }
        guard list.keywords.count <= Self.keywordsMax else { throw .no("LIMIT", "At most \(Self.keywordsMax) keywords") }
    }

    mutating func flagKeyword() throws(IMAPFault) -> String {
        let keyword = try atom()
        guard keyword.utf8.count <= Self.keywordOctetsMax else {
            throw .no("LIMIT", "A keyword has at most \(Self.keywordOctetsMax) octets")
        }
        return keyword
    }
}

extension IMAPFlags.System {
    /// In the order in which they are written.
    static let names: [(flag: IMAPFlags.System, name: String)] = [
        (.answered, "Answered"), (.flagged, "Flagged"), (.deleted, "Deleted"), (.seen, "Seen"), (.draft, "Draft"),
    ]

    /// The flag of that name without its backslash, in any case of letters.
    init?(name: String) {
        let lower = name.lowercased()
        guard let entry = Self.names.first(where: { $0.name.lowercased() == lower }) else { return nil }
        self = entry.flag
    }
}
