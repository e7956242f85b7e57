// The `Disk` of the operating system: one folder, reached by descriptor so that nobody can swap it under us. It retries
// interrupted calls and nothing else.

import CUV
package import DDSCore
import Glibc

/// One folder of the file system. Not thread safe; belongs on a `WriterThread`.
package final class PosixDisk: Disk {
    /// The file whose advisory lock `lock` takes. It is no part of `list`.
    private static let lockName = "LOCK"

    private let folder: Int32
    private let path: String
    private var lockDescriptor: Int32?

    /// Opens the folder, or creates it (mode 0700, its parent must exist) when `createFolder` is true and it is missing.
    package init(path: String, createFolder: Bool) throws(DiskError) {
        if createFolder, unsafe mkdir(path, 0o700) != 0, errno != EEXIST {
            throw DiskError(errno: errno, operation: "create folder \(path)")
        }
        self.path = path
        folder = try SystemCall.check("open folder \(path)") {
            unsafe Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW)
        }
    }

    deinit {
        unlock()
        Glibc.close(folder)
    }

    package func list() throws(DiskError) -> [String] {
        try FolderListing.names(in: folder, operation: "list \(path)").filter { $0 != Self.lockName }
    }

    package func open(_ name: String) throws(DiskError) -> DiskFile {
        try open(name, "open", flags: O_RDWR)
    }

    package func create(_ name: String) throws(DiskError) -> DiskFile {
        try open(name, "create", flags: O_RDWR | O_CREAT | O_EXCL)
    }

    private func open(_ name: String, _ verb: String, flags: Int32) throws(DiskError) -> DiskFile {
        checkName(name)
        let descriptor = try SystemCall.check("\(verb) \(name)") {
            unsafe openat(folder, name, flags | O_CLOEXEC | O_NOFOLLOW, 0o600)
        }
        return DiskFile(rawValue: descriptor)
    }

    package func close(_ file: DiskFile) {
        // What mattered was synced; close(2) reports nothing that could still be acted on.
        Glibc.close(file.rawValue)
    }

    package func size(_ file: DiskFile) throws(DiskError) -> Int {
        var status = stat()
        try SystemCall.check("size of \(file)") { unsafe fstat(file.rawValue, &status) }
        return status.st_size
    }

    package func read(_ file: DiskFile, at offset: Int, count: Int) throws(DiskError) -> [UInt8] {
        try SystemCall.read(file.rawValue, at: offset, count: count, operation: "read \(file)")
    }

    package func write(_ file: DiskFile, at offset: Int, _ bytes: [UInt8]) throws(DiskError) {
        try SystemCall.write(file.rawValue, at: offset, bytes, operation: "write \(file)")
    }

    package func startWriting(_ file: DiskFile, _ range: Range<Int>) {
        // Where a file system knows no such thing, the sync does it all.
        _ = dds_start_writing(file.rawValue, range.lowerBound, range.count)
    }

    package func sync(_ file: DiskFile) throws(DiskError) {
        try SystemCall.check("sync \(file)") { fdatasync(file.rawValue) }
    }

    package func syncFolder() throws(DiskError) {
        try SystemCall.check("sync folder \(path)") { fsync(folder) }
    }

    package func rename(_ name: String, to newName: String) throws(DiskError) {
        checkName(name)
        checkName(newName)
        try SystemCall.check("rename \(name) to \(newName)") { unsafe renameat(folder, name, folder, newName) }
    }

    package func remove(_ name: String) throws(DiskError) {
        checkName(name)
        try SystemCall.check("remove \(name)") { unsafe unlinkat(folder, name, 0) }
    }

    package func lock() throws(DiskError) {
        guard lockDescriptor == nil else { return }
        let operation = "lock \(path)"
        let descriptor = try SystemCall.check(operation) {
            unsafe openat(folder, Self.lockName, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            let code = errno
            Glibc.close(descriptor)
            guard code == EWOULDBLOCK else { throw DiskError(errno: code, operation: operation) }
            throw DiskError(.locked, operation: operation, detail: "another process has the folder")
        }
        lockDescriptor = descriptor
    }

    package func unlock() {
        // The file stays: removing it would let two processes lock two files. Closing alone would leave the lock to a child
        // that another thread has forked and that has not yet executed its program.
        if let descriptor = lockDescriptor {
            _ = flock(descriptor, LOCK_UN)
            Glibc.close(descriptor)
        }
        lockDescriptor = nil
    }

    package func freeBytes() throws(DiskError) -> Int {
        var status = statvfs()
        try SystemCall.check("free space of \(path)") { unsafe fstatvfs(folder, &status) }
        return Int(clamping: UInt64(status.f_bavail).multipliedReportingOverflow(by: UInt64(status.f_frsize)).partialValue)
    }

    private func checkName(_ name: String) {
        let isComponent = !name.isEmpty && name != "." && name != ".." && !name.utf8.contains { $0 == 0x2f || $0 == 0 }
        precondition(isComponent && name != Self.lockName, "file names on a disk are single path components")
    }
}
