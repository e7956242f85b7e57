// A tiny protocol for tests of the driver: commands are single letters with a line end, replies are lines.

import DDSCore
import DDSLoop
import DDSNode
import DDSWire

/// `e TEXT` echoes; `a TEXT` asks and replies with the answer; `b N` asks for N bytes; `s` begins TLS; `t` sets the delay timer to
/// now and replies when it fires; `q` says good-bye; `z` closes and performs an effect behind the close.
struct EchoMachine: WireSession {
    enum Question: Sendable { case shout(String), bytes(Int) }
    enum Effect: Hashable, Sendable { case noted(String) }

    private var input: [UInt8] = []
    private var asked: RequestID?
    private var nextID: UInt64 = 0
    private var isClosed = false
    private(set) var peer: TLSPeer?
    var bufferedBytes: Int { input.count }

    mutating func start(now: Instant, into actions: inout [WireAction<Question, Effect>]) { say("hello", &actions) }

    mutating func receive(_ bytes: ArraySlice<UInt8>, now: Instant, into actions: inout [WireAction<Question, Effect>]) {
        guard !isClosed else { return }
        input += bytes
        advance(now, &actions)
    }

    mutating func handle(_ event: WireEvent<[UInt8]>, now: Instant, into actions: inout [WireAction<Question, Effect>]) {
        guard !isClosed else { return }
        switch event {
        case .answer(let id, let answer):
            guard id == asked else { return }
            asked = nil
            actions.append(.send(answer + [0x0a]))
            advance(now, &actions)
        case .timer(.delay): say("timer", &actions)
        case .timer: close(.timeout, &actions)
        case .tlsEstablished(let peer):
            self.peer = peer
            input = []
        case .endOfInput:
            say("end", &actions)
            close(.endOfInput, &actions)
        case .drain:
            say("drain", &actions)
            close(.draining, &actions)
        }
    }

    private mutating func advance(_ now: Instant, _ actions: inout [WireAction<Question, Effect>]) {
        // Removed in one piece: tests send millions of lines.
        var start = input.startIndex
        defer { input.removeSubrange(..<start) }
        while asked == nil, !isClosed, let end = input[start...].firstIndex(of: 0x0a) {
            let line = String(decoding: input[start..<end], as: UTF8.self)
            start = end + 1
            let text = String(line.dropFirst(2))
            switch line.first {
            case "e": say(text, &actions)
            case "a": ask(.shout(text), &actions)
            case "b": ask(.bytes(Int(text) ?? 0), &actions)
            case "t": actions.append(.setTimer(.delay, now))
            case "c": actions += [.setTimer(.delay, now + .milliseconds(1)), .cancelTimer(.delay), .setTimer(.wait, now + .seconds(600))]
            case "s":
                guard start == input.endIndex else {
                    say("refused", &actions)
                    return close(.protocolError, &actions)
                }
                say("begin", &actions)
                actions.append(.startTLS)
            case "q":
                say("bye", &actions)
                close(.quit, &actions)
            case "z":
                close(.quit, &actions)
                actions.append(.perform(.noted("behind")))
            default: say("?", &actions)
            }
        }
    }

    private mutating func ask(_ question: Question, _ actions: inout [WireAction<Question, Effect>]) {
        nextID += 1
        asked = RequestID(rawValue: nextID)
        actions.append(.ask(RequestID(rawValue: nextID), question))
    }

    private func say(_ text: String, _ actions: inout [WireAction<Question, Effect>]) {
        actions.append(.send(Array((text + "\n").utf8)))
    }

    private mutating func close(_ reason: CloseReason, _ actions: inout [WireAction<Question, Effect>]) {
        isClosed = true
        actions.append(.perform(.noted("close")))
        actions.append(.close(reason))
    }
}

/// Answers at once, or when `gate` is opened; notes what it hears.
@LoopActor final class EchoHandler: SessionHandler {
    typealias Machine = EchoMachine

    private(set) var notes: [String] = []
    private(set) var summary: SessionSummary?
    private(set) var answered = 0
    private(set) var asked = 0
    var isGated = false
    private var gate: [CheckedContinuation<Void, Never>] = []

    func answer(_ question: EchoMachine.Question) async -> [UInt8] {
        asked += 1
        await withCheckedContinuation { continuation in
            if isGated { gate.append(continuation) } else { continuation.resume() }
        }
        answered += 1
        switch question {
        case .shout(let text): return Array(text.uppercased().utf8)
        case .bytes(let count): return Array(repeating: 0x78, count: count)
        }
    }

    func open() {
        for continuation in gate { continuation.resume() }
        gate = []
    }

    func perform(_ effect: EchoMachine.Effect) {
        guard case .noted(let text) = effect else { return }
        notes.append(text)
    }

    func sessionEnded(_ summary: SessionSummary) {
        notes.append("ended")
        self.summary = summary
    }
}
