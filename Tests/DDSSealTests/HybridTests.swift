// The post-quantum key: its texts, its stanza with every refusal, what it is never mixed with, and what is left of it in memory.
// That others understand it is in AgeVectorTests and in Tests/Interop.

import Crypto
import DDSCore
import DDSTestKit
import FoundationEssentials
import Testing

@testable import DDSSeal

@Suite struct HybridTests {
    let random = SeededRandom(seed: 51)
    let fileKey = AgeFileKey.generate(random: SeededRandom(seed: 52))
    let identity = AgeIdentity.generate(kind: .hybrid, random: SeededRandom(seed: 53))

    private func opened(_ header: [UInt8], with identities: [AgeIdentity]) throws(AgeError) -> AgeFileKey {
        var reader = AgeHeaderReader()
        _ = try reader.feed(header[...])
        try reader.finish()
        return try reader.unwrap(with: identities)
    }

    private func header(_ stanzas: [AgeStanza]) -> [UInt8] { AgeHeader.encode(stanzas, headerKey: fileKey.headerKey()) }

    /// draft-connolly-cfrg-xwing-kem-06 appendix C: seeds, and SHA-256 of their public keys.
    @Test(arguments: [
        (
            "7f9c2ba4e88f827d616045507605853ed73b8093f6efbc88eb1a6eacfa66ef26",
            "2e816deebcd76c5c80d0cd2d174478871658e8e2ff42bc9d4a6e486372e856bb"
        ),
        (
            "badfd6dfaac359a5efbb7bcc4b59d538df9a04302e10c8bc1cbf1a0b3a5120ea",
            "c42ba5f8430d7d2c83739338203819f090e8303ce9c8b02107c272bfa5376916"
        ),
    ])
    func publicHalf_isThatOfTheDraft(seed: String, digest: String) throws {
        let identity = AgeIdentity(secret: Seal.secret(try #require(Hex.decode(seed))), kind: .hybrid)
        #expect(Hex.encode(Hash.sha256(identity.recipient.bytes)) == digest)
    }

    @Test func recipient_isReadBackInLowerCaseOnly() throws {
        let text = identity.recipient.description
        #expect(text.utf8.count == 1959 && text.hasPrefix("age1pq1"))
        #expect(try AgeRecipient(text) == identity.recipient)
        #expect(try AgeRecipient(accepted: text) == identity.recipient)
        for bad in [
            text.uppercased(), "A" + text.dropFirst(), text + " ", " " + text, String(text.dropLast()), text + "q", "age1pq1",
        ] {
            #expect(throws: AgeError.badRecipient) { try AgeRecipient(bad) }
        }
        for index in stride(from: 0, to: text.utf8.count, by: 13) {
            var altered = Array(text.utf8)
            altered[index] = altered[index] == 0x71 ? 0x70 : 0x71
            #expect(throws: AgeError.badRecipient, "character \(index)") {
                try AgeRecipient(String(decoding: altered, as: UTF8.self))
            }
        }
    }

    /// A key of one kind under the prefix of the other, and sizes beside the right one.
    @Test func recipientOfAnotherSize_isRefused() {
        for (prefix, count) in [
            ("age1pq", 32), ("age1pq", 1215), ("age1pq", 1217), ("age", 1216), ("age1pq", 1184), ("age1tag", 1216),
        ] {
            let bytes = Array((identity.recipient.bytes + [0]).prefix(count))
            let text = String(decoding: Bech32.encode(prefix: prefix, bytes), as: UTF8.self)
            #expect(throws: AgeError.badRecipient, "\(prefix) with \(count)") { try AgeRecipient(text) }
        }
    }

    @Test func identity_isReadBackInUpperCaseOnly() throws {
        let text = identity.secretText().withExposed { String(decoding: $0, as: UTF8.self) }
        #expect(text.utf8.count == 77 && text.hasPrefix("AGE-SECRET-KEY-PQ-1"))
        let again = try AgeIdentity(text)
        #expect(again.secret == identity.secret && again.recipient == identity.recipient && again.kind == .hybrid)
        for bad in [
            text.lowercased(), text + "\n", String(text.dropLast()), identity.recipient.description, "AGE-SECRET-KEY-PQ-1",
        ] {
            #expect(throws: AgeError.badIdentity) { try AgeIdentity(bad) }
        }
        for count in [31, 33, 64] {
            let other = Bech32.encode(prefix: "age-secret-key-pq-", [UInt8](repeating: 7, count: count)).map(Bech32.uppered)
            #expect(throws: AgeError.badIdentity) { try AgeIdentity(text: Seal.secret(other)) }
        }
    }

    /// The same 32 bytes are two unrelated keys.
    @Test func kindOfAnIdentity_comesFromItsPrefix() throws {
        let classical = AgeIdentity(secret: identity.secret)
        #expect(classical.kind == .classical && classical.recipient.bytes != Array(identity.recipient.bytes.suffix(32)))
        let text = classical.secretText().withExposed { String(decoding: $0, as: UTF8.self) }
        #expect(try AgeIdentity(text).kind == .classical)
        let sealed = try AgeHeader.make(fileKey: fileKey, recipients: [identity.recipient], random: random)
        #expect(throws: AgeError.noMatch) { try opened(sealed, with: [classical]) }
    }

    @Test func keys_printNoSecret() {
        let text = identity.secretText().withExposed { String(decoding: $0, as: UTF8.self) }
        var dumped = ""
        dump(identity, to: &dumped)
        dumped += "\(identity) \(String(reflecting: identity))"
        #expect(!dumped.contains(text.dropFirst(19)) && !dumped.contains("SECRET-KEY"))
    }

    @Test func ownHeader_hasItsSizeAndOpensForItsKeyAlone() throws {
        let stranger = AgeIdentity.generate(kind: .hybrid, random: random)
        let sealed = try AgeHeader.make(fileKey: fileKey, recipients: [identity.recipient], random: random)
        #expect(sealed.count == AgeHeader.ownHeaderBytes(.hybrid))
        #expect(try opened(sealed, with: [stranger, identity]) == fileKey)
        #expect(throws: AgeError.noMatch) { try opened(sealed, with: [stranger]) }
        let both = try AgeHeader.make(fileKey: fileKey, recipients: [stranger.recipient, identity.recipient], random: random)
        for key in [stranger, identity] { #expect(try opened(both, with: [key]) == fileKey) }
        let again = try AgeHeader.make(fileKey: fileKey, recipients: [identity.recipient], random: random)
        #expect(again != sealed, "every header has ephemeral keys of its own")
    }

    @Test func header_isReadAtEveryCut() throws {
        let sealed = try AgeHeader.make(fileKey: fileKey, recipients: [identity.recipient], random: random)
        for cut in 0...sealed.count {
            var reader = AgeHeaderReader(limitBytes: sealed.count)
            #expect(try reader.feed(sealed[..<cut]) + reader.feed(sealed[cut...]) == sealed.count)
            try reader.finish()
            #expect(reader.encoded() == sealed)
        }
    }

    @Test func anyAlteredByte_isNoticed() throws {
        let sealed = try AgeHeader.make(fileKey: fileKey, recipients: [identity.recipient], random: random)
        for index in stride(from: 0, to: sealed.count, by: 3) {
            var altered = sealed
            altered[index] ^= 1
            #expect(throws: AgeError.self, "byte \(index)") { try opened(altered, with: [identity]) }
        }
    }

    @Test func otherArgumentsAndSizes_areRefusedBeforeTheyAreTried() throws {
        let good = try HybridStanza.seal(fileKey, for: identity.recipient)
        #expect(try opened(header([good]), with: [identity]) == fileKey)
        let share = try #require(Base64.decode(good.arguments[1][...], padded: false))
        #expect(share.count == 1120 && good.body.count == 32)
        var bad: [AgeStanza] = [
            AgeStanza(arguments: [good.arguments[0]], body: good.body),
            AgeStanza(arguments: good.arguments + [[0x31]], body: good.body),
            AgeStanza(arguments: [good.arguments[0], Base64.encode(share)], body: good.body),
        ]
        for other in [Array(share.dropLast()), share + [0], Array(share.prefix(32)), Array(share.prefix(1088))] {
            bad.append(AgeStanza(arguments: [good.arguments[0], Base64.encode(other, padded: false)], body: good.body))
        }
        for body in [[], Array(good.body.dropLast()), good.body + [0], good.body + good.body] {
            bad.append(AgeStanza(arguments: good.arguments, body: body))
        }
        // Without any key to try, and beside a stanza that would open.
        for stanza in bad {
            #expect(throws: AgeError.headerFailure) { try opened(header([stanza]), with: []) }
            #expect(throws: AgeError.headerFailure) { try opened(header([good, stanza]), with: [identity]) }
        }
    }

    @Test(arguments: SmallOrder.points)
    func pointOfSmallOrder_isRefusedEverywhere(_ point: String) throws {
        let point = try #require(Hex.decode(point))
        let recipient = AgeRecipient(bytes: identity.recipient.bytes.dropLast(32) + point, kind: .hybrid)
        #expect(!recipient.isUsable)
        #expect(throws: AgeError.badRecipient) { try AgeRecipient(recipient.description) }
        #expect(throws: AgeError.badRecipient) { try FanOut.headers(fileKey: fileKey, recipients: [recipient], random: random) }
        let good = try HybridStanza.seal(fileKey, for: identity.recipient)
        let share = try #require(Base64.decode(good.arguments[1][...], padded: false)).dropLast(32) + point
        let stanza = AgeStanza(arguments: [good.arguments[0], Base64.encode(Array(share), padded: false)], body: good.body)
        #expect(throws: AgeError.headerFailure) { try opened(header([stanza]), with: [identity]) }
    }

    /// FIPS 203 section 7.2: the numbers of a key are below 3329.
    @Test func numberAboveTheModulus_isNoKey() throws {
        var bytes = identity.recipient.bytes
        (bytes[0], bytes[1]) = (0x01, bytes[1] & 0xf0 | 0x0d)
        let recipient = AgeRecipient(bytes: bytes, kind: .hybrid)
        #expect(!recipient.isUsable)
        #expect(throws: AgeError.badRecipient) { try AgeHeader.make(fileKey: fileKey, recipients: [recipient], random: random) }
        bytes[0] = 0x00
        #expect(AgeRecipient(bytes: bytes, kind: .hybrid).isUsable, "3328 is one")
    }

    @Test func kinds_areNotMixedInAHeader_butReadThere() throws {
        let classical = AgeIdentity.generate(random: random)
        for recipients in [[identity.recipient, classical.recipient], [classical.recipient, identity.recipient]] {
            #expect(throws: AgeError.mixedRecipients) {
                try AgeHeader.make(fileKey: fileKey, recipients: recipients, random: random)
            }
            #expect(throws: AgeError.mixedRecipients) { try Seal.file([1], for: recipients, random: random) }
            // Headers of their own are another matter: which of them a message may have is the group's policy.
            let own = try FanOut.headers(fileKey: fileKey, recipients: recipients, random: random)
            #expect(own.map(\.count) == recipients.map { AgeHeader.ownHeaderBytes($0.kind) })
        }
        let mixed = header([
            try HybridStanza.seal(fileKey, for: identity.recipient),
            try X25519Stanza.seal(fileKey, for: classical.recipient, random: random),
        ])
        for key in [identity, classical] { #expect(try opened(mixed, with: [key]) == fileKey) }
        // Such a header is as weak as its weakest stanza.
        for (bytes, isHybrid) in [
            (mixed, false), (try AgeHeader.make(fileKey: fileKey, recipients: [identity.recipient], random: random), true),
            (try AgeHeader.make(fileKey: fileKey, recipients: [classical.recipient], random: random), false),
        ] {
            var reader = AgeHeaderReader()
            _ = try reader.feed(bytes[...])
            #expect(reader.isHybrid == isHybrid)
        }
    }

    @Test func passphrase_mustBeAloneHereToo() throws {
        let scrypt = try ScryptStanza.seal(fileKey, passphrase: Seal.secret("open"), workFactor: 1, random: random)
        let mixed = header([try HybridStanza.seal(fileKey, for: identity.recipient), scrypt])
        #expect(throws: AgeError.headerFailure) { try opened(mixed, with: [identity]) }
    }

    /// swift-crypto leaves keys in the memory that it frees; see `HybridKey.wipe`.
    @Test func expandedKey_isOverwrittenAfterUse() {
        let key = HybridKey.privateKey(seed: identity.secret)
        #expect(Array(key.seedRepresentation) == identity.secret.withExposed { $0 })
        HybridKey.wipe(key)
        #expect(key.seedRepresentation.allSatisfy { $0 == 0 })
    }

    @Test func seed_isNotLeftInOrdinaryMemory() async {
        await #expect(processExitsWith: .success) {
            let masked = SeededRandom(seed: 54).bytes(32)
            let needle = MaskedNeedle(masked)
            var seed = needle.unmasked(times: 1)
            let identity = AgeIdentity(secret: SecretBytes(consuming: &seed), kind: .hybrid)
            let fileKey = AgeFileKey.generate(random: SystemRandom())
            let headers = try (0..<20).map { _ in
                try AgeHeader.make(fileKey: fileKey, recipients: [identity.recipient], random: SystemRandom())
            }
            for header in headers {
                var reader = AgeHeaderReader()
                _ = try reader.feed(header[...])
                #expect(try reader.unwrap(with: [identity]) == fileKey)
            }
            #expect(try !needle.isInOrdinaryMemory())
            let copy = needle.unmasked(times: 1)
            let isFound = try needle.isInOrdinaryMemory()
            #expect(isFound && copy.count == 32, "the search finds what is there")
        }
    }
}
