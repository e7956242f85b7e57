// The shape of every protocol machine: bytes and events in, actions out, no I/O, no clock, no callbacks.
// One driver in DDSNode runs all of them; tests run them by hand, byte by byte, in virtual time.

package import DDSCore

/// Identifies a question that a machine has asked; a late answer to a question that no longer matters is ignored by its id.
package struct RequestID: Hashable, Comparable, Sendable {
    package var rawValue: UInt64

    package init(rawValue: UInt64) {
        self.rawValue = rawValue
    }

    package static func < (left: RequestID, right: RequestID) -> Bool { left.rawValue < right.rawValue }
}

/// One of a session's few timers; setting it again moves it.
package enum WireTimer: Hashable, Sendable, CaseIterable {
    /// The peer has been silent for too long.
    case idle
    /// Not logged in (or not in TLS) in time.
    case login
    /// A reply that is held back on purpose, such as that of a failed login.
    case delay
    /// A wait that the client asked for has run its time.
    case wait
}

/// Why a session ends, for the log.
package enum CloseReason: String, Hashable, Sendable {
    /// The protocol's own good-bye.
    case quit
    case endOfInput
    case timeout
    /// The peer broke the protocol beyond repair, or too often.
    case protocolError
    /// The node is stopping.
    case draining
    /// Our own trouble, already told to the peer.
    case failure
}

/// What a machine wants done. The driver performs actions strictly in order.
package enum WireAction<Question: Sendable, Effect: Sendable>: Sendable {
    /// Bytes for the peer.
    case send([UInt8])
    /// A decision somebody else has to take; answered later by `WireEvent.answer` with the same id. While output above the
    /// high-water mark is queued for the peer, the driver holds answers back: that is the back-pressure of large replies.
    case ask(RequestID, Question)
    /// Something to be done in order with the replies, which needs no answer.
    case perform(Effect)
    case setTimer(WireTimer, Instant)
    case cancelTimer(WireTimer)
    /// Begin a TLS handshake behind the bytes sent so far. The driver discards whatever the peer sent in clear after the
    /// command; the machine has forgotten everything it knew (RFC 3207 4.2, RFC 2595 4).
    case startTLS
    /// Flush what was sent, then close.
    case close(CloseReason)
}

/// What happens to a machine besides bytes.
package enum WireEvent<Answer: Sendable>: Sendable {
    case answer(RequestID, Answer)
    case timer(WireTimer)
    /// The peer has closed its side.
    case endOfInput
    /// The handshake is complete; also the first event of a connection with implicit TLS, before `start`.
    case tlsEstablished(TLSPeer)
    /// The node is stopping: finish what is half done, refuse what is not begun, close.
    case drain
}

/// A protocol session as a value.
package protocol WireSession {
    associatedtype Question: Sendable
    associatedtype Answer: Sendable
    associatedtype Effect: Sendable

    /// The connection stands (and, with implicit TLS, the handshake is done).
    mutating func start(now: Instant, into actions: inout [WireAction<Question, Effect>])
    /// Bytes from the peer, in clear. Stores them and consumes what it can; while an answer is outstanding it only stores.
    mutating func receive(_ bytes: ArraySlice<UInt8>, now: Instant, into actions: inout [WireAction<Question, Effect>])
    mutating func handle(_ event: WireEvent<Answer>, now: Instant, into actions: inout [WireAction<Question, Effect>])

    /// Stored and not yet consumed; the driver stops reading from the peer while this is above its limit. A machine that waits
    /// for the rest of something longer than that limit does not count its beginning: nothing else would ever move.
    var bufferedBytes: Int { get }
}
