import DDSCore
import DDSNode
import DDSSeal
import Testing

@testable import DDSServer

@Suite struct IntakeTests {
    private let identity = AgeIdentity.generate(random: SystemRandom())
    private static let text = "X-DDS-Submission: id-1\r\nReceived: a\r\nReceived: b\r\nSubject: x\r\n\r\nHello, world.\r\n"

    private func sealed() throws -> [UInt8] { try World.sealed(Self.text, to: identity.recipient) }

    /// Feeds `pieces` and opens what was sealed again.
    private func take(_ pieces: [[UInt8]], prefix: String = "") throws -> (text: String, message: SealedMessage) {
        var intake = MessageIntake(identities: [identity], random: SystemRandom(), prefix: Array(prefix.utf8))
        for piece in pieces { intake.take(piece) }
        let message = try intake.finish()
        let reader = AgeIdentity.generate(random: SystemRandom())
        guard case .key(let fileKey) = message.opening else { throw IntakeFailure.notOpened }
        let header = try FanOut.headers(fileKey: fileKey, recipients: [reader.recipient], random: SystemRandom())[0]
        var opener = AgeDecryptor(identities: [reader])
        return (String(decoding: try opener.feed(header + message.payload) + opener.finish(), as: UTF8.self), message)
    }

    private func halves(_ bytes: [UInt8], at place: Int) -> [[UInt8]] { [Array(bytes[..<place]), Array(bytes[place...])] }

    @Test func aPlainMessage_isTheSameAtEverySplit() throws {
        let bytes = Array(Self.text.utf8)
        for place in 0...bytes.count {
            let (text, message) = try take(halves(bytes, at: place))
            #expect(text == Self.text)
            #expect(
                !message.wasSealed && message.submissionID == "id-1" && message.plainBytes == bytes.count)
        }
    }

    @Test func aSealedMessage_isTheSameAtEverySplit() throws {
        let bytes = try sealed()
        for place in 0...bytes.count {
            let (text, message) = try take(halves(bytes, at: place))
            #expect(text == Self.text)
            #expect(message.wasSealed && message.submissionID == "id-1")
        }
    }

    @Test func byteByByte_isTheSame() throws {
        for bytes in [Array(Self.text.utf8), try sealed()] {
            #expect(try take(bytes.map { [$0] }).text == Self.text)
        }
    }

    @Test func aSealedMessageCutAnywhere_isRefused() throws {
        let bytes = try sealed()
        // Without its header section the wrapper is a plain message; from there on every cut is a broken seal. The last line
        // end may be missing, and nothing is lost with it.
        for length in 34..<(bytes.count - 2) {
            #expect(throws: IntakeFailure.notOpened) { try take([Array(bytes[..<length])]) }
        }
    }

    @Test func aDamagedSeal_isRefusedAtOnceAndForGood() throws {
        let bytes = try sealed()
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<200 {
            var damaged = bytes
            // Within the armor's lines a changed letter is another ciphertext or no armor.
            let place = Int.random(in: 70..<(bytes.count - 40), using: &generator)
            damaged[place] = damaged[place] == 0x41 ? 0x42 : 0x41
            // A changed share of the stanza looks like another reader's.
            let failure = #expect(throws: IntakeFailure.self) { try take([damaged, Array("more".utf8)]) }
            #expect(failure == .notOpened || failure == .otherKey(0))
        }
    }

    @Test(arguments: [GroupMode.relay, .blind, .sealed])
    func mailSealedToAnotherKey_saysWhichNumberItNames(_ mode: GroupMode) throws {
        for number in [0, 1, 7] as [UInt64] {
            var encryptor = try AgeEncryptor(
                recipients: [AgeIdentity.generate(random: SystemRandom()).recipient],
                notes: number == 0 ? [] : [KeyNote.stanza(number)], armor: .crlf, random: SystemRandom())
            let sealed = encryptor.update(Array(Self.text.utf8)[...]) + encryptor.finish()
            var intake = MessageIntake(mode: mode, identities: [identity], random: SystemRandom())
            for byte in Array("Content-Type: application/age\r\n\r\n".utf8) + sealed { intake.take([byte]) }
            #expect(throws: IntakeFailure.otherKey(number)) { try intake.finish() }
            var control = ControlIntake(identities: [identity])
            control.take(Array("Content-Type: application/age\r\n\r\n".utf8) + sealed)
            #expect(control.finish() == nil && control.otherKey == number)
        }
    }

    @Test func mailSealedToAnotherKey_isRefused() throws {
        let other = try World.sealed(Self.text, to: AgeIdentity.generate(random: SystemRandom()).recipient)
        #expect(throws: IntakeFailure.otherKey(0)) { try take([other]) }
    }

    @Test func thePrefix_comesFirst() throws {
        for bytes in [Array(Self.text.utf8), try sealed()] {
            let (text, message) = try take([bytes], prefix: "Received: us\r\n")
            #expect(text == "Received: us\r\n" + Self.text)
            #expect(message.submissionID == "id-1")
        }
    }

    @Test func anEmptyMessage_isAMessage() throws {
        #expect(try take([]).text.isEmpty)
        #expect(try take(["\r\nbody only\r\n"].map { Array($0.utf8) }).message.submissionID == nil)
    }

    @Test func noPlaintext_isInThePayload() throws {
        let (_, message) = try take([Array(Self.text.utf8)])
        #expect(!message.payload.contains(subsequence: Array("Hello".utf8)))
    }

    // MARK: Control messages

    private func control(_ bytes: [UInt8], split: Int? = nil) -> [UInt8]? {
        var intake = ControlIntake(identities: [identity])
        if let split {
            for half in halves(bytes, at: split) { intake.take(half) }
        } else {
            intake.take(bytes)
        }
        return intake.finish()
    }

    @Test func aControlMessage_isOpenedAtEverySplit() throws {
        let bytes = try sealed()
        for place in stride(from: 0, through: bytes.count, by: 3) {
            #expect(control(bytes, split: place) == Array(Self.text.utf8))
        }
    }

    @Test func plainDamagedCutAndForeignControlMessages_areNone() throws {
        let bytes = try sealed()
        #expect(control(Array(Self.text.utf8)) == nil)
        #expect(control([]) == nil)
        #expect(control(Array(bytes.dropLast(40))) == nil)
        var damaged = bytes
        damaged[bytes.count / 2] ^= 1
        #expect(control(damaged) == nil)
        #expect(control(try World.sealed(Self.text, to: AgeIdentity.generate(random: SystemRandom()).recipient)) == nil)
    }

    @Test(arguments: [(-1, true), (0, true), (1, false)])
    func controlMessages_haveALimit(difference: Int, isTaken: Bool) throws {
        let text = String(repeating: "a", count: ControlIntake.bytesMax + difference)
        #expect((control(try World.sealed(text, to: identity.recipient)) != nil) == isTaken)
    }
}

extension [UInt8] {
    func contains(subsequence: [UInt8]) -> Bool { firstRange(of: subsequence) != nil }
}
