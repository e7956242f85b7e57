// A mail program's IMAP session over the local store: login, which mailbox it looks at, and what it is told of mailboxes and
// messages. What it changes is in IMAPHandler+Changes and IMAPHandler+Append, what it looks for in IMAPHandler+Search.

import DDSBus
import DDSCore
import DDSLoop
import DDSNode
import DDSSpool
import DDSWire
import Logging

@LoopActor final class IMAPHandler: SessionHandler, GatewaySession {
    typealias Machine = IMAPServerSession

    private let desk: GatewayDesk
    private let session: String
    var agent: Agent { desk.agent }
    var folders: FolderDesk { desk.folders }
    /// The store that was open at the login. Another one is another session's.
    private var store: MessageStore?
    /// What the session looks at.
    private(set) var selected: IMAPFolder?
    private var wait: MailboxWait?
    /// True while a program waits for changes, as in IDLE.
    var isWaiting: Bool { wait != nil }
    private var isStopAsked = false
    private var isGone = false
    private(set) var isFinishing = false

    init(desk: GatewayDesk, session: String) {
        self.desk = desk
        self.session = session
    }

    /// The open store, while it is the one that this session logged in to.
    var openStore: MessageStore? {
        guard let store, agent.unlocked?.store === store else { return nil }
        return store
    }

    func answer(_ question: IMAPServerQuestion) async -> IMAPServerAnswer {
        isFinishing = question.isChange
        defer { isFinishing = false }
        do throws(FolderDesk.Problem) {
            switch question {
            case .pause: return .proceed
            case .authenticate(let credentials, _): return authenticate(credentials)
            case .wait(let version): return await waitForChange(since: version)
            case .mailboxes:
                guard openStore != nil else { throw .locked }
                return .mailboxes(folders.mailboxes)
            case .status(let name): return .status(try await folders.status(try folder(name)))
            case .open(let name): return .view(try await open(name))
            case .refresh(let version):
                let view = try await view().view
                return view.version == version ? .unchanged : .view(view)
            case .bodies(let uids, let reading): return .bodies(try await messages(uids, reading))
            case .store(let uids, let change, let limit):
                return try await mark(uids, change, unchangedSince: limit)
            case .append(let name, let flags, let date, let octets):
                return try await append(octets, to: try target(name), flags, date)
            case .mayAppend(let name, let octets): return try mayAppend(octets, to: try target(name))
            case .copy(let uids, let name): return try await copy(uids, to: try target(name))
            case .move(let uids, let name): return try await move(uids, to: try target(name))
            case .expunge(let uids): return .view(try await expunge(uids))
            case .search(let key): return .found(try await search(key))
            case .sort(let order, let key): return .found(try await sort(order, key))
            case .thread(let key): return .threads(try await thread(key))
            case .manage(let management): return try await manage(management)
            }
        } catch {
            switch error {
            case .locked: return .unavailable(GatewayDesk.lockedWords)
            case .refused(let refusal): return .declined(refusal)
            }
        }
    }

    func perform(_ effect: IMAPServerEffect) {
        switch effect {
        case .stopWaiting:
            // A line that came together with IDLE ends it before it has been asked here.
            isStopAsked = true
            wait?.stop()
        case .closeMailbox: look(at: nil)
        }
    }

    func sessionEnded(_ summary: SessionSummary) {
        isGone = true
        wait?.stop()
        look(at: nil)
        store = nil
        desk.sessionEnded(.imap, summary)
    }

    private func authenticate(_ credentials: Credentials) -> IMAPServerAnswer {
        switch desk.login(credentials) {
        case .locked: return .unavailable(GatewayDesk.lockedWords)
        // A group is a mailbox here, and no user.
        case .refused, .member(.group, _): return .refused
        case .member(.inbox, let password):
            store = agent.unlocked?.store
            desk.loggedIn(session, with: password)
            return .authenticated(name: "\(agent.account.address)")
        }
    }

    // MARK: Mailboxes

    private func look(at folder: IMAPFolder?) {
        if let selected { folders.ended(selected) }
        selected = folder
        if let folder { folders.began(folder) }
    }

    private func folder(_ name: String) throws(FolderDesk.Problem) -> IMAPFolder {
        guard openStore != nil else { throw .locked }
        guard let folder = folders.folder(name) else {
            throw .refused(IMAPRefusal("NONEXISTENT", "There is no such mailbox"))
        }
        return folder
    }

    /// Where something is put. Nobody can make mailboxes, so no remedy is named (RFC 9051 7.1, TRYCREATE).
    private func target(_ name: String) throws(FolderDesk.Problem) -> IMAPFolder { try folder(name) }

    private func open(_ name: String) async throws(FolderDesk.Problem) -> IMAPView {
        look(at: try folder(name))
        do throws(FolderDesk.Problem) {
            return try await view().view
        } catch {
            look(at: nil)
            throw error
        }
    }

    /// The mailbox that the session looks at, as it is now.
    func view() async throws(FolderDesk.Problem) -> FolderView {
        guard openStore != nil else { throw .locked }
        guard let selected else { throw .refused(IMAPRefusal("CLIENTBUG", "No mailbox is open")) }
        return try await folders.view(selected)
    }

    // MARK: Messages

    private func messages(_ uids: [UInt32], _ reading: IMAPReading) async throws(FolderDesk.Problem) -> [MIMEMessage?] {
        let bodies = try await bodies(uids)
        let octets = bodies.reduce(0) { $0 + ($1?.count ?? 0) }
        let messages = await Loop.offload(when: octets > Heavy.octetsMax) { bodies.map { $0.map { reading.message($0) } } }
        guard openStore != nil else { throw .locked }
        return messages
    }

    /// Whole messages of the open mailbox, nil for what is gone or cannot be read.
    func bodies(_ uids: [UInt32]) async throws(FolderDesk.Problem) -> [[UInt8]?] {
        guard let store = openStore, let selected else { throw .locked }
        guard case .mail = selected else {
            var found: [[UInt8]?] = []
            for draft in drafts(uids) {
                if let draft { found.append(await agent.octets(of: draft)) } else { found.append(nil) }
            }
            guard openStore === store else { throw .locked }
            return found
        }
        let ids = await ids(uids, store)
        let messages = await store.given(ids.compactMap { $0 })
        guard openStore === store else { throw .locked }
        var next = messages[...]
        return ids.map { $0 == nil ? nil : next.popFirst() ?? nil }
    }

    /// The messages with these numbers in the open mailbox; nil for what is gone.
    func ids(_ uids: [UInt32], _ store: MessageStore) async -> [String?] {
        guard case .mail(let folder)? = selected else { return uids.map { _ in nil } }
        let index = await folders.current(store)
        let rows = index.rows(of: folder)
        return uids.map { uid in rows.row(uid).map { index.table.id(rows.places[$0]) } }
    }

    func drafts(_ uids: [UInt32]) -> [Draft?] {
        let known = Dictionary(
            (agent.unlocked?.drafts.numbered ?? []).map { ($0.number, $0.draft) }, uniquingKeysWith: { $1 })
        return uids.map { known[UInt64($0)] }
    }

    // MARK: Others

    private func manage(_ management: IMAPManagement) async throws(FolderDesk.Problem) -> IMAPServerAnswer {
        guard openStore != nil else { throw .locked }
        let words = "There is one mailbox for each group and a few that are always there; nobody can make, remove or rename one"
        switch management {
        case .create(let name):
            if folders.folder(name) != nil || name == IMAPFolder.groupsName {
                throw .refused(IMAPRefusal("ALREADYEXISTS", "This mailbox is there"))
            }
            throw .refused(IMAPRefusal("CANNOT", words))
        case .delete, .rename: throw .refused(IMAPRefusal("CANNOT", words))
        case .subscribe(let name):
            let folder = try folder(name)
            try await keep { $0.remove(folder.name) }
        case .unsubscribe(let name):
            // What is not there is not subscribed to.
            if let folder = folders.folder(name) { try await keep { $0.insert(folder.name) } }
        }
        return .done
    }

    private func keep(_ change: (inout Set<String>) -> Void) async throws(FolderDesk.Problem) {
        do throws(SpoolError) {
            try await agent.unlocked?.settings.change { settings in
                var left = settings.unsubscribedMailboxes
                change(&left)
                settings.unsubscribedMailboxes = left
            }
        } catch {
            throw trouble("subscription not kept", error)
        }
    }

    /// What the spool said, for the log, and for the mail program in its words.
    func trouble(_ what: String, _ error: SpoolError) -> FolderDesk.Problem {
        guard openStore != nil else { return .locked }
        agent.services.log.error("imap: \(what)", metadata: ["error": "\(error)"])
        return switch error {
        case .full: .refused(IMAPRefusal("OVERQUOTA", "The disk is full; free some space and try again"))
        case .tooLarge: .refused(IMAPRefusal("LIMIT", "That is more than can be kept at once"))
        case .noSuchRecord, .damaged, .stopped:
            .refused(IMAPRefusal("SERVERBUG", "The local store has a problem, see: ddsnode status"))
        }
    }

    /// The store was changed: the page and other sessions hear of it. The idle lock does not: mail programs mark and file by
    /// themselves.
    func changed(_ store: MessageStore) {
        agent.noteChange(of: store)
    }

    // MARK: Waiting

    private func waitForChange(since version: UInt64?) async -> IMAPServerAnswer {
        let wait = MailboxWait()
        self.wait = wait
        defer {
            self.wait = nil
            isStopAsked = false
        }
        if isStopAsked || isGone || openStore == nil { return .changed }
        let bus = agent.services.bus
        let subscription = bus.subscribe([.store, .outbox, .mail]) { _ in wait.stop() }
        // Nobody tells of what has come since the session was told last and before it was subscribed here. Of a mailbox that
        // cannot be told any more the session hears when it asks.
        if let version, (try? await view())?.view.version != version { wait.stop() }
        await wait.ended()
        bus.unsubscribe(subscription)
        return .changed
    }
}

extension IMAPServerQuestion {
    /// Something of it will be on the disk when it is answered.
    fileprivate var isChange: Bool {
        switch self {
        case .store, .append, .copy, .move, .expunge, .manage: true
        case .authenticate, .mailboxes, .status, .open, .refresh, .bodies, .mayAppend, .search, .sort, .thread, .wait, .pause:
            false
        }
    }
}

/// Something that one caller waits for.
@LoopActor private final class MailboxWait {
    private var isOver = false
    private var continuation: CheckedContinuation<Void, Never>?

    func stop() {
        isOver = true
        continuation?.resume()
        continuation = nil
    }

    func ended() async {
        await withCheckedContinuation { waiting in
            if isOver { waiting.resume() } else { continuation = waiting }
        }
    }
}
