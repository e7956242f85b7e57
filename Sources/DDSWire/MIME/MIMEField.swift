// The fields of a header section as places in the octets of a message (RFC 5322 2.2). It decides where a field begins and ends;
// nothing about what fields mean.

/// One field, or a line that is none.
struct MIMEField: Sendable {
    private let message: [UInt8]
    /// Without white space before the colon (RFC 5322 4.5.8). Empty where the line is no field.
    let name: Range<Int>
    /// What is behind the colon, or all of a line that is no field.
    let value: Range<Int>
    /// All lines of the field with their ends.
    let whole: Range<Int>

    fileprivate init(_ message: [UInt8], name: Range<Int>, value: Range<Int>) {
        self.message = message
        self.name = name
        self.value = value
        whole = name.lowerBound..<value.upperBound
    }

    /// Whether its name is `other`, which is in lower case, in any case.
    func isNamed(_ other: [UInt8]) -> Bool {
        guard name.count == other.count else { return false }
        let octets = message.span
        for index in other.indices where octets[name.lowerBound + index].lowercasedASCII != other[index] { return false }
        return !other.isEmpty
    }

    /// Octets of a value that are looked at; one without end must not become a hundred times its size in words.
    static let valueOctetsMax = 256 << 10

    /// The value without folds (RFC 5322 2.2.3), white space at its ends, and NUL, which IMAP has no way to say.
    var unfolded: [UInt8] {
        var octets: [UInt8] = []
        let value = message[value].prefix(Self.valueOctetsMax)
        octets.reserveCapacity(value.count)
        for octet in value where octet != 0x0d && octet != 0x0a && octet != 0 {
            if octets.isEmpty, octet.isMIMEBlank { continue }
            octets.append(octet)
        }
        while octets.last?.isMIMEBlank == true { octets.removeLast() }
        return octets
    }
}

/// Reads the fields of a header section one after the other.
struct MIMEFieldReader {
    private let message: [UInt8]
    private var offset: Int
    private let end: Int

    init(_ message: [UInt8], _ section: Range<Int>) {
        self.message = message
        offset = section.lowerBound
        end = section.upperBound
    }

    /// What was not read: when `next` has returned nil, the empty line that ends the section, or nothing.
    var rest: Range<Int> { offset..<end }

    mutating func next() -> MIMEField? {
        guard offset < end, !isEmptyLine else { return nil }
        let (message, start, end) = (message, offset, end)
        let octets = message.span
        var index = start
        // A name is printable ASCII without spaces up to a colon; white space may stand before that.
        while index < end, octets[index] > 0x20, octets[index] < 0x7f, octets[index] != 0x3a { index += 1 }
        let nameEnd = index
        while index < end, octets[index].isMIMEBlank { index += 1 }
        let isField = index < end && octets[index] == 0x3a && nameEnd > start
        let valueStart = isField ? index + 1 : start
        repeat {
            while index < end, octets[index] != 0x0a { index += 1 }
            if index < end { index += 1 }
        } while index < end && octets[index].isMIMEBlank
        offset = index
        return MIMEField(message, name: start..<(isField ? nameEnd : start), value: valueStart..<index)
    }

    private var isEmptyLine: Bool {
        message[offset] == 0x0a || (message[offset] == 0x0d && offset + 1 < end && message[offset + 1] == 0x0a)
    }
}

extension UInt8 {
    /// Space or tab.
    var isMIMEBlank: Bool { self == 0x20 || self == 0x09 }

    /// A capital letter as the small one.
    var lowercasedASCII: UInt8 { (0x41...0x5a).contains(self) ? self | 0x20 : self }
}

extension [UInt8] {
    /// The text of the quoted string whose first quote is at `index`, which goes behind the last one or to the end (RFC 5322
    /// 3.2.4).
    func quotedString(at index: inout Int) -> [UInt8] {
        index += 1
        var text: [UInt8] = []
        while index < count, self[index] != 0x22 {
            if self[index] == 0x5c, index + 1 < count { index += 1 }
            text.append(self[index])
            index += 1
        }
        if index < count { index += 1 }
        return text
    }

    /// Equal to `other`, which is in lower case, without regard to ASCII case.
    func isToken(_ other: String) -> Bool {
        count == other.utf8.count && zip(self, other.utf8).allSatisfy { $0.lowercasedASCII == $1 }
    }
}
