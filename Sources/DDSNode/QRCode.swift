// QR codes (ISO/IEC 18004): what is printed for people with a camera. Alphanumeric mode for texts in capitals and byte mode for others,
// error correction level M, any version that the text needs. How the squares are drawn is decided by the caller.

/// A square of modules.
package struct QRCode: Sendable {
    /// The characters that may be in a text; their places are their values.
    package static let alphabet = Array("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:".utf8)

    /// Modules on a side, without the quiet zone of four around it.
    package private(set) var size: Int
    private var modules: [Bool]
    /// Modules that carry no data.
    private var fixed: [Bool]

    package func isDark(_ x: Int, _ y: Int) -> Bool { modules[y * size + x] }

    /// Nil when the text has other characters than `alphabet`, or too many of them.
    package init?(_ text: [UInt8]) {
        let values = text.compactMap { Self.alphabet.firstIndex(of: $0) }
        guard values.count == text.count else { return nil }
        self.init(.letters(values))
    }

    /// Of any text in ASCII, which takes a half more room. Nil when it is too long.
    package init?(ascii text: [UInt8]) { self.init(.octets(text)) }

    private init?(_ content: Content) {
        guard let version = (1...40).first(where: { content.bitCount($0) <= QRBlocks.dataBytes($0) * 8 }) else { return nil }
        size = 17 + 4 * version
        modules = [Bool](repeating: false, count: size * size)
        fixed = modules
        drawFixed(version)
        place(QRBlocks.interleaved(Self.data(content, version), version))
        let masks = (0..<8).map { mask in
            var trial = self
            trial.apply(mask)
            return trial
        }
        guard let best = masks.min(by: { $0.penalty() < $1.penalty() }) else { return nil }
        self = best
    }

    // MARK: Data

    private enum Content {
        /// Places in the alphabet.
        case letters([Int])
        case octets([UInt8])

        /// Table 3.
        func countBits(_ version: Int) -> Int {
            switch self {
            case .letters: version < 10 ? 9 : version < 27 ? 11 : 13
            case .octets: version < 10 ? 8 : 16
            }
        }

        func bitCount(_ version: Int) -> Int {
            switch self {
            case .letters(let values): 4 + countBits(version) + values.count / 2 * 11 + values.count % 2 * 6
            case .octets(let bytes): 4 + countBits(version) + bytes.count * 8
            }
        }
    }

    /// Mode, count, characters, end and padding (7.4).
    private static func data(_ content: Content, _ version: Int) -> [UInt8] {
        var bits: [Bool] = []
        func append(_ value: Int, _ count: Int) { bits += (0..<count).map { value >> (count - 1 - $0) & 1 == 1 } }
        switch content {
        case .letters(let values):
            append(2, 4)
            append(values.count, content.countBits(version))
            for index in stride(from: 0, to: values.count - 1, by: 2) { append(values[index] * 45 + values[index + 1], 11) }
            if let last = values.last, values.count % 2 == 1 { append(last, 6) }
        case .octets(let bytes):
            append(4, 4)
            append(bytes.count, content.countBits(version))
            for byte in bytes { append(Int(byte), 8) }
        }
        let capacity = QRBlocks.dataBytes(version)
        append(0, min(4, capacity * 8 - bits.count))
        append(0, (8 - bits.count % 8) % 8)
        var bytes = stride(from: 0, to: bits.count, by: 8).map { start in
            bits[start..<start + 8].reduce(0 as UInt8) { $0 << 1 | ($1 ? 1 : 0) }
        }
        let padding = capacity - bytes.count
        for index in 0..<padding { bytes.append(index % 2 == 0 ? 0xec : 0x11) }
        return bytes
    }

    // MARK: Modules

    private mutating func set(_ x: Int, _ y: Int, _ isDark: Bool) {
        guard (0..<size).contains(x), (0..<size).contains(y) else { return }
        modules[y * size + x] = isDark
        fixed[y * size + x] = true
    }

    private mutating func drawFixed(_ version: Int) {
        for index in 0..<size {
            set(6, index, index % 2 == 0)
            set(index, 6, index % 2 == 0)
        }
        for (x, y) in [(3, 3), (size - 4, 3), (3, size - 4)] {
            for dy in -4...4 {
                for dx in -4...4 {
                    let ring = max(abs(dx), abs(dy))
                    set(x + dx, y + dy, ring != 2 && ring != 4)
                }
            }
        }
        let places = Self.alignment(version)
        for (row, y) in places.enumerated() {
            for (column, x) in places.enumerated() {
                let last = places.count - 1
                if (row, column) == (0, 0) || (row, column) == (0, last) || (row, column) == (last, 0) { continue }
                for dy in -2...2 { for dx in -2...2 { set(x + dx, y + dy, max(abs(dx), abs(dy)) != 1) } }
            }
        }
        drawFormat(0)
        if version >= 7 { drawVersion(version) }
    }

    /// Where alignment patterns have their centres (annex E).
    private static func alignment(_ version: Int) -> [Int] {
        guard version > 1 else { return [] }
        let count = version / 7 + 2
        let step = (version * 8 + count * 3 + 5) / (count * 4 - 4) * 2
        return [6] + (0..<count - 1).map { 17 + 4 * version - 7 - $0 * step }.reversed()
    }

    /// Level M and the mask, twice (7.9).
    private mutating func drawFormat(_ mask: Int) {
        var rest = mask
        for _ in 0..<10 { rest = rest << 1 ^ (rest >> 9) * 0x537 }
        let bits = (mask << 10 | rest) ^ 0x5412
        func bit(_ index: Int) -> Bool { bits >> index & 1 == 1 }
        for index in 0...5 { set(8, index, bit(index)) }
        set(8, 7, bit(6))
        set(8, 8, bit(7))
        set(7, 8, bit(8))
        for index in 9..<15 { set(14 - index, 8, bit(index)) }
        for index in 0..<8 { set(size - 1 - index, 8, bit(index)) }
        for index in 8..<15 { set(8, size - 15 + index, bit(index)) }
        set(8, size - 8, true)
    }

    /// The version, twice (7.10).
    private mutating func drawVersion(_ version: Int) {
        var rest = version
        for _ in 0..<12 { rest = rest << 1 ^ (rest >> 11) * 0x1f25 }
        let bits = version << 12 | rest
        for index in 0..<18 {
            let (long, short) = (size - 11 + index % 3, index / 3)
            set(long, short, bits >> index & 1 == 1)
            set(short, long, bits >> index & 1 == 1)
        }
    }

    /// The codewords in two columns at a time, up and down, from the right (7.7.3).
    private mutating func place(_ codewords: [UInt8]) {
        var index = 0
        for right in stride(from: size - 1, through: 1, by: -2) {
            let column = right <= 6 ? right - 1 : right
            for step in 0..<size {
                let isUpward = (column + 1) & 2 == 0
                let y = isUpward ? size - 1 - step : step
                for x in [column, column - 1] where !fixed[y * size + x] && index < codewords.count * 8 {
                    modules[y * size + x] = codewords[index >> 3] >> (7 - UInt8(index & 7)) & 1 == 1
                    index += 1
                }
            }
        }
    }

    private mutating func apply(_ mask: Int) {
        for y in 0..<size {
            for x in 0..<size where !fixed[y * size + x] && Self.inverts(mask, x, y) { modules[y * size + x].toggle() }
        }
        drawFormat(mask)
    }

    private static func inverts(_ mask: Int, _ x: Int, _ y: Int) -> Bool {
        switch mask {
        case 0: (x + y) % 2 == 0
        case 1: y % 2 == 0
        case 2: x % 3 == 0
        case 3: (x + y) % 3 == 0
        case 4: (x / 3 + y / 2) % 2 == 0
        case 5: x * y % 2 + x * y % 3 == 0
        case 6: (x * y % 2 + x * y % 3) % 2 == 0
        default: ((x + y) % 2 + x * y % 3) % 2 == 0
        }
    }

    /// How hard the pattern is to read (7.8.3).
    private func penalty() -> Int {
        var total = 0
        let finder = [true, false, true, true, true, false, true]
        for isTurned in [false, true] {
            for line in 0..<size {
                let row = (0..<size).map { isTurned ? isDark(line, $0) : isDark($0, line) }
                var run = 0
                for (index, isDark) in row.enumerated() {
                    run = index > 0 && row[index - 1] == isDark ? run + 1 : 1
                    if run == 5 { total += 3 } else if run > 5 { total += 1 }
                }
                for start in 0...size - 7 where row[start..<start + 7].elementsEqual(finder) {
                    let before = row[max(0, start - 4)..<start]
                    let after = row[(start + 7)..<min(size, start + 11)]
                    if !before.contains(true) || !after.contains(true) { total += 40 }
                }
            }
        }
        for y in 0..<size - 1 {
            for x in 0..<size - 1 {
                let isDark = isDark(x, y)
                if isDark == self.isDark(x + 1, y), isDark == self.isDark(x, y + 1), isDark == self.isDark(x + 1, y + 1) {
                    total += 3
                }
            }
        }
        let dark = modules.count { $0 }
        return total + abs(dark * 20 - modules.count * 10) / modules.count * 10
    }
}

/// The blocks of error correction level M, and their Reed-Solomon codes (7.5, 7.6).
enum QRBlocks {
    // Table 9: by version, from 1.
    private static let codeBytes = [
        10, 16, 26, 18, 24, 16, 18, 22, 22, 26, 30, 22, 22, 24, 24, 28, 28, 26, 26, 26, 26, 28, 28, 28, 28, 28, 28, 28, 28, 28,
        28, 28, 28, 28,
        28, 28, 28, 28, 28, 28,
    ]
    private static let counts = [
        1, 1, 1, 2, 2, 4, 4, 4, 5, 5, 5, 8, 9, 9, 10, 10, 11, 13, 14, 16, 17, 17, 18, 20, 21, 23, 25, 26, 28, 29, 31, 33, 35,
        37, 38, 40, 43, 45,
        47, 49,
    ]

    /// All codewords of a version.
    static func allBytes(_ version: Int) -> Int {
        var modules = (16 * version + 128) * version + 64
        if version >= 2 {
            let patterns = version / 7 + 2
            modules -= (25 * patterns - 10) * patterns - 55
            if version >= 7 { modules -= 36 }
        }
        return modules / 8
    }

    static func dataBytes(_ version: Int) -> Int { allBytes(version) - codeBytes[version - 1] * counts[version - 1] }

    /// Data and error correction in the order of the symbol.
    static func interleaved(_ data: [UInt8], _ version: Int) -> [UInt8] {
        let (count, code, all) = (counts[version - 1], codeBytes[version - 1], allBytes(version))
        let divisor = generator(code)
        var blocks: [(data: ArraySlice<UInt8>, code: [UInt8])] = []
        var rest = data[...]
        for index in 0..<count {
            let block = rest.prefix(all / count - code + (index < count - all % count ? 0 : 1))
            rest = rest.dropFirst(block.count)
            blocks.append((block, remainder(block, divisor)))
        }
        var output: [UInt8] = []
        for index in 0...all / count - code { output += blocks.compactMap { $0.data.dropFirst(index).first } }
        for index in 0..<code { output += blocks.map { $0.code[index] } }
        return output
    }

    static func product(_ left: UInt8, _ right: UInt8) -> UInt8 {
        var result = 0
        for bit in (0..<8).reversed() {
            result = result << 1 ^ (result >> 7) * 0x11d
            if right >> UInt8(bit) & 1 == 1 { result ^= Int(left) }
        }
        return UInt8(result)
    }

    /// The polynomial with the roots 2^0 ... 2^(degree - 1), without its leading 1.
    private static func generator(_ degree: Int) -> [UInt8] {
        var result = [UInt8](repeating: 0, count: degree)
        result[degree - 1] = 1
        var root: UInt8 = 1
        for _ in 0..<degree {
            for index in 0..<degree {
                result[index] = product(result[index], root) ^ (index + 1 < degree ? result[index + 1] : 0)
            }
            root = product(root, 2)
        }
        return result
    }

    private static func remainder(_ data: ArraySlice<UInt8>, _ divisor: [UInt8]) -> [UInt8] {
        var result = [UInt8](repeating: 0, count: divisor.count)
        for byte in data {
            let factor = byte ^ result.removeFirst()
            result.append(0)
            for index in result.indices { result[index] ^= product(divisor[index], factor) }
        }
        return result
    }
}
