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
    /// Accepted submissions, one receipt per destination, with the day of acceptance.
    private var receipts: [RecordTag: Int]
    private var inFlight: Set<RecordTag> = []
    private(set) var acceptedCount = 0
    private(set) var deliveredCount = 0

    private init(store: DirectoryStore, spool: any SpoolEngine, book: MaildropBook, services: Services, receipts: [RecordTag: Int]) {
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
        let service = DeliveryService(store: store, spool: spool, book: book, services: services, receipts: [:])
        for entry in try await spool.entries(in: receiptsMailbox) { service.receipts[entry.tag] = entry.day }
        try await service.forgetOldReceipts()
        return service
    }

    /// Erases receipts that are older than a resend can be.
    func forgetOldReceipts() async throws(SpoolError) {
        let oldest = services.time.wall.day - Self.receiptLifetimeDays
        guard receipts.values.contains(where: { $0 < oldest }) else { return }
        let expired = try await spool.entries(in: Self.receiptsMailbox).filter { $0.day < oldest }
        if !expired.isEmpty { _ = try await spool.commit(SpoolTransaction(erasures: expired.map(\.uid))) }
        receipts = receipts.filter { $0.value >= oldest }
    }

    /// Delivers to the readers that the destinations have *now*: a member removed since RCPT gets nothing. Of a resend only
    /// those destinations are served that did not have it before.
    func deliver(_ message: SealedMessage, author: String?, destinations: [Directory.Destination]) async -> DeliveryOutcome {
        var wanted: [Directory.Destination] = []
        var tags: [RecordTag] = []
        for destination in destinations where !wanted.contains(destination) {
            if let author, let id = message.submissionID {
                let tag = Self.receiptTag(author: author, id: id, destination: destination)
                if receipts[tag] != nil { continue }
                tags.append(tag)
            }
            wanted.append(destination)
        }
        if wanted.isEmpty { return .alreadyAccepted }
        guard inFlight.isDisjoint(with: tags) else { return .tryAgain("this submission is being accepted on another connection") }
        inFlight.formUnion(tags)
        defer { inFlight.subtract(tags) }
        let readers = store.directory.readers(of: wanted, author: author)
        do {
            let headers = try await headers(
                for: readers, fileKey: message.fileKey,
                notes: readers.map { store.directory.group(reaching: $0.name, among: wanted).map(GroupNote.stanza) })
            try await commit(message, headers: headers, readers: readers, receipts: tags)
        } catch let error as SpoolError {
            return failed(error)
        } catch {
            services.log.error("sealing failed", metadata: ["error": "\(error)"])
            return .tryAgain("the message could not be sealed; the administrator finds the reason in the log")
        }
        for tag in tags { receipts[tag] = services.time.wall.day }
        acceptedCount += 1
        deliveredCount += readers.count
        services.bus.publish(.messageAccepted(bytes: message.plainBytes, recipients: readers.count))
        return .delivered(readers: readers.count)
    }

    private func commit(
        _ message: SealedMessage, headers: [[UInt8]], readers: [Account], receipts: [RecordTag]
    ) async throws(SpoolError) {
        var transaction = SpoolTransaction()
        if !readers.isEmpty { transaction.appends.append(.payload(tag: .none, body: message.payload)) }
        for (reader, header) in zip(readers, headers) {
            transaction.appends.append(
                .delivery(mailbox: MailboxID(rawValue: reader.mailbox), tag: .none, flags: 0, header: header, payload: 0))
        }
        for receipt in receipts {
            transaction.appends.append(.record(mailbox: Self.receiptsMailbox, tag: receipt, flags: 0, body: []))
        }
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
