// Brings mail from the node, locked or not: fetches, stores durably, only then lets it be deleted, and waits for more. The
// policy of a session is POP3FetchSession's; here is what survives sessions.

import DDSBus
import DDSCore
import DDSLoop
import DDSNode
import DDSSpool
import DDSWire
import Logging

@LoopActor final class Fetcher {
    private static var firstPause: Duration { .seconds(1) }
    private static var longestPause: Duration { .seconds(60) }
    /// Below the node's longest wait, and below what middle boxes forget.
    private static var waitSeconds: Int { 1500 }

    private let spool: any SpoolEngine
    private let services: Services
    private let account: AgentAccount
    private let link: NodeLink
    private let onMail: @LoopActor () async -> Void
    /// Stored UIDLs that the node may still list, by tag.
    private var seen: [RecordTag: SpoolUID] = [:]
    private var session: SessionDriver<POP3FetchSession>?
    private var isRunning = false
    private var isStopped = false
    private var pause = Fetcher.firstPause
    private var timer: LoopTimer?
    private var waitingForRound: [CheckedContinuation<POP3FetchOutcome?, Never>] = []
    private(set) var lastSuccess: WallTime?
    private(set) var lastTrouble: String?
    private(set) var fetchedCount = 0

    init(
        spool: any SpoolEngine, services: Services, account: AgentAccount, link: NodeLink, onMail: @escaping @LoopActor () async -> Void
    ) {
        self.spool = spool
        self.services = services
        self.account = account
        self.link = link
        self.onMail = onMail
    }

    func start() async throws(SpoolError) {
        for entry in try await spool.entries(in: AgentMailbox.seen) { seen[entry.tag] = entry.uid }
        timer = LoopTimer { [unowned self] in runSoon() }
        runSoon()
    }

    func stop() {
        isStopped = true
        timer?.close()
        timer = nil
        session?.drain()
        finishRound(nil)
    }

    /// One round now; returns what came of it, nil when the agent stops meanwhile.
    func fetchNow() async -> POP3FetchOutcome? {
        guard !isStopped else { return nil }
        return await withCheckedContinuation { continuation in
            waitingForRound.append(continuation)
            // A session that waits for mail is told to stop; the next one begins at once.
            if isRunning { session?.drain() }
            pause = Self.firstPause
            runSoon()
        }
    }

    private func runSoon() {
        timer?.cancel()
        guard !isRunning, !isStopped else { return }
        isRunning = true
        Loop.spawn(name: "fetch") { [self] in
            let outcome = await round()
            isRunning = false
            session = nil
            await settle(outcome)
        }
    }

    private func round() async -> POP3FetchOutcome {
        var configuration = POP3FetchConfiguration(login: .external(user: account.address.local))
        configuration.waitSeconds = waitingForRound.isEmpty ? Self.waitSeconds : nil
        var failure: Failure?
        let id = Hex.encode(services.random.bytes(8))
        let outcome = await withCheckedContinuation { (continuation: CheckedContinuation<POP3FetchOutcome, Never>) in
            let handler = FetchHandler(fetcher: self, continuation)
            let machine = POP3FetchSession(configuration: configuration)
            Loop.spawn(name: "fetch") { [self] in
                do throws(Failure) {
                    session = try await link.at(account.pop3sHost).open(
                        port: account.pop3sPort, id: id, machine: machine, handler: handler)
                    // Whoever asked while this was connecting is not kept waiting for mail to come.
                    if !waitingForRound.isEmpty, configuration.waitSeconds != nil { session?.drain() }
                } catch {
                    failure = error
                    handler.finish(POP3FetchOutcome(end: .connectionLost))
                }
            }
        }
        lastTrouble = failure?.publicText ?? Self.trouble(outcome.end)
        return outcome
    }

    private func settle(_ outcome: POP3FetchOutcome) async {
        if case .completed = outcome.end { lastSuccess = services.time.wall }
        if !outcome.stored.isEmpty {
            fetchedCount += outcome.stored.count
            services.bus.publish(.fetched(count: outcome.stored.count))
        }
        if let lastTrouble { services.log.info("fetch", metadata: ["trouble": "\(lastTrouble)"]) }
        finishRound(outcome)
        guard !isStopped else { return }
        switch outcome.end {
        case .completed, .stopped:
            pause = Self.firstPause
            if outcome.canWait || !waitingForRound.isEmpty { return runSoon() }
            timer?.schedule(at: services.time.now + services.config.agent.fetchEvery)
        case .loginRefused, .inUse, .unavailable, .unsupported, .protocolViolation, .connectionLost, .timedOut:
            timer?.schedule(at: services.time.now + pause)
            pause = min(pause * 2, Self.longestPause)
        }
    }

    private func finishRound(_ outcome: POP3FetchOutcome?) {
        // Who asked while this round was stopping wants the next one.
        if case .stopped = outcome?.end { return }
        for continuation in waitingForRound { continuation.resume(returning: outcome) }
        waitingForRound = []
    }

    private static func trouble(_ end: POP3FetchOutcome.End) -> String? {
        switch end {
        case .completed, .stopped: nil
        case .loginRefused(let words): "the node does not know this device: \(words); ask the administrator"
        case .inUse(let words): "another device is fetching: \(words)"
        case .unavailable(let words): "the node has a problem: \(words)"
        case .unsupported(let words): "the server lacks what is needed: \(words)"
        case .protocolViolation(let words): "the server spoke nonsense: \(words)"
        case .connectionLost: "the connection to the node was lost"
        case .timedOut: "the node did not answer in time"
        }
    }
}

// MARK: What a session asks

extension Fetcher {
    fileprivate func plan(_ items: [POP3Item]) async -> POP3FetchAnswer {
        let tags = items.map { RecordTag.named("uidl\0" + $0.uidl) }
        await forget(except: Set(tags))
        let isKnown = tags.map { seen[$0] != nil }
        return .plan(fetch: items.indices.filter { !isKnown[$0] }, alreadyStored: items.indices.filter { isKnown[$0] })
    }

    /// What the node no longer lists is deleted there for certain; its name need not be kept.
    private func forget(except listed: Set<RecordTag>) async {
        let gone = seen.filter { !listed.contains($0.key) }
        guard !gone.isEmpty, (try? await spool.commit(SpoolTransaction(erasures: Array(gone.values)))) != nil else { return }
        for tag in gone.keys { seen[tag] = nil }
    }

    fileprivate func store(_ uidl: String, _ bytes: [UInt8]) async -> POP3FetchAnswer {
        let tag = RecordTag.named("uidl\0" + uidl)
        do throws(SpoolError) {
            let records = try await spool.commit(
                SpoolTransaction(appends: [
                    .record(mailbox: AgentMailbox.inbox, tag: tag, flags: 0, body: bytes),
                    .record(mailbox: AgentMailbox.seen, tag: tag, flags: 0, body: []),
                ]))
            seen[tag] = records[1]
        } catch {
            services.log.error("fetched mail not stored, it stays at the node", metadata: ["error": "\(error)"])
            return .notStored
        }
        await onMail()
        return .stored
    }
}

/// One fetch session's handler.
@LoopActor private final class FetchHandler: SessionHandler {
    typealias Machine = POP3FetchSession

    private let fetcher: Fetcher
    private var continuation: CheckedContinuation<POP3FetchOutcome, Never>?

    init(fetcher: Fetcher, _ continuation: CheckedContinuation<POP3FetchOutcome, Never>) {
        self.fetcher = fetcher
        self.continuation = continuation
    }

    func answer(_ question: POP3FetchQuestion) async -> POP3FetchAnswer {
        switch question {
        case .listing(let items): await fetcher.plan(items)
        case .store(_, let uidl, let bytes): await fetcher.store(uidl, bytes)
        }
    }

    func perform(_ effect: POP3FetchEffect) {
        if case .finished(let outcome) = effect { finish(outcome) }
    }

    func sessionEnded(_ summary: SessionSummary) {
        finish(POP3FetchOutcome(end: .connectionLost))
    }

    func finish(_ outcome: POP3FetchOutcome) {
        continuation?.resume(returning: outcome)
        continuation = nil
    }
}
