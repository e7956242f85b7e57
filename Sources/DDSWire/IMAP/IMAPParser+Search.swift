// The grammar of SEARCH, SORT and THREAD (RFC 9051 6.4.4, RFC 5256, RFC 5032, RFC 7162 3.1.5). What is found is not decided
// here.

/// What SEARCH shall return (RFC 9051 6.4.4).
struct IMAPSearchReturn: OptionSet, Sendable {
    var rawValue: UInt8
    static let min = IMAPSearchReturn(rawValue: 1)
    static let max = IMAPSearchReturn(rawValue: 2)
    static let all = IMAPSearchReturn(rawValue: 4)
    static let count = IMAPSearchReturn(rawValue: 8)
    static let save = IMAPSearchReturn(rawValue: 16)
}

/// Reads search keys. Depth and number are bounded, so no command makes a deep or large key.
struct IMAPSearchParser {
    static let depthMax = 30
    static let keysMax = 1000

    /// Turns numbers of messages into uids.
    let resolve: (IMAPSequenceSet, _ isUID: Bool) throws(IMAPFault) -> IMAPSet
    private(set) var usesModSeq = false
    private var keys = 0

    init(resolve: @escaping (IMAPSequenceSet, _ isUID: Bool) throws(IMAPFault) -> IMAPSet) {
        self.resolve = resolve
    }

    /// `key SP key ...`, to the end of the command or to a closing parenthesis.
    mutating func keys(_ parser: inout IMAPParser, depth: Int = 0) throws(IMAPFault) -> IMAPSearchKey {
        var list: [IMAPSearchKey] = []
        repeat { list.append(try key(&parser, depth: depth)) } while parser.skip(" ")
        return list.count == 1 ? list[0] : .and(list)
    }

    private mutating func key(_ parser: inout IMAPParser, depth: Int) throws(IMAPFault) -> IMAPSearchKey {
        keys += 1
        guard keys <= Self.keysMax else { throw .bad("More than \(Self.keysMax) search keys") }
        guard depth < Self.depthMax else { throw .bad("Search keys nested more than \(Self.depthMax) deep") }
        if parser.skip("(") {
            let inner = try keys(&parser, depth: depth + 1)
            try parser.expect(")")
            return inner
        }
        switch parser.peek {
        case .some(0x30...0x39), UInt8(ascii: "*"), UInt8(ascii: "$"):
            return .uids(try resolve(try parser.sequenceSet(), false))
        default: break
        }
        let name = try parser.keyword()
        if let flag = Self.flags[name] { return .flag(flag.flag, flag.isSet) }
        switch name {
        case "ALL": return .all
        // RFC 3501; no message is \Recent here.
        case "OLD": return .all
        case "NEW", "RECENT": return .not(.all)
        case "NOT":
            try parser.space()
            return .not(try key(&parser, depth: depth + 1))
        case "OR":
            try parser.space()
            let left = try key(&parser, depth: depth + 1)
            try parser.space()
            return .or(left, try key(&parser, depth: depth + 1))
        case "UID":
            try parser.space()
            return .uids(try resolve(try parser.sequenceSet(), true))
        default: return try argumentKey(name, &parser)
        }
    }

    private static let flags: [String: (flag: IMAPFlags.System, isSet: Bool)] = {
        var table: [String: (flag: IMAPFlags.System, isSet: Bool)] = [:]
        for (flag, name) in IMAPFlags.System.names {
            table[name.uppercased()] = (flag, true)
            table["UN" + name.uppercased()] = (flag, false)
        }
        return table
    }()

    private mutating func argumentKey(_ name: String, _ parser: inout IMAPParser) throws(IMAPFault) -> IMAPSearchKey {
        switch name {
        case "BCC", "CC", "FROM", "SUBJECT", "TO": return .header(name.lowercased(), try text(&parser))
        case "BODY": return .body(try text(&parser))
        case "TEXT": return .text(try text(&parser))
        case "HEADER":
            let field = try text(&parser)
            guard field.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f && $0 != UInt8(ascii: ":") }) else {
                throw .bad("Not the name of a header field")
            }
            return .header(field.lowercased(), try text(&parser))
        case "KEYWORD", "UNKEYWORD":
            try parser.space()
            return .keyword(try parser.flagKeyword(), name == "KEYWORD")
        case "BEFORE", "SENTBEFORE": return .before(try date(&parser), sent: name.hasPrefix("SENT"))
        case "ON", "SENTON": return .on(try date(&parser), sent: name.hasPrefix("SENT"))
        case "SINCE", "SENTSINCE": return .since(try date(&parser), sent: name.hasPrefix("SENT"))
        case "YOUNGER": return .younger(try seconds(&parser))
        case "OLDER": return .older(try seconds(&parser))
        case "LARGER": return .larger(try octets(&parser))
        case "SMALLER": return .smaller(try octets(&parser))
        case "MODSEQ": return try modSeq(&parser)
        default: throw .bad("Unknown search key")
        }
    }

    private func text(_ parser: inout IMAPParser) throws(IMAPFault) -> String {
        try parser.space()
        guard let text = String(validating: try parser.astring(), as: UTF8.self) else {
            throw .no("BADCHARSET (US-ASCII UTF-8)", "The text is not UTF-8")
        }
        return text
    }

    private func date(_ parser: inout IMAPParser) throws(IMAPFault) -> Int {
        try parser.space()
        guard let days = IMAPDate.parseDate(String(decoding: try parser.astring(), as: UTF8.self)) else {
            throw .bad("Expected a date such as 1-Feb-1994")
        }
        return days
    }

    private func seconds(_ parser: inout IMAPParser) throws(IMAPFault) -> Int {
        try parser.space()
        return Int(try parser.positive())
    }

    private func octets(_ parser: inout IMAPParser) throws(IMAPFault) -> Int {
        try parser.space()
        return Int(try parser.number64())
    }

    /// `MODSEQ ["/flags/..." (priv|shared|all)] n`; there is one mod-sequence for all of a message.
    private mutating func modSeq(_ parser: inout IMAPParser) throws(IMAPFault) -> IMAPSearchKey {
        try parser.space()
        if parser.isAtString {
            _ = try parser.string()
            try parser.space()
            guard ["PRIV", "SHARED", "ALL"].contains(try parser.keyword()) else { throw .bad("Expected priv, shared or all") }
            try parser.space()
        }
        usesModSeq = true
        return .modSeq(try parser.number64())
    }
}

extension IMAPParser {
    /// `RETURN (MIN MAX)` and the space behind it; nil when there is none.
    mutating func searchReturn() throws(IMAPFault) -> IMAPSearchReturn? {
        var ahead = self
        guard ahead.peek != UInt8(ascii: "("), (try? ahead.keyword()) == "RETURN", ahead.skip(" ") else { return nil }
        self = ahead
        try expect("(")
        var options: IMAPSearchReturn = []
        if !skip(")") {
            repeat {
                switch try keyword() {
                case "MIN": options.insert(.min)
                case "MAX": options.insert(.max)
                case "ALL": options.insert(.all)
                case "COUNT": options.insert(.count)
                case "SAVE": options.insert(.save)
                default: throw .bad("Unknown return option")
                }
            } while skip(" ")
            try expect(")")
        }
        try space()
        return options.isEmpty ? .all : options
    }

    /// `CHARSET UTF-8` and the space behind it, if they are there.
    mutating func searchCharset() throws(IMAPFault) {
        var ahead = self
        guard (try? ahead.keyword()) == "CHARSET", ahead.skip(" ") else { return }
        self = ahead
        try charset()
        try space()
    }

    mutating func charset() throws(IMAPFault) {
        let name = String(decoding: try astring(), as: UTF8.self).uppercased()
        guard name == "UTF-8" || name == "US-ASCII" else {
            throw .no("BADCHARSET (US-ASCII UTF-8)", "This charset is not known here")
        }
    }

    /// `(REVERSE DATE SUBJECT)`.
    mutating func sortKeys() throws(IMAPFault) -> [IMAPSortKey] {
        try expect("(")
        var sortKeys: [IMAPSortKey] = []
        repeat {
            var word = try keyword()
            let isReverse = word == "REVERSE"
            if isReverse {
                try space()
                word = try keyword()
            }
            guard let field = IMAPSortKey.Field(rawValue: word) else { throw .bad("Unknown sort key") }
            guard sortKeys.count < 20 else { throw .bad("More than 20 sort keys") }
            sortKeys.append(IMAPSortKey(field: field, isReverse: isReverse))
        } while skip(" ")
        try expect(")")
        return sortKeys
    }
}
