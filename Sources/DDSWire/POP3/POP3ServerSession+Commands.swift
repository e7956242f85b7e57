// What each POP3 command does to a session. The table in POP3Command says when it may come; here it may.

import DDSCore

extension POP3ServerSession {
    /// Where the session stands, in the words of the command table.
    private var phase: POP3Verb.Phase {
        switch state {
        case .transaction: .transaction
        case .unlocked: .unlocked
        case .initial, .authorization, .saslResponse, .startingTLS, .authenticating, .delaying, .sending, .pausing, .stating,
            .waiting, .erasing, .closed:
            isPrivate ? .authorization : .clear
        }
    }

    mutating func execute(_ command: POP3Command, now: Instant, into actions: inout [Action]) {
        if command.verb.isExtension, !configuration.hasExtensions { return strike("-ERR Unknown command", into: &actions) }
        guard command.verb.phases.contains(phase) else { return refuse(command.verb, into: &actions) }
        switch command.verb {
        case .capa: capabilities(into: &actions)
        case .stls: startTLS(into: &actions)
        case .user:
            state = .authorization(user: Array(command.arguments.exposed[0]))
            // The same for every name (RFC 1939 13 warns of telling).
            send("+OK Password?", into: &actions)
        case .pass: password(command.arguments.exposed[0], into: &actions)
        case .auth: authenticate(command.arguments.exposed, into: &actions)
        case .quit: quit(into: &actions)
        case .noop: send("+OK", into: &actions)
        case .stat, .list, .uidl, .retr, .top, .dele, .rset:
            guard var maildrop else { preconditionFailure("a session in TRANSACTION has a maildrop") }
            self.maildrop = nil
            inTransaction(command, &maildrop, into: &actions)
            self.maildrop = maildrop
        case .wait: wait(command.number(0), now: now, into: &actions)
        case .head: state = .stating(ask(.head, into: &actions))
        }
    }

    private mutating func refuse(_ verb: POP3Verb, into actions: inout [Action]) {
        switch phase {
        case .clear where verb.phases.contains(.authorization): send("-ERR Use STLS first", into: &actions)
        case .clear, .authorization:
            if verb == .stls {
                send(peer == nil ? "-ERR TLS is not offered here" : "-ERR TLS is active already", into: &actions)
            } else {
                send("-ERR Log in first", into: &actions)
            }
        case .transaction: send("-ERR Not after login", into: &actions)
        case .unlocked:
            if verb.phases.contains(.transaction) {
                send("-ERR [IN-USE] Another session has this maildrop", into: &actions)
            } else {
                send("-ERR Not after login", into: &actions)
            }
        }
    }

    // MARK: Any state

    private mutating func capabilities(into actions: inout [Action]) {
        var lines = ["+OK", "TOP", "UIDL", "RESP-CODES", "AUTH-RESP-CODE", "PIPELINING"]
        lines.append(configuration.keepsMail ? "EXPIRE NEVER" : "EXPIRE 0")
        if isPrivate {
            lines += ["USER", "SASL " + mechanisms.map(\.rawValue).joined(separator: " ")]
        } else {
            lines.append("STLS")
        }
        if configuration.hasExtensions {
            lines.append("XDDS-WAIT \(configuration.waitSecondsMax)")
            if isPrivate { lines.append("XDDS-HEAD") }
        }
        if isPrivate { lines += configuration.extraCapabilities }
        lines += ["IMPLEMENTATION ddsnode", "."]
        send(lines.joined(separator: "\r\n"), into: &actions)
    }

    /// The mechanisms that can succeed on this connection.
    private var mechanisms: [SASLMechanism] {
        guard isPrivate else { return [] }
        return peer?.keyHash == nil ? [.plain] : [.external, .plain]
    }

    private mutating func quit(into actions: inout [Action]) {
        guard let marked = maildrop?.markedIndices, !marked.isEmpty else {
            send("+OK Bye", into: &actions)
            return close(.quit, into: &actions)
        }
        // From here on the answerer owns the lock: see `.erase`.
        maildrop = nil
        state = .erasing(ask(.erase(marked), into: &actions))
    }

    // MARK: AUTHORIZATION

    private mutating func startTLS(into actions: inout [Action]) {
        guard reader.isEmpty else {
            // Somebody has slipped in what the client would be taken to have said inside TLS (CVE-2011-0411).
            send("-ERR No octets may follow STLS", into: &actions)
            return close(.protocolError, into: &actions)
        }
        send("+OK Begin TLS", into: &actions)
        state = .startingTLS
        actions.append(.startTLS)
    }

    private mutating func password(_ password: ArraySlice<UInt8>, into actions: inout [Action]) {
        guard case .authorization(let user?) = state else { return send("-ERR USER comes first", into: &actions) }
        state = .authorization(user: nil)
        guard let credentials = Credentials(mechanism: .plain, message: [0] + user + [0] + password) else {
            return strike("-ERR Names and passwords are UTF-8", into: &actions)
        }
        state = .authenticating(ask(.authenticate(credentials, peer), into: &actions))
    }

    private mutating func authenticate(_ arguments: [ArraySlice<UInt8>], into actions: inout [Action]) {
        state = .authorization(user: nil)
        guard let mechanism = SASLMechanism(name: String(decoding: arguments[0], as: UTF8.self)), mechanisms.contains(mechanism)
        else { return strike("-ERR Mechanism not available here, see CAPA", into: &actions) }
        guard arguments.count > 1 else {
            state = .saslResponse(mechanism)
            return send("+ ", into: &actions)
        }
        // RFC 5034 4: a lone "=" is an initial response without octets.
        let response = arguments[1] == [0x3d] ? [] : arguments[1]
        authenticate(mechanism, response, into: &actions)
    }

    /// The line behind `+ `.
    mutating func saslResponse(_ line: LineReader.Line, of mechanism: SASLMechanism, into actions: inout [Action]) {
        switch line {
        case .overlong: strike("-ERR Line longer than \(configuration.authLineOctetsMax) octets", into: &actions)
        case .bareLineEnd: strike("-ERR A line ends with CR LF, and neither comes alone", into: &actions)
        case .complete([0x2a]): strike("-ERR Authentication cancelled", into: &actions)
        case .complete([0x3d]) where mechanism == .external: authenticate(mechanism, [], into: &actions)
        case .complete(let response): authenticate(mechanism, response[...], into: &actions)
        }
    }

    private mutating func authenticate(
        _ mechanism: SASLMechanism, _ response: ArraySlice<UInt8>, into actions: inout [Action]
    ) {
        guard let message = Base64.decode(response), let credentials = Credentials(mechanism: mechanism, message: message)
        else { return strike("-ERR Malformed response", into: &actions) }
        state = .authenticating(ask(.authenticate(credentials, peer), into: &actions))
    }

    // MARK: TRANSACTION

    private mutating func inTransaction(
        _ command: POP3Command, _ maildrop: inout POP3Maildrop, into actions: inout [Action]
    ) {
        switch command.verb {
        case .stat: send("+OK \(maildrop.keptCount) \(maildrop.keptOctets)", into: &actions)
        case .list: list(command, maildrop, .octets, into: &actions)
        case .uidl: list(command, maildrop, .uidl, into: &actions)
        case .retr:
            guard let index = maildrop.index(ofNumber: command.number(0)) else { return noSuchMessage(into: &actions) }
            let reply = "+OK \(maildrop.items[index].octets) octets"
            retrieve(index, reply, POP3BodyEncoder(), isWhole: true, into: &actions)
        case .top:
            guard let index = maildrop.index(ofNumber: command.number(0)) else { return noSuchMessage(into: &actions) }
            guard let lines = command.number(1) else { return send("-ERR How many lines?", into: &actions) }
            let encoder = POP3BodyEncoder(bodyLines: lines)
            retrieve(index, "+OK Header and \(lines) lines", encoder, isWhole: false, into: &actions)
        case .dele:
            guard let index = maildrop.index(ofNumber: command.number(0)) else { return noSuchMessage(into: &actions) }
            maildrop.mark(index)
            send("+OK Deleted at QUIT", into: &actions)
        case .rset:
            maildrop.unmarkAll()
            send("+OK \(maildrop.keptCount) messages", into: &actions)
        case .capa, .stls, .user, .pass, .auth, .quit, .noop, .wait, .head:
            preconditionFailure("these do not touch the maildrop")
        }
    }

    private mutating func noSuchMessage(into actions: inout [Action]) {
        send("-ERR No such message", into: &actions)
    }

    private mutating func list(
        _ command: POP3Command, _ maildrop: POP3Maildrop, _ column: Listing.Column, into actions: inout [Action]
    ) {
        if !command.arguments.exposed.isEmpty {
            guard let index = maildrop.index(ofNumber: command.number(0)) else { return noSuchMessage(into: &actions) }
            return send("+OK \(index + 1) \(Self.cell(maildrop.items[index], column))", into: &actions)
        }
        list(Listing(column: column), of: maildrop, Array("+OK \(maildrop.keptCount) messages\r\n".utf8), into: &actions)
    }

    /// The next piece of a list behind `start`: a maildrop may hold so many messages that one turn would not do for all.
    mutating func list(_ listing: Listing, of maildrop: POP3Maildrop, _ start: [UInt8], into actions: inout [Action]) {
        var reply = start
        let end = min(listing.next + configuration.listPieceItems, maildrop.items.count)
        for index in listing.next..<end where maildrop.isKept(index) {
            reply += "\(index + 1) \(Self.cell(maildrop.items[index], listing.column))\r\n".utf8
        }
        if end == maildrop.items.count { reply += ".\r\n".utf8 }
        send(reply, into: &actions)
        guard end < maildrop.items.count else { return }
        let id = ask(.pause, into: &actions)
        state = .pausing(id, Listing(column: listing.column, next: end))
    }

    private static func cell(_ item: POP3Item, _ column: Listing.Column) -> String {
        switch column {
        case .octets: "\(item.octets)"
        case .uidl: item.uidl
        }
    }

    private mutating func retrieve(
        _ index: Int, _ reply: String, _ encoder: POP3BodyEncoder, isWhole: Bool, into actions: inout [Action]
    ) {
        let id = ask(.body(index: index, offset: 0), into: &actions)
        state = .sending(id, Sending(index: index, offset: 0, encoder: encoder, reply: reply, isWhole: isWhole))
    }

    private mutating func wait(_ seconds: Int?, now: Instant, into actions: inout [Action]) {
        guard let seconds, (1...configuration.waitSecondsMax).contains(seconds) else {
            return send("-ERR 1 to \(configuration.waitSecondsMax) seconds", into: &actions)
        }
        guard maildrop?.hasMarks != true else {
            return send("-ERR Messages are marked as deleted, QUIT or RSET first", into: &actions)
        }
        if maildrop != nil { actions.append(.perform(.releaseMaildrop)) }
        maildrop = nil
        actions.append(.cancelTimer(.idle))
        state = .waiting(ask(.wait(seconds: seconds), into: &actions), isStopping: false)
        actions.append(.setTimer(.wait, now + .seconds(seconds)))
    }
}
