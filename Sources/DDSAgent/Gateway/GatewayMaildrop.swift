// A mail program's POP3 session: the snapshot of a mailbox of the store, messages as their authors wrote them, and the marks
// that it shares with the page. What is fetched is read; what is deleted goes to the trash.

import DDSCore
import DDSLoop
import DDSNode
import DDSSpool
import DDSWire
import Logging

@LoopActor final class GatewayMaildrop: SessionHandler, GatewaySession {
    typealias Machine = POP3ServerSession

    /// Octets of a message that go to the peer at a time.
    private static let pieceOctets = 128 << 10
    /// Messages that are marked as read together.
    private static let markedAtOnce = 50

    private let desk: GatewayDesk
    private let session: String
    private var store: MessageStore?
    private var mailbox: GatewayMailbox?
    private var isErasing = false
    var isFinishing: Bool { isErasing }
    private var isGone = false
    /// The snapshot, oldest first.
    private var ids: [String] = []
    private var reading: (index: Int, message: [UInt8])?
    /// Given out whole, and not marked yet.
    private var retrieved: [String] = []
    private var isMarking = false

    init(desk: GatewayDesk, session: String) {
        self.desk = desk
        self.session = session
    }

    func answer(_ question: POP3ServerQuestion) async -> POP3ServerAnswer {
        switch question {
        case .authenticate(let credentials, _): await authenticate(credentials)
        case .body(let index, let offset): await body(index, offset)
        case .erase(let indices): await erase(indices)
        case .wait, .head: .unavailable("only a node can do that")
        case .pause: .proceed
        }
    }

    func perform(_ effect: POP3ServerEffect) {
        switch effect {
        case .releaseMaildrop: release()
        case .stopWaiting: break
        case .retrieved(let index):
            retrieved.append(ids[index])
            markRetrieved()
        }
    }

    func sessionEnded(_ summary: SessionSummary) {
        isGone = true
        reading = nil
        release()
        desk.sessionEnded(.pop3, summary)
    }

    private func release() {
        guard let mailbox, !isErasing else { return }
        self.mailbox = nil
        desk.release(mailbox)
    }

    /// The store that this session logged in to, while it is open.
    private var openStore: MessageStore? {
        guard let store, desk.agent.unlocked?.store === store else { return nil }
        return store
    }

    // MARK: Login

    private func authenticate(_ credentials: Credentials) async -> POP3ServerAnswer {
        switch desk.login(credentials) {
        case .locked: return .unavailable(GatewayDesk.lockedWords)
        case .refused: return .refused
        case .member(let mailbox, let password):
            guard let store = desk.agent.unlocked?.store, !isGone else { return .unavailable(GatewayDesk.lockedWords) }
            guard desk.lease(mailbox) else { return .inUse }
            self.mailbox = mailbox
            self.store = store
            desk.loggedIn(session, with: password)
            let items = await snapshot(of: mailbox, in: store)
            if isGone { release() }
            guard openStore != nil else {
                release()
                return .unavailable(GatewayDesk.lockedWords)
            }
            return .maildrop(items)
        }
    }

    private func snapshot(of mailbox: GatewayMailbox, in store: MessageStore) async -> [POP3Item] {
        let found = await store.withItems { items in
            items.all.filter { mailbox.holds($0, of: items) }.map { (id: items.id($0), octets: items.givenSize($0)) }
        }
        // What cannot be read is kept, and in no maildrop.
        let learnt = await desk.folders.sizes.octets(of: found.filter { $0.octets == nil }.map(\.id), in: store)
        let items = await Loop.offload(when: found.count > 1000) {
            found.compactMap { message in
                (message.octets ?? learnt[message.id]).map { POP3Item(uidl: message.id, octets: $0) }
            }
        }
        ids = items.map(\.uidl)
        return items
    }

    // MARK: Messages

    private func body(_ index: Int, _ offset: Int) async -> POP3ServerAnswer {
        guard let store = openStore, ids.indices.contains(index) else { return .gone }
        if reading?.index != index || offset == 0 {
            guard let message = await store.given(ids[index]) else { return .gone }
            reading = (index, message)
        }
        guard let message = reading?.message, offset <= message.count, openStore != nil else { return .gone }
        let end = min(offset + Self.pieceOctets, message.count)
        if end == message.count { reading = nil }
        return .bytes(Array(message[offset..<end]), isLast: end == message.count)
    }

    /// Marks what was given out as read; what comes meanwhile is marked together.
    private func markRetrieved() {
        guard !isMarking else { return }
        isMarking = true
        Loop.spawn(name: "read marks") { [self] in
            while !retrieved.isEmpty, let store = openStore {
                let ids = Array(retrieved.prefix(Self.markedAtOnce))
                retrieved.removeFirst(ids.count)
                do throws(SpoolError) {
                    try await store.update(ids) { $0.isUnread = false }
                    desk.agent.noteChange(of: store)
                } catch {
                    // A full disk is no reason not to give out what is there.
                    if openStore != nil {
                        desk.agent.services.log.error("read mark not kept", metadata: ["error": "\(error)"])
                    }
                }
            }
            isMarking = false
        }
    }

    private func erase(_ indices: [Int]) async -> POP3ServerAnswer {
        isErasing = true
        defer {
            isErasing = false
            release()
        }
        guard let store = openStore else { return .eraseFailed }
        do throws(SpoolError) {
            try await store.trash(indices.map { ids[$0] })
        } catch {
            if openStore != nil { desk.agent.services.log.error("not moved to the trash", metadata: ["error": "\(error)"]) }
            return .eraseFailed
        }
        desk.agent.noteChange(of: store)
        return .erased
    }
}
