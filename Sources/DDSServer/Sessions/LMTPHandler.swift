// Mail that an MTA of the same machine hands in: sealed on arrival, a reply per recipient, no login (RFC 2033). The MTA is
// trusted for the envelope and for nothing else.

import DDSCore
import DDSLoop
import DDSNode
import DDSWire

@LoopActor final class LMTPHandler: SessionHandler {
    typealias Machine = SMTPServerSession

    private let server: ServerContext
    private var envelope: Envelope?
    private var intake: MessageIntake?

    init(server: ServerContext) {
        self.server = server
    }

    func answer(_ question: SMTPServerQuestion) async -> SMTPServerAnswer {
        switch question {
        case .authenticate: .refused
        case .sender: .accepted
        case .recipient(let recipient, _): self.recipient(recipient.address)
        case .endOfMessage: .perRecipient(await endOfMessage())
        }
    }

    func perform(_ effect: SMTPServerEffect) {
        switch effect {
        case .beginMessage(let envelope):
            self.envelope = envelope
            intake = MessageIntake(
                identity: server.keys.sealIdentity, random: server.services.random, prefix: traceFields(envelope))
        case .body(let bytes): intake?.take(bytes)
        case .abandonMessage: intake = nil
        }
    }

    func sessionEnded(_ summary: SessionSummary) {
        intake = nil
        server.sessionEnded("lmtp", summary)
    }

    private func recipient(_ address: MailAddress) -> SMTPServerAnswer {
        do throws(Directory.Refusal) {
            _ = try server.store.directory.destination(of: address, domain: server.domain, author: nil)
        } catch {
            return .declined(error.reply)
        }
        return server.fullMaildropReply(address).map { .declined($0) } ?? .accepted
    }

    /// All recipients share one delivery, so that a reader of two of them gets one copy; each gets its reply.
    private func endOfMessage() async -> [SMTPReply] {
        guard let envelope, var intake else { return [] }
        self.intake = nil
        let reply: SMTPReply
        do throws(IntakeFailure) {
            let message = try intake.finish()
            let destinations = envelope.recipients.compactMap { recipient in
                try? server.store.directory.destination(of: recipient.address, domain: server.domain, author: nil)
            }
            reply = await server.delivery.deliver(message, author: nil, destinations: destinations).reply
        } catch {
            reply = error.reply
        }
        return envelope.recipients.map { _ in reply }
    }

    /// Return-Path and Received (RFC 5321 4.4). The client's name was checked to be a domain or literal.
    private func traceFields(_ envelope: Envelope) -> [UInt8] {
        let now = CivilTime(secondsSinceEpoch: server.services.time.wall.seconds)
        return Array(
            ("Return-Path: \(envelope.reversePath)\r\n"
                + "Received: from \(envelope.clientName) by \(server.domain) with LMTP; \(now.rfc5322)\r\n").utf8)
    }
}
