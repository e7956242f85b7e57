// Drives a protocol machine with any octets in any pieces, as its driver and its peer would, and traps where it does not keep
// what `WireSession` promises. What its questions are answered with is each target's.

import DDSCore
import DDSWire

/// Choices that depend on nothing but a seed (xorshift).
struct FuzzChoices {
    private var state: UInt64

    init(seed: UInt8) {
        state = 0x9E37_79B9_7F4A_7C15 ^ (UInt64(seed) &* 0x0101_0101_0101_0101)
    }

    /// A number below `bound`.
    mutating func below(_ bound: Int) -> Int {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return Int(state >> 11) % bound
    }

    mutating func oneIn(_ bound: Int) -> Bool { below(bound) == 0 }
}

/// One session and the peer that sends `input`. The last octet is the seed of everything else, so that a file that ends in a
/// line end is a dialog, and the fuzzer can change pieces and answers without changing it.
struct FuzzSession<Session: WireSession> {
    typealias Action = WireAction<Session.Question, Session.Effect>

    private(set) var session: Session
    var choices: FuzzChoices
    private var input: ArraySlice<UInt8>
    private var now = Instant(nanoseconds: 1_000_000_000)
    private var outstanding: (id: RequestID, question: Session.Question)?
    private var timers: [WireTimer: Instant] = [:]
    private var isClosed = false
    private var hasBegunTLS = false
    /// Everything sent.
    private(set) var output: [UInt8] = []
    private let peer = TLSPeer(version: "TLSv1.3", keyHash: [UInt8](repeating: 7, count: 32))

    /// Octets a machine may store when it owes nothing: one unfinished command or what it takes at a time.
    private let storedMax: Int
    /// Nil for a question that stays open for now, such as a wait.
    private let answer: (Session.Question, inout FuzzChoices) -> Session.Answer?
    private let perform: (Session.Effect) -> Void

    /// The driver stops to read above this (DDSNode's SessionDriver does the same).
    private static var inputMax: Int { 16 << 10 }

    init(
        _ input: [UInt8], storedMax: Int, make: (inout FuzzChoices) -> Session,
        perform: @escaping (Session.Effect) -> Void = { _ in },
        answer: @escaping (Session.Question, inout FuzzChoices) -> Session.Answer?
    ) {
        choices = FuzzChoices(seed: input.last ?? 0)
        self.input = input[...]
        self.storedMax = storedMax
        self.perform = perform
        self.answer = answer
        session = make(&choices)
    }

    /// The whole connection, to its end. `isImplicit`: TLS stands before it begins.
    mutating func run(isImplicit: Bool) {
        if isImplicit { deliver(.tlsEstablished(peer)) }
        act { $0.start(now: $1, into: &$2) }
        let isHasty = choices.oneIn(2)
        while !isClosed, !input.isEmpty {
            let piece = input.prefix(isHasty ? 1 << 16 : 1 + choices.below(choices.oneIn(4) ? 600 : 8))
            input = input.dropFirst(piece.count)
            act { $0.receive(piece, now: $1, into: &$2) }
            settle(isPatient: choices.oneIn(8))
            precondition(session.bufferedBytes <= Self.inputMax + piece.count, "unread input is bounded by what was given")
        }
        if choices.oneIn(8) { deliver(.drain) }
        finish()
    }

    /// The peer goes; everything owed is answered, all timers fire. The session must close within few steps.
    private mutating func finish() {
        // A second end means that the connection is gone.
        for _ in 0...choices.below(2) where !isClosed { deliver(.endOfInput) }
        var steps = 0
        while !isClosed {
            steps += 1
            precondition(steps < 10_000, "a session whose peer is gone ends")
            settle(isPatient: false)
            if !isClosed, !fireNext(), outstanding == nil {
                preconditionFailure("a session that waits for nothing is closed")
            }
        }
    }

    /// Gives answers; `isPatient` keeps one back for a while.
    private mutating func settle(isPatient: Bool) {
        while !isClosed {
            if hasBegunTLS {
                hasBegunTLS = false
                deliver(.tlsEstablished(peer))
            } else if let (id, question) = outstanding {
                if isPatient, session.bufferedBytes < Self.inputMax { return }
                guard let answer = answer(question, &choices) else { return }
                outstanding = nil
                deliver(.answer(id, answer))
            } else if timers[.delay] != nil || choices.oneIn(500) {
                guard fireNext() else { break }
            } else {
                break
            }
        }
        if !isClosed, outstanding == nil {
            precondition(session.bufferedBytes <= storedMax, "\(session.bufferedBytes) octets are stored and nothing is owed")
        }
    }

    /// Lets the time pass until the first timer fires.
    private mutating func fireNext() -> Bool {
        guard let (timer, due) = timers.min(by: { $0.value < $1.value }) else { return false }
        timers[timer] = nil
        now = max(now, due)
        deliver(.timer(timer))
        return true
    }

    private mutating func deliver(_ event: WireEvent<Session.Answer>) { act { $0.handle(event, now: $1, into: &$2) } }

    private mutating func act(_ step: (inout Session, Instant, inout [Action]) -> Void) {
        var actions: [Action] = []
        step(&session, now, &actions)
        for action in actions {
            precondition(!isClosed, "a closed session does nothing more")
            switch action {
            case .send(let bytes):
                // Nobody reads on from where it gets too much for this test.
                if output.count < 1 << 22 { output += bytes }
            case .ask(let id, let question):
                precondition(outstanding == nil, "one question at a time")
                outstanding = (id, question)
            case .perform(let effect): perform(effect)
            case .setTimer(let timer, let due): timers[timer] = due
            case .cancelTimer(let timer): timers[timer] = nil
            case .startTLS: hasBegunTLS = true
            case .close: isClosed = true
            }
        }
    }
}

/// Octets that are lines: no CR or LF but together, so that no reply can be two.
func checkLines(_ octets: [UInt8], mayBeCut: Bool = false, _ isLine: (ArraySlice<UInt8>) -> Bool) {
    var rest = octets[...]
    while let lineFeed = rest.firstIndex(of: 0x0a) {
        precondition(lineFeed > rest.startIndex && rest[lineFeed - 1] == 0x0d, "an LF alone was sent")
        let line = rest[rest.startIndex..<lineFeed - 1]
        precondition(!line.contains(0x0d), "a CR alone was sent")
        precondition(isLine(line), "no line of the protocol: \(String(decoding: line, as: UTF8.self))")
        rest = rest[(lineFeed + 1)...]
    }
    precondition(mayBeCut || octets.count >= 1 << 22 || rest.isEmpty, "half a line was sent")
}
