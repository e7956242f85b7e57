// What a fetching client asks the server for, and when.

import DDSCore

extension POP3FetchSession {
    mutating func request(
        _ line: String, _ reply: Expected, now: Instant, into actions: inout [Action]
    ) {
        request(Array(line.utf8), reply, now: now, into: &actions)
    }

    mutating func request(_ line: [UInt8], _ reply: Expected, now: Instant, into actions: inout [Action]) {
        // The server's time to reply begins with the first thing it owes.
        if expected.isEmpty { lastHeard = now }
        expected.append(reply)
        actions.append(.send(line + [0x0d, 0x0a]))
    }

    /// The login, by the mechanisms that CAPA announced; a server without CAPA is taken to know only USER and PASS.
    mutating func logIn(now: Instant, into actions: inout [Action]) {
        let credentials: Credentials
        switch configuration.login {
        case .external(let user):
            guard mechanisms.contains(.external) else {
                return giveUp(.unsupported("The server does not accept this key (no SASL EXTERNAL)"), now: now, into: &actions)
            }
            credentials = .external(authzid: user)
        case .plain(let user, let password):
            guard (Array(user.utf8) + password.exposed).allSatisfy({ $0 >= 0x20 && $0 != 0x7f }) else {
                let end = POP3FetchOutcome.End.unsupported("POP3 carries no control characters in names and passwords")
                return giveUp(end, now: now, into: &actions)
            }
            guard mechanisms.contains(.plain) else {
                return request("USER \(user)", .userReply, now: now, into: &actions)
            }
            credentials = .plain(authzid: nil, authcid: user, password: password)
        }
        let line = Array("AUTH \(credentials.mechanism.rawValue)".utf8)
        let whole = line + [0x20] + response
        // RFC 5034 4: where the response does not fit the command, it waits for the challenge.
        if whole.count + 2 <= 255 {
            request(whole, .login, now: now, into: &actions)
        } else {
            request(line, .challenge, now: now, into: &actions)
        }
    }

    /// The client's one SASL response as it goes on the wire; `=` stands for an empty one.
    var response: [UInt8] {
        let message =
            switch configuration.login {
            case .external(let user): Credentials.external(authzid: user).message
            case .plain(let user, let password):
                Credentials.plain(authzid: nil, authcid: user, password: password).message
            }
        return message.exposed.isEmpty ? [0x3d] : Base64.encode(message.exposed)
    }

    mutating func list(now: Instant, into actions: inout [Action]) {
        guard !isDraining else { return quit(now: now, into: &actions) }
        stage = .listing
        uidls = []
        octets = [:]
        if canTellHead {
            request("XDDS-HEAD", .head, now: now, into: &actions)
            guard canPipeline else { return }
        }
        requestListing(now: now, into: &actions)
    }

    mutating func requestListing(now: Instant, into actions: inout [Action]) {
        request("UIDL", .uidl, now: now, into: &actions)
        if canPipeline { request("LIST", .list, now: now, into: &actions) }
    }

    /// Without pipelining the listing waits for the reply to XDDS-HEAD, whatever it is.
    mutating func headTold(_ words: String?, now: Instant, into actions: inout [Action]) {
        actions.append(.perform(.head(words)))
        if !canPipeline, !hasSentQuit { requestListing(now: now, into: &actions) }
    }

    /// Both listings are here: asks what to do with them.
    mutating func plan(into actions: inout [Action]) {
        entries = uidls.compactMap { row in
            octets[row.number].map { Entry(number: row.number, item: POP3Item(uidl: row.uidl, octets: $0)) }
        }
        uidls = []
        octets = [:]
        lastID += 1
        let id = RequestID(rawValue: lastID)
        stage = .planning(id)
        actions.append(.ask(id, .listing(entries.map(\.item))))
    }

    mutating func follow(fetch: [Int], alreadyStored: [Int], now: Instant, into actions: inout [Action]) {
        precondition(
            Set(fetch).union(alreadyStored).isSubset(of: entries.indices)
                && Set(fetch).union(alreadyStored).count == fetch.count + alreadyStored.count,
            "a plan names messages of the listing, each once")
        outcome.tooLarge = fetch.map { entries[$0].item }.filter { $0.octets > configuration.messageOctetsMax }
        toRetrieve = fetch.reversed().filter { entries[$0].item.octets <= configuration.messageOctetsMax }
        toDelete = alreadyStored
        deletionsSent = 0
        if isDraining { postponeRest() }
        if fetch.isEmpty, alreadyStored.isEmpty, !isDraining, outcome.canWait, let seconds = configuration.waitSeconds {
            stage = .waiting
            request("XDDS-WAIT \(seconds)", .wait, now: now, into: &actions)
            actions.append(.setTimer(.wait, now + .seconds(seconds) + configuration.replyTimeout))
        } else {
            stage = .transferring
            work(now: now, into: &actions)
        }
    }

    /// Sends as many RETRs, then DELEs, as may be under way; QUIT when nothing is left.
    mutating func work(now: Instant, into actions: inout [Action]) {
        guard case .transferring = stage else { return }
        if receivedOctets >= configuration.sessionOctetsMax { postponeRest() }
        let retrievals = canPipeline ? configuration.retrievalsMax : 1
        let incomingCount = incoming == nil ? 0 : 1
        while let index = toRetrieve.last, expected.count + incomingCount + storing.count < retrievals {
            toRetrieve.removeLast()
            request("RETR \(entries[index].number)", .message(index), now: now, into: &actions)
        }
        // Stores come first: deleting begins when all their answers are here.
        guard toRetrieve.isEmpty, incoming == nil, storing.isEmpty, !expected.contains(where: \.isMessage) else { return }
        let deletions = canPipeline ? configuration.deletionsMax : 1
        while deletionsSent < toDelete.count, expected.count < deletions {
            let index = toDelete[deletionsSent]
            deletionsSent += 1
            request("DELE \(entries[index].number)", .deletion(index), now: now, into: &actions)
        }
        if expected.isEmpty { quit(now: now, into: &actions) }
    }

    mutating func quit(now: Instant, into actions: inout [Action]) {
        guard !hasSentQuit else { return }
        hasSentQuit = true
        if case .waiting = stage { lastHeard = now } else { stage = .quitting }
        request("QUIT", .quit, now: now, into: &actions)
    }

    /// Notes why this session comes to nothing, and leaves politely.
    mutating func giveUp(_ end: POP3FetchOutcome.End, now: Instant, into actions: inout [Action]) {
        if outcome.end == .completed { outcome.end = end }
        quit(now: now, into: &actions)
    }
}

extension POP3FetchSession.Expected {
    var isMessage: Bool {
        if case .message = self { true } else { false }
    }
}
