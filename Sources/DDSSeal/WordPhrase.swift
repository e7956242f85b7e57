// Bytes that can be read out: words made of alternating consonants and vowels, 16 bits each. For passphrases that are made up
// here, and for fingerprints that two people compare.

package import DDSCore

package enum WordPhrase {
    // The alphabet of proquints (D. S. Wilkerson, arXiv:0901.4016).
    private static let consonants = Array("bdfghjklmnprstvz")
    private static let vowels = Array("aiou")

    /// `words` words of five letters with a dash between them; six have 96 bits.
    package static func make(words: Int, _ random: some RandomSource) -> String { text(random.bytes(words * 2)) }

    /// The words of `bytes`, of which there is an even number.
    package static func text(_ bytes: [UInt8]) -> String {
        precondition(bytes.count % 2 == 0, "a word stands for two bytes")
        return stride(from: 0, to: bytes.count, by: 2).map { word(UInt16(bytes[$0]) << 8 | UInt16(bytes[$0 + 1])) }.joined(
            separator: "-")
    }

    /// What `text` made words of, whatever stands between them having been taken out; nil for anything else.
    package static func bytes(_ letters: String) -> [UInt8]? {
        let letters = Array(letters)
        guard letters.count % 5 == 0 else { return nil }
        var bytes: [UInt8] = []
        for start in stride(from: 0, to: letters.count, by: 5) {
            let places = (0..<5).map { ($0 % 2 == 0 ? consonants : vowels).firstIndex(of: letters[start + $0]) }
            var value: UInt16 = 0
            for (index, place) in places.enumerated() {
                guard let place else { return nil }
                value = value << (index % 2 == 0 ? 4 : 2) | UInt16(place)
            }
            bytes += [UInt8(value >> 8), UInt8(truncatingIfNeeded: value)]
        }
        return bytes
    }

    package static func word(_ value: UInt16) -> String {
        func consonant(_ shift: Int) -> Character { consonants[Int(value >> UInt16(shift) & 15)] }
        func vowel(_ shift: Int) -> Character { vowels[Int(value >> UInt16(shift) & 3)] }
        return String([consonant(12), vowel(10), consonant(6), vowel(4), consonant(0)])
    }
}
