// How large a message looks: lengths are rounded up so that a size says little (SEALING 7i). Padding is done before sealing
// and travels in a header field that a stock reader takes for one more unknown field.

/// Padmé with a floor of 1 KiB, carried in a folded `X-DDS-Pad` field.
package enum Padding {
    package static let fieldName = "X-DDS-Pad"
    package static let floorBytes = 1024

    private static let start = Array("X-DDS-Pad: ".utf8)
    private static let lineMaxOctets = 76
    /// The start, one octet of padding and the line end.
    static let fieldMinOctets = start.count + 3

    /// The size class of `length`: at most 12 % more, at most 6.25 % from 256 octets on, never below 1 KiB.
    package static func paddedSize(_ length: Int) -> Int {
        precondition(length >= 0, "a length is no negative number")
        guard length > floorBytes else { return floorBytes }
        let exponent = Int.bitWidth - 1 - length.leadingZeroBitCount
        let exponentBits = Int.bitWidth - exponent.leadingZeroBitCount
        let mask = (1 << (exponent - exponentBits)) - 1
        return (length + mask) & ~mask
    }

    /// The message with an `X-DDS-Pad` field as the last of its header section, so that its size is a size class. Lines end
    /// with CRLF; where the header section is all there is, its last line is ended too.
    package static func pad(_ message: [UInt8]) -> [UInt8] {
        var message = message
        if endOfFields(message) == message.count, let last = message.last, last != 0x0a { message += [0x0d, 0x0a] }
        let size = paddedSize(message.count + fieldMinOctets)
        let position = endOfFields(message)
        return message[..<position] + field(octets: size - message.count) + message[position...]
    }

    /// The message without any `X-DDS-Pad` field in its header section: what `pad` was given.
    package static func strip(_ message: [UInt8]) -> [UInt8] {
        let end = endOfFields(message)
        var output: [UInt8] = []
        output.reserveCapacity(message.count)
        var isPad = false
        var line = 0
        while line < end {
            let next = message[line..<end].firstIndex(of: 0x0a).map { $0 + 1 } ?? end
            if message[line] != 0x20 && message[line] != 0x09 {
                let colon = message[line..<next].firstIndex(of: 0x3a) ?? line
                let field = HeaderField(name: String(decoding: message[line..<colon], as: UTF8.self), rawValue: [])
                isPad = field.isNamed(fieldName)
            }
            if !isPad { output += message[line..<next] }
            line = next
        }
        return output + message[end...]
    }

    /// Where the empty line starts that ends the header section, or the end of a message without one.
    private static func endOfFields(_ message: [UInt8]) -> Int {
        var line = 0
        while line < message.count {
            if message[line] == 0x0a { return line }
            if message[line] == 0x0d, line + 1 < message.count, message[line + 1] == 0x0a { return line }
            guard let end = message[line...].firstIndex(of: 0x0a) else { return message.count }
            line = end + 1
        }
        return line
    }

    /// A field of exactly `octets`. A continuation needs a line end, a space and one octet at least, so what would leave less
    /// than that for the last line leaves four octets more.
    private static func field(octets: Int) -> [UInt8] {
        precondition(octets >= fieldMinOctets, "the field has a least size")
        var field = start
        var rest = octets - start.count - 2
        var room = lineMaxOctets - start.count
        var lead: [UInt8] = []
        while rest > 0 {
            var take = min(rest, room)
            if (1...3).contains(rest - take) { take -= 4 }
            field += lead
            field += repeatElement(0x78, count: take - lead.count)
            rest -= take
            lead = [0x0d, 0x0a, 0x20]
            room = lineMaxOctets + 2
        }
        return field + [0x0d, 0x0a]
    }
}
