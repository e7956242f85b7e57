// The spool's cryptography over libsodium: everything hangs on one root key.

package import DDSCore
package import DDSSeal
package import DDSSpool

/// The keys of one spool under its root key (SPOOL.md section 3, SEALING.md 7e).
package struct SodiumSpoolCipher: SpoolCipher {
    private let keys: SpoolKeys
    private let superKey: SecretBytes
    private let source: any RandomSource

    package init(root: SecretBytes, random: any RandomSource) {
        keys = SpoolKeys(root: root)
        superKey = DeriveKey.subkey(root, number: 1, context: "DDSsuper")
        source = random
    }

    package func random(_ count: Int) -> [UInt8] { source.bytes(count) }

    package func segment(sequence: UInt64, salt: [UInt8]) -> any SegmentCipher {
        SodiumSegmentCipher(key: keys.segmentKey(sequence: sequence, salt: salt), sequence: sequence)
    }

    package func authenticate(_ message: [UInt8]) -> [UInt8] { SpoolKeys.mac(message, key: superKey) }

    package func sealBody(key: [UInt8], body: [UInt8]) -> (ciphertext: [UInt8], tag: [UInt8]) {
        let sealed = SpoolKeys.seal(body, key: key, nonce: Self.zeroNonce, associated: [])
        return (Array(sealed.dropLast(16)), Array(sealed.suffix(16)))
    }

    package func openBody(key: [UInt8], ciphertext: [UInt8], tag: [UInt8]) -> [UInt8]? {
        SpoolKeys.open(ciphertext + tag, key: key, nonce: Self.zeroNonce, associated: [])
    }

    package func sealChunk(key: [UInt8], index: UInt64, isLast: Bool, chunk: [UInt8]) -> [UInt8] {
        SpoolKeys.seal(chunk, key: key, nonce: Self.chunkNonce(index, isLast), associated: [])
    }

    package func openChunk(key: [UInt8], index: UInt64, isLast: Bool, sealed: [UInt8]) -> [UInt8]? {
        SpoolKeys.open(sealed, key: key, nonce: Self.chunkNonce(index, isLast), associated: [])
    }

    /// Each body has a key of its own, so that one nonce serves all.
    private static let zeroNonce = [UInt8](repeating: 0, count: 12)

    private static func chunkNonce(_ index: UInt64, _ isLast: Bool) -> [UInt8] {
        [0, 0, 0] + bigEndian(index) + [isLast ? 1 : 0]
    }
}

/// The keys of one segment: one for slots, a derived one for headers and marks.
private struct SodiumSegmentCipher: SegmentCipher {
    private let key: SecretBytes
    private let macKey: SecretBytes
    private let associated: [UInt8]

    init(key: SecretBytes, sequence: UInt64) {
        self.key = key
        macKey = DeriveKey.subkey(key, number: 1, context: "DDSsegmk")
        associated = bigEndian(sequence)
    }

    func seal(slot index: Int, _ plaintext: [UInt8]) -> [UInt8] {
        SpoolKeys.seal(plaintext, key: key, nonce: [0, 0, 0, 0] + bigEndian(UInt64(index)), associated: associated)
    }

    func open(slot index: Int, _ sealed: [UInt8]) -> [UInt8]? {
        SpoolKeys.open(sealed, key: key, nonce: [0, 0, 0, 0] + bigEndian(UInt64(index)), associated: associated)
    }

    func authenticate(_ message: [UInt8]) -> [UInt8] { SpoolKeys.mac(message, key: macKey) }
}

private func bigEndian(_ number: UInt64) -> [UInt8] {
    (0..<8).map { UInt8(truncatingIfNeeded: number >> (56 - 8 * UInt64($0))) }
}
