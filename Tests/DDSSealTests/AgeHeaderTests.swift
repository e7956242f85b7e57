// The header: its parser at every cut and limit, its code, its stanzas, and the rules for keys in it.

import DDSCore
import DDSTestKit
import Testing

@testable import DDSSeal

@Suite struct AgeHeaderTests {
    let random = SeededRandom(seed: 11)
    let fileKey = AgeFileKey.generate(random: SeededRandom(seed: 12))
    let identity = AgeIdentity.generate(random: SeededRandom(seed: 13))

    /// The parsed header and how many bytes it took.
    private func read(_ pieces: [[UInt8]], limit: Int = 65536) throws(AgeError) -> (reader: AgeHeaderReader, taken: Int) {
        var reader = AgeHeaderReader(limitBytes: limit)
        var taken = 0
        for piece in pieces { taken += try reader.feed(piece[...]) }
        try reader.finish()
        return (reader, taken)
    }

    private func error(_ bytes: [UInt8], limit: Int = 65536) -> AgeError? {
        do throws(AgeError) {
            _ = try read([bytes], limit: limit)
            return nil
        } catch {
            return error
        }
    }

    @Test func header_isReadAtEveryCut() throws {
        let stranger = AgeIdentity.generate(random: random)
        let header = try AgeHeader.make(fileKey: fileKey, recipients: [stranger.recipient, identity.recipient], random: random)
        let file = header + Array("payload\n".utf8)
        for cut in 0...file.count {
            let (reader, taken) = try read([Array(file[..<cut]), Array(file[cut...])])
            #expect(taken == header.count && reader.encoded() == header)
            #expect(try reader.unwrap(with: [identity]) == fileKey)
        }
        let (reader, taken) = try read(Cut.pieces(file, [1]))
        #expect(taken == header.count && reader.stanzas.count == 2)
    }

    @Test func prefixOfAHeader_isNotComplete() throws {
        let header = try AgeHeader.make(fileKey: fileKey, recipients: [identity.recipient], random: random)
        for length in 0..<header.count { #expect(error(Array(header[..<length])) == .headerFailure) }
    }

    @Test func anyAlteredByte_isNoticed() throws {
        let header = try AgeHeader.make(fileKey: fileKey, recipients: [identity.recipient], random: random)
        for index in header.indices {
            for flip: UInt8 in [0x01, 0x20, 0x80] {
                var altered = header
                altered[index] ^= flip
                var opened: AgeFileKey?
                do throws(AgeError) { opened = try read([altered]).reader.unwrap(with: [identity]) } catch {}
                #expect(opened == nil, "byte \(index)")
            }
        }
    }

    @Test func unknownStanza_isIgnoredAndCovered() throws {
        let known = try X25519Stanza.seal(fileKey, for: identity.recipient, random: random)
        for bodyBytes in [0, 1, 47, 48, 49, 96, 500] {
            let grease = AgeStanza(arguments: [Array("!x~".utf8), Array("17".utf8)], body: random.bytes(bodyBytes))
            let header = AgeHeader.encode([grease, known], headerKey: fileKey.headerKey())
            let (reader, _) = try read([header])
            #expect(reader.stanzas == [grease, known])
            #expect(try reader.unwrap(with: [identity]) == fileKey)
            let other = AgeHeader.encode([grease, known], headerKey: AgeFileKey.generate(random: random).headerKey())
            #expect(throws: AgeError.hmacFailure) { try read([other]).reader.unwrap(with: [identity]) }
        }
    }

    @Test func note_isOnItsOwnHeaderOnlyAndReadByTheDecryptor() throws {
        let other = AgeIdentity.generate(random: random)
        let note = AgeStanza(arguments: [Array("example-note".utf8), Array("friends".utf8)], body: [])
        let recipients = [identity.recipient, other.recipient]
        let headers = try FanOut.headers(fileKey: fileKey, recipients: recipients, notes: [[note], []], random: random)
        #expect(headers.map(\.count) == [AgeHeader.ownHeaderBytes() + 25, AgeHeader.ownHeaderBytes()])
        var writer = AgePayloadWriter(fileKey: fileKey, random: random)
        let payload = writer.finish()
        for (header, isNoted) in zip(headers, [true, false]) {
            var decryptor = AgeDecryptor(identities: [identity, other])
            _ = try decryptor.feed(header + payload)
            _ = try decryptor.finish()
            #expect(decryptor.stanzas.contains(note) == isNoted)
        }
    }

    @Test func argumentThatBreaksItsLine_traps() async {
        await #expect(processExitsWith: .failure) { AgeStanza(arguments: [], body: []).write() }
        await #expect(processExitsWith: .failure) { AgeStanza(arguments: [[]], body: []).write() }
        await #expect(processExitsWith: .failure) { AgeStanza(arguments: [[0x41], [0x42, 0x20]], body: []).write() }
        await #expect(processExitsWith: .failure) { AgeStanza(arguments: [[0x41], [0x0a]], body: []).write() }
        await #expect(processExitsWith: .failure) { AgeStanza(arguments: [[0x41], [0xc3, 0xa9]], body: []).write() }
        await #expect(processExitsWith: .success) { AgeStanza(arguments: [[0x21], [0x7e]], body: []).write() }
    }

    @Test func limit_holdsToTheByte() throws {
        let header = try AgeHeader.make(fileKey: fileKey, recipients: [identity.recipient], random: random)
        #expect(error(header, limit: header.count - 1) == .tooLarge)
        #expect(error(header, limit: header.count) == nil)
        #expect(error(header, limit: header.count + 1) == nil)
        for piece in [1, 7, 1000] {
            #expect(throws: AgeError.tooLarge) { try read(Cut.pieces(header, [piece]), limit: header.count - 1) }
        }
    }

    @Test func endlessLine_isRefusedWithBoundedMemory() throws {
        var reader = AgeHeaderReader(limitBytes: 1000)
        _ = try reader.feed(Array("age-encryption.org/v1\n-> ".utf8)[...])
        #expect(throws: AgeError.tooLarge) { try reader.feed([UInt8](repeating: 0x41, count: 1_000_000)[...]) }
        #expect(throws: AgeError.tooLarge) { try reader.feed([0x0a]) }
        #expect(throws: AgeError.tooLarge) { try reader.finish() }
    }

    @Test func otherFile_isRefusedAtItsFirstWrongByteHoweverLong() {
        for size in [1, 22, 70000] {
            #expect(error([UInt8](repeating: 0x61, count: size + 1)) == .headerFailure)
        }
        #expect(error(Array("age-encryption.org/v2\n".utf8)) == .headerFailure)
        #expect(error(Array("age-encryption.org/v1\r\n".utf8)) == .headerFailure)
    }

    @Test func headerWithoutStanza_isRefused() {
        #expect(error(AgeHeader.encode([], headerKey: fileKey.headerKey())) == .headerFailure)
    }

    @Test func bodyOfOtherLength_isRefusedBeforeItIsTried() throws {
        let good = try X25519Stanza.seal(fileKey, for: identity.recipient, random: random)
        for change in [-1, 1, 16] {
            var bad = good
            if change < 0 { bad.body.removeLast() } else { bad.body += [UInt8](repeating: 0, count: change) }
            let header = AgeHeader.encode([bad], headerKey: fileKey.headerKey())
            #expect(throws: AgeError.headerFailure) { try read([header]).reader.unwrap(with: []) }
        }
    }

    /// RFC 7748 section 6.1 and the list of points that give an all-zero secret.
    @Test(arguments: SmallOrder.points)
    func pointOfSmallOrder_isRefusedEverywhere(_ point: String) throws {
        let bytes = try #require(Hex.decode(point))
        let recipient = AgeRecipient(bytes: bytes)
        #expect(!recipient.isUsable)
        #expect(throws: AgeError.badRecipient) { try AgeRecipient(recipient.description) }
        #expect(throws: AgeError.badRecipient) { try FanOut.headers(fileKey: fileKey, recipients: [recipient], random: random) }
        let stanza = AgeStanza(
            arguments: [Array("X25519".utf8), Base64.encode(bytes, padded: false)], body: random.bytes(32))
        let header = AgeHeader.encode([stanza], headerKey: fileKey.headerKey())
        #expect(throws: AgeError.headerFailure) { try read([header]).reader.unwrap(with: [identity]) }
    }

    /// A file key wrapped for nobody in particular: with the shared secret that small order would give.
    @Test func stanzaUnderTheZeroSecret_doesNotOpen() throws {
        let zero = [UInt8](repeating: 0, count: 32)
        let key = Hash.hkdfSHA256(
            Seal.secret(zero), salt: zero + identity.recipient.bytes, info: Array("age-encryption.org/v1/X25519".utf8))
        let body = fileKey.secret.withExposed { SpoolKeys.seal($0, key: key, nonce: Array(zero[..<12]), associated: []) }
        let stanza = AgeStanza(arguments: [Array("X25519".utf8), Base64.encode(zero, padded: false)], body: body)
        let header = AgeHeader.encode([stanza], headerKey: fileKey.headerKey())
        #expect(throws: AgeError.headerFailure) { try read([header]).reader.unwrap(with: [identity]) }
    }

    @Test func strayBitsInBase64_areRefused() throws {
        let header = try AgeHeader.make(fileKey: fileKey, recipients: [identity.recipient], random: random)
        // The last characters of the share, of the body and of the code carry two bits of nothing.
        let lines = header.split(separator: 0x0a, omittingEmptySubsequences: false)
        var ends: [Int] = []
        for line in lines.dropFirst().prefix(3) { ends.append(line.endIndex - 1) }
        #expect(ends.count == 3)
        for end in ends {
            let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
            let value = try #require(alphabet.firstIndex(of: header[end]))
            var altered = header
            altered[end] = alphabet[value | 1]
            #expect(throws: AgeError.headerFailure) { try read([altered]).reader.unwrap(with: [identity]) }
        }
    }

    @Test func passphraseStanza_mustBeAlone() throws {
        let passphrase = Seal.secret("open")
        let scrypt = try ScryptStanza.seal(fileKey, passphrase: passphrase, workFactor: 1, random: random)
        let known = try X25519Stanza.seal(fileKey, for: identity.recipient, random: random)
        let alone = try read([AgeHeader.encode([scrypt], headerKey: fileKey.headerKey())]).reader
        #expect(try alone.unwrap(passphrase: passphrase) == fileKey)
        #expect(throws: AgeError.noMatch) { try alone.unwrap(passphrase: Seal.secret("other")) }
        #expect(throws: AgeError.noMatch) { try alone.unwrap(with: [identity]) }
        for stanzas in [[scrypt, known], [known, scrypt], [scrypt, scrypt]] {
            let mixed = try read([AgeHeader.encode(stanzas, headerKey: fileKey.headerKey())]).reader
            #expect(throws: AgeError.headerFailure) { try mixed.unwrap(passphrase: passphrase) }
            #expect(throws: AgeError.headerFailure) { try mixed.unwrap(with: [identity]) }
        }
    }

    @Test func workFactor_isLimitedToTheUnit() throws {
        let passphrase = Seal.secret("open")
        let header = try AgeHeader.passphrase(fileKey: fileKey, passphrase, workFactor: 5, random: random)
        let reader = try read([header]).reader
        #expect(throws: AgeError.workFactor) { try reader.unwrap(passphrase: passphrase, maxWorkFactor: 4) }
        #expect(try reader.unwrap(passphrase: passphrase, maxWorkFactor: 5) == fileKey)
        #expect(try reader.unwrap(with: .passphrase(passphrase, maxWorkFactor: 6)) == fileKey)
    }
}

extension AgeStanza {
    fileprivate func write() {
        var header: [UInt8] = []
        append(to: &header)
    }
}

/// The u-coordinates of small order on Curve25519 and its twist (cr.yp.to/ecdh.html, "validate").
enum SmallOrder {
    static let points = [
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    ]
}
