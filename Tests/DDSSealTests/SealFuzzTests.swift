// Readers of age files, armor and minisign's formats on mutations of the age test kit: an error or a result, never a trap, and
// no more output than input. `make fuzz` runs many; a failure or a trap names its seed: DDSNODE_SEED replays it.

import DDSCore
import DDSTestKit
import DDSTorture
import Testing

@testable import DDSSeal

@Suite(
    .enabled(if: Corpus.isPresent, Comment(rawValue: Corpus.absence)),
    .enabled(if: AgeVector.canUnpack, "python3 is absent: the age test kit cannot be unpacked"))
struct SealFuzzTests {
    /// Longer ones take their time and have no more places that decide.
    private static let files = AgeVector.all.map(\.file).filter { $0.count < 100_000 }
    private static let armored = AgeVector.all.filter { $0.isArmored }.map(\.file)
    private static let identities = Array(Set(AgeVector.all.flatMap(\.identities))).sorted().compactMap { try? AgeIdentity($0) }

    private func each(_ test: String, _ body: (SeededRandom) throws -> Void) throws {
        try MutationRun.each("SealFuzzTests/\(test)") { random, replay in
            #expect(throws: Never.self, Comment(rawValue: replay)) { try body(random) }
        }
    }

    @Test func mutatedFiles_areOpenedOrRefused() throws {
        #expect(Self.files.count > 100 && Self.identities.count > 1)
        try each("mutatedFiles_areOpenedOrRefused") { random in
            let file = Mutation.mutated(Self.files, random)
            var opener = AgeDecryptor(identities: Self.identities)
            var given = 0
            do throws(AgeError) {
                for piece in Mutation.pieces(file, random) { given += try opener.feed(piece).count }
                given += try opener.finish().count
            } catch {}
            #expect(given <= file.count)
        }
    }

    @Test func mutatedHeaders_areReadOrRefused_andWrittenAsRead() throws {
        try each("mutatedHeaders_areReadOrRefused_andWrittenAsRead") { random in
            let file = Mutation.mutated(Self.files, random)
            var reader = AgeHeaderReader()
            var taken = 0
            do throws(AgeError) {
                for piece in Mutation.pieces(file, random) where !reader.isComplete { taken += try reader.feed(piece[...]) }
                try reader.finish()
            } catch {
                return
            }
            #expect(reader.encoded() == Array(file.prefix(taken)))
        }
    }

    @Test func mutatedArmor_isDecodedOrRefused_theSameHoweverItIsCut() throws {
        func decoded(_ pieces: [[UInt8]]) -> [UInt8]? {
            var decoder = AgeArmorDecoder()
            var bytes: [UInt8] = []
            do throws(AgeError) {
                for piece in pieces { bytes += try decoder.update(piece[...]) }
                try decoder.finish()
            } catch {
                return nil
            }
            return bytes
        }
        try each("mutatedArmor_isDecodedOrRefused_theSameHoweverItIsCut") { random in
            let text = Mutation.mutated(Self.armored, random)
            let whole = decoded([text])
            #expect((whole?.count ?? 0) <= text.count)
            #expect(decoded(Mutation.pieces(text, random)) == whole)
        }
    }

    @Test func mutatedSignatures_areReadOrRefused_andVouchForNothingElse() throws {
        let signer = MinisignKey(SigningKey(seed: Seal.secret([UInt8](0..<32))))
        let message = Array("a message".utf8)
        let publicKey = signer.publicKey
        let samples = [Array(signer.sign(message, trustedComment: "a comment").text.utf8), Array("\(publicKey)".utf8)]
        try each("mutatedSignatures_areReadOrRefused_andVouchForNothingElse") { random in
            let text = String(decoding: Mutation.mutated(samples, random), as: UTF8.self)
            _ = MinisignPublicKey(text)
            guard let signature = MinisignSignature(text) else { return }
            #expect(!signature.isValid(for: message + [0], by: publicKey))
        }
    }
}
