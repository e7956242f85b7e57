// Known answers of hashes, authentication codes and derivations.

import DDSCore
import DDSTestKit
import Testing

@testable import DDSSeal

@Suite struct HashTests {
    private func hex(_ bytes: [UInt8]) -> String { Hex.encode(bytes) }

    /// RFC 7693 appendix A.
    @Test func blake2b_ofTheRFC() {
        #expect(
            hex(Hash.blake2b(Array("abc".utf8), count: 64))
                == "ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d17d87c5392aab792dc252d5de4533cc95"
                + "18d38aa8dbf1925ab92386edd4009923"
        )
    }

    @Test func pieces_areHashedAsTheWhole() {
        let message = SystemRandom().bytes(1000)
        for (count, sizes) in [(64, [1000]), (64, [0, 1, 127, 128, 129, 615, 0]), (32, Array(repeating: 10, count: 100))] {
            var stream = HashStream(count: count)
            var start = 0
            for size in sizes {
                stream.update(Array(message[start..<start + size]))
                start += size
            }
            #expect(start == 1000 && stream.finish() == Hash.blake2b(message, count: count))
        }
        var empty = HashStream()
        #expect(empty.finish() == Hash.blake2b([]))
    }

    /// The keyed known-answer test of the BLAKE2 reference (blake2b-kat.txt): key 00...3f, message empty and 00.
    @Test func blake2b_keyed() {
        let key = (0..<64).map { UInt8($0) }
        let empty =
            "10ebb67700b1868efb4417987acf4690ae9d972fb7a590c2f02871799aaa4786b5e996e8f0f4eb981fc214b005f42d2f"
            + "f4233499391653df7aefcbc13fc51568"
        #expect(hex(Hash.blake2b([], key: key, count: 64)) == empty)
        #expect(hex(Hash.blake2b([], key: Seal.secret(key), count: 64)) == empty)
        #expect(Hash.blake2b([], count: 32) != Hash.blake2b([], key: key, count: 32))
        #expect(Hash.blake2b([], count: 16).count == 16)
    }

    /// FIPS 180-4 examples.
    @Test func sha256_ofTheStandard() {
        #expect(hex(Hash.sha256([])) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
        #expect(hex(Hash.sha256(Array("abc".utf8))) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        #expect(
            hex(Hash.sha256(Array("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq".utf8)))
                == "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1")
    }

    /// RFC 4231 cases 1, 2, 3 and 6: short, shorter and overlong keys.
    @Test func hmac_ofTheRFC() {
        let cases: [([UInt8], [UInt8], String)] = [
            (
                [UInt8](repeating: 0x0b, count: 20), Array("Hi There".utf8),
                "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
            ),
            (
                Array("Jefe".utf8), Array("what do ya want for nothing?".utf8),
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
            ),
            (
                [UInt8](repeating: 0xaa, count: 20), [UInt8](repeating: 0xdd, count: 50),
                "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"
            ),
            (
                [UInt8](repeating: 0xaa, count: 131), Array("Test Using Larger Than Block-Size Key - Hash Key First".utf8),
                "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
            ),
        ]
        for (key, message, code) in cases { #expect(hex(Hash.hmacSHA256(message, key: Seal.secret(key))) == code) }
    }

    /// RFC 5869 appendix A, cases 1, 2 and 3.
    @Test func hkdf_ofTheRFC() {
        let cases: [([UInt8], [UInt8], [UInt8], Int, String)] = [
            (
                [UInt8](repeating: 0x0b, count: 22), (0...12).map { UInt8($0) }, (0xf0...0xf9).map { UInt8($0) }, 42,
                "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"
            ),
            (
                (0x00...0x4f).map { UInt8($0) }, (0x60...0xaf).map { UInt8($0) }, (0xb0...0xff).map { UInt8($0) }, 82,
                "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09"
                    + "da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87"
            ),
            (
                [UInt8](repeating: 0x0b, count: 22), [], [], 42,
                "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"
            ),
        ]
        for (secret, salt, info, count, output) in cases {
            let key = Hash.hkdfSHA256(Seal.secret(secret), salt: salt, info: info, count: count)
            #expect(key.withExposed { hex($0) } == output)
            #expect(Hash.hkdfSHA256(Seal.secret(secret), salt: salt, info: info) == key.part(0, 32))
        }
    }

    @Test func subkeys_differByNumberContextRootAndCount() {
        let root = Seal.secret([UInt8](repeating: 1, count: 32))
        let first = DeriveKey.subkey(root, number: 1, context: "DDStest_")
        #expect(first == DeriveKey.subkey(root, number: 1, context: "DDStest_"))
        for other in [
            DeriveKey.subkey(root, number: 2, context: "DDStest_"), DeriveKey.subkey(root, number: 1, context: "DDStest2"),
            DeriveKey.subkey(Seal.secret([UInt8](repeating: 2, count: 32)), number: 1, context: "DDStest_"),
            DeriveKey.subkey(root, number: 1, context: "DDStest_", count: 64).part(0, 32),
        ] { #expect(first != other) }
    }

    @Test func argumentsOutOfRange_trap() async {
        await #expect(processExitsWith: .failure) { _ = Hash.blake2b([], count: 15) }
        await #expect(processExitsWith: .failure) { _ = Hash.blake2b([], count: 65) }
        await #expect(processExitsWith: .failure) { _ = Hash.blake2b([], key: [UInt8](repeating: 1, count: 15)) }
        await #expect(processExitsWith: .failure) { _ = Hash.hkdfSHA256(.random(32), salt: [], info: [], count: 8161) }
        await #expect(processExitsWith: .failure) { _ = DeriveKey.subkey(.random(32), number: 1, context: "seven77") }
        await #expect(processExitsWith: .failure) { _ = DeriveKey.subkey(.random(31), number: 1, context: "eight888") }
    }
}
