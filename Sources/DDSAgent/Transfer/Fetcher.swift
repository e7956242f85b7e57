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
    /// Below the node's longest wait, and below what middle boxes forget.
    private static var waitSeconds: Int { 1500 }

    /// What a session takes at most, as its configuration says when nobody changes it.
    private let messageOctetsMax = POP3FetchConfiguration(login: .external(user: "")).messageOctetsMax
    private let spool: any SpoolEngine
    private let services: Services
    private let account: AgentAccount
    private let link: NodeLink
    private let onMail: @LoopActor () async -> Void
    /// Told after each round that came to its end: what it fetched is erased at the node.
    private let onRound: @LoopActor () -> Void
    let watch: NodeWatch
    private var ledger = FetchLedger([], mailbox: AgentMailbox.seen, inbox: AgentMailbox.inbox)
    private var session: SessionDriver<POP3FetchSession>?
    private var isRunning = false
    /// The round that runs may last until mail comes.
    private var isWaitingRound = false
    private var isStopped = false
    private var pace: FetchPace
    private var timer: LoopTimer?
    /// Who asked before the round that runs began, and who asked since.
    private var waitingForThisRound: [CheckedContinuation<POP3FetchOutcome?, Never>] = []
    private var waitingForNextRound: [CheckedContinuation<POP3FetchOutcome?, Never>] = []
    /// The spool's trouble in the round that runs, in words.
    private var storeTrouble: String?
    /// Messages at the node that are larger than this agent takes.
    private var tooLargeCount = 0
    private(set) var lastSuccess: WallTime?
    private(set) var lastTrouble: String?
    private(set) var fetchedCount = 0
    /// A round has ended, whatever came of it.
    var onSettled: (@LoopActor () -> Void)?

    init(
        spool: any SpoolEngine, services: Services, account: AgentAccount, link: NodeLink, watch: NodeWatch,
        onMail: @escaping @LoopActor () async -> Void, onRound: @escaping @LoopActor () -> Void = {}
    ) {
        self.spool = spool
        self.services = services
        self.account = account
        self.link = link
        self.watch = watch
        self.onMail = onMail
        self.onRound = onRound
        pace = FetchPace(every: services.config.agent.fetchEvery)
    }

    func start() async throws(SpoolError) {
        try await loadSeen()
        timer = LoopTimer { [weak self] in self?.runSoon() }
        runSoon()
    }

    func loadSeen() async throws(SpoolError) {
        ledger = FetchLedger(
            try await spool.entries(in: AgentMailbox.seen), mailbox: AgentMailbox.seen, inbox: AgentMailbox.inbox)
    }

    func stop() {
        isStopped = true
        timer?.close()
        timer = nil
        session?.drain()
        resumeAll(with: nil)
    }

    /// One whole round that begins after this call; returns what came of it, nil when the agent stops meanwhile.
    func fetchNow() async -> POP3FetchOutcome? {
        // Asked inside, because any await may let `stop` in between.
        await withCheckedContinuation { continuation in
            if isStopped { return continuation.resume(returning: nil) }
            waitingForNextRound.append(continuation)
            // A session that waits for mail is told to stop; the next one begins at once.
            if isWaitingRound { session?.drain() }
            pace.asked()
            runSoon()
        }
    }

    private func runSoon() {
        timer?.cancel()
        guard !isRunning, !isStopped else { return }
        isRunning = true
        waitingForThisRound += waitingForNextRound
        waitingForNextRound = []
        let mayWait = waitingForThisRound.isEmpty
        isWaitingRound = mayWait
        Loop.spawn(name: "fetch") { [self] in
            let outcome = await round(mayWait: mayWait)
            isRunning = false
            isWaitingRound = false
            session = nil
            settle(outcome, couldWait: mayWait)
        }
    }

    private func round(mayWait: Bool) async -> POP3FetchOutcome {
        var configuration = POP3FetchConfiguration(login: .external(user: account.address.local))
        configuration.waitSeconds = mayWait ? Self.waitSeconds : nil
        storeTrouble = nil
        tooLargeCount = 0
        var failure: Failure?
        let id = Hex.encode(services.random.bytes(8))
        let outcome = await withCheckedContinuation { (continuation: CheckedContinuation<POP3FetchOutcome, Never>) in
            let handler = FetchHandler(fetcher: self, continuation)
            let machine = POP3FetchSession(configuration: configuration)
            Loop.spawn(name: "fetch") { [self] in
                do throws(Failure) {
                    let opened = try await link.at(account.pop3sHost).open(
                        port: account.pop3sPort, id: id, machine: machine, handler: handler)
                    session = opened
                    // Whoever asked, or stopped the agent, while the connection was being made found nothing to tell.
                    if isStopped || (mayWait && !waitingForNextRound.isEmpty) { opened.drain() }
                } catch {
                    failure = error
                    handler.finish(POP3FetchOutcome(end: .connectionLost))
                }
            }
        }
        lastTrouble =
            failure?.publicText ?? Self.trouble(outcome.end) ?? storeTrouble ?? refusedTrouble(outcome) ?? tooLargeTrouble
        return outcome
    }

    private var tooLargeTrouble: String? {
        tooLargeCount == 0
            ? nil
            : "\(tooLargeCount) message\(tooLargeCount == 1 ? "" : "s") at the node larger than \(messageOctetsMax >> 20) MiB, left there"
    }

    private func refusedTrouble(_ outcome: POP3FetchOutcome) -> String? {
        outcome.failed.isEmpty ? nil : "the node did not give \(outcome.failed.count) of the messages that it lists"
    }

    private func settle(_ outcome: POP3FetchOutcome, couldWait: Bool) {
        if case .completed = outcome.end {
            lastSuccess = services.time.wall
            onRound()
        }
        if !outcome.stored.isEmpty {
            fetchedCount += outcome.stored.count
            services.bus.publish(.fetched(count: outcome.stored.count))
        }
        if let lastTrouble { services.log.info("fetch", metadata: ["trouble": "\(lastTrouble)"]) }
        finishRound(outcome)
        onSettled?()
        guard !isStopped else { return }
        let next = pace.next(after: outcome, couldWait: couldWait)
        if !waitingForNextRound.isEmpty { return runSoon() }
        switch next {
        case .now: runSoon()
        case .after(let pause): timer?.schedule(at: services.time.now + pause)
        }
    }

    private func finishRound(_ outcome: POP3FetchOutcome) {
        // A round that was stopped before it began is none; who asked for it gets the next one.
        if case .stopped = outcome.end, !isStopped {
            waitingForNextRound = waitingForThisRound + waitingForNextRound
        } else {
            for continuation in waitingForThisRound { continuation.resume(returning: outcome) }
        }
        waitingForThisRound = []
    }

    private func resumeAll(with outcome: POP3FetchOutcome?) {
        for continuation in waitingForThisRound + waitingForNextRound { continuation.resume(returning: outcome) }
        waitingForThisRound = []
        waitingForNextRound = []
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
    /// Answers a listing: what to fetch, and what is here already and may be deleted there.
    func plan(_ items: [POP3Item]) async -> POP3FetchAnswer {
        let tags = items.map { RecordTag.named("uidl\0" + $0.uidl) }
        if watch.namesAreStale {
            // A store that went back, or another one, may list other messages under names that are here: none counts as stored.
            await forget(except: [])
            guard ledger.forgettable(unlessIn: []).isEmpty else { return .plan(fetch: [], alreadyStored: []) }
            watch.namesForgotten()
        }
        await forget(except: Set(tags))
        // What is too large is left out: a session that has nothing to do may wait for more.
        let plan = ledger.plan(tags, octets: items.map(\.octets), octetsMax: messageOctetsMax)
        tooLargeCount = plan.tooLarge.count
        return .plan(fetch: plan.fetch, alreadyStored: plan.alreadyStored)
    }

    private func forget(except listed: Set<RecordTag>) async {
        let gone = ledger.forgettable(unlessIn: listed)
        guard !gone.isEmpty, (try? await spool.commit(FetchLedger.forgetting(gone))) != nil else { return }
        ledger.forgot(gone)
    }

    /// Keeps a fetched message durably; only then may the node delete it.
    func store(_ uidl: String, _ bytes: [UInt8]) async -> POP3FetchAnswer {
        let tag = RecordTag.named("uidl\0" + uidl)
        do throws(SpoolError) {
            ledger.kept(tag, try await spool.commit(ledger.keeping(tag, bytes)))
        } catch {
            services.log.error("fetched mail not stored, it stays at the node", metadata: ["error": "\(error)"])
            storeTrouble =
                error == .full
                ? "the disk is full; free some space, new mail stays at the node until then"
                : "fetched mail could not be stored and stays at the node; see the log"
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
        switch effect {
        case .capabilities(let lines): fetcher.watch.heard(capabilities: lines)
        case .head(let words): fetcher.watch.heard(head: words)
        case .finished(let outcome): finish(outcome)
        }
    }

    func sessionEnded(_ summary: SessionSummary) {
        // Told to stop before the handshake was done, the machine has not spoken.
        finish(POP3FetchOutcome(end: summary.reason == .draining ? .stopped : .connectionLost))
    }

    func finish(_ outcome: POP3FetchOutcome) {
        continuation?.resume(returning: outcome)
        continuation = nil
    }
}
