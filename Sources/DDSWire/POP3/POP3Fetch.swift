// What a fetching POP3 client is told, asks and reports: the vocabulary of POP3FetchSession.

package import DDSCore

package struct POP3FetchConfiguration: Sendable {
    package enum Login: Sendable {
        /// By the certificate of the connection; the name is the account asked for, nil leaves it to the key (RFC 4422 A).
        case external(user: String?)
        /// SASL PLAIN where the server has it, else USER and PASS.
        case plain(user: String, password: Redacted<[UInt8]>)
    }

    package var login: Login
    /// How long to wait for mail when there is none and the server can wait; nil never waits.
    package var waitSeconds: Int?
    /// Larger messages are left on the server and reported.
    package var messageOctetsMax = 64 << 20
    /// No further message is asked for once this many octets of messages came in this session; the next one goes on.
    package var sessionOctetsMax = 1 << 30
    /// Further messages of the listing are left for another session.
    package var itemsMax = 100_000
    /// RETR commands, or messages handed over and not yet answered, at a time; 1 where the server does not pipeline.
    package var retrievalsMax = 4
    /// The same for DELE.
    package var deletionsMax = 64
    /// The longest line of a reply in octets (RFC 2449 4).
    package var replyOctetsMax = 512
    /// A server that owes a reply and sends nothing for so long is given up.
    package var replyTimeout = Duration.seconds(120)

    package init(login: Login, waitSeconds: Int? = nil) {
        self.login = login
        self.waitSeconds = waitSeconds
    }
}

package enum POP3FetchQuestion: Hashable, Sendable {
    /// This is in the maildrop. Which messages shall be fetched, and which are stored already from an earlier session and
    /// only wait to be deleted? Answered `.plan`. Asked anew after each wait.
    case listing([POP3Item])
    /// Store this message, byte for byte. Answered `.stored` only when it is durable, else `.notStored`; the answers may come
    /// in any order.
    case store(index: Int, uidl: String, bytes: [UInt8])
}

package enum POP3FetchAnswer: Hashable, Sendable {
    /// Indices into the listing, each at most once in both lists together. `fetch` is kept in order.
    case plan(fetch: [Int], alreadyStored: [Int])
    case stored
    case notStored
}

package enum POP3FetchEffect: Hashable, Sendable {
    /// What CAPA said, before the login: at most 64 lines, made harmless.
    case capabilities([String])
    /// What a server that announced XDDS-HEAD says about its store, after the login and after each wait; nil when it refused to
    /// say it.
    case head(String?)
    /// Comes exactly once in every session, right before `.close`.
    case finished(POP3FetchOutcome)
}

/// What came of a session.
package struct POP3FetchOutcome: Hashable, Sendable {
    package enum End: Hashable, Sendable {
        /// The session went its whole way to the reply of QUIT.
        case completed
        /// The server does not know this login. Its words, made harmless, are in the value here and below.
        case loginRefused(String)
        /// Another session has the maildrop; soon again.
        case inUse(String)
        /// The server's own trouble; later again.
        case unavailable(String)
        /// The server cannot do what this client needs.
        case unsupported(String)
        /// The server broke the protocol.
        case protocolViolation(String)
        case connectionLost
        /// Told to stop before the login.
        case stopped
        case timedOut
    }

    /// What became of the messages for which DELE was acknowledged.
    package enum Erasure: Hashable, Sendable {
        /// None was.
        case none
        /// The server has said that these UIDLs are gone.
        case confirmed([String])
        /// QUIT was sent and its reply was lost or bad: gone or not, the next listing tells.
        case unknown([String])
    }

    package var end: End
    package var erasure = Erasure.none
    /// UIDLs answered `.stored` in this session.
    package var stored: [String] = []
    /// UIDLs answered `.notStored`, or refused by the server.
    package var failed: [String] = []
    /// Messages over the limit, left on the server.
    package var tooLarge: [POP3Item] = []
    /// Planned messages that this session did not come to, for its octet limit or because it was told to stop.
    package var postponed: [String] = []
    /// The server announced the wait extension.
    package var canWait = false

    package init(end: End) {
        self.end = end
    }
}
