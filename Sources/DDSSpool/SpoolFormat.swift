// The numbers of format DDSPOOL1: sizes, places and names. ddsnode-spool(5) is the specification; nothing here does I/O.

/// What is fixed when a spool is created and stored in its `super` file.
package struct SpoolParameters: Hashable, Sendable {
    /// Slots of a segment, a multiple of 4, at most 65,536: a UID has 16 bits for the slot.
    package var slots: Int
    /// Bytes of a segment's body area, a multiple of 512.
    package var bodyBytes: Int
    /// Longer bodies go to a file of their own.
    package var bigThreshold: Int
    /// Plaintext bytes of a chunk of a big file.
    package var chunkBytes: Int

    /// Parameters for segments with `segmentBytes` of bodies (by default 64 MiB): one slot per KiB, big files above 1 MiB or
    /// a quarter of the segment.
    package init(segmentBytes: Int = 64 << 20) {
        bodyBytes = max(segmentBytes / 512 * 512, 64 << 10)
        slots = min(max(bodyBytes / 1024, 1024), 65_536) / 4 * 4
        bigThreshold = min(1 << 20, bodyBytes / 4)
        chunkBytes = 64 << 10
    }

    package init(slots: Int, bodyBytes: Int, bigThreshold: Int, chunkBytes: Int) {
        self.slots = slots
        self.bodyBytes = bodyBytes
        self.bigThreshold = bigThreshold
        self.chunkBytes = chunkBytes
    }

    /// False for numbers that no segment can have.
    package var areValid: Bool {
        (4...65_536).contains(slots) && slots % 4 == 0
            && (512...(2 << 30)).contains(bodyBytes) && bodyBytes % 512 == 0
            && (1...bodyBytes).contains(bigThreshold) && (1...(1 << 20)).contains(chunkBytes)
    }

    var bodyStart: Int { SpoolFormat.headerBytes + slots * SpoolFormat.slotBytes }
    var fileBytes: Int { bodyStart + bodyBytes }
}

package enum SpoolFormat {
    static let version: UInt32 = 1
    static let sectorBytes = 512
    static let headerBytes = 4096
    /// A slot as it is on the disk, and what it seals.
    package static let slotBytes = 128
    package static let slotPlainBytes = 112
    static let headerOffsets = [0, 2048]
    static let markOffsets = [1024, 3072]
    static let superName = "super"
    static let segmentListName = "segments"

    static func slotOffset(_ slot: Int) -> Int { headerBytes + slot * slotBytes }

    static func aligned(_ offset: Int) -> Int { (offset + sectorBytes - 1) / sectorBytes * sectorBytes }
}

/// What a file name in the spool's folder says.
enum SpoolFileName: Hashable {
    /// `seg-<16 hex>`: a segment. `seg-<16 hex>.tmp`: one that is being prepared and holds nothing.
    case segment(UInt64, isTemporary: Bool)
    /// `big-<16 hex>`: a body too long for a segment. With `.tmp`: one that is being written, in no slot yet.
    case big(UInt64, isTemporary: Bool)

    init?(_ text: String) {
        let isTemporary = text.hasSuffix(".tmp")
        let stem = isTemporary ? text.dropLast(4) : text[...]
        let digits = stem.dropFirst(4)
        guard digits.utf8.count == 16, let number = UInt64(digits, radix: 16), Self.hex(number) == digits else { return nil }
        switch stem.prefix(4) {
        case "seg-": self = .segment(number, isTemporary: isTemporary)
        case "big-": self = .big(number, isTemporary: isTemporary)
        default: return nil
        }
    }

    var text: String {
        switch self {
        case .segment(let sequence, let isTemporary): "seg-" + Self.hex(sequence) + (isTemporary ? ".tmp" : "")
        case .big(let id, let isTemporary): "big-" + Self.hex(id) + (isTemporary ? ".tmp" : "")
        }
    }

    static func hex(_ number: UInt64) -> String {
        let digits = String(number, radix: 16)
        return String(repeating: "0", count: 16 - digits.utf8.count) + digits
    }
}

extension [UInt8] {
    /// Appends the low `count` bytes of `number`, most significant first.
    mutating func appendNumber(_ number: UInt64, bytes count: Int) {
        for index in 0..<count { append(UInt8(truncatingIfNeeded: number >> UInt64(8 * (count - 1 - index)))) }
    }

    /// The big-endian number in `count` bytes at `offset`.
    func number(at offset: Int, bytes count: Int) -> UInt64 {
        var value: UInt64 = 0
        for index in offset..<offset + count { value = value << 8 | UInt64(self[index]) }
        return value
    }

    func isZero(in range: Range<Int>) -> Bool {
        for index in range where self[index] != 0 { return false }
        return true
    }
}
