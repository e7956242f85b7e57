// An IMAP server session: the states, what events do to them, and when a command may be taken. What single commands do is in
// the files beside it. Whose password is right, what mailboxes hold and what is durable is asked, not decided here.
//
// Theory. A session takes commands only while it is `ready`; while it owes a reply it is `asking` (one question, and the task
// that goes on with the answer) or `delaying`, and input waits in the reader, which is the whole of pipelining (RFC 9051 5.5).
// IDLE is a task that looks at the input meanwhile. A literal is announced by the reader, judged (IMAPServerSession+Literals),
// and read or thrown away. The end of input is one more command behind the others; a second one means that the connection is
// gone.
//
// Spoken are IMAP4rev1 (RFC 3501) and IMAP4rev2 (RFC 9051), and RFC 2177, 2971, 3516, 3691, 4315, 4731, 4959, 5032, 5161, 5182,
// 5256, 5258, 5530, 5819, 6154, 6851, 6855, 7162 (without QRESYNC), 7888, 8438, 9208 (to read).

package import DDSCore

/// An IMAP session on the server's side as a value.
package struct IMAPServerSession: WireSession {
    package typealias Question = IMAPServerQuestion
    package typealias Answer = IMAPServerAnswer
    package typealias Effect = IMAPServerEffect
    package typealias Action = WireAction<Question, Effect>

    enum State: Sendable {
        case initial
        /// Between commands, or in the middle of one that has not come whole.
        case ready
        /// The client owes the line that answers `+ `.
        case saslResponse(tag: String, SASLMechanism)
        case startingTLS
        /// The reply to a failed login is held back; at the last one the session ends behind it.
        case delaying(tag: String, isLast: Bool)
        case asking(RequestID, Task)
        case closed
    }

    let configuration: IMAPServerConfiguration
    var state = State.initial
    var reader: IMAPCommandReader
    var peer: TLSPeer?
    var isLoggedIn = false
    var selection: IMAPSelection?
    /// ENABLE and commands that imply it.
    var usesRev2 = false
    var usesUTF8 = false
    var usesCondStore = false
    var failedLogins = 0
    /// A large message of which the client reads one piece after the other.
    var partlyRead: (uid: UInt32, message: MIMEMessage)?
    private(set) var isDraining = false
    private var hasSeenEnd = false
    private var faults = 0
    private var lastID: UInt64 = 0
    /// When the client was last heard or the last reply given; the idle timer is moved only when it fires.
    private var lastActivity = Instant(nanoseconds: 0)
    private var burstOctets = 0

    /// Octets of replies after which the session asks `.pause` before it takes the next pipelined command.
    private static let burstOctetsMax = 1 << 18

    package init(configuration: IMAPServerConfiguration) {
        self.configuration = configuration
        reader = IMAPCommandReader(limit: configuration.lineOctetsMaxBeforeLogin)
    }

    /// What waits behind a reply that is owed. The beginning of a command waits for its end only, and the reader bounds it.
    package var bufferedBytes: Int {
        switch state {
        case .asking(_, .idle(let idle)) where !idle.isEnding: 0
        case .delaying, .asking: reader.count
        case .initial, .ready, .saslResponse, .startingTLS, .closed: 0
        }
    }

    /// Where the session stands, in the words of the command table.
    var phase: IMAPVerb.Phase {
        if isLoggedIn { return selection == nil ? .authenticated : .selected }
        return configuration.tls == .startTLSRequired && peer == nil ? .clear : .notAuthenticated
    }

    /// Mailbox names are UTF-8, and quoted strings may be.
    var isUTF8: Bool { usesRev2 || usesUTF8 }

    // MARK: Events

    package mutating func start(now: Instant, into actions: inout [Action]) {
        guard case .initial = state else { return }
        precondition(configuration.tls != .implicit || peer != nil, "with implicit TLS the handshake comes first")
        state = .ready
        lastActivity = now
        let timeout = phase == .clear ? configuration.startTLSTimeout : configuration.loginTimeout
        actions.append(.setTimer(.login, now + timeout))
        guard !isDraining else { return bye(.draining, into: &actions) }
        send("* OK [CAPABILITY \(capabilities)] \(configuration.hostName) ddsnode ready", into: &actions)
    }

    package mutating func receive(_ bytes: ArraySlice<UInt8>, now: Instant, into actions: inout [Action]) {
        switch state {
        case .closed, .startingTLS:
            // After STARTTLS whatever still comes in clear does not count (RFC 9051 6.2.1).
            return
        case .initial, .ready, .saslResponse, .delaying, .asking:
            lastActivity = now
            reader.append(bytes)
            advance(now: now, into: &actions)
        }
    }

    package mutating func handle(_ event: WireEvent<Answer>, now: Instant, into actions: inout [Action]) {
        if case .closed = state { return }
        switch event {
        case .answer(let id, let answer): take(answer, to: id, now: now, into: &actions)
        case .timer(let timer): fired(timer, now: now, into: &actions)
        case .tlsEstablished(let peer): secured(peer, now: now, into: &actions)
        case .drain: drain(now: now, into: &actions)
        case .endOfInput:
            if hasSeenEnd { return close(.endOfInput, into: &actions) }
            hasSeenEnd = true
            if case .startingTLS = state { return close(.endOfInput, into: &actions) }
        }
        advance(now: now, into: &actions)
    }

    // MARK: Progress

    /// Takes commands for as long as no reply is owed.
    private mutating func advance(now: Instant, into actions: inout [Action]) {
        while true {
            switch state {
            case .initial, .startingTLS, .delaying, .closed: return
            case .asking(_, let task):
                guard case .idle(let idle) = task, !idle.isEnding else { return }
                guard whileIdling(idle, into: &actions) else { return }
                continue
            case .ready, .saslResponse: break
            }
            if isDraining { return bye(.draining, into: &actions) }
            if burstOctets >= Self.burstOctetsMax, isLoggedIn, !reader.isEmpty, case .ready = state {
                burstOctets = 0
                return ask(.pause, .pause, into: &actions)
            }
            reader.limit = isLoggedIn ? configuration.lineOctetsMax : configuration.lineOctetsMaxBeforeLogin
            let isCommand = if case .ready = state { true } else { false }
            guard let item = reader.next(takesLiterals: isCommand) else {
                burstOctets = 0
                if hasSeenEnd { close(.endOfInput, into: &actions) }
                return
            }
            take(item, now: now, into: &actions)
        }
    }

    /// Whether there was something to do.
    private mutating func whileIdling(_ idle: Idle, into actions: inout [Action]) -> Bool {
        guard let item = reader.next(takesLiterals: false) else {
            if hasSeenEnd { close(.endOfInput, into: &actions) }
            return false
        }
        endIdle(idle, by: item, into: &actions)
        return true
    }

    private mutating func take(_ item: IMAPCommandReader.Item, now: Instant, into actions: inout [Action]) {
        if case .saslResponse(let tag, let mechanism) = state {
            state = .ready
            return saslResponse(item, of: mechanism, tag: tag, into: &actions)
        }
        switch item {
        case .literal(let literal): judge(literal, into: &actions)
        case .command(let text): execute(text, into: &actions)
        case .fault(let fault, let head):
            refuse(IMAPCommand.tag(of: head), IMAPFault(reply: Self.words(fault, limit: reader.limit)), into: &actions)
        }
    }

    static func words(_ fault: IMAPCommandReader.Fault, limit: Int) -> String {
        switch fault {
        case .overlong: "BAD The command has more than \(limit) octets"
        case .bareLineEnd: "BAD A line ends with CR LF, and neither comes alone"
        case .refused(let reply): reply
        }
    }

    private mutating func take(_ answer: Answer, to id: RequestID, now: Instant, into actions: inout [Action]) {
        guard case .asking(id, let task) = state else { return }
        // In IDLE only the client's own words count (RFC 2177).
        if case .idle = task {} else { lastActivity = now }
        state = .ready
        resume(task, answer, now: now, into: &actions)
    }

    // MARK: Timers, TLS, draining

    private mutating func fired(_ timer: WireTimer, now: Instant, into actions: inout [Action]) {
        switch timer {
        case .login:
            if !isLoggedIn { bye(.timeout, "Not logged in in time", into: &actions) }
        case .idle:
            let limit = isDraining ? configuration.drainTimeout : configuration.idleTimeout
            if now - lastActivity >= limit {
                bye(isDraining ? .draining : .timeout, "Idle for too long", into: &actions)
            } else {
                actions.append(.setTimer(.idle, lastActivity + limit))
            }
        case .delay:
            guard case .delaying(let tag, let isLast) = state else { return }
            state = .ready
            send("\(tag) NO [AUTHENTICATIONFAILED] Login failed", into: &actions)
            if isLast { bye(.protocolError, "Too many failed logins", into: &actions) }
        case .wait: return
        }
    }

    private mutating func secured(_ peer: TLSPeer, now: Instant, into actions: inout [Action]) {
        self.peer = peer
        guard case .startingTLS = state else { return }
        reader.discardAll()
        state = .ready
        actions.append(.setTimer(.login, now + configuration.loginTimeout))
    }

    private mutating func drain(now: Instant, into actions: inout [Action]) {
        guard !isDraining else { return }
        isDraining = true
        switch state {
        case .initial, .closed: return
        case .startingTLS: close(.draining, into: &actions)
        case .ready, .saslResponse, .delaying: bye(.draining, into: &actions)
        case .asking(_, let task):
            // What was begun is finished and answered for; waiting is not.
            if case .idle = task { return bye(.draining, into: &actions) }
            lastActivity = now
            actions.append(.setTimer(.idle, now + configuration.drainTimeout))
        }
    }

    mutating func loggedIn(now: Instant, into actions: inout [Action]) {
        isLoggedIn = true
        faults = 0
        actions.append(.cancelTimer(.login))
        actions.append(.setTimer(.idle, now + (isDraining ? configuration.drainTimeout : configuration.idleTimeout)))
    }

    // MARK: Helpers of the commands

    mutating func ask(_ question: Question, _ task: Task, into actions: inout [Action]) {
        lastID += 1
        let id = RequestID(rawValue: lastID)
        actions.append(.ask(id, question))
        state = .asking(id, task)
    }

    mutating func send(_ line: String, into actions: inout [Action]) {
        send(Array(line.utf8) + [0x0d, 0x0a], into: &actions)
    }

    mutating func send(_ bytes: [UInt8], into actions: inout [Action]) {
        guard !bytes.isEmpty else { return }
        burstOctets += bytes.count
        actions.append(.send(bytes))
    }

    /// A well-formed command of somebody who is logged in: faults before it are forgiven.
    mutating func forgive() {
        if isLoggedIn { faults = 0 }
    }

    /// Answers what made no sense, and ends a session that does little else.
    mutating func strike(_ tag: String?, _ reply: String, into actions: inout [Action]) {
        // Without a tag only BAD may be said (RFC 9051 7.1.3).
        send(tag.map { "\($0) \(reply)" } ?? "* BAD Expected a tag", into: &actions)
        faults += 1
        if faults >= (isLoggedIn ? configuration.faultsMax : configuration.faultsBeforeLoginMax) {
            bye(.protocolError, "Too many faults", into: &actions)
        }
    }

    mutating func refuse(_ tag: String?, _ fault: IMAPFault, into actions: inout [Action]) {
        if isLoggedIn, let tag, fault.reply.hasPrefix("NO") {
            send("\(tag) \(fault.reply)", into: &actions)
        } else {
            strike(tag, fault.reply, into: &actions)
        }
    }

    /// Says `* BYE` and ends the session in any state.
    mutating func bye(_ reason: CloseReason, _ text: String? = nil, into actions: inout [Action]) {
        let words = reason == .draining ? "[UNAVAILABLE] \(configuration.drainText)" : text ?? "Good bye"
        send("* BYE \(words)", into: &actions)
        close(reason, into: &actions)
    }

    mutating func close(_ reason: CloseReason, into actions: inout [Action]) {
        if case .closed = state { return }
        deselect(into: &actions)
        state = .closed
        reader.discardAll()
        for timer in WireTimer.allCases { actions.append(.cancelTimer(timer)) }
        actions.append(.close(reason))
    }

    /// The session looks at no mailbox any more.
    mutating func deselect(into actions: inout [Action]) {
        partlyRead = nil
        let isOpening = if case .asking(_, .open) = state { true } else { false }
        if isOpening || selection != nil { actions.append(.perform(.closeMailbox)) }
        selection = nil
    }
}
