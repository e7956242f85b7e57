// Drives any `WireSession` by hand in virtual time: bytes and events in, everything it did out. Fires the session's own
// timers when time is advanced; never reads a clock.

package import DDSCore
package import DDSWire

/// One session under test. Questions are answered by a closure as soon as they are asked, or kept when it returns nil.
package struct SessionHarness<Session: WireSession> {
    package typealias Action = WireAction<Session.Question, Session.Effect>

    package private(set) var session: Session
    package private(set) var now = Instant(nanoseconds: 1_000_000_000)
    /// Everything the session did, in order, unless that is not kept.
    package private(set) var actions: [Action] = []
    /// Questions without an answer yet.
    package private(set) var outstanding: [(id: RequestID, question: Session.Question)] = []
    package private(set) var timers: [WireTimer: Instant] = [:]
    package private(set) var effects: [Session.Effect] = []
    package private(set) var closeReason: CloseReason?
    package private(set) var hasBegunTLS = false
    /// Bytes sent and not yet taken by `takeOutput`.
    private var output: [UInt8] = []
    private let keepsActions: Bool
    private let answer: (Session.Question) -> Session.Answer?
    private let perform: (Session.Effect) -> Void

    /// `perform` sees each effect in its order among the questions. Without `keepsActions` there is no transcript.
    package init(
        _ session: Session, keepsActions: Bool = true, perform: @escaping (Session.Effect) -> Void = { _ in },
        answer: @escaping (Session.Question) -> Session.Answer? = { _ in nil }
    ) {
        self.session = session
        self.keepsActions = keepsActions
        self.answer = answer
        self.perform = perform
    }

    /// Starts the session, with implicit TLS when `peer` is given.
    package mutating func start(peer: TLSPeer? = nil) {
        if let peer { deliver(.tlsEstablished(peer)) }
        act { $0.start(now: $1, into: &$2) }
    }

    package mutating func receive(_ bytes: some Collection<UInt8>) {
        let slice = Array(bytes)[...]
        act { $0.receive(slice, now: $1, into: &$2) }
    }

    package mutating func receive(_ text: String) { receive(text.utf8) }

    package mutating func deliver(_ event: WireEvent<Session.Answer>) {
        if case .answer(let id, _) = event { outstanding.removeAll { $0.id == id } }
        act { $0.handle(event, now: $1, into: &$2) }
    }

    /// Answers the oldest outstanding question.
    package mutating func answerOldest(_ answer: Session.Answer) {
        precondition(!outstanding.isEmpty, "there is a question to answer")
        deliver(.answer(outstanding[0].id, answer))
    }

    /// Completes the handshake that the session has begun.
    package mutating func completeTLS(_ peer: TLSPeer) {
        hasBegunTLS = false
        deliver(.tlsEstablished(peer))
    }

    /// Moves the time, firing each timer at its instant.
    package mutating func advance(by duration: Duration) {
        let end = now + duration
        while let (timer, due) = timers.min(by: { $0.value < $1.value }), due <= end {
            timers[timer] = nil
            now = max(now, due)
            deliver(.timer(timer))
        }
        now = end
    }

    /// The bytes sent since the last call.
    package mutating func takeOutput() -> [UInt8] {
        defer { output = [] }
        return output
    }

    /// The same as text.
    package mutating func takeText() -> String { String(decoding: takeOutput(), as: UTF8.self) }

    private mutating func act(_ step: (inout Session, Instant, inout [Action]) -> Void) {
        var new: [Action] = []
        step(&session, now, &new)
        if keepsActions {
            actions += new
        }
        for action in new { note(action) }
        // Answers come after the actions of one step, as from a driver.
        var position = 0
        while position < outstanding.count, closeReason == nil {
            if let answer = answer(outstanding[position].question) {
                deliver(.answer(outstanding[position].id, answer))
                position = 0
            } else {
                position += 1
            }
        }
    }

    private mutating func note(_ action: Action) {
        precondition(closeReason == nil, "a closed session does nothing more")
        switch action {
        case .send(let bytes): output += bytes
        case .ask(let id, let question): outstanding.append((id, question))
        case .perform(let effect):
            effects.append(effect)
            perform(effect)
        case .setTimer(let timer, let due): timers[timer] = due
        case .cancelTimer(let timer): timers[timer] = nil
        case .startTLS: hasBegunTLS = true
        case .close(let reason): closeReason = reason
        }
    }

    /// The actions as text, for comparison: neighbouring pieces of output are one, since nobody can tell them apart.
    package var transcript: [String] {
        var lines: [String] = []
        var sent: [UInt8] = []
        for action in actions {
            if case .send(let bytes) = action {
                sent += bytes
                continue
            }
            if !sent.isEmpty { lines.append("send " + String(reflecting: String(decoding: sent, as: UTF8.self))) }
            sent = []
            lines.append("\(action)")
        }
        if !sent.isEmpty { lines.append("send " + String(reflecting: String(decoding: sent, as: UTF8.self))) }
        return lines
    }
}
