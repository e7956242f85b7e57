// Keys that live as long as a message share regions of locked memory, and recipients that were checked before are not again.

import DDSCore
import Testing

@testable import DDSSeal

@Suite struct MessageSecretTests {
    @Test func secretsOfMessages_doNotShareSlots() {
        // More than one region full.
        let secrets = (0..<1000).map { number in
            var bytes = [UInt8](repeating: UInt8(truncatingIfNeeded: number), count: 1 + number % 64)
            return SecretBytes(consuming: &bytes, life: .message)
        }
        for (number, secret) in secrets.enumerated() {
            #expect(secret.isEqual(to: [UInt8](repeating: UInt8(truncatingIfNeeded: number), count: 1 + number % 64)))
        }
    }

    @Test func aSlotThatWasGivenBack_isZero() {
        for _ in 0..<2000 {
            unsafe SecretBytes(count: 64, life: .message) { buffer in
                #expect(unsafe buffer.allSatisfy { $0 == 0 })
                unsafe buffer.initializeMemory(as: UInt8.self, repeating: 0xa5)
            }.expectBytes(0xa5)
        }
    }

    @Test func aLongSecretOfAMessage_hasPagesOfItsOwn() {
        var bytes = [UInt8](repeating: 7, count: 65)
        #expect(SecretBytes(consuming: &bytes, life: .message).isEqual(to: [UInt8](repeating: 7, count: 65)))
    }

    @Test func acceptedRecipient_isParsedAsStrictly_andSealedForOnlyIfUsable() throws {
        let recipient = AgeIdentity.generate(random: SystemRandom()).recipient
        #expect(try AgeRecipient(accepted: recipient.description) == recipient)
        #expect(throws: AgeError.badRecipient) { try AgeRecipient(accepted: recipient.description + "q") }
        let unusable = AgeRecipient(bytes: [UInt8](repeating: 0, count: 32))
        let accepted = try AgeRecipient(accepted: unusable.description)
        #expect(throws: AgeError.badRecipient) {
            try AgeHeader.make(fileKey: .generate(random: SystemRandom()), recipients: [accepted], random: SystemRandom())
        }
    }
}

extension SecretBytes {
    fileprivate func expectBytes(_ octet: UInt8) {
        #expect(isEqual(to: [UInt8](repeating: octet, count: count)))
    }
}
