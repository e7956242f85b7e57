// The message a POP3 client sees, made as it is read: constant header fields, then the armor of the member's own age header
// followed by the shared payload. Never held whole unless it is small.

import DDSCore
import DDSLoop
import DDSMail
import DDSSeal
import DDSSpool

/// Reads one wrapped message from its beginning to its end.
@LoopActor final class WrappedMessage {
    /// Payload read from the spool at once: armor, dot-stuffing and TLS for so much take the loop some milliseconds.
    private static var payloadPieceBytes: Int { 512 << 10 }

    let uid: SpoolUID
    private let payload: SpoolUID
    private let payloadSize: Int
    private let spool: any SpoolEngine
    private var armor = AgeArmorEncoder(lineEnd: .crlf)
    private var payloadOffset = 0
    private var pending: [UInt8]
    /// The first piece, read together with the header.
    private var firstPiece: [UInt8]?
    private(set) var position = 0
    private(set) var isAtEnd = false

    init(_ entry: SpoolEntry, node: String, recipient: MailAddress, spool: any SpoolEngine) async throws {
        guard let payload = entry.payload else { throw SpoolError.noSuchRecord(entry.uid) }
        uid = entry.uid
        self.payload = payload
        payloadSize = entry.payloadSize
        self.spool = spool
        pending = Self.head(entry, node: node, recipient: recipient)
        let piece = SpoolRange(payload, offset: 0, count: min(Self.payloadPieceBytes, entry.payloadSize))
        let read = try await spool.read([SpoolRange(entry.uid, offset: 0, count: entry.size), piece])
        pending += armor.update(read[0][...])
        firstPiece = read[1]
    }

    /// The exact size of what `next` will give in all.
    nonisolated static func octets(_ entry: SpoolEntry, node: String, recipient: MailAddress) -> Int {
        head(entry, node: node, recipient: recipient).count
            + SealedWrapper.armoredSize(ageBytes: entry.size + entry.payloadSize)
    }

    private nonisolated static func head(_ entry: SpoolEntry, node: String, recipient: MailAddress) -> [UInt8] {
        SealedWrapper.head(node: node, recipient: recipient, uidl: Maildrop.uidl(entry.uid), day: entry.day)
    }

    /// The next piece; `isAtEnd` says whether it was the last.
    func next() async throws -> [UInt8] {
        precondition(!isAtEnd, "a message is read once")
        let count = min(Self.payloadPieceBytes, payloadSize - payloadOffset)
        let bytes: [UInt8]
        if let firstPiece {
            bytes = firstPiece
            self.firstPiece = nil
        } else {
            bytes = try await spool.read(payload, offset: payloadOffset, count: count)
        }
        guard bytes.count == count else { throw SpoolError.damaged(payload, "the payload is shorter than its entry says") }
        payloadOffset += count
        let text = armor.update(bytes[...])
        if pending.isEmpty { pending = text } else { pending += text }
        if payloadOffset == payloadSize {
            pending += armor.finish()
            isAtEnd = true
        }
        defer { pending = [] }
        position += pending.count
        return pending
    }

    /// Reads on to `offset`, for a client that asked for the beginning of a message and now wants the rest again.
    func skip(to offset: Int) async throws {
        while position < offset, !isAtEnd { _ = try await next() }
    }
}
