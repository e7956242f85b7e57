// Passphrases that can be read out: words made of alternating consonants and vowels, 16 bits each.

import DDSCore

enum WordPhrase {
    // The alphabet of proquints (D. S. Wilkerson, arXiv:0901.4016).
    private static let consonants = Array("bdfghjklmnprstvz")
    private static let vowels = Array("aiou")

    /// `words` words of five letters with a dash between them; six have 96 bits.
    static func make(words: Int, _ random: some RandomSource) -> String {
        let bytes = random.bytes(words * 2)
        return (0..<words).map { word(UInt16(bytes[$0 * 2]) << 8 | UInt16(bytes[$0 * 2 + 1])) }.joined(separator: "-")
    }

    static func word(_ value: UInt16) -> String {
        func consonant(_ shift: Int) -> Character { consonants[Int(value >> UInt16(shift) & 15)] }
        func vowel(_ shift: Int) -> Character { vowels[Int(value >> UInt16(shift) & 3)] }
        return String([consonant(12), vowel(10), consonant(6), vowel(4), consonant(0)])
    }
}
