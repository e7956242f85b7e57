// What is kept on disk: store boxes, the spool's cipher, passphrase files and password verifiers.

import DDSCore
import DDSTestKit
import Testing

@testable import DDSSeal

@Suite struct StoreTests {
    let key = Seal.secret([UInt8](repeating: 5, count: 32))
    let random = SeededRandom(seed: 51)

    private func flips(_ bytes: [UInt8]) -> [[UInt8]] {
        (0..<bytes.count * 8).map { bit in
            var flipped = bytes
            flipped[bit / 8] ^= 1 << UInt8(bit % 8)
            return flipped
        }
    }

    @Test(arguments: [0, 1, 100, 70000])
    func box_opensWithItsKeyAndContextOnly(_ size: Int) {
        let plain = random.bytes(size)
        let box = SealedStoreBox.seal(plain, key: key, associated: [1, 2], random: random)
        #expect(box.count == size + SealedStoreBox.overheadBytes)
        #expect(SealedStoreBox.open(box, key: key, associated: [1, 2]) == plain)
        #expect(SealedStoreBox.open(box, key: key, associated: []) == nil)
        #expect(SealedStoreBox.open(box, key: key, associated: [1, 3]) == nil)
        #expect(SealedStoreBox.open(box, key: .random(32), associated: [1, 2]) == nil)
        #expect(SealedStoreBox.open(box + [0], key: key, associated: [1, 2]) == nil)
        #expect(SealedStoreBox.open(Array(box.dropLast()), key: key, associated: [1, 2]) == nil)
        #expect(SealedStoreBox.seal(plain, key: key, associated: [1, 2], random: random) != box)
    }

    @Test func box_noticesEveryBitAndEveryShortage() {
        let box = SealedStoreBox.seal([1, 2, 3], key: key, associated: [], random: random)
        for flipped in flips(box) { #expect(SealedStoreBox.open(flipped, key: key, associated: []) == nil) }
        for length in 0..<box.count { #expect(SealedStoreBox.open(Array(box[..<length]), key: key, associated: []) == nil) }
    }

    @Test func spoolRecord_noticesEveryBit() {
        let nonce = [UInt8](repeating: 3, count: 12)
        let associated: [UInt8] = [9, 8, 7]
        let plain = random.bytes(40)
        let sealed = SpoolKeys.seal(plain, key: key, nonce: nonce, associated: associated)
        #expect(sealed.count == plain.count + 16)
        #expect(SpoolKeys.open(sealed, key: key, nonce: nonce, associated: associated) == plain)
        for flipped in flips(sealed) { #expect(SpoolKeys.open(flipped, key: key, nonce: nonce, associated: associated) == nil) }
        for flipped in flips(nonce) { #expect(SpoolKeys.open(sealed, key: key, nonce: flipped, associated: associated) == nil) }
        for flipped in flips(associated) { #expect(SpoolKeys.open(sealed, key: key, nonce: nonce, associated: flipped) == nil) }
        for flipped in flips([UInt8](repeating: 5, count: 32)) {
            #expect(SpoolKeys.open(sealed, key: flipped, nonce: nonce, associated: associated) == nil)
        }
        for length in 0..<sealed.count {
            #expect(SpoolKeys.open(Array(sealed[..<length]), key: key, nonce: nonce, associated: associated) == nil)
        }
    }

    @Test func spoolCipher_isTheSameForBothKindsOfKey() {
        let bytes = [UInt8](repeating: 5, count: 32)
        let nonce = [UInt8](repeating: 0, count: 12)
        for plain in [[], [1], random.bytes(1000)] {
            let sealed = SpoolKeys.seal(plain, key: bytes, nonce: nonce, associated: [])
            #expect(sealed == SpoolKeys.seal(plain, key: key, nonce: nonce, associated: []))
            #expect(SpoolKeys.open(sealed, key: bytes, nonce: nonce, associated: []) == plain)
        }
    }

    /// RFC 8439 section 2.8.2.
    @Test func spoolCipher_isThatOfTheRFC() throws {
        let plain = Array(
            "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it."
                .utf8)
        let sealed = SpoolKeys.seal(
            plain, key: (0x80...0x9f).map { UInt8($0) }, nonce: try #require(Hex.decode("070000004041424344454647")),
            associated: try #require(Hex.decode("50515253c0c1c2c3c4c5c6c7")))
        #expect(Hex.encode(sealed).hasPrefix("d31a8d34648e60db7b86afbc53ef7ec2"))
        #expect(Hex.encode(sealed).hasSuffix("1ae10b594f09e26a7e902ecbd0600691"))
    }

    @Test func segmentKeys_differBySequenceSaltAndRoot() {
        let keys = SpoolKeys(root: key)
        let first = keys.segmentKey(sequence: 1, salt: [1])
        #expect(first == SpoolKeys(root: key).segmentKey(sequence: 1, salt: [1]))
        #expect(first.isEqual(to: Hash.blake2b([0, 0, 0, 0, 0, 0, 0, 1, 1], key: key)))
        for other in [
            keys.segmentKey(sequence: 2, salt: [1]), keys.segmentKey(sequence: 1 << 56, salt: [1]),
            keys.segmentKey(sequence: 1, salt: [2]),
            SpoolKeys(root: .random(32)).segmentKey(sequence: 1, salt: [1]),
        ] { #expect(first != other) }
        #expect(SpoolKeys.mac([1], key: first) == Hash.blake2b([1], key: first, count: 16))
    }

    @Test func keysOfOtherLengths_trap() async {
        await #expect(processExitsWith: .failure) { _ = SpoolKeys(root: .random(31)) }
        await #expect(processExitsWith: .failure) {
            _ = SpoolKeys.seal([], key: [1], nonce: [UInt8](repeating: 0, count: 12), associated: [])
        }
        await #expect(processExitsWith: .failure) { _ = SpoolKeys.seal([], key: .random(32), nonce: [0], associated: []) }
        await #expect(processExitsWith: .failure) {
            _ = SealedStoreBox.open([UInt8](repeating: 0, count: 50), key: .random(33), associated: [])
        }
        await #expect(processExitsWith: .failure) { _ = AgeFileKey(secret: .random(15)) }
        await #expect(processExitsWith: .failure) { _ = AgeIdentity(secret: .random(33)) }
    }

    @Test func passphraseFile_opensWithItsPassphraseOnly() throws {
        let content = random.bytes(70000)
        let file = try PassphraseFile.seal(
            Seal.secret(content), passphrase: Seal.secret("right"), workFactor: 4, random: random)
        #expect(try PassphraseFile.open(file, passphrase: Seal.secret("right")).isEqual(to: content))
        #expect(throws: VaultError.wrongPassphrase) { try PassphraseFile.open(file, passphrase: Seal.secret("wrong")) }
        #expect(throws: VaultError.wrongPassphrase) { try PassphraseFile.open(file, passphrase: Seal.secret("")) }
        #expect(throws: VaultError.damaged(AgeError.payloadFailure.text)) {
            try PassphraseFile.open(Array(file.dropLast()), passphrase: Seal.secret("right"))
        }
        #expect(throws: VaultError.damaged(AgeError.headerFailure.text)) {
            try PassphraseFile.open([], passphrase: Seal.secret("right"))
        }
        let empty = try PassphraseFile.seal(Seal.secret([]), passphrase: Seal.secret(""), workFactor: 1, random: random)
        #expect(try PassphraseFile.open(empty, passphrase: Seal.secret("")).count == 0)
    }

    @Test func verifier_fitsItsPasswordOnly() throws {
        let verifier = try PasswordVerifier.make(password: Array("grüß\0e".utf8))
        #expect(verifier.hasPrefix("$argon2id$v=19$m=65536,t=2,p=1$"))
        #expect(PasswordVerifier.verify(password: Array("grüß\0e".utf8), verifier: verifier))
        for other in ["grüß\0f", "grüß", "Grüß\0e", "", " "] {
            #expect(!PasswordVerifier.verify(password: Array(other.utf8), verifier: verifier))
        }
        #expect(try PasswordVerifier.make(password: Array("grüß\0e".utf8)) != verifier)
    }

    @Test func dummyVerifier_costsACheckAndFitsNothing() {
        #expect(PasswordVerifier.dummy.hasPrefix("$argon2id$v=19$m=65536,t=2,p=1$"))
        #expect(!PasswordVerifier.verify(password: Array("password".utf8), verifier: PasswordVerifier.dummy))
    }

    @Test func verifierThatIsNone_fitsNothing() {
        for verifier in [
            "", "x", "$argon2id$", "$argon2id$v=19$m=65536,t=2,p=1$AAAA$AAAA", String(repeating: "$", count: 1000),
        ] {
            #expect(!PasswordVerifier.verify(password: [0x61], verifier: verifier))
        }
    }
}
