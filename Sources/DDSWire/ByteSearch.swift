// Looking for certain octets among many, eight at a time. It decides nothing.

enum ByteSearch {
    private static let ones: UInt64 = 0x0101_0101_0101_0101
    private static let highBits: UInt64 = 0x8080_8080_8080_8080

    /// The index of the first `octet` in `bytes` at `start` or behind it.
    static func first(_ octet: UInt8, in bytes: [UInt8], from start: Int) -> Int? {
        unsafe bytes.withUnsafeBytes { unsafe first(octet, octet, in: $0, from: start) }
    }

    /// The index of the first CR or LF in `bytes` at `start` or behind it.
    static func firstLineEnd(in bytes: ArraySlice<UInt8>, from start: Int) -> Int? {
        let offset = bytes.startIndex
        return unsafe bytes.withUnsafeBytes { unsafe first(0x0d, 0x0a, in: $0, from: start - offset) }.map { $0 + offset }
    }

    private static func first(_ one: UInt8, _ other: UInt8, in bytes: UnsafeRawBufferPointer, from start: Int) -> Int? {
        let onePattern = ones &* UInt64(one)
        let otherPattern = ones &* UInt64(other)
        var index = start
        while index + 8 <= bytes.count {
            let word = unsafe UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self))
            let found = zeros(word ^ onePattern) | zeros(word ^ otherPattern)
            if found != 0 { return index + found.trailingZeroBitCount / 8 }
            index += 8
        }
        while index < bytes.count {
            if unsafe bytes[index] == one || bytes[index] == other { return index }
            index += 1
        }
        return nil
    }

    /// Has the high bit of the first octet that is zero; octets above that one may be marked wrongly, those below never.
    private static func zeros(_ word: UInt64) -> UInt64 { (word &- ones) & ~word & highBits }
}
