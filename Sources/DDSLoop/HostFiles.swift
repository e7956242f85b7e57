// Small files of the host outside of any spool: configuration, keys, certificates, invitations. Whole-file operations only.

// Which module timespec belongs to depends on what else the compiler looks at: libuv's includes it, too.
import CUV
package import DDSCore
import Glibc

/// What the system says about a file.
package struct FileStatus: Hashable, Sendable {
    package enum Kind: Hashable, Sendable {
        case file, folder, symbolicLink, socket, other
    }

    package var kind: Kind
    package var size: Int
    /// Permission bits, such as 0o600.
    package var mode: UInt32
    /// The owner's user id.
    package var owner: UInt32
    package var group: UInt32
    /// Last change of content.
    package var modified: WallTime

    /// True when the file belongs to this process's user (or root) and nobody else may read, write or enter it.
    package var isPrivate: Bool { mode & 0o077 == 0 && (owner == geteuid() || owner == 0) }
}

/// Whole-file operations. Errors say which file.
package enum HostFiles {
    /// The largest file that `read` takes unless told otherwise.
    package static let sizeMaxBytes = 16 * 1024 * 1024

    /// The content of a file of at most `limit` bytes; a longer one is an error of kind `.inputOutput`, as is a folder.
    package static func read(_ path: String, limit: Int = sizeMaxBytes) throws(DiskError) -> [UInt8] {
        let operation = "read \(path)"
        let file = try SystemCall.check(operation) { unsafe open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY) }
        defer { close(file) }
        // One byte more than allowed, so that a file that has no size of its own cannot outgrow the limit.
        let bytes = try readStream(file, limit: limit + 1, operation)
        guard bytes.count <= limit else {
            throw DiskError(.inputOutput, operation: operation, detail: "the file is larger than \(limit) bytes")
        }
        return bytes
    }

    /// Reads an open descriptor to its end, at most `limit` bytes, and closes it.
    package static func take(descriptor: Int32, limit: Int) throws(DiskError) -> [UInt8] {
        let operation = "read file descriptor \(descriptor)"
        defer { close(descriptor) }
        let bytes = try readStream(descriptor, limit: limit + 1, operation)
        guard bytes.count <= limit else {
            throw DiskError(.inputOutput, operation: operation, detail: "it holds more than \(limit) bytes")
        }
        return bytes
    }

    /// Reads sequentially, so that pipes and /dev/stdin work as files do.
    private static func readStream(_ file: Int32, limit: Int, _ operation: String) throws(DiskError) -> [UInt8] {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 64 * 1024)
        while bytes.count < limit {
            let wanted = min(chunk.count, limit - bytes.count)
            let count = try SystemCall.check(operation) { unsafe Glibc.read(file, &chunk, wanted) }
            if count == 0 { break }
            bytes.append(contentsOf: chunk[..<count])
        }
        return bytes
    }

    /// Nil when there is nothing at `path` or it cannot be looked at. Does not follow a symbolic link.
    package static func status(_ path: String) -> FileStatus? {
        var status = stat()
        guard unsafe lstat(path, &status) == 0 else { return nil }
        let kind: FileStatus.Kind =
            switch status.st_mode & S_IFMT {
            case S_IFREG: .file
            case S_IFDIR: .folder
            case S_IFLNK: .symbolicLink
            case S_IFSOCK: .socket
            default: .other
            }
        return FileStatus(
            kind: kind, size: status.st_size, mode: status.st_mode & 0o7777, owner: status.st_uid, group: status.st_gid,
            modified: WallTime(milliseconds: Int64(status.st_mtim.tv_sec) * 1000 + Int64(status.st_mtim.tv_nsec) / 1_000_000))
    }

    package static func exists(_ path: String) -> Bool { status(path) != nil }

    /// Names in a folder without `.` and `..`, sorted.
    package static func list(_ path: String) throws(DiskError) -> [String] {
        let folder = try SystemCall.check("list \(path)") { unsafe open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
        defer { close(folder) }
        return try FolderListing.names(in: folder, operation: "list \(path)").sorted()
    }

    /// Creates the folder and its missing parents, all with `mode`. One that exists is left as it is.
    package static func makeFolders(_ path: String, mode: UInt32 = 0o700) throws(DiskError) {
        var prefix = path.hasPrefix("/") ? "/" : ""
        for component in path.split(separator: "/") {
            prefix += (prefix.isEmpty || prefix == "/" ? "" : "/") + component
            if unsafe mkdir(prefix, mode) != 0, errno != EEXIST {
                throw DiskError(errno: errno, operation: "create folder \(prefix)")
            }
        }
        // Also where a symbolic link leads to a folder.
        try SystemCall.check("create folder \(path)") { unsafe access("\(path)/.", F_OK) }
    }

    /// Creates or replaces a file so that after a crash it has either the old content or the new: temporary file, sync,
    /// rename, sync of the folder.
    package static func write(_ path: String, _ bytes: [UInt8], mode: UInt32 = 0o600) throws(DiskError) {
        try place(bytes, at: path, mode, "write \(path)") { temporary, operation throws(DiskError) in
            try SystemCall.check(operation) { unsafe Glibc.rename(temporary, path) }
        }
    }

    /// Creates a file that must not exist yet, else the error is of kind `.exists`; after a crash it is there whole or not at all.
    package static func create(_ path: String, _ bytes: [UInt8], mode: UInt32 = 0o600) throws(DiskError) {
        // Unlike a rename, a link never takes the name from another file.
        try place(bytes, at: path, mode, "create \(path)") { temporary, operation throws(DiskError) in
            try SystemCall.check(operation) { unsafe link(temporary, path) }
            _ = unsafe unlink(temporary)
        }
    }

    /// Writes a whole file beside its place; `name` gives it its name, and takes the temporary one away.
    private static func place(
        _ bytes: [UInt8], at path: String, _ mode: UInt32, _ operation: String,
        name: (_ temporary: String, _ operation: String) throws(DiskError) -> Void
    ) throws(DiskError) {
        let temporary = "\(path).\(getpid()).tmp"
        _ = unsafe unlink(temporary)
        let file = try SystemCall.check(operation) {
            unsafe open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode)
        }
        do {
            defer { close(file) }
            // The process's umask has had its say at open; the caller's mode is what counts.
            try SystemCall.check(operation) { fchmod(file, mode) }
            try SystemCall.write(file, at: 0, bytes, operation: operation)
            try SystemCall.check(operation) { fsync(file) }
            try name(temporary, operation)
        } catch {
            _ = unsafe unlink(temporary)
            throw error
        }
        try syncFolder(of: path, operation)
    }

    /// Removes a file; one that is missing is an error of kind `.notFound`.
    package static func remove(_ path: String) throws(DiskError) {
        try SystemCall.check("remove \(path)") { unsafe unlink(path) }
        try syncFolder(of: path, "remove \(path)")
    }

    package static func rename(_ path: String, to newPath: String) throws(DiskError) {
        let operation = "rename \(path) to \(newPath)"
        try SystemCall.check(operation) { unsafe Glibc.rename(path, newPath) }
        try syncFolder(of: newPath, operation)
    }

    /// Puts the finished file `newPath` in the place of `path` and overwrites what was there with zeros, unless another name
    /// still leads to it. After a crash there is the one or the other. Says nothing about what a disk keeps of old blocks.
    package static func replaceErasing(_ path: String, by newPath: String) throws(DiskError) {
        let operation = "replace \(path)"
        let old = unsafe open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW)
        if old < 0, errno != ENOENT { throw DiskError(errno: errno, operation: operation) }
        defer { if old >= 0 { close(old) } }
        try rename(newPath, to: path)
        guard old >= 0 else { return }
        var status = stat()
        try SystemCall.check(operation) { unsafe fstat(old, &status) }
        guard status.st_nlink == 0 else { return }
        try SystemCall.write(old, at: 0, [UInt8](repeating: 0, count: Int(status.st_size)), operation: operation)
        try SystemCall.check(operation) { fsync(old) }
    }

    /// A new folder with a random name, mode 0700, under `$TMPDIR` or `/tmp`.
    package static func makeTemporaryFolder(prefix: String = "ddsnode") throws(DiskError) -> String {
        let base = unsafe getenv("TMPDIR").map { unsafe String(cString: $0) } ?? "/tmp"
        var template = Array("\(base)/\(prefix).XXXXXX".utf8CString)
        guard unsafe mkdtemp(&template) != nil else {
            throw DiskError(errno: errno, operation: "create a folder in \(base)")
        }
        return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// Removes a folder with everything in it. Symbolic links are removed, not followed.
    package static func removeTree(_ path: String) throws(DiskError) {
        if status(path)?.kind == .folder {
            for name in try list(path) { try removeTree("\(path)/\(name)") }
            try SystemCall.check("remove folder \(path)") { unsafe rmdir(path) }
        } else {
            try SystemCall.check("remove \(path)") { unsafe unlink(path) }
        }
    }

    /// Renames without waiting for the disk; `syncFolder` makes many such renames durable at once.
    package static func renameUnsynced(_ path: String, to newPath: String) throws(DiskError) {
        try SystemCall.check("rename \(path) to \(newPath)") { unsafe Glibc.rename(path, newPath) }
    }

    /// Makes the names in a folder durable.
    package static func syncFolder(_ folder: String) throws(DiskError) { try sync(folder: folder, "sync \(folder)") }

    private static func syncFolder(of path: String, _ operation: String) throws(DiskError) {
        let slash = path.lastIndex(of: "/")
        try sync(folder: slash.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? ".", operation)
    }

    private static func sync(folder: String, _ operation: String) throws(DiskError) {
        let descriptor = try SystemCall.check(operation) { unsafe open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
        defer { close(descriptor) }
        try SystemCall.check(operation) { fsync(descriptor) }
    }
}
