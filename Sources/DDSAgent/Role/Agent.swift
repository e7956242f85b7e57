// A person's agent while it runs: fetches and sends whether locked or not, and while unlocked keeps keys, store and drafts in
// memory. Every lock drops all of them.

import DDSBus
import DDSCore
import DDSLoop
import DDSMail
import DDSNode
import DDSSeal
import DDSSpool
import DDSTLS
import DDSWire
import Logging

@LoopActor final class Agent {
    /// Bodies of one segment of an agent's spool: small, since a person's store grows slowly.
    static var segmentBytes: Int { 8 << 20 }

    /// What exists only between unlock and lock.
    struct Unlocked {
        let keys: VaultKeys
        let store: MessageStore
        let drafts: DraftBook
    }

    let services: Services
    let account: AgentAccount
    let folder: AgentFolder
    let spool: EmbeddedSpool
    private let link: NodeLink
    private(set) var unlocked: Unlocked?
    private(set) var fetcher: Fetcher?
    private(set) var outbox: Outbox?
    private var idleTimer: LoopTimer?
    private var lastActivity: Instant
    private var failedUnlocks: (count: Int, since: WallTime?) = (0, nil)

    /// Opens the agent's state, locked. Throws with exit code 75 when another process has it, 66 before `join`.
    static func open(
        services: Services, onSpoolStopped: @escaping @LoopActor @Sendable (String) -> Void
    ) async throws(Failure) -> Agent {
        let folder = AgentFolder(stateDir: services.config.node.stateDirectory)
        guard let account = try folder.loadAccount()?.overridden(by: services.config.agent) else {
            throw Failure(.fileMissing, "nobody has joined a node from \(folder.path) yet; run: ddsnode join INVITE")
        }
        let deviceSeed = try folder.loadSecret(folder.deviceKey)
        let link = try NodeLink(host: account.host, nodeKeyHash: account.nodeKeyHash, deviceSeed: deviceSeed, time: services.time)
        let spool = try await EmbeddedSpool.open(
            folder: folder.spool, root: try folder.loadSecret(folder.spoolKey), random: services.random, time: services.time,
            onStopped: onSpoolStopped)
        return Agent(services: services, account: account, folder: folder, spool: spool, link: link)
    }

    private init(services: Services, account: AgentAccount, folder: AgentFolder, spool: EmbeddedSpool, link: NodeLink) {
        self.services = services
        self.account = account
        self.folder = folder
        self.spool = spool
        self.link = link
        lastActivity = services.time.now
    }

    /// Begins fetching and sending.
    func start() async throws(Failure) {
        let fetcher = Fetcher(
            spool: spool, services: services, account: account, link: link, onMail: { [unowned self] in await mailCame() })
        let outbox = Outbox(
            spool: spool, services: services, submit: { [unowned self] in await submit($0) },
            onOutcome: { [unowned self] in await outcomeCame() })
        do throws(SpoolError) {
            try await fetcher.start()
            try await outbox.start()
        } catch {
            throw Failure(.inputOutput, "the local store cannot be read: \(error)")
        }
        self.fetcher = fetcher
        self.outbox = outbox
        idleTimer = LoopTimer { [unowned self] in idleTimerFired() }
    }

    func stop() async {
        lock()
        fetcher?.stop()
        outbox?.stop()
        idleTimer?.close()
        idleTimer = nil
        await spool.close()
    }
}

// MARK: Unlock and lock

extension Agent {
    var isLocked: Bool { unlocked == nil }

    /// Opens the vault and the store, and takes in what was fetched meanwhile.
    func unlock(passphrase: SecretBytes) async throws(Failure) {
        guard unlocked == nil else { return }
        let keys: VaultKeys
        do throws(Failure) {
            keys = try await Vault(path: folder.vault).open(passphrase: passphrase)
        } catch {
            if error.code == .permission {
                failedUnlocks = (failedUnlocks.count + 1, failedUnlocks.since ?? services.time.wall)
            }
            throw error
        }
        let store = try await MessageStore.open(
            spool: spool, keys: keys, account: account, random: services.random, time: services.time)
        let drafts = try await DraftBook.open(spool: spool, keys: keys, random: services.random, time: services.time)
        // Another unlock may have come first while this one read the store.
        guard unlocked == nil else { return }
        unlocked = Unlocked(keys: keys, store: store, drafts: drafts)
        failedUnlocks = (0, nil)
        noteActivity()
        scheduleIdleLock()
        await outcomeCame()
        await mailCame()
        services.bus.publish(.unlocked)
        services.bus.publish(.storeChanged(unread: store.unreadCount))
    }

    /// Drops keys, store and drafts.
    func lock() {
        guard unlocked != nil else { return }
        unlocked = nil
        idleTimer?.cancel()
        services.bus.publish(.locked)
    }

    /// The open state, or a refusal with exit code 77.
    func opened() throws(Failure) -> Unlocked {
        guard let unlocked else { throw Failure(.permission, "the agent is locked; run: ddsnode unlock") }
        return unlocked
    }

    /// The idle lock starts over.
    func noteActivity() { lastActivity = services.time.now }

    private func scheduleIdleLock() {
        idleTimer?.schedule(at: lastActivity + services.config.agent.lock.idle)
    }

    private func idleTimerFired() {
        guard unlocked != nil else { return }
        if services.time.now - lastActivity >= services.config.agent.lock.idle { lock() } else { scheduleIdleLock() }
    }
}

// MARK: Mail

extension Agent {
    private func mailCame() async {
        guard let store = unlocked?.store else { return }
        do throws(SpoolError) {
            let imported = try await store.importFetched()
            if !imported.isEmpty { services.bus.publish(.storeChanged(unread: store.unreadCount)) }
        } catch {
            services.log.error("fetched mail not taken in, it is kept", metadata: ["error": "\(error)"])
        }
    }

    private func outcomeCame() async {
        guard let store = unlocked?.store else { return }
        do throws(SpoolError) {
            try await store.applyOutcomes()
            services.bus.publish(.storeChanged(unread: store.unreadCount))
        } catch {
            services.log.error("outcome not noted", metadata: ["error": "\(error)"])
        }
    }

    private func submit(_ submission: QueuedSubmission) async -> SubmissionResult {
        var envelope = Envelope(reversePath: .address(submission.sender), recipients: submission.recipients.map { Recipient($0) })
        envelope.parameters.smtpUTF8 = !([submission.sender] + submission.recipients).allSatisfy(\.isASCII)
        let configuration = SMTPClientConfiguration(
            clientName: "[127.0.0.1]", tls: .implicit, credentials: .external(authzid: account.address.local), envelope: envelope,
            message: submission.message)
        do throws(Failure) {
            let (outcome, _) = try await SubmissionClient.run(
                configuration, link: link.at(account.submissionsHost), port: account.submissionsPort, id: Hex.encode(services.random.bytes(8)))
            return SubmissionResult(outcome, recipients: submission.recipients)
        } catch {
            return .later(error.publicText)
        }
    }

    /// Puts a finished message into the store and the outbox in one transaction; returns its id in the store.
    /// `draft` names the draft that this was; it is erased in the same transaction.
    func send(_ message: [UInt8], to recipients: [MailAddress], draft: String? = nil) async throws(Failure) -> String {
        let unlocked = try opened()
        guard !recipients.isEmpty else { throw Failure(.usage, "name at least one recipient, like board@\(account.address.domain)") }
        for recipient in recipients where recipient.domain != account.address.domain {
            throw Failure(.badInput, "\(recipient) is not at \(account.address.domain); this node serves its own members and groups only")
        }
        guard message.count <= services.config.server.limits.messageSize else {
            throw Failure(.badInput, "the message has \(message.count >> 20) MiB; the limit is \(services.config.server.limits.messageSize >> 20) MiB")
        }
        let sealed = try Submission.sealed(
            message, from: account.address, to: recipients, nodeRecipient: account.nodeRecipient, services: services)
        let summary = unlocked.store.summarise(message, sendState: .waiting)
        do {
            let (appends, tag) = try unlocked.store.prepare(message, summary: summary)
            let queued = QueuedSubmission(messageTag: tag, sender: account.address, recipients: recipients, message: sealed)
            let erasures = draft.flatMap { unlocked.drafts.record(of: $0) }.map { [$0] } ?? []
            let records = try await spool.commit(SpoolTransaction(appends: appends + [Outbox.record(queued)], erasures: erasures))
            if let draft { unlocked.drafts.sent(draft, as: summary.id) }
            unlocked.store.added(summary, tag: tag, records: records[0..<2])
            outbox?.queued(records[2])
        } catch SpoolError.full {
            throw Failure(.inputOutput, "the disk is full; free some space, nothing was sent")
        } catch {
            throw Failure(.inputOutput, "the message could not be kept and was not sent: \(error)")
        }
        services.bus.publish(.storeChanged(unread: unlocked.store.unreadCount))
        return summary.id
    }

    /// Keeps a draft that came while locked, sealed to this person's own key.
    func shelter(_ draft: Draft) async throws {
        try await DraftBook.shelter(
            draft, recipient: try AgeRecipient(account.ownRecipient), spool: spool, random: services.random)
    }

    /// Who messages of this person are from.
    var author: MessageBuilder.Mailbox { MessageBuilder.Mailbox(name: account.display, address: account.address) }

    var failedUnlockNote: String? {
        guard failedUnlocks.count > 0, let since = failedUnlocks.since else { return nil }
        let time = CivilTime(secondsSinceEpoch: since.seconds)
        return "\(failedUnlocks.count) failed attempt\(failedUnlocks.count == 1 ? "" : "s") since \(time.rfc3339)"
    }
}
