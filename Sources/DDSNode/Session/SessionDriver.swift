// The one shell around every protocol machine: moves bytes between a stream, TLS and the machine, performs the machine's
// actions in order, runs its timers, and holds back input and answers when a side cannot keep up. Knows no protocol.

import DDSCore
package import DDSLoop
package import DDSTLS
package import DDSWire

@LoopActor
package final class SessionDriver<Machine: WireSession> {
    package typealias Handler = any SessionHandler<Machine>

    /// Plaintext stored in the machine above which reading pauses.
    private static var inputHighWaterBytes: Int { 256 * 1024 }

    package let id: String
    private let stream: ByteStream
    private var machine: Machine
    private let handler: Handler
    private let tlsContext: TLSContext?
    private let serverName: String?
    private var tls: TLSConnection?
    private var hasStarted = false
    private var closing: (reason: CloseReason, detail: String)?
    private var hasEnded = false
    private var hasSeenEndOfInput = false
    private var timers: [WireTimer: LoopTimer] = [:]
    private var heldAnswers: [(RequestID, Machine.Answer)] = []
    private var actions: [WireAction<Machine.Question, Machine.Effect>] = []
    private var isPerforming = false
    private var bytesIn = 0
    private var bytesOut = 0
    private var onEnd: (@LoopActor () -> Void)?

    /// Begins a session on a connected stream. With `tls` the machine may ask for TLS; with `tlsFirst` the handshake comes before
    /// everything (RFC 8314). `onEnd` is called after the handler's `sessionEnded`.
    package init(
        id: String, stream: ByteStream, machine: Machine, handler: Handler, tls: TLSContext?, tlsFirst: Bool,
        serverName: String? = nil, onEnd: (@LoopActor () -> Void)? = nil
    ) {
        self.id = id
        self.stream = stream
        self.machine = machine
        self.handler = handler
        tlsContext = tls
        self.serverName = serverName
        self.onEnd = onEnd
        stream.onRead = { [self] bytes in received(bytes) }
        stream.onEnd = { [self] end in streamEnded(end) }
        stream.onDrain = { [self] in outputDrained() }
        if tlsFirst {
            // A peer that connects and says nothing is as silent as one that does not log in.
            setTimer(.login, Loop.time.now + .seconds(30))
            beginTLS()
        } else {
            step { machine, now, actions in machine.start(now: now, into: &actions) }
            hasStarted = true
        }
        if closing == nil { stream.startReading() }
    }

    /// Tells the machine that the node is stopping.
    package func drain() {
        guard closing == nil else { return }
        if hasStarted { handle(.drain) } else { close(.draining, "") }
    }

    /// Ends the session at once, whatever it was doing.
    package func abort(_ detail: String) {
        if closing == nil { closing = (.failure, detail) }
        end()
    }

    /// Hands the machine an event that does not come from the wire.
    package func handle(_ event: WireEvent<Machine.Answer>) {
        guard closing == nil else { return }
        step { machine, now, actions in machine.handle(event, now: now, into: &actions) }
    }

    private func step(
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
        flushTLS()
        adjustReading()
    }

    private func perform(_ action: WireAction<Machine.Question, Machine.Effect>) {
        guard closing == nil else {
            // What the machine does behind its own close still has to reach the handler: it releases what the session held.
            if case .perform(let effect) = action { handler.perform(effect) }
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
            if stream.queuedBytes >= stream.highWaterBytes {
                heldAnswers.append((request, answer))
            } else {
                handle(.answer(request, answer))
            }
        }
    }

    private func outputDrained() {
        while let (request, answer) = heldAnswers.first, stream.queuedBytes < stream.highWaterBytes, closing == nil {
            heldAnswers.removeFirst()
            handle(.answer(request, answer))
        }
        adjustReading()
    }

    private func setTimer(_ timer: WireTimer, _ instant: Instant) {
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

// MARK: Bytes and TLS

extension SessionDriver {
    private func send(_ bytes: [UInt8]) {
        guard let tls else {
            bytesOut += bytes.count
            return stream.write(bytes)
        }
        do {
            try tls.write(bytes[...])
        } catch {
            close(.failure, "tls: \(error)")
        }
    }

    private func flushTLS() {
        guard let tls, !hasEnded else { return }
        let cipher = tls.pendingCipher()
        guard !cipher.isEmpty else { return }
        bytesOut += cipher.count
        stream.write(cipher)
    }

    private func beginTLS() {
        guard let tlsContext else { preconditionFailure("a listener without TLS configured its machine for none") }
        do {
            tls = try TLSConnection(context: tlsContext, serverName: serverName)
            try advanceTLS()
            // A client speaks first.
            flushTLS()
        } catch {
            close(.protocolError, "tls: \(error)")
        }
    }

    private func received(_ bytes: ArraySlice<UInt8>) {
        guard closing == nil else { return }
        bytesIn += bytes.count
        guard let tls else {
            step { machine, now, actions in machine.receive(bytes, now: now, into: &actions) }
            return
        }
        do {
            tls.feed(bytes)
            try advanceTLS()
            flushTLS()
        } catch {
            // The alert that explains the failure to the peer is still waiting to be sent.
            flushTLS()
            close(.protocolError, "tls: \(error)")
        }
    }

    private func advanceTLS() throws(TLSError) {
        guard let tls else { return }
        var progress = try tls.advance()
        if case .established(let peer) = progress {
            timers[.login]?.cancel()
            step { [hasStarted] machine, now, actions in
                machine.handle(.tlsEstablished(peer), now: now, into: &actions)
                if !hasStarted { machine.start(now: now, into: &actions) }
            }
            hasStarted = true
            progress = try tls.advance()
        }
        guard hasStarted, closing == nil else { return }
        let plain = try tls.readPlain()
        if !plain.isEmpty {
            step { machine, now, actions in machine.receive(plain[...], now: now, into: &actions) }
        }
        if case .closed = progress { endOfInput() }
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
    private func endOfInput() {
        guard !hasSeenEndOfInput, closing == nil else { return }
        hasSeenEndOfInput = true
        guard hasStarted else { return close(.endOfInput, "before the TLS handshake was done") }
        step { machine, now, actions in machine.handle(.endOfInput, now: now, into: &actions) }
    }

    private func close(_ reason: CloseReason, _ detail: String) {
        guard closing == nil else { return }
        closing = (reason, detail)
        if let tls {
            flushTLS()
            tls.sendCloseNotify()
            flushTLS()
        }
        stream.stopReading()
        stream.finish()
        end()
    }

    private func end() {
        guard !hasEnded else { return }
        hasEnded = true
        for timer in timers.values { timer.close() }
        timers = [:]
        heldAnswers = []
        tls = nil
        stream.onRead = nil
        stream.onEnd = nil
        stream.onDrain = nil
        if closing?.reason != .quit, closing?.reason != .draining, closing?.reason != .timeout { stream.finish() }
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
