// An age file whose payload goes on unopened: its bytes are those behind the header, however the file comes in pieces.

import DDSCore
import DDSTestKit
import Testing

@testable import DDSSeal

@Suite struct AgePassageTests {
    private let identity = AgeIdentity.generate(random: SeededRandom(seed: 11))
    private let plain = Array("Subject: x\r\n\r\nHello.\r\n".utf8)

    private func file(_ armor: AgeArmor.LineEnd?, notes: [AgeStanza] = []) throws -> [UInt8] {
        var encryptor = try AgeEncryptor(
            recipients: [identity.recipient], notes: notes, armor: armor, random: SeededRandom(seed: 12))
        return encryptor.update(plain[...]) + encryptor.finish()
    }

    private func passed(_ pieces: [[UInt8]], _ passage: inout AgePassage) throws -> [UInt8] {
        var payload: [UInt8] = []
        for piece in pieces { payload += try passage.feed(piece) }
        try passage.finish()
        return payload
    }

    @Test(arguments: [nil, AgeArmor.LineEnd.lf, .crlf]) func payload_comesBackAsItIsHoweverTheFileIsCut(
        armor: AgeArmor.LineEnd?
    ) throws {
        let note = AgeStanza(arguments: [Array("ddsnode-test".utf8), Array("1".utf8)], body: [])
        let binary = try file(nil, notes: [note])
        let payload = Array(binary.suffix(AgePayload.payloadSize(plain: plain.count)))
        let file = try file(armor, notes: [note])
        var ways = (0...file.count).map { [Array(file[..<$0]), Array(file[$0...])] }
        ways.append(file.map { [$0] })
        for way in ways {
            var passage = AgePassage(unlock: .identities([identity]))
            #expect(try passed(way, &passage) == payload)
            #expect(passage.stanzas.contains(note))
            let key = try #require(passage.fileKey)
            var reader = AgePayloadReader(fileKey: key)
            #expect(try reader.update(payload[...]) + reader.finish() == plain)
        }
    }

    @Test func payload_isNotLookedAt() throws {
        var file = try file(nil)
        file[file.count - 20] ^= 1
        var passage = AgePassage(unlock: .identities([identity]))
        #expect(try passed([file], &passage).count == AgePayload.payloadSize(plain: plain.count))
        var decryptor = AgeDecryptor(identities: [identity])
        #expect(throws: AgeError.payloadFailure) { try decryptor.feed(file) + decryptor.finish() }
    }

    @Test func headers_thatAreNotWholeOrForSomebodyElse_areRefusedAndStayRefused() throws {
        let file = try file(nil)
        let headerBytes = file.count - AgePayload.payloadSize(plain: plain.count)
        for end in 0..<headerBytes {
            var passage = AgePassage(unlock: .identities([identity]))
            #expect(throws: AgeError.self, "\(end)") { try passed([Array(file[..<end])], &passage) }
            #expect(passage.fileKey == nil)
            #expect(throws: AgeError.self) { try passage.feed(Array(file[end...])) }
        }
        var stranger = AgePassage(unlock: .identities([AgeIdentity.generate(random: SeededRandom(seed: 13))]))
        #expect(throws: AgeError.noMatch) { try passed([file], &stranger) }
        var changed = file
        changed[headerBytes - 5] ^= 1
        var passage = AgePassage(unlock: .identities([identity]))
        #expect(throws: AgeError.self) { try passed([changed], &passage) }
        #expect(passage.fileKey == nil)
    }

    @Test(arguments: [0, 1, 2, 65535, 65536, 65537, 131_071, 131_072, 131_073, 10 << 20])
    func sizes_ofPayloadsAndOfPlaintextsBelongTogether(plain: Int) {
        #expect(AgePayload.plainSize(payload: AgePayload.payloadSize(plain: plain)) == plain)
    }

    @Test(arguments: [0, 15, 16, 31, 33 - 1 + 65536 + 16, 16 + 65552 + 1, 16 + 65552 + 16])
    func sizes_thatNoPayloadHas_areNone(size: Int) {
        #expect(AgePayload.plainSize(payload: size) == (size == 32 ? 0 : nil))
    }
}
