// Finding messages in files that other programs wrote: mbox files, Maildirs, single messages, and folders of them. What cannot
// be taken is named, never passed over silently.

import DDSCore
import DDSLoop
import DDSMail

/// A message that was found, with what its file says about it.
struct FoundMessage {
    var bytes: [UInt8]
    /// The file, and the line in an mbox file.
    var place: String
    var received: WallTime?
    var isOwn: Bool
    var isUnread: Bool
}

enum MailImport {
    /// What is longer does not go through the control socket in one line.
    static let messageBytesMax = 40 << 20

    /// Walks through what `path` names. Each message goes to `take`, and what is none, with its place and why, to `skip`.
    /// Throws for a path that is missing.
    @LoopActor static func walk(
        _ path: String, take: @LoopActor (FoundMessage) async throws(Failure) -> Void, skip: @LoopActor (String) -> Void
    ) async throws(Failure) {
        guard HostFiles.exists(path) else { throw Failure(.fileMissing, "there is no \(path)") }
        guard isFolder(path) else { return try await file(path, take, skip) }
        guard isMaildir(path) else {
            for name in try names(path) where !name.hasPrefix(".") {
                let inner = "\(path)/\(name)"
                switch HostFiles.status(inner)?.kind {
                case .file: try await file(inner, take, skip)
                case .folder where isMaildir(inner): try await maildir(inner, isOwn: isSentName(name), take, skip)
                default: skip("\(inner): neither a file nor a Maildir")
                }
            }
            return
        }
        try await maildir(path, isOwn: false, take, skip)
        for name in try names(path) where name.hasPrefix(".") && isMaildir("\(path)/\(name)") {
            try await maildir("\(path)/\(name)", isOwn: isSentName(name), take, skip)
        }
    }

    private static func isFolder(_ path: String) -> Bool { HostFiles.exists(path + "/.") }

    private static func isMaildir(_ path: String) -> Bool { isFolder(path + "/cur") && isFolder(path + "/new") }

    private static func isSentName(_ name: String) -> Bool {
        ["sent", ".sent", "sent.mbox"].contains(name.lowercased())
    }

    private static func names(_ path: String) throws(Failure) -> [String] {
        do {
            return try HostFiles.list(path)
        } catch {
            throw Failure(.inputOutput, "\(path) cannot be read: \(error)")
        }
    }

    // MARK: Maildir

    @LoopActor private static func maildir(
        _ path: String, isOwn: Bool, _ take: @LoopActor (FoundMessage) async throws(Failure) -> Void,
        _ skip: @LoopActor (String) -> Void
    ) async throws(Failure) {
        // In the order in which they came, whichever folder they lie in.
        var found: [(name: String, place: String, isNew: Bool)] = []
        for (folder, isNew) in [("new", true), ("cur", false)] {
            for name in try names("\(path)/\(folder)") where !name.hasPrefix(".") {
                found.append((name, "\(path)/\(folder)/\(name)", isNew))
            }
        }
        found.sort {
            (MaildirName($0.name).received?.seconds ?? 0, $0.name) < (MaildirName($1.name).received?.seconds ?? 0, $1.name)
        }
        for (name, place, isNew) in found {
            let parts = MaildirName(name)
            guard let bytes = read(place, skip) else { continue }
            try await offer(
                FoundMessage(
                    bytes: bytes, place: place, received: parts.received, isOwn: isOwn, isUnread: isNew || !parts.isSeen), take,
                skip)
        }
    }

    // MARK: Single files

    @LoopActor private static func file(
        _ path: String, _ take: @LoopActor (FoundMessage) async throws(Failure) -> Void, _ skip: @LoopActor (String) -> Void
    ) async throws(Failure) {
        let isOwn = isSentName(path.split(separator: "/").last.map(String.init) ?? path)
        let reader: HostFileReader
        let first: [UInt8]
        do {
            reader = try HostFileReader(opening: path)
            first = try reader.next()
        } catch {
            return skip("\(path): \(error)")
        }
        guard first.starts(with: "From ".utf8) else {
            guard let bytes = read(path, skip) else { return }
            let modified = HostFiles.status(path)?.modified
            return try await offer(
                FoundMessage(bytes: bytes, place: path, received: modified, isOwn: isOwn, isUnread: false), take, skip)
        }
        var mbox = MboxReader(limit: messageBytesMax)
        var piece = first
        do {
            while !piece.isEmpty {
                for message in try mbox.feed(piece[...]) { try await offer(message, path, isOwn, take, skip) }
                piece = try reader.next()
            }
            if let last = try mbox.finish() { try await offer(last, path, isOwn, take, skip) }
        } catch let failure as Failure {
            throw failure
        } catch {
            skip("\(path): \(error)")
        }
    }

    @LoopActor private static func offer(
        _ message: MboxMessage, _ path: String, _ isOwn: Bool, _ take: @LoopActor (FoundMessage) async throws(Failure) -> Void,
        _ skip: @LoopActor (String) -> Void
    ) async throws(Failure) {
        let place = "\(path), line \(message.line)"
        if message.isTooLarge { return skip("\(place): larger than \(messageBytesMax >> 20) MiB") }
        try await offer(
            FoundMessage(bytes: message.bytes, place: place, received: message.received, isOwn: isOwn, isUnread: false), take,
            skip)
    }

    /// Nil when it cannot be read, which is then said.
    @LoopActor private static func read(_ path: String, _ skip: @LoopActor (String) -> Void) -> [UInt8]? {
        do {
            return try HostFiles.read(path, limit: messageBytesMax)
        } catch {
            skip("\(path): \(error)")
            return nil
        }
    }

    @LoopActor private static func offer(
        _ message: FoundMessage, _ take: @LoopActor (FoundMessage) async throws(Failure) -> Void,
        _ skip: @LoopActor (String) -> Void
    ) async throws(Failure) {
        if let complaint = complaint(message.bytes) { return skip("\(message.place): \(complaint)") }
        try await take(message)
    }

    /// Why bytes are no message; nil when they are one. Messages with broken lines are kept as they are: only what has no header
    /// field at all is none.
    static func complaint(_ bytes: [UInt8]) -> String? {
        if bytes.isEmpty { return "empty" }
        guard let header = try? HeaderSection(of: bytes) else { return "its header has no end" }
        return header.fields.contains { !$0.name.isEmpty } ? nil : "it has no header field, so it is no message"
    }
}
