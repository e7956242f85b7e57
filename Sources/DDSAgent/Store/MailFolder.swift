// In which folder a message is, for mail programs: in exactly one, and its summary says in which. A message that changes its
// folder gets a new number in it, and numbers need no table: they are those of records (RFC 9051 section 2.3.1.1).

import DDSSpool

/// Where messages are. Drafts are no messages of the store; see `DraftBook`.
enum MailFolder: Hashable, Sendable {
    case inbox
    case group(String)
    /// What the node has, and what it does not have yet or has refused.
    case sent, outbox
    case archive
    case trash
}

extension StoredSummary {
    var folder: MailFolder {
        if isTrashed == true { return .trash }
        if let sendState { return sendState == .sent ? .sent : .outbox }
        if isArchived == true { return .archive }
        return group.map { .group($0) } ?? .inbox
    }

    /// Numbers of records are unique for ever and grow, and so do these: a message that never changed its folder has its own
    /// record's, one that was moved that of the summary that says so. `folderNumber` is nil for the first, 0 for a summary that
    /// says so itself, and otherwise the number of the one that did.
    static func number(_ folderNumber: UInt64?, messageRecord: UInt64, summaryRecord: UInt64) -> UInt64 {
        switch folderNumber {
        case nil: messageRecord
        case 0: summaryRecord
        case let number?: number
        }
    }

    /// Keeps the number or gives a new one, in a summary that takes the place of `before`, which is in `record`. Who marked a
    /// message for removal meant the folder that it was in.
    mutating func renumber(since before: StoredSummary, in record: SpoolUID) {
        if folder != before.folder {
            folderNumber = 0
            isDeleted = nil
        } else {
            folderNumber = before.folderNumber == 0 ? record.rawValue : before.folderNumber
        }
    }
}

extension MessageStore.Item {
    /// Its number in its folder.
    var folderNumber: UInt64 {
        StoredSummary.number(
            summary.folderNumber, messageRecord: messageRecord.rawValue, summaryRecord: summaryRecord.rawValue)
    }
}

extension MessageStore {
    /// Puts messages into the trash.
    func trash(_ ids: [String]) async throws(SpoolError) { try await update(ids) { $0.isTrashed = true } }

    /// Puts messages back where they were before.
    func restore(_ ids: [String]) async throws(SpoolError) { try await update(ids) { $0.isTrashed = nil } }
}
