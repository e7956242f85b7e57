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
    case delivered(readers: Int)
    /// The same submission was accepted before; nothing was delivered again.
    case alreadyAccepted
    /// Not now; the text is for the author.
    case tryAgain(String)
    case diskFull
    case tooLarge
}

@LoopActor final class DeliveryService {
    /// Headers made on the loop itself; making one takes about a tenth of a millisecond.
    private static let headersOnLoopMax = 8

    private let store: DirectoryStore
    private let spool: any SpoolEngine
    private let book: MaildropBook
    private let services: Services
    private var submissions: SubmissionLedger
    private(set) var acceptedCount = 0
    private(set) var deliveredCount = 0

    private init(store: DirectoryStore, spool: any SpoolEngine, book: MaildropBook, services: Services, submissions: SubmissionLedger) {
        self.store = store
        self.spool = spool
        self.book = book
        self.services = services
        self.submissions = submissions
    }

    /// Loads the receipts of the last 30 days and erases older ones.
    static func open(
        store: DirectoryStore, spool: any SpoolEngine, book: MaildropBook, services: Services
    ) async throws(SpoolError) -> DeliveryService {
        let submissions = SubmissionLedger(try await spool.entries(in: SubmissionLedger.mailbox))
        let service = DeliveryService(store: store, spool: spool, book: book, services: services, submissions: submissions)
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
        do {
            let headers = try await headers(
                for: readers, fileKey: message.fileKey,
                notes: readers.map { store.directory.group(reaching: $0.name, among: wanted).map(GroupNote.stanza) })
            try await commit(message, headers: headers, readers: readers, receipts: receipts)
        } catch let error as SpoolError {
            return failed(error)
        } catch {
            services.log.error("sealing failed", metadata: ["error": "\(error)"])
            return .tryAgain("the message could not be sealed; the administrator finds the reason in the log")
        }
        acceptedCount += 1
        deliveredCount += readers.count
        services.bus.publish(.messageAccepted(bytes: message.plainBytes, recipients: readers.count))
        return .delivered(readers: readers.count)
    }

    private func commit(
        _ message: SealedMessage, headers: [[UInt8]], readers: [Account], receipts: [RecordTag]
    ) async throws(SpoolError) {
        let deliveries = zip(readers, headers).map { (mailbox: MailboxID(rawValue: $0.mailbox), header: $1) }
        let transaction = SubmissionLedger.accepting(payload: message.payload, deliveries: deliveries, receipts: receipts)
        guard !transaction.appends.isEmpty else { return }
        let stored = try await spool.commit(transaction)
        var orphans: [SpoolUID] = []
        for (index, (reader, header)) in zip(readers, headers).enumerated() {
            guard store.directory.accounts[reader.name]?.mailbox == reader.mailbox else {
                orphans.append(stored[index + 1])
                continue
            }
            book.stored(MailboxID(rawValue: reader.mailbox), bytes: header.count + message.payload.count)
            services.bus.publish(.newMailFor(mailbox: reader.mailbox))
        }
        // Members who were removed while their copy was being stored. What a stop prevents here, the next sweep does.
        if !orphans.isEmpty { _ = try? await spool.commit(SpoolTransaction(erasures: orphans)) }
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

    /// One header per reader, in their order; many are made on worker threads, a slice each.
    private func headers(for readers: [Account], fileKey: AgeFileKey, notes: [AgeStanza?]) async throws -> [[UInt8]] {
        let random = services.random
        let recipients = readers.compactMap(\.recipient)
        precondition(recipients.count == readers.count, "readers have keys")
        if recipients.count <= Self.headersOnLoopMax {
            return try FanOut.headers(fileKey: fileKey, recipients: recipients.map { try AgeRecipient(accepted: $0) }, notes: notes, random: random)
        }
        let slice = max(16, (recipients.count + Loop.workerCount - 1) / Loop.workerCount)
        return try await withThrowingTaskGroup(of: (Int, [[UInt8]]).self) { group in
            for start in stride(from: 0, to: recipients.count, by: slice) {
                let part = Array(recipients[start..<min(start + slice, recipients.count)])
                let partNotes = Array(notes[start..<min(start + slice, recipients.count)])
                group.addTask {
                    let made = try await Loop.offload {
                        try FanOut.headers(fileKey: fileKey, recipients: part.map { try AgeRecipient(accepted: $0) }, notes: partNotes, random: random)
                    }
                    return (start, made)
                }
            }
            var parts: [(Int, [[UInt8]])] = []
            for try await part in group { parts.append(part) }
            return parts.sorted { $0.0 < $1.0 }.flatMap(\.1)
        }
    }
}
