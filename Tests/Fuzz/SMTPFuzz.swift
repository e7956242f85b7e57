// The SMTP and the LMTP server session on any octets.

import DDSCore
import DDSWire

func fuzzSMTP(_ input: [UInt8], _ flavour: SMTPServerConfiguration.Flavour) {
    var isImplicit = false
    var isInMessage = false
    var last: UInt8?
    var octets = 0
    var recipients = 0
    let messageMax = 2000
    var fuzz = FuzzSession<SMTPServerSession>(
        // The longest line is that of AUTH.
        input, storedMax: 12_288 + 2,
        make: { choices in
            isImplicit = flavour == .submission && !choices.oneIn(4)
            let tls: SMTPServerConfiguration.TLS =
                isImplicit ? .implicit : flavour == .submission || choices.oneIn(4) ? .startTLSRequired : .none
            var configuration = SMTPServerConfiguration(hostName: "node.example", flavour: flavour, tls: tls)
            configuration.limits.messageBytesMax = messageMax
            configuration.limits.recipientsMax = 3
            return SMTPServerSession(configuration: configuration)
        },
        perform: { effect in
            switch effect {
            case .beginMessage(let envelope):
                precondition(!isInMessage && !envelope.recipients.isEmpty, "a message has recipients and an end")
                recipients = envelope.recipients.count
                (isInMessage, last, octets) = (true, nil, 0)
            case .body(let bytes):
                precondition(isInMessage, "octets belong to a message")
                for octet in bytes {
                    precondition((octet == 0x0a) == (last == 0x0d), "a message has CRLF line ends only")
                    last = octet
                }
                octets += bytes.count
                precondition(octets <= messageMax, "a message keeps to its limit")
            case .abandonMessage:
                precondition(isInMessage, "only what was begun is abandoned")
                isInMessage = false
            }
        },
        answer: { question, choices in
            switch question {
            case .authenticate: return choices.oneIn(8) ? .refused : choices.oneIn(8) ? .unavailable : .authenticated(name: "a")
            case .sender, .recipient:
                return choices.oneIn(8) ? .declined(SMTPReply(550, EnhancedCode(5, 1, 1), "No such member")) : .accepted
            case .endOfMessage:
                precondition(isInMessage && last != 0x0d, "a message ends once, with its line")
                isInMessage = false
                let reply = SMTPReply(250, EnhancedCode(2, 6, 0), "Queued")
                guard flavour == .lmtp, choices.oneIn(2) else { return .message(reply) }
                return .perRecipient(Array(repeating: reply, count: recipients))
            }
        })
    fuzz.run(isImplicit: isImplicit)
    checkLines(fuzz.output) { line in
        let code = line.prefix(3)
        guard code.count == 3, code.allSatisfy({ (0x30...0x39).contains($0) }), line.count <= 510 else { return false }
        // A challenge of AUTH is base64 and may be longer, but ours are empty.
        return line.count == 3 || line[line.startIndex + 3] == 0x20 || line[line.startIndex + 3] == 0x2d
    }
}
