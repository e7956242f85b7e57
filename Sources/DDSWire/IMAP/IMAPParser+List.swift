// The grammar of LIST and STATUS (RFC 9051 6.3.9 to 6.3.11, RFC 5258, RFC 5819, RFC 6154), and which name matches a pattern.

enum IMAPStatusItem: String, Hashable, Sendable {
    case messages = "MESSAGES"
    case uidNext = "UIDNEXT"
    case uidValidity = "UIDVALIDITY"
    case unseen = "UNSEEN"
    case deleted = "DELETED"
    case size = "SIZE"
    case highestModSeq = "HIGHESTMODSEQ"
    /// RFC 3501; always 0 here.
    case recent = "RECENT"
}

/// LIST or LSUB.
struct IMAPListRequest: Sendable {
    struct Options: OptionSet, Sendable {
        var rawValue: UInt8
        static let subscribed = Options(rawValue: 1)
        static let specialUse = Options(rawValue: 2)
        static let recursiveMatch = Options(rawValue: 4)
        static let remote = Options(rawValue: 8)
    }

    var isLSub = false
    var select: Options = []
    var patterns: [[UInt8]] = []
    var returns: Options = []
    /// Empty without LIST-STATUS.
    var status: [IMAPStatusItem] = []
    var reference: [UInt8] = []
    /// In the extended form an empty pattern is a pattern like any other (RFC 5258 3).
    var isExtended = false
}

extension IMAPParser {
    static let patternsMax = 10
    static let patternOctetsMax = 255

    mutating func listRequest(isLSub: Bool) throws(IMAPFault) -> IMAPListRequest {
        var request = IMAPListRequest(isLSub: isLSub)
        try space()
        if !isLSub, skip("(") {
            request.isExtended = true
            if !skip(")") {
                repeat { request.select.insert(try selectOption()) } while skip(" ")
                try expect(")")
            }
            guard request.select != .recursiveMatch, request.select != [.recursiveMatch, .remote] else {
                throw .bad("RECURSIVEMATCH needs another option")
            }
            try space()
        }
        request.reference = try astring()
        try space()
        if !isLSub, skip("(") {
            request.isExtended = true
            repeat {
                guard request.patterns.count < Self.patternsMax else { throw .bad("More than \(Self.patternsMax) patterns") }
                request.patterns.append(try listPattern())
            } while skip(" ")
            try expect(")")
        } else {
            request.patterns = [try listPattern()]
        }
        guard request.patterns.allSatisfy({ $0.count + request.reference.count <= Self.patternOctetsMax }) else {
            throw .bad("A pattern has at most \(Self.patternOctetsMax) octets")
        }
        if !isLSub, skip(" ") { try listReturn(&request) }
        try end()
        return request
    }

    private mutating func selectOption() throws(IMAPFault) -> IMAPListRequest.Options {
        switch try keyword() {
        case "SUBSCRIBED": return .subscribed
        case "SPECIAL-USE": return .specialUse
        case "RECURSIVEMATCH": return .recursiveMatch
        case "REMOTE": return .remote
        default: throw .bad("Unknown selection option")
        }
    }

    private mutating func listReturn(_ request: inout IMAPListRequest) throws(IMAPFault) {
        request.isExtended = true
        guard try keyword() == "RETURN" else { throw .bad("Expected RETURN") }
        try space()
        try expect("(")
        if skip(")") { return }
        repeat {
            switch try keyword() {
            case "SUBSCRIBED": request.returns.insert(.subscribed)
            // What has children is always said.
            case "CHILDREN": break
            case "SPECIAL-USE": request.returns.insert(.specialUse)
            case "STATUS":
                try space()
                request.status = try statusItems()
            default: throw .bad("Unknown return option")
            }
        } while skip(" ")
        try expect(")")
    }

    mutating func statusItems() throws(IMAPFault) -> [IMAPStatusItem] {
        try expect("(")
        var items: [IMAPStatusItem] = []
        repeat {
            guard let item = IMAPStatusItem(rawValue: try keyword()) else { throw .bad("Unknown STATUS item") }
            if !items.contains(item) { items.append(item) }
        } while skip(" ")
        try expect(")")
        return items
    }
}

/// A pattern of LIST over octets of UTF-8: `*` is anything, `%` anything without `/`.
struct IMAPListPattern: Sendable {
    private var octets: [UInt8] = []

    init(_ pattern: String) {
        for octet in pattern.utf8 {
            // Neighbouring wildcards are the wider of them.
            if let last = octets.last, Self.isWildcard(last), Self.isWildcard(octet) {
                if octet == UInt8(ascii: "*") { octets[octets.count - 1] = octet }
            } else {
                octets.append(octet)
            }
        }
    }

    private static func isWildcard(_ octet: UInt8) -> Bool { octet == UInt8(ascii: "*") || octet == UInt8(ascii: "%") }

    /// Takes time in proportion to both lengths, whatever the pattern.
    func matches(_ name: String) -> Bool {
        let text = Array(name.utf8)
        // reached[i]: the pattern so far matches the first i octets.
        var reached = [Bool](repeating: false, count: text.count + 1)
        reached[0] = true
        for octet in octets {
            var next = [Bool](repeating: false, count: text.count + 1)
            if Self.isWildcard(octet) {
                for index in 0...text.count {
                    next[index] = reached[index]
                    if index > 0, next[index - 1], octet == UInt8(ascii: "*") || text[index - 1] != UInt8(ascii: "/") {
                        next[index] = true
                    }
                }
            } else {
                for index in text.indices where reached[index] && text[index] == octet { next[index + 1] = true }
            }
            reached = next
        }
        return reached[text.count]
    }
}
