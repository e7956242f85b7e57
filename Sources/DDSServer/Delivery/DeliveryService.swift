// From one sealed message to every reader's maildrop: own headers on all cores, one transaction, one sync. Nothing is
// answered before it is durable, and a resend is recognised by the author's own submission id.

import DDSBus
import DDSCore
import DDSLoop
import DDSNode
import DDSSeal
import DDSSpool
import Logging

/// What became of a message.
enum DeliveryOutcome: Hashable, Sendable {
    /// Stored for so many readers, among them those for whom it is held. `keyless` are further ones to whom its author could not
    /// seal it.
    case delivered(readers: Int, held: Int = 0, keyless: Int = 0)
    /// Its author sealed it for others than the current roster has, or to keys that are none any more.
    case sealAgain(RosterPointer)
    /// The same submission was accepted before; nothing was delivered again.
    case alreadyAccepted
    /// Not now; the text is for the author.
    case tryAgain(String)
    /// Not in this way; the text is for the author.
    case refused(String)
    /// A group wants to know who wrote it, and its signature does not say so; the text is for the author.
    case badSignature(String)
    case diskFull
    case tooLarge
}

@LoopActor final class DeliveryService {
    private let store: DirectoryStore
    private let spool: any SpoolEngine
    private let book: MaildropBook
    private let services: Services
    private let keys: ServerKeys
    let ledger: MessageLedger
    let held: HeldQueue
    let reports: AuthorReports
    let rosters: RosterKeeper
    let mailer: ControlMailer
    private var submissions: SubmissionLedger
    /// SHA-256 of the node's TLS key, by which signed messages name the node. Before it is set, none of them is for here.
    var tlsKeyHash: [UInt8] = []
    private(set) var acceptedCount = 0
    private(set) var deliveredCount = 0

    private init(
        store: DirectoryStore, spool: any SpoolEngine, book: MaildropBook, services: Services, keys: ServerKeys,
        ledger: MessageLedger, held: HeldQueue, mailer: ControlMailer, submissions: SubmissionLedger
    ) {
        self.store = store
        self.spool = spool
        self.book = book
        self.services = services
        self.keys = keys
        self.ledger = ledger
        self.held = held
        self.mailer = mailer
        reports = AuthorReports(
            store: store, spool: spool, book: book, ledger: ledger, held: held, mailer: mailer, services: services)
        rosters = RosterKeeper(store: store, spool: spool, book: book, mailer: mailer, services: services)
        self.submissions = submissions
        held.onChange = { [unowned reports] in reports.noteChange($0) }
    }

    /// Loads what the spool holds of messages under way: the receipts of the last 30 days, of which older ones are erased, the
    /// records of messages and the held copies.
    static func open(
        store: DirectoryStore, spool: any SpoolEngine, book: MaildropBook, services: Services, keys: ServerKeys
    ) async throws(SpoolError) -> DeliveryService {
        let ledger = try await MessageLedger.open(spool: spool, store: store, log: services.log)
        let held = try await HeldQueue.open(
            store: store, spool: spool, book: book, ledger: ledger, services: services, keys: keys)
        let receipts = try await spool.entries(in: SubmissionLedger.mailbox)
        let service = DeliveryService(
            store: store, spool: spool, book: book, services: services, keys: keys, ledger: ledger,
            held: held, mailer: ControlMailer(keys: keys, services: services),
            submissions: await Loop.offload { SubmissionLedger(receipts) })
        try await service.forgetOldReceipts()
        return service
    }

    /// Erases receipts that are older than a resend can be.
    func forgetOldReceipts() async throws(SpoolError) {
        let today = services.time.wall.day
        guard submissions.hasExpired(on: today) else { return }
        let forgetting = SubmissionLedger.forgetting(try await spool.entries(in: SubmissionLedger.mailbox), on: today)
        if !forgetting.erasures.isEmpty { _ = try await spool.commit(forgetting) }
        submissions.forgot(on: today)
    }

    /// Delivers to the readers that the destinations have *now*: a member removed since RCPT gets nothing. Of a resend only
    /// those destinations are served that did not have it before, and of their readers only those whom it has not reached yet
    /// in another way.
    func deliver(
        _ message: SealedMessage, author: String?, from mailbox: UInt64? = nil, destinations: [Directory.Destination]
    ) async -> DeliveryOutcome {
        let submission = author.flatMap { author in message.submissionID.map { SubmissionName(author: author, id: $0) } }
        guard case .admitted(let receipts) = submissions.admit(submission?.tag) else {
            return .tryAgain("this submission is being accepted on another connection")
        }
        let (outcome, receipt) = await store.fence.pass {
            await deliver(message, author: author, from: mailbox, to: destinations, submission, earlier: receipts)
        }
        submissions.settle(submission?.tag, receipt: receipt)
        return outcome
    }

    private func deliver(
        _ message: SealedMessage, author: String?, from mailbox: UInt64?, to destinations: [Directory.Destination],
        _ submission: SubmissionName?, earlier receipts: [SpoolUID]
    ) async -> (DeliveryOutcome, receipt: (uid: SpoolUID, day: Int)?) {
        do {
            let served = try await self.served(receipts)
            var wanted: [Directory.Destination] = []
            for destination in destinations where !wanted.contains(destination) {
                if submission.map({ served.destinations.contains($0.tag(of: destination)) }) != true {
                    wanted.append(destination)
                }
            }
            if wanted.isEmpty { return (.alreadyAccepted, nil) }
            try await rosters.settle(wanted.compactMap { if case .group(let name) = $0 { name } else { nil } })
            // One state for all that follows: the roster that is named is the one of the readers.
            let directory = store.directory
            if case .headers(let bundle) = message.opening {
                switch directory.fit(of: bundle, to: wanted, author: author, from: mailbox) {
                case .fits: break
                case .stale(let group):
                    guard let author = directory.sender(author, from: mailbox) else {
                        return (.refused("log in first"), nil)
                    }
                    return (.sealAgain(try await rosters.renew(group, for: author, submission: message.submissionID)), nil)
                case .wrong(let words): return (.refused(words), nil)
                }
            }
            switch directory.fit(
                of: message.signature, submission: message.submissionID, author: author, to: wanted,
                domain: services.config.node.name.lowercased(),
                server: Array(tlsKeyHash.prefix(SignatureContext.serverBytes)))
            {
            case .fits: break
            case .notSought: return (.tryAgain("a group was changed meanwhile; send it again"), nil)
            case .unsigned(let words): return (.refused(words), nil)
            case .bad(let words): return (.badSignature(words), nil)
            }
            // A policy is about everybody who reads it, those included who have it already.
            let everybody = directory.readers(of: wanted, author: author, from: mailbox)
            let isByAuthor = message.mode == .sealed
            let readers = isByAuthor ? everybody.filter { $0.recipient != nil } : everybody
            // The node's own key protects nothing of what is not sealed to it.
            if case .notAllowed(let words)? = directory.refusal(
                of: readers, destinations: wanted, wasHybrid: isByAuthor || message.wasHybrid)
            {
                return (.refused(words), nil)
            }
            var plan = try await self.plan(message, author: author, from: mailbox, to: readers, destinations: wanted, directory)
            { mailbox in
                submission.map { served.readers.contains($0.tag(of: mailbox)) } == true
            }
            if isByAuthor { plan.unsealed = everybody.filter { $0.recipient == nil } }
            let receipt = submission.map { submission in
                SubmissionLedger.append(
                    SubmissionReceipt(
                        destinations: wanted.map(submission.tag(of:)),
                        readers: plan.copies.map { submission.tag(of: $0.mailbox) }),
                    of: submission.tag)
            }
            let stored = try await commit(message, plan, receipt: receipt)
            acceptedCount += 1
            deliveredCount += plan.copies.count
            services.bus.publish(.messageAccepted(bytes: message.plainBytes, recipients: plan.copies.count))
            return (
                .delivered(readers: plan.copies.count, held: plan.heldCount, keyless: plan.unsealed.count),
                receipt == nil ? nil : stored.last.map { ($0, services.time.wall.day) }
            )
        } catch let error as SpoolError {
            return (failed(error), nil)
        } catch let error as Failure {
            services.log.error("message not accepted", metadata: ["error": "\(error)"])
            return (.tryAgain("the members cannot be told of a change now; try again in a minute"), nil)
        } catch {
            services.log.error("sealing failed", metadata: ["error": "\(error)"])
            return (.tryAgain("the message could not be sealed; the administrator finds the reason in the log"), nil)
        }
    }

    /// What earlier submissions of the same id have reached. A receipt that cannot be read excuses nothing: twice is better
    /// than never.
    private func served(_ receipts: [SpoolUID]) async throws(SpoolError) -> SubmissionReceipt {
        var served = SubmissionReceipt()
        for uid in receipts {
            do throws(SpoolError) {
                if let receipt = SubmissionReceipt(try await spool.read(uid, offset: 0, count: .max)) { served.add(receipt) }
            } catch {
                switch error {
                case .noSuchRecord: break
                case .damaged: services.log.error("the receipt of a submission cannot be read", metadata: ["error": "\(error)"])
                case .full, .tooLarge, .stopped: throw error
                }
            }
        }
        return served
    }

    /// Who gets what, with a header for everybody whom one can be made for.
    private func plan(
        _ message: SealedMessage, author: String?, from mailbox: UInt64?, to everybody: [Account],
        destinations: [Directory.Destination],
        _ directory: Directory, isServed: (UInt64) -> Bool
    ) async throws -> DeliveryPlan {
        let seal = directory.seal(of: everybody, destinations: destinations, wasHybrid: message.wasHybrid)
        let sealNotes = [seal.map { SealNote.stanza($0) }, ModeNote.stanza(message.mode)].compactMap { $0 }
        let readers = everybody.filter { !isServed($0.mailbox) }
        let groups = readers.map { directory.group(reaching: $0.name, among: destinations) }
        let groupNotes = Self.groupNotes(destinations, author: author, directory)
        let headers: [[UInt8]?]
        switch message.opening {
        case .key(let fileKey):
            headers = await ReaderHeaders(random: services.random).make(
                for: readers, fileKey: fileKey,
                notes: groups.map { group in sealNotes + (group.map { [GroupNote.stanza($0)] + (groupNotes[$0] ?? []) } ?? []) }
            )
        case .headers(let bundle):
            let made = Dictionary(bundle.readers.map { ($0.name, $0.header) }, uniquingKeysWith: { $1 })
            headers = readers.map { made[$0.place] }
        }
        var plan = DeliveryPlan(
            id: RecordTag(services.random.bytes(16)),
            author: directory.sender(author, from: mailbox),
            submission: message.submissionID ?? "", day: services.time.wall.day, destinations: destinations,
            copies: readers.indices.map { index in
                DeliveryPlan.Copy(
                    member: readers[index].name, mailbox: readers[index].mailbox, group: groups[index],
                    recipient: readers[index].recipient, header: headers[index],
                    isFull: book.isFull(MailboxID(rawValue: readers[index].mailbox)),
                    isOneOfSeveral: directory.accounts[readers[index].name]?.others != nil)
            })
        guard case .key(let fileKey) = message.opening else {
            plan.sealing = .member
            return plan
        }
        if plan.needsNodeHeader {
            plan.nodeHeader = try FanOut.headers(
                fileKey: fileKey, recipients: [keys.holdRecipient],
                notes: [sealNotes + groupNotes.keys.sorted().flatMap { groupNotes[$0] ?? [] }], random: services.random)[0]
        }
        return plan
    }

    /// What the readers through each group are told of it.
    private static func groupNotes(
        _ destinations: [Directory.Destination], author: String?, _ directory: Directory
    ) -> [String: [AgeStanza]] {
        var notes: [String: [AgeStanza]] = [:]
        for case .group(let name) in destinations {
            let roster = directory.rosterHead(of: name).map { [RosterNote(group: name, head: $0).stanza] } ?? []
            let isAttested = directory.groups[name]?.senderAuthentication == .attested
            notes[name] = roster + (isAttested ? author.map { [AuthorNote(group: name, author: $0).stanza] } ?? [] : [])
        }
        return notes
    }

    /// Names what was stored, in the order of the plan's transaction.
    private func commit(
        _ message: SealedMessage, _ plan: DeliveryPlan, receipt: SpoolAppend?
    ) async throws(SpoolError) -> [SpoolUID] {
        let transaction = plan.transaction(payload: message.payload, receipt: receipt)
        guard !transaction.appends.isEmpty else { return [] }
        let stored = try await spool.commit(transaction)
        if let index = plan.recordIndex { ledger.accepted(plan.id, uid: stored[index], plan.record) }
        if !plan.unsealed.isEmpty { reports.noteChange([plan.id]) }
        guard !plan.copies.isEmpty else { return stored }
        var orphans: [SpoolUID] = []
        for (copy, uid) in zip(plan.copies, stored[1...]) {
            guard let account = store.directory.account(mailbox: copy.mailbox) else {
                orphans.append(uid)
                continue
            }
            if let heldCopy = plan.heldCopy(copy) {
                held.stored(uid, plan.id, heldCopy, day: plan.day, payload: stored[0])
                // The key or the room may have come while this was being stored.
                let isFull = book.isFull(MailboxID(rawValue: copy.mailbox))
                if account.recipient != copy.recipient || isFull != copy.isFull {
                    held.retry(member: copy.mailbox)
                }
                continue
            }
            book.stored(MailboxID(rawValue: copy.mailbox), bytes: (copy.header?.count ?? 0) + message.payload.count)
            services.bus.publish(.newMailFor(mailbox: copy.mailbox))
        }
        // Members who were removed while their copy was being stored. What a stop prevents here, the next sweep does.
        if !orphans.isEmpty { _ = try? await spool.commit(SpoolTransaction(erasures: orphans)) }
        if plan.heldCount > 0 || !orphans.isEmpty { held.onChange([plan.id]) }
        return stored
    }

    /// Counts control mail that a change of the directory has stored, and wakes who waits for it.
    func noteStored(_ mails: [ControlCopy]) {
        for mail in mails where store.directory.account(mailbox: mail.mailbox.rawValue) != nil {
            book.stored(mail.mailbox, bytes: mail.bytes, isControl: true)
            services.bus.publish(.newMailFor(mailbox: mail.mailbox.rawValue))
        }
    }

    /// Counts what was erased from a maildrop, and lets in what was held for lack of room.
    func erased(_ entries: [SpoolEntry], from mailbox: MailboxID) {
        let bytes = entries.reduce(0) { $0 + $1.size + $1.payloadSize }
        let control = entries.filter(\.isControl).reduce(0) { $0 + $1.size + $1.payloadSize }
        book.erased(mailbox, count: entries.count, bytes: bytes, controlBytes: control)
        if !book.isFull(mailbox) { held.retry(member: mailbox.rawValue) }
    }

    /// A member has left, and the copies of these messages were erased from the maildrop; what is held goes too.
    func memberRemoved(_ account: Account, erased ids: [RecordTag]) async {
        reports.noteChange(ids)
        await held.retry { $0.member == account.mailbox }
    }

    private func failed(_ error: SpoolError) -> DeliveryOutcome {
        services.log.error("message not accepted", metadata: ["error": "\(error)"])
        switch error {
        case .full: return .diskFull
        case .tooLarge: return .tooLarge
        case .stopped, .noSuchRecord, .damaged: return .tryAgain("the node's storage has stopped; try again in a minute")
        }
    }
}
