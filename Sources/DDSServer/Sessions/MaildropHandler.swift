// A member's POP3 session: the maildrop's snapshot, the wrapper message made of own header and shared payload as it is
// read, and erasure that is durable before it is confirmed.

import DDSBus
import DDSCore
import DDSLoop
import DDSMail
import DDSNode
import DDSSeal
import DDSSpool
import DDSWire
import Logging

@LoopActor final class MaildropHandler: SessionHandler {
    typealias Machine = POP3ServerSession

    private let server: ServerContext
    private let peerHost: String
    private var account: Account?
    private var hasLease = false
    /// An erasure is on its way to the disk: the lease ends with it, even when the client does not wait for it.
    private var isErasing = false
    private var isGone = false
    private var maildrop = Maildrop()
    private var reading: WrappedMessage?
    private var wait: MaildropWait?
    private var isStopAsked = false
    private var cut: OpenSessions.Cut?

    init(server: ServerContext, peerHost: String) {
        self.server = server
        self.peerHost = peerHost
    }

    /// Messages whose sizes are counted in one turn: about a millisecond.
    private static let listedAtOnce = 200

    private static let accountChanged = "your account was changed meanwhile, log in again"

    private var address: MailAddress? { account.flatMap { MailAddress(local: $0.name, domain: server.domain) } }
    private var mailbox: MailboxID { MailboxID(rawValue: account?.mailbox ?? 0) }

    func answer(_ question: POP3ServerQuestion) async -> POP3ServerAnswer {
        switch question {
        case .authenticate(let credentials, let peer): await authenticate(credentials, peer)
        case .body(let index, let offset): await body(index, offset)
        case .erase(let indices): await erase(indices)
        case .wait(let seconds): await waitForMail(seconds)
        case .head: await head()
        case .pause: .proceed
        }
    }

    func perform(_ effect: POP3ServerEffect) {
        switch effect {
        case .releaseMaildrop: release()
        case .stopWaiting:
            // A command that came together with the wait ends it before the wait has been asked here.
            isStopAsked = true
            wait?.stop()
        case .retrieved:
            // What a member's agent has fetched, its erasure says.
            break
        }
    }

    func sessionBegan(cut: @escaping OpenSessions.Cut) { self.cut = cut }

    func sessionEnded(_ summary: SessionSummary) {
        isGone = true
        if let account { server.sessions.ended(self, of: account.mailbox) }
        wait?.stop()
        release()
        reading = nil
        server.sessionEnded("pop3", summary)
    }

    private func release() {
        guard hasLease, !isErasing else { return }
        hasLease = false
        server.book.release(mailbox)
    }

    private func authenticate(_ credentials: Credentials, _ peer: TLSPeer?) async -> POP3ServerAnswer {
        switch await server.login.login(credentials, peer: peer, from: peerHost, protocol: "pop3") {
        case .member(let account):
            self.account = account
            if let cut, !isGone { server.sessions.began(self, of: account.mailbox, cut: cut) }
            return await snapshot()
        case .newcomer, .refused: return .refused
        case .unavailable: return .unavailable("too many logins at once, try again in a few seconds")
        }
    }

    /// Locks the maildrop and lists it.
    private func snapshot() async -> POP3ServerAnswer {
        guard !isGone, let address else { return .unavailable("the session is over") }
        guard server.current(account) != nil else { return .unavailable(Self.accountChanged) }
        guard server.book.lease(mailbox) else { return .inUse }
        hasLease = true
        do throws(SpoolError) {
            maildrop = Maildrop(try await server.spool.entries(in: mailbox))
        } catch {
            release()
            server.services.log.error("maildrop not listed", metadata: ["error": "\(error)"])
            return .unavailable("the node's storage has a problem, try again in a minute")
        }
        let items = await Loop.offload(when: maildrop.entries.count > Self.listedAtOnce) { [maildrop, domain = server.domain] in
            maildrop.entries.map { entry in
                POP3Item(uidl: Maildrop.uidl(entry.uid), octets: WrappedMessage.octets(entry, node: domain, recipient: address))
            }
        }
        if isGone { release() }
        return .maildrop(items)
    }

    private func body(_ index: Int, _ offset: Int) async -> POP3ServerAnswer {
        guard maildrop.entries.indices.contains(index), let address, server.current(account) != nil else { return .gone }
        let entry = maildrop.entries[index]
        do {
            if reading?.uid != entry.uid || reading?.position != offset {
                reading = try await WrappedMessage(entry, node: server.domain, recipient: address, spool: server.spool)
                try await reading?.skip(to: offset)
            }
            guard let reading, reading.position == offset else { return .gone }
            let piece = try await reading.next()
            if reading.isAtEnd { self.reading = nil }
            return .bytes(piece, isLast: reading.isAtEnd)
        } catch {
            server.services.log.error("message not readable", metadata: ["uidl": "\(Maildrop.uidl(entry.uid))", "error": "\(error)"])
            server.services.bus.publish(.spoolProblem(text: "a message could not be read; see the log"))
            return .gone
        }
    }

    private func erase(_ indices: [Int]) async -> POP3ServerAnswer {
        isErasing = true
        defer {
            isErasing = false
            release()
        }
        guard server.current(account) != nil else { return .eraseFailed }
        do throws(SpoolError) {
            _ = try await server.spool.commit(maildrop.erasing(indices))
        } catch {
            server.services.log.error("erasure failed", metadata: ["error": "\(error)"])
            return .eraseFailed
        }
        let erased = indices.map { maildrop.entries[$0] }
        server.delivery.erased(erased, from: mailbox)
        await server.delivery.reports.fetched(erased.filter { !$0.isControl }.map(\.tag))
        server.services.bus.publish(.maildropErased(count: erased.count))
        return .erased
    }

    /// How far the spool has come, signed for this member.
    private func head() async -> POP3ServerAnswer {
        guard let address, server.current(account) != nil else { return .unavailable(Self.accountChanged) }
        do throws(SpoolError) {
            let head = try await server.spool.head()
            return .head(NodeHead(uuid: head.uuid, counter: head.counter).words(for: address, signedBy: server.keys.nodeIdentity))
        } catch {
            server.services.log.error("head not told", metadata: ["error": "\(error)"])
            return .unavailable("the node's storage has a problem, try again in a minute")
        }
    }

    private func waitForMail(_ seconds: Int) async -> POP3ServerAnswer {
        let wait = MaildropWait()
        self.wait = wait
        if isStopAsked || isGone { wait.stop() }
        let timeout = LoopTimer { wait.stop() }
        timeout.schedule(at: Loop.time.now + .seconds(seconds))
        // Mail may have come between the snapshot and this question, or while this looks.
        let seen = server.book.arrival(mailbox)
        let current = (try? await server.spool.entries(in: mailbox)) ?? []
        if !maildrop.isOutdated(by: current) { await server.book.wait(mailbox, since: seen, wait) }
        timeout.close()
        self.wait = nil
        isStopAsked = false
        return await snapshot()
    }
}
