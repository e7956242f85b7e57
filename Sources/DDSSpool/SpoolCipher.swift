// What the spool needs of cryptography, and nothing of how it is done: DDSSeal implements this over libsodium and the
// root key, DDSTorture with a toy that detects every flipped bit. Nothing here is asked to keep state between calls.

/// The keys of one spool: everything that hangs on its root keys. A root has a number, its epoch; there are two while one
/// takes the place of the other, and else one. Values that come out of it are for the disk; keys that it
/// is handed were made by `random` and are used for one body each.
package protocol SpoolCipher: Sendable {
    /// `count` random bytes fit for keys, salts and ids.
    func random(_ count: Int) -> [UInt8]

    /// The keys of the segment `sequence` that was created with `salt` (16 bytes): a 32-byte key derived from the root of
    /// `epoch`, the sequence (64 bits, big-endian) and the salt. The same arguments give the same keys; nil when that root
    /// is not known.
    func segment(epoch: UInt32, sequence: UInt64, salt: [UInt8]) -> (any SegmentCipher)?

    /// A 16-byte MAC of `message` under a key derived from the root of `epoch` for this use only (the files `super` and
    /// `segments`); nil when that root is not known.
    func authenticate(epoch: UInt32, _ message: [UInt8]) -> [UInt8]?

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

/// The keys of one segment under one root. A slot's index is the nonce: no two plaintexts are ever sealed for one index.
package protocol SegmentCipher {
    /// Seals the 112 bytes of slot `index` into 128: nonce is the index, associated data the segment's sequence.
    func seal(slot index: Int, _ plaintext: [UInt8]) -> [UInt8]

    /// The 112 bytes, or nil when the 128 `sealed` ones were not sealed for this slot of this segment.
    func open(slot index: Int, _ sealed: [UInt8]) -> [UInt8]?

    /// A 16-byte MAC of `message` under a key derived from the segment's for this use only (headers and marks). The caller
    /// keeps the kinds of message apart by their first bytes.
    func authenticate(_ message: [UInt8]) -> [UInt8]

    /// Opens a piece of a slot table, 128 bytes a slot, from `firstSlot` on.
    func open(table: [UInt8], firstSlot: Int) -> OpenedTable

    /// Seals those slots of `table` that are open; all others become zeros.
    func seal(_ table: OpenedTable, firstSlot: Int) -> [UInt8]
}

/// A piece of a slot table without its seals.
package struct OpenedTable: Sendable {
    package enum State: UInt8, Sendable {
        case empty
        case open
        /// Neither zero nor authentic.
        case sealed
    }

    /// 112 bytes a slot; meaningful where the slot is open.
    package var plain: [UInt8]
    package var states: [State]

    package init(plain: [UInt8], states: [State]) {
        self.plain = plain
        self.states = states
    }
}

extension SegmentCipher {
    /// Slot by slot; ciphers that can do better do.
    package func open(table: [UInt8], firstSlot: Int) -> OpenedTable {
        let count = table.count / SpoolFormat.slotBytes
        var result = OpenedTable(
            plain: [UInt8](repeating: 0, count: count * SpoolFormat.slotPlainBytes),
            states: [OpenedTable.State](repeating: .empty, count: count))
        for index in 0..<count {
            let start = index * SpoolFormat.slotBytes
            guard !table.isZero(in: start..<start + SpoolFormat.slotBytes) else { continue }
            guard let plain = open(slot: firstSlot + index, Array(table[start..<start + SpoolFormat.slotBytes])) else {
                result.states[index] = .sealed
                continue
            }
            result.states[index] = .open
            let place = index * SpoolFormat.slotPlainBytes
            result.plain.replaceSubrange(place..<place + SpoolFormat.slotPlainBytes, with: plain)
        }
        return result
    }

    package func seal(_ table: OpenedTable, firstSlot: Int) -> [UInt8] {
        var sealed = [UInt8](repeating: 0, count: table.states.count * SpoolFormat.slotBytes)
        for index in table.states.indices where table.states[index] == .open {
            let start = index * SpoolFormat.slotPlainBytes
            let slot = seal(slot: firstSlot + index, Array(table.plain[start..<start + SpoolFormat.slotPlainBytes]))
            sealed.replaceSubrange(index * SpoolFormat.slotBytes..<(index + 1) * SpoolFormat.slotBytes, with: slot)
        }
        return sealed
    }
}
