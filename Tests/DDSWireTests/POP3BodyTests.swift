import DDSCore
import DDSTestKit
import DDSWire
import Testing

/// Stuffing and unstuffing seen from outside: what the server sends for a message is what the client stores.
@Suite struct POP3BodyTests {
    /// Fetches one message of these octets through both machines.
    private static func carry(_ bytes: [UInt8], serverPiece: Int, wirePiece: Int) -> [UInt8]? {
        let model = POP3ServerModel([.init(uidl: "u", bytes: bytes)])
        model.pieceOctets = serverPiece
        let store = POP3FetchStore()
        var pair = store.pair(with: model, pieceOctets: wirePiece)
        pair.run()
        return store.messages["u"]
    }

    @Test func oddMessages_arriveByteForByte() {
        for text in [
            "", ".", "..", ".\r\n", "\r\n", "\r\n.\r\n", ".\r\n.\r\n", "a\r\n.\r\nb\r\n", "\n.\n", "\r.\r", "a\r\n.\rb\r\n",
            "a\r\n.\nb", "..\r\n...\r\n", "\r\r\n.x", "a\r\n\r\n\r\n", ".\r", "x\r",
        ] {
            let bytes = Array(text.utf8)
            // The server ends the last line where the message does not (RFC 1939 3).
            let expected = bytes.isEmpty || bytes.suffix(2) == [13, 10] ? bytes : bytes + [13, 10]
            for piece in [1, 2, 3, 1000] {
                #expect(Self.carry(bytes, serverPiece: piece, wirePiece: 1) == expected, "\(text.debugDescription)")
                #expect(Self.carry(bytes, serverPiece: piece, wirePiece: 1000) == expected, "\(text.debugDescription)")
            }
        }
    }

    @Test(arguments: 0..<200) func randomMessages_arriveByteForByte(seed: Int) {
        let random = SeededRandom(seed: UInt64(seed))
        let alphabet = Array("..\r\n\r\nab\0".utf8) + [0xff]
        let bytes = (0..<random.below(200)).map { _ in alphabet[random.below(alphabet.count)] } + [13, 10]
        let carried = Self.carry(bytes, serverPiece: 1 + random.below(20), wirePiece: 1 + random.below(20))
        #expect(carried == bytes, "seed \(seed)")
    }

    @Test(.enabled(if: Corpus.isPresent, Comment(rawValue: Corpus.absence))) func realMail_arrivesByteForByte() {
        for (name, original) in Corpus.mail().prefix(20) {
            var bytes = original
            if bytes.suffix(2) != [13, 10] { bytes += [13, 10] }
            #expect(Self.carry(bytes, serverPiece: 16384, wirePiece: 1500) == bytes, "\(name)")
        }
    }
}
