// The keys of age files: recipients, identities and file keys, with their texts. How a file is made of them is not known here.

import CSodium
package import DDSCore

/// Whom an age file is sealed for: an X25519 public key (C2SP age.md, "The X25519 recipient type").
package struct AgeRecipient: Hashable, Sendable, CustomStringConvertible {
    /// The 32 bytes of the public key.
    package let bytes: [UInt8]

    /// A key of exactly 32 bytes; others are our bug.
    package init(bytes: [UInt8]) {
        precondition(bytes.count == 32, "an X25519 recipient has 32 bytes")
        self.bytes = bytes
    }

    /// Parses `age1...`. Throws `.badRecipient`, also for a point that is not usable.
    package init(_ text: String) throws(AgeError) {
        try self.init(accepted: text)
        guard isUsable else { throw .badRecipient }
    }

    /// Parses a text that `init(_:)` has taken before, and spares the curve operation by which that knows a usable point: a
    /// third of what sealing a header costs. Sealing for a point that is none throws `.badRecipient` all the same.
    package init(accepted text: String) throws(AgeError) {
        let characters = Array(text.utf8)
        guard characters.starts(with: "age1".utf8), let bytes = Bech32.decode(prefix: "age", characters), bytes.count == 32
        else {
            throw .badRecipient
        }
        self.bytes = bytes
    }

    /// False for the few points of small order, for which nothing can be sealed: every private key gives the same shared
    /// secret with them (RFC 7748 section 6.1).
    package var isUsable: Bool {
        var shared = [UInt8](repeating: 0, count: 32)
        return unsafe crypto_scalarmult(&shared, Self.anyScalar, bytes) == 0
    }

    private static let anyScalar = [UInt8](repeating: 1, count: 32)

    /// `age1...`, 62 characters.
    package var description: String { String(decoding: Bech32.encode(prefix: "age", bytes), as: UTF8.self) }
}

/// What opens an age file: an X25519 private key in locked memory.
package final class AgeIdentity: Sendable, CustomStringConvertible {
    /// The 32 bytes of the private key.
    package let secret: SecretBytes
    /// The public half.
    package let recipient: AgeRecipient

    /// A private key of exactly 32 bytes; others are our bug.
    package init(secret: SecretBytes) {
        precondition(secret.count == 32, "an X25519 identity has 32 bytes")
        self.secret = secret
        var point = [UInt8](repeating: 0, count: 32)
        let status = unsafe secret.withBytes { unsafe crypto_scalarmult_base(&point, $0.octets) }
        precondition(status == 0, "the base point has no small order")
        recipient = AgeRecipient(bytes: point)
    }

    /// A new key.
    package static func generate(random: some RandomSource) -> AgeIdentity {
        var bytes = random.bytes(32)
        return AgeIdentity(secret: SecretBytes(consuming: &bytes))
    }

    /// Parses `AGE-SECRET-KEY-1...` out of ordinary memory, which the caller cannot wipe; for keys that people paste. Throws
    /// `.badIdentity`.
    package convenience init(_ text: String) throws(AgeError) {
        var characters = Array(text.utf8)
        try self.init(text: SecretBytes(consuming: &characters))
    }

    /// Parses `AGE-SECRET-KEY-1...` without white space around it. Throws `.badIdentity`.
    package convenience init(text: SecretBytes) throws(AgeError) {
        let decoded = text.withExposed { characters -> SecretBytes? in
            guard characters.starts(with: "AGE-SECRET-KEY-1".utf8),
                var bytes = Bech32.decode(prefix: "age-secret-key-", characters)
            else { return nil }
            return SecretBytes(consuming: &bytes)
        }
        guard let decoded, decoded.count == 32 else { throw .badIdentity }
        self.init(secret: decoded)
    }

    /// `AGE-SECRET-KEY-1...`, 74 characters without line end.
    package func secretText() -> SecretBytes {
        secret.withExposed { bytes in
            var text = Bech32.encode(prefix: "age-secret-key-", bytes)
            for index in text.indices { text[index] = Bech32.uppered(text[index]) }
            return SecretBytes(consuming: &text)
        }
    }

    /// The public half only.
    package var description: String { "identity of \(recipient)" }
}

/// The 16 random bytes from which one file's header code and payload key are derived. One file key seals one payload, once;
/// it may be given to any number of headers of that payload (see `FanOut`).
package struct AgeFileKey: Sendable, Equatable {
    package static let countBytes = 16
    package let secret: SecretBytes

    /// A key of exactly 16 bytes; others are our bug.
    package init(secret: SecretBytes) {
        precondition(secret.count == Self.countBytes, "a file key has 16 bytes")
        self.secret = secret
    }

    /// A new key.
    package static func generate(random: some RandomSource) -> AgeFileKey {
        var bytes = random.bytes(countBytes)
        return AgeFileKey(secret: SecretBytes(consuming: &bytes, life: .message))
    }

    func headerKey() -> SecretBytes { Hash.hkdfSHA256(secret, salt: [], info: Array("header".utf8)) }
    func payloadKey(nonce: [UInt8]) -> SecretBytes { Hash.hkdfSHA256(secret, salt: nonce, info: Array("payload".utf8)) }
}

/// What a reader tries on a header.
package enum AgeUnlock: Sendable {
    /// Each of these keys, on every X25519 stanza.
    case identities([AgeIdentity])
    /// A passphrase; costs up to 2 to the power of `maxWorkFactor` KiB of memory and seconds of time.
    case passphrase(SecretBytes, maxWorkFactor: Int = 22)
}
