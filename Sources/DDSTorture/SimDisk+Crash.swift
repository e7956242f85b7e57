// What is on the medium, as against what a running process reads; and what of the rest survives when the machine stops:
// of every sector any of its successive contents, of every change of names any subset.

/// A change of a name that is not durable yet. It carries the file, because a rename may reach the medium without the
/// creation before it.
enum SimNameChange {
    case create(String, SimFile)
    case rename(String, String, SimFile)
    case remove(String)

    func apply(to names: inout [String: SimFile]) {
        switch self {
        case .create(let name, let file): names[name] = file
        case .rename(let name, let newName, let file):
            if names[name] === file { names[name] = nil }
            names[newName] = file
        case .remove(let name): names[name] = nil
        }
    }
}

/// One file: what reads show, what is on the medium, and the writes in between.
final class SimFile {
    static let sectorBytes = 512

    private(set) var view: [UInt8] = []
    private(set) var durable: [UInt8] = []
    private var pending: [(offset: Int, bytes: [UInt8])] = []
    /// A sync has failed: reads show sectors that will never be written unless they are changed again.
    private var isDiverged = false

    private static let headers = [0, 2048]

    /// What was written last is neither a header of a segment nor zeros.
    var isLastWriteOfRecords: Bool {
        pending.last.map { !Self.headers.contains($0.offset) && $0.bytes.contains { $0 != 0 } } ?? false
    }

    init() {}

    init(durable: [UInt8]) {
        self.durable = durable
        view = durable
    }

    func write(at offset: Int, _ bytes: [UInt8]) {
        Self.apply(bytes[...], at: offset, to: &view)
        pending.append((offset, bytes))
    }

    func sync() {
        if isDiverged {
            // The rest of a sector that is written again goes with it, as it stands in the cache.
            for write in pending {
                let start = write.offset / Self.sectorBytes * Self.sectorBytes
                let last = write.offset + write.bytes.count + Self.sectorBytes - 1
                let end = min(last / Self.sectorBytes * Self.sectorBytes, view.count)
                if start < end { Self.apply(view[start..<end], at: start, to: &durable) }
            }
        } else {
            for write in pending { Self.apply(write.bytes[...], at: write.offset, to: &durable) }
        }
        pending = []
    }

    /// The system reports the error once, forgets which pages were dirty and goes on showing them.
    func failSync(_ random: SeededRandom) {
        durable = survivor(random)
        pending = []
        isDiverged = true
    }

    /// What is on the medium after a stop: every sector holds what it held before or after some write to it.
    func survivor(_ random: SeededRandom) -> [UInt8] {
        if pending.isEmpty { return durable }
        let mode = random.below(4)
        if mode == 0 { return durable }
        var image = durable
        var frozen: Set<Int> = []
        for (offset, bytes) in pending {
            var start = 0
            while start < bytes.count {
                let sector = (offset + start) / Self.sectorBytes
                let end = min(bytes.count, (sector + 1) * Self.sectorBytes - offset)
                if mode != 1, random.below(3) == 0 { frozen.insert(sector) }
                if !frozen.contains(sector) { Self.apply(bytes[start..<end], at: offset + start, to: &image) }
                start = end
            }
        }
        return image
    }

    func flip(bit: Int, at offset: Int) {
        durable[offset] ^= 1 << UInt8(bit)
        view[offset] ^= 1 << UInt8(bit)
    }

    private static func apply(_ bytes: ArraySlice<UInt8>, at offset: Int, to image: inout [UInt8]) {
        if image.count < offset + bytes.count {
            image += [UInt8](repeating: 0, count: offset + bytes.count - image.count)
        }
        image.replaceSubrange(offset..<offset + bytes.count, with: bytes)
    }
}

extension SimDisk {
    /// The disk as the machine finds it after it stopped at this moment. This one is not used any more.
    package func crashed() -> SimDisk {
        var survivors = durableNames
        let mode = random.below(4)
        for change in pendingNames where mode == 1 || (mode > 1 && random.below(2) == 0) { change.apply(to: &survivors) }
        let files = survivors.mapValues { SimFile(durable: $0.survivor(random)) }
        return SimDisk(names: files, durableNames: files, pending: [], random: random)
    }

    /// The disk as the next process finds it when only the process ended: with the system's cache, and without the lock.
    package func restarted() -> SimDisk {
        SimDisk(names: names, durableNames: durableNames, pending: pendingNames, random: random)
    }

    /// A copy of what is on the medium, for a test that tries several things on it.
    package func copy(seed: UInt64) -> SimDisk {
        let files = durableNames.mapValues { SimFile(durable: $0.durable) }
        return SimDisk(names: files, durableNames: files, pending: [], random: SeededRandom(seed: seed))
    }

    /// Every file on the medium.
    package var durableContents: [String: [UInt8]] { durableNames.mapValues(\.durable) }

    /// Flips one bit on the medium.
    package func flip(bit: Int, at offset: Int, of name: String) {
        names[name]?.flip(bit: bit, at: offset)
    }

    /// Where `needle` begins in a file of the medium.
    package func durableOffsets(of needle: [UInt8], in name: String) -> [Int] {
        guard let first = needle.first, let image = durableNames[name]?.durable, image.count >= needle.count else { return [] }
        return (0...image.count - needle.count).filter { image[$0] == first && image[$0...].starts(with: needle) }
    }

    /// True when any of `needles` is on the medium at a multiple of its length.
    package func durablyContains(alignedAnyOf needles: [[UInt8]]) -> Bool {
        for image in durableNames.values.map(\.durable) {
            for needle in needles {
                for offset in stride(from: 0, through: image.count - needle.count, by: needle.count)
                where image[offset] == needle[0] && image[offset...].starts(with: needle) {
                    return true
                }
            }
        }
        return false
    }

    /// True when `needle` is anywhere on the medium.
    package func durablyContains(_ needle: [UInt8]) -> Bool { durablyContains(anyOf: [needle]) }

    /// True when any of `needles`, of at least two bytes each, is anywhere on the medium.
    package func durablyContains(anyOf needles: [[UInt8]]) -> Bool {
        // Nearly every place is ruled out by its first two bytes.
        var starts = [UInt64](repeating: 0, count: 1 << 10)
        for needle in needles { starts[Int(needle[0]) << 2 | Int(needle[1] >> 6)] |= 1 << UInt64(needle[1] & 63) }
        for image in durableNames.values.map(\.durable) where image.count >= 2 {
            var start = Int(image[0])
            for index in 1..<image.count {
                start = (start << 8 | Int(image[index])) & 0xffff
                guard starts[start >> 6] >> UInt64(start & 63) & 1 != 0 else { continue }
                for needle in needles where image[(index - 1)...].starts(with: needle) { return true }
            }
        }
        return false
    }
}
