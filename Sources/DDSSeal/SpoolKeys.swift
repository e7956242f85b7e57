// What the spool's cipher is made of: segment keys that hang on a root key, and detached ChaCha20-Poly1305. Which nonce goes
// with what is decided by the spool's format.

import CSodium
import Glibc

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

    /// The same with the tag by itself; nothing is copied.
    package static func sealDetached(
        _ plain: [UInt8], key: [UInt8], nonce: [UInt8], associated: [UInt8]
    ) -> (ciphertext: [UInt8], tag: [UInt8]) {
        precondition(key.count == 32 && nonce.count == 12, "a key has 32 bytes, a nonce 12")
        var tag = [UInt8](repeating: 0, count: ChaCha20Poly1305.tagBytes)
        let ciphertext = unsafe [UInt8](filling: plain.count) { buffer, initialized in
            let status = unsafe crypto_aead_chacha20poly1305_ietf_encrypt_detached(
                UnsafeMutableRawBufferPointer(buffer).octets, &tag, nil, plain, UInt64(plain.count), associated,
                UInt64(associated.count), nil, nonce, key)
            precondition(status == 0, "ChaCha20-Poly1305 cannot fail to encrypt")
            initialized = plain.count
        }
        return (ciphertext, tag)
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

    /// What is known of one box of a table.
    package enum BoxState: UInt8, Sendable {
        /// All zeros.
        case empty
        case open
        case sealed
    }

    /// Opens a table of boxes of `plainBytes` plus a tag each, whose nonces are their numbers from `first` on. In `plain` the
    /// places of boxes that are not open hold nothing of use.
    package static func open(
        table: [UInt8], plainBytes: Int, key: SecretBytes, first: Int, associated: [UInt8]
    ) -> (plain: [UInt8], states: [BoxState]) {
        let boxBytes = plainBytes + ChaCha20Poly1305.tagBytes
        let count = table.count / boxBytes
        var states = [BoxState](repeating: .empty, count: count)
        var plain = [UInt8](repeating: 0, count: count * plainBytes)
        var nonce = Self.nonce(first)
        let zeroBox = [UInt8](repeating: 0, count: boxBytes)
        unsafe key.withBytes { keyBytes in
            unsafe plain.withUnsafeMutableBytes { output in
                unsafe table.withUnsafeBytes { input in
                    for index in 0..<count {
                        let box = unsafe UnsafeRawBufferPointer(rebasing: input[index * boxBytes..<(index + 1) * boxBytes])
                        // Nothing secret hangs on it, and most of a table is empty.
                        guard unsafe memcmp(box.octets, zeroBox, boxBytes) != 0 else { continue }
                        let place = unsafe UnsafeMutableRawBufferPointer(
                            rebasing: output[index * plainBytes..<(index + 1) * plainBytes])
                        Self.number(&nonce, first + index)
                        let isOpen = unsafe ChaCha20Poly1305.open(
                            box, key: keyBytes, nonce: nonce, associated: associated, into: place.octets)
                        states[index] = isOpen ? .open : .sealed
                    }
                }
            }
        }
        return (plain, states)
    }

    /// The reverse; boxes that are not open become zeros.
    package static func seal(
        table plain: [UInt8], plainBytes: Int, states: [BoxState], key: SecretBytes, first: Int, associated: [UInt8]
    ) -> [UInt8] {
        let boxBytes = plainBytes + ChaCha20Poly1305.tagBytes
        var table = [UInt8](repeating: 0, count: states.count * boxBytes)
        var nonce = Self.nonce(first)
        unsafe key.withBytes { keyBytes in
            unsafe table.withUnsafeMutableBytes { output in
                unsafe plain.withUnsafeBytes { input in
                    for index in states.indices where states[index] == .open {
                        let source = unsafe UnsafeRawBufferPointer(
                            rebasing: input[index * plainBytes..<(index + 1) * plainBytes])
                        let place = unsafe UnsafeMutableRawBufferPointer(
                            rebasing: output[index * boxBytes..<(index + 1) * boxBytes])
                        Self.number(&nonce, first + index)
                        unsafe ChaCha20Poly1305.seal(
                            source, key: keyBytes, nonce: nonce, associated: associated, into: place.octets)
                    }
                }
            }
        }
        return table
    }

    /// 96 bits, big-endian.
    private static func nonce(_ number: Int) -> [UInt8] {
        var nonce = [UInt8](repeating: 0, count: 12)
        Self.number(&nonce, number)
        return nonce
    }

    private static func number(_ nonce: inout [UInt8], _ number: Int) {
        for index in 4..<12 { nonce[index] = UInt8(truncatingIfNeeded: number >> (88 - 8 * index)) }
    }
}
