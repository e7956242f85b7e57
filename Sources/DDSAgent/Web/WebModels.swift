// The plain values between agent and page. Texts are as they came and unsafe; the page cleans and escapes them.

package import DDSCore
package import DDSHTTP
package import DDSMail

/// A list of threads that the sidebar can name.
package enum FolderReference: Hashable, Sendable {
    case inbox
    case all
    case starred
    /// What was put away; a new message brings it back.
    case archive
    case privateMail
    /// Sent messages and the outbox.
    case sent
    case drafts
    /// What was thrown away and not erased yet.
    case trash
    /// A group by its opaque id.
    case group(String)
}

/// One line of the sidebar under "Groups".
package struct GroupModel: Hashable, Sendable {
    package var id: String
    package var name: String
    package var unread: Int
    package var isMuted: Bool

    package init(id: String, name: String, unread: Int, isMuted: Bool = false) {
        self.id = id
        self.name = name
        self.unread = unread
        self.isMuted = isMuted
    }
}

/// What surrounds every page.
package struct FrameModel: Hashable, Sendable {
    package var groups: [GroupModel]
    package var inboxUnread: Int
    package var allUnread: Int
    package var privateUnread: Int
    package var drafts: Int
    package var waitingToBeSent: Int
    /// Such as "Fetched 12:04 from node.example.org"; empty when there is nothing to say.
    package var state: String
    /// What went wrong and what the person can do; nil when all is well.
    package var trouble: String?

    package init(
        groups: [GroupModel], inboxUnread: Int, allUnread: Int, privateUnread: Int, drafts: Int, waitingToBeSent: Int,
        state: String, trouble: String? = nil
    ) {
        self.groups = groups
        self.inboxUnread = inboxUnread
        self.allUnread = allUnread
        self.privateUnread = privateUnread
        self.drafts = drafts
        self.waitingToBeSent = waitingToBeSent
        self.state = state
        self.trouble = trouble
    }
}

/// Exceptions worth a mark. What is normal has none.
package enum MessageMark: Hashable, Sendable {
    case unknownKey
    case keyChanged(since: WallTime)
    case notSigned
    /// What is wrong with its signature, as a sentence without its full stop.
    case signature(String)
    case notEncryptedOnTheWay
    /// The sender's name can be taken for that of this person, who has another key.
    case looksLike(String)
    /// The sender's name is an address that is not theirs.
    case nameIsAddress
    /// Something invisible was taken out of its subject, names or file names.
    case hiddenCharacters
    /// It bears the node's name and was not proven to come from it; why, as a sentence.
    case notTheNodes(String)
    /// A classical key was among those that it was sealed to on its way.
    case notPostQuantum
    /// The roster that it was sealed for is not what it should be; why, as a sentence without its full stop.
    case readersInDoubt(String)
}

/// How far a message of one's own has come.
package enum SentState: Hashable, Sendable {
    case waiting
    /// Until the person decides on the new keys of these people.
    case held(for: String)
    case atNode
    /// What the node said of the readers' copies; `words` says it of each by name.
    case fetched(by: Int, of: Int, words: String = "")
    /// The reason in words and what to do.
    case failed(String)
}

/// One row of a list.
package struct ThreadRowModel: Hashable, Sendable {
    package var id: String
    /// Distinct senders' names, newest last.
    package var senders: [String]
    package var messageCount: Int
    package var subject: String
    package var snippet: String
    /// The group's name; nil for private mail.
    package var group: String?
    package var time: WallTime
    package var isUnread: Bool
    package var hasAttachment: Bool
    package var isMuted: Bool
    package var isStarred: Bool
    /// Only for threads of which the last message is ours.
    package var sent: SentState?
    /// Some message of it is not what it says it is.
    package var isDoubtful: Bool

    package init(
        id: String, senders: [String], messageCount: Int, subject: String, snippet: String, group: String?, time: WallTime,
        isUnread: Bool = false, hasAttachment: Bool = false, isMuted: Bool = false, isStarred: Bool = false,
        sent: SentState? = nil, isDoubtful: Bool = false
    ) {
        self.isDoubtful = isDoubtful
        self.id = id
        self.senders = senders
        self.messageCount = messageCount
        self.subject = subject
        self.snippet = snippet
        self.group = group
        self.time = time
        self.isUnread = isUnread
        self.hasAttachment = hasAttachment
        self.isMuted = isMuted
        self.isStarred = isStarred
        self.sent = sent
    }
}

/// One page of a list.
package struct ThreadListModel: Hashable, Sendable {
    /// The group's name where the folder is a group.
    package var name: String?
    package var rows: [ThreadRowModel]
    /// Cursors of the neighbouring pages; nil at the ends. Letters and digits.
    package var newer: String?
    package var older: String?
    /// Place of the first row, counted from one, and the number of threads.
    package var first: Int
    package var total: Int

    package init(
        name: String? = nil, rows: [ThreadRowModel], newer: String? = nil, older: String? = nil, first: Int = 1, total: Int
    ) {
        self.name = name
        self.rows = rows
        self.newer = newer
        self.older = older
        self.first = first
        self.total = total
    }
}

/// A file at a message.
package struct AttachmentModel: Hashable, Sendable {
    package var id: String
    package var name: String
    package var size: Int
    /// What it is by our own look at it, and what the sender says it is, in lower case.
    package var kind: ContentKind
    package var declaredType: String

    package init(id: String, name: String, size: Int, kind: ContentKind = .unknown, declaredType: String = "") {
        self.id = id
        self.name = name
        self.size = size
        self.kind = kind
        self.declaredType = declaredType
    }
}

/// A file's bytes, to be saved by the browser.
package struct AttachmentContent: Hashable, Sendable {
    package var name: String
    package var bytes: [UInt8]
    /// In lower case; a claim.
    package var declaredType: String

    package init(name: String, bytes: [UInt8], declaredType: String = "") {
        self.name = name
        self.bytes = bytes
        self.declaredType = declaredType
    }
}

/// One message of a thread.
package struct MessageModel: Hashable, Sendable {
    package var id: String
    package var senderName: String
    package var senderAddress: String
    /// Everybody it went to, as text.
    package var recipients: [String]
    package var messageID: String
    package var time: WallTime
    /// Plain text with LF line ends; lines that start with `>` are folded as quotes.
    package var body: String
    /// That it has a formatted version too.
    package var formatted: FormattedOffer?
    package var isUnread: Bool
    package var isOwn: Bool
    /// Depth of the answer, for the indent.
    package var depth: Int
    package var marks: [MessageMark]
    package var attachments: [AttachmentModel]
    /// Only for messages of one's own.
    package var sent: SentState?
    /// What the node could see of it, as sentences; nil where that is not known.
    package var nodeWords: String?
    /// Who could read it, in words; nil where that is not the node's to say.
    package var readers: String?
    /// What its signature is worth, in words; nil where there is nothing to say.
    package var signature: String?
    /// Whose keys it is about.
    package var people: [PersonLink]
    /// What holds of it otherwise, as name and sentence.
    package var truths: [MessageTruth]
    /// The message of the same page that it answers, by id.
    package var answers: String?

    package init(
        id: String, senderName: String, senderAddress: String, recipients: [String] = [], messageID: String = "",
        time: WallTime, body: String, isUnread: Bool = false, isOwn: Bool = false, depth: Int = 0,
        marks: [MessageMark] = [], attachments: [AttachmentModel] = [], sent: SentState? = nil, nodeWords: String? = nil,
        readers: String? = nil, signature: String? = nil, people: [PersonLink] = [],
        truths: [MessageTruth] = [], answers: String? = nil
    ) {
        self.truths = truths
        self.answers = answers
        self.id = id
        self.senderName = senderName
        self.senderAddress = senderAddress
        self.recipients = recipients
        self.messageID = messageID
        self.time = time
        self.body = body
        self.isUnread = isUnread
        self.isOwn = isOwn
        self.depth = depth
        self.marks = marks
        self.attachments = attachments
        self.sent = sent
        self.nodeWords = nodeWords
        self.readers = readers
        self.signature = signature
        self.people = people
    }
}

/// One thing that holds of a message, said on request.
package struct MessageTruth: Hashable, Sendable {
    package var name: String
    package var words: String

    package init(_ name: String, _ words: String) {
        self.name = name
        self.words = words
    }
}

/// Something that happened to a thread's group.
package struct ThreadEventModel: Hashable, Sendable {
    /// Index of the message that it stands in front of; the number of messages for what came after all of them.
    package var place: Int
    package var time: WallTime
    /// A sentence without its full stop.
    package var text: String
    package var isAlarming: Bool

    package init(place: Int, time: WallTime, text: String, isAlarming: Bool = false) {
        self.place = place
        self.time = time
        self.text = text
        self.isAlarming = isAlarming
    }
}

/// A thread with everything on its page.
package struct ThreadModel: Hashable, Sendable {
    package var id: String
    package var subject: String
    /// The group's id and name; nil for private mail.
    package var group: GroupModel?
    /// Everybody who can read it, as text.
    package var readers: [String]
    package var messages: [MessageModel]
    package var events: [ThreadEventModel]
    /// What this person, as an owner of the group, has not confirmed yet.
    package var unconfirmed: UnconfirmedRosterModel?
    package var isStarred = false
    package var isArchived = false
    package var isMuted = false
    /// It is what was thrown away of a thread.
    package var isTrashed = false
    /// Ids of the threads beside it in its list.
    package var newer: String?
    package var older: String?
    /// How many messages there are before and after these, and the cursors of their pages.
    package var earlier: ThreadPart?
    package var later: ThreadPart?

    package init(
        id: String, subject: String, group: GroupModel?, readers: [String], messages: [MessageModel],
        events: [ThreadEventModel] = [], unconfirmed: UnconfirmedRosterModel? = nil
    ) {
        self.events = events
        self.unconfirmed = unconfirmed
        self.id = id
        self.subject = subject
        self.group = group
        self.readers = readers
        self.messages = messages
    }
}

/// Which messages of a long thread a page shows.
package enum ThreadWindow: Hashable, Sendable {
    /// Where there is something new, or at the end.
    case here
    /// From a cursor on, as a page before gave it.
    case from(String)
    /// Everything, up to a thousand, and nothing counts as read: to be printed.
    case whole
}

/// Messages of a thread that are on another page.
package struct ThreadPart: Hashable, Sendable {
    package var cursor: String
    package var count: Int

    package init(cursor: String, count: Int) {
        self.cursor = cursor
        self.count = count
    }
}

/// A roster that waits for an owner's word.
package struct UnconfirmedRosterModel: Hashable, Sendable {
    /// In hexadecimal; names the roster that was looked at.
    package var hash: String
    package var number: UInt64
    /// What has changed since an owner last confirmed, in sentences without full stops.
    package var changes: [String]

    package init(hash: String, number: UInt64, changes: [String]) {
        self.hash = hash
        self.number = number
        self.changes = changes
    }
}

/// Which message is answered, and to whom.
package struct ReplyTarget: Hashable, Sendable {
    package enum Audience: String, Hashable, Sendable {
        /// Everybody who could read the message.
        case all
        /// Only who wrote it.
        case author
    }

    package var message: String
    package var audience: Audience

    package init(message: String, audience: Audience) {
        self.message = message
        self.audience = audience
    }
}

/// One choice of the recipients' field.
package struct RecipientChoice: Hashable, Sendable {
    /// What is put into the field: an address or a group's name.
    package var value: String
    package var label: String

    package init(value: String, label: String) {
        self.value = value
        self.label = label
    }
}

/// What a write form holds.
package struct DraftFields: Hashable, Sendable {
    /// As typed: names and addresses with commas between.
    package var recipients: String
    package var subject: String
    /// Plain text with LF line ends.
    package var body: String
    /// Files added by this form, beside those the draft has.
    package var uploads: [HTTPUpload]
    /// Ids of the draft's files to take away.
    package var removals: [String]
    /// True when the person has seen the warnings and sends anyway.
    package var sendsAnyway: Bool

    package init(
        recipients: String = "", subject: String = "", body: String = "", uploads: [HTTPUpload] = [],
        removals: [String] = [], sendsAnyway: Bool = false
    ) {
        self.recipients = recipients
        self.subject = subject
        self.body = body
        self.uploads = uploads
        self.removals = removals
        self.sendsAnyway = sendsAnyway
    }
}

/// Why a draft was not sent, at the field where it can be mended.
package struct DraftProblem: Hashable, Sendable {
    package enum Field: String, Hashable, Sendable {
        case recipients
        case subject
        case body
        case attachments
    }

    package var field: Field
    package var text: String
    /// A warning that "Send anyway" passes over.
    package var isWarning: Bool

    package init(field: Field, text: String, isWarning: Bool = false) {
        self.field = field
        self.text = text
        self.isWarning = isWarning
    }
}

/// A draft as the write page shows it.
package struct DraftModel: Hashable, Sendable {
    package var id: String
    package var fields: DraftFields
    package var attachments: [AttachmentModel]
    package var problems: [DraftProblem]
    /// Who will be able to read it, in words such as "visible to 7 people"; empty when not known yet.
    package var audience: String
    /// Those for whose new keys it will wait.
    package var waits: [PersonLink]
    /// The thread it answers; nil for a new one.
    package var thread: String?
    /// The id of the group it goes to, for the band's colour; nil for private mail.
    package var group: String?
    package var savedAt: WallTime?

    package init(
        id: String, fields: DraftFields, attachments: [AttachmentModel] = [], problems: [DraftProblem] = [],
        audience: String = "", waits: [PersonLink] = [], thread: String? = nil, group: String? = nil,
        savedAt: WallTime? = nil
    ) {
        self.id = id
        self.fields = fields
        self.attachments = attachments
        self.problems = problems
        self.audience = audience
        self.waits = waits
        self.thread = thread
        self.group = group
        self.savedAt = savedAt
    }
}
