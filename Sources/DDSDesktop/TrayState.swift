// What the icon in the tray has to say, and in which words. No names and no subjects: a tray is seen by whoever passes by.

/// The agent as its icon knows it.
package struct TrayState: Hashable, Sendable {
    /// Somebody's mail is here; before that there is a page to open and nothing else.
    package var isJoined = false
    package var isLocked = true
    /// Unread messages; while locked, those that came since and that nobody has opened yet.
    package var unread = 0
    /// Groups and private mail with unread messages; not known while locked.
    package var places = 0
    /// Local time of the last fetch that went well, such as `12:04`; nil before the first.
    package var lastFetch: String?
    /// A person should look: why, in a sentence.
    package var trouble: String?
    /// Until when notifications are paused, in local time; nil while they are not.
    package var pausedUntil: String?

    package init() {}

    /// The words of the StatusNotifierItem specification.
    package enum Status: String, Sendable {
        /// May be hidden by the tray.
        case passive = "Passive"
        case active = "Active"
        case needsAttention = "NeedsAttention"
    }

    /// A locked agent stays visible, since the icon is a way to unlock it.
    package var status: Status {
        if !isJoined { return .passive }
        return trouble == nil ? .active : .needsAttention
    }

    /// `3 unread in 2 groups`, or what there is to say instead.
    package var unreadWords: String {
        if !isJoined { return "Nobody has joined yet" }
        if isLocked { return unread == 0 ? "Locked" : "Locked, \(unread) new" }
        guard unread > 0 else { return "Nothing unread" }
        return "\(unread) unread" + (places > 1 ? " in \(places) groups" : "")
    }

    package var fetchWords: String {
        if let trouble { return trouble }
        return lastFetch.map { "Fetched at \($0)" } ?? "Not fetched yet"
    }

    /// What stands on the badge; nil without one.
    package var badge: String? { unread == 0 ? nil : unread > 9 ? "9+" : "\(unread)" }
}
