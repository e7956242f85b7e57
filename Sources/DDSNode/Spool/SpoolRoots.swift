// The file `spool.roots`: which root the spool hangs on, and during a change the next one, sealed under a key of the caller.
// How it is replaced, and how the former content is destroyed, is ErasingFile's.

package import DDSCore
package import DDSSeal

/// The roots of one spool, as they are on the disk. Used by one thread.
package final class SpoolRoots {
    package static let fileName = "spool.roots"
    private static let binding = Array("ddsnode/v1/spool-roots".utf8)
    private static let rootBytes = 32
    private static let version: UInt8 = 1
    /// Version, then twice epoch, day and root. The second root is zero while there is none, so that no one sees from the
    /// length whether a change is under way.
    private static let plainBytes = 1 + 2 * (4 + 8 + rootBytes)

    package struct Root: Sendable {
        package var epoch: UInt32
        /// When it was made. Everything that was erased before is at E3 once the root before it is destroyed.
        package var made: WallTime
        package var key: SecretBytes
    }

    package enum Problem: Error, Hashable, Sendable {
        case missing
        /// The key is another one's, or the file is damaged.
        case doesNotOpen
        case newerVersion(Int)
        case disk(DiskError)
    }

    private let disk: any Disk
    private let wrap: SecretBytes
    private let random: any RandomSource
    package private(set) var current: Root
    package private(set) var next: Root?

    /// Writes a new file with a new root of epoch 1. There must be none.
    package init(creatingOn disk: any Disk, wrap: SecretBytes, random: any RandomSource, time: any TimeSource) throws(DiskError)
    {
        self.disk = disk
        self.wrap = wrap
        self.random = random
        current = Root(epoch: 1, made: time.wall, key: .random(Self.rootBytes))
        guard try !disk.list().contains(Self.fileName) else {
            throw DiskError(.exists, operation: "create \(Self.fileName)", detail: "file exists")
        }
        try store()
    }

    /// Reads the file. Changes nothing; what an interrupted replacement left is seen to by `tidy`.
    package init(openingOn disk: any Disk, wrap: SecretBytes, random: any RandomSource) throws(Problem) {
        self.disk = disk
        self.wrap = wrap
        self.random = random
        let sealed: [UInt8]
        do throws(DiskError) {
            sealed = try ErasingFile(Self.fileName, on: disk).contents()
        } catch {
            throw error.kind == .notFound ? .missing : .disk(error)
        }
        guard var plain = SealedStoreBox.open(sealed, key: wrap, associated: Self.binding) else { throw .doesNotOpen }
        defer { Wipe.zero(&plain) }
        guard let version = plain.first, version == Self.version else { throw .newerVersion(Int(plain.first ?? 0)) }
        guard plain.count == Self.plainBytes, let root = Self.root(plain, at: 1) else { throw .doesNotOpen }
        current = root
        next = Self.root(plain, at: 1 + (Self.plainBytes - 1) / 2)
    }

    /// Finishes what a stop has interrupted: destroys former content and parts of new content.
    package func tidy() throws(DiskError) { try ErasingFile(Self.fileName, on: disk).tidy() }

    /// Makes the next root; it is durable when this returns.
    package func begin(time: any TimeSource) throws(DiskError) -> Root {
        precondition(next == nil, "one change of the root at a time")
        let root = Root(epoch: current.epoch + 1, made: time.wall, key: .random(Self.rootBytes))
        next = root
        do { try store() } catch {
            next = nil
            throw error
        }
        return root
    }

    /// The next root becomes the present one, and nothing on the disk holds the former any more.
    package func finish() throws(DiskError) {
        guard let root = next else { return }
        current = root
        next = nil
        try store()
    }

    private func store() throws(DiskError) {
        var plain: [UInt8] = [Self.version]
        Self.append(current, to: &plain)
        if let next {
            Self.append(next, to: &plain)
        } else {
            plain += [UInt8](repeating: 0, count: Self.plainBytes - plain.count)
        }
        defer { Wipe.zero(&plain) }
        try ErasingFile(Self.fileName, on: disk).store(
            SealedStoreBox.seal(plain, key: wrap, associated: Self.binding, random: random))
    }

    private static func append(_ root: Root, to plain: inout [UInt8]) {
        for shift in stride(from: 24, through: 0, by: -8) {
            plain.append(UInt8(truncatingIfNeeded: root.epoch >> UInt32(shift)))
        }
        for shift in stride(from: 56, through: 0, by: -8) {
            plain.append(UInt8(truncatingIfNeeded: root.made.milliseconds >> Int64(shift)))
        }
        root.key.withExposed { plain += $0 }
    }

    private static func root(_ plain: [UInt8], at start: Int) -> Root? {
        let epoch = plain[start..<start + 4].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        let made = plain[start + 4..<start + 12].reduce(Int64(0)) { $0 << 8 | Int64($1) }
        guard epoch > 0 else { return nil }
        var key = Array(plain[start + 12..<start + 12 + rootBytes])
        return Root(epoch: epoch, made: WallTime(milliseconds: made), key: SecretBytes(consuming: &key))
    }
}
