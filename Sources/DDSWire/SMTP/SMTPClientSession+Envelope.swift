// The client's transaction: MAIL and RCPT with what the server offers, then the message by BDAT or DATA, then what the replies
// add up to.

import DDSCore

extension SMTPClientSession {
    /// Positions of the recipients for whom no refusal has come.
    var acceptedRecipients: [Int] {
        recipientReplies.indices.filter { recipientReplies[$0]?.isPositive == true }
    }

    mutating func sendEnvelope(_ turn: inout Turn) {
        if let lack = missingCapability { return refuse(.sender, lack, &turn) }
        send(mailCommand, expecting: .sender, &turn)
        if capabilities.hasPipelining {
            for index in configuration.envelope.recipients.indices { sendRecipient(index, &turn) }
        }
    }

    /// After each reply to MAIL or RCPT.
    mutating func proceedWithEnvelope(_ turn: inout Turn) {
        guard expectations.isEmpty else { return }
        if let senderReply, !senderReply.isPositive { return refuse(.sender, senderReply, &turn) }
        if let next = recipientReplies.firstIndex(of: nil) { return sendRecipient(next, &turn) }
        if acceptedRecipients.isEmpty {
            let replies = recipientReplies.compactMap { $0 }
            return refuse(.recipients, Self.mostHopeful(replies), isPermanent: replies.allSatisfy(\.isPermanent), &turn)
        }
        if capabilities.hasChunking {
            let head = "BDAT \(configuration.message.count) LAST\r\n"
            sendMessage([Array(head.utf8), configuration.message], &turn)
        } else {
            send("DATA", expecting: .data, &turn)
        }
    }

    mutating func sendText(_ turn: inout Turn) {
        sendMessage([SMTPDotStuffing.encode(configuration.message)], &turn)
    }

    /// The end of the message has been answered for everybody.
    mutating func conclude(_ turn: inout Turn) {
        let replies = recipientReplies.compactMap { $0 }
        if replies.contains(where: \.isPositive) {
            perform(.delivered(replies), &turn)
            return send("QUIT", expecting: .quit, &turn)
        }
        let final = tried.compactMap { recipientReplies[$0] }
        refuse(.message, Self.mostHopeful(final), isPermanent: final.allSatisfy(\.isPermanent), &turn)
    }

    private mutating func sendRecipient(_ index: Int, _ turn: inout Turn) {
        send(recipientCommand(configuration.envelope.recipients[index]), expecting: .recipient(index), &turn)
    }

    private mutating func sendMessage(_ pieces: [[UInt8]], _ turn: inout Turn) {
        tried = acceptedRecipients
        if configuration.flavour == .lmtp {
            expectations += tried.map { .message($0) }
        } else {
            expectations.append(.message(nil))
        }
        turn.actions += pieces.map { .send($0) }
    }

    /// A temporary refusal if there is one: it leaves hope for the message.
    private static func mostHopeful(_ replies: [SMTPReply]) -> SMTPReply {
        guard let reply = replies.first(where: \.isTemporary) ?? replies.first else {
            preconditionFailure("an envelope has a recipient, and each has a reply")
        }
        return reply
    }

    // MARK: Commands

    private var isEightBit: Bool { configuration.message.contains { $0 >= 0x80 } }

    private var needsUTF8: Bool {
        let envelope = configuration.envelope
        return envelope.parameters.smtpUTF8 || envelope.reversePath.address?.isASCII == false
            || envelope.recipients.contains { !$0.address.isASCII }
    }

    /// This side's own refusal where the server cannot carry the message.
    private var missingCapability: SMTPReply? {
        if needsUTF8, !capabilities.hasSMTPUTF8 {
            return SMTPReply(553, EnhancedCode(5, 6, 7), "The server does not take addresses beyond ASCII")
        }
        if isEightBit, !capabilities.hasEightBitMIME {
            return SMTPReply(554, EnhancedCode(5, 6, 3), "The server does not take messages beyond ASCII")
        }
        if let limit = capabilities.messageBytesMax, configuration.message.count > limit {
            return SMTPReply(552, EnhancedCode(5, 3, 4), "The server takes messages of at most \(limit) octets")
        }
        return nil
    }

    private var mailCommand: String {
        let envelope = configuration.envelope
        var command = "MAIL FROM:\(envelope.reversePath)"
        if capabilities.hasSize { command += " SIZE=\(configuration.message.count)" }
        if isEightBit { command += " BODY=8BITMIME" }
        if needsUTF8 { command += " SMTPUTF8" }
        guard capabilities.hasDSN else { return command }
        if let wish = envelope.parameters.dsnReturn { command += " RET=\(wish.rawValue)" }
        if let id = envelope.parameters.dsnEnvelopeID { command += " ENVID=\(XText.encode(id))" }
        return command
    }

    private func recipientCommand(_ recipient: Recipient) -> String {
        var command = "RCPT TO:<\(recipient.address)>"
        guard capabilities.hasDSN else { return command }
        if let notify = recipient.notify { command += " NOTIFY=\(notify.parameter)" }
        if let original = recipient.originalRecipient {
            let parts = original.split(separator: ";", maxSplits: 1)
            command += " ORCPT=" + parts.map { XText.encode(String($0)) }.joined(separator: ";")
        }
        return command
    }
}
