// One reply of an SMTP or LMTP server (RFC 5321 4.2) with its enhanced code (RFC 2034, RFC 3463): to bytes and, for the
// client side, from the lines of the wire. What a reply means for a transaction is decided by the sessions.

/// An enhanced status code such as `5.1.1` (RFC 3463 2).
package struct EnhancedCode: Hashable, Sendable, CustomStringConvertible {
    /// 2, 4 or 5; the same as the reply code's first digit.
    package var category: Int
    package var subject: Int
    package var detail: Int

    package init(_ category: Int, _ subject: Int, _ detail: Int) {
        self.category = category
        self.subject = subject
        self.detail = detail
    }

    package var description: String { "\(category).\(subject).\(detail)" }
}

/// A reply code, an optional enhanced code and at least one line of text.
package struct SMTPReply: Hashable, Sendable, CustomStringConvertible {
    /// 200 to 599.
    package var code: Int
    package var enhanced: EnhancedCode?
    /// Text without codes and line ends. Control characters never reach the wire, whatever is put in here.
    package var lines: [String]

    /// The longest line put on the wire in octets, with its CRLF (RFC 5321 4.5.3.1.5).
    package static let lineBytesMax = 512

    package init(_ code: Int, _ enhanced: EnhancedCode? = nil, _ lines: String...) {
        self.init(code: code, enhanced: enhanced, lines: lines)
    }

    package init(code: Int, enhanced: EnhancedCode?, lines: [String]) {
        precondition((200...599).contains(code), "a reply code has three digits")
        self.code = code
        self.enhanced = enhanced
        self.lines = lines.isEmpty ? [""] : lines
    }

    /// 2xx.
    package var isPositive: Bool { code < 300 }
    /// 3xx: the server waits for more.
    package var isIntermediate: Bool { (300..<400).contains(code) }
    /// 4xx: the same may succeed later.
    package var isTemporary: Bool { (400..<500).contains(code) }
    /// 5xx: the same will fail again.
    package var isPermanent: Bool { code >= 500 }

    package var description: String {
        let prefix = enhanced.map { "\(code) \($0)" } ?? "\(code)"
        return ([prefix] + lines).joined(separator: " ")
    }

    /// The reply as sent, every line with its code and CRLF. Text that would not fit a line continues on the next;
    /// control characters, and characters beyond ASCII unless `allowsUTF8` (RFC 6531 3.7.4.2), become `?`.
    package func encoded(allowsUTF8: Bool = false) -> [UInt8] {
        let prefix = enhanced.map { "\($0) " } ?? ""
        let room = Self.lineBytesMax - 6 - prefix.utf8.count
        let texts = lines.flatMap { Self.wrapped(Self.cleaned($0, allowsUTF8: allowsUTF8), room: room) }
        var output: [UInt8] = []
        for (index, text) in texts.enumerated() {
            output += Array("\(code)".utf8)
            output.append(index == texts.count - 1 ? 0x20 : 0x2d)
            output += Array(prefix.utf8)
            output += text
            output += [0x0d, 0x0a]
        }
        return output
    }

    private static func cleaned(_ text: String, allowsUTF8: Bool) -> [UInt8] {
        // Nearly every text is plain.
        if text.utf8.allSatisfy({ (0x20..<0x7f).contains($0) }) { return Array(text.utf8) }
        var output: [UInt8] = []
        for scalar in text.unicodeScalars {
            let value = scalar.value
            let isControl = value < 0x20 || (0x7f..<0xa0).contains(value) || value == 0x2028 || value == 0x2029
            if isControl || (scalar.value >= 0x80 && !allowsUTF8) {
                output.append(0x3f)
            } else {
                output += Array(String(scalar).utf8)
            }
        }
        return output
    }

    /// Pieces of at most `room` octets that never cut a UTF-8 sequence.
    private static func wrapped(_ text: [UInt8], room: Int) -> [[UInt8]] {
        var pieces: [[UInt8]] = []
        var rest = text[...]
        while rest.count > room {
            var end = rest.startIndex + room
            while rest[end] & 0xc0 == 0x80 { end -= 1 }
            pieces.append(Array(rest[..<end]))
            rest = rest[end...]
        }
        pieces.append(Array(rest))
        return pieces
    }
}

/// Why a server's bytes are no reply. The connection is of no further use.
package enum SMTPReplyError: Error, Hashable, Sendable {
    /// A line does not begin with three digits and a space or hyphen.
    case malformed
    /// The lines of one reply differ in their codes.
    case inconsistent
    /// More lines than any server has to say.
    case tooLong
}

/// Collects the lines of a server's replies.
package struct SMTPReplyParser: Sendable {
    private let linesMax: Int
    private var code = 0
    private var enhanced: EnhancedCode?
    private var lines: [String] = []

    /// `linesMax` bounds one reply.
    package init(linesMax: Int = 128) {
        self.linesMax = linesMax
    }

    /// Takes one line without its CRLF; returns the reply that it completes, or nil when more lines follow.
    package mutating func next(_ line: some Collection<UInt8>) throws(SMTPReplyError) -> SMTPReply? {
        let octets = Array(line)
        guard octets.count >= 3, octets[..<3].allSatisfy({ (0x30...0x39).contains($0) }) else { throw .malformed }
        let number = octets[..<3].reduce(0) { $0 * 10 + Int($1 - 0x30) }
        guard (200...599).contains(number) else { throw .malformed }
        guard octets.count == 3 || octets[3] == 0x20 || octets[3] == 0x2d else { throw .malformed }
        guard lines.isEmpty || number == code else { throw .inconsistent }
        guard lines.count < linesMax else { throw .tooLong }
        var text = octets.dropFirst(4)
        if let found = Self.enhancedCode(at: text, of: number) {
            if lines.isEmpty { enhanced = found.code }
            text = text.dropFirst(found.octets)
        }
        code = number
        lines.append(String(decoding: text.map { $0 < 0x20 || $0 == 0x7f ? 0x3f : $0 }, as: UTF8.self))
        guard octets.count == 3 || octets[3] == 0x20 else { return nil }
        defer {
            lines = []
            enhanced = nil
        }
        return SMTPReply(code: code, enhanced: enhanced, lines: lines)
    }

    private static func enhancedCode(at text: ArraySlice<UInt8>, of code: Int) -> (code: EnhancedCode, octets: Int)? {
        let word = text.prefix { $0 != 0x20 }
        let parts = word.split(separator: 0x2e, omittingEmptySubsequences: false)
        guard parts.count == 3, parts.allSatisfy({ (1...3).contains($0.count) }) else { return nil }
        guard parts.allSatisfy({ $0.allSatisfy { (0x30...0x39).contains($0) } }) else { return nil }
        let numbers = parts.map { $0.reduce(0) { $0 * 10 + Int($1 - 0x30) } }
        guard numbers[0] == code / 100 else { return nil }
        return (EnhancedCode(numbers[0], numbers[1], numbers[2]), min(word.count + 1, text.count))
    }
}
