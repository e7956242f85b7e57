// A POP3 server session: the states, what events do to them, and when a line may be taken. What single commands do is in
// POP3ServerSession+Commands. Whose password is right, what is in a maildrop and what is durable is asked, not decided here.
//
// Theory. A session is between commands (`authorization`, `transaction`, `unlocked`) or in one of the states that owe
// a reply. Lines are taken only between commands and in `saslResponse`; everything else waits in the reader, which is the whole
// of pipelining (RFC 2449 6.6). The end of input is one more line behind the others, so a client that closes its side after
// QUIT still gets its reply; a second end of input means that the connection is gone.
//
// The wait extension. `XDDS-WAIT seconds` (1 to the number announced in CAPA) is a TRANSACTION command. The server refuses it
// while messages are marked as deleted. Else it unlocks the maildrop and replies when mail has arrived, when the seconds
// have passed, or when the client sends another line, whichever is first: `+OK n messages` says that the maildrop is
// locked again and holds n messages, numbered anew; `-ERR [IN-USE]` that another session has it, and then only XDDS-WAIT,
// NOOP, CAPA and QUIT are of use. The line that ended the wait is executed behind the reply.
//
// The statement. `XDDS-HEAD` after login is answered `+OK` with the words of the node about how far its store has come.
// What they mean, and their signature, is not decided here.

package import DDSCore

/// A POP3 session on the server's side (RFC 1939, 2449, 2595, 3206, 5034) as a value.
package struct POP3ServerSession: WireSession {
    package typealias Question = POP3ServerQuestion
    package typealias Answer = POP3ServerAnswer
    package typealias Effect = POP3ServerEffect
    package typealias Action = WireAction<Question, Effect>

    enum State: Sendable {
        case initial
        case authorization(user: [UInt8]?)
        /// The client owes the line that answers `+ `.
        case saslResponse(SASLMechanism)
        case startingTLS
        case authenticating(RequestID)
        /// The reply to a failed login is held back; at the last one the session ends behind it.
        case delaying(isLast: Bool)
        case transaction
        case sending(RequestID, Sending)
        /// With a list that goes on afterwards.
        case pausing(RequestID, Listing?)
        /// The node is asked for its statement about its store.
        case stating(RequestID)
        case waiting(RequestID, isStopping: Bool)
        case unlocked
        case erasing(RequestID)
        case closed
    }

    /// A message on its way out.
    struct Sending: Sendable {
        var index: Int
        var offset: Int
        var encoder: POP3BodyEncoder
        /// The reply that goes before the first piece.
        var reply: String
        /// All of it was asked for, and not its top.
        var isWhole: Bool
    }

    /// A list of the whole maildrop on its way out.
    struct Listing: Sendable {
        enum Column: Sendable { case octets, uidl }

        var column: Column
        /// The index of the first message that was not looked at yet.
        var next = 0
    }

    let configuration: POP3ServerConfiguration
    var state = State.initial
    /// Not nil exactly while this session holds a maildrop's lock.
    var maildrop: POP3Maildrop?
    var reader: LineReader
    var peer: TLSPeer?
    /// A line that has ended a wait and is executed after it.
    private var heldLine: LineReader.Line?
    private var hasSeenEnd = false
    private var isDraining = false
    private var unknownCommands = 0
    private var failedLogins = 0
    private var lastID: UInt64 = 0
    /// When the client was last heard or the last reply given; the idle timer is moved only when it fires.
    private var lastActivity = Instant(nanoseconds: 0)
    private var burstOctets = 0

    package init(configuration: POP3ServerConfiguration) {
        self.configuration = configuration
        reader = LineReader(limit: configuration.commandOctetsMax)
    }

    package var bufferedBytes: Int { reader.count }

    /// Nobody else hears what is said here.
    var isPrivate: Bool { peer != nil || configuration.tls == .loopback }

    // MARK: Events

    package mutating func start(now: Instant, into actions: inout [Action]) {
        guard case .initial = state else { return }
        precondition(configuration.tls != .implicit || peer != nil, "with implicit TLS the handshake comes first")
        state = .authorization(user: nil)
        let timeout = isPrivate ? configuration.loginTimeout : configuration.startTLSTimeout
        actions.append(.setTimer(.login, now + timeout))
        guard !isDraining else {
            send("-ERR [SYS/TEMP] The server is stopping, try again later", into: &actions)
            return close(.draining, into: &actions)
        }
        send("+OK \(configuration.greeting) ready", into: &actions)
    }

    package mutating func receive(_ bytes: ArraySlice<UInt8>, now: Instant, into actions: inout [Action]) {
        switch state {
        case .closed, .startingTLS:
            // After STLS whatever still comes in clear does not count (RFC 2595 4).
            return
        case .initial, .authorization, .saslResponse, .authenticating, .delaying, .transaction, .sending, .pausing, .stating,
            .waiting, .unlocked, .erasing:
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

    /// Takes lines for as long as no reply is owed.
    private mutating func advance(now: Instant, into actions: inout [Action]) {
        while true {
            switch state {
            case .initial, .startingTLS, .authenticating, .delaying, .sending, .pausing, .stating, .erasing, .closed:
                return
            case .waiting(let id, let isStopping):
                return whileWaiting(id, isStopping: isStopping, into: &actions)
            case .authorization, .saslResponse, .transaction, .unlocked:
                break
            }
            if maildrop != nil, burstOctets >= configuration.replyBurstOctetsMax, !reader.isEmpty {
                burstOctets = 0
                let id = ask(.pause, into: &actions)
                state = .pausing(id, nil)
                return
            }
            if case .saslResponse = state {
                reader.limit = configuration.authLineOctetsMax
            } else {
                reader.limit = configuration.commandOctetsMax
            }
            let held = heldLine
            heldLine = nil
            guard let line = held ?? reader.next() else {
                burstOctets = 0
                if hasSeenEnd { close(.endOfInput, into: &actions) }
                return
            }
            take(line, now: now, into: &actions)
        }
    }

    private mutating func whileWaiting(_ id: RequestID, isStopping: Bool, into actions: inout [Action]) {
        guard !isStopping else { return }
        heldLine = reader.next()
        if heldLine != nil {
            stopWaiting(id, into: &actions)
        } else if hasSeenEnd {
            close(.endOfInput, into: &actions)
        }
    }

    private mutating func take(_ line: LineReader.Line, now: Instant, into actions: inout [Action]) {
        if isDraining, !isHarmlessQuit(line) {
            send("-ERR [SYS/TEMP] The server is stopping, try again later", into: &actions)
            return close(.draining, into: &actions)
        }
        if case .saslResponse(let mechanism) = state {
            state = .authorization(user: nil)
            return saslResponse(line, of: mechanism, into: &actions)
        }
        switch line {
        case .overlong:
            strike("-ERR Line longer than \(configuration.commandOctetsMax) octets", into: &actions)
        case .bareLineEnd:
            strike("-ERR A line ends with CR LF, and neither comes alone", into: &actions)
        case .complete(let bytes):
            do throws(POP3Command.Malformed) {
                execute(try POP3Command(bytes), now: now, into: &actions)
            } catch {
                switch error {
                case .unknownVerb: strike("-ERR Unknown command", into: &actions)
                case .controlCharacter: strike("-ERR Control characters in a command", into: &actions)
                case .wrongArguments: strike("-ERR Wrong number of arguments", into: &actions)
                }
            }
        }
    }

    /// A QUIT with nothing to erase may still end well while the node is stopping.
    private func isHarmlessQuit(_ line: LineReader.Line) -> Bool {
        guard case .complete(let bytes) = line, let command = try? POP3Command(bytes) else { return false }
        return command.verb == .quit && maildrop?.hasMarks != true
    }

    // MARK: Answers

    private mutating func take(_ answer: Answer, to id: RequestID, now: Instant, into actions: inout [Action]) {
        switch state {
        case .authenticating(id):
            lastActivity = now
            loginAnswered(answer, now: now, into: &actions)
        case .waiting(id, _):
            lastActivity = now
            waitAnswered(answer, now: now, into: &actions)
        case .sending(id, let sending):
            lastActivity = now
            bodyAnswered(answer, sending, into: &actions)
        case .pausing(id, let listing):
            lastActivity = now
            state = maildrop == nil ? .unlocked : .transaction
            if let listing, let maildrop { list(listing, of: maildrop, [], into: &actions) }
        case .stating(id):
            state = maildrop == nil ? .unlocked : .transaction
            lastActivity = now
            headAnswered(answer, into: &actions)
        case .erasing(id):
            // RFC 1939 6: the reply says whether every marked message is gone.
            if case .erased = answer {
                send("+OK Bye", into: &actions)
            } else {
                send("-ERR [SYS/TEMP] Some deleted messages not removed", into: &actions)
            }
            close(.quit, into: &actions)
        case .initial, .authorization, .saslResponse, .startingTLS, .authenticating, .delaying, .transaction, .sending,
            .pausing, .stating, .waiting, .unlocked, .erasing, .closed:
            return
        }
    }

    private mutating func headAnswered(_ answer: Answer, into actions: inout [Action]) {
        switch answer {
        case .head(let words): send("+OK \(WireText.line(words.utf8))", into: &actions)
        case .unavailable(let words): send("-ERR [SYS/TEMP] \(WireText.line(words.utf8))", into: &actions)
        case .maildrop, .refused, .inUse, .bytes, .gone, .erased, .eraseFailed, .proceed:
            preconditionFailure("the head is not answered like that")
        }
    }

    private mutating func loginAnswered(_ answer: Answer, now: Instant, into actions: inout [Action]) {
        switch answer {
        case .maildrop(let items):
            maildrop = POP3Maildrop(items)
            state = .transaction
            actions.append(.cancelTimer(.login))
            actions.append(.setTimer(.idle, now + configuration.idleTimeout))
            send("+OK \(items.count) messages", into: &actions)
        case .refused:
            let delay = configuration.failedLoginDelay * (1 << min(failedLogins, 10))
            failedLogins += 1
            state = .delaying(isLast: failedLogins >= configuration.failedLoginsMax)
            actions.append(.setTimer(.delay, now + delay))
        case .inUse:
            state = .authorization(user: nil)
            send("-ERR [IN-USE] Another session has this maildrop", into: &actions)
        case .unavailable(let text):
            state = .authorization(user: nil)
            send("-ERR [SYS/TEMP] \(WireText.line(text.utf8))", into: &actions)
        case .bytes, .gone, .erased, .eraseFailed, .head, .proceed:
            preconditionFailure("a login is not answered like that")
        }
    }

    private mutating func waitAnswered(_ answer: Answer, now: Instant, into actions: inout [Action]) {
        actions.append(.cancelTimer(.wait))
        actions.append(.setTimer(.idle, now + configuration.idleTimeout))
        switch answer {
        case .maildrop(let items):
            maildrop = POP3Maildrop(items)
            state = .transaction
            send("+OK \(items.count) messages", into: &actions)
        case .inUse:
            state = .unlocked
            send("-ERR [IN-USE] Another session has this maildrop", into: &actions)
        case .unavailable(let text):
            state = .unlocked
            send("-ERR [SYS/TEMP] \(WireText.line(text.utf8))", into: &actions)
        case .refused, .bytes, .gone, .erased, .eraseFailed, .head, .proceed:
            preconditionFailure("a wait is not answered like that")
        }
    }

    private mutating func bodyAnswered(_ answer: Answer, _ current: Sending, into actions: inout [Action]) {
        var sending = current
        switch answer {
        case .bytes(let piece, let isLast):
            var output = sending.offset == 0 ? Array(sending.reply.utf8) + [0x0d, 0x0a] : []
            sending.encoder.encode(piece, into: &output)
            sending.offset += piece.count
            let isDone = isLast || sending.encoder.isSatisfied
            if isDone { sending.encoder.finish(into: &output) }
            if !output.isEmpty { actions.append(.send(output)) }
            if isDone {
                state = .transaction
                if sending.isWhole, configuration.tellsRetrievals {
                    actions.append(.perform(.retrieved(index: sending.index)))
                }
            } else {
                precondition(!piece.isEmpty, "only the last piece of a message may be empty")
                state = .sending(ask(.body(index: sending.index, offset: sending.offset), into: &actions), sending)
            }
        case .gone where sending.offset == 0:
            state = .transaction
            send("-ERR [SYS/TEMP] This message cannot be read now", into: &actions)
        case .gone:
            // Half a message is out, and no words can follow but its own: only the missing end says that it is not whole.
            close(.failure, into: &actions)
        case .maildrop, .refused, .inUse, .unavailable, .erased, .eraseFailed, .head, .proceed:
            preconditionFailure("a message is not answered like that")
        }
    }

    // MARK: Timers, TLS, draining

    private mutating func fired(_ timer: WireTimer, now: Instant, into actions: inout [Action]) {
        switch timer {
        case .login:
            // RFC 1939 3: an autologout removes nothing and says nothing.
            if maildrop == nil { close(.timeout, into: &actions) }
        case .idle:
            switch state {
            case .erasing, .waiting: return
            case .initial, .authorization, .saslResponse, .startingTLS, .authenticating, .delaying, .transaction, .sending,
                .pausing, .stating, .unlocked, .closed:
                break
            }
            let limit = isDraining ? configuration.drainTimeout : configuration.idleTimeout
            if now - lastActivity >= limit {
                close(isDraining ? .draining : .timeout, into: &actions)
            } else {
                actions.append(.setTimer(.idle, lastActivity + limit))
            }
        case .wait:
            if case .waiting(let id, isStopping: false) = state { stopWaiting(id, into: &actions) }
        case .delay:
            guard case .delaying(let isLast) = state else { return }
            state = .authorization(user: nil)
            send("-ERR [AUTH] Login failed", into: &actions)
            if isLast { close(.protocolError, into: &actions) }
        }
    }

    private mutating func secured(_ peer: TLSPeer, now: Instant, into actions: inout [Action]) {
        self.peer = peer
        guard case .startingTLS = state else { return }
        reader.discardAll()
        state = .authorization(user: nil)
        actions.append(.setTimer(.login, now + configuration.loginTimeout))
    }

    private mutating func drain(now: Instant, into actions: inout [Action]) {
        guard !isDraining else { return }
        isDraining = true
        switch state {
        case .initial, .erasing, .closed:
            return
        case .startingTLS:
            close(.draining, into: &actions)
        case .authenticating, .delaying, .saslResponse, .waiting:
            send("-ERR [SYS/TEMP] The server is stopping, try again later", into: &actions)
            close(.draining, into: &actions)
        case .authorization, .transaction, .sending, .pausing, .stating, .unlocked:
            lastActivity = now
            actions.append(.setTimer(.idle, now + configuration.drainTimeout))
        }
    }

    private mutating func stopWaiting(_ id: RequestID, into actions: inout [Action]) {
        state = .waiting(id, isStopping: true)
        actions.append(.perform(.stopWaiting))
    }

    // MARK: Helpers of the commands

    mutating func ask(_ question: Question, into actions: inout [Action]) -> RequestID {
        lastID += 1
        let id = RequestID(rawValue: lastID)
        actions.append(.ask(id, question))
        return id
    }

    mutating func send(_ line: String, into actions: inout [Action]) {
        send(Array(line.utf8) + [0x0d, 0x0a], into: &actions)
    }

    mutating func send(_ bytes: [UInt8], into actions: inout [Action]) {
        burstOctets += bytes.count
        actions.append(.send(bytes))
    }

    /// Answers a line that made no sense, and ends a session that has not logged in and does little else.
    mutating func strike(_ reply: String, into actions: inout [Action]) {
        send(reply, into: &actions)
        guard case .authorization = state else { return }
        unknownCommands += 1
        if unknownCommands >= configuration.unknownCommandsMax { close(.protocolError, into: &actions) }
    }

    /// Ends the session in any state. What it holds or has claimed is given up, unless an erasure has taken it over.
    mutating func close(_ reason: CloseReason, into actions: inout [Action]) {
        switch state {
        case .closed: return
        case .authenticating, .waiting: actions.append(.perform(.releaseMaildrop))
        case .initial, .authorization, .saslResponse, .startingTLS, .delaying, .transaction, .sending, .pausing,
            .stating, .unlocked, .erasing:
            if maildrop != nil { actions.append(.perform(.releaseMaildrop)) }
        }
        maildrop = nil
        state = .closed
        reader.discardAll()
        for timer in WireTimer.allCases { actions.append(.cancelTimer(timer)) }
        actions.append(.close(reason))
    }
}
