// What an IMAP session sees of mailboxes: flags, rows, views, names and numbers. Where they come from is not decided here.

/// Flags with a meaning in the protocol, and keywords. `\Recent` does not exist here (RFC 9051 has dropped it).
package struct IMAPFlags: Hashable, Sendable {
    package struct System: OptionSet, Hashable, Sendable {
        package var rawValue: UInt8
        package init(rawValue: UInt8) { self.rawValue = rawValue }
        package static let seen = System(rawValue: 1)
        package static let answered = System(rawValue: 2)
        package static let flagged = System(rawValue: 4)
        package static let deleted = System(rawValue: 8)
        package static let draft = System(rawValue: 16)
    }

    package var system: System
    /// Atoms as the client wrote them, without doubles (compared without case), sorted.
    package var keywords: [String]

    package init(_ system: System = [], keywords: [String] = []) {
        self.system = system
        self.keywords = keywords
    }
}

/// One message of a selected mailbox.
package struct IMAPRow: Hashable, Sendable {
    package var uid: UInt32
    package var modSeq: UInt64
    package var flags: IMAPFlags
    /// Seconds since 1970.
    package var internalDate: Int64
    /// Octets as sent, with CRLF line ends.
    package var size: Int

    package init(uid: UInt32, modSeq: UInt64, flags: IMAPFlags = IMAPFlags(), internalDate: Int64, size: Int) {
        self.uid = uid
        self.modSeq = modSeq
        self.flags = flags
        self.internalDate = internalDate
        self.size = size
    }
}

/// A mailbox as it is now; rows ascend by uid.
package struct IMAPView: Sendable {
    package var uidValidity: UInt32
    package var uidNext: UInt32
    package var highestModSeq: UInt64
    package var rows: [IMAPRow]
    /// Flags that stay, for PERMANENTFLAGS; keywords do too.
    package var permanentFlags: IMAPFlags.System
    /// Equal versions of one mailbox mean equal views.
    package var version: UInt64

    package init(
        uidValidity: UInt32, uidNext: UInt32, highestModSeq: UInt64, rows: [IMAPRow],
        permanentFlags: IMAPFlags.System = [.seen, .answered, .flagged, .deleted, .draft], version: UInt64 = 0
    ) {
        self.uidValidity = uidValidity
        self.uidNext = uidNext
        self.highestModSeq = highestModSeq
        self.rows = rows
        self.permanentFlags = permanentFlags
        self.version = version
    }
}

/// One mailbox of LIST. Names are Unicode with `/` between levels; the first is `INBOX`.
package struct IMAPMailbox: Hashable, Sendable {
    package enum Use: String, Hashable, Sendable {
        case archive = "\\Archive"
        case drafts = "\\Drafts"
        case sent = "\\Sent"
        case trash = "\\Trash"
    }

    package var name: String
    package var use: Use?
    package var isSelectable: Bool
    package var isSubscribed: Bool

    package init(name: String, use: Use? = nil, isSelectable: Bool = true, isSubscribed: Bool = true) {
        self.name = name
        self.use = use
        self.isSelectable = isSelectable
        self.isSubscribed = isSubscribed
    }
}

package struct IMAPStatus: Hashable, Sendable {
    package var messages: Int
    package var unseen: Int
    package var deleted: Int
    package var uidNext: UInt32
    package var uidValidity: UInt32
    package var highestModSeq: UInt64
    /// Octets of all messages (RFC 8438).
    package var size: Int

    package init(
        messages: Int, unseen: Int, deleted: Int, uidNext: UInt32, uidValidity: UInt32, highestModSeq: UInt64, size: Int
    ) {
        self.messages = messages
        self.unseen = unseen
        self.deleted = deleted
        self.uidNext = uidNext
        self.uidValidity = uidValidity
        self.highestModSeq = highestModSeq
        self.size = size
    }
}

package enum IMAPFlagChange: Hashable, Sendable {
    case set(IMAPFlags)
    case add(IMAPFlags)
    case remove(IMAPFlags)
}
