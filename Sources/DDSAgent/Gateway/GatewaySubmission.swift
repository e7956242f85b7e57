// A mail program's submission session: the person may send from their own address to the node's members and groups, and what is
// sent goes the way of what is written on the page. Every refusal says what to do.

import DDSCore
import DDSLoop
import DDSMail
import DDSNode
import DDSWire
import Logging

@LoopActor final class GatewaySubmission: SessionHandler, GatewaySession {
    typealias Machine = SMTPServerSession

    /// As many as a person writes to at once; everybody else reads a group.
    static let recipientsMax = 100

    /// What of a node's limit is left for the message itself: it is padded by up to a thirtieth, takes 66 octets for 48 in
    /// armor, and has a header for each reader.
    nonisolated static func messageBytesMax(nodeLimit: Int) -> Int { max(1024, nodeLimit / 3 * 2 - (64 << 10)) }

    private let desk: GatewayDesk
    private let session: String
    private var envelope: Envelope?
    private var message: [UInt8] = []
    private(set) var isFinishing = false

    init(desk: GatewayDesk, session: String) {
        self.desk = desk
        self.session = session
    }

    func answer(_ question: SMTPServerQuestion) async -> SMTPServerAnswer {
        switch question {
        case .authenticate(let credentials, _): authenticate(credentials)
        case .sender(let path, _, _): sender(path)
        case .recipient(let recipient, _): self.recipient(recipient.address)
        case .endOfMessage: .message(await endOfMessage())
        }
    }

    func perform(_ effect: SMTPServerEffect) {
        switch effect {
        case .beginMessage(let envelope):
            self.envelope = envelope
            message = []
        case .body(let bytes): message += bytes
        case .abandonMessage: forget()
        }
    }

    func sessionEnded(_ summary: SessionSummary) {
        forget()
        desk.sessionEnded(.smtp, summary)
    }

    private func forget() {
        envelope = nil
        message = []
    }

    private static let locked = SMTPReply(454, EnhancedCode(4, 7, 0), GatewayDesk.lockedWords)

    private func authenticate(_ credentials: Credentials) -> SMTPServerAnswer {
        switch desk.login(credentials) {
        case .locked: return .declined(Self.locked)
        case .refused: return .refused
        case .member(_, let password):
            desk.loggedIn(session, with: password)
            return .authenticated(name: desk.agent.account.address.local)
        }
    }

    private func sender(_ path: ReversePath) -> SMTPServerAnswer {
        let own = desk.agent.account.address
        guard path.address == own else {
            return .declined(
                SMTPReply(
                    550, EnhancedCode(5, 7, 1),
                    "this is the mail of \(own); choose that address as the sender in the mail program"))
        }
        return .accepted
    }

    private func recipient(_ address: MailAddress) -> SMTPServerAnswer {
        guard let store = desk.agent.unlocked?.store else { return .declined(Self.locked) }
        let account = desk.agent.account
        guard address.domain == account.address.domain else {
            return .declined(
                SMTPReply(
                    550, EnhancedCode(5, 7, 1),
                    "\(address) is not at \(account.address.domain), and this node serves its own members and groups only; "
                        + "send to other addresses from another account"))
        }
        guard let roster = store.trust.groups[address.local]?.last?.roster, roster.group == address else { return .accepted }
        let role = roster.members.first { $0.address == account.address }?.role
        switch roster.settings.posting {
        case "owners" where role != .owner:
            return .declined(
                SMTPReply(550, EnhancedCode(5, 7, 1), "only owners write to #\(address.local); ask one of them to do it"))
        case "members" where role == nil:
            return .declined(
                SMTPReply(
                    550, EnhancedCode(5, 7, 1), "only members write to #\(address.local); ask an owner to add you"))
        case _: return .accepted
        }
    }

    private func endOfMessage() async -> SMTPReply {
        guard let envelope else { return SMTPReply(451, EnhancedCode(4, 3, 0), "the message got lost; send it again") }
        let raw = message
        forget()
        isFinishing = true
        defer { isFinishing = false }
        do throws(Failure) {
            let waiting = try await desk.agent.submit(raw, to: envelope.recipients.map(\.address))
            guard !waiting.isEmpty else { return SMTPReply(250, EnhancedCode(2, 0, 0), "signed, sealed and in the outbox") }
            let people = waiting.map { "\($0)" }.joined(separator: ", ")
            return SMTPReply(250, EnhancedCode(2, 0, 0), "kept until you decide on the new key of \(people), on the page")
        } catch {
            desk.agent.services.log.notice("gateway: not sent", metadata: ["reason": "\(error)"])
            return Self.reply(to: error)
        }
    }

    /// The words of a failure with the codes of RFC 5321 and 3463.
    nonisolated static func reply(to failure: Failure) -> SMTPReply {
        let (code, enhanced) =
            switch failure.code {
            case .badInput where failure.reason == Agent.tooLargeReason: (552, EnhancedCode(5, 3, 4))
            case .badInput where failure.reason == Agent.malformedReason: (550, EnhancedCode(5, 6, 0))
            case .badInput, .usage: (550, EnhancedCode(5, 7, 1))
            case .permission: (451, EnhancedCode(4, 7, 0))
            case .inputOutput: (452, EnhancedCode(4, 3, 1))
            case _: (451, EnhancedCode(4, 3, 0))
            }
        return SMTPReply(code, enhanced, failure.publicText)
    }
}
