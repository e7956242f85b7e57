// Hashes, message authentication and key derivation, one call each. What is hashed with which context is decided by callers.

import CSodium

/// Hash functions over whole byte strings.
package enum Hash {
    /// BLAKE2b (RFC 7693) of `count` bytes, 16 through 64.
    package static func blake2b(_ message: [UInt8], count: Int = 32) -> [UInt8] {
        unsafe blake2b(message, keyBytes: UnsafeRawBufferPointer(start: nil, count: 0), count: count)
    }

    /// BLAKE2b keyed with 16 through 64 bytes: a message authentication code or a derivation.
    package static func blake2b(_ message: [UInt8], key: SecretBytes, count: Int = 32) -> [UInt8] {
        unsafe key.withBytes { unsafe blake2b(message, keyBytes: $0, count: count) }
    }

    /// As above, with a key in ordinary memory.
    package static func blake2b(_ message: [UInt8], key: [UInt8], count: Int = 32) -> [UInt8] {
        unsafe key.withUnsafeBytes { unsafe blake2b(message, keyBytes: $0, count: count) }
    }

    /// Whether two codes are the same, found out in a time that only their length decides.
    package static func isEqual(_ one: [UInt8], _ other: [UInt8]) -> Bool {
        unsafe one.count == other.count && sodium_memcmp(one, other, one.count) == 0
    }

    /// SHA-256 (FIPS 180-4): 32 bytes.
    package static func sha256(_ message: [UInt8]) -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: 32)
        unsafe crypto_hash_sha256(&digest, message, UInt64(message.count))
        return digest
    }

    /// HMAC-SHA-256 (RFC 2104) under a key of any length: 32 bytes.
    package static func hmacSHA256(_ message: [UInt8], key: SecretBytes) -> [UInt8] {
        unsafe key.withBytes { unsafe hmacSHA256(message[...], keyBytes: $0) }
    }

    /// HKDF-SHA-256 (RFC 5869) of `count` bytes, 1 through 8160; a key for one message.
    package static func hkdfSHA256(_ secret: SecretBytes, salt: [UInt8], info: [UInt8], count: Int = 32) -> SecretBytes {
        var key = unsafe secret.withBytes { unsafe hkdfSHA256($0, salt: salt, info: info, count: count) }
        return SecretBytes(consuming: &key, life: .message)
    }

    static func hmacSHA256(_ message: ArraySlice<UInt8>, keyBytes: UnsafeRawBufferPointer) -> [UInt8] {
        var state = crypto_auth_hmacsha256_state()
        unsafe crypto_auth_hmacsha256_init(&state, keyBytes.octets, keyBytes.count)
        unsafe message.withUnsafeBufferPointer { bytes in
            if let base = bytes.baseAddress {
                _ = unsafe crypto_auth_hmacsha256_update(&state, base, UInt64(bytes.count))
            }
        }
        var code = [UInt8](repeating: 0, count: 32)
        unsafe crypto_auth_hmacsha256_final(&state, &code)
        unsafe sodium_memzero(&state, MemoryLayout<crypto_auth_hmacsha256_state>.size)
        return code
    }

    /// libsodium 1.0.18 has no HKDF. The caller wipes the result.
    static func hkdfSHA256(_ secret: UnsafeRawBufferPointer, salt: [UInt8], info: [UInt8], count: Int = 32) -> [UInt8] {
        precondition((1...255 * 32).contains(count), "HKDF-SHA-256 gives 1 through 8160 bytes")
        var input: [UInt8] = []
        input.reserveCapacity(max(secret.count, 32 + info.count + 1))
        unsafe input.append(contentsOf: secret)
        // RFC 5869 2.2: no salt is as many zeroes as the hash has bytes.
        let salt = salt.isEmpty ? [UInt8](repeating: 0, count: 32) : salt
        var extracted = unsafe salt.withUnsafeBytes { unsafe hmacSHA256(input[...], keyBytes: $0) }
        var output: [UInt8] = []
        output.reserveCapacity((count + 31) / 32 * 32)
        var block: [UInt8] = []
        for index in 1...UInt8((count + 31) / 32) {
            Wipe.zero(&input)
            input.removeAll(keepingCapacity: true)
            input.append(contentsOf: block)
            input.append(contentsOf: info)
            input.append(index)
            Wipe.zero(&block)
            block = unsafe extracted.withUnsafeBytes { unsafe hmacSHA256(input[...], keyBytes: $0) }
            output.append(contentsOf: block)
        }
        Wipe.zero(&input)
        Wipe.zero(&extracted)
        Wipe.zero(&block)
        if output.count > count {
            for index in count..<output.count { output[index] = 0 }
            output.removeLast(output.count - count)
        }
        return output
    }

    private static func blake2b(_ message: [UInt8], keyBytes: UnsafeRawBufferPointer, count: Int) -> [UInt8] {
        precondition((16...64).contains(count), "BLAKE2b gives 16 through 64 bytes here")
        precondition(unsafe keyBytes.isEmpty || (16...64).contains(keyBytes.count), "a BLAKE2b key has 16 through 64 bytes")
        var digest = [UInt8](repeating: 0, count: count)
        let key = unsafe keyBytes.baseAddress?.assumingMemoryBound(to: UInt8.self)
        let status = unsafe crypto_generichash(&digest, count, message, UInt64(message.count), key, keyBytes.count)
        precondition(status == 0, "BLAKE2b cannot fail within these lengths")
        return digest
    }
}

/// Independent keys from one, by number and context (libsodium `crypto_kdf`: keyed BLAKE2b).
package enum DeriveKey {
    /// Subkey `number` of `root` (32 bytes) of `count` bytes, 16 through 64. `context` is exactly 8 bytes of ASCII and names
    /// the use: the same root with another context gives unrelated keys.
    package static func subkey(_ root: SecretBytes, number: UInt64, context: String, count: Int = 32) -> SecretBytes {
        precondition(root.count == 32, "the root of a derivation has 32 bytes")
        precondition((16...64).contains(count), "a derived key has 16 through 64 bytes")
        let name = context.utf8.map { CChar(bitPattern: $0) }
        precondition(name.count == 8, "the context of a derivation has 8 bytes")
        return unsafe SecretBytes(count: count) { output in
            unsafe root.withBytes { key in
                let status = unsafe crypto_kdf_derive_from_key(output.octets, count, number, name, key.octets)
                precondition(status == 0, "a derivation cannot fail within these lengths")
            }
        }
    }
}
