// The server side of submission (RFC 5321, 6409) and LMTP (RFC 2033) as a value: what may be said when, what is asked of the
// owner, what is answered. Accounts, posting rights and the storing of mail are the owner's; this decides only the order of
// things. Positive replies to a message are never its own: they are the owner's answer to `.endOfMessage`.
//
// One question is outstanding at a time, and input waits behind it, which is all that PIPELINING (RFC 2920) needs.

package import DDSCore

package struct SMTPServerSession: WireSession {
    package typealias Question = SMTPServerQuestion
    package typealias Answer = SMTPServerAnswer
    package typealias Effect = SMTPServerEffect
    typealias Action = WireAction<Question, Effect>

    /// What is read or awaited now.
    enum State: Sendable {
        case created
        case command
        case authMessage(SASLMechanism)
        /// `AUTH LOGIN`: the name, then behind it the password, is owed.
        case authName
        case authPassword(name: [UInt8])
        case data(SMTPBodyReader)
        case chunk(Chunk)
        case asking(RequestID, Pending)
        /// The reply to a failed login is held back until the delay timer fires.
        case holding(SMTPReply)
        case startingTLS
        case closed
    }

    /// What the outstanding question is about.
    enum Pending: Sendable {
        case login
        case sender(ReversePath, MailParameters)
        case recipient(Recipient)
        case message
    }

    /// One BDAT chunk being read (RFC 3030).
    struct Chunk: Sendable {
        var octets: Int
        var remaining: Int
        var isLast: Bool
        /// What it will be answered with in any case; nil for a good chunk.
        var refusal: [SMTPReply]?
    }

    /// A transaction from the accepted MAIL on.
    struct Transaction: Sendable {
        var envelope: Envelope
        /// Of a message that comes in chunks, from the first BDAT on.
        var chunkReader: SMTPBodyReader?
        /// `.beginMessage` was performed, and neither `.endOfMessage` asked nor `.abandonMessage` performed since.
        var hasOpenMessage = false
    }

    /// The time and the growing list of actions of one call.
    struct Turn {
        let now: Instant
        var actions: [Action] = []
    }

    let configuration: SMTPServerConfiguration
    var state = State.created
    var reader: LineReader
    var tlsPeer: TLSPeer?
    /// From EHLO, HELO or LHLO.
    var clientName: String?
    var authenticated: String?
    var transaction: Transaction?
    /// Replies may hold UTF-8, since the client said SMTPUTF8 for this transaction.
    var allowsUTF8Replies = false
    var failedLogins = 0
    var faults = 0
    var isDraining = false
    private var hasEndOfInput = false
    private var isIdleTimerSet = false
    private var lastRequest: UInt64 = 0

    package init(configuration: SMTPServerConfiguration) {
        self.configuration = configuration
        reader = LineReader(limit: 2)
        adjustLineLimit()
    }

    package var bufferedBytes: Int { reader.count }

    // MARK: Events

    package mutating func start(now: Instant, into actions: inout [WireAction<Question, Effect>]) {
        precondition(configuration.tls != .implicit || tlsPeer != nil, "the handshake comes before the greeting")
        guard case .created = state else { return }
        run(now, into: &actions) { session, turn in
            session.state = .command
            if session.isDraining { return session.refuseForDrain(&turn) }
            let isLMTP = session.configuration.flavour == .lmtp
            session.send(SMTPReply(220, nil, "\(session.configuration.hostName) \(isLMTP ? "LMTP" : "ESMTP")"), &turn)
            if !isLMTP { turn.actions.append(.setTimer(.login, now + session.configuration.timeouts.login)) }
        }
    }

    package mutating func receive(
        _ bytes: ArraySlice<UInt8>, now: Instant, into actions: inout [WireAction<Question, Effect>]
    ) {
        switch state {
        case .closed, .startingTLS:
            // In clear behind STARTTLS, or behind our good-bye: never looked at.
            return
        case .created, .command, .authMessage, .authName, .authPassword, .data, .chunk, .asking, .holding:
            reader.append(bytes)
            run(now, into: &actions) { _, _ in }
        }
    }

    package mutating func handle(
        _ event: WireEvent<Answer>, now: Instant, into actions: inout [WireAction<Question, Effect>]
    ) {
        if case .closed = state { return }
        run(now, into: &actions) { session, turn in
            switch event {
            case .answer(let id, let answer):
                guard case .asking(id, let pending) = session.state else { return }
                session.state = .command
                session.take(answer, to: pending, &turn)
            case .timer(let timer):
                session.fire(timer, &turn)
            case .endOfInput:
                session.hasEndOfInput = true
            case .tlsEstablished(let peer):
                session.enterTLS(peer)
            case .drain:
                session.drain(&turn)
            }
        }
    }

    // MARK: The loop

    /// Does `body`, then whatever the stored input allows, then sets the idle timer to match.
    private mutating func run(
        _ now: Instant, into actions: inout [Action], _ body: (inout SMTPServerSession, inout Turn) -> Void
    ) {
        var turn = Turn(now: now)
        body(&self, &turn)
        while step(&turn) {}
        if hasEndOfInput {
            switch state {
            case .asking, .holding, .closed: break
            case .created, .command, .authMessage, .authName, .authPassword, .data, .chunk, .startingTLS:
                close(.endOfInput, &turn)
            }
        }
        adjustIdleTimer(&turn)
        actions += turn.actions
    }

    /// Consumes one unit of input; false when there is none or it may not be consumed now.
    private mutating func step(_ turn: inout Turn) -> Bool {
        switch state {
        case .command:
            if isDraining, transaction?.hasOpenMessage != true {
                refuseForDrain(&turn)
                return false
            }
            guard let line = reader.next() else { return false }
            obey(line, &turn)
        case .authMessage(let mechanism):
            guard let line = reader.next() else { return false }
            readAuthMessage(line, mechanism, &turn)
        case .authName:
            guard let line = reader.next() else { return false }
            readAuthName(line, &turn)
        case .authPassword(let name):
            guard let line = reader.next() else { return false }
            readAuthPassword(line, of: name, &turn)
        case .data(let body):
            guard !reader.isEmpty else { return false }
            readData(body, &turn)
        case .chunk(let chunk):
            guard !reader.isEmpty || chunk.remaining == 0 else { return false }
            readChunk(chunk, &turn)
        case .created, .asking, .holding, .startingTLS, .closed:
            return false
        }
        return true
    }

    private mutating func take(_ answer: Answer, to pending: Pending, _ turn: inout Turn) {
        switch pending {
        case .login: finishLogin(answer, &turn)
        case .sender(let path, let parameters): finishMail(answer, path, parameters, &turn)
        case .recipient(let recipient): finishRecipient(answer, recipient, &turn)
        case .message: finishMessage(answer, &turn)
        }
    }

    private mutating func fire(_ timer: WireTimer, _ turn: inout Turn) {
        switch timer {
        case .idle, .login:
            // A timer that raced with the question it guards: the peer is waiting for us, not we for it.
            if case .asking(_, .message) = state { return }
            if timer == .login, authenticated != nil { return }
            if case .startingTLS = state { return close(.timeout, &turn) }
            send(SMTPReply(421, EnhancedCode(4, 4, 2), "Too long without a word; good-bye"), &turn)
            close(.timeout, &turn)
        case .delay:
            guard case .holding(let reply) = state else { return }
            state = .command
            send(reply, &turn)
            if failedLogins >= configuration.limits.failedLoginsMax {
                send(SMTPReply(421, EnhancedCode(4, 7, 0), "Too many failed logins; good-bye"), &turn)
                close(.protocolError, &turn)
            }
        case .wait:
            return
        }
    }

    // MARK: Draining

    private mutating func drain(_ turn: inout Turn) {
        isDraining = true
        switch state {
        case .created, .data, .asking(_, .message):
            return
        case .startingTLS:
            close(.draining, &turn)
        case .command, .chunk:
            if transaction?.hasOpenMessage != true { refuseForDrain(&turn) }
        case .authMessage, .authName, .authPassword, .asking, .holding:
            refuseForDrain(&turn)
        case .closed:
            return
        }
    }

    private mutating func refuseForDrain(_ turn: inout Turn) {
        send(SMTPReply(421, EnhancedCode(4, 3, 2), "The server is stopping; try again later"), &turn)
        close(.draining, &turn)
    }

    // MARK: Helpers of all facets

    func send(_ reply: SMTPReply, _ turn: inout Turn) {
        turn.actions.append(.send(reply.encoded(allowsUTF8: allowsUTF8Replies)))
    }

    /// A command that makes no sense here: answered, counted, and too many of them end the session.
    mutating func fault(_ reply: SMTPReply, _ turn: inout Turn) {
        send(reply, &turn)
        faults += 1
        let isTrusted = authenticated != nil || configuration.flavour == .lmtp
        guard faults >= (isTrusted ? configuration.limits.faultsMax : configuration.limits.faultsBeforeLoginMax) else { return }
        send(SMTPReply(421, EnhancedCode(4, 7, 0), "Too many errors; good-bye"), &turn)
        close(.protocolError, &turn)
    }

    mutating func ask(_ question: Question, _ pending: Pending, _ turn: inout Turn) {
        lastRequest += 1
        let id = RequestID(rawValue: lastRequest)
        state = .asking(id, pending)
        turn.actions.append(.ask(id, question))
    }

    mutating func close(_ reason: CloseReason, _ turn: inout Turn) {
        resetTransaction(&turn)
        state = .closed
        reader.discardAll()
        // Nothing follows the close.
        if isIdleTimerSet { turn.actions.append(.cancelTimer(.idle)) }
        isIdleTimerSet = false
        turn.actions.append(.close(reason))
    }

    /// Forgets the transaction, and the message that was begun in it.
    mutating func resetTransaction(_ turn: inout Turn) {
        abandonOpenMessage(&turn)
        transaction = nil
        allowsUTF8Replies = false
    }

    mutating func abandonOpenMessage(_ turn: inout Turn) {
        guard transaction?.hasOpenMessage == true else { return }
        transaction?.hasOpenMessage = false
        turn.actions.append(.perform(.abandonMessage))
    }

    /// Long lines are read only where AUTH may be said.
    mutating func adjustLineLimit() {
        let limits = configuration.limits
        let command = limits.commandLineBytesMax + max(limits.mailParameterBytesMax, limits.recipientParameterBytesMax)
        let mayAuthenticate = configuration.flavour == .submission && authenticated == nil
        reader.limit = mayAuthenticate ? max(command, limits.authLineBytesMax) : command
    }

    private mutating func adjustIdleTimer(_ turn: inout Turn) {
        let timeouts = configuration.timeouts
        switch state {
        case .created, .asking, .closed:
            if isIdleTimerSet { turn.actions.append(.cancelTimer(.idle)) }
            isIdleTimerSet = false
        case .startingTLS:
            turn.actions.append(.setTimer(.idle, turn.now + timeouts.handshake))
            isIdleTimerSet = true
        case .command, .authMessage, .authName, .authPassword, .data, .chunk, .holding:
            turn.actions.append(.setTimer(.idle, turn.now + timeouts.idle))
            isIdleTimerSet = true
        }
    }
}
