// Looking for certain octets among many. It decides nothing.

enum ByteSearch {
    /// The index of the first `octet` in `bytes` at `start` or behind it.
    static func first(_ octet: UInt8, in bytes: [UInt8], from start: Int) -> Int? {
        let octets = bytes.span
        var index = start
        while index < octets.count {
            if octets[index] == octet { return index }
            index += 1
        }
        return nil
    }

    /// The index of the first CR or LF in `bytes` at `start` or behind it.
    static func firstLineEnd(in bytes: ArraySlice<UInt8>, from start: Int) -> Int? {
        let octets = bytes.span
        var index = start - bytes.startIndex
        while index < octets.count {
            // One comparison for almost every octet of text.
            if octets[index] < 0x0e, octets[index] == 0x0a || octets[index] == 0x0d { return index + bytes.startIndex }
            index += 1
        }
        return nil
    }
}
