// Fingerprints in the forms that people type and scan.

import DDSCore
import DDSSeal
import Testing

@Suite struct KeyFingerprintTests {
    private let print = KeyFingerprint(of: Array("a public key".utf8))

    @Test func eachForm_isReadBack_howeverItIsTyped() throws {
        #expect(print.words.split(separator: "-").map(\.count) == [5, 5, 5, 5, 5, 5, 5, 5] && print.hex.count == 32)
        let spaced = print.words.replacing("-", with: "  \n").uppercased()
        let colons = stride(from: 0, to: 32, by: 4).map { String(Array(print.hex)[$0..<$0 + 4]) }.joined(separator: ":")
        for text in [print.words, print.hex, print.scanned, spaced, colons, " " + print.scanned.lowercased() + "\n"] {
            #expect(KeyFingerprint(text) == print, "\(text)")
        }
    }

    @Test func anythingElse_isNone() {
        let (words, hex) = (print.words, print.hex)
        var texts: [String] = ["", "DDSKEY:", String(words.dropLast()), words + "-babab", words + "b", "\u{0}" + words]
        texts += [String(words.dropLast(6)), String(hex.dropLast()), hex + "0", "g" + hex.dropFirst(), "DDSKEX:" + hex]
        texts += ["\u{430}" + words.dropFirst(), String(repeating: "a", count: 40)]
        for text in texts {
            #expect(KeyFingerprint(text) == nil, "\(text)")
        }
    }

    @Test func everyWord_isReadBack() {
        for value in 0...UInt16.max {
            #expect(WordPhrase.bytes(WordPhrase.word(value)) == [UInt8(value >> 8), UInt8(truncatingIfNeeded: value)])
        }
    }

    @Test func anotherKey_hasAnother_andTheContextIsInIt() {
        #expect(KeyFingerprint(of: Array("another".utf8)) != print)
        #expect(print.bytes != Array(Hash.blake2b(Array("a public key".utf8), count: 32).prefix(16)))
    }
}
