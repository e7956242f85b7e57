// What a file system makes of a write over existing bytes, which is what erasing relies on. Decides from names and options
// that the system gives; asks nobody.

package struct FileSystem: Hashable, Sendable {
    package enum Verdict: String, Hashable, Sendable {
        /// The bytes on the medium are replaced.
        case overwritesInPlace = "overwrites in place"
        /// The former bytes stay somewhere: only a change of the root key erases.
        case copiesOnWrite = "copies on write"
        /// Neither locks nor syncs can be relied upon.
        case network
        case unknown
    }

    /// As mount(8) says it: ext4, xfs, btrfs...
    package var type: String
    package var verdict: Verdict

    package init(type: String, verdict: Verdict) {
        self.type = type
        self.verdict = verdict
    }

    /// `options` are those of the mount and of the file system together.
    package init(type: String, options: [String]) {
        self.type = type
        verdict =
            switch type {
            case "ext2", "ext3", "ext4": options.contains("data=journal") ? .copiesOnWrite : .overwritesInPlace
            case "xfs", "tmpfs", "ramfs", "vfat", "jfs": .overwritesInPlace
            case "btrfs", "zfs", "overlay", "f2fs", "nilfs2", "bcachefs", "ubifs", "squashfs": .copiesOnWrite
            case "nfs", "nfs4", "cifs", "smb3", "smbfs", "ceph", "9p", "afs", "glusterfs", "fuse.glusterfs", "fuse.sshfs",
                "lustre", "gfs2", "ocfs2":
                .network
            default: .unknown
            }
        if type.hasPrefix("ext"), options.contains("data=journal") { self.type += " with data=journal" }
    }

    /// For people.
    package var words: String {
        switch verdict {
        case .overwritesInPlace: "\(type) overwrites in place: an erased key is gone from the medium's address at once"
        case .copiesOnWrite: "\(type) keeps former bytes: what is erased is gone only after the root key has changed"
        case .network: "\(type) is a network file system: neither locks nor syncs can be relied upon"
        case .unknown: "\(type) is not known: what it makes of overwriting is not known either"
        }
    }

    /// The file system that holds a device number, out of the text of /proc/self/mountinfo (proc(5)); the last mount counts.
    package init?(mountInfo: String, major: UInt32, minor: UInt32) {
        var found: FileSystem?
        for line in mountInfo.split(separator: "\n") {
            let fields = line.split(separator: " ")
            guard let dash = fields.firstIndex(of: "-"), fields.count > dash + 3, dash > 5, fields[2] == "\(major):\(minor)"
            else { continue }
            let options = (fields[5] + "," + fields[dash + 3]).split(separator: ",").map(String.init)
            found = FileSystem(type: String(fields[dash + 1]), options: options)
        }
        guard let found else { return nil }
        self = found
    }
}
