// The text armor of age files (C2SP age.md, "ASCII armor") and its streaming writer: a strict PEM with 64 columns.

/// Sizes and constants of armor.
package enum AgeArmor {
    package enum LineEnd: Sendable {
        case lf, crlf

        var bytes: [UInt8] { self == .lf ? [0x0a] : [0x0d, 0x0a] }
    }

    static let begin = Array("-----BEGIN AGE ENCRYPTED FILE-----".utf8)
    static let end = Array("-----END AGE ENCRYPTED FILE-----".utf8)
    static let columns = 64
    static let bytesPerLine = 48

    /// The size of the armor of an age file of `bytes`.
    package static func armoredSize(bytes: Int, lineEnd: LineEnd) -> Int {
        let characters = (bytes + 2) / 3 * 4
        let lines = (characters + columns - 1) / columns
        return begin.count + end.count + characters + (lines + 2) * lineEnd.bytes.count
    }
}

/// Writes armor. A value: do not go on with two copies of it.
package struct AgeArmorEncoder: Sendable {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    private let lineEnd: [UInt8]
    /// Less than a line.
    private var pending: [UInt8] = []
    private var hasBegun = false

    package init(lineEnd: AgeArmor.LineEnd) {
        self.lineEnd = lineEnd.bytes
    }

    /// Takes bytes of the age file and returns the text that is ready: whole lines.
    package mutating func update(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
        let lines = (pending.count + bytes.count) / AgeArmor.bytesPerLine
        var output = beginning(reserving: lines)
        var rest = bytes
        if lines > 0, !pending.isEmpty {
            let missing = AgeArmor.bytesPerLine - pending.count
            pending.append(contentsOf: rest.prefix(missing))
            rest = rest.dropFirst(missing)
            append(pending[...], to: &output)
            pending.removeAll(keepingCapacity: true)
        }
        let whole = lines == 0 ? 0 : rest.count / AgeArmor.bytesPerLine * AgeArmor.bytesPerLine
        append(rest.prefix(whole), to: &output)
        pending.append(contentsOf: rest.dropFirst(whole))
        return output
    }

    /// The last line and the end mark.
    package mutating func finish() -> [UInt8] {
        var output = beginning(reserving: 2)
        append(pending[...], to: &output)
        pending = []
        return output + AgeArmor.end + lineEnd
    }

    private mutating func beginning(reserving lines: Int) -> [UInt8] {
        var output: [UInt8] = []
        output.reserveCapacity((lines + 1) * (AgeArmor.columns + lineEnd.count))
        guard !hasBegun else { return output }
        hasBegun = true
        output += AgeArmor.begin
        output += lineEnd
        return output
    }

    /// Appends the lines of `bytes`; only the last may be short.
    private func append(_ bytes: ArraySlice<UInt8>, to output: inout [UInt8]) {
        let lines = (bytes.count + AgeArmor.bytesPerLine - 1) / AgeArmor.bytesPerLine
        let size = (bytes.count + 2) / 3 * 4 + lines * lineEnd.count
        output += unsafe [UInt8](filling: size) { text, initialized in
            unsafe bytes.withUnsafeBufferPointer { bytes in
                var start = 0
                while start < bytes.count {
                    let stop = min(start + AgeArmor.bytesPerLine, bytes.count)
                    unsafe initialized += Self.encode(
                        UnsafeBufferPointer(rebasing: bytes[start..<stop]),
                        to: UnsafeMutableBufferPointer(rebasing: text[initialized...]))
                    for byte in lineEnd {
                        unsafe text[initialized] = byte
                        initialized += 1
                    }
                    start = stop
                }
            }
        }
    }

    /// Writes one line without its end and returns its length.
    private static func encode(_ bytes: UnsafeBufferPointer<UInt8>, to text: UnsafeMutableBufferPointer<UInt8>) -> Int {
        unsafe alphabet.withUnsafeBufferPointer { alphabet in
            var place = 0
            var index = 0
            while index + 2 < bytes.count {
                let group = unsafe UInt32(bytes[index]) << 16 | UInt32(bytes[index + 1]) << 8 | UInt32(bytes[index + 2])
                unsafe text[place] = alphabet[Int(group >> 18)]
                unsafe text[place + 1] = alphabet[Int(group >> 12 & 63)]
                unsafe text[place + 2] = alphabet[Int(group >> 6 & 63)]
                unsafe text[place + 3] = alphabet[Int(group & 63)]
                index += 3
                place += 4
            }
            let rest = bytes.count - index
            guard rest > 0 else { return place }
            let group = unsafe UInt32(bytes[index]) << 16 | (rest > 1 ? UInt32(bytes[index + 1]) << 8 : 0)
            unsafe text[place] = alphabet[Int(group >> 18)]
            unsafe text[place + 1] = alphabet[Int(group >> 12 & 63)]
            unsafe text[place + 2] = rest > 1 ? alphabet[Int(group >> 6 & 63)] : 0x3d
            unsafe text[place + 3] = 0x3d
            return place + 4
        }
    }
}
