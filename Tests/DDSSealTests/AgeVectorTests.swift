// The C2SP CCTV age test kit, every vector.

import DDSCore
import DDSTestKit
import Testing

@testable import DDSSeal

@Suite(
    .enabled(if: Corpus.isPresent, Comment(rawValue: Corpus.absence)),
    .enabled(if: AgeVector.canUnpack, "python3 is absent: the age test kit cannot be unpacked"))
struct AgeVectorTests {
    @Test func corpus_isWhole() {
        #expect(AgeVector.all.count == 143)
        #expect(AgeVector.all.filter { $0.expect == "success" }.count == 26)
    }

    @Test(arguments: AgeVector.all)
    func vector_isOpenedAsExpectedHoweverItIsCut(_ vector: AgeVector) throws {
        let unlocks = try unlocks(vector)
        for pieces in Cut.ways(vector.file) {
            for form in vector.isArmored ? [AgeDecryptor.Form.armored] : [.binary, .detected] {
                let opening = best(unlocks.map { $0.open(pieces, form: form) })
                #expect(Self.className(opening.error) == vector.expect, "\(vector) in \(pieces.count) pieces")
                if let payload = vector.payload {
                    #expect(Hex.encode(Hash.sha256(opening.plain)) == payload, "\(vector) in \(pieces.count) pieces")
                } else {
                    #expect(opening.plain.isEmpty)
                }
            }
        }
    }

    @Test(arguments: AgeVector.all.filter { !$0.isArmored })
    func parsedHeader_isWrittenAsItWasRead(_ vector: AgeVector) throws {
        for piece in [Int.max, 1] {
            var reader = AgeHeaderReader()
            var taken = 0
            do throws(AgeError) {
                for bytes in Cut.pieces(Array(vector.file.prefix(70000)), [piece]) where !reader.isComplete {
                    taken += try reader.feed(bytes[...])
                }
                try reader.finish()
            } catch {
                #expect(vector.expect == "header failure" && error == .headerFailure)
                return
            }
            #expect(reader.encoded() == Array(vector.file.prefix(taken)))
            guard vector.expect == "success", !vector.fileKey.isEmpty else { continue }
            let keys = try unlocks(vector).compactMap { try? reader.unwrap(with: $0) }
            #expect(keys.first?.secret.isEqual(to: vector.fileKey) == true)
        }
    }

    private func unlocks(_ vector: AgeVector) throws -> [AgeUnlock] {
        let identities = try vector.identities.map { try AgeIdentity($0) }
        let needsIdentities = !identities.isEmpty || vector.passphrases.isEmpty
        return (needsIdentities ? [.identities(identities)] : []) + vector.passphrases.map { .passphrase(Seal.secret($0)) }
    }

    /// The test kit gives all keys at once; here each kind is tried by itself.
    private func best(_ openings: [Opening]) -> Opening {
        openings.first { $0.error == nil } ?? openings.first { $0.error != .noMatch } ?? Opening(error: .noMatch)
    }

    private static func className(_ error: AgeError?) -> String {
        switch error {
        case nil: "success"
        case .noMatch: "no match"
        case .hmacFailure: "HMAC failure"
        case .headerFailure, .tooLarge, .workFactor: "header failure"
        case .armorFailure: "armor failure"
        case .payloadFailure: "payload failure"
        case .badRecipient, .badIdentity, .mixedRecipients: "not of a file"
        }
    }
}
