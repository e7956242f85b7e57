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
    /// Stored for so many readers, among them those for whom it is held.
    case delivered(readers: Int, held: Int = 0)
    /// The same submission was accepted before; nothing was delivered again.
    case alreadyAccepted
    /// Not now; the text is for the author.
    case tryAgain(String)
    /// Not in this way; the text is for the author.
    case refused(String)
    case diskFull
    case tooLarge
}

@LoopActor final class DeliveryService {
    private let store: DirectoryStore
    private let spool: any SpoolEngine
    private let book: MaildropBook
    private let services: Services
    private let nodeRecipient: AgeRecipient
    let ledger: MessageLedger
    let held: HeldQueue
    let reports: AuthorReports
    let mailer: ControlMailer
    private var submissions: SubmissionLedger
    private(set) var acceptedCount = 0
    private(set) var deliveredCount = 0

    private init(
        store: DirectoryStore, spool: any SpoolEngine, book: MaildropBook, services: Services, nodeRecipient: AgeRecipient,
        ledger: MessageLedger, held: HeldQueue, mailer: ControlMailer, submissions: SubmissionLedger
    ) {
        self.store = store
        self.spool = spool
        self.book = book
        self.services = services
        self.nodeRecipient = nodeRecipient
        self.ledger = ledger
        self.held = held
        self.mailer = mailer
        reports = AuthorReports(
            store: store, spool: spool, book: book, ledger: ledger, held: held, mailer: mailer, services: services)
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
            store: store, spool: spool, book: book, ledger: ledger, services: services, identities: keys.sealIdentities)
        let service = DeliveryService(
            store: store, spool: spool, book: book, services: services, nodeRecipient: keys.sealRecipient, ledger: ledger,
            held: held, mailer: ControlMailer(keys: keys, services: services),
            submissions: SubmissionLedger(try await spool.entries(in: SubmissionLedger.mailbox)))
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
    /// those destinations are served that did not have it before.
    func deliver(_ message: SealedMessage, author: String?, destinations: [Directory.Destination]) async -> DeliveryOutcome {
        var distinct: [Directory.Destination] = []
        for destination in destinations where !distinct.contains(destination) { distinct.append(destination) }
        let admission = submissions.admit(
            distinct.map { destination in
                guard let author, let id = message.submissionID else { return nil }
                return Self.receiptTag(author: author, id: id, destination: destination)
            })
        switch admission {
        case .alreadyAccepted: return .alreadyAccepted
        case .beingAccepted: return .tryAgain("this submission is being accepted on another connection")
        case .admitted(let positions, let receipts):
            let outcome = await deliver(message, author: author, to: positions.map { distinct[$0] }, receipts: receipts)
            let isAccepted = if case .delivered = outcome { true } else { false }
            submissions.settle(receipts, acceptedOn: isAccepted ? services.time.wall.day : nil)
            return outcome
        }
    }

    private func deliver(
        _ message: SealedMessage, author: String?, to wanted: [Directory.Destination], receipts: [RecordTag]
    ) async -> DeliveryOutcome {
        let readers = store.directory.readers(of: wanted, author: author)
        if case .notAllowed(let words)? = store.directory.refusal(of: readers, destinations: wanted, wasHybrid: message.wasHybrid) {
            return .refused(words)
        }
        let plan: DeliveryPlan
        do {
            plan = try await self.plan(message, author: author, readers: readers, destinations: wanted)
            try await commit(message, plan, receipts: receipts)
        } catch let error as SpoolError {
            return failed(error)
        } catch {
            services.log.error("sealing failed", metadata: ["error": "\(error)"])
            return .tryAgain("the message could not be sealed; the administrator finds the reason in the log")
        }
        acceptedCount += 1
        deliveredCount += plan.copies.count
        services.bus.publish(.messageAccepted(bytes: message.plainBytes, recipients: plan.copies.count))
        return .delivered(readers: plan.copies.count, held: plan.heldCount)
    }

    /// Who gets what, with a header for everybody whom one can be made for.
    private func plan(
        _ message: SealedMessage, author: String?, readers: [Account], destinations: [Directory.Destination]
    ) async throws -> DeliveryPlan {
        let seal = store.directory.seal(of: readers, destinations: destinations, wasHybrid: message.wasHybrid)
        let sealNotes = seal.map { [SealNote.stanza($0)] } ?? []
        let groups = readers.map { store.directory.group(reaching: $0.name, among: destinations) }
        let headers = await ReaderHeaders(random: services.random).make(
            for: readers, fileKey: message.fileKey,
            notes: groups.map { group in sealNotes + (group.map { [GroupNote.stanza($0)] } ?? []) })
        var plan = DeliveryPlan(
            id: RecordTag(services.random.bytes(16)), author: author.flatMap { store.directory.accounts[$0] },
            submission: message.submissionID ?? "", day: services.time.wall.day, destinations: destinations,
            copies: readers.indices.map { index in
                DeliveryPlan.Copy(
                    member: readers[index].name, mailbox: readers[index].mailbox, group: groups[index],
                    recipient: readers[index].recipient, header: headers[index],
                    isFull: book.isFull(MailboxID(rawValue: readers[index].mailbox)))
            })
        if plan.needsNodeHeader {
            plan.nodeHeader = try FanOut.headers(
                fileKey: message.fileKey, recipients: [nodeRecipient], notes: [sealNotes], random: services.random)[0]
        }
        return plan
    }

    private func commit(_ message: SealedMessage, _ plan: DeliveryPlan, receipts: [RecordTag]) async throws(SpoolError) {
        let transaction = plan.transaction(payload: message.payload, receipts: receipts)
        guard !transaction.appends.isEmpty else { return }
        let stored = try await spool.commit(transaction)
        guard !plan.copies.isEmpty else { return }
        ledger.accepted(plan.id, uid: stored[plan.copies.count + 1], plan.record)
        var orphans: [SpoolUID] = []
        for (copy, uid) in zip(plan.copies, stored[1...]) {
            guard store.directory.accounts[copy.member]?.mailbox == copy.mailbox else {
                orphans.append(uid)
                continue
            }
            if let heldCopy = plan.heldCopy(copy) {
                held.stored(uid, plan.id, heldCopy, day: plan.day, payload: stored[0])
                // The key or the room may have come while this was being stored.
                let isFull = book.isFull(MailboxID(rawValue: copy.mailbox))
                if store.directory.accounts[copy.member]?.recipient != copy.recipient || isFull != copy.isFull { held.retry(member: copy.mailbox) }
                continue
            }
            book.stored(MailboxID(rawValue: copy.mailbox), bytes: (copy.header?.count ?? 0) + message.payload.count)
            services.bus.publish(.newMailFor(mailbox: copy.mailbox))
        }
        // Members who were removed while their copy was being stored. What a stop prevents here, the next sweep does.
        if !orphans.isEmpty { _ = try? await spool.commit(SpoolTransaction(erasures: orphans)) }
        if plan.heldCount > 0 || !orphans.isEmpty { held.onChange([plan.id]) }
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

    private static func receiptTag(author: String, id: String, destination: Directory.Destination) -> RecordTag {
        let place =
            switch destination {
            case .member(let name), .group(let name): name
            }
        return RecordTag(Hash.blake2b(Array("\(author)\0\(place)\0\(id)".utf8), key: Array("ddsnode/v1/receipt".utf8), count: 16))
    }
}
