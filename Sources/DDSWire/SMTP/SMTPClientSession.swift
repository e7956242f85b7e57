// One delivery over SMTP submission or LMTP as a value: from the greeting to the outcome. When to try again, and what the
// outcome means for the author, is decided by its owner. It asks nothing.

package import DDSCore

package struct SMTPClientSession: WireSession {
    package typealias Question = Never
    package typealias Answer = Never
    package typealias Effect = SMTPClientEffect
    typealias Action = WireAction<Question, Effect>

    /// A reply that is due.
    enum Expectation: Hashable, Sendable {
        case greeting
        case hello
        case startTLS
        case authentication
        case sender
        /// By position in the envelope.
        case recipient(Int)
        case data
        /// To the end of the message: for the recipient at that position with LMTP, else for all.
        case message(Int?)
        case quit

        var stage: SMTPStage {
            switch self {
            case .greeting: .greeting
            case .hello: .hello
            case .startTLS: .startTLS
            case .authentication: .authentication
            case .sender: .sender
            case .recipient: .recipients
            case .data: .data
            case .message, .quit: .message
            }
        }
    }

    private enum State: Hashable, Sendable {
        case created
        case talking
        case startingTLS
        case closed
    }

    /// The time and the growing list of actions of one call.
    struct Turn {
        let now: Instant
        var actions: [Action] = []
    }

    let configuration: SMTPClientConfiguration
    private var state = State.created
    /// In the order in which the replies come (RFC 2920).
    var expectations: [Expectation] = []
    var capabilities = SMTPCapabilities()
    var senderReply: SMTPReply?
    /// The last reply for each recipient so far: to RCPT, then to the message.
    var recipientReplies: [SMTPReply?]
    /// The recipients for whom the message was sent.
    var tried: [Int] = []
    private var reader = LineReader(limit: Self.replyLineBytesMax)
    private var parser = SMTPReplyParser()
    private var isInTLS = false
    private var isFinished = false

    /// Servers are to send at most 512 octets; some send more.
    package static let replyLineBytesMax = 4096

    package init(configuration: SMTPClientConfiguration) {
        self.configuration = configuration
        recipientReplies = Array(repeating: nil, count: configuration.envelope.recipients.count)
    }

    package var bufferedBytes: Int { reader.count }

    // MARK: Events

    package mutating func start(now: Instant, into actions: inout [WireAction<Question, Effect>]) {
        precondition(configuration.tls != .implicit || isInTLS, "the handshake comes before the greeting")
        guard state == .created else { return }
        state = .talking
        expectations = [.greeting]
        var turn = Turn(now: now)
        readReplies(&turn)
        finish(turn, &actions)
    }

    package mutating func receive(
        _ bytes: ArraySlice<UInt8>, now: Instant, into actions: inout [WireAction<Question, Effect>]
    ) {
        guard state == .created || state == .talking else { return }
        reader.append(bytes)
        guard state == .talking else { return }
        var turn = Turn(now: now)
        readReplies(&turn)
        finish(turn, &actions)
    }

    package mutating func handle(
        _ event: WireEvent<Answer>, now: Instant, into actions: inout [WireAction<Question, Effect>]
    ) {
        guard state != .closed else { return }
        var turn = Turn(now: now)
        switch event {
        case .answer:
            break
        case .timer(.idle):
            lose(.timeout, &turn)
        case .timer:
            break
        case .endOfInput:
            lose(.endOfInput, &turn)
        case .tlsEstablished:
            isInTLS = true
            if state == .startingTLS {
                reader.discardAll()
                state = .talking
                sayHello(&turn)
            }
        case .drain:
            // Behind the end of the message only the answer tells what became of it.
            if stage != .message || isFinished { lose(.draining, &turn) }
        }
        finish(turn, &actions)
    }

    // MARK: Replies

    private mutating func readReplies(_ turn: inout Turn) {
        while state == .talking, let line = reader.next() {
            guard case .complete(let octets) = line else { return lose(.protocolError, &turn) }
            do throws(SMTPReplyError) {
                guard let reply = try parser.next(octets) else { continue }
                guard !expectations.isEmpty else { return lose(.protocolError, &turn) }
                take(reply, for: expectations[0], &turn)
            } catch {
                return lose(.protocolError, &turn)
            }
        }
    }

    private mutating func take(_ reply: SMTPReply, for expectation: Expectation, _ turn: inout Turn) {
        if expectation == .quit { return close(.quit, &turn) }
        guard Self.isPossible(reply, expectation) else { return lose(.protocolError, &turn) }
        if reply.code == 421 { return serverCloses(reply, expectation, &turn) }
        expectations.removeFirst()
        switch expectation {
        case .greeting:
            reply.isPositive ? sayHello(&turn) : refuse(.greeting, reply, &turn)
        case .hello:
            guard reply.isPositive else { return refuse(.hello, reply, &turn) }
            capabilities = SMTPCapabilities(reply)
            if configuration.wantsOffer, isInTLS { turn.actions.append(.perform(.heard(reply.lines))) }
            if configuration.isProbe, isInTLS || configuration.tls == .none { return endProbe(reply, &turn) }
            proceedAfterHello(&turn)
        case .startTLS:
            reply.isPositive ? startTLS(&turn) : refuse(.startTLS, reply, &turn)
        case .authentication:
            reply.isPositive ? sendEnvelope(&turn) : refuse(.authentication, reply, &turn)
        case .sender:
            senderReply = reply
            proceedWithEnvelope(&turn)
        case .recipient(let index):
            recipientReplies[index] = reply
            proceedWithEnvelope(&turn)
        case .data:
            reply.isIntermediate ? sendText(&turn) : refuse(.data, reply, &turn)
        case .message(let index):
            for position in tried where index == nil || index == position { recipientReplies[position] = reply }
            if expectations.isEmpty { conclude(&turn) }
        case .quit:
            close(.quit, &turn)
        }
    }

    /// Whether a server in its right mind could answer so.
    private static func isPossible(_ reply: SMTPReply, _ expectation: Expectation) -> Bool {
        switch expectation {
        case .greeting, .startTLS: reply.code == 220 || reply.code >= 400
        case .data: reply.code == 354 || reply.code >= 400
        case .hello, .authentication, .sender, .recipient, .message, .quit: !reply.isIntermediate
        }
    }

    /// 421 may answer anything and means that no more answers come (RFC 5321 3.8).
    private mutating func serverCloses(_ reply: SMTPReply, _ expectation: Expectation, _ turn: inout Turn) {
        // With LMTP the fate at the other recipients is unknown.
        if case .message(_?) = expectation { return lose(.endOfInput, &turn) }
        perform(.refused(expectation.stage, reply, permanent: false), &turn)
        close(.endOfInput, &turn)
    }

    private mutating func endProbe(_ reply: SMTPReply, _ turn: inout Turn) {
        perform(.offered(reply.lines), &turn)
        send("QUIT", expecting: .quit, &turn)
    }

    // MARK: Before the envelope

    private mutating func sayHello(_ turn: inout Turn) {
        capabilities = SMTPCapabilities()
        let verb = configuration.flavour == .lmtp ? "LHLO" : "EHLO"
        send("\(verb) \(configuration.clientName)", expecting: .hello, &turn)
    }

    private mutating func proceedAfterHello(_ turn: inout Turn) {
        if configuration.tls == .startTLS, !isInTLS {
            guard capabilities.hasStartTLS else {
                // Perhaps someone on the way has removed it: nothing is sent in clear.
                let reply = SMTPReply(454, EnhancedCode(4, 7, 0), "The server offers no TLS, and nothing is sent in clear")
                return refuse(.startTLS, reply, &turn)
            }
            return send("STARTTLS", expecting: .startTLS, &turn)
        }
        guard let credentials = configuration.credentials else { return sendEnvelope(&turn) }
        let name = credentials.mechanism.rawValue
        guard capabilities.mechanisms.contains(credentials.mechanism) else {
            let reply = SMTPReply(504, EnhancedCode(5, 5, 4), "The server does not offer AUTH \(name)")
            return refuse(.authentication, reply, &turn)
        }
        let message = credentials.message.exposed
        let response = message.isEmpty ? [0x3d] : Base64.encode(message)
        expectations.append(.authentication)
        turn.actions.append(.send(Array("AUTH \(name) ".utf8) + response + [0x0d, 0x0a]))
    }

    private mutating func startTLS(_ turn: inout Turn) {
        // Replies in clear behind this one would be taken for protected ones.
        guard reader.isEmpty else { return lose(.protocolError, stage: .startTLS, &turn) }
        state = .startingTLS
        turn.actions.append(.startTLS)
    }

    // MARK: Ends

    /// Nobody gets the message; a polite good-bye follows.
    mutating func refuse(_ stage: SMTPStage, _ reply: SMTPReply, isPermanent: Bool? = nil, _ turn: inout Turn) {
        let isAboutMessage = [.sender, .recipients, .data, .message].contains(stage)
        perform(.refused(stage, reply, permanent: isAboutMessage && (isPermanent ?? reply.isPermanent)), &turn)
        send("QUIT", expecting: .quit, &turn)
    }

    mutating func perform(_ outcome: SMTPOutcome, _ turn: inout Turn) {
        guard !isFinished else { return }
        isFinished = true
        turn.actions.append(.perform(.finished(outcome)))
    }

    private mutating func lose(_ reason: CloseReason, stage: SMTPStage? = nil, _ turn: inout Turn) {
        perform(.lost(stage ?? self.stage), &turn)
        close(reason, &turn)
    }

    private mutating func close(_ reason: CloseReason, _ turn: inout Turn) {
        state = .closed
        expectations = []
        turn.actions.append(.cancelTimer(.idle))
        turn.actions.append(.close(reason))
    }

    private var stage: SMTPStage {
        if state == .startingTLS { return .startTLS }
        return expectations.first?.stage ?? .greeting
    }

    // MARK: Helpers

    mutating func send(_ line: String, expecting expectation: Expectation, _ turn: inout Turn) {
        expectations.append(expectation)
        turn.actions.append(.send(Array(line.utf8) + [0x0d, 0x0a]))
    }

    /// Hands out the actions of a call, and a deadline for what is awaited now.
    private func finish(_ turn: Turn, _ actions: inout [Action]) {
        actions += turn.actions
        if state == .talking || state == .startingTLS { actions.append(.setTimer(.idle, turn.now + patience)) }
    }

    private var patience: Duration {
        let timeouts = configuration.timeouts
        switch expectations.first {
        case nil, .greeting:
            return timeouts.greeting
        case .quit:
            return timeouts.quit
        case .message:
            // The message may still be on its way.
            return timeouts.finalReply + .seconds(configuration.message.count / timeouts.bytesPerSecondMin)
        case .hello, .startTLS, .authentication, .sender, .recipient, .data:
            return timeouts.reply
        }
    }
}
