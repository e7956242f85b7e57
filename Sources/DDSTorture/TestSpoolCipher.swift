// A toy in place of cryptography: fast, keyed, notices every flipped bit, and remembers which (key, nonce) pairs were
// used. It hides nothing from anybody; for tests and the simulator only.

import DDSCore
import DDSLock
package import DDSSpool

package final class TestSpoolCipher: SpoolCipher {
    private let root: UInt64
    private let source: SeededRandom
    private let uses = Lock(Uses())

    private struct Pair: Hashable {
        var key: UInt64
        var nonce: UInt64
    }

    private struct Uses {
        /// With a digest of the plaintext: sealing the same again tells nobody anything.
        var pairs: [Pair: UInt64] = [:]
        var epochs: ClosedRange<UInt32> = 1...UInt32.max
        var repeated = 0
        /// By a digest of the body, which no two of a test share.
        var recorded: [UInt64: [[UInt8]]] = [:]
        var slots: [UInt64: [[UInt8]]] = [:]
        var isRecording = false
    }

    package init(root: UInt64, seed: UInt64) {
        self.root = root
        source = SeededRandom(seed: seed)
    }

    /// How often a (key, nonce) pair was used for a second plaintext. Must stay 0.
    package var repeatedNonces: Int { uses.withLock { $0.repeated } }

    /// From now on remembers every sealed slot and the ciphertext of every body, for whoever looks for them on the medium.
    package func recordCiphertexts() { uses.withLock { $0.isRecording = true } }

    /// Every ciphertext of `body`, of long ones the first chunk without its tag.
    package func ciphertexts(of body: [UInt8]) -> [[UInt8]] { uses.withLock { $0.recorded[ToyCipher.digest(body, 0)] ?? [] } }

    /// Every sealed form of the slots of the record `uid`, wherever they were written.
    package func sealedSlots(of uid: SpoolUID) -> [[UInt8]] { uses.withLock { $0.slots[uid.rawValue] ?? [] } }

    package func random(_ count: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count + 8)
        while bytes.count < count { ToyCipher.append(source.next(), to: &bytes) }
        return Array(bytes[0..<count])
    }

    /// Roots of other epochs are not known from now on. At first every epoch has one.
    package func know(_ epochs: ClosedRange<UInt32>) { uses.withLock { $0.epochs = epochs } }

    package var knownEpochs: ClosedRange<UInt32> { uses.withLock { $0.epochs } }

    /// The root of an epoch; nil when it is not known.
    private func root(_ epoch: UInt32) -> UInt64? {
        uses.withLock { $0.epochs.contains(epoch) } ? ToyCipher.mix(root &+ UInt64(epoch) << 32) : nil
    }

    package func segment(epoch: UInt32, sequence: UInt64, salt: [UInt8]) -> (any SegmentCipher)? {
        guard let root = root(epoch) else { return nil }
        return TestSegmentCipher(key: ToyCipher.digest(salt, root ^ ToyCipher.mix(sequence)), sequence: sequence, owner: self)
    }

    package func authenticate(epoch: UInt32, _ message: [UInt8]) -> [UInt8]? {
        root(epoch).map { ToyCipher.tag(message, $0 ^ 0x5357) }
    }

    package func sealBody(key: [UInt8], body: [UInt8]) -> (ciphertext: [UInt8], tag: [UInt8]) {
        let secret = ToyCipher.digest(key, 1)
        note(secret, 0, body)
        let ciphertext = ToyCipher.crypt(body, secret)
        uses.withLock { if $0.isRecording { $0.recorded[ToyCipher.digest(body, 0), default: []].append(ciphertext) } }
        return (ciphertext, ToyCipher.tag(ciphertext, secret))
    }

    package func openBody(key: [UInt8], ciphertext: [UInt8], tag: [UInt8]) -> [UInt8]? {
        let secret = ToyCipher.digest(key, 1)
        return ToyCipher.tag(ciphertext, secret) == tag ? ToyCipher.crypt(ciphertext, secret) : nil
    }

    package func sealChunk(key: [UInt8], index: UInt64, isLast: Bool, chunk: [UInt8]) -> [UInt8] {
        let secret = ToyCipher.digest(key, 2) ^ ToyCipher.mix(index * 2 + (isLast ? 1 : 0))
        note(secret, index * 2 + (isLast ? 1 : 0), chunk)
        let ciphertext = ToyCipher.crypt(chunk, secret)
        uses.withLock { if $0.isRecording { $0.recorded[ToyCipher.digest(chunk, 0), default: []].append(ciphertext) } }
        return ciphertext + ToyCipher.tag(ciphertext, secret)
    }

    package func openChunk(key: [UInt8], index: UInt64, isLast: Bool, sealed: [UInt8]) -> [UInt8]? {
        guard sealed.count >= 16 else { return nil }
        let secret = ToyCipher.digest(key, 2) ^ ToyCipher.mix(index * 2 + (isLast ? 1 : 0))
        let ciphertext = Array(sealed.dropLast(16))
        return ToyCipher.tag(ciphertext, secret) == Array(sealed.suffix(16)) ? ToyCipher.crypt(ciphertext, secret) : nil
    }

    func note(_ key: UInt64, _ nonce: UInt64, _ plaintext: [UInt8]) {
        let digest = ToyCipher.digest(plaintext, 3)
        uses.withLock {
            if $0.pairs.updateValue(digest, forKey: Pair(key: key, nonce: nonce)) ?? digest != digest { $0.repeated += 1 }
        }
    }

    /// The UID stands behind the mailbox in a slot's plaintext (ddsnode-spool(5)).
    func record(slot sealed: [UInt8], _ plaintext: [UInt8]) {
        uses.withLock { uses in
            guard uses.isRecording else { return }
            uses.slots[plaintext[8..<16].reduce(0) { $0 << 8 | UInt64($1) }, default: []].append(sealed)
        }
    }
}

private struct TestSegmentCipher: SegmentCipher {
    let key: UInt64
    let sequence: UInt64
    let owner: TestSpoolCipher

    func seal(slot index: Int, _ plaintext: [UInt8]) -> [UInt8] {
        let secret = key ^ ToyCipher.mix(UInt64(index) + 1)
        owner.note(key, UInt64(index), plaintext)
        var sealed = ToyCipher.crypt(plaintext, secret)
        sealed += ToyCipher.tag(sealed, secret ^ sequence)
        owner.record(slot: sealed, plaintext)
        return sealed
    }

    func open(slot index: Int, _ sealed: [UInt8]) -> [UInt8]? {
        guard sealed.count == 128 else { return nil }
        let secret = key ^ ToyCipher.mix(UInt64(index) + 1)
        var ciphertext = sealed
        ciphertext.removeLast(16)
        return ToyCipher.tag(ciphertext, secret ^ sequence) == Array(sealed[112..<128])
            ? ToyCipher.crypt(ciphertext, secret) : nil
    }

    func authenticate(_ message: [UInt8]) -> [UInt8] { ToyCipher.tag(message, key ^ 0x4d41) }
}

private enum ToyCipher {
    static func mix(_ value: UInt64) -> UInt64 {
        var mixed = value &+ 0x9E37_79B9_7F4A_7C15
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    static func append(_ word: UInt64, to bytes: inout [UInt8]) {
        for shift in stride(from: 0, to: 64, by: 8) { bytes.append(UInt8(truncatingIfNeeded: word >> UInt64(shift))) }
    }

    static func digest(_ bytes: [UInt8], _ key: UInt64) -> UInt64 {
        var state = mix(key ^ UInt64(bytes.count))
        let whole = bytes.count & ~7
        var index = 0
        while index < whole {
            var word: UInt64 = 0
            for offset in 0..<8 { word = word << 8 | UInt64(bytes[index &+ offset]) }
            state = (state ^ word) &* 0x9E37_79B9_7F4A_7C15
            state ^= state >> 29
            index &+= 8
        }
        let rest = bytes[whole...].reduce(0 as UInt64) { $0 << 8 | UInt64($1) }
        return mix(state ^ mix(rest))
    }

    static func tag(_ bytes: [UInt8], _ key: UInt64) -> [UInt8] {
        let digest = digest(bytes, key)
        var tag: [UInt8] = []
        tag.reserveCapacity(16)
        append(digest, to: &tag)
        append(mix(digest ^ key), to: &tag)
        return tag
    }

    static func crypt(_ bytes: [UInt8], _ key: UInt64) -> [UInt8] {
        var output = bytes
        var start = 0
        while start < output.count {
            var word = mix(key &+ UInt64(start))
            for index in start..<min(start &+ 8, output.count) {
                output[index] ^= UInt8(truncatingIfNeeded: word)
                word >>= 8
            }
            start &+= 8
        }
        return output
    }
}
