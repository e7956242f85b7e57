// The long part of making a segment: zeros on a file that nobody else touches. It needs nothing of the log, so a thread of its
// own may do it while the log's commits go on; when a segment is made, and what follows the zeros, SpoolLog says.

package import DDSCore

/// Zeros for a file, a piece at a time, so that no sync has more than a piece to write.
package struct SpoolZeroing: Hashable, Sendable {
    package static let pieceBytes = 1 << 20

    package let name: String
    /// Everything before it is zero on stable storage already.
    package let range: Range<Int>

    package init(name: String, range: Range<Int>) {
        self.name = name
        self.range = range
    }

    /// Syncs of a `run`.
    package var syncs: Int { (range.count + Self.pieceBytes - 1) / Self.pieceBytes }

    /// Does it, on `disk`, which shows the same folder as the log's and is another one when this is another thread.
    package func run(on disk: any Disk) throws(DiskError) {
        let file = try disk.open(name)
        defer { disk.close(file) }
        let zeros = [UInt8](repeating: 0, count: min(Self.pieceBytes, range.count))
        for start in stride(from: range.lowerBound, to: range.upperBound, by: Self.pieceBytes) {
            let count = min(Self.pieceBytes, range.upperBound - start)
            try disk.write(file, at: start, count == zeros.count ? zeros : Array(zeros[..<count]))
            try disk.sync(file)
        }
    }
}

/// Zeros that somebody else is writing.
package protocol SpoolAside: Sendable {
    /// Nil until it is over.
    var outcome: Result<Void, DiskError>? { get }
    /// Blocks until it is over.
    func wait() -> Result<Void, DiskError>
}
