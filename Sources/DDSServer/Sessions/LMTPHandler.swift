// Mail that an MTA of the same machine hands in: sealed on arrival, a reply per recipient, no login (RFC 2033). The MTA is
// trusted for the envelope and for nothing else.

import DDSCore
import DDSLoop
import DDSNode
import DDSWire

@LoopActor final class LMTPHandler: SessionHandler {
    typealias Machine = SMTPServerSession

    /// Our own `Received` field counts, too (RFC 5321 6.3).
    private static var hopsMax: Int { 30 }

    private let server: ServerContext
    private var envelope: Envelope?
    private var intake: MessageIntake?
    private var hops = HopCounter()

    init(server: ServerContext) {
        self.server = server
    }

    func answer(_ question: SMTPServerQuestion) async -> SMTPServerAnswer {
        switch question {
        case .authenticate: .refused
        case .sender: .accepted
        case .recipient(let recipient, _): self.recipient(recipient.address)
        case .endOfMessage: await endOfMessage()
        }
    }

    func perform(_ effect: SMTPServerEffect) {
        switch effect {
        case .beginMessage(let envelope):
            self.envelope = envelope
            let trace = traceFields(envelope)
            intake = MessageIntake(
                identities: server.keys.sealIdentities, random: server.services.random, prefix: trace)
            hops = HopCounter()
            hops.feed(trace)
        case .body(let bytes):
            intake?.take(bytes)
            hops.feed(bytes)
        case .abandonMessage: intake = nil
        }
    }

    func sessionEnded(_ summary: SessionSummary) {
        intake = nil
        server.sessionEnded("lmtp", summary)
    }

    private func recipient(_ address: MailAddress) -> SMTPServerAnswer {
        do throws(Directory.Refusal) {
            _ = try destination(of: address)
        } catch {
            return .declined(error.reply)
        }
        return server.fullMaildropReply(address).map { .declined($0) } ?? .accepted
    }

    /// What an MTA hands in is in clear: no such mail for groups whose members were promised that the node opens nothing, or
    /// that a quantum computer of later reads nothing.
    private func destination(of address: MailAddress) throws(Directory.Refusal) -> Directory.Destination {
        let directory = server.store.directory
        let destination = try directory.destination(of: address, domain: server.domain, author: nil)
        guard directory.mode(of: [destination]) == .relay, !directory.requiresHybrid(destination) else {
            throw .notAllowed("\(address.local) takes only mail that its author has sealed; write with ddsnode's agent")
        }
        return destination
    }

    /// All recipients share one delivery, so that a reader of two of them gets one copy; each gets its reply. Whoever has left
    /// since RCPT is refused now.
    private func endOfMessage() async -> SMTPServerAnswer {
        guard let envelope, var intake else {
            return .message(SMTPReply(451, EnhancedCode(4, 3, 0), "the message got lost inside the node; send it again"))
        }
        self.intake = nil
        let message: SealedMessage
        do throws(IntakeFailure) {
            message = try intake.finish()
        } catch {
            return .message(error.reply(sealKey: server.keys.seal.newest.number))
        }
        guard hops.count <= Self.hopsMax else {
            return .message(
                SMTPReply(554, EnhancedCode(5, 4, 6), "more than \(Self.hopsMax) hosts have passed this message on; it loops"))
        }
        var destinations: [Directory.Destination] = []
        let refusals: [SMTPReply?] = envelope.recipients.map { recipient in
            do throws(Directory.Refusal) {
                destinations.append(try destination(of: recipient.address))
                return nil
            } catch {
                return error.reply
            }
        }
        guard !destinations.isEmpty else { return .perRecipient(refusals.compactMap { $0 }) }
        let reply = await server.delivery.deliver(message, author: nil, destinations: destinations).reply
        return .perRecipient(refusals.map { $0 ?? reply })
    }

    /// Return-Path and Received (RFC 5321 4.4), with the protocol names of RFC 3848 and RFC 6531. What the message has of
    /// both stays below. The client's name was checked to be a domain or literal.
    private func traceFields(_ envelope: Envelope) -> [UInt8] {
        let name = envelope.parameters.smtpUTF8 ? "UTF8LMTP" : "LMTP"
        let now = CivilTime(secondsSinceEpoch: server.services.time.wall.seconds)
        return Array(
            ("Return-Path: \(envelope.reversePath)\r\n"
                + "Received: from \(envelope.clientName) by \(server.domain) with \(name); \(now.rfc5322)\r\n").utf8)
    }
}
