// What a POP3 server session is told and what it asks: its configuration, questions, answers and effects.

package import DDSCore

/// How a POP3 server session behaves. Every limit of PROTOCOLS.md is here, with its default.
package struct POP3ServerConfiguration: Sendable {
    package enum TLSMode: Hashable, Sendable {
        /// TLS before the greeting (RFC 8314 3.3).
        case implicit
        /// A greeting in clear, where STLS comes before any login (RFC 2595 4).
        case stlsRequired
        /// No TLS, and logins in clear: only where the owner has made sure that the peer is a process of this machine and of
        /// this person. Never for a network.
        case loopback
    }

    package var hostName: String
    package var tls: TLSMode
    /// The text behind the greeting's `+OK`.
    package var greeting: String
    /// The longest command in octets with its CRLF (RFC 2449 4).
    package var commandOctetsMax = 255
    /// The longest line of a SASL exchange, which the command limit does not bind (RFC 5034 4).
    package var authLineOctetsMax = 4096
    /// Lines that are no command of ours before login; at this many the session ends.
    package var unknownCommandsMax = 10
    /// Failed logins; at this many the session ends.
    package var failedLoginsMax = 3
    /// The first failed login's reply is held back this long, each further one's twice as long.
    package var failedLoginDelay = Duration.seconds(1)
    package var startTLSTimeout = Duration.seconds(30)
    package var loginTimeout = Duration.seconds(60)
    /// RFC 1939 3 asks for at least ten minutes.
    package var idleTimeout = Duration.seconds(600)
    /// How long a draining session waits for the client's next command.
    package var drainTimeout = Duration.seconds(5)
    /// The longest wait a client may ask for.
    package var waitSecondsMax = 1740
    /// Further lines of CAPA inside TLS, such as `XDDS-IDENTITY` with its key.
    package var extraCapabilities: [String] = []
    /// Octets of replies after which the session asks `.pause` before it takes the next pipelined command.
    package var replyBurstOctetsMax = 1 << 18
    /// Messages of a list after which the session asks `.pause` before it goes on with the others.
    package var listPieceItems = 1000
    /// XDDS-WAIT and XDDS-HEAD are known.
    package var hasExtensions = true
    /// Messages stay until a client deletes them, which CAPA then says (RFC 2449 6.7).
    package var keepsMail = false
    /// A message that RETR has given out whole is told to the owner with `.retrieved`.
    package var tellsRetrievals = false

    package init(hostName: String, tls: TLSMode, greeting: String? = nil) {
        self.hostName = hostName
        self.tls = tls
        self.greeting = greeting ?? "\(hostName) ddsnode"
    }
}

/// What a POP3 server session asks. It has at most one question outstanding.
package enum POP3ServerQuestion: Hashable, Sendable {
    /// Who is this, and what is in the maildrop? USER/PASS comes as `.plain`. Answered `.maildrop` (which now is locked for
    /// this session), `.refused`, `.inUse` or `.unavailable`. A wrong name should take as long as a wrong password.
    case authenticate(Credentials, TLSPeer?)
    /// Octets of a message of the snapshot from `offset` on. Answered `.bytes`, as few or many as suit, or `.gone`.
    case body(index: Int, offset: Int)
    /// Destroy these messages for ever (never an empty list). Answered `.erased` once that is durable, or `.eraseFailed`. The
    /// maildrop's lock ends with the answer whatever it is: no `.releaseMaildrop` follows.
    case erase([Int])
    /// The maildrop was released; lock it again and take a new snapshot as soon as it holds a message that this session's
    /// last snapshot had not, after `.stopWaiting`, or after `seconds`. Answered like `.authenticate`, but for `.refused`.
    case wait(seconds: Int)
    /// How far has the node's store come, in the words of its own signed statement? Answered `.head` or `.unavailable`.
    case head
    /// Nothing but a chance for the driver to hold the session back while much output is queued. Answered `.proceed` at once.
    case pause
}

package enum POP3ServerAnswer: Hashable, Sendable {
    case maildrop([POP3Item])
    case refused
    case inUse
    /// Our own trouble; the text goes to the client behind `[SYS/TEMP]`.
    case unavailable(String)
    case bytes([UInt8], isLast: Bool)
    case gone
    case erased
    case eraseFailed
    /// At most 200 octets of 0x20...0x7e.
    case head(String)
    case proceed
}

package enum POP3ServerEffect: Hashable, Sendable {
    /// The session gives up its maildrop, or its claim to one it has just asked for (`.authenticate` or `.wait` without an
    /// answer yet: a maildrop locked for those must be unlocked again). Comes exactly once for each maildrop, but not when
    /// `.erase` was asked.
    case releaseMaildrop
    /// The outstanding `.wait` shall be answered now.
    case stopWaiting
    /// RETR has given out the whole of this message; whether the client has kept it, QUIT behind DELE would say. Comes only with
    /// `tellsRetrievals`.
    case retrieved(index: Int)
}
