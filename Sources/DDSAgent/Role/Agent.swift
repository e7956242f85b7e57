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
        let settings: SettingsBook
        /// Nil when the file of the mailbox keys is missing or damaged; `keyTrouble` says so.
        let keeper: MailboxKeeper?
    }

    let services: Services
    var account: AgentAccount
    let folder: AgentFolder
    let spool: EmbeddedSpool
    let link: NodeLink
    private(set) var unlocked: Unlocked?
    private(set) var fetcher: Fetcher?
    private(set) var outbox: Outbox?
    private(set) var watch: NodeWatch?
    private var idleTimer: LoopTimer?
    private var lastActivity: Instant
    /// Of the vault as it was when the agent started.
    private let workFactor: Int?
    /// Grows with every lock: an unlock that was under way meanwhile does not count.
    private var lockCount = 0
    /// Why fetched mail could not be taken into the store, in words.
    private(set) var importTrouble: String?
    /// The link for another device that was made here.
    var openLink: OpenLink?
    /// Why there are no mailbox keys, in words.
    var keyTrouble: String?
    /// Why the node's last announcement of the key to seal to is not believed, in words.
    var sealTrouble: String?
    /// What was sent and may still be taken back, by the message's id. The outbox knows until when.
    var unsent: [String: Unsent] = [:]
    /// One change of the local store at a time.
    let storeGate = LoopGate()
    /// What can be searched for, while unlocked.
    let search: SearchDesk
    /// One passphrase at a time: each takes a quarter of a gigabyte while it is tried.
    let unlockGate = LoopGate()
    /// Where mail programs are served, in a process that stays.
    weak var gateway: GatewayDesk?
    /// A passphrase, right or wrong, was in this program's memory, and with it whatever it opened.
    private var hasHeldSecrets = false

    /// Opens the agent's state, locked. Throws with exit code 75 when another process has it, 66 before `join`.
    static func open(
        services: Services, onSpoolStopped: @escaping @LoopActor @Sendable (String) -> Void
    ) async throws(Failure) -> Agent {
        let folder = AgentFolder(stateDir: services.config.node.stateDirectory)
        guard let account = try folder.loadAccount()?.overridden(by: services.config.agent) else {
            throw Failure(.fileMissing, "nobody has joined a node from \(folder.path) yet; run: ddsnode join INVITE")
        }
        Vault(path: folder.vault).tidy()
        let deviceSeed = try folder.loadSecret(folder.deviceKey)
        let link = try NodeLink(
            host: account.host, nodeKeyHash: account.nodeKeyHash, deviceSeed: deviceSeed, time: services.time)
        let spool = try await EmbeddedSpool.open(
            folder: folder.spool, keys: .fixed(try folder.loadSecret(folder.spoolKey)), acceptLoss: services.config.acceptLoss,
            random: services.random, time: services.time, onStopped: onSpoolStopped)
        for lost in spool.recovery.lost { services.log.error("lost", metadata: ["what": "\(lost)"]) }
        return Agent(services: services, account: account, folder: folder, spool: spool, link: link)
    }

    private init(services: Services, account: AgentAccount, folder: AgentFolder, spool: EmbeddedSpool, link: NodeLink) {
        self.services = services
        self.account = account
        self.folder = folder
        self.spool = spool
        self.link = link
        lastActivity = services.time.now
        workFactor = Vault(path: folder.vault).workFactor
        search = SearchDesk(services: services) { [path = folder.search] () throws(DiskError) in
            try PosixDisk(path: path, createFolder: true)
        }
    }

    /// Begins fetching and sending.
    func start() async throws(Failure) {
        let watch = NodeWatch(
            spool: spool, services: services, member: account.address, identity: account.nodeIdentity,
            pin: { [weak self] key throws(Failure) in try self?.pin(key) })
        self.watch = watch
        let fetcher = Fetcher(
            spool: spool, services: services, account: account, link: link, watch: watch,
            onMail: { [weak self] in await self?.mailCame() }, onRound: { [weak self] in self?.tendKeys() })
        let outbox = Outbox(
            spool: spool, services: services,
            submit: { [weak self] in await self?.submit($0) ?? .unreachable("the agent is stopping") },
            ready: { [weak self] in await self?.ready($0, refusedFor: $1) ?? .notNow("the agent is stopping") },
            onOutcome: { [weak self] in await self?.outcomeCame() })
        self.fetcher = fetcher
        self.outbox = outbox
        idleTimer = LoopTimer { [weak self] in self?.idleTimerFired() }
        do throws(SpoolError) {
            try await watch.load()
            try await fetcher.start()
            try await outbox.start()
        } catch {
            throw Failure(.inputOutput, "the local store cannot be read: \(error)")
        }
    }

    /// Keeps the key that the node announced at the first contact after an enrolment without one.
    private func pin(_ key: [UInt8]) throws(Failure) {
        // What the configuration overrides is not written.
        guard var kept = try folder.loadAccount(), kept.nodeIdentity == nil else { return }
        kept.nodeIdentity = key
        try folder.save(kept)
        account.nodeIdentity = key
        services.log.notice("the node's key for statements is pinned", metadata: ["key": "\(Hex.encode(key))"])
    }

    func stop() async {
        lock()
        fetcher?.stop()
        outbox?.stop()
        idleTimer?.close()
        idleTimer = nil
        await search.closed()
        await watch?.written()
        await spool.close()
    }
}

// MARK: Unlock and lock

extension Agent {
    var isLocked: Bool { unlocked == nil }

    /// Opens the vault and the store, and takes in what was fetched meanwhile. An agent that is open already stays so, but the
    /// passphrase must be right all the same.
    func unlock(passphrase: SecretBytes) async throws(Failure) {
        let locks = lockCount
        hasHeldSecrets = true
        await unlockGate.enter()
        defer { unlockGate.leave() }
        // Reading the disk takes about as long as trying the passphrase, and needs no key.
        async let listing = isLocked ? try? StoreListing.read(spool, gate: storeGate) : nil
        let vault = Vault(path: folder.vault)
        if !vault.exists, let workFactor {
            // How long an answer takes does not tell that there is nothing to open.
            _ = await Loop.offload { PassphraseFile.spend(workFactor: workFactor) }
        }
        let keys = try await vault.open(passphrase: passphrase)
        if unlocked != nil { return noteActivity() }
        let store = try await MessageStore.open(
            spool: spool, keys: keys, account: account, random: services.random, time: services.time, gate: storeGate,
            listing: await listing)
        let drafts = try await openDrafts(keys, store)
        let settings = try await SettingsBook.open(spool: spool, keys: keys, random: services.random, gate: storeGate)
        guard locks == lockCount else {
            store.close()
            drafts.close()
            settings.close()
            throw Failure(.interrupted, "the agent was locked while it was being opened")
        }
        await connect(store.trust.held, of: store)
        let keeper = makeKeeper(keys, store)
        if let keeper { store.identities = { keeper.identities } }
        unlocked = Unlocked(keys: keys, store: store, drafts: drafts, settings: settings, keeper: keeper)
        store.packs.onQuiet = { [weak self, weak store] in self?.tidy(store) }
        noteActivity()
        scheduleIdleLock()
        // One that only lives for a command searches when it is asked to.
        if fetcher != nil { openSearch() }
        await outcomeCame()
        await mailCame()
        guard unlocked?.store === store else { return }
        services.bus.publish(.unlocked)
        noteChange(of: store)
        tendKeys()
        // Something may wait to be sealed again.
        outbox?.sendNow()
        tidy(store)
    }

    /// Makes the next unlock fast.
    private func tidy(_ store: MessageStore?) {
        guard let store else { return }
        Loop.spawn(name: "packs") { [services] in
            do throws(SpoolError) {
                try await store.tidyPacks()
            } catch {
                guard !store.isClosed else { return }
                services.log.notice("summaries not packed; unlocking takes longer", metadata: ["error": "\(error)"])
            }
        }
    }

    /// What is in `store`, or a draft, is not what it was: page, desktop and mail programs that wait look again.
    func noteChange(of store: MessageStore) { services.bus.publish(.storeChanged(unread: store.unreadCount)) }

    /// Drops keys, store and drafts. Where the program can be executed anew it will be, as what was shown and typed has left
    /// copies that nobody knows.
    func lock() {
        lockCount += 1
        defer { if hasHeldSecrets { services.handover.request() } }
        guard let open = unlocked else { return }
        unlocked = nil
        unsent = [:]
        openLink = nil
        open.keeper?.close()
        search.close()
        open.store.close()
        open.drafts.close()
        open.settings.close()
        idleTimer?.cancel()
        services.bus.publish(.locked)
        gateway?.locked()
    }

    /// Begins to make everything findable, unless that was begun.
    func openSearch() {
        if let unlocked { search.open(unlocked.store, storeKey: unlocked.keys.storeKey) }
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
    func mailCame() async {
        guard let store = unlocked?.store else { return }
        let before = (store.items.count, store.trust.changeCount)
        do throws(SpoolError) {
            try await store.importFetched()
            importTrouble = nil
        } catch {
            guard unlocked?.store === store else { return }
            importTrouble =
                error == .full
                ? "the disk is full; free some space, fetched mail is kept but not shown until then"
                : "fetched mail could not be taken in, it is kept; see the log"
            services.log.error("fetched mail not taken in, it is kept", metadata: ["error": "\(error)"])
        }
        if store.items.count != before.0 { unlocked?.keeper?.mailCame() }
        if before != (store.items.count, store.trust.changeCount) {
            noteChange(of: store)
        }
    }

    func outcomeCame() async {
        guard let store = unlocked?.store else { return }
        do throws(SpoolError) {
            try await store.applyOutcomes()
        } catch {
            // The record of the outcome stays and is read again at the next one or the next unlock.
            services.log.error("outcome not noted", metadata: ["error": "\(error)"])
        }
        // What has gone out cannot be taken back, and its files need not be kept for that.
        unsent = unsent.filter { store.items[$0.key]?.summary.sendState == .waiting }
        if unlocked?.store === store { noteChange(of: store) }
    }

    private func submit(_ submission: QueuedSubmission) async -> SubmissionResult {
        var envelope = Envelope(
            reversePath: .address(submission.sender), recipients: submission.recipients.map { Recipient($0) })
        envelope.parameters.smtpUTF8 = !([submission.sender] + submission.recipients).allSatisfy(\.isASCII)
        do throws(Failure) {
            let (outcome, detail) = try await transact(envelope, submission.message)
            return SubmissionResult(outcome, recipients: submission.recipients, detail: detail)
        } catch {
            return .unreachable(error.publicText)
        }
    }

    /// The id in the store that the message of a draft has: known beforehand, so that a draft is sent once.
    static func messageID(ofDraft draft: String) -> String { OpaqueID.derived(Array("draft".utf8), Array(draft.utf8)) }

    /// A finished message, and whom the node is to give it to.
    struct Outgoing: Sendable {
        var message: [UInt8]
        var recipients: [MailAddress]
    }

    /// Puts a finished message into the store and the outbox; returns its id in the store.
    func send(
        _ message: [UInt8], to recipients: [MailAddress], draft: String? = nil, after pause: Duration = .zero
    ) async throws(Failure) -> String {
        try await send([Outgoing(message: message, recipients: recipients)], draft: draft, after: pause)[0]
    }

    /// Puts finished messages into the store and the outbox, all in one transaction; returns their ids in the store.
    /// `draft` names the draft that they were; it is erased in the same transaction. For `pause` it can be taken back: see
    /// `unsend`.
    func send(
        _ letters: [Outgoing], draft: String? = nil, after pause: Duration = .zero
    ) async throws(Failure) -> [String] {
        let unlocked = try opened()
        var made: [(queued: QueuedSubmission, prepared: StoreIntake.Prepared)] = []
        for letter in letters { made.append(try await self.made(letter, draft: draft, store: unlocked.store)) }
        let ids = made.map(\.prepared.summary.id)
        await storeGate.enter()
        defer { storeGate.leave() }
        guard self.unlocked?.store === unlocked.store else {
            throw Failure(.permission, "the agent was locked meanwhile; nothing was sent")
        }
        // A second click came while the first was being made ready.
        if ids.contains(where: { unlocked.store.items[$0] != nil }) { return ids }
        let erasures = draft.flatMap { unlocked.drafts.record(of: $0) }.map { [$0] } ?? []
        let waits = made.map { !unlocked.store.trust.undecided(among: $0.queued.recipients).isEmpty }
        do throws(SpoolError) {
            let appends = zip(made, waits).flatMap { letter, waits in
                letter.prepared.appends + [waits ? HeldMail.record(letter.queued) : Outbox.record(letter.queued)]
            }
            var records = try await spool.commit(SpoolTransaction(appends: appends, erasures: erasures))[...]
            let kept = draft.flatMap { unlocked.drafts.drafts[$0] }
            if let draft, let id = ids.first { unlocked.drafts.sent(draft, as: id) }
            for ((queued, prepared), waits) in zip(made, waits) {
                unlocked.store.added(prepared, records: records.prefix(2))
                let record = records[records.startIndex + 2]
                records = records.dropFirst(3)
                if waits {
                    unlocked.store.trust.held.added(queued, record: record)
                } else {
                    if pause > .zero, let kept { unsent[prepared.summary.id] = Unsent(draft: kept, record: record) }
                    outbox?.queued(record, after: pause)
                }
            }
        } catch {
            if error == .full { throw Failure(.inputOutput, "the disk is full; free some space, nothing was sent") }
            throw Failure(.inputOutput, "the message could not be kept and was not sent: \(error)")
        }
        noteChange(of: unlocked.store)
        return ids
    }

    nonisolated static let tooLargeReason = "too large"

    private func tooLarge(_ octets: Int) -> Failure {
        let limit = services.config.server.limits.messageSize
        return Failure(
            .badInput,
            "the message has \(octets >> 20) MiB on its way, where files take nearly twice their size; the limit is \(limit >> 20) "
                + "MiB. Send it in parts, with files of \(limit / 19 * 10 >> 20) MiB at most each",
            reason: Self.tooLargeReason)
    }

    /// What goes to the node and what stays here of a message.
    private func made(
        _ letter: Outgoing, draft: String?, store: MessageStore
    ) async throws(Failure) -> (queued: QueuedSubmission, prepared: StoreIntake.Prepared) {
        let (message, recipients) = (letter.message, letter.recipients)
        guard !recipients.isEmpty else {
            throw Failure(.usage, "name at least one recipient, like board@\(account.address.domain)")
        }
        for recipient in recipients where recipient.domain != account.address.domain {
            throw Failure(
                .badInput, "\(recipient) is not at \(account.address.domain); this node serves its own members and groups only")
        }
        // A file grows by a third for the mail, and the sealed message by another third.
        guard message.count <= services.config.server.limits.messageSize else { throw tooLarge(message.count) }
        let document = try Self.roster(for: recipients, store.trust.groups)
        let id = draft.map(Self.messageID) ?? OpaqueID.make(services.random)
        let group = recipients.map(\.local).first { isGroup($0, store) }
        let intake = store.intake
        let (sealed, sealKey, prepared): ([UInt8], UInt64?, StoreIntake.Prepared)
        do {
            (sealed, sealKey, prepared) = try await Heavy.perform(octets: Self.cost(message, document)) { [account, services] in
                let prepared = try intake.prepared(message, id: id, sendState: .waiting, group: group, at: services.time.wall)
                let sealed = try Self.wrapper(
                    message, id: prepared.summary.submission, from: account.address, device: account.device, to: recipients,
                    for: document, node: account.nodeSeal, services: services)
                return (sealed, account.nodeSealKey, prepared)
            }
        } catch let failure as Failure {
            throw failure
        } catch {
            throw Failure(.bug, "the message cannot be encoded: \(error)")
        }
        guard sealed.count <= services.config.server.limits.messageSize else { throw tooLarge(sealed.count) }
        let queued = QueuedSubmission(
            messageTag: prepared.tag, sender: account.address, recipients: recipients, message: sealed,
            roster: document.map { RosterPointer(group: $0.roster.group.local, head: $0.head) }, sealKey: sealKey)
        return (queued, prepared)
    }

    /// The groups that are known, sorted; while locked those of the enrolment.
    var groupNames: [String] {
        guard let store = unlocked?.store else { return account.groups.sorted() }
        return Set(account.groups).union(store.trust.groupNames).union(store.groupsWithMail).sorted()
    }

    /// Groups are known from the enrolment, from their rosters and from their mail.
    func isGroup(_ name: String, _ store: MessageStore) -> Bool {
        account.groups.contains(name) || store.trust.groups[name] != nil || store.hasMail(ofGroup: name)
    }

    /// Keeps a draft that came while locked, sealed to this person's own key.
    func shelter(_ draft: Draft) async throws {
        try await DraftBook.shelter(
            draft, recipient: try AgeRecipient(account.ownRecipient), spool: spool, random: services.random)
    }

    /// Who messages of this person are from.
    var author: MessageBuilder.Mailbox { MessageBuilder.Mailbox(name: account.display, address: account.address) }
}
