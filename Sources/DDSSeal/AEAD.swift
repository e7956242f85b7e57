// Authenticated encryption: the thin layer over libsodium's ChaCha20-Poly1305 and XChaCha20-Poly1305. Nonces are the callers'.

import CSodium
package import DDSCore

/// ChaCha20-Poly1305 (RFC 8439), on raw memory, for this target only. Keys have 32 bytes, nonces 12, tags 16.
enum ChaCha20Poly1305 {
    static let tagBytes = 16

    /// Writes the ciphertext and behind it the tag to `output`, which has room for both.
    static func seal(
        _ plain: UnsafeRawBufferPointer, key: UnsafeRawBufferPointer, nonce: [UInt8], associated: [UInt8] = [],
        into output: UnsafeMutableRawPointer
    ) {
        precondition(nonce.count == 12, "a nonce has 12 bytes")
        let status = unsafe crypto_aead_chacha20poly1305_ietf_encrypt(
            output.assumingMemoryBound(to: UInt8.self), nil, plain.baseAddress?.assumingMemoryBound(to: UInt8.self),
            UInt64(plain.count), associated, UInt64(associated.count), nil, nonce, key.octets)
        precondition(status == 0, "ChaCha20-Poly1305 cannot fail to encrypt")
    }

    /// Opens ciphertext with its tag behind it; `output` has room for 16 bytes less. False when it is not authentic; then
    /// `output` holds nothing of it.
    static func open(
        _ sealed: UnsafeRawBufferPointer, key: UnsafeRawBufferPointer, nonce: [UInt8], associated: [UInt8] = [],
        into output: UnsafeMutableRawPointer
    ) -> Bool {
        precondition(nonce.count == 12, "a nonce has 12 bytes")
        return unsafe crypto_aead_chacha20poly1305_ietf_decrypt(
            output.assumingMemoryBound(to: UInt8.self), nil, nil, sealed.octets,
            UInt64(sealed.count), associated, UInt64(associated.count), nonce, key.octets) == 0
    }
}

/// Byte strings under a key, each by itself: the agent's local store, key slots, search segments. XChaCha20-Poly1305 with a
/// random nonce of 24 bytes in front, so that one key serves any number of them.
package enum SealedStoreBox {
    /// What sealing adds: nonce and tag.
    package static let overheadBytes = 40
    private static let nonceBytes = 24

    /// `plain` under `key` (32 bytes), bound to `associated`.
    package static func seal(
        _ plain: [UInt8], key: SecretBytes, associated: [UInt8], random: some RandomSource
    ) -> [UInt8] {
        precondition(key.count == 32, "the key of a store has 32 bytes")
        let nonce = random.bytes(nonceBytes)
        var box = [UInt8](repeating: 0, count: overheadBytes + plain.count)
        box.replaceSubrange(..<nonceBytes, with: nonce)
        unsafe box.withUnsafeMutableBytes { buffer in
            unsafe key.withBytes { key in
                let status = unsafe crypto_aead_xchacha20poly1305_ietf_encrypt(
                    buffer.octets + nonceBytes, nil, plain, UInt64(plain.count), associated,
                    UInt64(associated.count), nil, nonce, key.octets)
                precondition(status == 0, "XChaCha20-Poly1305 cannot fail to encrypt")
            }
        }
        return box
    }

    /// What `seal` was given, or nil when the box was made under another key or `associated`, or was altered.
    package static func open(_ box: [UInt8], key: SecretBytes, associated: [UInt8]) -> [UInt8]? {
        precondition(key.count == 32, "the key of a store has 32 bytes")
        guard box.count >= overheadBytes else { return nil }
        var isAuthentic = false
        let plain = unsafe [UInt8](unsafeUninitializedCapacity: box.count - overheadBytes + 1) { output, initialized in
            isAuthentic = unsafe box.withUnsafeBytes { box in
                unsafe key.withBytes { key in
                    unsafe crypto_aead_xchacha20poly1305_ietf_decrypt(
                        output.baseAddress, nil, nil, box.octets + nonceBytes, UInt64(box.count - nonceBytes), associated,
                        UInt64(associated.count), box.octets, key.octets) == 0
                }
            }
            initialized = isAuthentic ? box.count - overheadBytes : 0
        }
        return isAuthentic ? plain : nil
    }
}
