// The keys of age files: recipients, identities and file keys, with their texts. How a file is made of them is not known here.

import CSodium
package import DDSCore

/// What kind of key a file is sealed to and opened with. Both kinds have private keys of 32 bytes.
package enum AgeKeyKind: String, Sendable, CaseIterable, Codable {
    /// X25519 (C2SP age.md, "The X25519 recipient type"): `age1...`, `AGE-SECRET-KEY-1...`.
    case classical
    /// ML-KEM-768 and X25519 together (C2SP age.md, "The hybrid recipient type"): `age1pq1...`, `AGE-SECRET-KEY-PQ-1...`. What
    /// is recorded today stays closed to a quantum computer of later.
    case hybrid

    /// The size of a public key.
    package var publicBytes: Int {
        switch self {
        case .classical: 32
        case .hybrid: HybridKey.publicBytes
        }
    }

    /// The kind of a recipient's text that `AgeRecipient.init(_:)` has taken before.
    package init(accepted text: String) { self = text.hasPrefix("\(Self.hybrid.recipientPrefix)1") ? .hybrid : .classical }

    var recipientPrefix: String {
        switch self {
        case .classical: "age"
        case .hybrid: "age1pq"
        }
    }

    var identityPrefix: String {
        switch self {
        case .classical: "age-secret-key-"
        case .hybrid: "age-secret-key-pq-"
        }
    }
}

/// Whom an age file is sealed for: a public key of either kind.
package struct AgeRecipient: Hashable, Sendable, CustomStringConvertible {
    package let kind: AgeKeyKind
    /// The public key, `kind.publicBytes` of it.
    package let bytes: [UInt8]

    /// A key of exactly the size of its kind; others are our bug.
    package init(bytes: [UInt8], kind: AgeKeyKind = .classical) {
        precondition(bytes.count == kind.publicBytes, "a recipient has the size of its kind")
        self.kind = kind
        self.bytes = bytes
    }

    /// Parses `age1...` or `age1pq1...`. Throws `.badRecipient`, also for a key that is not usable.
    package init(_ text: String) throws(AgeError) {
        try self.init(accepted: text)
        guard isUsable else { throw .badRecipient }
    }

    /// Parses a text that `init(_:)` has taken before, and spares the operations by which that knows a usable key: a third of
    /// what sealing a header costs. Sealing for one that is none throws `.badRecipient` all the same.
    package init(accepted text: String) throws(AgeError) {
        let characters = Array(text.utf8)
        for kind in AgeKeyKind.allCases where characters.starts(with: "\(kind.recipientPrefix)1".utf8) {
            guard let bytes = Bech32.decode(prefix: kind.recipientPrefix, characters), bytes.count == kind.publicBytes else {
                continue
            }
            self.init(bytes: bytes, kind: kind)
            return
        }
        throw .badRecipient
    }

    /// False for keys for which nothing can be sealed: the few points of small order, with which every private key gives the
    /// same shared secret (RFC 7748 section 6.1), and ML-KEM keys that FIPS 203 section 7.2 refuses.
    package var isUsable: Bool {
        switch kind {
        case .classical:
            var shared = [UInt8](repeating: 0, count: 32)
            return unsafe crypto_scalarmult(&shared, Self.anyScalar, bytes) == 0
        case .hybrid: return HybridKey.isUsable(bytes)
        }
    }

    private static let anyScalar = [UInt8](repeating: 1, count: 32)

    /// `age1...` of 62 characters, or `age1pq1...` of 1959.
    package var description: String { String(decoding: Bech32.encode(prefix: kind.recipientPrefix, bytes), as: UTF8.self) }
}

/// What opens an age file: a private key of either kind in locked memory.
package final class AgeIdentity: Sendable, CustomStringConvertible {
    package static let secretBytes = 32

    /// The 32 bytes of the private key; of a hybrid one the seed of both its halves.
    package let secret: SecretBytes
    /// The public half.
    package let recipient: AgeRecipient

    package var kind: AgeKeyKind { recipient.kind }

    /// A private key of exactly 32 bytes; others are our bug.
    package init(secret: SecretBytes, kind: AgeKeyKind = .classical) {
        precondition(secret.count == Self.secretBytes, "an identity has 32 bytes")
        self.secret = secret
        switch kind {
        case .classical:
            var point = [UInt8](repeating: 0, count: 32)
            let status = unsafe secret.withBytes { unsafe crypto_scalarmult_base(&point, $0.octets) }
            precondition(status == 0, "the base point has no small order")
            recipient = AgeRecipient(bytes: point)
        case .hybrid: recipient = AgeRecipient(bytes: HybridKey.publicKey(seed: secret), kind: .hybrid)
        }
    }

    /// A new key.
    package static func generate(kind: AgeKeyKind = .classical, random: some RandomSource) -> AgeIdentity {
        var bytes = random.bytes(secretBytes)
        return AgeIdentity(secret: SecretBytes(consuming: &bytes), kind: kind)
    }

    /// Parses `AGE-SECRET-KEY-1...` or `AGE-SECRET-KEY-PQ-1...` out of ordinary memory, which the caller cannot wipe; for keys
    /// that people paste. Throws `.badIdentity`.
    package convenience init(_ text: String) throws(AgeError) {
        var characters = Array(text.utf8)
        try self.init(text: SecretBytes(consuming: &characters))
    }

    /// Parses the text of an identity without white space around it. Throws `.badIdentity`.
    package convenience init(text: SecretBytes) throws(AgeError) {
        for kind in AgeKeyKind.allCases {
            let decoded = text.withExposed { characters -> SecretBytes? in
                guard characters.starts(with: kind.identityPrefix.utf8.map(Bech32.uppered) + [0x31]),
                    var bytes = Bech32.decode(prefix: kind.identityPrefix, characters)
                else { return nil }
                return SecretBytes(consuming: &bytes)
            }
            guard let decoded, decoded.count == Self.secretBytes else { continue }
            self.init(secret: decoded, kind: kind)
            return
        }
        throw .badIdentity
    }

    /// `AGE-SECRET-KEY-1...` of 74 characters or `AGE-SECRET-KEY-PQ-1...` of 77, without line end.
    package func secretText() -> SecretBytes {
        secret.withExposed { bytes in
            var text = Bech32.encode(prefix: kind.identityPrefix, bytes)
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
    /// Each of these keys, on every stanza of its kind.
    case identities([AgeIdentity])
    /// A passphrase; costs up to 2 to the power of `maxWorkFactor` KiB of memory and seconds of time.
    case passphrase(SecretBytes, maxWorkFactor: Int = 22)
}
