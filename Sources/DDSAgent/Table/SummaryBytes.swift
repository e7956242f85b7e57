// How a row's fields are written one after the other, and read again. What is read was sealed by this agent; all the same
// nothing that it says is believed further than the bytes reach.

import DDSCore
import DDSNode

/// Appends numbers and texts.
struct SummaryWriter {
    private(set) var bytes: [UInt8] = []

    /// Little endian, all of its octets.
    mutating func fixed(_ value: some FixedWidthInteger) {
        for shift in stride(from: 0, to: type(of: value).bitWidth, by: 8) {
            bytes.append(UInt8(truncatingIfNeeded: value >> shift))
        }
    }

    /// Seven bits an octet, the lowest first (LEB128).
    mutating func number(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(truncatingIfNeeded: rest))
    }

    mutating func text(_ text: String) {
        number(UInt64(text.utf8.count))
        bytes.append(contentsOf: text.utf8)
    }

    mutating func texts(_ texts: [String]) {
        number(UInt64(texts.count))
        for text in texts { self.text(text) }
    }

    /// Hashes and keys in half of their octets; whatever is not hexadecimal as this program writes it stays as it is.
    mutating func hexadecimal(_ text: String) {
        if let raw = Hex.decode(text), Hex.encode(raw) == text {
            number(UInt64(raw.count) << 1 | 1)
            bytes.append(contentsOf: raw)
        } else {
            number(UInt64(text.utf8.count) << 1)
            bytes.append(contentsOf: text.utf8)
        }
    }
}

/// Reads what `SummaryWriter` wrote. What is not there reads as nothing, and `isWhole` tells.
struct SummaryReader {
    private let bytes: [UInt8]
    private(set) var place: Int
    private let end: Int
    private(set) var isWhole = true

    init(_ bytes: [UInt8], _ range: Range<Int>) {
        self.bytes = bytes
        place = range.lowerBound
        end = range.upperBound
    }

    /// The next `count` octets' places; empty when there are not so many.
    mutating func take(_ count: Int) -> Range<Int> {
        guard isWhole, count >= 0, count <= end - place else {
            isWhole = false
            return end..<end
        }
        place += count
        return place - count..<place
    }

    mutating func fixed<Value: FixedWidthInteger>(_: Value.Type = Value.self) -> Value {
        var value: Value = 0
        for (shift, index) in take(Value.bitWidth / 8).enumerated() { value |= Value(truncatingIfNeeded: bytes[index]) << (8 * shift) }
        return value
    }

    mutating func number() -> UInt64 {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while place < end, shift < 64 {
            let byte = bytes[place]
            place += 1
            value |= UInt64(byte & 0x7f) << shift
            if byte < 0x80 { return value }
            shift += 7
        }
        isWhole = false
        return 0
    }

    /// How many octets or things follow.
    mutating func count() -> Int { Int(exactly: number()) ?? .max }

    /// Where the next text lies, without making it.
    mutating func span() -> Range<Int> {
        let count = count()
        return take(count)
    }

    mutating func text() -> String { String(decoding: bytes[span()], as: UTF8.self) }

    mutating func texts() -> [String] {
        let count = count()
        var texts: [String] = []
        while texts.count < count, isWhole { texts.append(text()) }
        return texts
    }

    mutating func hexadecimal() -> String {
        let length = number()
        let raw = bytes[take(Int(exactly: length >> 1) ?? .max)]
        return length & 1 == 1 ? Hex.encode(Array(raw)) : String(decoding: raw, as: UTF8.self)
    }

    /// Where the octets of the next hexadecimal text lie.
    mutating func hexadecimalSpan() -> Range<Int> {
        let length = number()
        return take(Int(exactly: length >> 1) ?? .max)
    }
}
