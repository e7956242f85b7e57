// The addresses of a header field as ENVELOPE wants them (RFC 5322 3.4 and 4.4, RFC 9051 7.5.2). It decides how a list is cut
// up and what is a name; encoded words stay as they are, and nobody's address is called wrong.

/// One element of a list.
enum MIMEAddress: Hashable, Sendable {
    /// Quotes and comments are gone. `host` is empty where the field has none.
    case mailbox(name: [UInt8]?, route: [UInt8]?, local: [UInt8], host: [UInt8])
    case groupStart([UInt8])
    case groupEnd
}

enum MIMEAddressList {
    /// The elements of an unfolded field body; at most about `countMax`, every group that is begun is ended.
    static func parse(_ field: [UInt8], countMax: Int) -> [MIMEAddress] {
        var scanner = MIMEAddressScanner(field)
        var list: [MIMEAddress] = []
        var isInGroup = false
        while list.count < countMax {
            let (tokens, end) = scanner.element()
            switch end {
            case .colon:
                if isInGroup { list.append(.groupEnd) }
                list.append(.groupStart(joined(tokens)))
                isInGroup = true
            case .comma, .semicolon, .end:
                if let mailbox = mailbox(tokens) { list.append(mailbox) }
                if isInGroup, end == .semicolon {
                    list.append(.groupEnd)
                    isInGroup = false
                }
            }
            if end == .end { break }
        }
        if isInGroup { list.append(.groupEnd) }
        return list
    }

    private typealias Token = MIMEAddressScanner.Token

    /// Nil where there is nothing but white space and comments.
    private static func mailbox(_ tokens: [Token]) -> MIMEAddress? {
        guard let open = tokens.firstIndex(where: { $0.kind == .angle }) else { return bare(tokens) }
        let name = joined(tokens[..<open])
        var content = tokens[(open + 1)...]
        content = content.prefix { $0.kind != .angleEnd }
        var route: [UInt8]?
        if content.first(where: { $0.kind != .comment })?.kind == .at,
            let colon = content.lastIndex(where: { $0.kind == .colon })
        {
            route = concatenated(content[..<colon])
            content = content[(colon + 1)...]
        }
        let (local, host) = address(content)
        return .mailbox(name: name.isEmpty ? comment(tokens) : name, route: route, local: local, host: host)
    }

    /// Without angle brackets: the name is in a comment (RFC 822 had them there), or everything is the name.
    private static func bare(_ tokens: [Token]) -> MIMEAddress? {
        let count = tokens.count { $0.kind != .comment }
        guard count > 0 else { return nil }
        if count > 1, !tokens.contains(where: { $0.kind == .at }) {
            return .mailbox(name: joined(tokens[...]), route: nil, local: [], host: [])
        }
        let (local, host) = address(tokens[...])
        return .mailbox(name: comment(tokens), route: nil, local: local, host: host)
    }

    /// What is before and behind the last `@`. White space and comments around dots are obsolete (RFC 5322 4.4) and left out;
    /// other words behind the host are none of it.
    private static func address(_ tokens: ArraySlice<Token>) -> ([UInt8], [UInt8]) {
        guard let at = tokens.lastIndex(where: { $0.kind == .at }) else { return (concatenated(tokens), []) }
        var host: [UInt8] = []
        for token in tokens[(at + 1)...] where token.kind != .comment {
            if token.isApart, !host.isEmpty, host.last != 0x2e, token.octets.first != 0x2e { break }
            host += token.octets
        }
        return (concatenated(tokens[..<at]), host)
    }

    private static func concatenated(_ tokens: ArraySlice<Token>) -> [UInt8] {
        tokens.reduce(into: []) { if $1.kind != .comment { $0 += $1.octets } }
    }

    /// A phrase: words with one space where there was white space or a comment.
    private static func joined(_ tokens: some Collection<Token>) -> [UInt8] {
        tokens.reduce(into: []) { phrase, token in
            guard token.kind != .comment else { return }
            if token.isApart, !phrase.isEmpty { phrase.append(0x20) }
            phrase += token.octets
        }
    }

    private static func comment(_ tokens: [Token]) -> [UInt8]? {
        tokens.last { $0.kind == .comment && !$0.octets.isEmpty }?.octets
    }
}

/// Cuts a field body into elements of a list, and these into words.
private struct MIMEAddressScanner {
    enum Kind: Hashable {
        case word, at, angle, angleEnd, colon, comment
    }

    enum End: Hashable {
        case comma, semicolon, colon, end
    }

    struct Token {
        var kind: Kind
        /// Without quotes.
        var octets: [UInt8]
        /// White space or a comment is before it.
        var isApart: Bool
    }

    private let octets: [UInt8]
    private var index = 0

    init(_ octets: [UInt8]) {
        self.octets = octets
    }

    /// The next element and what ended it.
    mutating func element() -> ([Token], End) {
        var tokens: [Token] = []
        var isApart = false
        var isInAngle = false
        // Commas and colons belong to an obsolete route (`<@a,@b:c@d>`); elsewhere an angle bracket was not closed.
        var isInRoute = false
        var mayBeGroup = true
        func add(_ kind: Kind, _ octets: [UInt8]) {
            tokens.append(Token(kind: kind, octets: octets, isApart: isApart))
            isApart = kind == .comment
        }
        while index < octets.count {
            let octet = octets[index]
            switch octet {
            case 0x20, 0x09:
                isApart = true
                index += 1
            case 0x28: add(.comment, comment())
            case 0x22: add(.word, octets.quotedString(at: &index))
            case 0x5b where tokens.last?.kind == .at: add(.word, literal())
            case 0x2c where !isInRoute, 0x3b:
                index += 1
                return (tokens, octet == 0x3b ? .semicolon : .comma)
            case 0x3a where mayBeGroup:
                index += 1
                return (tokens, .colon)
            case 0x40:
                if isInAngle, tokens.last?.kind == .angle { isInRoute = true }
                mayBeGroup = false
                index += 1
                add(.at, [octet])
            case 0x3c where !isInAngle:
                (isInAngle, mayBeGroup) = (true, false)
                index += 1
                add(.angle, [])
            case 0x3e where isInAngle:
                (isInAngle, isInRoute) = (false, false)
                index += 1
                add(.angleEnd, [])
            case 0x3a:
                isInRoute = false
                index += 1
                add(.colon, [octet])
            default: add(.word, atom())
            }
        }
        return (tokens, .end)
    }

    /// A run of what has no meaning of its own here, dots and stray brackets included.
    private mutating func atom() -> [UInt8] {
        let start = index
        repeat { index += 1 } while index < octets.count && !Self.isSpecial(octets[index])
        return Array(octets[start..<index])
    }

    /// RFC 5322 3.4.1, `[...]` as it is.
    private mutating func literal() -> [UInt8] {
        let start = index
        while index < octets.count, octets[index] != 0x5d, octets[index] != 0x3e { index += 1 }
        if index < octets.count, octets[index] == 0x5d { index += 1 }
        return Array(octets[start..<index])
    }

    /// Its text; comments within it keep their parentheses.
    private mutating func comment() -> [UInt8] {
        index += 1
        var text: [UInt8] = []
        var depth = 1
        while index < octets.count {
            var octet = octets[index]
            index += 1
            switch octet {
            case 0x28: depth += 1
            case 0x29: depth -= 1
            case 0x5c where index < octets.count:
                octet = octets[index]
                index += 1
            default: break
            }
            if depth == 0 { break }
            text.append(octet)
        }
        return text
    }

    private static func isSpecial(_ octet: UInt8) -> Bool {
        switch octet {
        // ( < > @ , ; : "
        case 0x20, 0x09, 0x28, 0x3c, 0x3e, 0x40, 0x2c, 0x3b, 0x3a, 0x22: true
        default: false
        }
    }
}
