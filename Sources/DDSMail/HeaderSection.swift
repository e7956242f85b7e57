// The header section of an RFC 5322 message as bytes: which fields there are and what they hold, exactly as written. It
// decides nothing about MIME, addresses or charsets.

/// One header field.
package struct HeaderField: Hashable, Sendable {
    /// As written, without white space before the colon (RFC 5322 4.5.8). Empty when the line is no field at all; the line is
    /// then in `rawValue`.
    package var name: String
    /// Everything between the colon and the final line end, folds included.
    package var rawValue: [UInt8]

    package init(name: String, rawValue: [UInt8]) {
        self.name = name
        self.rawValue = rawValue
    }

    /// The value with folds undone (RFC 5322 2.2.3) and without white space at its ends.
    package var unfolded: [UInt8] {
        let joined = rawValue.filter { $0 != 0x0d && $0 != 0x0a }
        let isText: (UInt8) -> Bool = { $0 != 0x20 && $0 != 0x09 }
        guard let first = joined.firstIndex(where: isText), let last = joined.lastIndex(where: isText) else { return [] }
        return Array(joined[first...last])
    }

    /// `unfolded` as text; octets that are not UTF-8 become U+FFFD. Encoded words stay encoded.
    package var text: String { String(decoding: unfolded, as: UTF8.self) }

    /// Whether this is the field `name`, without regard to ASCII case.
    package func isNamed(_ name: String) -> Bool {
        self.name.utf8.count == name.utf8.count
            && zip(self.name.utf8, name.utf8).allSatisfy { $0 == $1 || ($0 | 0x20 == $1 | 0x20 && Self.isLetter($0)) }
    }

    private static func isLetter(_ octet: UInt8) -> Bool { (0x61...0x7a).contains(octet | 0x20) }
}

/// All fields of a message's header section, in order.
package struct HeaderSection: Hashable, Sendable {
    package var fields: [HeaderField]
    /// Octets of the section with the empty line that ends it; where this line is missing the message has no body.
    package var byteCount: Int

    package init(fields: [HeaderField], byteCount: Int) {
        self.fields = fields
        self.byteCount = byteCount
    }

    /// The first field of that name, without regard to case.
    package func first(_ name: String) -> HeaderField? { fields.first { $0.isNamed(name) } }

    /// All fields of that name.
    package func all(_ name: String) -> [HeaderField] { fields.filter { $0.isNamed(name) } }

    /// A line that is neither a field nor the continuation of one; other programs may take it for the start of the body, so
    /// what must not be ambiguous is refused with it.
    package var malformedLine: HeaderField? { fields.first { $0.name.isEmpty } }

    /// The number, from 1, of the line of `malformedLine`.
    package var malformedLineNumber: Int? {
        var line = 1
        for field in fields {
            if field.name.isEmpty { return line }
            line += 1 + field.rawValue.count { $0 == 0x0a }
        }
        return nil
    }

    /// The fields of `message`, which begins with this section, that `isKept` likes: octet for octet and in their order.
    package func octets(of message: [UInt8], where isKept: (HeaderField) -> Bool) -> [UInt8] {
        var output: [UInt8] = []
        var fields = fields[...]
        var keeps = false
        var start = 0
        while start < byteCount {
            let end = message[start..<byteCount].firstIndex(of: 0x0a).map { $0 + 1 } ?? byteCount
            let line = message[start..<end]
            start = end
            if line == [0x0d, 0x0a] || line == [0x0a] { break }
            // Every line that continues none is one of the fields, in their order.
            if line.first != 0x20, line.first != 0x09 { keeps = fields.popFirst().map(isKept) ?? false }
            if keeps { output += line }
        }
        return output
    }

    /// The section of a whole message. Throws `HeaderError.tooLarge` when more than `limit` octets have no end.
    package init(of message: [UInt8], limit: Int = HeaderScanner.defaultLimit) throws(HeaderError) {
        var scanner = HeaderScanner(limit: limit)
        if let section = try scanner.feed(message) {
            self = section
        } else {
            self = scanner.finish()
        }
    }
}

package enum HeaderError: Error, Hashable, Sendable {
    /// The section does not end within the limit.
    case tooLarge
}

/// Finds the header section at the start of a byte stream. Lines end with LF, with or without CR before it; a lone CR is an
/// ordinary octet. The value of `X-DDS-Pad` is neither kept nor counted, however long it is.
package struct HeaderScanner: Sendable {
    package static let defaultLimit = 256 * 1024

    private enum State: Sendable {
        /// Inside a line that is kept in `line`, or at the start of one.
        case keeping
        /// Inside a line of the pad field, and at the start of the line behind one.
        case dropping, behindDropped
        case ended
    }

    private let limit: Int
    private var state = State.keeping
    private var line: [UInt8] = []
    private var fields: [HeaderField] = []
    /// The line end before `line`, part of the value when `line` continues it.
    private var previousLineEnd: [UInt8] = []
    private var keptCount = 0
    private var totalCount = 0

    /// `limit` counts the octets of the section, its last empty line among them.
    package init(limit: Int = HeaderScanner.defaultLimit) {
        self.limit = limit
    }

    /// Takes the next octets. Returns the section once its empty line has come; octets behind it are the caller's to keep:
    /// `byteCount` says where the body starts in all that was fed. Nothing may be fed after that or after a throw.
    package mutating func feed(_ chunk: some Sequence<UInt8>) throws(HeaderError) -> HeaderSection? {
        precondition(state != .ended, "a header section ends once")
        for octet in chunk {
            totalCount += 1
            if state == .behindDropped { state = octet == 0x20 || octet == 0x09 ? .dropping : .keeping }
            if state == .dropping {
                if octet == 0x0a { state = .behindDropped }
                continue
            }
            keptCount += 1
            guard keptCount <= limit else {
                state = .ended
                throw .tooLarge
            }
            line.append(octet)
            if octet == 0x3a { dropIfPad() }
            if octet == 0x0a, endLine() {
                state = .ended
                return HeaderSection(fields: fields, byteCount: totalCount)
            }
        }
        return nil
    }

    /// The section of a stream that ended without an empty line.
    package mutating func finish() -> HeaderSection {
        if !line.isEmpty { _ = endLine() }
        state = .ended
        return HeaderSection(fields: fields, byteCount: totalCount)
    }

    private mutating func dropIfPad() {
        guard line.count == Padding.fieldName.utf8.count + 1 else { return }
        let field = HeaderField(name: String(decoding: line.dropLast(), as: UTF8.self), rawValue: [])
        guard field.isNamed(Padding.fieldName) else { return }
        fields.append(field)
        line.removeAll(keepingCapacity: true)
        state = .dropping
    }

    /// Files the line away. True when it was the empty one.
    private mutating func endLine() -> Bool {
        var content = line[...]
        if content.last == 0x0a { content.removeLast() }
        if content.last == 0x0d, content.count < line.count { content.removeLast() }
        if content.isEmpty { return true }
        if content.first == 0x20 || content.first == 0x09, let last = fields.indices.last {
            fields[last].rawValue += previousLineEnd + content
        } else if let colon = content.firstIndex(of: 0x3a), let name = Self.name(content[..<colon]) {
            fields.append(HeaderField(name: name, rawValue: Array(content[(colon + 1)...])))
        } else {
            fields.append(HeaderField(name: "", rawValue: Array(content)))
        }
        previousLineEnd = Array(line[content.endIndex...])
        line.removeAll(keepingCapacity: true)
        return false
    }

    private static func name(_ bytes: ArraySlice<UInt8>) -> String? {
        var bytes = bytes
        while bytes.last == 0x20 || bytes.last == 0x09 { bytes.removeLast() }
        guard !bytes.isEmpty, bytes.allSatisfy({ (0x21...0x7e).contains($0) }) else { return nil }
        return String(decoding: bytes, as: UTF8.self)
    }
}
