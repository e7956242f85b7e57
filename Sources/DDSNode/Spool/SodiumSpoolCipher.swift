// The spool's cryptography over libsodium: everything hangs on one root key.

package import DDSCore
import DDSLock
import DDSLoop
package import DDSSeal
package import DDSSpool

/// The keys of one spool under its root keys (SPOOL.md section 3, SEALING.md 7e). Roots come and go while it is in use.
package final class SodiumSpoolCipher: SpoolCipher {
    private struct Root {
        var keys: SpoolKeys
        var superKey: SecretBytes
    }

    private let roots = Lock<[UInt32: Root]>([:])
    private let source: any RandomSource

    /// `root` is that of the first epoch, or of `epoch`.
    package init(root: SecretBytes, epoch: UInt32 = 1, random: any RandomSource) {
        source = random
        learn(root, epoch: epoch)
    }

    /// From now on the root of `epoch` is known.
    package func learn(_ root: SecretBytes, epoch: UInt32) {
        let keys = Root(keys: SpoolKeys(root: root), superKey: DeriveKey.subkey(root, number: 1, context: "DDSsuper"))
        roots.withLock { $0[epoch] = keys }
    }

    /// From now on no root of an epoch before `epoch` is known.
    package func forget(before epoch: UInt32) { roots.withLock { $0 = $0.filter { $0.key >= epoch } } }

    private func root(_ epoch: UInt32) -> Root? { roots.withLock { $0[epoch] } }

    package func random(_ count: Int) -> [UInt8] { source.bytes(count) }

    package func segment(epoch: UInt32, sequence: UInt64, salt: [UInt8]) -> (any SegmentCipher)? {
        root(epoch).map { SodiumSegmentCipher(key: $0.keys.segmentKey(sequence: sequence, salt: salt), sequence: sequence) }
    }

    package func authenticate(epoch: UInt32, _ message: [UInt8]) -> [UInt8]? {
        root(epoch).map { SpoolKeys.mac(message, key: $0.superKey) }
    }

    package func sealBody(key: [UInt8], body: [UInt8]) -> (ciphertext: [UInt8], tag: [UInt8]) {
        SpoolKeys.sealDetached(body, key: key, nonce: Self.zeroNonce, associated: [])
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

    /// A part of a table that is worth a thread.
    private static let slotsOfThread = 4096

    /// On two threads: opening the tables is most of what opening a spool takes.
    func open(table: [UInt8], firstSlot: Int) -> OpenedTable {
        let half = table.count / SpoolFormat.slotBytes / 2
        guard half >= Self.slotsOfThread else { return opened(table, firstSlot) }
        let cut = half * SpoolFormat.slotBytes
        let rest = ThreadResult.start(name: "spool-open") { opened(Array(table[cut...]), firstSlot + half) }
        var whole = opened(Array(table[..<cut]), firstSlot)
        let second = rest.wait()
        whole.plain += second.plain
        whole.states += second.states
        return whole
    }

    private func opened(_ table: [UInt8], _ firstSlot: Int) -> OpenedTable {
        let (plain, states) = SpoolKeys.open(
            table: table, plainBytes: SpoolFormat.slotPlainBytes, key: key, first: firstSlot, associated: associated)
        return OpenedTable(plain: plain, states: states.map { OpenedTable.State(rawValue: $0.rawValue) ?? .sealed })
    }

    func seal(_ table: OpenedTable, firstSlot: Int) -> [UInt8] {
        SpoolKeys.seal(
            table: table.plain, plainBytes: SpoolFormat.slotPlainBytes,
            states: table.states.map { SpoolKeys.BoxState(rawValue: $0.rawValue) ?? .sealed }, key: key, first: firstSlot,
            associated: associated)
    }
}

private func bigEndian(_ number: UInt64) -> [UInt8] {
    (0..<8).map { UInt8(truncatingIfNeeded: number >> (56 - 8 * UInt64($0))) }
}
