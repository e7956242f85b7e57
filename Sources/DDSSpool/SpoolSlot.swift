// The 112 bytes that a slot seals: where a record is, whose it is, and the only copy of the key of its body.

import DDSCore

enum SlotKind: UInt8 {
    case record = 1
    case payload = 2
    case delivery = 3
}

/// What the index keeps of a slot: everything but the key.
struct SlotMeta: Hashable {
    var mailbox: UInt64
    var uid: UInt64
    /// Offset in the segment's body area; of a big file 0.
    var offset: UInt32
    /// Octets of the body before encryption, which does not change them.
    var length: UInt32
    /// Of a delivery the payload's UID, of a big record or payload the big file's id, else 0.
    var reference: UInt64
    var tag: RecordTag
    var flags: UInt16
    var day: UInt16
    var kind: SlotKind
    var isBig: Bool

    /// What the body takes of a segment, nearly: headers of deliveries are packed.
    var room: Int { kind == .delivery ? Int(length) : SpoolFormat.aligned(bodyRange.count) }

    var bodyRange: Range<Int> { isBig ? 0..<0 : Int(offset)..<Int(offset) + Int(length) }
}

struct SpoolSlot: Hashable {
    private static let bigFlag: UInt8 = 0x80
    static let commitMax: UInt64 = (1 << 56) - 1

    var meta: SlotMeta
    /// Number of the atomic set that the record was appended in, how many slots the set has and which of them this is.
    var commit: UInt64
    var setSize: UInt16
    var position: UInt16
    var key: [UInt8]
    var bodyTag: [UInt8]

    /// The 112 bytes to be sealed.
    func encoded() -> [UInt8] {
        var plain: [UInt8] = []
        plain.reserveCapacity(SpoolFormat.slotPlainBytes)
        plain.appendNumber(meta.mailbox, bytes: 8)
        plain.appendNumber(meta.uid, bytes: 8)
        plain.appendNumber(UInt64(meta.offset), bytes: 4)
        plain.appendNumber(UInt64(meta.length), bytes: 4)
        plain.append(meta.kind.rawValue | (meta.isBig ? Self.bigFlag : 0))
        plain.appendNumber(commit, bytes: 7)
        plain.appendNumber(UInt64(meta.day), bytes: 2)
        plain.appendNumber(UInt64(meta.flags), bytes: 2)
        plain.appendNumber(meta.reference, bytes: 8)
        plain += key
        plain += bodyTag
        plain.appendNumber(meta.tag.high, bytes: 8)
        plain.appendNumber(meta.tag.low, bytes: 8)
        plain.appendNumber(UInt64(setSize), bytes: 2)
        plain.appendNumber(UInt64(position), bytes: 2)
        assert(plain.count == SpoolFormat.slotPlainBytes)
        return plain
    }

    init(meta: SlotMeta, commit: UInt64, setSize: UInt16, position: UInt16, key: [UInt8], bodyTag: [UInt8]) {
        self.meta = meta
        self.commit = commit
        self.setSize = setSize
        self.position = position
        self.key = key
        self.bodyTag = bodyTag
    }

    /// Nil when the plaintext, though authentic, names what a segment with these parameters cannot hold.
    init?(_ plain: [UInt8], _ parameters: SpoolParameters) {
        guard let (meta, commit) = Self.index(plain, at: 0, parameters) else { return nil }
        self.init(meta, commit, plain, at: 0)
    }

    /// The rest of what `index` gave.
    init(_ meta: SlotMeta, _ commit: UInt64, _ plain: [UInt8], at start: Int) {
        self.meta = meta
        self.commit = commit
        key = Array(plain[start + 44..<start + 76])
        bodyTag = Array(plain[start + 76..<start + 92])
        setSize = UInt16(plain.number(at: start + 108, bytes: 2))
        position = UInt16(plain.number(at: start + 110, bytes: 2))
    }

    /// What the index wants of a slot, without a copy of its key.
    static func index(_ plain: [UInt8], at start: Int, _ parameters: SpoolParameters) -> (meta: SlotMeta, commit: UInt64)? {
        guard plain.count >= start + SpoolFormat.slotPlainBytes, let kind = SlotKind(rawValue: plain[start + 24] & ~bigFlag),
            plain.number(at: start + 110, bytes: 2) < plain.number(at: start + 108, bytes: 2)
        else { return nil }
        let meta = SlotMeta(
            mailbox: plain.number(at: start, bytes: 8), uid: plain.number(at: start + 8, bytes: 8),
            offset: UInt32(plain.number(at: start + 16, bytes: 4)), length: UInt32(plain.number(at: start + 20, bytes: 4)),
            reference: plain.number(at: start + 36, bytes: 8),
            tag: RecordTag(high: plain.number(at: start + 92, bytes: 8), low: plain.number(at: start + 100, bytes: 8)),
            flags: UInt16(plain.number(at: start + 34, bytes: 2)), day: UInt16(plain.number(at: start + 32, bytes: 2)),
            kind: kind,
            isBig: plain[start + 24] & bigFlag != 0)
        guard meta.bodyRange.upperBound <= parameters.bodyBytes else { return nil }
        return (meta, plain.number(at: start + 25, bytes: 7))
    }
}
