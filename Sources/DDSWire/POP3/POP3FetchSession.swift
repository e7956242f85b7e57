// The fetching side of POP3, and all of its policy: what is asked, in which order, and that nothing is deleted that is not
// stored. What is wanted and whether it is durable is asked. Requests are in POP3FetchSession+Requests, replies in
// POP3FetchSession+Replies.
//
// Theory. Commands are sent with a note of the reply they expect; the server answers in order, so the first note says what the
// bytes at the front of the reader are. The work goes greeting, CAPA, login, XDDS-HEAD where it is known, UIDL and LIST,
// question, RETRs with their stores, DELEs, QUIT. A wait goes back to XDDS-HEAD. DELE is sent only for messages answered `.stored` now or in the plan,
// and only QUIT makes it count, so a connection cut anywhere leaves each message on the server, or stored, or both.

package import DDSCore

/// A session that empties a maildrop over POP3 with implicit TLS (RFC 1939, 2449, 5034).
package struct POP3FetchSession: WireSession {
    package typealias Question = POP3FetchQuestion
    package typealias Answer = POP3FetchAnswer
    package typealias Effect = POP3FetchEffect
    package typealias Action = WireAction<Question, Effect>

    /// A reply that the server owes.
    enum Expected: Hashable, Sendable {
        case greeting
        case capabilities
        /// The `+ ` before the response of AUTH can be sent.
        case challenge
        /// The reply to USER, before PASS can be sent.
        case userReply
        case login
        case head
        case uidl
        case list
        case message(Int)
        case deletion(Int)
        case wait
        case quit
    }

    /// A reply of many lines that is being read.
    enum Partial: Sendable {
        case capabilities
        case uidl
        case list
    }

    /// A message that is being read.
    struct Incoming: Sendable {
        var index: Int
        var decoder = POP3BodyDecoder()
        var bytes: [UInt8] = []
        var isTooLarge = false

        /// Takes what of `input` belongs to the message and returns how much that is. What grows over the limit is read to its
        /// end all the same, so that the session goes on, and kept nowhere.
        mutating func read(_ input: ArraySlice<UInt8>, octetsMax: Int) -> Int {
            let used = decoder.decode(input, keeping: !isTooLarge, into: &bytes)
            if bytes.count > octetsMax {
                isTooLarge = true
                bytes = []
            }
            return used
        }
    }

    /// Where the session is with the mail.
    enum Stage: Sendable {
        /// Greeting to login.
        case opening
        case listing
        case planning(RequestID)
        case transferring
        case waiting
        case quitting
        case closed
    }

    /// One message of the maildrop under its number.
    struct Entry: Sendable {
        var number: Int
        var item: POP3Item
    }

    let configuration: POP3FetchConfiguration
    var stage = Stage.opening
    var reader: LineReader
    var expected: [Expected] = []
    var partial: Partial?
    var incoming: Incoming?
    var outcome = POP3FetchOutcome(end: .completed)

    // What CAPA said.
    var canPipeline = false
    var canTellHead = false
    var capabilities: [String] = []
    var mechanisms: Set<SASLMechanism> = []

    // The listing being read, by message number, and the one that indices refer to.
    var uidls: [(number: Int, uidl: String)] = []
    var octets: [Int: Int] = [:]
    var entries: [Entry] = []

    /// Indices to fetch, the next one last.
    var toRetrieve: [Int] = []
    /// Indices that are stored, of which the first `deletionsSent` have their DELE.
    var toDelete: [Int] = []
    var deletionsSent = 0
    var storing: [RequestID: Int] = [:]
    var acknowledgedDeletions: [Int] = []
    var receivedOctets = 0

    var hasSentQuit = false
    var isDraining = false
    var lastID: UInt64 = 0
    var lastHeard = Instant(nanoseconds: 0)

    package init(configuration: POP3FetchConfiguration) {
        self.configuration = configuration
        reader = LineReader(limit: configuration.replyOctetsMax)
    }

    package var bufferedBytes: Int { reader.count }

    // MARK: Events

    package mutating func start(now: Instant, into actions: inout [Action]) {
        guard expected.isEmpty, case .opening = stage else { return }
        lastHeard = now
        expected = [.greeting]
        actions.append(.setTimer(.idle, now + configuration.replyTimeout))
    }

    package mutating func receive(_ bytes: ArraySlice<UInt8>, now: Instant, into actions: inout [Action]) {
        if case .closed = stage { return }
        lastHeard = now
        reader.append(bytes)
        readReplies(now: now, into: &actions)
    }

    package mutating func handle(_ event: WireEvent<Answer>, now: Instant, into actions: inout [Action]) {
        if case .closed = stage { return }
        switch event {
        case .answer(let id, let answer):
            take(answer, to: id, now: now, into: &actions)
            readReplies(now: now, into: &actions)
        case .timer(let timer): fired(timer, now: now, into: &actions)
        case .endOfInput: finish(.connectionLost, .endOfInput, into: &actions)
        case .tlsEstablished: return
        case .drain: drain(now: now, into: &actions)
        }
    }

    private mutating func take(_ answer: Answer, to id: RequestID, now: Instant, into actions: inout [Action]) {
        if case .planning(id) = stage {
            guard case .plan(let fetch, let alreadyStored) = answer else {
                preconditionFailure("a listing is answered with a plan")
            }
            return follow(fetch: fetch, alreadyStored: alreadyStored, now: now, into: &actions)
        }
        guard let index = storing.removeValue(forKey: id) else { return }
        switch answer {
        case .stored:
            outcome.stored.append(entries[index].item.uidl)
            toDelete.append(index)
        case .notStored:
            outcome.failed.append(entries[index].item.uidl)
        case .plan:
            preconditionFailure("a message is answered stored or not")
        }
        work(now: now, into: &actions)
    }

    private mutating func fired(_ timer: WireTimer, now: Instant, into actions: inout [Action]) {
        switch timer {
        case .idle:
            if !isOwedReply {
                // While answers of our own side are awaited the server owes nothing.
                actions.append(.setTimer(.idle, now + configuration.replyTimeout))
            } else if now - lastHeard >= configuration.replyTimeout {
                finish(.timedOut, .timeout, into: &actions)
            } else {
                actions.append(.setTimer(.idle, lastHeard + configuration.replyTimeout))
            }
        case .wait:
            if case .waiting = stage { finish(.timedOut, .timeout, into: &actions) }
        case .login, .delay:
            return
        }
    }

    /// During a wait the wait timer rules.
    private var isOwedReply: Bool {
        if case .waiting = stage { return hasSentQuit }
        return !expected.isEmpty
    }

    /// Stops beginning new things; what is fetched and stored is still deleted, and the session ends with QUIT.
    private mutating func drain(now: Instant, into actions: inout [Action]) {
        guard !isDraining else { return }
        isDraining = true
        switch stage {
        case .opening where expected.contains(.login) || expected.contains(.head):
            // The node may lock the maildrop for this session at any moment, and whoever comes next would be told that it is in
            // use: it ends with QUIT, behind which it is free.
            outcome.end = .stopped
        case .opening, .closed:
            finish(.stopped, .draining, into: &actions)
        case .listing, .planning, .quitting:
            return
        case .transferring:
            postponeRest()
            work(now: now, into: &actions)
        case .waiting:
            // Any line ends the wait; this one is executed behind its reply.
            quit(now: now, into: &actions)
        }
    }

    mutating func postponeRest() {
        outcome.postponed += toRetrieve.reversed().map { entries[$0].item.uidl }
        toRetrieve = []
    }

    // MARK: Ending

    /// Reports and closes. `end` stands unless an earlier trouble has already been noted.
    mutating func finish(_ end: POP3FetchOutcome.End, _ reason: CloseReason, into actions: inout [Action]) {
        if case .closed = stage { return }
        stage = .closed
        if outcome.end == .completed { outcome.end = end }
        if outcome.erasure == .none, hasSentQuit, !acknowledgedDeletions.isEmpty {
            outcome.erasure = .unknown(acknowledgedDeletions.map { entries[$0].item.uidl })
        }
        reader.discardAll()
        partial = nil
        incoming = nil
        for timer in [WireTimer.idle, .wait] { actions.append(.cancelTimer(timer)) }
        actions.append(.perform(.finished(outcome)))
        actions.append(.close(reason))
    }

    mutating func violation(_ text: String, into actions: inout [Action]) {
        finish(.protocolViolation(text), .protocolError, into: &actions)
    }
}
