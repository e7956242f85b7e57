import DDSTestKit
import Testing

@testable import DDSNode

@Suite struct AddressPrivacyTests {
    @Test func levels_showAllOrAHashOrNothing() {
        let random = SeededRandom(seed: 1)
        #expect(AddressPrivacy(level: .full, random: random).text("192.0.2.7") == "192.0.2.7")
        #expect(AddressPrivacy(level: .none, random: random).text("192.0.2.7") == "-")
        let hashed = AddressPrivacy(level: .hash, random: random)
        #expect(hashed.text("192.0.2.7").count == 10)
        #expect(!hashed.text("192.0.2.7").contains("192"))
        #expect(hashed.text("192.0.2.7") == hashed.text("192.0.2.7"))
        #expect(hashed.text("192.0.2.7") != hashed.text("192.0.2.8"))
    }

    @Test func hashes_ofTwoRunsDiffer() {
        let random = SeededRandom(seed: 1)
        let first = AddressPrivacy(level: .hash, random: random)
        #expect(first.text("192.0.2.7") != AddressPrivacy(level: .hash, random: random).text("192.0.2.7"))
    }
}
