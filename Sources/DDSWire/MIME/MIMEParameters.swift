// Field bodies of the form `word; name=value; ...`: Content-Type (RFC 2045 5.1), Content-Disposition (RFC 2183), and the single
// words of Content-Transfer-Encoding and Content-Language. It decides what such a field says where writers were careless; RFC
// 2231 names such as `filename*0*` stay as they are, which is what IMAP clients expect.

/// A word and its parameters.
struct MIMEParameters: Sendable {
    /// `text`, or a disposition.
    private(set) var type: [UInt8]
    /// Empty for a disposition.
    private(set) var subtype: [UInt8] = []
    /// In order, doubles included. Names are not empty.
    private(set) var parameters: [(name: [UInt8], value: [UInt8])] = []

    /// RFC 2045 5.2.
    static let plain = MIMEParameters(
        type: Array("TEXT".utf8), subtype: Array("PLAIN".utf8), parameters: [(Array("CHARSET".utf8), Array("US-ASCII".utf8))])
    /// RFC 2046 5.1.5.
    static let message = MIMEParameters(type: Array("MESSAGE".utf8), subtype: Array("RFC822".utf8))
    static let opaque = MIMEParameters(type: Array("APPLICATION".utf8), subtype: Array("OCTET-STREAM".utf8))

    private init(type: [UInt8], subtype: [UInt8], parameters: [(name: [UInt8], value: [UInt8])] = []) {
        self.type = type
        self.subtype = subtype
        self.parameters = parameters
    }

    /// Nil unless the field begins with a type and a subtype that are tokens.
    init?(contentType field: [UInt8]) {
        var scanner = MIMEScanner(field)
        type = scanner.token()
        guard !type.isEmpty, scanner.take(0x2f) else { return nil }
        subtype = scanner.token()
        guard !subtype.isEmpty, !scanner.take(0x2f) else { return nil }
        parameters = scanner.parameters()
    }

    /// Nil unless the field begins with a token.
    init?(disposition field: [UInt8]) {
        var scanner = MIMEScanner(field)
        type = scanner.token()
        guard !type.isEmpty else { return nil }
        parameters = scanner.parameters()
    }

    var isText: Bool { type.isToken("text") }
    var isMultipart: Bool { type.isToken("multipart") }
    var isDigest: Bool { isMultipart && subtype.isToken("digest") }
    /// With a message in it (RFC 9051 9, `media-message`).
    var isMessage: Bool { type.isToken("message") && (subtype.isToken("rfc822") || subtype.isToken("global")) }

    /// Of a multipart; empty when there is none that could be looked for.
    var boundary: [UInt8] {
        guard var value = parameters.first(where: { $0.name.isToken("boundary") })?.value else { return [] }
        // RFC 2046 5.1.1: no boundary ends in white space, which transport may have added to lines.
        while value.last?.isMIMEBlank == true { value.removeLast() }
        return value
    }

    /// The tokens of a field such as Content-Language (RFC 3282), with whatever is between them left out.
    static func tokens(_ field: [UInt8]) -> [[UInt8]] {
        var scanner = MIMEScanner(field)
        var tokens: [[UInt8]] = []
        while !scanner.isAtEnd {
            let token = scanner.token()
            if token.isEmpty { scanner.skip() } else { tokens.append(token) }
        }
        return tokens
    }
}

/// Reads an unfolded field body from left to right.
private struct MIMEScanner {
    private let octets: [UInt8]
    private var index = 0

    init(_ octets: [UInt8]) {
        self.octets = octets
    }

    var isAtEnd: Bool { index >= octets.count }

    mutating func skip() { index += 1 }

    /// Takes that octet where it comes next behind white space and comments.
    mutating func take(_ octet: UInt8) -> Bool {
        skipBlank()
        guard !isAtEnd, octets[index] == octet else { return false }
        index += 1
        return true
    }

    /// The token that comes next behind white space and comments; empty when there is something else.
    mutating func token() -> [UInt8] {
        skipBlank()
        let start = index
        while !isAtEnd, Self.isTokenOctet(octets[index]) { index += 1 }
        return Array(octets[start..<index])
    }

    /// What follows a type: `; name=value` any number of times. A missing semicolon is forgiven; what is no parameter is left
    /// out.
    mutating func parameters() -> [(name: [UInt8], value: [UInt8])] {
        var parameters: [(name: [UInt8], value: [UInt8])] = []
        while !isAtEnd {
            while take(0x3b) {}
            let name = token()
            if name.isEmpty {
                // Nothing that begins here is a name.
                if !isAtEnd { index += 1 }
            } else if take(0x3d) {
                parameters.append((name, value()))
            }
        }
        return parameters
    }

    /// A quoted string without its quotes, or everything up to a semicolon or a comment: many writers do not quote spaces.
    private mutating func value() -> [UInt8] {
        skipBlank()
        if !isAtEnd, octets[index] == 0x22 { return octets.quotedString(at: &index) }
        let start = index
        while !isAtEnd, octets[index] != 0x3b {
            if octets[index] == 0x28, octets[index - 1].isMIMEBlank { break }
            index += 1
        }
        var value = octets[start..<index]
        while value.last?.isMIMEBlank == true { value.removeLast() }
        return Array(value)
    }

    /// Goes on behind white space and comments (RFC 5322 3.2.2).
    private mutating func skipBlank() {
        var depth = 0
        while !isAtEnd {
            switch octets[index] {
            case 0x28: depth += 1
            case 0x29 where depth > 0: depth -= 1
            case 0x5c where depth > 0 && index + 1 < octets.count: index += 1
            case 0x20, 0x09: break
            default: if depth == 0 { return }
            }
            index += 1
        }
    }

    /// RFC 2045 5.1.
    private static func isTokenOctet(_ octet: UInt8) -> Bool {
        switch octet {
        case 0...0x20, 0x7f...: false
        // ( ) < > @ , ; : \ " / [ ] ? =
        case 0x28, 0x29, 0x3c, 0x3e, 0x40, 0x2c, 0x3b, 0x3a, 0x5c, 0x22, 0x2f, 0x5b, 0x5d, 0x3f, 0x3d: false
        default: true
        }
    }
}
