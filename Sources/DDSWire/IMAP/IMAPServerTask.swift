// What an IMAP session goes on with when its question is answered. It decides nothing.

extension IMAPServerSession {
    enum Task: Sendable {
        case login(tag: String)
        /// A literal of APPEND waits to be allowed.
        case mayAppend(tag: String, IMAPCommandReader.Announcement)
        case append(Ending)
        case list(tag: String, IMAPListRequest)
        /// The mailboxes whose STATUS is still to be told; the last of them is asked for.
        case listStatus(tag: String, [IMAPStatusItem], left: [String])
        case status(Ending, mailbox: String, [IMAPStatusItem])
        case open(tag: String, mailbox: String, isExamined: Bool)
        /// Nothing is left but to tell what has changed, and the reply.
        case refresh(Ending)
        case fetch(Fetch)
        /// All is sent, and `\Seen` is set for it.
        case fetchSeen(Fetch)
        case store(Store)
        /// How the mailbox is, before messages that are called by their numbers are copied.
        case beforeCopy(Copy)
        case copy(Copy)
        case expunge(Ending)
        /// CLOSE.
        case close(tag: String)
        case search(Search)
        case manage(Ending)
        case idle(Idle)
        case pause
    }

    /// How a command ends.
    struct Ending: Sendable {
        var tag: String
        var isUID = false
        /// Sequence numbers may change before the reply.
        var allowsExpunge = true
        /// Behind the tag.
        var reply = "OK Done"
        var isSuccess: Bool { reply.hasPrefix("OK") }

        init(_ command: IMAPCommand) {
            tag = command.tag
            isUID = command.isUID
            allowsExpunge = command.isUID || !command.verb.keepsNumbers
        }
    }

    /// FETCH on its way: messages at indices of the selection, which do not move meanwhile.
    struct Fetch: Sendable {
        var ending: Ending
        var request: IMAPFetchRequest
        var ranges: [Range<Int>]
        /// The messages of the outstanding question.
        var batch: [Int] = []
        /// A message was gone already.
        var hasMissed = false
        /// What was written of the batch and is not sent yet.
        var output: ArraySlice<UInt8> = []
        /// Uids of what was sent and is to be marked for that.
        var unseen: [UInt32] = []

        var needsMessages: Bool { request.items.contains { $0.needsMessage } }
        var marksSeen: Bool { request.items.contains { $0.section?.marksSeen == true } }
    }

    struct Copy: Sendable {
        var ending: Ending
        var uids: [UInt32]
        var mailbox: String
        var isMove: Bool
    }

    struct Store: Sendable {
        var ending: Ending
        var change: IMAPFlagChange
        var unchangedSince: UInt64?
        var isSilent: Bool
        /// Indices of the selection.
        var messages: [Int]
        /// One was gone already.
        var hasMissed = false
    }

    struct Search: Sendable {
        enum Kind: Sendable { case search, sort, thread }

        var kind: Kind
        var ending: Ending
        /// Nil for the reply of RFC 3501.
        var returns: IMAPSearchReturn?
        var usesModSeq = false
    }

    struct Idle: Sendable {
        enum Step: Sendable { case refreshing, waiting }

        var ending: Ending
        var step: Step
        /// The client has ended it.
        var isEnding = false
    }
}
