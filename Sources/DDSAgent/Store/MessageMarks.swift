// What a person does with messages in lists: read, starred, archived, muted, thrown away. Kept with each message, so that a
// thread's state is what its messages say and needs no record of its own.

/// The marks of one message.
struct MessageMarks: Hashable, Sendable {
    var isUnread: Bool
    var isStarred: Bool
    var isArchived: Bool
    /// Set on what was in a thread when it was muted; what comes after it is silent too, see `StoredThread.isMuted`.
    var isMuted: Bool
    /// In no list but the trash.
    var isTrashed: Bool
}

extension StoredSummary {
    var marks: MessageMarks {
        get {
            MessageMarks(
                isUnread: isUnread, isStarred: isStarred == true, isArchived: isArchived == true, isMuted: isMuted == true,
                isTrashed: isTrashed == true)
        }
        set {
            isUnread = newValue.isUnread
            isStarred = newValue.isStarred ? true : nil
            isArchived = newValue.isArchived ? true : nil
            isMuted = newValue.isMuted ? true : nil
            isTrashed = newValue.isTrashed ? true : nil
        }
    }
}
