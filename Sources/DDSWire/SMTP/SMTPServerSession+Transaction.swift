// One mail transaction: MAIL, RCPT, and the message by DATA (RFC 5321) or BDAT (RFC 3030). The envelope is judged by the
// owner; what is judged here is syntax, order, size and line ends.

import DDSCore

extension SMTPServerSession {
    // MARK: MAIL and RCPT

    mutating func mail(_ argument: String, _ turn: inout Turn) {
        do throws(SMTPSyntaxError) {
            let path = try SMTPPath(argument, prefix: "FROM:")
            let parameters = try MailParameters(path)
            let reversePath = try reversePath(path.mailbox, smtpUTF8: parameters.smtpUTF8)
            let limit = configuration.limits.messageBytesMax
            if let size = parameters.declaredSize, size > limit { return send(Self.tooLarge(limit), &turn) }
            allowsUTF8Replies = parameters.smtpUTF8
            let question = Question.sender(reversePath, parameters, authenticated: authenticated)
            ask(question, .sender(reversePath, parameters), &turn)
        } catch {
            fault(error.reply, &turn)
        }
    }

    private func reversePath(_ mailbox: String, smtpUTF8: Bool) throws(SMTPSyntaxError) -> ReversePath {
        if mailbox.isEmpty {
            guard configuration.flavour == .lmtp else {
                throw SMTPSyntaxError(550, EnhancedCode(5, 7, 1), "Submit with your own address as sender, not with <>")
            }
            return .null
        }
        let address = MailAddress(mailbox)
        // Refused here, mail that the MTA took long ago would come back to its author.
        if configuration.flavour == .lmtp, address?.description != mailbox, Self.isMailbox(mailbox) {
            try requireASCII(mailbox, unless: smtpUTF8)
            return .elsewhere(mailbox)
        }
        guard let address else {
            throw SMTPSyntaxError(501, EnhancedCode(5, 1, 7), "The sender's address is not of the form name@domain")
        }
        try requireASCII(address.description, unless: smtpUTF8)
        return .address(address)
    }

    /// Something, an `@`, and a domain or address literal, loosely: it is passed on in a header field and means nothing here.
    private static func isMailbox(_ text: String) -> Bool {
        guard let at = text.utf8.lastIndex(of: 0x40) else { return false }
        let (local, domain) = (text.utf8[..<at], text.utf8[text.utf8.index(after: at)...])
        return !local.isEmpty && !domain.isEmpty && !text.utf8.contains(0x3c) && !text.utf8.contains(0x3e)
            && !domain.contains { $0 == 0x20 || $0 == 0x22 || $0 == 0x5c }
    }

    private func requireASCII(_ address: String, unless smtpUTF8: Bool) throws(SMTPSyntaxError) {
        guard smtpUTF8 || address.utf8.allSatisfy({ $0 < 0x80 }) else {
            throw SMTPSyntaxError(553, EnhancedCode(5, 6, 7), "The address needs the SMTPUTF8 parameter with MAIL")
        }
    }

    mutating func finishMail(
        _ answer: Answer, _ reversePath: ReversePath, _ parameters: MailParameters, _ turn: inout Turn
    ) {
        switch answer {
        case .accepted:
            transaction = Transaction(
                envelope: Envelope(
                    reversePath: reversePath, parameters: parameters, authenticated: authenticated,
                    clientName: clientName ?? ""))
            send(SMTPReply(250, EnhancedCode(2, 1, 0), "Sender accepted"), &turn)
        case .declined(let reply):
            precondition(reply.code >= 400, "a refusal is no success")
            send(reply, &turn)
            allowsUTF8Replies = false
        case .authenticated, .refused, .unavailable, .message, .perRecipient:
            preconditionFailure("the answer belongs to another question")
        }
    }

    mutating func recipient(_ argument: String, _ turn: inout Turn) {
        guard let envelope = transaction?.envelope else { preconditionFailure("RCPT is allowed only behind MAIL") }
        do throws(SMTPSyntaxError) {
            let path = try SMTPPath(argument, prefix: "TO:")
            let isPostmaster = path.mailbox.lowercased() == "postmaster"
            let domain = configuration.postmasterDomain ?? configuration.hostName
            guard let address = MailAddress(isPostmaster ? "postmaster@\(domain)" : path.mailbox) else {
                throw SMTPSyntaxError(501, EnhancedCode(5, 1, 3), "The recipient's address is not of the form name@domain")
            }
            try requireASCII(address.description, unless: envelope.parameters.smtpUTF8)
            let recipient = try Recipient(address, path)
            guard envelope.recipients.count < configuration.limits.recipientsMax else {
                return send(
                    SMTPReply(452, EnhancedCode(4, 5, 3), "Too many recipients; send to the others separately"), &turn)
            }
            ask(.recipient(recipient, envelope), .recipient(recipient), &turn)
        } catch {
            fault(error.reply, &turn)
        }
    }

    mutating func finishRecipient(_ answer: Answer, _ recipient: Recipient, _ turn: inout Turn) {
        switch answer {
        case .accepted:
            transaction?.envelope.recipients.append(recipient)
            send(SMTPReply(250, EnhancedCode(2, 1, 5), "Recipient accepted"), &turn)
        case .declined(let reply):
            precondition(reply.code >= 400, "a refusal is no success")
            send(reply, &turn)
        case .authenticated, .refused, .unavailable, .message, .perRecipient:
            preconditionFailure("the answer belongs to another question")
        }
    }

    // MARK: DATA

    mutating func data(_ turn: inout Turn) {
        beginMessage(&turn)
        send(SMTPReply(354, nil, "Send the message; a line with only a dot ends it"), &turn)
        state = .data(bodyReader(isDotStuffed: true))
    }

    mutating func readData(_ body: SMTPBodyReader, _ turn: inout Turn) {
        var body = body
        reader.consume(read(reader.pending, with: &body, &turn))
        guard body.isAtEnd else {
            state = .data(body)
            return
        }
        finishBody(body, &turn)
    }

    // MARK: BDAT

    mutating func chunk(_ argument: String, _ turn: inout Turn) {
        let words = argument.split(separator: " ")
        guard let octets = words.first.flatMap(Self.octets), words.count <= 2,
            words.count == 1 || words[1].uppercased() == "LAST"
        else {
            // How much follows is unknown, so nothing that follows can be read as commands.
            send(SMTPReply(501, EnhancedCode(5, 5, 4), "Say BDAT octets [LAST]; good-bye"), &turn)
            return close(.protocolError, &turn)
        }
        var chunk = Chunk(octets: octets, remaining: octets, isLast: words.count == 2, refusal: nil)
        let phase = phase
        if phase == .recipients || phase == .chunks {
            if phase == .recipients {
                beginMessage(&turn)
                let body = bodyReader(isDotStuffed: false)
                transaction?.chunkReader = body
            }
            let limit = configuration.limits.messageBytesMax
            if octets > limit - (transaction?.chunkReader?.byteCount ?? 0) {
                abandonOpenMessage(&turn)
                chunk.refusal = refusals(Self.tooLarge(limit), isLast: chunk.isLast)
            }
        } else {
            chunk.refusal = [refusal(of: "BDAT", in: phase)]
        }
        state = .chunk(chunk)
    }

    mutating func readChunk(_ chunk: Chunk, _ turn: inout Turn) {
        var chunk = chunk
        let run = reader.pending.prefix(chunk.remaining)
        reader.consume(run.count)
        chunk.remaining -= run.count
        if chunk.refusal == nil, var body = transaction?.chunkReader {
            _ = read(run, with: &body, &turn)
            if chunk.remaining == 0, chunk.isLast { body.finish() }
            transaction?.chunkReader = body
            if let fault = body.fault {
                abandonOpenMessage(&turn)
                chunk.refusal = refusals(reply(to: fault), isLast: chunk.isLast)
            }
        }
        guard chunk.remaining == 0 else {
            state = .chunk(chunk)
            return
        }
        state = .command
        finish(chunk, &turn)
    }

    private mutating func finish(_ chunk: Chunk, _ turn: inout Turn) {
        if let refusal = chunk.refusal {
            // A member's chunks that were on their way when an earlier one was refused are no wrong commands.
            let isStranger = [.clear, .fresh, .anonymous].contains(phase)
            for reply in refusal {
                if isStranger { fault(reply, &turn) } else { send(reply, &turn) }
            }
            if phase == .chunks { resetTransaction(&turn) }
        } else if chunk.isLast, let body = transaction?.chunkReader {
            finishBody(body, &turn)
        } else {
            send(SMTPReply(250, EnhancedCode(2, 0, 0), "\(chunk.octets) octets received"), &turn)
        }
    }

    private static func octets(_ word: Substring) -> Int? {
        guard word.utf8.count <= 18, word.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        return Int(word)
    }

    // MARK: The message

    private func bodyReader(isDotStuffed: Bool) -> SMTPBodyReader {
        SMTPBodyReader(
            isDotStuffed: isDotStuffed, repairsBareLF: configuration.flavour == .lmtp,
            bytesMax: configuration.limits.messageBytesMax)
    }

    private mutating func beginMessage(_ turn: inout Turn) {
        guard let envelope = transaction?.envelope else { preconditionFailure("a message has an envelope") }
        transaction?.hasOpenMessage = true
        turn.actions.append(.perform(.beginMessage(envelope)))
    }

    /// Reads `bytes` piece by piece and passes on what belongs to the message; a fault gives the message up at once, and
    /// only its end is still looked for. Returns how many bytes were consumed.
    private mutating func read(_ bytes: ArraySlice<UInt8>, with body: inout SMTPBodyReader, _ turn: inout Turn) -> Int {
        var rest = bytes
        // A lone LF may become two octets, so half a piece of input never makes more than a piece of output.
        let step = max(1, configuration.limits.bodyPieceBytesMax / 2 - 1)
        while !rest.isEmpty, !body.isAtEnd {
            var piece: [UInt8] = []
            rest = rest.dropFirst(body.read(rest.prefix(step), into: &piece))
            if body.fault != nil {
                abandonOpenMessage(&turn)
            } else if !piece.isEmpty {
                turn.actions.append(.perform(.body(piece)))
            }
        }
        return bytes.count - rest.count
    }

    private mutating func finishBody(_ body: SMTPBodyReader, _ turn: inout Turn) {
        state = .command
        if let fault = body.fault {
            for reply in refusals(reply(to: fault), isLast: true) { send(reply, &turn) }
            resetTransaction(&turn)
        } else {
            // From here on the message is the owner's, whatever becomes of the connection.
            transaction?.hasOpenMessage = false
            ask(.endOfMessage, .message, &turn)
        }
    }

    mutating func finishMessage(_ answer: Answer, _ turn: inout Turn) {
        let count = configuration.flavour == .lmtp ? transaction?.envelope.recipients.count ?? 0 : 1
        switch answer {
        case .message(let reply):
            for _ in 0..<count { send(reply, &turn) }
        case .perRecipient(let replies):
            precondition(replies.count == count, "one reply per recipient, and only with LMTP")
            for reply in replies { send(reply, &turn) }
        case .authenticated, .refused, .unavailable, .accepted, .declined:
            preconditionFailure("the answer belongs to another question")
        }
        faults = 0
        resetTransaction(&turn)
    }

    /// `reply` as often as the end of the message owes it: LMTP answers for every recipient (RFC 2033 4.2).
    private func refusals(_ reply: SMTPReply, isLast: Bool) -> [SMTPReply] {
        let count = configuration.flavour == .lmtp && isLast ? transaction?.envelope.recipients.count ?? 1 : 1
        return Array(repeating: reply, count: count)
    }

    private func reply(to fault: SMTPBodyReader.Fault) -> SMTPReply {
        switch fault {
        case .bareLineEnd:
            SMTPReply(550, EnhancedCode(5, 6, 0), "The message has a CR or LF of its own; let its lines end in CRLF")
        case .tooLarge:
            Self.tooLarge(configuration.limits.messageBytesMax)
        }
    }

    private static func tooLarge(_ limit: Int) -> SMTPReply {
        SMTPReply(552, EnhancedCode(5, 3, 4), "Too large: a message has at most \(limit) octets")
    }
}
