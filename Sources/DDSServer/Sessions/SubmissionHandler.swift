// A member's submission session: who may send what to whom, in the words of SMTP replies; and the one transaction by which
// a newcomer enrols.

import DDSBus
import DDSCore
import DDSLoop
import DDSNode
import DDSSeal
import DDSWire
import Logging

@LoopActor final class SubmissionHandler: SessionHandler {
    typealias Machine = SMTPServerSession

    static let accountChanged = SMTPReply(
        550, EnhancedCode(5, 7, 1), "your account was changed meanwhile; log in again, or ask the node's administrator")

    private let server: ServerContext
    private let peerHost: String
    private var account: Account?
    private var newcomerKey: String?
    private var envelope: Envelope?
    private var intake: MessageIntake?
    /// What is for the node itself, an enrolment or a statement, is opened here and not sealed anew.
    private var control: ControlIntake?
    private var cut: OpenSessions.Cut?
    private var isGone = false

    init(server: ServerContext, peerHost: String) {
        self.server = server
        self.peerHost = peerHost
    }

    func answer(_ question: SMTPServerQuestion) async -> SMTPServerAnswer {
        switch question {
        case .authenticate(let credentials, let peer): await authenticate(credentials, peer)
        case .sender(let path, let parameters, _): sender(path, size: parameters.declaredSize ?? 0)
        case .recipient(let recipient, let envelope): self.recipient(recipient.address, envelope)
        case .endOfMessage: .message(await endOfMessage())
        }
    }

    func perform(_ effect: SMTPServerEffect) {
        switch effect {
        case .beginMessage(let envelope): begin(envelope)
        case .body(let bytes):
            intake?.take(bytes)
            control?.take(bytes)
        case .abandonMessage:
            intake = nil
            control = nil
        }
    }

    func sessionBegan(cut: @escaping OpenSessions.Cut) { self.cut = cut }

    func sessionEnded(_ summary: SessionSummary) {
        intake = nil
        control = nil
        isGone = true
        if let account { server.sessions.ended(self, of: account.mailbox) }
        server.sessionEnded("submission", summary)
    }

    private func authenticate(_ credentials: Credentials, _ peer: TLSPeer?) async -> SMTPServerAnswer {
        switch await server.login.login(credentials, peer: peer, from: peerHost, protocol: "submission") {
        case .member(let account):
            self.account = account
            if let cut, !isGone { server.sessions.began(self, of: account.mailbox, cut: cut) }
            return .authenticated(name: account.name)
        case .newcomer(let key):
            newcomerKey = key
            return .authenticated(name: EnrolmentRequest.localPart)
        case .refused: return .refused
        case .unavailable: return .unavailable
        }
    }

    private func sender(_ path: ReversePath, size: Int) -> SMTPServerAnswer {
        guard let address = path.address else {
            return .declined(SMTPReply(550, EnhancedCode(5, 7, 1), "members send from their own address, not from <>"))
        }
        guard newcomerKey != nil || server.current(account) != nil else { return .declined(Self.accountChanged) }
        let own = newcomerKey != nil ? EnrolmentRequest.localPart : account?.name
        guard address.domain == server.domain, address.local == own else {
            return .declined(
                SMTPReply(
                    550, EnhancedCode(5, 7, 1), "you are logged in as \(own ?? "-")@\(server.domain); send from that address"))
        }
        if let account, let refusal = server.quota.refusal(account.name, size: size, now: server.services.time.now) {
            return .declined(refusal.reply(now: server.services.time.wall))
        }
        return .accepted
    }

    private func recipient(_ address: MailAddress, _ envelope: Envelope) -> SMTPServerAnswer {
        if let newcomerKey {
            guard address.domain == server.domain, address.local == EnrolmentRequest.localPart, !newcomerKey.isEmpty else {
                return .declined(SMTPReply(550, EnhancedCode(5, 7, 1), "enrol first: this device belongs to no member yet"))
            }
            return .accepted
        }
        guard let account = server.current(account) else { return .declined(Self.accountChanged) }
        if isForNode(address) || envelope.recipients.contains(where: { isForNode($0.address) }) {
            guard envelope.recipients.isEmpty else {
                return .declined(
                    SMTPReply(550, EnhancedCode(5, 7, 1), "what is for the node itself has one recipient; send it alone"))
            }
            guard account.usesKey else {
                return .declined(
                    SMTPReply(550, EnhancedCode(5, 7, 1), "only a member's agent has something to say to the node itself"))
            }
            return .accepted
        }
        do throws(Directory.Refusal) {
            let directory = server.store.directory
            let earlier = destinations(of: envelope)
            let destination = try directory.destination(of: address, domain: server.domain, author: account.name)
            if let refusal = directory.refusal(ofMany: earlier + [destination]) { throw refusal }
        } catch {
            return .declined(error.reply)
        }
        if let reply = server.fullMaildropReply(address) { return .declined(reply) }
        return .accepted
    }

    private func isForNode(_ address: MailAddress) -> Bool {
        address.domain == server.domain && address.local == KeyStating.localPart
    }

    private func begin(_ envelope: Envelope) {
        if newcomerKey != nil || envelope.recipients.contains(where: { isForNode($0.address) }) {
            control = ControlIntake(identities: server.keys.sealIdentities)
            return
        }
        self.envelope = envelope
        // What is refused here is refused with its words at the end of the message.
        let (directory, destinations) = (server.store.directory, destinations(of: envelope))
        intake = MessageIntake(
            mode: directory.mode(of: destinations), identities: server.keys.sealIdentities, random: server.services.random,
            seeksSignature: directory.seeksSignature(destinations))
    }

    private func destinations(of envelope: Envelope) -> [Directory.Destination] {
        envelope.recipients.compactMap {
            try? server.store.directory.destination(of: $0.address, domain: server.domain, author: account?.name)
        }
    }

    private func endOfMessage() async -> SMTPReply {
        if control != nil { return newcomerKey == nil ? await stateKey() : await enrol() }
        guard var intake, let envelope else {
            return SMTPReply(451, EnhancedCode(4, 3, 0), "the message got lost inside the node; send it again")
        }
        self.intake = nil
        guard let account = server.current(account) else { return Self.accountChanged }
        let message: SealedMessage
        var destinations: [Directory.Destination] = []
        do {
            message = try intake.finish()
            for recipient in envelope.recipients {
                // Who has left since RCPT cannot be passed over in silence: there is one reply for all.
                destinations.append(
                    try server.store.directory.destination(of: recipient.address, domain: server.domain, author: account.name))
            }
        } catch let failure as IntakeFailure {
            return await reply(to: failure, account, self.destinations(of: envelope))
        } catch let refusal as Directory.Refusal {
            return refusal.reply
        } catch {
            preconditionFailure("only the two errors above are thrown here")
        }
        guard message.mode == server.store.directory.mode(of: destinations) else {
            return SMTPReply(451, EnhancedCode(4, 3, 0), "the mode of a group was changed meanwhile; send it again")
        }
        if let refusal = server.store.directory.refusal(ofMany: destinations) { return refusal.reply }
        guard message.wasSealed || !account.usesKey else {
            return SMTPReply(
                550, EnhancedCode(5, 7, 1),
                "seal it to this node's key first: your account uses a key, and your agent does that")
        }
        let now = server.services.time.now
        if let refusal = server.quota.refusal(account.name, size: message.plainBytes, now: now) {
            return refusal.reply(now: server.services.time.wall)
        }
        let outcome = await server.delivery.deliver(
            message, author: account.name, from: account.mailbox, destinations: destinations)
        switch outcome {
        // Each may have made a roster, which is mail to many.
        case .delivered, .sealAgain: server.quota.sent(account.name, size: message.plainBytes, now: now)
        case .alreadyAccepted, .tryAgain, .refused, .badSignature, .diskFull, .tooLarge: break
        }
        return outcome.reply
    }

    /// An agent that did not know the group's mode finds it in the roster.
    private func reply(
        to failure: IntakeFailure, _ account: Account, _ destinations: [Directory.Destination]
    ) async -> SMTPReply {
        var reply = failure.reply(sealKey: server.keys.seal.newest.number)
        guard failure == .notForReaders || failure == .forReaders, account.usesKey, destinations.count == 1,
            case .group(let name) = destinations[0]
        else { return reply }
        do throws(Failure) {
            reply.lines[0] += "; " + (try await server.delivery.rosters.renew(name, for: account).word)
            server.quota.sent(account.name, size: 0, now: server.services.time.now)
        } catch {
            server.services.log.error("a roster could not be made", metadata: ["error": "\(error)"])
        }
        return reply
    }

    /// What is sealed to a key that the node has not, or not any more.
    private var controlRefusal: SMTPReply? {
        control?.otherKey.map { IntakeFailure.otherKey($0).reply(sealKey: server.keys.seal.newest.number) }
    }

    private func stateKey() async -> SMTPReply {
        defer { control = nil }
        guard let account = server.current(account) else { return Self.accountChanged }
        let message = control?.finish()
        if let refusal = controlRefusal { return refusal }
        if let message, let confirmation = RosterConfirmation(message: message) {
            let (reply, isNew) = await server.confirm(confirmation, by: account)
            if isNew { server.quota.sent(account.name, size: message.count, now: server.services.time.now) }
            return reply
        }
        if let message, let request = DeviceRequest(message: message) {
            let (reply, isNew) = await server.answer(request, by: account)
            if isNew { server.quota.sent(account.name, size: message.count, now: server.services.time.now) }
            return reply
        }
        guard let message, let stating = KeyStating(message: message) else {
            return SMTPReply(550, EnhancedCode(5, 6, 0), "this is nothing for the node itself that is sealed to it")
        }
        let (reply, isNew) = await server.state(stating, for: account)
        // Each is a record that is kept for ever.
        if isNew { server.quota.sent(account.name, size: message.count, now: server.services.time.now) }
        return reply
    }

    private func enrol() async -> SMTPReply {
        defer { control = nil }
        let message = control?.finish()
        if let refusal = controlRefusal { return refusal }
        if let request = message.flatMap({ RestoreRequest(message: $0) }), let newcomerKey {
            return await server.restore(request, deviceKey: newcomerKey, from: peerHost)
        }
        if let request = message.flatMap({ LinkRequest(message: $0) }), let newcomerKey {
            return await server.link(request, deviceKey: newcomerKey, from: peerHost)
        }
        if let look = message.flatMap({ InviteLook(message: $0) }), let newcomerKey {
            return await server.look(look, deviceKey: newcomerKey, from: peerHost)
        }
        guard let request = message.flatMap({ EnrolmentRequest(message: $0) }), let newcomerKey else {
            return SMTPReply(550, EnhancedCode(5, 6, 0), "this is no enrolment sealed to this node; run: ddsnode join INVITE")
        }
        return await server.enrol(request, deviceKey: newcomerKey, from: peerHost)
    }
}
