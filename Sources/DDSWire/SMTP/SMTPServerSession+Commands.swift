// The command table: which verbs there are, when they may be said, what their argument must be, and what refuses them. The
// small commands act here; login and transactions have files of their own.

import DDSCore

/// Where a session stands between commands.
struct SMTPPhases: OptionSet, Hashable, Sendable {
    var rawValue: UInt8

    /// TLS is required and missing.
    static let clear = SMTPPhases(rawValue: 1)
    /// No EHLO or LHLO yet.
    static let fresh = SMTPPhases(rawValue: 2)
    /// Greeted, and login is required and missing.
    static let anonymous = SMTPPhases(rawValue: 4)
    /// No transaction.
    static let ready = SMTPPhases(rawValue: 8)
    /// MAIL accepted, no recipient yet.
    static let sender = SMTPPhases(rawValue: 16)
    /// At least one recipient.
    static let recipients = SMTPPhases(rawValue: 32)
    /// Some chunk of the message has come.
    static let chunks = SMTPPhases(rawValue: 64)
    static let any: SMTPPhases = [.clear, .fresh, .anonymous, .ready, .sender, .recipients, .chunks]
    static let secured = any.subtracting(.clear)
}

/// One row of the table.
struct SMTPCommandRule: Sendable {
    enum Argument: Sendable {
        case none
        case optional
        case required
    }

    typealias Act = @Sendable (inout SMTPServerSession, String, inout SMTPServerSession.Turn) -> Void

    var verb: String
    /// The only flavour that has the verb; nil for both.
    var flavour: SMTPServerConfiguration.Flavour?
    var phases: SMTPPhases
    var argument: Argument
    /// How it is said, for the reply to a wrong argument.
    var usage: String
    var act: Act

    static let table: [SMTPCommandRule] = [
        SMTPCommandRule(
            verb: "EHLO", flavour: .submission, phases: .any, argument: .required, usage: "EHLO domain",
            act: { $0.hello($1, isExtended: true, &$2) }),
        SMTPCommandRule(
            verb: "HELO", flavour: .submission, phases: .any, argument: .required, usage: "HELO domain",
            act: { $0.hello($1, isExtended: false, &$2) }),
        SMTPCommandRule(
            verb: "LHLO", flavour: .lmtp, phases: .any, argument: .required, usage: "LHLO domain",
            act: { $0.hello($1, isExtended: true, &$2) }),
        SMTPCommandRule(
            verb: "STARTTLS", flavour: nil, phases: .clear, argument: .none, usage: "STARTTLS",
            act: { session, _, turn in session.startTLS(&turn) }),
        SMTPCommandRule(
            verb: "AUTH", flavour: .submission, phases: .anonymous, argument: .required, usage: "AUTH mechanism",
            act: { $0.authenticate($1, &$2) }),
        SMTPCommandRule(
            verb: "MAIL", flavour: nil, phases: .ready, argument: .required, usage: "MAIL FROM:<address>",
            act: { $0.mail($1, &$2) }),
        SMTPCommandRule(
            verb: "RCPT", flavour: nil, phases: [.sender, .recipients], argument: .required, usage: "RCPT TO:<address>",
            act: { $0.recipient($1, &$2) }),
        SMTPCommandRule(
            verb: "DATA", flavour: nil, phases: .recipients, argument: .none, usage: "DATA",
            act: { session, _, turn in session.data(&turn) }),
        // Allowed everywhere, since its octets follow in any case and must not be read as commands.
        SMTPCommandRule(
            verb: "BDAT", flavour: nil, phases: .any, argument: .optional, usage: "BDAT octets [LAST]",
            act: { $0.chunk($1, &$2) }),
        SMTPCommandRule(
            verb: "RSET", flavour: nil, phases: .any, argument: .none, usage: "RSET",
            act: { session, _, turn in
                session.resetTransaction(&turn)
                session.send(SMTPReply(250, EnhancedCode(2, 0, 0), "Reset"), &turn)
            }),
        SMTPCommandRule(
            verb: "NOOP", flavour: nil, phases: .any, argument: .optional, usage: "NOOP",
            act: { session, _, turn in session.send(SMTPReply(250, EnhancedCode(2, 0, 0), "Here"), &turn) }),
        SMTPCommandRule(
            verb: "VRFY", flavour: nil, phases: .secured, argument: .required, usage: "VRFY address",
            act: { session, _, turn in
                session.send(SMTPReply(252, EnhancedCode(2, 0, 0), "Addresses are checked at RCPT only"), &turn)
            }),
        SMTPCommandRule(
            verb: "HELP", flavour: nil, phases: .any, argument: .optional, usage: "HELP",
            act: { session, _, turn in
                let verbs = table.filter { $0.flavour == nil || $0.flavour == session.configuration.flavour }.map(\.verb)
                let text = "Commands: " + verbs.joined(separator: " ")
                session.send(SMTPReply(214, EnhancedCode(2, 0, 0), text, "See ddsnode-protocol(7)"), &turn)
            }),
        SMTPCommandRule(
            verb: "QUIT", flavour: nil, phases: .any, argument: .none, usage: "QUIT",
            act: { session, _, turn in
                session.resetTransaction(&turn)
                session.send(SMTPReply(221, EnhancedCode(2, 0, 0), "Good-bye"), &turn)
                session.close(.quit, &turn)
            }),
    ]

    /// Verbs of RFC 5321 and its kin that this server knows of and does not do.
    static let declined: Set<String> = ["EXPN", "TURN", "ETRN", "ATRN", "SEND", "SOML", "SAML", "BURL"]
    /// The first words of an HTTP request: a browser is being used to talk to a mail port.
    static let foreign: Set<String> = [
        "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "PRI", "HOST:",
    ]
}

extension SMTPServerSession {
    var phase: SMTPPhases {
        if configuration.tls == .startTLSRequired, tlsPeer == nil { return .clear }
        if clientName == nil { return .fresh }
        if configuration.flavour == .submission, authenticated == nil { return .anonymous }
        guard let transaction else { return .ready }
        if transaction.chunkReader != nil { return .chunks }
        return transaction.envelope.recipients.isEmpty ? .sender : .recipients
    }

    mutating func obey(_ line: LineReader.Line, _ turn: inout Turn) {
        switch line {
        case .overlong:
            fault(SMTPReply(500, EnhancedCode(5, 5, 2), "The line is too long"), &turn)
        case .bareLineEnd:
            fault(SMTPReply(500, EnhancedCode(5, 5, 2), "Lines end in CRLF, and CR and LF stand nowhere else"), &turn)
        case .complete(let octets):
            obey(octets, &turn)
        }
    }

    private mutating func obey(_ octets: [UInt8], _ turn: inout Turn) {
        guard octets.allSatisfy({ $0 >= 0x20 && $0 != 0x7f }), let text = String(validating: octets, as: UTF8.self) else {
            return fault(SMTPReply(500, EnhancedCode(5, 5, 2), "Commands hold printable characters only"), &turn)
        }
        let words = text.split(separator: " ", maxSplits: 1, omittingEmptySubsequences: false)
        let verb = words[0].uppercased()
        if SMTPCommandRule.foreign.contains(verb) { return close(.protocolError, &turn) }
        guard let rule = SMTPCommandRule.table.first(where: { $0.verb == verb }) else {
            if SMTPCommandRule.declined.contains(verb) {
                return fault(SMTPReply(502, EnhancedCode(5, 5, 1), "This command is not offered"), &turn)
            }
            return fault(SMTPReply(500, EnhancedCode(5, 5, 2), "This command is not known; HELP lists those that are"), &turn)
        }
        var argument = words.count == 2 ? words[1] : ""
        while argument.last == " " { argument.removeLast() }
        if let refusal = refusal(of: rule, argument: argument, lineBytes: octets.count + 2) { return fault(refusal, &turn) }
        rule.act(&self, String(argument), &turn)
    }

    private func refusal(of rule: SMTPCommandRule, argument: Substring, lineBytes: Int) -> SMTPReply? {
        guard rule.flavour == nil || rule.flavour == configuration.flavour else {
            let hello = configuration.flavour == .lmtp ? "LHLO" : "EHLO"
            return SMTPReply(500, EnhancedCode(5, 5, 1), "Not on this port, where one begins with \(hello)")
        }
        if !rule.phases.contains(phase) { return refusal(of: rule.verb, in: phase) }
        if lineBytes > lineBytesMax(of: rule.verb) { return SMTPReply(500, EnhancedCode(5, 5, 2), "The line is too long") }
        switch rule.argument {
        case .none where !argument.isEmpty, .required where argument.isEmpty:
            return SMTPReply(501, EnhancedCode(5, 5, 4), "Say \(rule.usage)")
        case .none, .optional, .required:
            return nil
        }
    }

    /// Why `verb` may not be said now, and what comes first.
    func refusal(of verb: String, in phase: SMTPPhases) -> SMTPReply {
        let outOfOrder = EnhancedCode(5, 5, 1)
        switch (verb, phase) {
        case (_, .clear):
            return SMTPReply(530, EnhancedCode(5, 7, 0), "Say STARTTLS first")
        case ("STARTTLS", _):
            return configuration.tls == .none || configuration.tls == .loopback
                ? SMTPReply(502, outOfOrder, "TLS is not offered here") : SMTPReply(503, outOfOrder, "TLS is already active")
        case (_, .fresh):
            return SMTPReply(503, outOfOrder, "Say \(configuration.flavour == .lmtp ? "LHLO" : "EHLO") first")
        case ("AUTH", _):
            return SMTPReply(503, outOfOrder, "Already logged in")
        case (_, .anonymous):
            return SMTPReply(530, EnhancedCode(5, 7, 0), "Log in with AUTH first")
        case ("MAIL", _):
            return SMTPReply(503, outOfOrder, "A message is being sent already; RSET gives it up")
        case (_, .chunks):
            return SMTPReply(503, outOfOrder, "Only BDAT or RSET after BDAT")
        case ("RCPT", _), (_, .ready):
            return SMTPReply(503, outOfOrder, "Say MAIL first")
        case _:
            return SMTPReply(503, outOfOrder, "No recipient has been accepted")
        }
    }

    private func lineBytesMax(of verb: String) -> Int {
        let limits = configuration.limits
        switch verb {
        case "AUTH": return limits.authLineBytesMax
        case "MAIL": return limits.commandLineBytesMax + limits.mailParameterBytesMax
        case "RCPT": return limits.commandLineBytesMax + limits.recipientParameterBytesMax
        case _: return limits.commandLineBytesMax
        }
    }

    // MARK: EHLO, HELO, LHLO

    mutating func hello(_ name: String, isExtended: Bool, _ turn: inout Turn) {
        guard Self.isClientName(name) else {
            return fault(SMTPReply(501, EnhancedCode(5, 5, 4), "Say your domain or [address]"), &turn)
        }
        resetTransaction(&turn)
        clientName = name
        // The client's name is not repeated: it would be the one piece of a stranger's text in our replies.
        let lines = [configuration.hostName] + (isExtended ? extensions : [])
        send(SMTPReply(code: 250, enhanced: nil, lines: lines), &turn)
    }

    private var extensions: [String] {
        var lines = [
            "PIPELINING", "SIZE \(configuration.limits.messageBytesMax)", "8BITMIME", "SMTPUTF8", "CHUNKING",
            "ENHANCEDSTATUSCODES",
        ]
        // An MTA that hears it leaves the notifications that a sender asked for to us, who send none (RFC 3461 5.2.1).
        if configuration.flavour == .submission { lines.append("DSN") }
        if phase == .clear { lines.append("STARTTLS") } else { lines += configuration.extraCapabilities }
        let names = mechanismNames
        if phase == .anonymous, !names.isEmpty { lines.append("AUTH " + names.joined(separator: " ")) }
        return lines
    }

    /// A domain or an address literal (RFC 5321 4.1.1.1), generously: underscores and single labels are common.
    private static func isClientName(_ name: String) -> Bool {
        guard name.utf8.count <= 255, name.utf8.first != 0x2d else { return false }
        return name.utf8.allSatisfy { octet in
            switch octet {
            case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x80...: true
            case 0x2d, 0x2e, 0x5f, 0x3a, 0x5b, 0x5d, 0x25: true
            case _: false
            }
        }
    }
}
