// The one shell around every protocol machine: moves bytes between a stream, TLS and the machine, performs the machine's
// actions in order, runs its timers, and holds back input and answers when a side cannot keep up. Knows no protocol.

import DDSCore
package import DDSLoop
package import DDSTLS
package import DDSWire

@LoopActor
package final class SessionDriver<Machine: WireSession> {
    package typealias Handler = any SessionHandler<Machine>

    /// Plaintext stored in the machine above which reading pauses. More than the longest line of any protocol, and little
    /// enough that peers who have not logged in cost next to nothing.
    private static var inputHighWaterBytes: Int { 16 * 1024 }
    /// What a peer has to take per second at least of what is queued for it when the session ends.
    private static var closingBytesPerSecondMin: Int { 4096 }

    package let id: String
    let stream: ByteStream
    private var machine: Machine
    private let handler: Handler
    let tlsContext: TLSContext?
    let serverName: String?
    var tls: TLSConnection?
    var hasStarted = false
    private(set) var closing: (reason: CloseReason, detail: String)?
    private(set) var hasEnded = false
    private var hasSeenEndOfInput = false
    private(set) var timers: [WireTimer: LoopTimer] = [:]
    private let stallLimit: Duration
    private var stallTimer: LoopTimer?
    private var isWatchingOutput = false
    private var takenAtLastLook = 0
    private var heldAnswers: [(RequestID, Machine.Answer)] = []
    private var actions: [WireAction<Machine.Question, Machine.Effect>] = []
    private var isPerforming = false
    var bytesIn = 0
    var bytesOut = 0
    private var onEnd: (@LoopActor () -> Void)?

    /// Begins a session on a connected stream. With `tls` the machine may ask for TLS; with `tlsFirst` the handshake comes before
    /// everything (RFC 8314) and is over within `handshakeLimit`. A peer that takes nothing of what is queued for it during
    /// `stallLimit` is cut off. `onEnd` is called after the handler's `sessionEnded`.
    package init(
        id: String, stream: ByteStream, machine: Machine, handler: Handler, tls: TLSContext?, tlsFirst: Bool,
        serverName: String? = nil, handshakeLimit: Duration = .seconds(30), stallLimit: Duration = .seconds(300),
        onEnd: (@LoopActor () -> Void)? = nil
    ) {
        self.id = id
        self.stream = stream
        self.machine = machine
        self.handler = handler
        tlsContext = tls
        self.serverName = serverName
        self.stallLimit = stallLimit
        self.onEnd = onEnd
        handler.sessionBegan { [weak self] detail in self?.abort(detail) }
        stream.onRead = { [self] bytes in received(bytes) }
        stream.onEnd = { [self] end in streamEnded(end) }
        stream.onDrain = { [self] in outputDrained() }
        if tlsFirst {
            // A peer that connects and says nothing is as silent as one that does not log in.
            setTimer(.login, Loop.time.now + handshakeLimit)
            beginTLS()
        } else {
            hasStarted = true
            step { machine, now, actions in machine.start(now: now, into: &actions) }
        }
        if closing == nil { stream.startReading() }
    }

    /// Tells the machine that the node is stopping.
    package func drain() {
        guard closing == nil else { return }
        if hasStarted { handle(.drain) } else { close(.draining, "") }
    }

    /// Ends the session at once, whatever it was doing; what is queued for the peer is dropped.
    package func abort(_ detail: String) { abort(.failure, detail) }

    private func abort(_ reason: CloseReason, _ detail: String) {
        if closing == nil { closing = (reason, detail) }
        end()
        stream.close()
    }

    /// Hands the machine an event that does not come from the wire.
    package func handle(_ event: WireEvent<Machine.Answer>) {
        guard closing == nil else { return }
        step { machine, now, actions in machine.handle(event, now: now, into: &actions) }
    }

    func step(
        _ body: (inout Machine, Instant, inout [WireAction<Machine.Question, Machine.Effect>]) -> Void
    ) {
        body(&machine, Loop.time.now, &actions)
        // An effect may lead back here; the outer call then goes on with what the inner one added.
        guard !isPerforming else { return }
        isPerforming = true
        var next = 0
        while next < actions.count {
            let action = actions[next]
            next += 1
            perform(action)
        }
        actions.removeAll(keepingCapacity: true)
        isPerforming = false
        if closing != nil { return end() }
        flushTLS()
        adjustReading()
        watchOutput()
    }

    private func perform(_ action: WireAction<Machine.Question, Machine.Effect>) {
        guard closing == nil else {
            // What the machine does behind its own close still has to reach the handler: it releases what the session held.
            if case .perform(let effect) = action, !hasEnded { handler.perform(effect) }
            return
        }
        switch action {
        case .send(let bytes): send(bytes)
        case .ask(let request, let question): ask(request, question)
        case .perform(let effect): handler.perform(effect)
        case .setTimer(let timer, let instant): setTimer(timer, instant)
        case .cancelTimer(let timer): timers[timer]?.cancel()
        case .startTLS:
            flushTLS()
            beginTLS()
        case .close(let reason): close(reason, "")
        }
    }

    private func ask(_ request: RequestID, _ question: Machine.Question) {
        Loop.spawn(name: "session") { [self] in
            let answer = await handler.answer(question)
            guard closing == nil else { return }
            // Only above the mark will the stream say when it has drained.
            if stream.queuedBytes > stream.highWaterBytes {
                heldAnswers.append((request, answer))
            } else {
                handle(.answer(request, answer))
            }
        }
    }

    private func outputDrained() {
        while let (request, answer) = heldAnswers.first, stream.queuedBytes <= stream.highWaterBytes, closing == nil {
            heldAnswers.removeFirst()
            handle(.answer(request, answer))
        }
        adjustReading()
    }

    func setTimer(_ timer: WireTimer, _ instant: Instant) {
        let handle = timers[timer] ?? LoopTimer { [self] in timerFired(timer) }
        timers[timer] = handle
        handle.schedule(at: instant)
    }

    private func timerFired(_ timer: WireTimer) {
        guard hasStarted else { return close(.timeout, "no TLS handshake in time") }
        handle(.timer(timer))
    }

    /// Stops reading while the machine or the peer cannot keep up, and starts again when both can.
    private func adjustReading() {
        guard closing == nil else { return }
        if machine.bufferedBytes > Self.inputHighWaterBytes || stream.queuedBytes >= stream.highWaterBytes * 4 {
            stream.stopReading()
        } else {
            stream.startReading()
        }
    }
}

// MARK: Output

extension SessionDriver {
    var bytesTaken: Int { bytesOut - stream.queuedBytes }

    /// Looks once per `stallLimit` whether the peer takes what is queued for it. Nothing else bounds a session that owes
    /// replies to a peer who does not read them.
    private func watchOutput() {
        guard !isWatchingOutput, closing == nil, stream.queuedBytes > 0 else { return }
        isWatchingOutput = true
        takenAtLastLook = bytesTaken
        let timer = stallTimer ?? LoopTimer { [self] in lookAtOutput() }
        stallTimer = timer
        timer.schedule(at: Loop.time.now + stallLimit)
    }

    func lookAtOutput() {
        isWatchingOutput = false
        guard stream.queuedBytes > 0 else { return }
        if bytesTaken == takenAtLastLook { return abort(.timeout, "the peer does not read") }
        watchOutput()
    }
}

// MARK: The end

extension SessionDriver {
    private func streamEnded(_ end: StreamEnd) {
        guard !hasEnded else { return }
        switch end {
        case .endOfInput:
            if let tls, hasStarted, !hasSeenEndOfInput {
                tls.feedEnd()
                // Without close_notify the input may have been cut off by anybody; what is half sent does not count then
                // either, so both are the end of input.
                _ = try? tls.advance()
            }
            endOfInput()
        case .reset(let detail):
            endOfInput()
            if closing == nil { closing = (.endOfInput, detail) }
            self.end()
        case .closed:
            if closing == nil { closing = (.endOfInput, "") }
            self.end()
        }
    }

    /// The peer will send nothing more, by close_notify, by closing its side, or by both. The machine hears it once: it may
    /// still have replies to send.
    func endOfInput() {
        guard !hasSeenEndOfInput, closing == nil else { return }
        hasSeenEndOfInput = true
        guard hasStarted else { return close(.endOfInput, "before the TLS handshake was done") }
        step { machine, now, actions in machine.handle(.endOfInput, now: now, into: &actions) }
    }

    func close(_ reason: CloseReason, _ detail: String) {
        guard closing == nil else { return }
        closing = (reason, detail)
        if let tls {
            flushTLS()
            tls.sendCloseNotify()
            flushTLS()
        }
        stream.stopReading()
        stream.finish(within: .seconds(30 + stream.queuedBytes / Self.closingBytesPerSecondMin))
        // The machine may have more to perform behind its close; the handler hears of the end last.
        if !isPerforming { end() }
    }

    private func end() {
        guard !hasEnded else { return }
        hasEnded = true
        for timer in timers.values { timer.close() }
        timers = [:]
        stallTimer?.close()
        stallTimer = nil
        heldAnswers = []
        tls = nil
        stream.onRead = nil
        stream.onEnd = nil
        stream.onDrain = nil
        stream.finish()
        let (reason, detail) = closing ?? (.endOfInput, "")
        handler.sessionEnded(
            SessionSummary(id: id, reason: reason, detail: detail, bytesIn: bytesIn, bytesOut: bytesOut))
        onEnd?()
        onEnd = nil
    }
}

/// A session without its protocol, for whoever keeps many.
@LoopActor package protocol RunningSession: AnyObject {
    func drain()
    func abort(_ detail: String)
}

extension SessionDriver: RunningSession {
    /// True once the handler's `sessionEnded` was called.
    package var isOver: Bool { hasEnded }
}
