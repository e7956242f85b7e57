// What the server's replies mean to a fetching client.

import DDSCore

extension POP3FetchSession {
    /// Reads whatever of the replies has come.
    mutating func readReplies(now: Instant, into actions: inout [Action]) {
        while true {
            if case .closed = stage { return }
            if incoming != nil {
                guard readMessage(now: now, into: &actions) else { return }
                continue
            }
            if expected.isEmpty, partial == nil, isAnswerOutstanding { return }
            guard let line = reader.next() else { return }
            guard case .complete(let text) = line else { return violation("A reply that is no line", into: &actions) }
            if let current = partial {
                readRow(text, of: current, now: now, into: &actions)
            } else {
                readStatus(text, now: now, into: &actions)
            }
        }
    }

    /// What comes before our own side has answered, and with it sent the next request, is only stored.
    private var isAnswerOutstanding: Bool {
        if case .planning = stage { true } else { !storing.isEmpty }
    }

    /// The first line of a reply.
    private mutating func readStatus(_ line: [UInt8], now: Instant, into actions: inout [Action]) {
        guard let reply = expected.first else { return violation("A reply to nothing", into: &actions) }
        expected.removeFirst()
        if reply == .challenge, line.first == 0x2b, line.count == 1 || line[1] == 0x20 {
            return request(response, .login, now: now, into: &actions)
        }
        let text = WireText.line(line.drop { $0 != 0x20 }.dropFirst())
        if line.starts(with: "+OK".utf8), line.count == 3 || line[3] == 0x20 {
            accepted(reply, text, now: now, into: &actions)
        } else if line.starts(with: "-ERR".utf8), line.count == 4 || line[4] == 0x20 {
            refused(reply, text, now: now, into: &actions)
        } else {
            violation("A reply that is neither +OK nor -ERR", into: &actions)
        }
    }

    private mutating func accepted(_ reply: Expected, _ text: String, now: Instant, into actions: inout [Action]) {
        switch reply {
        case .greeting: request("CAPA", .capabilities, now: now, into: &actions)
        case .capabilities: partial = .capabilities
        case .challenge: violation("AUTH was accepted before it was answered", into: &actions)
        case .userReply:
            guard case .plain(_, let password) = configuration.login else {
                preconditionFailure("USER is sent with a password only")
            }
            request(Array("PASS ".utf8) + password.exposed, .login, now: now, into: &actions)
        case .login: list(now: now, into: &actions)
        case .head: headTold(text, now: now, into: &actions)
        case .uidl: partial = .uidl
        case .list: partial = .list
        case .message(let index):
            incoming = Incoming(index: index)
        case .deletion(let index):
            acknowledgedDeletions.append(index)
            work(now: now, into: &actions)
        case .wait:
            actions.append(.cancelTimer(.wait))
            // A QUIT sent into the wait is on its way and ends the session.
            if hasSentQuit { stage = .quitting } else { list(now: now, into: &actions) }
        case .quit:
            if !acknowledgedDeletions.isEmpty {
                outcome.erasure = .confirmed(acknowledgedDeletions.map { entries[$0].item.uidl })
            }
            finish(.completed, .quit, into: &actions)
        }
    }

    private mutating func refused(_ reply: Expected, _ text: String, now: Instant, into actions: inout [Action]) {
        switch reply {
        case .greeting: finish(.unavailable(text), .quit, into: &actions)
        case .capabilities: logIn(now: now, into: &actions)
        case .challenge, .userReply, .login: giveUp(Self.trouble(text) ?? .loginRefused(text), now: now, into: &actions)
        case .head: headTold(nil, now: now, into: &actions)
        case .uidl:
            // LIST may be on its way already, and QUIT goes behind it.
            giveUp(text.hasPrefix("[SYS/TEMP]") ? .unavailable(text) : .unsupported(text), now: now, into: &actions)
        case .list: giveUp(.unavailable(text), now: now, into: &actions)
        case .message(let index):
            outcome.failed.append(entries[index].item.uidl)
            work(now: now, into: &actions)
        case .deletion:
            // Stored but not marked: the next session finds it among the already stored.
            work(now: now, into: &actions)
        case .wait:
            actions.append(.cancelTimer(.wait))
            let end = Self.trouble(text) ?? .unavailable(text)
            if hasSentQuit { stage = .quitting } else { giveUp(end, now: now, into: &actions) }
        case .quit: finish(.unavailable(text), .quit, into: &actions)
        }
    }

    /// What a refused login or wait means by its response code, if it has one (RFC 2449 8, RFC 3206).
    private static func trouble(_ text: String) -> POP3FetchOutcome.End? {
        let code = text.uppercased()
        return if code.hasPrefix("[IN-USE]") {
            .inUse(text)
        } else if code.hasPrefix("[SYS/TEMP]") || code.hasPrefix("[LOGIN-DELAY]") {
            .unavailable(text)
        } else {
            nil
        }
    }

    // MARK: Replies of many lines

    private mutating func readRow(_ line: [UInt8], of reply: Partial, now: Instant, into actions: inout [Action]) {
        let isEnd = line == [0x2e]
        let row = line.first == 0x2e ? line[1...] : line[...]
        switch reply {
        case .capabilities:
            if isEnd {
                partial = nil
                actions.append(.perform(.capabilities(capabilities)))
                logIn(now: now, into: &actions)
            } else {
                readCapability(row)
            }
        case .uidl:
            if isEnd {
                partial = nil
                if !canPipeline, !hasSentQuit { request("LIST", .list, now: now, into: &actions) }
            } else if uidls.count < configuration.itemsMax {
                guard let (number, uidl) = Self.numbered(row), POP3Item.isValid(uidl: uidl),
                    number > uidls.last?.number ?? 0
                else {
                    return violation("A line of UIDL that makes no sense", into: &actions)
                }
                uidls.append((number, String(decoding: uidl, as: UTF8.self)))
            }
        case .list:
            if isEnd {
                partial = nil
                if case .listing = stage { plan(into: &actions) }
            } else if octets.count < configuration.itemsMax {
                guard let (number, digits) = Self.numbered(row), let size = Self.number(digits) else {
                    return violation("A line of LIST that makes no sense", into: &actions)
                }
                octets[number] = size
            }
        }
    }

    private mutating func readCapability(_ line: ArraySlice<UInt8>) {
        if capabilities.count < 64 { capabilities.append(WireText.line(line)) }
        let words = line.split(separator: 0x20).map { String(decoding: $0, as: UTF8.self).uppercased() }
        switch words.first {
        case "PIPELINING": canPipeline = true
        case "XDDS-WAIT": outcome.canWait = true
        case "XDDS-HEAD": canTellHead = true
        case "SASL": mechanisms.formUnion(words.dropFirst().compactMap { SASLMechanism(name: $0) })
        default: return
        }
    }

    /// `number SP word`, and nothing behind but what a server adds after another space (RFC 1939 5 allows it for LIST).
    private static func numbered(_ row: ArraySlice<UInt8>) -> (number: Int, word: ArraySlice<UInt8>)? {
        let words = row.split(separator: 0x20)
        guard words.count >= 2, let number = number(words[0]), number >= 1 else { return nil }
        return (number, words[1])
    }

    private static func number(_ digits: ArraySlice<UInt8>) -> Int? {
        guard (1...15).contains(digits.count), digits.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        return digits.reduce(0) { $0 * 10 + Int($1 - 0x30) }
    }

    /// Reads on in a message; false when more octets are needed.
    private mutating func readMessage(now: Instant, into actions: inout [Action]) -> Bool {
        let used = incoming?.read(reader.pending, octetsMax: configuration.messageOctetsMax) ?? 0
        reader.consume(used)
        guard let message = incoming, message.decoder.isComplete else { return false }
        incoming = nil
        let item = entries[message.index].item
        if message.isTooLarge {
            outcome.tooLarge.append(item)
        } else {
            receivedOctets += message.bytes.count
            lastID += 1
            let id = RequestID(rawValue: lastID)
            storing[id] = message.index
            actions.append(.ask(id, .store(index: message.index, uidl: item.uidl, bytes: message.bytes)))
        }
        work(now: now, into: &actions)
        return true
    }
}
