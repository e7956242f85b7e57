// Armor: one text for every file and nothing else, at every cut, within its limits.

import DDSCore
import DDSTestKit
import Testing

@testable import DDSSeal

@Suite struct AgeArmorTests {
    private func armor(_ bytes: [UInt8], _ lineEnd: AgeArmor.LineEnd = .lf, pieces: [Int] = [.max]) -> [UInt8] {
        var encoder = AgeArmorEncoder(lineEnd: lineEnd)
        var text: [UInt8] = []
        for piece in bytes.isEmpty ? [] : Cut.pieces(bytes, pieces.map { min($0, bytes.count) }) {
            text += encoder.update(piece[...])
        }
        return text + encoder.finish()
    }

    private func decode(_ pieces: [[UInt8]]) -> (bytes: [UInt8], error: AgeError?) {
        var decoder = AgeArmorDecoder()
        var bytes: [UInt8] = []
        do throws(AgeError) {
            for piece in pieces { bytes += try decoder.update(piece[...]) }
            try decoder.finish()
            return (bytes, nil)
        } catch {
            return (bytes, error)
        }
    }

    private func isRefused(_ text: String) -> Bool {
        let whole = decode([Array(text.utf8)])
        let single = decode(Cut.pieces(Array(text.utf8), [1]))
        return whole.error == .armorFailure && single.error == .armorFailure && whole.bytes == single.bytes
    }

    private static let begin = "-----BEGIN AGE ENCRYPTED FILE-----\n"
    private static let end = "-----END AGE ENCRYPTED FILE-----\n"

    @Test(arguments: [AgeArmor.LineEnd.lf, .crlf])
    func armor_isReadBackAndHasTheComputedSize(_ lineEnd: AgeArmor.LineEnd) {
        let random = SeededRandom(seed: 1)
        for size in Array(0...200) + [1000, 4799, 4800, 4801, 65552] {
            let bytes = random.bytes(size)
            let text = armor(bytes, lineEnd)
            #expect(text.count == AgeArmor.armoredSize(bytes: size, lineEnd: lineEnd))
            #expect(text == armor(bytes, lineEnd, pieces: [1]) && text == armor(bytes, lineEnd, pieces: [47, 2, 49, 97]))
            let lines = String(decoding: text, as: UTF8.self).split(whereSeparator: \.isNewline)
            #expect(lines.allSatisfy { $0.utf8.count <= 64 })
            for pieces in [[text], Cut.pieces(text, [1]), Cut.pieces(text, [64, 1, 66, 3])] {
                let decoded = decode(pieces)
                #expect(decoded.bytes == bytes && decoded.error == nil, "\(size)")
            }
        }
    }

    @Test(arguments: [AgeArmor.LineEnd.lf, .crlf])
    func armor_isReadAtEveryCut(_ lineEnd: AgeArmor.LineEnd) {
        let bytes = SeededRandom(seed: 2).bytes(150)
        let text = [0x0a, 0x20] + [0x0d, 0x0a] + armor(bytes, lineEnd) + [0x0a, 0x09]
        for cut in 0...text.count {
            let decoded = decode([Array(text[..<cut]), Array(text[cut...])])
            #expect(decoded.bytes == bytes && decoded.error == nil, "cut at \(cut)")
        }
    }

    @Test func everyOtherByteInTheText_isRefusedOrSomethingElse() {
        let bytes = SeededRandom(seed: 3).bytes(100)
        let text = armor(bytes)
        for index in text.indices {
            for value: UInt8 in [0x00, 0x0a, 0x0d, 0x20, 0x2d, 0x3d, 0x41, 0x7f, 0xff] where value != text[index] {
                var altered = text
                altered[index] = value
                let whole = decode([altered])
                #expect(whole.error != nil || whole.bytes != bytes || index == text.count - 1, "byte \(index) as \(value)")
                let single = decode(Cut.pieces(altered, [1]))
                #expect(whole.bytes == single.bytes && whole.error == single.error)
            }
        }
    }

    @Test func strictRules() {
        let line = String(repeating: "A", count: 64) + "\n"
        #expect(!isRefused(Self.begin + line + "AAAA\n" + Self.end))
        #expect(!isRefused(Self.begin + line + "AA==\n" + Self.end.dropLast()))
        #expect(!isRefused(Self.begin + Self.end))
        #expect(isRefused(Self.begin + line + "AB==\n" + Self.end))
        #expect(isRefused(Self.begin + line + "AAB=\n" + Self.end))
        #expect(isRefused(Self.begin + line + "AA\n" + Self.end))
        #expect(isRefused(Self.begin + line + "A===\n" + Self.end))
        #expect(isRefused(Self.begin + line + "====\n" + Self.end))
        #expect(isRefused(Self.begin + "AAAA\n" + line + Self.end))
        #expect(isRefused(Self.begin + "AA==\nAAAA\n" + Self.end))
        #expect(isRefused(Self.begin + String(repeating: "A", count: 62) + "==\n" + line + Self.end))
        #expect(isRefused(Self.begin + String(repeating: "A", count: 63) + "\n" + Self.end))
        #expect(isRefused(Self.begin + String(repeating: "A", count: 65) + "\n" + Self.end))
        #expect(isRefused(Self.begin + String(repeating: "A", count: 68) + "\n" + Self.end))
        #expect(isRefused(Self.begin + "\n" + line + Self.end))
        #expect(isRefused(Self.begin + line + "\n" + Self.end))
        #expect(isRefused(Self.begin + " " + line + Self.end))
        #expect(isRefused(Self.begin + line.dropLast() + " \n" + Self.end))
        #expect(isRefused(Self.begin + line.dropLast() + "\r\r\n" + Self.end))
        #expect(isRefused(" " + Self.begin + line + Self.end))
        #expect(isRefused(Self.begin + line + Self.end.dropLast() + " \n"))
        #expect(isRefused(Self.begin + line + Self.end + "x"))
        #expect(isRefused("x\n" + Self.begin + line + Self.end))
        #expect(isRefused(Self.begin + line + Self.end + Self.begin + line + Self.end))
        #expect(isRefused(Self.begin + line))
        #expect(isRefused(""))
        #expect(isRefused("-----BEGIN AGE ENCRYPTED FILE-----\nVersion: 1\n\n" + line + Self.end))
    }

    @Test func linesBeforeABadOne_areReturnedAndTheErrorStays() throws {
        var decoder = AgeArmorDecoder()
        let line = String(repeating: "A", count: 64) + "\n"
        #expect(try decoder.update(Array((Self.begin + line + "!!!!\n" + Self.end).utf8)[...]).count == 48)
        #expect(throws: AgeError.armorFailure) { try decoder.update([]) }
        #expect(throws: AgeError.armorFailure) { try decoder.finish() }
    }

    @Test func whiteSpaceOutside_isLimitedToTheByte() {
        let limit = AgeArmorDecoder.outsideBytesMax
        let core = Self.begin + "AAAA\n" + Self.end
        for (count, isFine) in [(limit - 1, true), (limit, true), (limit + 1, false)] {
            // The last line of white space needs no end, which is counted all the same.
            for fill in [String(repeating: "\n", count: count), String(repeating: " ", count: count - 1) + "\n"] {
                #expect(isRefused(fill + core) != isFine, "\(count) in front")
                #expect(isRefused(core + fill) != isFine, "\(count) behind")
            }
        }
    }

    @Test func endlessLine_isRefusedAtOnce() throws {
        for (start, fill) in [
            ("", " "), ("", "-"), (Self.begin, "A"), (Self.begin + Self.end, " "), (Self.begin + Self.end, "A"),
        ] {
            var decoder = AgeArmorDecoder()
            _ = try decoder.update(Array(start.utf8)[...])
            let piece = Array(String(repeating: fill, count: 100).utf8)
            var fed = 0
            var error: AgeError?
            while error == nil, fed < 100_000 {
                do throws(AgeError) { _ = try decoder.update(piece[...]) } catch let problem { error = problem }
                fed += piece.count
            }
            #expect(error == .armorFailure && fed <= 1200, "\(start) \(fill)")
        }
    }
}
