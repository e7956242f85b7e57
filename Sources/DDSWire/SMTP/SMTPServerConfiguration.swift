// What a listener tells its SMTP or LMTP sessions, and the words in which a session talks to its owner. No behaviour.

package import DDSCore

/// The constants of one listener.
package struct SMTPServerConfiguration: Hashable, Sendable {
    package enum Flavour: Hashable, Sendable {
        /// Message submission by members (RFC 6409): login first.
        case submission
        /// Hand-over by an MTA of the same machine (RFC 2033): no login, a reply per recipient, the null reverse-path
        /// allowed, a lone LF in a message turned into CRLF.
        case lmtp
    }

    package enum TLS: Hashable, Sendable {
        /// From the first byte: `tlsEstablished` comes before `start`.
        case implicit
        /// Nothing but STARTTLS is of use before it (RFC 3207).
        case startTLSRequired
        /// Only for LMTP on loopback or a unix socket.
        case none
        /// No TLS, and logins in clear: only where the owner has made sure that the peer is a process of this machine and of
        /// this person. Never for a network.
        case loopback
    }

    /// The domain that the greeting and EHLO name.
    package var hostName: String
    package var flavour: Flavour
    package var tls: TLS
    /// Mechanisms that may be used; EXTERNAL moreover only by a TLS peer that presented a key.
    package var mechanisms: Set<SASLMechanism> = [.external, .plain]
    /// The dialogue `AUTH LOGIN`, which no RFC has and mail programs want, is offered wherever PLAIN is.
    package var offersLogin = false
    /// Where `RCPT TO:<postmaster>` without a domain goes (RFC 5321 4.5.1); nil for `hostName`.
    package var postmasterDomain: String?
    /// Further lines of the reply to EHLO, keyword first; announced inside TLS only.
    package var extraCapabilities: [String] = []
    package var limits = Limits()
    package var timeouts = Timeouts()

    package init(hostName: String, flavour: Flavour, tls: TLS) {
        precondition(flavour == .lmtp || tls != .none, "submission is never in clear")
        precondition(flavour == .submission || tls != .loopback, "LMTP has no login, so there is `none`")
        self.hostName = hostName
        self.flavour = flavour
        self.tls = tls
    }

    package struct Limits: Hashable, Sendable {
        /// The largest message in octets, announced with SIZE.
        package var messageBytesMax = 32 << 20
        /// A command line with its CRLF (RFC 5321 4.5.3.1.4).
        package var commandLineBytesMax = 512
        /// What SIZE, BODY, SMTPUTF8, AUTH, RET and ENVID may add to MAIL (26 + 17 + 10 + 500 + 9 + 107).
        package var mailParameterBytesMax = 669
        /// What NOTIFY and ORCPT may add to RCPT (RFC 3461 4).
        package var recipientParameterBytesMax = 528
        /// A line of the AUTH exchange with its CRLF (RFC 4954 4).
        package var authLineBytesMax = 12_288
        /// Recipients of one message (RFC 5321 4.5.3.1.8 asks for at least 100).
        package var recipientsMax = 1000
        /// One `.body` effect in octets.
        package var bodyPieceBytesMax = 64 << 10
        /// Failed logins of one connection; the last one closes it.
        package var failedLoginsMax = 3
        /// Commands that make no sense, before login.
        package var faultsBeforeLoginMax = 10
        /// The same in a row for a peer that is logged in, or over LMTP.
        package var faultsMax = 100

        package init() {}
    }

    package struct Timeouts: Hashable, Sendable {
        /// From the connection to a successful login.
        package var login = Duration.seconds(60)
        /// From the reply to STARTTLS to the end of the handshake.
        package var handshake = Duration.seconds(30)
        /// Between two pieces of input (RFC 5321 4.5.3.2.7).
        package var idle = Duration.seconds(300)
        /// Before the reply to the first failed login; doubles with each further one.
        package var failedLoginDelay = Duration.seconds(1)

        package init() {}
    }
}

/// What a session asks its owner.
package enum SMTPServerQuestion: Hashable, Sendable {
    /// Answered by `.authenticated`, `.refused`, `.unavailable`, or `.declined` where there are words for why nobody can log in
    /// now. EXTERNAL is asked only with a peer that has a key.
    case authenticate(Credentials, TLSPeer?)
    /// May this session send from here? Answered by `.accepted` or `.declined`.
    case sender(ReversePath, MailParameters, authenticated: String?)
    /// May this sender write to this recipient? Answered by `.accepted` or `.declined`. The envelope holds the recipients
    /// accepted so far.
    case recipient(Recipient, Envelope)
    /// All of the message has been performed as `.body`. Answered by `.message` or, only with LMTP, `.perRecipient`, once the
    /// message is durable or refused for good.
    case endOfMessage
}

/// The owner's answers.
package enum SMTPServerAnswer: Hashable, Sendable {
    case authenticated(name: String)
    /// Unknown user and wrong secret alike.
    case refused
    /// The accounts cannot be consulted now.
    case unavailable
    case accepted
    /// A 4xx or 5xx reply whose text names the remedy.
    case declined(SMTPReply)
    /// The fate of the message for all its recipients.
    case message(SMTPReply)
    /// One reply per recipient in the envelope's order.
    case perRecipient([SMTPReply])
}

/// What a session does besides talking.
package enum SMTPServerEffect: Hashable, Sendable {
    /// A message begins; `.body` pieces follow, then the question `.endOfMessage`, unless `.abandonMessage` comes before.
    case beginMessage(Envelope)
    /// Octets of the message exactly as it is: CRLF line ends, no dot-stuffing.
    case body([UInt8])
    /// The message that was begun will not be completed; nobody has been told otherwise. An owner that drops a connection
    /// without an event to the machine does the same on its own.
    case abandonMessage
}
