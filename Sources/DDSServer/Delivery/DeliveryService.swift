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
    /// The spool's mailbox that remembers accepted submission ids; its records have no body.
    static let receiptsMailbox = MailboxID(rawValue: 2)
    /// Days for which a resend is recognised.
    static let receiptLifetimeDays = 30
    /// Headers made on the loop itself; making one takes about a tenth of a millisecond.
    private static let headersOnLoopMax = 8

    private let store: DirectoryStore
    private let spool: any SpoolEngine
    private let book: MaildropBook
    private let services: Services
    private var receipts: Set<RecordTag>
    private var inFlight: Set<RecordTag> = []
    private(set) var acceptedCount = 0
    private(set) var deliveredCount = 0

    private init(store: DirectoryStore, spool: any SpoolEngine, book: MaildropBook, services: Services, receipts: Set<RecordTag>) {
        self.store = store
        self.spool = spool
        self.book = book
        self.services = services
        self.receipts = receipts
    }

    /// Loads the receipts of the last 30 days and erases older ones.
    static func open(
        store: DirectoryStore, spool: any SpoolEngine, book: MaildropBook, services: Services
    ) async throws(SpoolError) -> DeliveryService {
        let entries = try await spool.entries(in: receiptsMailbox)
        let oldest = services.time.wall.day - receiptLifetimeDays
        let expired = entries.filter { $0.day < oldest }
        if !expired.isEmpty { _ = try await spool.commit(SpoolTransaction(erasures: expired.map(\.uid))) }
        let receipts = Set(entries.filter { $0.day >= oldest }.map(\.tag))
        return DeliveryService(store: store, spool: spool, book: book, services: services, receipts: receipts)
    }

    /// Delivers to the readers that the destinations have *now*: a member removed since RCPT gets nothing.
    func deliver(_ message: SealedMessage, author: String?, destinations: [Directory.Destination]) async -> DeliveryOutcome {
        let receipt = author.flatMap { author in message.submissionID.map { Self.receiptTag(author: author, id: $0) } }
        if let receipt {
            if receipts.contains(receipt) { return .alreadyAccepted }
            guard inFlight.insert(receipt).inserted else { return .tryAgain("this submission is being accepted on another connection") }
        }
        defer { if let receipt { inFlight.remove(receipt) } }
        let readers = store.directory.readers(of: destinations, author: author)
        do {
            let headers = try await headers(for: readers, fileKey: message.fileKey)
            try await commit(message, headers: headers, readers: readers, receipt: receipt)
        } catch let error as SpoolError {
            return failed(error)
        } catch {
            services.log.error("sealing failed", metadata: ["error": "\(error)"])
            return .tryAgain("the message could not be sealed; the administrator finds the reason in the log")
        }
        if let receipt { receipts.insert(receipt) }
        acceptedCount += 1
        deliveredCount += readers.count
        services.bus.publish(.messageAccepted(bytes: message.plainBytes, recipients: readers.count))
        return .delivered(readers: readers.count)
    }

    private func commit(
        _ message: SealedMessage, headers: [[UInt8]], readers: [Account], receipt: RecordTag?
    ) async throws(SpoolError) {
        var transaction = SpoolTransaction()
        if !readers.isEmpty { transaction.appends.append(.payload(tag: .none, body: message.payload)) }
        for (reader, header) in zip(readers, headers) {
            transaction.appends.append(
                .delivery(mailbox: MailboxID(rawValue: reader.mailbox), tag: .none, flags: 0, header: header, payload: 0))
        }
        if let receipt {
            transaction.appends.append(.record(mailbox: Self.receiptsMailbox, tag: receipt, flags: 0, body: []))
        }
        guard !transaction.appends.isEmpty else { return }
        _ = try await spool.commit(transaction)
        for (reader, header) in zip(readers, headers) {
            book.stored(MailboxID(rawValue: reader.mailbox), bytes: header.count + message.payload.count)
            services.bus.publish(.newMailFor(mailbox: reader.mailbox))
        }
    }

    private func failed(_ error: SpoolError) -> DeliveryOutcome {
        services.log.error("message not accepted", metadata: ["error": "\(error)"])
        switch error {
        case .full: return .diskFull
        case .tooLarge: return .tooLarge
        case .stopped, .noSuchRecord, .damaged: return .tryAgain("the node's storage has stopped; try again in a minute")
        }
    }

    private static func receiptTag(author: String, id: String) -> RecordTag {
        RecordTag(Hash.blake2b(Array("\(author)\0\(id)".utf8), key: Array("ddsnode/v1/receipt".utf8), count: 16))
    }

    /// One header per reader, in their order; many are made on worker threads, a slice each.
    private func headers(for readers: [Account], fileKey: AgeFileKey) async throws -> [[UInt8]] {
        let random = services.random
        let recipients = readers.compactMap(\.recipient)
        precondition(recipients.count == readers.count, "readers have keys")
        if recipients.count <= Self.headersOnLoopMax {
            return try FanOut.headers(fileKey: fileKey, recipients: recipients.map { try AgeRecipient($0) }, random: random)
        }
        let slice = max(16, (recipients.count + Loop.workerCount - 1) / Loop.workerCount)
        return try await withThrowingTaskGroup(of: (Int, [[UInt8]]).self) { group in
            for start in stride(from: 0, to: recipients.count, by: slice) {
                let part = Array(recipients[start..<min(start + slice, recipients.count)])
                group.addTask {
                    let made = try await Loop.offload {
                        try FanOut.headers(fileKey: fileKey, recipients: part.map { try AgeRecipient($0) }, random: random)
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
