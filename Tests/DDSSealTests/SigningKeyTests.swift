// Ed25519 against the vectors of RFC 8032 section 7.1.

import DDSCore
import DDSTestKit
import Testing

@testable import DDSSeal

@Suite struct SigningKeyTests {
    struct Vector: Sendable {
        var seed: String
        var publicKey: String
        var message: String
        var signature: String
    }

    static let vectors = [
        Vector(
            seed: "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
            publicKey: "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", message: "",
            signature: "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"),
        Vector(
            seed: "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
            publicKey: "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", message: "72",
            signature: "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"),
    ]

    private func bytes(_ hex: String) throws -> [UInt8] { try #require(Hex.decode(hex)) }

    private func key(_ hex: String) throws -> SigningKey {
        var seed = try bytes(hex)
        return SigningKey(seed: SecretBytes(consuming: &seed))
    }

    @Test(arguments: vectors) func rfc8032_isMet(_ vector: Vector) throws {
        let key = try key(vector.seed)
        let message = try bytes(vector.message)
        let signature = try bytes(vector.signature)
        #expect(key.publicKey == (try bytes(vector.publicKey)))
        #expect(key.sign(message) == signature)
        #expect(SigningKey.verify(signature, of: message, by: key.publicKey))
    }

    @Test func anyFlippedBit_isRefused() throws {
        let key = SigningKey.generate()
        let message = Array("to the letter".utf8)
        let signature = key.sign(message)
        for index in signature.indices {
            var changed = signature
            changed[index] ^= 1
            #expect(!SigningKey.verify(changed, of: message, by: key.publicKey))
        }
        #expect(!SigningKey.verify(signature, of: Array("to the letteR".utf8), by: key.publicKey))
        #expect(!SigningKey.verify(signature, of: message, by: SigningKey.generate().publicKey))
    }

    @Test(arguments: [0, 63, 65]) func otherLengths_areRefused(_ count: Int) {
        let key = SigningKey.generate()
        #expect(!SigningKey.verify([UInt8](repeating: 0, count: count), of: [], by: key.publicKey))
        #expect(!SigningKey.verify(key.sign([]), of: [], by: Array(key.publicKey.dropLast())))
    }
}
