// An agent without mail, keys or node: enough to drive every screen.

import DDSAgent
import DDSCore
import DDSHTML
import DDSHTTP
import DDSLoop

@LoopActor
final class FakeBackend: WebBackend {
    static let passphrase = "correct horse"

    var isLocked = true
    var identityWhenLocked: String? = "Alice Example · node.example.org"
    var frameModel: FrameModel
    var lists: [FolderReference: ThreadListModel] = [:]
    var threads: [String: ThreadModel] = [:]
    var drafts: [String: DraftModel] = [:]
    var files: [String: AttachmentContent] = [:]
    /// What was asked for, in order.
    private(set) var calls: [String] = []
    private(set) var sent: [DraftFields] = []
    private(set) var sheltered: [String: DraftFields] = [:]
    private var listeners: [WebSubscription: @LoopActor (WebEvent) -> Void] = [:]
    /// When set, an unlock waits for `finishUnlock`.
    var holdsUnlock = false
    private var held: CheckedContinuation<Void, Never>?

    init(frame: FrameModel) {
        frameModel = frame
    }

    func unlock(passphrase: Redacted<[UInt8]>) async -> UnlockOutcome {
        calls.append("unlock")
        if holdsUnlock { await withCheckedContinuation { held = $0 } }
        guard passphrase.exposed == Array(Self.passphrase.utf8) else { return .refused }
        isLocked = false
        return .opened
    }

    func finishUnlock() {
        held?.resume()
        held = nil
    }

    var isUnlockRunning: Bool { held != nil }

    func lock() async {
        isLocked = true
        tell(.locked)
    }

    func tell(_ event: WebEvent) {
        for listener in listeners.values { listener(event) }
    }

    func noteActivity() { calls.append("active") }
    let fakeSettings = FakeSettings()
    var settings: any SettingsBackend { fakeSettings }
    func frame() async -> FrameModel { frameModel }
    func list(_ folder: FolderReference, cursor: String?) async -> ThreadListModel? {
        calls.append("list \(cursor ?? "-")")
        return lists[folder]
    }
    func thread(_ id: String, _ window: ThreadWindow) async -> ThreadModel? {
        calls.append("thread \(window)")
        return threads[id]
    }
    var persons: [String: PersonModel] = [:]
    func person(_ id: String) async -> PersonModel? { persons[id] }
    func decide(person id: String, _ choice: PersonChoice, fingerprint: String) async -> String {
        calls.append("decide \(id) \(choice.rawValue) \(fingerprint)")
        return "Done with <\(id)>."
    }
    func confirm(roster hash: String) async -> String {
        calls.append("confirm \(hash)")
        return "Confirmed <\(hash)>."
    }
    var formatted: [String: FormattedMessage] = [:]
    func formatted(_ message: String) async -> FormattedMessage? { formatted[message] }
    var sources: [String: SourceModel] = [:]
    func source(_ message: String) async -> SourceModel? { sources[message] }
    func attachment(_ id: String) async -> AttachmentContent? { files[id] }
    var searches: [String: SearchModel] = [:]
    func search(_ text: String) async -> String? {
        calls.append("search \(text)")
        searches["found1"] = SearchModel(text: text)
        return "found1"
    }
    func results(_ handle: String, cursor: String?) async -> SearchModel? {
        calls.append("results \(handle) \(cursor ?? "-")")
        return searches[handle]
    }
    func act(_ action: ThreadAction, on threads: [String]) async -> ActionOutcome {
        calls.append("\(action) \(threads.joined(separator: ","))")
        return ActionOutcome(words: "Done.", undo: "undo1")
    }
    func readAll(in folder: FolderReference) async -> ActionOutcome {
        calls.append("allread \(folder)")
        return ActionOutcome(words: "All read.")
    }
    func unread(from message: String) async -> ActionOutcome {
        calls.append("unread from \(message)")
        return ActionOutcome(words: "Done.")
    }
    func emptyTrash() async -> String {
        calls.append("empty")
        return "Erased."
    }
    func undo(_ handle: String) async -> UndoOutcome {
        calls.append("undo \(handle)")
        return UndoOutcome("Taken back.", draft: handle == "sent1" ? "reply1" : nil)
    }
    func newDraft(forwarding message: String) async -> String? {
        calls.append("forward \(message)")
        return "reply1"
    }

    func newDraft(replyTo: ReplyTarget) async -> String? {
        calls.append("reply \(replyTo.message) \(replyTo.audience.rawValue)")
        drafts["reply1"] = DraftModel(
            id: "reply1", fields: DraftFields(recipients: "#board", subject: "Re: Budget 2027"),
            audience: "visible to 7 people",
            thread: "tbudget", group: "gboard")
        return "reply1"
    }

    func draft(_ id: String) async -> DraftModel? { drafts[id] }
    func recipients() async -> [RecipientChoice] { [RecipientChoice(value: "#board", label: "group of 7")] }

    func save(draft id: String, _ fields: DraftFields) async -> Bool {
        calls.append("save \(id)")
        drafts[id] = DraftModel(id: id, fields: fields)
        return true
    }

    func send(draft id: String, _ fields: DraftFields) async -> SendOutcome {
        if fields.recipients.isEmpty {
            drafts[id] = DraftModel(
                id: id, fields: fields, problems: [DraftProblem(field: .recipients, text: "Say who it is for.")])
            return .refused
        }
        sent.append(fields)
        drafts[id] = nil
        return .queued(thread: nil)
    }

    func discard(draft id: String) async { drafts[id] = nil }
    func shelter(draft id: String, _ fields: DraftFields) async { sheltered[id] = fields }

    func subscribe(_ hear: @escaping @LoopActor (WebEvent) -> Void) -> WebSubscription {
        let subscription = WebSubscription(number: listeners.count)
        listeners[subscription] = hear
        return subscription
    }

    func unsubscribe(_ subscription: WebSubscription) { listeners[subscription] = nil }
}

/// A hash for tests: spreads well, resists nobody.
func testHash(_ bytes: [UInt8]) -> [UInt8] {
    var state: [UInt64] = [0xcbf2_9ce4_8422_2325, 0x8422_2325_cbf2_9ce4, 0x1234_5678_9abc_def1, 0x0fed_cba9_8765_4321]
    for byte in bytes {
        for index in state.indices { state[index] = (state[index] ^ UInt64(byte) ^ UInt64(index) << 8) &* 0x100_0000_01b3 }
    }
    return state.flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> UInt64($0 * 8)) } }
}

extension FakeBackend {
    /// Mail as on any day, with the time of `now`.
    static func sample(now: WallTime) -> FakeBackend {
        let groups = [
            GroupModel(id: "ggeneral", name: "general", unread: 12), GroupModel(id: "gboard", name: "board", unread: 1),
            GroupModel(id: "gfamily", name: "family", unread: 0, isMuted: true),
            GroupModel(id: "ggarden", name: "garden-and-tools", unread: 0),
        ]
        let backend = FakeBackend(
            frame: FrameModel(
                groups: groups, inboxUnread: 3, allUnread: 16, privateUnread: 1, drafts: 2, waitingToBeSent: 1,
                state: "Fetched 12:04 from node.example.org"))
        func ago(_ minutes: Int64) -> WallTime { WallTime(milliseconds: now.milliseconds - minutes * 60_000) }
        var rows = [
            ThreadRowModel(
                id: "tbudget", senders: ["Bob Miller", "me"], messageCount: 4, subject: "Budget 2027",
                snippet: "I changed row 7 as we said, please look at the sum once more before Thursday.", group: "board",
                time: ago(12), isUnread: true, hasAttachment: true),
            ThreadRowModel(
                id: "tchen", senders: ["Chen Wei"], messageCount: 1, subject: "New here?",
                snippet: "Hello all, I joined yesterday and would like to know who", group: nil, time: ago(95), isUnread: true),
            ThreadRowModel(
                id: "tcamp", senders: ["Dora", "Emil", "Bob Miller"], messageCount: 12, subject: "Summer camp",
                snippet: "See the list at the end, two tents are missing.", group: "family", time: ago(1500), isMuted: true),
            ThreadRowModel(
                id: "tmine", senders: ["me"], messageCount: 1, subject: "Keys for the shed", snippet: "I left them with Dora.",
                group: nil, time: ago(2900), sent: .fetched(by: 5, of: 7)),
            ThreadRowModel(
                id: "theb", senders: ["דורה לוי"], messageCount: 2, subject: "שלום לכולם", snippet: "מה שלומכם היום?",
                group: "general", time: ago(4400), isUnread: true),
            ThreadRowModel(
                id: "tfail", senders: ["me"], messageCount: 1, subject: "Minutes of the meeting of the board in November",
                snippet: "Attached.", group: "board", time: ago(14000), hasAttachment: true,
                sent: .failed("The node does not know the recipient.")),
        ]
        rows += (0..<6).map {
            ThreadRowModel(
                id: "told\($0)", senders: ["Emil Novák"], messageCount: 1 + $0, subject: "Reading circle, part \($0 + 1)",
                snippet: "The next chapter, with my notes and a question for everybody", group: "general",
                time: ago(20000 + Int64($0) * 9000))
        }
        backend.lists[.inbox] = ThreadListModel(rows: rows, older: "c2", total: 3412)
        backend.lists[.group("gboard")] = ThreadListModel(name: "board", rows: [rows[0], rows[5]], total: 2)
        backend.lists[.privateMail] = ThreadListModel(rows: [], total: 0)
        let body = """
            Hello all,

            I changed row 7 as we said; the rest is as Dora had it. The sum is now 4 180, which leaves a little for the roof.

            > Can you put the travel costs into one row?
            > They are in three places now.
            >
            > Dora

            Done, see row 7. Please look once more before Thursday.
            --\u{20}
            Bob Miller, treasurer
            """
        backend.threads["tbudget"] = ThreadModel(
            id: "tbudget", subject: "Budget 2027", group: groups[1],
            readers: ["Alice Example", "Bob Miller", "Chen Wei", "Dora", "Emil", "Fay", "Gus"],
            messages: [
                MessageModel(
                    id: "m1", senderName: "Dora", senderAddress: "dora@node.example.org", recipients: ["#board"],
                    messageID: "<1@node.example.org>", time: ago(3000), body: "Here is the first version of the budget."),
                MessageModel(
                    id: "m2", senderName: "Alice Example", senderAddress: "alice@node.example.org", recipients: ["#board"],
                    time: ago(1600), body: "Thank you! Can you put the travel costs into one row?", isOwn: true, depth: 1,
                    sent: .fetched(by: 5, of: 7)),
                MessageModel(
                    id: "m3", senderName: "Bob Miller", senderAddress: "bob@node.example.org", recipients: ["#board"],
                    messageID: "<3@node.example.org>", time: ago(200), body: body, isUnread: true, depth: 1,
                    attachments: [AttachmentModel(id: "a1", name: "budget-2027.ods", size: 48_200)]),
                MessageModel(
                    id: "m4", senderName: "Chen Wei", senderAddress: "chen@node.example.org", recipients: ["#board"],
                    time: ago(12), body: "Looks right to me.", isUnread: true, depth: 2,
                    marks: [.keyChanged(since: ago(20000))]),
            ])
        backend.threads["tbudget"]?.messages[3].formatted = FormattedOffer()
        backend.files["a1"] = AttachmentContent(name: "budget \u{202e}sdo.exe", bytes: [1, 2, 3])
        return backend
    }
}
