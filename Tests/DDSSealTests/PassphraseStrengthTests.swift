import DDSCore
import DDSTestKit
import Testing

@testable import DDSSeal

@Suite struct PassphraseStrengthTests {
    private func magnitude(_ text: String, known: [String] = []) -> Double {
        PassphraseStrength(Seal.secret(text), known: known).magnitude
    }

    @Test(arguments: [
        "", "a", "password", "Password1", "P@ssw0rd!", "drowssap", "123456789012", "qwertyuiop", "1qaz2wsx",
        "aaaaaaaaaaaaaaaaaaaa",
        "abcabcabcabcabc", "abcdefghijklmnop", "zyxwvutsrqp", "24.12.1998", "1998-12-24", "dragon1987", "iloveyou2", "letmein!",
        "Elephant", "winter2024", "bubble", "qwertz123456", "passwortpasswort", "monkeymonkeymonkey", "ab", "13579", "hunter2",
    ])
    func whatEverybodyTriesFirst_isRefused(_ text: String) {
        #expect(magnitude(text) < PassphraseStrength.refusedBelow, "\(magnitude(text))")
        let failure = #expect(throws: Failure.self) { try PassphraseStrength.require(Seal.secret(text)) }
        #expect(failure?.code == .badInput)
        if text.count > 2 { #expect(failure?.description.contains(text) == false) }
    }

    @Test(arguments: ["correct horse battery", "tea kettle", "k8#Lq2", "green turnip"])
    func middling_isTakenWithAWarning(_ text: String) throws {
        try PassphraseStrength.require(Seal.secret(text))
        let warning = try #require(PassphraseStrength(Seal.secret(text)).warning, "\(magnitude(text))")
        #expect(!warning.contains(text))
    }

    @Test(arguments: [
        "correct horse battery staple of the old printer", "k8#Lq2!pW9zR", "Thirteen zebras signed my lease on Monday",
        "sieben müde Hähne frühstücken Schrauben", "4827162950318",
    ])
    func good_isTakenSilently(_ text: String) throws {
        try PassphraseStrength.require(Seal.secret(text))
        #expect(PassphraseStrength(Seal.secret(text)).warning == nil, "\(magnitude(text))")
    }

    @Test func sixMadeWords_areTakenSilently() throws {
        for seed in 0..<50 as Range<UInt64> {
            let words = WordPhrase.make(words: 6, SeededRandom(seed: seed))
            #expect(magnitude(words) >= 19.2, "64 bits are 19.3 digits: \(words) has \(magnitude(words))")
        }
    }

    @Test func whatIsKnownOfAPerson_isGuessedFirst() {
        #expect(magnitude("zwetschkenmus") > PassphraseStrength.refusedBelow)
        #expect(magnitude("zwetschkenmus", known: ["Zwetschkenmus <mus@node.test>"]) < PassphraseStrength.refusedBelow)
        #expect(magnitude("sumnekhcstewz", known: ["zwetschkenmus"]) < PassphraseStrength.refusedBelow)
    }

    /// More of the same is never weaker, and what lies behind the limit counts for nothing.
    @Test func length_neverHurts() {
        var last = 0.0
        let text = "The 3rd of May was cold; nobody came, 1987-04-03 neither"
        for length in 1...text.count {
            let now = magnitude(String(text.prefix(length)))
            // A word that is completed may be cheaper than its beginning was.
            if length > 20 { #expect(now > 6, "\(length)") }
            last = now
        }
        #expect(last > PassphraseStrength.warnedBelow)
        let long = String(repeating: "k8#Lq2!p", count: 2) + String(repeating: "x", count: 200)
        #expect(magnitude(long) == magnitude(String(long.prefix(PassphraseStrength.charactersMax))))
    }

    @Test func bytesThatAreNoText_areEstimatedAllTheSame() {
        var bytes: [UInt8] = [0xff, 0xfe, 0x00, 0xc3, 0x28, 0x80, 0xf0, 0x9f, 0x92, 0xa9, 0x07]
        #expect(PassphraseStrength(SecretBytes(consuming: &bytes)).magnitude > 0)
    }

    @Test func wordList_isEnoughAndClean() {
        let words = PassphraseWords.ranked
        #expect(words.count > 900)
        #expect(Set(words).count == words.count)
        #expect(
            words.allSatisfy { $0.count >= 3 && $0.allSatisfy { (0x61...0x7a).contains($0) || (0x30...0x39).contains($0) } })
    }

    @Test(arguments: [(1, 0.0), (2, 0.30103), (10, 1.0), (1000, 3.0), (4711, 3.67311)]) func logarithm_isOne(
        _ value: Int, _ expected: Double
    ) {
        #expect(abs(GuessCount.log10(value) - expected) < 0.001)
    }
}

@Suite struct WordPhraseTests {
    /// The examples of the proposal (arXiv:0901.4016): IPv4 addresses.
    @Test(arguments: [
        ([127, 0, 0, 1], "lusab-babad"), ([63, 84, 220, 193], "gutih-tugad"), ([140, 98, 193, 141], "mudof-sakat"),
    ])
    func words_areThoseOfTheProposal(_ bytes: [UInt8], _ words: String) { #expect(WordPhrase.text(bytes) == words) }

    @Test func everyWord_standsForOneNumber() {
        var seen = Set<String>()
        for value in UInt16.min...UInt16.max { seen.insert(WordPhrase.word(value)) }
        #expect(seen.count == 65536)
    }
}
