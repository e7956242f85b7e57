// What an IMAP server session asks and what it is told: its questions, answers and effects.

package import DDSCore

/// Why something is not done: a response code such as `CANNOT` or `NONEXISTENT` (RFC 9051 7.1) and words with the remedy.
package struct IMAPRefusal: Hashable, Sendable {
    package var code: String?
    package var text: String

    package init(_ code: String? = nil, _ text: String) {
        self.code = code
        self.text = text
    }
}

/// What an IMAP server session asks. It has at most one question outstanding.
package enum IMAPServerQuestion: Hashable, Sendable {
    /// LOGIN comes as `.plain`. Answered `.authenticated`, `.refused` or `.unavailable`.
    case authenticate(Credentials, TLSPeer?)
    /// Answered `.mailboxes`, all there are.
    case mailboxes
    /// Answered `.status` or `.declined`.
    case status(mailbox: String)
    /// Answered `.view` or `.declined`. The session looks at that mailbox from now on.
    case open(mailbox: String)
    /// How is the open mailbox now? Answered `.view`, `.unchanged` when its version is `since`, or `.declined` when it is gone.
    case refresh(since: UInt64)
    /// Whole messages of the open mailbox, read for what is wanted of them. Answered `.bodies`, one for each uid in order, nil for
    /// what is gone.
    case bodies([UInt32], IMAPReading)
    /// All that one command changes. Answered `.view` or `.declined`; with `unchangedSince` those with a higher mod-sequence
    /// are left alone and named in `.stored(view, modified:)`.
    case store([UInt32], IMAPFlagChange, unchangedSince: UInt64?)
    /// A whole message, in octets as the client sent them. Answered `.appended` or `.declined`.
    case append(mailbox: String, IMAPFlags, internalDate: Int64?, [UInt8])
    /// May a message of so many octets be appended there? Asked before the literal is read. Answered `.proceed` or `.declined`.
    case mayAppend(mailbox: String, octets: Int)
    /// Answered `.copied` or `.declined`; all that are there, or nothing.
    case copy([UInt32], to: String)
    case move([UInt32], to: String)
    /// Answered `.view` (what is left) or `.declined`. Only what is marked `\Deleted` of these goes.
    case expunge([UInt32])
    /// Answered `.found`, ascending.
    case search(IMAPSearchKey)
    /// Answered `.found`, in that order.
    case sort([IMAPSortKey], IMAPSearchKey)
    /// Answered `.threads`.
    case thread(IMAPSearchKey)
    /// CREATE, DELETE, RENAME, SUBSCRIBE, UNSUBSCRIBE. Answered `.done` or `.declined`.
    case manage(IMAPManagement)
    /// Tell when the open mailbox may have changed since that version (without one, when any may have); answered `.changed`
    /// then, which is at once when it has another version already, or after `.stopWaiting`.
    case wait(since: UInt64?)
    /// Nothing but a chance for the driver to hold the session back. Answered `.proceed` at once.
    case pause
}

package enum IMAPManagement: Hashable, Sendable {
    case create(String)
    case delete(String)
    case rename(String, to: String)
    case subscribe(String)
    case unsubscribe(String)
}

/// What one FETCH wants of messages.
package struct IMAPReading: Hashable, Sendable {
    /// For whoever takes the octets alone.
    package static let octets = IMAPReading(items: [])

    let items: [IMAPFetchItem]

    /// Looks for all of it. That takes about 2 ms a megabyte, and what is decoded as much again: long messages are read beside the
    /// loop.
    package func message(_ octets: [UInt8]) -> MIMEMessage {
        var message = MIMEMessage(octets)
        message.read(for: items)
        return message
    }
}

package enum IMAPServerAnswer: Sendable {
    case authenticated(name: String)
    case refused
    /// Our own trouble, such as a locked agent; the text goes to the client behind `[UNAVAILABLE]`.
    case unavailable(String)
    case declined(IMAPRefusal)
    case mailboxes([IMAPMailbox])
    case status(IMAPStatus)
    case view(IMAPView)
    case unchanged
    case bodies([MIMEMessage?])
    case stored(IMAPView, modified: [UInt32])
    /// A uid of 0 is not known yet.
    case appended(uidValidity: UInt32, uid: UInt32)
    /// `pairs` are (source, destination).
    case copied(uidValidity: UInt32, pairs: [(UInt32, UInt32)])
    case found([UInt32])
    case threads([IMAPThread])
    case done
    case changed
    case proceed
}

package enum IMAPServerEffect: Hashable, Sendable {
    /// The outstanding `.wait` shall be answered now.
    case stopWaiting
    /// The session looks at no mailbox any more.
    case closeMailbox
}
