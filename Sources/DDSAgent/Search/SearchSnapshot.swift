// The parts of the search index on the disk, so that an unlock need not read every message: each sealed under a key of the
// vault's, bound to its number and to how words are cut. A snapshot is never needed: what does not open is made anew.

import DDSCore
import DDSLock
import DDSSeal
import DDSSearch

/// One folder. May be used on any thread but the loop's.
final class SearchSnapshot: Sendable {
    private static let prefix = "part-"

    private let disk: Lock<any Disk>
    private let key: SecretBytes
    private let random: any RandomSource

    init(disk: sending any Disk, storeKey: SecretBytes, random: any RandomSource) {
        self.disk = Lock(disk)
        var derived = Hash.blake2b(Array("ddsnode/v1/search".utf8), key: storeKey, count: 32)
        key = SecretBytes(consuming: &derived)
        self.random = random
    }

    private static func binding(_ part: Int) -> [UInt8] { Array("ddsnode/v1/search\0\(SearchIndex.version)\0\(part)".utf8) }

    private static func number(_ name: String) -> Int? {
        guard name.hasPrefix(prefix), let number = Int(name.dropFirst(prefix.count)), name == prefix + "\(number)" else {
            return nil
        }
        return number
    }

    /// Puts every part that opens into `index`. What does not, and whatever else lies in the folder, is removed; returns the names
    /// of parts that were lost that way, each with the reason.
    func load(into index: SearchIndex) throws(DiskError) -> [(name: String, why: String)] {
        var lost: [(name: String, why: String)] = []
        for name in try use({ disk throws(DiskError) in try disk.list() }).sorted() {
            guard let part = Self.number(name) else {
                // Left by a crash while it was being written.
                try use { disk throws(DiskError) in try disk.remove(name) }
                continue
            }
            var why = "it does not open under this vault's key, or was made by another version"
            let box = try use { disk throws(DiskError) in try disk.contents(of: name) }
            if var image = SealedStoreBox.open(box, key: key, associated: Self.binding(part)) {
                defer { Wipe.zero(&image) }
                do throws(SearchError) {
                    try index.load(image, part: part)
                    continue
                } catch {
                    why = "\(error)"
                }
            }
            lost.append((name, why))
            try use { disk throws(DiskError) in try disk.remove(name) }
        }
        return lost
    }

    /// Writes the part anew, or takes it away when nothing is in it any more. What was there before is overwritten once the new
    /// part is durable: words of removed mail were in it.
    func save(part: Int, of index: SearchIndex) throws(Failure) {
        let name = Self.prefix + "\(part)"
        do {
            guard var image = try index.image(part: part) else { return try erase(name) }
            let box = SealedStoreBox.seal(image, key: key, associated: Self.binding(part), random: random)
            Wipe.zero(&image)
            try use { disk throws(DiskError) in
                let old = try disk.list().contains(name) ? try disk.open(name) : nil
                defer { if let old { disk.close(old) } }
                try disk.replace(name, with: box)
                if let old { try Self.zero(old, on: disk) }
            }
        } catch {
            throw Failure(.inputOutput, "the search index cannot be written: \(error)")
        }
    }

    private func erase(_ name: String) throws(DiskError) {
        try use { disk throws(DiskError) in
            guard try disk.list().contains(name) else { return }
            let old = try disk.open(name)
            defer { disk.close(old) }
            try disk.remove(name)
            try disk.syncFolder()
            try Self.zero(old, on: disk)
        }
    }

    private static func zero(_ file: DiskFile, on disk: any Disk) throws(DiskError) {
        try disk.write(file, at: 0, [UInt8](repeating: 0, count: try disk.size(file)))
        try disk.sync(file)
    }

    private func use<Value: Sendable>(_ work: (any Disk) throws(DiskError) -> Value) throws(DiskError) -> Value {
        let result = disk.withLock { disk -> Result<Value, DiskError> in
            do throws(DiskError) {
                return .success(try work(disk))
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }
}
