// What the spool needs of cryptography, and nothing of how it is done: DDSSeal implements this over libsodium and the
// root key, DDSTorture with a toy that detects every flipped bit. Nothing here is asked to keep state between calls.

/// The keys of one spool: everything that hangs on its root key. Values that come out of it are for the disk; keys that it
/// is handed were made by `random` and are used for one body each.
package protocol SpoolCipher: Sendable {
    /// `count` random bytes fit for keys, salts and ids.
    func random(_ count: Int) -> [UInt8]

    /// The keys of the segment `sequence` that was created with `salt` (16 bytes): a 32-byte key derived from the root, the
    /// sequence (64 bits, big-endian) and the salt. The same arguments give the same keys.
    func segment(sequence: UInt64, salt: [UInt8]) -> any SegmentCipher

    /// A 16-byte MAC of `message` under a key derived from the root for this use only (the `super` file).
    func authenticate(_ message: [UInt8]) -> [UInt8]

    /// Encrypts a body under a 32-byte key that is never used again, with the all-zero nonce and no associated data.
    /// The ciphertext has the body's length (which may be 0), the tag 16 bytes.
    func sealBody(key: [UInt8], body: [UInt8]) -> (ciphertext: [UInt8], tag: [UInt8])

    /// The body, or nil when ciphertext, tag and key do not belong together.
    func openBody(key: [UInt8], ciphertext: [UInt8], tag: [UInt8]) -> [UInt8]?

    /// Encrypts chunk number `index` (from 0) of a big file under a key that only this file uses. The nonce is the index
    /// (88 bits, big-endian) followed by one byte that is 1 in the last chunk and else 0, as in age's STREAM. The result is
    /// 16 bytes longer than the chunk.
    func sealChunk(key: [UInt8], index: UInt64, isLast: Bool, chunk: [UInt8]) -> [UInt8]

    /// The chunk, or nil when it is not that chunk of that file.
    func openChunk(key: [UInt8], index: UInt64, isLast: Bool, sealed: [UInt8]) -> [UInt8]?
}

/// The keys of one segment. A slot is sealed at most once: its index is the nonce.
package protocol SegmentCipher {
    /// Seals the 112 bytes of slot `index` into 128: nonce is the index, associated data the segment's sequence.
    func seal(slot index: Int, _ plaintext: [UInt8]) -> [UInt8]

    /// The 112 bytes, or nil when the 128 `sealed` ones were not sealed for this slot of this segment.
    func open(slot index: Int, _ sealed: [UInt8]) -> [UInt8]?

    /// A 16-byte MAC of `message` under a key derived from the segment's for this use only (headers and marks). The caller
    /// keeps the kinds of message apart by their first bytes.
    func authenticate(_ message: [UInt8]) -> [UInt8]
}
