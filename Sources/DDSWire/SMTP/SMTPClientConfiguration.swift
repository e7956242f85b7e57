// What one delivery by SMTP or LMTP is told, and how it ends. No behaviour.

/// One message to hand over.
package struct SMTPClientConfiguration: Sendable {
    package enum TLS: Hashable, Sendable {
        /// `tlsEstablished` comes before `start`.
        case implicit
        /// A server that does not offer STARTTLS gets nothing.
        case startTLS
        /// Only for LMTP on loopback or a unix socket.
        case none
    }

    package enum Flavour: Hashable, Sendable {
        case submission
        case lmtp
    }

    /// What this side calls itself in EHLO: a domain or `[address]`.
    package var clientName: String
    package var flavour: Flavour = .submission
    package var tls: TLS
    /// Nil sends without login.
    package var credentials: Credentials?
    /// Sender, at least one recipient, SMTPUTF8 where the header needs it, and DSN wishes (dropped where DSN is not
    /// offered). BODY and SIZE come from the message.
    package var envelope: Envelope
    /// The message with CRLF line ends.
    package var message: [UInt8]
    package var timeouts = Timeouts()
    /// Only asks what the server offers: EHLO (inside TLS), then QUIT. Envelope and message are not used.
    package var isProbe = false
    /// Wants to hear what the server offers inside TLS, while the delivery goes on.
    package var wantsOffer = false

    package init(
        clientName: String, tls: TLS, credentials: Credentials?, envelope: Envelope, message: [UInt8],
        flavour: Flavour = .submission
    ) {
        precondition(!envelope.recipients.isEmpty, "a message has a recipient")
        precondition(tls != .none || (flavour == .lmtp && credentials == nil), "submission is never in clear")
        precondition(
            !clientName.isEmpty && clientName.utf8.allSatisfy { (0x21...0x7e).contains($0) },
            "a client name is one word of ASCII")
        self.clientName = clientName
        self.tls = tls
        self.credentials = credentials
        self.envelope = envelope
        self.message = message
        self.flavour = flavour
    }

    /// How long the server may take (RFC 5321 4.5.3.2).
    package struct Timeouts: Hashable, Sendable {
        /// For the greeting and for the handshake behind STARTTLS.
        package var greeting = Duration.seconds(60)
        package var reply = Duration.seconds(300)
        /// For the reply to the message, besides the time that sending it takes.
        package var finalReply = Duration.seconds(600)
        /// The slowest network on which a message is still worth waiting for.
        package var bytesPerSecondMin = 4096
        /// For the reply to QUIT.
        package var quit = Duration.seconds(5)

        package init() {}
    }
}

/// Where in the dialogue something went wrong.
package enum SMTPStage: String, Hashable, Sendable, CaseIterable {
    case greeting
    case hello
    case startTLS
    case authentication
    case sender
    case recipients
    /// Before the end of the message was sent.
    case data
    /// After the end of the message was sent: the server may have taken it.
    case message
}

/// How a delivery ended.
package enum SMTPOutcome: Hashable, Sendable {
    /// The server has taken the message for at least one recipient. One final reply per recipient, in the envelope's order.
    case delivered([SMTPReply])
    /// Nobody gets the message. The reply is the server's, or this side's own where the server lacks what the message or its
    /// safety needs. `permanent` only when the same message would be refused again: never for greeting, TLS or login.
    case refused(SMTPStage, SMTPReply, permanent: Bool)
    /// The connection ended, or the server fell silent or into nonsense, before an answer. At stage `.message` it is unknown
    /// whether the message was taken: send it again with the same submission id.
    case lost(SMTPStage)
    /// A probe's answer: the lines of the reply to EHLO, the first of which names the server.
    case offered([String])
}

/// What the client does besides talking.
package enum SMTPClientEffect: Hashable, Sendable {
    /// The lines of the reply to EHLO, before anything that follows; only where they are wanted.
    case heard([String])
    /// Exactly once in the life of a session; nothing that happens later changes it.
    case finished(SMTPOutcome)
}
