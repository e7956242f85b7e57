// Base64 (RFC 4648 section 4), strict: one text for every byte string and one byte string for every accepted text. What bodies of
// messages are encoded with is read as mail wants it.

package enum Base64 {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    private static let values: [UInt8] = {
        var table = [UInt8](repeating: 0xff, count: 256)
        for (value, character) in alphabet.enumerated() { table[Int(character)] = UInt8(value) }
        return table
    }()

    /// The encoding of `bytes` as ASCII, with `=` padding unless `padded` is false.
    package static func encode(_ bytes: some Collection<UInt8>, padded: Bool = true) -> [UInt8] {
        encode(array: Array(bytes), padded: padded)
    }

    /// A loop over a concrete array: a generic one is not specialized for callers in other targets and costs many times as much.
    private static func encode(array bytes: [UInt8], padded: Bool) -> [UInt8] {
        var output: [UInt8] = []
        output.reserveCapacity((bytes.count + 2) / 3 * 4)
        var group: UInt32 = 0
        var held = 0
        for byte in bytes {
            group = group << 8 | UInt32(byte)
            held += 1
            if held == 3 {
                output.append(alphabet[Int(group >> 18)])
                output.append(alphabet[Int(group >> 12 & 63)])
                output.append(alphabet[Int(group >> 6 & 63)])
                output.append(alphabet[Int(group & 63)])
                group = 0
                held = 0
            }
        }
        if held > 0 {
            group <<= held == 1 ? 4 : 2
            for shift in stride(from: held * 6, through: 0, by: -6) { output.append(alphabet[Int(group >> shift & 63)]) }
            if padded { for _ in held..<3 { output.append(0x3d) } }
        }
        return output
    }

    /// The bytes that `text` encodes, or nil when it is not exactly what `encode` would write: no white space, padding as
    /// asked for, no stray bits behind the last byte.
    package static func decode(_ text: some Collection<UInt8>, padded: Bool = true) -> [UInt8]? {
        decode(array: Array(text), padded: padded)
    }

    private static func decode(array text: [UInt8], padded: Bool) -> [UInt8]? {
        var length = text.count
        if padded {
            guard length % 4 == 0 else { return nil }
            let padding = text.suffix(2).reversed().prefix { $0 == 0x3d }.count
            length -= padding
        }
        guard length % 4 != 1 else { return nil }
        if padded, (4 - length % 4) % 4 != text.count - length { return nil }
        var groups = Groups(octets: length)
        for character in text.prefix(length) {
            let value = values[Int(character)]
            guard value != 0xff else { return nil }
            groups.append(value)
        }
        guard !groups.hasStrayBits else { return nil }
        return groups.finish()
    }

    /// The bytes of a body in a message (RFC 2045 section 6.8): octets that are not of the alphabet are ignored, and the first `=`
    /// is the end: behind it are the words of mailing lists. A last group that is too short gives the whole bytes it has.
    package static func decode(body text: ArraySlice<UInt8>) -> [UInt8] {
        let (text, values) = (text.span, values.span)
        var groups = Groups(octets: text.count)
        for index in text.indices {
            if text[index] == 0x3d { break }
            let value = values[Int(text[index])]
            if value != 0xff { groups.append(value) }
        }
        return groups.finish()
    }

    /// Six bits after the other, four times of which are three bytes.
    private struct Groups {
        private var output: [UInt8] = []
        private var group: UInt32 = 0
        private var held = 0

        init(octets: Int) {
            output.reserveCapacity(octets * 3 / 4)
        }

        mutating func append(_ value: UInt8) {
            group = group << 6 | UInt32(value)
            held += 1
            guard held == 4 else { return }
            output.append(UInt8(truncatingIfNeeded: group >> 16))
            output.append(UInt8(truncatingIfNeeded: group >> 8))
            output.append(UInt8(truncatingIfNeeded: group))
            group = 0
            held = 0
        }

        /// What does not fill the last byte is not all zero.
        var hasStrayBits: Bool {
            switch held {
            case 2: group & 15 != 0
            case 3: group & 3 != 0
            default: false
            }
        }

        mutating func finish() -> [UInt8] {
            if held > 1 { output.append(UInt8(truncatingIfNeeded: group >> (held == 2 ? 4 : 10))) }
            if held > 2 { output.append(UInt8(truncatingIfNeeded: group >> 2)) }
            return output
        }
    }
}

package enum Hex {
    private static let digits = Array("0123456789abcdef".utf8)

    /// Lower-case hexadecimal.
    package static func encode(_ bytes: some Collection<UInt8>) -> String {
        var text: [UInt8] = []
        text.reserveCapacity(bytes.count * 2)
        for byte in bytes {
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 15)])
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// The bytes of an even number of hexadecimal digits, or nil.
    package static func decode(_ text: some StringProtocol) -> [UInt8]? {
        let characters = Array(text.utf8)
        guard characters.count % 2 == 0 else { return nil }
        var bytes: [UInt8] = []
        for index in stride(from: 0, to: characters.count, by: 2) {
            guard let high = value(characters[index]), let low = value(characters[index + 1]) else { return nil }
            bytes.append(high << 4 | low)
        }
        return bytes
    }

    private static func value(_ character: UInt8) -> UInt8? {
        switch character {
        case 0x30...0x39: character - 0x30
        case 0x41...0x46: character - 0x41 + 10
        case 0x61...0x66: character - 0x61 + 10
        default: nil
        }
    }
}
