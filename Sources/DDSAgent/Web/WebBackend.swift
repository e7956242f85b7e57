// What the page needs of the agent: everything it shows and everything it may ask for. The page knows no store, no keys.

package import DDSCore
package import DDSLoop

/// What became of a passphrase.
package enum UnlockOutcome: Hashable, Sendable {
    case opened
    /// No key file and a wrong passphrase give the same, after the same time.
    case refused
    /// The key may have opened, but the agent cannot; the sentence says why.
    case failed(String)
}

/// What became of a message handed in for sending.
package enum SendOutcome: Hashable, Sendable {
    /// It is in the outbox; `thread` is the page that shows it, nil when there is none yet. With `undo` it goes out after so many
    /// seconds, and the handle takes it back until then. Sending the same draft again gives the same answer and sends nothing.
    case queued(thread: String?, undo: UndoOffer? = nil)
    /// Nothing was sent; the draft is kept with `problems`, which `draft` then returns.
    case refused
}

/// How a message that waits a little can be taken back.
package struct UndoOffer: Hashable, Sendable {
    package var handle: String
    package var seconds: Int

    package init(handle: String, seconds: Int) {
        self.handle = handle
        self.seconds = seconds
    }
}

/// What the page hears of without asking.
package enum WebEvent: Hashable, Sendable {
    /// Counts of unread messages: in the inbox, and by folder.
    case unread(total: Int, folders: [FolderReference: Int])
    /// The state of fetching and sending, as a line to show.
    case state(String)
    case locked
}

/// The agent behind the page. Ids are opaque texts of letters and digits, made by the agent; an id that is not known gives nil.
/// Texts in the models are as they came: hostile. All calls are made on the loop; whatever takes long is awaited.
@LoopActor
package protocol WebBackend: AnyObject {
    var isLocked: Bool { get }
    /// Who this is, for the unlock page; nil when that is not to be shown while locked.
    var identityWhenLocked: String? { get }
    /// Opens the key. Called for one passphrase at a time.
    func unlock(passphrase: Redacted<[UInt8]>) async -> UnlockOutcome
    /// Wipes the key. Must come back as `WebEvent.locked`, as every other lock does.
    func lock() async
    /// A page was asked for: the idle lock starts over.
    func noteActivity()
    var settings: any SettingsBackend { get }

    /// The sidebar and the state of the node, for every page's frame.
    func frame() async -> FrameModel
    /// Up to 50 threads of a folder, newest activity first; `cursor` as a page before gave it. Nil for an unknown folder.
    func list(_ folder: FolderReference, cursor: String?) async -> ThreadListModel?
    /// A thread, oldest message first, at most a hundred of them. Nil when unknown. What is shown counts as read afterwards.
    func thread(_ id: String, _ window: ThreadWindow) async -> ThreadModel?
    /// What is known of a person's key. Nil when unknown.
    func person(_ id: String) async -> PersonModel?
    /// Carries out what was said about a person's key, and says what came of it in a sentence. `fingerprint` is what the form showed,
    /// or what was typed.
    func decide(person id: String, _ choice: PersonChoice, fingerprint: String) async -> String
    /// Confirms, as an owner, who is in a group: the roster with this hash, which the form showed. Says what came of it in a sentence.
    func confirm(roster hash: String) async -> String
    /// A message's formatted version. Nil when there is none, or none that can be shown.
    func formatted(_ message: String) async -> FormattedMessage?
    /// A message as it was sent. Nil when unknown.
    func source(_ message: String) async -> SourceModel?
    /// A file of a message. Nil when unknown.
    func attachment(_ id: String) async -> AttachmentContent?
    /// Looks for something, and returns a handle for what was found; nil when the agent is locked.
    func search(_ text: String) async -> String?
    /// A page of what was found. Nil when the handle is not known any more.
    func results(_ handle: String, cursor: String?) async -> SearchModel?
    /// Does something with threads.
    func act(_ action: ThreadAction, on threads: [String]) async -> ActionOutcome
    /// Marks everything in the folder as read.
    func readAll(in folder: FolderReference) async -> ActionOutcome
    /// Marks a message and what came after it in its thread as unread.
    func unread(from message: String) async -> ActionOutcome
    /// Erases what is in the trash for ever, and says in a sentence what came of it.
    func emptyTrash() async -> String
    /// Takes back what `handle` stands for.
    func undo(_ handle: String) async -> UndoOutcome

    /// Makes a draft that answers a message and returns its id; nil when the message is unknown.
    func newDraft(replyTo: ReplyTarget) async -> String?
    /// Makes a draft that passes a message on, with its files.
    func newDraft(forwarding message: String) async -> String?
    /// A draft with the problems its last sending had; nil when unknown or sent.
    func draft(_ id: String) async -> DraftModel?
    /// What the recipients' field offers.
    func recipients() async -> [RecipientChoice]
    /// Keeps `fields` under the id, new or known. False when it is sent already or cannot be kept.
    func save(draft id: String, _ fields: DraftFields) async -> Bool
    /// Keeps the draft and hands it to the outbox.
    func send(draft id: String, _ fields: DraftFields) async -> SendOutcome
    func discard(draft id: String) async
    /// A form that came after the lock: kept sealed and offered as a draft after the next unlock.
    func shelter(draft id: String, _ fields: DraftFields) async

    /// Calls `hear` for every event until the subscription is ended. Calls come on a later turn of the loop.
    func subscribe(_ hear: @escaping @LoopActor (WebEvent) -> Void) -> WebSubscription
    func unsubscribe(_ subscription: WebSubscription)
}

/// Names one listener of a backend.
package struct WebSubscription: Hashable, Sendable {
    package var number: Int

    package init(number: Int) {
        self.number = number
    }
}
