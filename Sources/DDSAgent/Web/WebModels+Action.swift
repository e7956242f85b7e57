// What can be done with threads in lists, and what is said of it afterwards.

/// The value of a button.
package enum ThreadAction: String, Hashable, Sendable, CaseIterable {
    case read, unread
    case star, unstar
    case archive, unarchive
    /// Replies are silent until one names this person.
    case mute, unmute
    /// Into the trash, and out again to where it was.
    case trash, restore
}

/// What came of taking something back.
package struct UndoOutcome: Hashable, Sendable {
    /// A sentence without anybody's text.
    package var words: String
    /// The draft that a message has become again.
    package var draft: String?

    package init(_ words: String, draft: String? = nil) {
        self.words = words
        self.draft = draft
    }
}

/// What came of an action.
package struct ActionOutcome: Hashable, Sendable {
    /// A sentence without anybody's text.
    package var words: String
    /// How to take it back, an opaque handle; nil where nothing was changed.
    package var undo: String?

    package init(words: String, undo: String? = nil) {
        self.words = words
        self.undo = undo
    }
}
