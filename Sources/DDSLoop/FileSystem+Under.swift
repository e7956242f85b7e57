// Asks the system on which file system a path lies.

package import DDSCore
import Glibc

extension FileSystem {
    /// The file system that `path` is on; of one that the system does not name, the number of statfs(2).
    package static func under(_ path: String) -> FileSystem {
        var status = stat()
        guard unsafe stat(path, &status) == 0 else { return FileSystem(type: "nothing", verdict: .unknown) }
        let device = UInt64(status.st_dev)
        let major = UInt32(truncatingIfNeeded: (device >> 8 & 0xfff) | (device >> 32 & ~0xfff))
        let minor = UInt32(truncatingIfNeeded: (device & 0xff) | (device >> 12 & ~0xff))
        if let text = try? HostFiles.read("/proc/self/mountinfo"),
            let found = FileSystem(mountInfo: String(decoding: text, as: UTF8.self), major: major, minor: minor)
        {
            return found
        }
        // btrfs gives each subvolume a device number of its own, which mountinfo does not have.
        guard let magic = fileSystemMagic(of: path) else { return FileSystem(type: "unknown", verdict: .unknown) }
        guard let name = names[magic] else { return FileSystem(type: "0x" + String(magic, radix: 16), verdict: .unknown) }
        return FileSystem(type: name, options: [])
    }

    /// statfs(2).
    private static let names: [UInt64: String] = [
        0xef53: "ext4", 0x5846_5342: "xfs", 0x9123_683e: "btrfs", 0x2fc1_2fc1: "zfs", 0x794c_7630: "overlay",
        0x0102_1994: "tmpfs", 0x6969: "nfs", 0xff53_4d42: "cifs", 0xfe53_4d42: "smb3", 0x00c3_6400: "ceph", 0x0102_1997: "9p",
        0xf2f5_2010: "f2fs",
    ]
}
