// The names in a folder.

import DDSCore
import Glibc

enum FolderListing {
    /// Names without `.` and `..`, in no order. The descriptor stays open.
    static func names(in folder: Int32, operation: @autoclosure () -> String) throws(DiskError) -> [String] {
        // A descriptor of its own: fdopendir takes it over, and the offset must not be shared.
        let own = try SystemCall.check(operation()) {
            unsafe openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        }
        guard let stream = unsafe fdopendir(own) else {
            let code = errno
            Glibc.close(own)
            throw DiskError(errno: code, operation: operation())
        }
        defer { unsafe closedir(stream) }
        var names: [String] = []
        while true {
            errno = 0
            guard let entry = unsafe readdir(stream) else {
                let code = errno
                if code != 0 { throw DiskError(errno: code, operation: operation()) }
                return names
            }
            let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { names.append(name) }
        }
    }
}
