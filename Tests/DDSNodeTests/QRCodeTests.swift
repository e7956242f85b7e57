import DDSCore
import DDSTestKit
import Testing

@testable import DDSNode

/// The codes are read back by a reader that is written the other way round; Tests/CLI has zbar read them too.
@Suite struct QRCodeTests {
    @Test func everyLength_isReadBack() throws {
        for count in [1, 2, 3, 19, 20, 21, 38, 61, 90, 122, 154, 178, 221, 262, 311, 400, 700, 970, 2000, 3391] {
            let random = SeededRandom(seed: UInt64(count))
            let text = random.bytes(count).map { QRCode.alphabet[Int($0) % 45] }
            let code = try #require(QRCode(text), "\(count)")
            #expect(try QRReader(code).text() == text, "\(count)")
        }
    }

    /// Byte mode; the lengths are those after which table 7 takes the next version.
    @Test(arguments: [(1, 14), (2, 26), (4, 62), (6, 106), (8, 152), (9, 180), (10, 213), (20, 666), (40, 2331)])
    func otherTexts_areReadBackToo(_ version: Int, _ count: Int) throws {
        let text = SeededRandom(seed: UInt64(count)).bytes(count).map { $0 & 0x7f }
        let code = try #require(QRCode(ascii: text))
        #expect(code.size == 17 + 4 * version)
        #expect(try QRReader(code).text() == text)
        #expect(QRCode(ascii: text + [0x61])?.size == (version == 40 ? nil : 21 + 4 * version))
    }

    /// Table 7 for level M: so many characters fit, and one more takes the next version.
    @Test(arguments: [
        (1, 20), (2, 38), (3, 61), (4, 90), (5, 122), (6, 154), (7, 178), (8, 221), (9, 262), (10, 311), (20, 970), (27, 1637),
        (40, 3391),
    ])
    func capacity_isThatOfTheStandard(_ version: Int, _ count: Int) {
        #expect(QRCode(Array(repeating: 0x41, count: count))?.size == 17 + 4 * version)
        #expect(QRCode(Array(repeating: 0x41, count: count + 1))?.size == (version == 40 ? nil : 21 + 4 * version))
    }

    @Test func otherCharacters_areRefused() {
        #expect(QRCode(Array("DDS-RECOVERY-1q".utf8)) == nil && QRCode([0x0a]) == nil && QRCode([0xff]) == nil)
    }

    /// Format information of table C.1 for level M.
    @Test func format_isOfTheTable() throws {
        let words = [0x5412, 0x5125, 0x5e7c, 0x5b4b, 0x45f9, 0x40ce, 0x4f97, 0x4aa0]
        for text in ["A", "HELLO", "DDS-RECOVERY-1", "0123456789"] {
            let reader = QRReader(try #require(QRCode(Array(text.utf8))))
            #expect(words[reader.mask] == reader.formats.0 && reader.formats.0 == reader.formats.1)
        }
    }
}

/// Reads what `QRCode` draws, without mending anything: every code word has to be right.
private struct QRReader {
    let code: QRCode
    let size: Int
    let version: Int
    private(set) var formats = (0, 0)
    private(set) var mask = 0

    enum Fault: Error {
        case polynomial(Int)
        case mode
    }

    init(_ code: QRCode) {
        self.code = code
        size = code.size
        version = (code.size - 17) / 4
        let first = [
            (0, 8), (1, 8), (2, 8), (3, 8), (4, 8), (5, 8), (7, 8), (8, 8), (8, 7), (8, 5), (8, 4), (8, 3), (8, 2), (8, 1),
            (8, 0),
        ]
        let second = (0..<7).map { (8, size - 1 - $0) } + (0..<8).map { (size - 8 + $0, 8) }
        formats = (number(first), number(second))
        mask = (formats.0 ^ 0x5412) >> 10 & 7
    }

    private func number(_ places: [(Int, Int)]) -> Int { places.reduce(0) { $0 << 1 | (code.isDark($1.0, $1.1) ? 1 : 0) } }

    func text() throws -> [UInt8] {
        let bytes = codewords()
        let blocks = Self.shape(version)
        var columns = [[UInt8]](repeating: [], count: blocks.count)
        var index = 0
        for place in 0..<(blocks.map(\.data).max() ?? 0) {
            for block in blocks.indices where place < blocks[block].data {
                columns[block].append(bytes[index])
                index += 1
            }
        }
        let data = columns.flatMap { $0 }
        for _ in 0..<(blocks.first?.code ?? 0) {
            for block in blocks.indices {
                columns[block].append(bytes[index])
                index += 1
            }
        }
        // A word of the code is zero at all roots of the generator.
        for block in blocks.indices {
            for power in 0..<blocks[block].code {
                let root = (0..<power).reduce(1 as UInt8) { value, _ in Self.double(value) }
                let value = columns[block].reduce(0 as UInt8) { Self.times($0, root) ^ $1 }
                guard value == 0 else { throw Fault.polynomial(block) }
            }
        }
        var bits = data.flatMap { byte in (0..<8).map { byte >> UInt8(7 - $0) & 1 } }[...]
        func take(_ count: Int) -> Int {
            defer { bits = bits.dropFirst(count) }
            return bits.prefix(count).reduce(0) { $0 << 1 | Int($1) }
        }
        let mode = take(4)
        if mode == 4 {
            let count = take(version < 10 ? 8 : 16)
            return (0..<count).map { _ in UInt8(take(8)) }
        }
        guard mode == 2 else { throw Fault.mode }
        var rest = take(version < 10 ? 9 : version < 27 ? 11 : 13)
        var text: [UInt8] = []
        while rest >= 2 {
            let pair = take(11)
            text += [QRCode.alphabet[pair / 45], QRCode.alphabet[pair % 45]]
            rest -= 2
        }
        if rest == 1 { text.append(QRCode.alphabet[take(6)]) }
        return text
    }

    /// Table 9 for level M as (blocks, all, data) groups, for the versions that the tests meet.
    private static func shape(_ version: Int) -> [(data: Int, code: Int)] {
        let groups: [Int: [(Int, Int, Int)]] = [
            1: [(1, 26, 16)], 2: [(1, 44, 28)], 3: [(1, 70, 44)], 4: [(2, 50, 32)], 5: [(2, 67, 43)], 6: [(4, 43, 27)],
            7: [(4, 49, 31)],
            8: [(2, 60, 38), (2, 61, 39)], 9: [(3, 58, 36), (2, 59, 37)], 10: [(4, 69, 43), (1, 70, 44)],
            12: [(6, 58, 36), (2, 59, 37)],
            17: [(10, 74, 46), (1, 75, 47)], 20: [(3, 67, 41), (13, 68, 42)], 31: [(2, 74, 46), (29, 75, 47)],
            40: [(18, 75, 47), (31, 76, 48)],
        ]
        return (groups[version] ?? []).flatMap { count, all, data in
            [(data: Int, code: Int)](repeating: (data, all - data), count: count)
        }
    }

    private func codewords() -> [UInt8] {
        var bits: [Bool] = []
        var isUp = true
        var right = size - 1
        while right > 0 {
            if right == 6 { right -= 1 }
            for y in isUp ? Array((0..<size).reversed()) : Array(0..<size) {
                for x in [right, right - 1] where !isFunction(x, y) { bits.append(code.isDark(x, y) != isMasked(x, y)) }
            }
            isUp.toggle()
            right -= 2
        }
        return stride(from: 0, to: bits.count / 8 * 8, by: 8).map { start in
            bits[start..<start + 8].reduce(0 as UInt8) { $0 << 1 | ($1 ? 1 : 0) }
        }
    }

    private func isFunction(_ x: Int, _ y: Int) -> Bool {
        if x == 6 || y == 6 { return true }
        if x < 9 && y < 9 || x < 9 && y >= size - 8 || x >= size - 8 && y < 9 { return true }
        if version >= 7, x < 6 && y >= size - 11 || y < 6 && x >= size - 11 { return true }
        let centres = Self.centres(version)
        for cx in centres {
            for cy in centres where abs(x - cx) <= 2 && abs(y - cy) <= 2 {
                let isCorner = (cx, cy) == (6, 6) || (cx, cy) == (6, size - 7) || (cx, cy) == (size - 7, 6)
                if !isCorner { return true }
            }
        }
        return false
    }

    /// Annex E, for the versions that the tests meet.
    private static func centres(_ version: Int) -> [Int] {
        let table: [Int: [Int]] = [
            2: [6, 18], 3: [6, 22], 4: [6, 26], 5: [6, 30], 6: [6, 34], 7: [6, 22, 38], 8: [6, 24, 42], 9: [6, 26, 46],
            10: [6, 28, 50],
            12: [6, 32, 58], 17: [6, 30, 54, 78], 20: [6, 34, 62, 90], 31: [6, 30, 56, 82, 108, 134],
            40: [6, 30, 58, 86, 114, 142, 170],
        ]
        return table[version] ?? []
    }

    private func isMasked(_ j: Int, _ i: Int) -> Bool {
        switch mask {
        case 0: (i + j) & 1 == 0
        case 1: i & 1 == 0
        case 2: j % 3 == 0
        case 3: (i + j) % 3 == 0
        case 4: (i / 2 + j / 3) & 1 == 0
        case 5: (i * j) & 1 + (i * j) % 3 == 0
        case 6: ((i * j) & 1 + (i * j) % 3) & 1 == 0
        default: ((i * j) % 3 + (i + j) & 1) & 1 == 0
        }
    }

    private static func double(_ value: UInt8) -> UInt8 { value & 0x80 == 0 ? value << 1 : value << 1 ^ 0x1d }

    private static func times(_ left: UInt8, _ right: UInt8) -> UInt8 {
        var (result, left, right) = (0 as UInt8, left, right)
        while right > 0 {
            if right & 1 == 1 { result ^= left }
            left = double(left)
            right >>= 1
        }
        return result
    }
}
