// Files of the host that are too long for memory: written once from beginning to end, or read so. Blocks; for the command
// line, never for the loop of a daemon.

package import DDSCore
import Glibc

/// A new file that grows. It exists under its name from the beginning; its content is durable after `finish`.
package final class HostFileWriter {
    private let path: String
    private var file: Int32
    private var offset = 0

    /// Makes the file with mode 0600. One that exists is an error of kind `.exists`.
    package init(creating path: String) throws(DiskError) {
        self.path = path
        file = try SystemCall.check("create \(path)") {
            unsafe open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
        }
    }

    deinit {
        if file >= 0 { close(file) }
    }

    package func write(_ bytes: [UInt8]) throws(DiskError) {
        try SystemCall.write(file, at: offset, bytes, operation: "write \(path)")
        offset += bytes.count
    }

    /// Makes the content durable and closes. The name is durable after `HostFiles.syncFolder`.
    package func finish() throws(DiskError) {
        defer {
            close(file)
            file = -1
        }
        try SystemCall.check("write \(path)") { fsync(file) }
    }
}

/// A file that is read from its beginning.
package final class HostFileReader {
    private let path: String
    private let file: Int32

    /// A symbolic link is followed; a folder is an error at the first read.
    package init(opening path: String) throws(DiskError) {
        self.path = path
        file = try SystemCall.check("read \(path)") { unsafe open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY) }
    }

    deinit { close(file) }

    /// The next bytes, at most `count`; none at the end.
    package func next(_ count: Int = 256 * 1024) throws(DiskError) -> [UInt8] {
        var chunk = [UInt8](repeating: 0, count: count)
        let got = try SystemCall.check("read \(path)") { unsafe Glibc.read(file, &chunk, count) }
        chunk.removeLast(count - got)
        return chunk
    }
}
