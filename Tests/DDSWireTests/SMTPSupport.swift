// A bench for the SMTP machines: answers questions by a policy, gathers what comes out. It asserts nothing by itself.

import DDSCore
import DDSTestKit
import DDSWire

typealias SMTPAction = WireAction<SMTPServerQuestion, SMTPServerEffect>

let smtpPeer = TLSPeer(version: "TLSv1.3", keyHash: nil)
let smtpKeyedPeer = TLSPeer(version: "TLSv1.3", keyHash: [UInt8](repeating: 7, count: 32))

func smtpAddress(_ text: String) -> MailAddress {
    guard let address = MailAddress(text) else { preconditionFailure("the test's own address is wrong: \(text)") }
    return address
}

func smtpBase64(_ text: String) -> String { String(decoding: Base64.encode(Array(text.utf8)), as: UTF8.self) }

let smtpPlainLogin = "AUTH PLAIN \(smtpBase64("\0alice\0secret"))\r\n"

func smtpServerConfiguration(
    _ flavour: SMTPServerConfiguration.Flavour = .submission, _ tls: SMTPServerConfiguration.TLS = .implicit
) -> SMTPServerConfiguration {
    SMTPServerConfiguration(hostName: "node.example", flavour: flavour, tls: tls)
}

/// One server session with its owner played by `answer`.
struct SMTPBench {
    typealias Policy = (SMTPServerQuestion) -> SMTPServerAnswer?

    struct Message: Hashable {
        var envelope: Envelope
        var body: [UInt8]

        var text: String { String(decoding: body, as: UTF8.self) }
    }

    var session: SMTPServerSession
    var time = ManualTime()
    var policy: Policy
    /// Everything since the last `take`.
    var sent = ""
    var questions: [(id: RequestID, question: SMTPServerQuestion)] = []
    var messages: [Message] = []
    var openMessage: Message?
    var abandoned = 0
    var bodyPieceMax = 0
    var timers: [WireTimer: Instant] = [:]
    var closed: CloseReason?
    var startedTLS = false

    init(
        _ configuration: SMTPServerConfiguration = smtpServerConfiguration(), peer: TLSPeer = smtpPeer,
        policy: @escaping Policy = SMTPBench.usual
    ) {
        session = SMTPServerSession(configuration: configuration)
        self.policy = policy
        if configuration.tls == .implicit { handle(.tlsEstablished(peer)) }
        var actions: [SMTPAction] = []
        session.start(now: time.now, into: &actions)
        perform(actions)
    }

    /// Alice logs in with `secret`; everybody may send; `nobody` is unknown; every message is queued.
    static func usual(_ question: SMTPServerQuestion) -> SMTPServerAnswer? {
        switch question {
        case .authenticate(.plain(nil, "alice", let password), _):
            password.exposed == Array("secret".utf8) ? .authenticated(name: "alice") : .refused
        case .authenticate(.external(let name), _): name == nil || name == "alice" ? .authenticated(name: "alice") : .refused
        case .authenticate: .refused
        case .sender: .accepted
        case .recipient(let recipient, _):
            recipient.address.local == "nobody"
                ? .declined(SMTPReply(550, EnhancedCode(5, 1, 1), "No such member; ask the administrator")) : .accepted
        case .endOfMessage: .message(SMTPReply(250, EnhancedCode(2, 6, 0), "Queued"))
        }
    }

    mutating func feed(_ text: String) { feed(Array(text.utf8)) }

    mutating func feed(_ bytes: [UInt8]) {
        var actions: [SMTPAction] = []
        session.receive(bytes[...], now: time.now, into: &actions)
        perform(actions)
    }

    mutating func handle(_ event: WireEvent<SMTPServerAnswer>) {
        var actions: [SMTPAction] = []
        session.handle(event, now: time.now, into: &actions)
        perform(actions)
    }

    /// What was sent since the last call.
    mutating func take() -> String {
        defer { sent = "" }
        return sent
    }

    /// The codes of the replies to `text`.
    mutating func codes(_ text: String) -> [Int] {
        sent = ""
        feed(text)
        return Self.codes(take())
    }

    /// Answers the oldest open question.
    mutating func answer(_ answer: SMTPServerAnswer) {
        let (id, _) = questions.removeFirst()
        handle(.answer(id, answer))
    }

    /// Lets the delay that is set run out.
    mutating func runDelay() {
        guard let due = timers.removeValue(forKey: .delay) else { return }
        time.advance(by: due - time.now)
        handle(.timer(.delay))
    }

    static func codes(_ text: String) -> [Int] {
        text.split(separator: "\r\n").filter { $0.dropFirst(3).first == " " }.compactMap { Int($0.prefix(3)) }
    }

    private mutating func perform(_ actions: [SMTPAction]) {
        for action in actions {
            switch action {
            case .send(let bytes): sent += String(decoding: bytes, as: UTF8.self)
            case .ask(let id, let question):
                if question == .endOfMessage, let message = openMessage {
                    messages.append(message)
                    openMessage = nil
                }
                questions.append((id, question))
            case .perform(.beginMessage(let envelope)): openMessage = Message(envelope: envelope, body: [])
            case .perform(.body(let bytes)):
                openMessage?.body += bytes
                bodyPieceMax = max(bodyPieceMax, bytes.count)
            case .perform(.abandonMessage):
                openMessage = nil
                abandoned += 1
            case .setTimer(let timer, let due): timers[timer] = due
            case .cancelTimer(let timer): timers[timer] = nil
            case .startTLS: startedTLS = true
            case .close(let reason): closed = reason
            }
        }
        while let (_, question) = questions.first, let answer = policy(question) { self.answer(answer) }
    }
}

extension SMTPBench {
    /// In the state behind a login.
    static func loggedIn(
        _ configuration: SMTPServerConfiguration = smtpServerConfiguration(), policy: @escaping Policy = SMTPBench.usual
    ) -> SMTPBench {
        var bench = SMTPBench(configuration, policy: SMTPBench.usual)
        bench.feed("EHLO client.example\r\n" + smtpPlainLogin)
        bench.policy = policy
        bench.sent = ""
        return bench
    }

    /// In the state behind MAIL and RCPT.
    static func withRecipients(
        _ configuration: SMTPServerConfiguration = smtpServerConfiguration(), count: Int = 1,
        policy: @escaping Policy = SMTPBench.usual
    ) -> SMTPBench {
        var bench = SMTPBench(configuration, policy: SMTPBench.usual)
        bench.feed(configuration.flavour == .lmtp ? "LHLO mta.example\r\n" : "EHLO client.example\r\n" + smtpPlainLogin)
        bench.feed("MAIL FROM:<alice@node.example>\r\n")
        for index in 0..<count { bench.feed("RCPT TO:<member\(index)@node.example>\r\n") }
        bench.policy = policy
        bench.sent = ""
        return bench
    }
}
