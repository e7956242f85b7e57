import DDSCore
import DDSSeal
import Testing

@testable import DDSNode

@Suite struct NodeHeadTests {
    private func bob() throws -> MailAddress { try #require(MailAddress("bob@node.test")) }

    @Test func statement_readsBackWithTheKeyThatSignedIt() throws {
        let key = SigningKey.generate()
        for counter in [0, 1, UInt64.max] {
            let head = NodeHead(uuid: Array(1...16), counter: counter)
            let words = head.words(for: try bob(), signedBy: key)
            #expect(words.utf8.count <= 200)
            #expect(try NodeHead(words, to: try bob(), signedBy: key.publicKey) == head)
        }
    }

    @Test func statementToSomebodyElse_orOfAnotherNode_isNotBelieved() throws {
        let key = SigningKey.generate()
        let words = NodeHead(uuid: Array(1...16), counter: 7).words(for: try bob(), signedBy: key)
        for other in ["bobby@node.test", "bob@node.tests", "alice@node.test"] {
            let address = try #require(MailAddress(other))
            #expect(throws: NodeHead.Mistrust.wrongSignature) { try NodeHead(words, to: address, signedBy: key.publicKey) }
        }
        #expect(throws: NodeHead.Mistrust.wrongSignature) {
            try NodeHead(words, to: try bob(), signedBy: SigningKey.generate().publicKey)
        }
        let later = words.replacing(" 7 ", with: " 8 ")
        #expect(throws: NodeHead.Mistrust.wrongSignature) { try NodeHead(later, to: try bob(), signedBy: key.publicKey) }
    }

    @Test func everyChangedCharacter_isNoticed() throws {
        let key = SigningKey.generate()
        let words = Array(NodeHead(uuid: Array(1...16), counter: 4711).words(for: try bob(), signedBy: key).utf8)
        for index in words.indices {
            var changed = words
            changed[index] = changed[index] == 0x31 ? 0x32 : 0x31
            #expect(throws: NodeHead.Mistrust.self, "octet \(index)") {
                try NodeHead(String(decoding: changed, as: UTF8.self), to: try bob(), signedBy: key.publicKey)
            }
        }
    }

    @Test(arguments: [
        "", "x", "00 1 x", "\(String(repeating: "0", count: 32)) +1 AAAA", "\(String(repeating: "0", count: 32)) -1 AAAA",
        "\(String(repeating: "0", count: 32)) 18446744073709551616 AAAA", "\(String(repeating: "0", count: 32)) 1 A*AA",
        "\(String(repeating: "0", count: 32)) 1 AAAA AAAA", "\(String(repeating: "g", count: 32)) 1 AAAA",
    ])
    func otherWords_areMalformed(words: String) throws {
        #expect(throws: NodeHead.Mistrust.malformed) {
            try NodeHead(words, to: try bob(), signedBy: SigningKey.generate().publicKey)
        }
    }
}
