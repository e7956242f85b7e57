// Keys as text: bech32 with its rules of case, prefix and check sum, and what recipients and identities accept.

import DDSCore
import DDSTestKit
import Testing

@testable import DDSSeal

@Suite struct KeyTests {
    let identity = AgeIdentity.generate(random: SeededRandom(seed: 41))

    /// BIP 173, "Test vectors": valid strings, by prefix.
    @Test(arguments: [
        ("a", "A12UEL5L"), ("a", "a12uel5l"),
        (
            "an83characterlonghumanreadablepartthatcontainsthenumber1andtheexcludedcharactersbio",
            "an83characterlonghumanreadablepartthatcontainsthenumber1andtheexcludedcharactersbio1tt5tgs"
        ),
        ("abcdef", "abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw"),
        ("split", "split1checkupstagehandshakeupstreamerranterredcaperred2y9e3w"), ("?", "?1ezyfcl"),
    ])
    func validText_isDecoded(prefix: String, text: String) {
        // Not all of them are whole bytes; those that are come back as they were.
        guard let data = Bech32.decode(prefix: prefix, Array(text.utf8)) else {
            #expect(text.utf8.count > 80 || prefix == "split" || prefix == "abcdef")
            return
        }
        #expect(Bech32.encode(prefix: prefix, data) == Array(text.lowercased().utf8))
    }

    /// BIP 173, "Test vectors": invalid ones, and Bech32m (BIP 350), which is another check sum.
    @Test(arguments: [
        ("pzry", "pzry9x0s0muk"), ("", "1pzry9x0s0muk"), ("x", "x1b4n0q5v"), ("li", "li1dgmt3"), ("a", "A1G7SGD8"),
        ("a", "a12uEL5L"), ("a", "A12uel5l"), ("a", "a1lqfn3a"), ("a", ""), ("a", "a"), ("a", "a1"),
        ("a", "a12uel5"), ("b", "a12uel5l"), ("", "12uel5l"),
    ])
    func invalidText_isRefused(prefix: String, text: String) {
        #expect(Bech32.decode(prefix: prefix, Array(text.utf8)) == nil)
    }

    @Test func anyLength_goesThereAndBack() {
        let random = SeededRandom(seed: 42)
        for count in 0...100 {
            let data = random.bytes(count)
            let text = Bech32.encode(prefix: "age", data)
            #expect(text.count == 3 + 1 + (count * 8 + 4) / 5 + 6)
            #expect(Bech32.decode(prefix: "age", text) == data)
            #expect(Bech32.decode(prefix: "age", text.map(Bech32.uppered)) == data)
        }
    }

    @Test func strayBitsOrAWholeStrayGroup_areRefused() {
        // 32 bytes are 51 groups and one bit of a 52nd, whose other four bits must be zero. 53 groups are 33 bytes; of 54 the
        // last holds nothing, which an encoder never writes.
        for (groups, isFine) in [
            ([UInt8](repeating: 0, count: 52), true), ([UInt8](repeating: 0, count: 51) + [1], false),
            ([UInt8](repeating: 0, count: 51) + [8], false), ([UInt8](repeating: 0, count: 51) + [16], true),
            ([UInt8](repeating: 0, count: 53), true), ([UInt8](repeating: 0, count: 54), false),
        ] {
            #expect((Bech32.decode(prefix: "age", withChecksum(groups)) != nil) == isFine)
        }
    }

    /// The last six groups that make `groups` valid under `age`, by trying: independent of the encoder's own arithmetic.
    private func withChecksum(_ groups: [UInt8]) -> [UInt8] {
        let alphabet = Array("qpzry9x8gf2tvdw0s3jn54khce6mua7l".utf8)
        func polymod(_ values: [UInt8]) -> UInt32 {
            values.reduce(UInt32(1)) { check, value in
                let top = check >> 25
                var next = (check & 0x1ffffff) << 5 ^ UInt32(value)
                for (bit, word) in [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3 as UInt32].enumerated()
                where top >> UInt32(bit) & 1 == 1 { next ^= word }
                return next
            }
        }
        let prefix: [UInt8] = [3, 3, 3, 0, 1, 7, 5]
        let check = polymod(prefix + groups + [UInt8](repeating: 0, count: 6)) ^ 1
        let tail = (0..<6).map { UInt8(check >> (25 - 5 * UInt32($0)) & 31) }
        return Array("age1".utf8) + (groups + tail).map { alphabet[Int($0)] }
    }

    @Test func recipient_isReadBackInLowerCaseOnly() throws {
        let text = identity.recipient.description
        #expect(text.utf8.count == 62 && text.hasPrefix("age1"))
        #expect(try AgeRecipient(text) == identity.recipient)
        for bad in [
            text.uppercased(), "A" + text.dropFirst(), text + " ", " " + text, String(text.dropLast()), text + "q", "", "age1",
        ] {
            #expect(throws: AgeError.badRecipient) { try AgeRecipient(bad) }
        }
        let short = String(decoding: Bech32.encode(prefix: "age", [UInt8](repeating: 7, count: 31)), as: UTF8.self)
        let long = String(decoding: Bech32.encode(prefix: "age", [UInt8](repeating: 7, count: 33)), as: UTF8.self)
        let other = String(decoding: Bech32.encode(prefix: "agf", identity.recipient.bytes), as: UTF8.self)
        for bad in [short, long, other] { #expect(throws: AgeError.badRecipient) { try AgeRecipient(bad) } }
    }

    @Test func oneWrongCharacter_isNoticed() {
        let text = Array(identity.recipient.description.utf8)
        for index in text.indices {
            for character in "qpzry9x8gf2tvdw0s3jn54khce6mua7l1b".utf8 where character != text[index] {
                var altered = text
                altered[index] = character
                #expect(throws: AgeError.badRecipient) { try AgeRecipient(String(decoding: altered, as: UTF8.self)) }
            }
        }
    }

    @Test func identity_isReadBackInUpperCaseOnly() throws {
        let text = identity.secretText().withExposed { String(decoding: $0, as: UTF8.self) }
        #expect(text.utf8.count == 74 && text.hasPrefix("AGE-SECRET-KEY-1"))
        #expect(try AgeIdentity(text).secret == identity.secret)
        #expect(try AgeIdentity(text: Seal.secret(text)).recipient == identity.recipient)
        for bad in [
            text.lowercased(), text + "\n", String(text.dropLast()), identity.recipient.description, "", "AGE-SECRET-KEY-1",
        ] {
            #expect(throws: AgeError.badIdentity) { try AgeIdentity(bad) }
        }
        let short = Bech32.encode(prefix: "age-secret-key-", [UInt8](repeating: 7, count: 31)).map(Bech32.uppered)
        #expect(throws: AgeError.badIdentity) { try AgeIdentity(text: Seal.secret(short)) }
    }

    @Test func keys_printNoSecret() {
        let text = identity.secretText().withExposed { String(decoding: $0, as: UTF8.self) }
        var dumped = ""
        dump(identity, to: &dumped)
        dump(AgeFileKey.generate(random: SeededRandom(seed: 1)), to: &dumped)
        dump(AgeUnlock.identities([identity]), to: &dumped)
        dumped += "\(identity) \(String(reflecting: identity)) \(identity.secret)"
        #expect(!dumped.contains(text.dropFirst(16)) && !dumped.contains("AGE-SECRET-KEY-1"))
        #expect(dumped.contains("<32 secret bytes>") && dumped.contains(identity.recipient.description))
    }

    /// RFC 7748 section 6.1: Alice's keys.
    @Test func publicHalf_isThatOfTheRFC() throws {
        let secret = try #require(Hex.decode("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a"))
        let known = AgeIdentity(secret: Seal.secret(secret))
        #expect(Hex.encode(known.recipient.bytes) == "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a")
    }
}
