// The mailboxes that mail programs see, and what they are called. Groups have a level of their own: a group may be called
// like one of the others.

import DDSWire

/// A mailbox of the gateway.
enum IMAPFolder: Hashable, Sendable {
    case mail(MailFolder)
    case drafts

    static let groupsName = "Groups"
    private static let groupsPrefix = groupsName + "/"

    /// Those that are always there, in the order of LIST.
    static let standing: [IMAPFolder] = [
        .mail(.inbox), .drafts, .mail(.sent), .mail(.outbox), .mail(.archive), .mail(.trash),
    ]

    /// Nil for a name that no mailbox has. The session has made `INBOX` of it in any case of letters (RFC 9051 5.1).
    init?(name: String, groups: [String]) {
        if let known = Self.standing.first(where: { $0.name == name }) {
            self = known
        } else if name.hasPrefix(Self.groupsPrefix), let group = groups.first(where: { Self.groupsPrefix + $0 == name }) {
            self = .mail(.group(group))
        } else {
            return nil
        }
    }

    var name: String {
        switch self {
        case .drafts: "Drafts"
        case .mail(.inbox): "INBOX"
        case .mail(.sent): "Sent"
        case .mail(.outbox): "Outbox"
        case .mail(.archive): "Archive"
        case .mail(.trash): "Trash"
        case .mail(.group(let group)): Self.groupsPrefix + group
        }
    }

    /// RFC 6154.
    var use: IMAPMailbox.Use? {
        switch self {
        case .drafts: .drafts
        case .mail(.sent): .sent
        case .mail(.archive): .archive
        case .mail(.trash): .trash
        case .mail(.inbox), .mail(.outbox), .mail(.group): nil
        }
    }

    /// Of what this person wrote it is not kept whether it was read: it was.
    var permanentFlags: IMAPFlags.System {
        switch self {
        case .drafts, .mail(.sent), .mail(.outbox): [.answered, .flagged, .deleted]
        case .mail(.inbox), .mail(.archive), .mail(.trash), .mail(.group): [.seen, .answered, .flagged, .deleted]
        }
    }
}
