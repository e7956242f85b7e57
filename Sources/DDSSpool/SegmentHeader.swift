// The header page of a segment: who it is (two copies) and the marks that say which commits are durable (two sectors,
// written in turn). Decides validity only; what a mark means for a slot is decided in recovery.

struct SegmentHeader: Hashable {
    static let magic = Array("DDSPSEG1".utf8)
    private static let plainBytes = 64
    static let bytes = 80

    var sequence: UInt64
    var uuid: [UInt8]
    var salt: [UInt8]
    var rootEpoch: UInt32
    var createdDay: UInt32

    func encoded(_ cipher: any SegmentCipher) -> [UInt8] {
        var copy = Self.magic
        copy.appendNumber(UInt64(SpoolFormat.version), bytes: 4)
        copy.appendNumber(0, bytes: 4)
        copy.appendNumber(sequence, bytes: 8)
        copy += uuid
        copy += salt
        copy.appendNumber(UInt64(rootEpoch), bytes: 4)
        copy.appendNumber(UInt64(createdDay), bytes: 4)
        assert(copy.count == Self.plainBytes)
        return copy + cipher.authenticate(copy)
    }

    /// What one copy says, whether or not it is to be believed.
    enum Reading {
        case valid(SegmentHeader, any SegmentCipher)
        case newerVersion(Int)
        /// Not authentic; the spool it names.
        case invalid(uuid: [UInt8]?)
    }

    static func decode(_ page: [UInt8], at start: Int, _ cipher: any SpoolCipher) -> Reading {
        guard start + bytes <= page.count, Array(page[start..<start + 8]) == magic else { return .invalid(uuid: nil) }
        let plain = Array(page[start..<start + plainBytes])
        let uuid = Array(plain[24..<40])
        let version = Int(plain.number(at: 8, bytes: 4))
        guard version <= Int(SpoolFormat.version) else { return .newerVersion(version) }
        let header = SegmentHeader(
            sequence: plain.number(at: 16, bytes: 8), uuid: uuid, salt: Array(plain[40..<56]),
            rootEpoch: UInt32(plain.number(at: 56, bytes: 4)), createdDay: UInt32(plain.number(at: 60, bytes: 4)))
        guard let keys = cipher.segment(epoch: header.rootEpoch, sequence: header.sequence, salt: header.salt),
            keys.authenticate(plain) == Array(page[start + plainBytes..<start + bytes])
        else { return .invalid(uuid: uuid) }
        return .valid(header, keys)
    }
}

/// One mark sector: every commit up to `durableThrough` was durable before the mark was written.
struct SegmentMark: Hashable {
    static let magic = Array("DDSPMARK".utf8)
    private static let plainBytes = 36
    private static let cleanFlag: UInt64 = 1

    /// Grows with every mark of the spool, whichever segment holds it.
    var counter: UInt64
    var durableThrough: UInt64
    /// The spool was closed in order after this mark, with nothing left to overwrite.
    var isClean: Bool

    /// The 512 bytes of the sector.
    func encoded(sequence: UInt64, _ cipher: any SegmentCipher) -> [UInt8] {
        var sector = Self.magic
        sector.appendNumber(sequence, bytes: 8)
        sector.appendNumber(counter, bytes: 8)
        sector.appendNumber(durableThrough, bytes: 8)
        sector.appendNumber(isClean ? Self.cleanFlag : 0, bytes: 4)
        assert(sector.count == Self.plainBytes)
        sector += cipher.authenticate(sector)
        return sector + [UInt8](repeating: 0, count: SpoolFormat.sectorBytes - sector.count)
    }

    static func decode(_ page: [UInt8], at start: Int, sequence: UInt64, _ cipher: any SegmentCipher) -> SegmentMark? {
        guard start + SpoolFormat.sectorBytes <= page.count, Array(page[start..<start + 8]) == magic else { return nil }
        let plain = Array(page[start..<start + plainBytes])
        guard plain.number(at: 8, bytes: 8) == sequence,
            cipher.authenticate(plain) == Array(page[start + plainBytes..<start + plainBytes + 16])
        else { return nil }
        return SegmentMark(
            counter: plain.number(at: 16, bytes: 8), durableThrough: plain.number(at: 24, bytes: 8),
            isClean: plain.number(at: 32, bytes: 4) & cleanFlag != 0)
    }
}
