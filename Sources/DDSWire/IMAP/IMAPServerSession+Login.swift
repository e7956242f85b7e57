// How an IMAP session becomes private and gets a name: STARTTLS, AUTHENTICATE, LOGIN (RFC 9051 6.2), and what it says about
// itself. Whether credentials are good is the owner's answer.

import DDSCore

extension IMAPServerSession {
    /// What is possible now.
    var capabilities: String {
        // ENABLE and IDLE stand there before login too: there are clients that never ask again.
        var list = ["IMAP4rev1", "IMAP4rev2", "LITERAL+", "ID", "ENABLE", "IDLE"]
        if !isLoggedIn {
            list.append("SASL-IR")
            if phase == .clear {
                list += ["STARTTLS", "LOGINDISABLED"]
            } else {
                list += mechanisms.map { "AUTH=" + $0.rawValue }
            }
        } else {
            list += [
                "NAMESPACE", "UIDPLUS", "MOVE", "UNSELECT", "CHILDREN", "SPECIAL-USE", "LIST-EXTENDED", "LIST-STATUS",
                "STATUS=SIZE", "CONDSTORE", "ESEARCH", "SEARCHRES", "WITHIN", "SORT", "THREAD=REFERENCES", "UTF8=ACCEPT",
                "BINARY", "QUOTA", "QUOTA=RES-STORAGE",
            ]
        }
        return list.joined(separator: " ")
    }

    /// The mechanisms that can succeed on this connection.
    private var mechanisms: [SASLMechanism] { peer?.keyHash == nil ? [.plain] : [.external, .plain] }

    // MARK: STARTTLS

    mutating func startTLS(_ command: IMAPCommand, _ parser: inout IMAPParser, into actions: inout [Action]) throws(IMAPFault) {
        try parser.end()
        guard reader.isEmpty else {
            // Somebody has slipped in what the client would be taken to have said inside TLS (CVE-2011-0411).
            send("\(command.tag) BAD No octets may follow STARTTLS", into: &actions)
            return close(.protocolError, into: &actions)
        }
        send("\(command.tag) OK Begin TLS", into: &actions)
        state = .startingTLS
        actions.append(.startTLS)
    }

    // MARK: LOGIN and AUTHENTICATE

    mutating func login(_ command: IMAPCommand, _ parser: inout IMAPParser, into actions: inout [Action]) throws(IMAPFault) {
        try parser.space()
        let name = try parser.astring()
        try parser.space()
        let password = try parser.astring()
        try parser.end()
        guard let credentials = Credentials(mechanism: .plain, message: [0] + name + [0] + password) else {
            throw .bad("Names and passwords are UTF-8 and not empty")
        }
        ask(.authenticate(credentials, peer), .login(tag: command.tag), into: &actions)
    }

    mutating func authenticate(
        _ command: IMAPCommand, _ parser: inout IMAPParser, into actions: inout [Action]
    ) throws(IMAPFault) {
        try parser.space()
        guard let mechanism = SASLMechanism(name: try parser.keyword()), mechanisms.contains(mechanism) else {
            throw .no("CANNOT", "Mechanism not available here, see CAPABILITY")
        }
        guard parser.skip(" ") else {
            try parser.end()
            state = .saslResponse(tag: command.tag, mechanism)
            return send("+ ", into: &actions)
        }
        // RFC 4959 3: a lone "=" is an initial response without octets.
        let response = try parser.astring()
        try parser.end()
        try authenticate(mechanism, response == [0x3d] ? [] : response, tag: command.tag, into: &actions)
    }

    /// The line behind `+ `.
    mutating func saslResponse(
        _ item: IMAPCommandReader.Item, of mechanism: SASLMechanism, tag: String, into actions: inout [Action]
    ) {
        switch item {
        case .fault(let fault, _): strike(tag, Self.words(fault, limit: reader.limit), into: &actions)
        case .literal: preconditionFailure("a response is a line")
        case .command(let text):
            let line = text.lines[0]
            guard line != [0x2a] else { return strike(tag, "BAD Authentication cancelled", into: &actions) }
            do throws(IMAPFault) {
                try authenticate(mechanism, line == [0x3d] ? [] : line, tag: tag, into: &actions)
            } catch {
                refuse(tag, error, into: &actions)
            }
        }
    }

    private mutating func authenticate(
        _ mechanism: SASLMechanism, _ response: [UInt8], tag: String, into actions: inout [Action]
    ) throws(IMAPFault) {
        guard let message = Base64.decode(response), let credentials = Credentials(mechanism: mechanism, message: message)
        else { throw .bad("Malformed response") }
        ask(.authenticate(credentials, peer), .login(tag: tag), into: &actions)
    }

    mutating func loginAnswered(_ tag: String, _ answer: Answer, now: Instant, into actions: inout [Action]) {
        switch answer {
        case .authenticated:
            loggedIn(now: now, into: &actions)
            send("\(tag) OK [CAPABILITY \(capabilities)] Logged in", into: &actions)
        case .refused:
            // The same words and time for every reason.
            let delay = configuration.failedLoginDelay * (1 << min(failedLogins, 10))
            failedLogins += 1
            state = .delaying(tag: tag, isLast: failedLogins >= configuration.failedLoginsMax)
            actions.append(.setTimer(.delay, now + delay))
        default:
            guard let refusal = Self.refusal(answer) else { preconditionFailure("a login is not answered like that") }
            send("\(tag) \(refusal.reply)", into: &actions)
        }
    }

    // MARK: ID and ENABLE

    /// RFC 2971.
    mutating func id(_ command: IMAPCommand, _ parser: inout IMAPParser, into actions: inout [Action]) throws(IMAPFault) {
        try parser.space()
        if parser.skip("(") {
            var fields = 0
            if !parser.skip(")") {
                repeat {
                    _ = try parser.string()
                    try parser.space()
                    _ = try parser.nstring()
                    fields += 1
                    guard fields <= 30 else { throw .bad("More than 30 fields") }
                } while parser.skip(" ")
                try parser.expect(")")
            }
        } else if try parser.nstring() != nil {
            throw .bad("Expected a list or NIL")
        }
        try parser.end()
        var writer = IMAPWriter()
        writer.text("* ID (\"name\" \"ddsnode\"")
        if !configuration.version.isEmpty {
            writer.text(" \"version\" ")
            writer.string(Array(WireText.line(configuration.version.utf8).utf8))
        }
        writer.line(")")
        send(writer.take(), into: &actions)
        send("\(command.tag) OK Done", into: &actions)
    }

    /// RFC 5161.
    mutating func enable(_ command: IMAPCommand, _ parser: inout IMAPParser, into actions: inout [Action]) throws(IMAPFault) {
        try parser.space()
        var names: [String] = []
        repeat { names.append(try parser.keyword()) } while parser.skip(" ")
        try parser.end()
        var reply = "* ENABLED"
        for name in names {
            switch name {
            case "IMAP4REV2" where !usesRev2:
                usesRev2 = true
                reply += " IMAP4rev2"
            case "UTF8=ACCEPT" where !usesUTF8:
                usesUTF8 = true
                reply += " UTF8=ACCEPT"
            case "CONDSTORE" where !usesCondStore:
                usesCondStore = true
                reply += " CONDSTORE"
            default: break
            }
        }
        send("\(reply)\r\n\(command.tag) OK Done", into: &actions)
    }
}
