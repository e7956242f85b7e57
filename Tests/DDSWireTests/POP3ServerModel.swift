// A maildrop in memory that answers POP3 server sessions, and minds the rules of locking that they promise to keep.

import DDSCore
import DDSTestKit
import DDSWire
import Testing

/// The server behind any number of sessions: accounts bob and carol, one maildrop (bob's).
final class POP3ServerModel {
    struct Message: Hashable {
        var uidl: String
        var bytes: [UInt8]
        var item: POP3Item { POP3Item(uidl: uidl, octets: bytes.count) }
    }

    static let key: [UInt8] = Array(repeating: 7, count: 32)
    static let peer = TLSPeer(version: "TLSv1.3", keyHash: key)
    static let peerWithoutKey = TLSPeer(version: "TLSv1.3", keyHash: nil)

    static let fixture = [
        Message(uidl: "id-one", bytes: Array("Subject: one\r\n\r\nfirst\r\n.\r\n.dot\r\nlast line\r\n".utf8)),
        Message(uidl: "id-two", bytes: Array("Subject: 2\r\n\r\nxyz!\r\n".utf8)),
    ]

    /// One connection's view.
    struct View {
        var snapshot: [Message] = []
        var holdsLock = false
        var isClaiming = false
        var releases = 0
    }

    var messages: [Message]
    var views: [Int: View] = [:]
    /// Octets handed out per question.
    var pieceOctets = 7
    /// UIDLs in the order in which they were erased.
    var erased: [String] = []
    var questions: [POP3ServerQuestion] = []
    /// Questions that stay without an answer.
    var isHeldBack: (POP3ServerQuestion) -> Bool = { _ in false }
    var eraseFails = false
    /// What the node says about its store; nil when it cannot.
    var head: String? = "00ff 7 c2lnbmF0dXJl"
    var stopsAsked = 0
    /// Messages that RETR gave out whole.
    var retrieved: [Int] = []
    /// What is set besides what a harness sets by itself.
    var configure: (inout POP3ServerConfiguration) -> Void = { _ in }

    init(_ messages: [Message] = POP3ServerModel.fixture) {
        self.messages = messages
    }

    var isLocked: Bool { views.values.contains { $0.holdsLock } }

    /// A harness whose questions this model answers as connection `number`.
    func harness(_ number: Int = 0, tls: POP3ServerConfiguration.TLSMode = .implicit) -> SessionHarness<POP3ServerSession> {
        views[number] = View()
        var configuration = POP3ServerConfiguration(hostName: "mail.test", tls: tls)
        configuration.extraCapabilities = ["XDDS-IDENTITY a2V5"]
        configure(&configuration)
        return SessionHarness(
            POP3ServerSession(configuration: configuration),
            perform: { self.perform($0, number) }, answer: { self.answer($0, number) })
    }

    /// A harness behind TLS and a login.
    func loggedIn(_ number: Int = 0) -> SessionHarness<POP3ServerSession> {
        var harness = harness(number)
        harness.start(peer: Self.peer)
        harness.receive("AUTH EXTERNAL =\r\n")
        _ = harness.takeOutput()
        return harness
    }

    func answer(_ question: POP3ServerQuestion, _ number: Int) -> POP3ServerAnswer? {
        if isHeldBack(question) {
            switch question {
            case .authenticate, .wait: views[number]?.isClaiming = true
            case .body, .erase, .pause, .head: break
            }
            return nil
        }
        questions.append(question)
        switch question {
        case .authenticate(let credentials, let peer): return login(credentials, peer, number)
        case .wait: return lock(number)
        case .pause: return .proceed
        case .head: return head.map { .head($0) } ?? .unavailable("the disk is tired")
        case .body(let index, let offset):
            guard let view = views[number], view.holdsLock else { return .gone }
            let bytes = view.snapshot[index].bytes
            let end = min(bytes.count, offset + pieceOctets)
            return .bytes(Array(bytes[offset..<end]), isLast: end == bytes.count)
        case .erase(let indices):
            guard let view = views[number] else { return .eraseFailed }
            #expect(view.holdsLock, "only the holder of the lock erases")
            views[number]?.holdsLock = false
            if eraseFails { return .eraseFailed }
            for index in indices {
                let uidl = view.snapshot[index].uidl
                #expect(messages.contains { $0.uidl == uidl }, "nothing is erased twice")
                messages.removeAll { $0.uidl == uidl }
                erased.append(uidl)
            }
            return .erased
        }
    }

    private func login(_ credentials: Credentials, _ peer: TLSPeer?, _ number: Int) -> POP3ServerAnswer {
        switch credentials {
        case .external(let authzid):
            guard peer?.keyHash == Self.key, authzid == nil || authzid == "bob" else { return .refused }
        case .plain(let authzid, let authcid, let password):
            guard authzid ?? "bob" == "bob", authcid == "bob", password.exposed == Array("secret word".utf8) else {
                return .refused
            }
        }
        return lock(number)
    }

    /// What a login or the end of a wait gets.
    func lock(_ number: Int) -> POP3ServerAnswer {
        guard !isLocked else { return .inUse }
        views[number]?.isClaiming = false
        views[number]?.holdsLock = true
        views[number]?.snapshot = messages
        return .maildrop(messages.map(\.item))
    }

    func perform(_ effect: POP3ServerEffect, _ number: Int) {
        switch effect {
        case .stopWaiting: stopsAsked += 1
        case .retrieved(let index): retrieved.append(index)
        case .releaseMaildrop:
            let view = views[number] ?? View()
            #expect(view.holdsLock || view.isClaiming, "only what is held or claimed is released")
            views[number]?.holdsLock = false
            views[number]?.isClaiming = false
            views[number]?.releases += 1
        }
    }
}
