// How the owners of records write their fields: numbers and short texts, without room for doubt when they are read.

/// Numbers and short texts one after the other: big-endian, texts of up to 255 octets with their length in front.
package struct RecordBytes {
    package private(set) var bytes: [UInt8] = []
    private var place = 0

    package init() {}
    package init(bytes: [UInt8]) { self.bytes = bytes }

    package var isAtEnd: Bool { place == bytes.count }
    /// What was not read yet.
    package var rest: ArraySlice<UInt8> { bytes[place...] }

    package mutating func put(_ number: UInt64, _ count: Int) { bytes.appendNumber(number, bytes: count) }

    /// Texts are names and ids, whose lengths are limited where they are made.
    package mutating func put(_ text: String) {
        precondition(text.utf8.count <= 255, "a text of a record has at most 255 octets")
        bytes.append(UInt8(text.utf8.count))
        bytes += text.utf8
    }

    package mutating func put(_ more: [UInt8]) { bytes += more }

    package mutating func number(_ count: Int) -> UInt64? {
        guard place + count <= bytes.count else { return nil }
        defer { place += count }
        return bytes.number(at: place, bytes: count)
    }

    package mutating func text() -> String? {
        guard let count = number(1), place + Int(count) <= bytes.count else { return nil }
        defer { place += Int(count) }
        return String(validating: bytes[place..<place + Int(count)], as: UTF8.self)
    }
}
