// When to go to the node again, from what the last session came to. Decides by values alone.

import DDSWire

struct FetchPace: Sendable {
    enum Next: Hashable, Sendable {
        case now
        case after(Duration)
    }

    /// Between sessions with a node that cannot say when there is mail.
    let every: Duration
    private var pauses = GrowingPause(first: .seconds(1), longest: .seconds(60))

    init(every: Duration) {
        self.every = every
    }

    /// Somebody asked: trouble of before does not count.
    mutating func asked() { pauses.reset() }

    /// `couldWait` says that the session was allowed to wait for mail at the node. One that neither waited nor moved anything
    /// would come to the same at once, again and again.
    mutating func next(after outcome: POP3FetchOutcome, couldWait: Bool) -> Next {
        switch outcome.end {
        case .completed, .stopped:
            let hasTrouble = !outcome.failed.isEmpty || !outcome.tooLarge.isEmpty
            guard hasMoved(outcome) || !(hasTrouble || (outcome.canWait && couldWait && outcome.end == .completed)) else {
                return .after(pauses.next())
            }
            pauses.reset()
            return outcome.canWait || outcome.end == .stopped ? .now : .after(every)
        case .loginRefused, .inUse, .unavailable, .unsupported, .protocolViolation, .connectionLost, .timedOut:
            return .after(pauses.next())
        }
    }

    private func hasMoved(_ outcome: POP3FetchOutcome) -> Bool {
        if case .confirmed = outcome.erasure { return true }
        return !outcome.stored.isEmpty
    }
}
