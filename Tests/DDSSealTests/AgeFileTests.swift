// Whole files: sizes, forms, and a decryptor under altered input of every kind.

import DDSCore
import DDSTestKit
import Testing

@testable import DDSSeal

@Suite struct AgeFileTests {
    let identity = AgeIdentity.generate(random: SeededRandom(seed: 31))

    @Test(arguments: [0, 1, 47, 48, 65535, 65536, 65537])
    func file_hasTheComputedSizeAndOpensInEveryForm(_ size: Int) throws {
        let plain = SeededRandom(seed: 32).bytes(size)
        for armor in [nil, AgeArmor.LineEnd.lf, .crlf] {
            let file = try Seal.file(plain, for: [identity.recipient], armor: armor, random: SeededRandom(seed: 33))
            let bytes = AgeHeader.ownHeaderBytes() + AgePayload.payloadSize(plain: size)
            #expect(file.count == armor.map { AgeArmor.armoredSize(bytes: bytes, lineEnd: $0) } ?? bytes)
            let pieces = try Seal.file(
                plain, for: [identity.recipient], armor: armor, random: SeededRandom(seed: 33), pieces: [1, 1000, 65536])
            #expect(pieces == file)
            for form in [AgeDecryptor.Form.detected, armor == nil ? .binary : .armored] {
                for pieces in [[file], Cut.pieces(file, [1]), Cut.pieces(file, [333])] {
                    #expect(AgeUnlock.identities([identity]).open(pieces, form: form) == Opening(plain: plain))
                }
            }
            let other: AgeError = armor == nil ? .armorFailure : .headerFailure
            #expect(
                AgeUnlock.identities([identity]).open([file], form: armor == nil ? .armored : .binary) == Opening(error: other))
        }
    }

    @Test func secondIdentityAndSecondRecipient_fit() throws {
        let random = SeededRandom(seed: 34)
        let other = AgeIdentity.generate(random: random)
        let file = try Seal.file([1, 2, 3], for: [other.recipient, identity.recipient], random: random)
        for keys in [[identity], [other], [AgeIdentity.generate(random: random), identity]] {
            #expect(AgeUnlock.identities(keys).open([file]) == Opening(plain: [1, 2, 3]))
        }
        #expect(AgeUnlock.identities([AgeIdentity.generate(random: random)]).open([file]) == Opening(error: .noMatch))
        #expect(AgeUnlock.identities([]).open([file]) == Opening(error: .noMatch))
    }

    @Test func headerLimit_isThatOfTheReader() throws {
        let file = try Seal.file([1], for: [identity.recipient], random: SeededRandom(seed: 35))
        for (limit, isFine) in [(167, false), (168, true), (169, true)] {
            var decryptor = AgeDecryptor(identities: [identity], headerLimitBytes: limit)
            var error: AgeError?
            do throws(AgeError) { _ = try decryptor.feed(file) } catch let problem { error = problem }
            #expect(error == (isFine ? nil : .tooLarge))
        }
    }

    @Test func error_staysAndCostsNothingMore() throws {
        let header = try AgeHeader.passphrase(
            fileKey: .generate(random: SeededRandom(seed: 36)), Seal.secret("a"), workFactor: 1, random: SeededRandom(seed: 37))
        var decryptor = AgeDecryptor(unlock: .passphrase(Seal.secret("b")))
        #expect(throws: AgeError.noMatch) { try decryptor.feed(header) }
        #expect(throws: AgeError.noMatch) { try decryptor.feed(header) }
        #expect(throws: AgeError.noMatch) { try decryptor.finish() }
    }

    @Test func emptyInput_isNoFile() {
        #expect(AgeUnlock.identities([identity]).open([]) == Opening(error: .headerFailure))
        #expect(AgeUnlock.identities([identity]).open([[], []]) == Opening(error: .headerFailure))
        #expect(AgeUnlock.identities([identity]).open([], form: .armored) == Opening(error: .armorFailure))
        #expect(AgeUnlock.identities([identity]).open([[0x0a]]) == Opening(error: .armorFailure))
    }

    /// Files that were cut, extended, spliced and flipped: never a trap, never other plaintext than a beginning of the true
    /// one, and the same result however they are cut into pieces.
    @Test(arguments: 0..<12)
    func alteredFile_releasesOnlyABeginningOfTheTruth(seed: Int) throws {
        let random = SeededRandom(seed: UInt64(seed) + 1000)
        let plain = random.bytes([0, 10, 65536, 66000, 140_000][seed % 5])
        let armor: AgeArmor.LineEnd? = [nil, .lf, .crlf][seed % 3]
        let file = try Seal.file(plain, for: [identity.recipient], armor: armor, random: random)
        for round in 0..<25 {
            let altered = alter(file, random)
            let whole = AgeUnlock.identities([identity]).open([altered])
            #expect(plain.starts(with: whole.plain), "seed \(seed), round \(round)")
            if whole.error == nil { #expect(whole.plain == plain) }
            let lengths = (0..<5).map { _ in 1 + random.below(random.below(2) == 0 ? 100 : 70000) }
            #expect(
                AgeUnlock.identities([identity]).open(Cut.pieces(altered, lengths)) == whole, "seed \(seed), round \(round)")
        }
    }

    /// What is fed from the first byte on is noise, half of it with the letters of the format.
    @Test func noise_isRefused() {
        let random = SeededRandom(seed: 38)
        let words = [
            "age-encryption.org/v1\n", "-> X25519 ", "-> scrypt ", "\n", " ", "--- ", "-----BEGIN AGE ENCRYPTED FILE-----\n",
            "A", "=",
            "\r", "-----END AGE ENCRYPTED FILE-----\n", "TEiF0ypqr+bpvcqXNyCVJpL7OuwPdVwPL7KQEbFDOCc\n",
        ].map { Array($0.utf8) }
        for round in 0..<3000 {
            var bytes: [UInt8] = round % 4 == 0 ? [] : words[round % 4 == 1 ? 6 : 0]
            for _ in 0..<random.below(20) {
                bytes += random.below(4) == 0 ? random.bytes(random.below(50)) : words[random.below(words.count)]
            }
            let whole = AgeUnlock.identities([identity]).open([bytes])
            #expect(whole.error != nil && whole.plain.isEmpty)
            #expect(AgeUnlock.identities([identity]).open(Cut.pieces(bytes, [1 + random.below(9)])) == whole, "round \(round)")
        }
    }

    private func alter(_ file: [UInt8], _ random: SeededRandom) -> [UInt8] {
        var altered = file
        for _ in 0...random.below(2) {
            // A third of the faults fall on the header, which is small, a third on the end.
            let place = [
                random.below(min(altered.count, 300)), random.below(altered.count),
                max(0, altered.count - 1 - random.below(100)),
            ][random.below(3)]
            switch random.below(6) {
            case 0: altered[place] ^= 1 << UInt8(random.below(8))
            case 1: altered.removeSubrange(place..<min(altered.count, place + 1 + random.below(100)))
            case 2: altered.removeLast(altered.count - max(1, place))
            case 3: altered.insert(contentsOf: random.bytes(1 + random.below(20)), at: place)
            case 4: altered += altered[place..<min(altered.count, place + 65552)]
            default: altered[place] = [0x0a, 0x0d, 0x20, 0x2d, 0x3d, 0x41][random.below(6)]
            }
            if altered.isEmpty { altered = [0x61] }
        }
        return altered
    }
}
