// Writing mail of the store into files that other programs read: mbox files or a Maildir, in a folder of their own. Messages go
// out byte for byte; what the store knows besides goes into names, separators and flags.

import DDSCore
import DDSLoop
import DDSMail
import DDSSeal

enum MailFileFormat: String, CaseIterable, Sendable {
    case mbox, maildir
}

/// What is known of a message besides its bytes.
struct MailFileEntry: Sendable {
    var sender: String
    var received: WallTime
    var isOwn: Bool
    var isUnread: Bool
}

/// Takes messages one after the other; what was written is durable after `finish`.
protocol MailExport {
    mutating func add(_ message: [UInt8], _ entry: MailFileEntry) throws(DiskError)
    mutating func finish() throws(DiskError)
}

/// The target of an export, which must be a folder that is new or empty.
enum ExportFolder {
    static func prepare(_ path: String) throws(Failure) {
        do {
            if HostFiles.exists(path), try !HostFiles.list(path).isEmpty {
                throw Failure(.cannotCreate, "\(path) is not empty; name a new folder, nothing was written")
            }
            try HostFiles.makeFolders(path)
        } catch let failure as Failure {
            throw failure
        } catch {
            throw Failure(.cannotCreate, "cannot write to \(path): \(error)")
        }
    }
}

/// `received.mbox` and `sent.mbox`.
struct MboxExport: MailExport {
    let folder: String
    private var files: [String: HostFileWriter] = [:]

    init(folder: String) {
        self.folder = folder
    }

    mutating func add(_ message: [UInt8], _ entry: MailFileEntry) throws(DiskError) {
        let name = entry.isOwn ? "sent.mbox" : "received.mbox"
        let file: HostFileWriter
        if let open = files[name] { file = open } else { file = try HostFileWriter(creating: "\(folder)/\(name)") }
        files[name] = file
        try file.write(Mbox.entry(message, sender: entry.sender, received: entry.received))
    }

    mutating func finish() throws(DiskError) {
        for file in files.values { try file.finish() }
        files = [:]
        try HostFiles.syncFolder(folder)
    }
}

/// A Maildir with the received mail, and in it the Maildir++ folder `.Sent`.
struct MaildirExport: MailExport {
    let folder: String
    private var counts: [String: Int] = [:]

    init(folder: String) throws(DiskError) {
        self.folder = folder
        for base in [folder, "\(folder)/.Sent"] {
            for name in ["tmp", "new", "cur"] { try HostFiles.makeFolders("\(base)/\(name)") }
        }
        // Marks a subfolder (Maildir++).
        try HostFiles.write("\(folder)/.Sent/maildirfolder", [])
    }

    mutating func add(_ message: [UInt8], _ entry: MailFileEntry) throws(DiskError) {
        let base = entry.isOwn ? "\(folder)/.Sent" : folder
        let digest = String(Hex.encode(Hash.blake2b(message, count: 16)).prefix(16))
        let key = "\(base)/\(entry.received.seconds).\(digest)"
        counts[key, default: 0] += 1
        let name = MaildirName.text(
            received: entry.received, unique: "\(digest)_\(counts[key] ?? 1)", size: message.count, isSeen: !entry.isUnread)
        let file = try HostFileWriter(creating: "\(base)/tmp/\(name)")
        try file.write(message)
        try file.finish()
        try HostFiles.renameUnsynced("\(base)/tmp/\(name)", to: "\(base)/\(entry.isUnread ? "new" : "cur")/\(name)")
    }

    mutating func finish() throws(DiskError) {
        for base in [folder, "\(folder)/.Sent"] {
            for name in ["new", "cur"] { try HostFiles.syncFolder("\(base)/\(name)") }
        }
    }
}
