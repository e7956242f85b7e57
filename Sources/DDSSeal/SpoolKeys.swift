// What the spool's cipher is made of: segment keys that hang on a root key, and detached ChaCha20-Poly1305. Which nonce goes
// with what is decided by the spool's format.

import CSodium

package struct SpoolKeys: Sendable {
    private let root: SecretBytes

    /// `root` has 32 bytes.
    package init(root: SecretBytes) {
        precondition(root.count == 32, "a root key has 32 bytes")
        self.root = root
    }

    /// BLAKE2b-256 under the root key of the sequence (big-endian) and the salt.
    package func segmentKey(sequence: UInt64, salt: [UInt8]) -> SecretBytes {
        let number = (0..<8).map { UInt8(truncatingIfNeeded: sequence >> (56 - 8 * UInt64($0))) }
        var key = Hash.blake2b(number + salt, key: root, count: 32)
        return SecretBytes(consuming: &key)
    }

    /// Keyed BLAKE2b-128.
    package static func mac(_ message: [UInt8], key: SecretBytes) -> [UInt8] { Hash.blake2b(message, key: key, count: 16) }

    /// ChaCha20-Poly1305 (RFC 8439); the result is as long as `plain` plus a tag of 16 bytes.
    package static func seal(_ plain: [UInt8], key: SecretBytes, nonce: [UInt8], associated: [UInt8]) -> [UInt8] {
        unsafe key.withBytes { unsafe seal(plain, keyBytes: $0, nonce: nonce, associated: associated) }
    }

    /// The same under a key that is used once and lies in ordinary memory.
    package static func seal(_ plain: [UInt8], key: [UInt8], nonce: [UInt8], associated: [UInt8]) -> [UInt8] {
        unsafe key.withUnsafeBytes { unsafe seal(plain, keyBytes: $0, nonce: nonce, associated: associated) }
    }

    /// What `seal` was given, or nil when anything differs.
    package static func open(_ sealed: [UInt8], key: SecretBytes, nonce: [UInt8], associated: [UInt8]) -> [UInt8]? {
        unsafe key.withBytes { unsafe open(sealed, keyBytes: $0, nonce: nonce, associated: associated) }
    }

    package static func open(_ sealed: [UInt8], key: [UInt8], nonce: [UInt8], associated: [UInt8]) -> [UInt8]? {
        unsafe key.withUnsafeBytes { unsafe open(sealed, keyBytes: $0, nonce: nonce, associated: associated) }
    }

    private static func seal(
        _ plain: [UInt8], keyBytes: UnsafeRawBufferPointer, nonce: [UInt8], associated: [UInt8]
    ) -> [UInt8] {
        precondition(keyBytes.count == 32, "a key has 32 bytes")
        let size = plain.count + ChaCha20Poly1305.tagBytes
        return unsafe [UInt8](unsafeUninitializedCapacity: size) { buffer, initialized in
            let output = UnsafeMutableRawBufferPointer(buffer)
            unsafe plain.withUnsafeBytes {
                unsafe ChaCha20Poly1305.seal($0, key: keyBytes, nonce: nonce, associated: associated, into: output.octets)
            }
            initialized = size
        }
    }

    private static func open(
        _ sealed: [UInt8], keyBytes: UnsafeRawBufferPointer, nonce: [UInt8], associated: [UInt8]
    ) -> [UInt8]? {
        precondition(keyBytes.count == 32, "a key has 32 bytes")
        let size = sealed.count - ChaCha20Poly1305.tagBytes
        guard size >= 0 else { return nil }
        var isAuthentic = false
        let plain = unsafe [UInt8](unsafeUninitializedCapacity: size + 1) { buffer, initialized in
            let output = UnsafeMutableRawBufferPointer(buffer)
            isAuthentic = unsafe sealed.withUnsafeBytes {
                unsafe ChaCha20Poly1305.open($0, key: keyBytes, nonce: nonce, associated: associated, into: output.octets)
            }
            initialized = isAuthentic ? size : 0
        }
        return isAuthentic ? plain : nil
    }
}
