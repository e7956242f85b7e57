// How an IMAP server session behaves: its limits and times.

/// How an IMAP server session behaves. Every limit of PROTOCOLS.md is here, with its default.
package struct IMAPServerConfiguration: Sendable {
    package enum TLSMode: Hashable, Sendable {
        /// Loopback, where only this person's processes may connect: login in clear.
        case none
        /// TLS before the greeting (RFC 8314 3.2).
        case implicit
        /// STARTTLS comes before any login.
        case startTLSRequired
    }

    package var hostName: String
    package var tls: TLSMode
    /// A command line in octets with its CRLF, literals not counted, before and after login.
    package var lineOctetsMaxBeforeLogin = 8 << 10
    package var lineOctetsMax = 64 << 10
    /// A literal in octets, before and after login; that of APPEND has `messageOctetsMax`.
    package var literalOctetsMaxBeforeLogin = 4 << 10
    package var literalOctetsMax = 64 << 10
    /// All literals of one command that is no APPEND.
    package var commandOctetsMax = 256 << 10
    package var messageOctetsMax = 32 << 20
    package var faultsBeforeLoginMax = 10
    package var faultsMax = 100
    package var failedLoginsMax = 3
    package var failedLoginDelay = Duration.seconds(1)
    package var startTLSTimeout = Duration.seconds(30)
    package var loginTimeout = Duration.seconds(60)
    /// RFC 9051 5.4 asks for at least thirty minutes.
    package var idleTimeout = Duration.seconds(1860)
    package var drainTimeout = Duration.seconds(5)
    /// Octets of messages that one `.bodies` question asks for at most (at least one message).
    package var bodiesOctetsMax = 1 << 20
    /// Messages that one `.bodies` question names at most.
    package var messagesAtOnce = 100
    /// Why a session ends that is told to.
    package var drainText = "The server is stopping, try again later"
    /// For ID (RFC 2971).
    package var version = ""

    package init(hostName: String, tls: TLSMode) {
        self.hostName = hostName
        self.tls = tls
    }
}
