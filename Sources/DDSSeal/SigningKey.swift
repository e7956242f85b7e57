// Ed25519 signatures (RFC 8032) over libsodium. What is signed, and in which format, is decided by the callers.

import CSodium

/// A private signing key: the 32-byte seed in locked memory. The expanded key exists only while a signature is made.
package struct SigningKey: Sendable {
    package static let seedBytes = 32
    package static let signatureBytes = 64

    package let seed: SecretBytes
    /// The 32 bytes of the public key.
    package let publicKey: [UInt8]

    /// `seed` has 32 bytes.
    package init(seed: SecretBytes) {
        precondition(seed.count == Self.seedBytes, "an Ed25519 seed has 32 bytes")
        Sodium.start()
        self.seed = seed
        var publicKey = [UInt8](repeating: 0, count: Int(crypto_sign_publickeybytes()))
        unsafe Self.expanded(seed) { unsafe crypto_sign_ed25519_sk_to_pk(&publicKey, $0.octets) }
        self.publicKey = publicKey
    }

    /// A new random key.
    package static func generate() -> SigningKey { SigningKey(seed: .random(seedBytes)) }

    /// The 64 bytes of the signature of `message`. The same message gives the same signature.
    package func sign(_ message: [UInt8]) -> [UInt8] {
        var signature = [UInt8](repeating: 0, count: Self.signatureBytes)
        unsafe Self.expanded(seed) { key in
            let status = unsafe crypto_sign_detached(&signature, nil, message, UInt64(message.count), key.octets)
            precondition(status == 0, "Ed25519 cannot fail to sign")
        }
        return signature
    }

    /// True when the holder of `publicKey` signed `message`. Wrong lengths are false.
    package static func verify(_ signature: [UInt8], of message: [UInt8], by publicKey: [UInt8]) -> Bool {
        guard signature.count == signatureBytes, publicKey.count == Int(crypto_sign_publickeybytes()) else { return false }
        Sodium.start()
        return unsafe crypto_sign_verify_detached(signature, message, UInt64(message.count), publicKey) == 0
    }

    private static func expanded(_ seed: SecretBytes, _ body: (UnsafeRawBufferPointer) -> Void) {
        let fill = { (output: UnsafeMutableRawBufferPointer) -> Void in
            var unused = [UInt8](repeating: 0, count: Int(crypto_sign_publickeybytes()))
            unsafe seed.withBytes { seed in _ = unsafe crypto_sign_seed_keypair(&unused, output.octets, seed.octets) }
        }
        let expanded = unsafe SecretBytes(count: Int(crypto_sign_secretkeybytes()), fill: fill)
        unsafe expanded.withBytes { unsafe body($0) }
    }
}
