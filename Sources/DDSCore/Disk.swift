// The one seam between whoever keeps state and the file system. The program's disk is in DDSLoop, the simulated one
// (torn sectors, lost writes, crashes at the n-th operation) in DDSTorture.

/// A handle of an open file on a `Disk`.
package struct DiskFile: Hashable, Sendable {
    package var rawValue: Int32

    package init(rawValue: Int32) {
        self.rawValue = rawValue
    }
}

/// Why a disk operation failed. A failed write or sync is never retried: what is on the medium is unknown until it is read again.
package struct DiskError: Error, Hashable, Sendable, CustomStringConvertible {
    package enum Kind: Hashable, Sendable {
        case notFound
        case exists
        case full
        case permission
        /// The file system is mounted without writing.
        case readOnly
        /// Another process holds the lock.
        case locked
        /// Anything else: EIO, EROFS, a short write...
        case inputOutput
        /// The simulated machine has stopped; nothing more happens on this disk.
        case crashed
    }

    package var kind: Kind
    /// The operation and the file name within the disk's folder.
    package var operation: String
    /// The system's own words.
    package var detail: String

    package init(_ kind: Kind, operation: String, detail: String) {
        self.kind = kind
        self.operation = operation
        self.detail = detail
    }

    package var description: String { "\(operation): \(detail)" }
}

/// Synchronous file operations inside one folder, called from one thread at a time and never from the loop's.
/// File names are single path components.
package protocol Disk: AnyObject {
    /// Names of the files in the folder, in no order.
    func list() throws(DiskError) -> [String]
    /// Opens an existing file for reading and writing.
    func open(_ name: String) throws(DiskError) -> DiskFile
    /// Creates a file (mode 0600) that must not exist yet. Its name is durable only after `syncFolder`.
    func create(_ name: String) throws(DiskError) -> DiskFile
    func close(_ file: DiskFile)
    /// The file's length in bytes.
    func size(_ file: DiskFile) throws(DiskError) -> Int
    /// Reads exactly `count` bytes, or fewer only where the file ends.
    func read(_ file: DiskFile, at offset: Int, count: Int) throws(DiskError) -> [UInt8]
    /// Writes all bytes, growing the file as needed. Durable only after `sync`.
    func write(_ file: DiskFile, at offset: Int, _ bytes: [UInt8]) throws(DiskError)
    /// A hint that these bytes will be synced soon and may go to the medium now. Promises nothing.
    func startWriting(_ file: DiskFile, _ range: Range<Int>)
    /// Makes all earlier writes of this file durable (fdatasync).
    func sync(_ file: DiskFile) throws(DiskError)
    /// Makes creations, renames and removals in the folder durable (fsync of the directory).
    func syncFolder() throws(DiskError)
    /// Renames over whatever has the new name.
    func rename(_ name: String, to newName: String) throws(DiskError)
    func remove(_ name: String) throws(DiskError)
    /// Takes the folder's lock for this process until `unlock`; `.locked` when another has it.
    func lock() throws(DiskError)
    func unlock()
    /// Free bytes for unprivileged writers, for status and for refusing mail in time.
    func freeBytes() throws(DiskError) -> Int
}

extension Disk {
    package func startWriting(_ file: DiskFile, _ range: Range<Int>) {}

    /// The whole of a small file.
    package func contents(of name: String) throws(DiskError) -> [UInt8] {
        let file = try open(name)
        defer { close(file) }
        return try read(file, at: 0, count: size(file))
    }

    /// Replaces or creates a small file so that after a crash it holds either the old or the new content: temporary file,
    /// sync, rename, sync of the folder.
    package func replace(_ name: String, with bytes: [UInt8]) throws(DiskError) {
        let temporary = name + ".tmp"
        if try list().contains(temporary) { try remove(temporary) }
        let file = try create(temporary)
        do {
            try write(file, at: 0, bytes)
            try sync(file)
        } catch {
            close(file)
            throw error
        }
        close(file)
        try rename(temporary, to: name)
        try syncFolder()
    }
}
