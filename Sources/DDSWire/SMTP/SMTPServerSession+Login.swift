// How a session becomes private and gets a name: STARTTLS (RFC 3207) and AUTH (RFC 4954). Whether credentials are good is the
// owner's answer.

import DDSCore

extension SMTPServerSession {
    // MARK: STARTTLS

    mutating func startTLS(_ turn: inout Turn) {
        guard clientName != nil else {
            let hello = configuration.flavour == .lmtp ? "LHLO" : "EHLO"
            return fault(SMTPReply(503, EnhancedCode(5, 5, 1), "Say \(hello) first"), &turn)
        }
        // Whoever writes into the clear part of the stream would put these bytes into the protected one (CVE-2011-0411).
        guard reader.isEmpty else {
            send(SMTPReply(503, EnhancedCode(5, 5, 1), "Nothing may follow STARTTLS before the handshake"), &turn)
            return close(.protocolError, &turn)
        }
        send(SMTPReply(220, EnhancedCode(2, 0, 0), "Begin the TLS handshake"), &turn)
        resetTransaction(&turn)
        clientName = nil
        state = .startingTLS
        turn.actions.append(.startTLS)
    }

    mutating func enterTLS(_ peer: TLSPeer) {
        switch state {
        case .created:
            tlsPeer = peer
        case .startingTLS:
            tlsPeer = peer
            reader.discardAll()
            state = .command
        case .command, .authMessage, .authName, .authPassword, .data, .chunk, .asking, .holding, .closed:
            preconditionFailure("a handshake ends only where one was begun")
        }
    }

    // MARK: AUTH

    /// What may be used by this peer now, in a fixed order.
    var usableMechanisms: [SASLMechanism] {
        guard tlsPeer != nil || configuration.tls == .loopback else { return [] }
        return SASLMechanism.allCases.filter { mechanism in
            configuration.mechanisms.contains(mechanism) && (mechanism != .external || tlsPeer?.keyHash != nil)
        }
    }

    /// LOGIN says what PLAIN says, in two lines; it may be used where PLAIN may.
    private var isLoginUsable: Bool { configuration.offersLogin && usableMechanisms.contains(.plain) }

    /// As EHLO and refusals have them.
    var mechanismNames: [String] { usableMechanisms.map(\.rawValue) + (isLoginUsable ? [Self.login] : []) }

    private static let login = "LOGIN"
    /// `Username:` and `Password:` in base64, word for word what mail programs wait for.
    private static let nameChallenge = "VXNlcm5hbWU6"
    private static let passwordChallenge = "UGFzc3dvcmQ6"

    mutating func authenticate(_ argument: String, _ turn: inout Turn) {
        let words = argument.split(separator: " ", omittingEmptySubsequences: false)
        guard words.count <= 2 else {
            return fault(SMTPReply(501, EnhancedCode(5, 5, 4), "Say AUTH mechanism [initial-response]"), &turn)
        }
        if words[0].uppercased() == Self.login, isLoginUsable {
            guard words.count == 2 else {
                send(SMTPReply(334, nil, Self.nameChallenge), &turn)
                return state = .authName
            }
            return takeAuthName(Array(words[1].utf8), &turn)
        }
        guard let mechanism = SASLMechanism(name: words[0]), usableMechanisms.contains(mechanism) else {
            let usable = mechanismNames.joined(separator: ", ")
            let hint = usable.isEmpty ? "this connection can use none" : "this connection can use \(usable)"
            return fault(SMTPReply(504, EnhancedCode(5, 5, 4), "Mechanism not available: \(hint)"), &turn)
        }
        if words.count == 2 {
            judge(words[1].utf8.elementsEqual("=".utf8) ? [] : Array(words[1].utf8), mechanism, &turn)
        } else {
            // The empty challenge of mechanisms in which the client speaks first.
            send(SMTPReply(334), &turn)
            state = .authMessage(mechanism)
        }
    }

    mutating func readAuthMessage(_ line: LineReader.Line, _ mechanism: SASLMechanism, _ turn: inout Turn) {
        guard let octets = authResponse(line, &turn) else { return }
        // An empty response is an empty line here; `=` is forgiven.
        judge(octets.elementsEqual("=".utf8) ? [] : octets, mechanism, &turn)
    }

    mutating func readAuthName(_ line: LineReader.Line, _ turn: inout Turn) {
        if let octets = authResponse(line, &turn) { takeAuthName(octets, &turn) }
    }

    mutating func readAuthPassword(_ line: LineReader.Line, of name: [UInt8], _ turn: inout Turn) {
        guard let octets = authResponse(line, &turn) else { return }
        guard let password = Base64.decode(octets) else { return refuseBase64(&turn) }
        judge([0] + name + [0] + password, .plain, Self.login, &turn)
    }

    private mutating func takeAuthName(_ base64: [UInt8], _ turn: inout Turn) {
        guard let name = Base64.decode(base64) else { return refuseBase64(&turn) }
        send(SMTPReply(334, nil, Self.passwordChallenge), &turn)
        state = .authPassword(name: name)
    }

    /// What the client says in a dialogue; nil when that ended it.
    private mutating func authResponse(_ line: LineReader.Line, _ turn: inout Turn) -> [UInt8]? {
        state = .command
        switch line {
        case .overlong:
            fault(SMTPReply(500, EnhancedCode(5, 5, 6), "The line is too long for a login"), &turn)
        case .bareLineEnd:
            fault(SMTPReply(501, EnhancedCode(5, 5, 2), "Lines end in CRLF"), &turn)
        case .complete(let octets) where octets.elementsEqual("*".utf8):
            fault(SMTPReply(501, EnhancedCode(5, 7, 0), "Login cancelled"), &turn)
        case .complete(let octets):
            return octets
        }
        return nil
    }

    private mutating func refuseBase64(_ turn: inout Turn) {
        fault(SMTPReply(501, EnhancedCode(5, 5, 2), "This is not base64"), &turn)
    }

    private mutating func judge(_ base64: [UInt8], _ mechanism: SASLMechanism, _ turn: inout Turn) {
        guard let message = Base64.decode(base64) else { return refuseBase64(&turn) }
        judge(message, mechanism, mechanism.rawValue, &turn)
    }

    private mutating func judge(_ message: [UInt8], _ mechanism: SASLMechanism, _ name: String, _ turn: inout Turn) {
        guard let credentials = Credentials(mechanism: mechanism, message: message) else {
            return fault(SMTPReply(501, EnhancedCode(5, 5, 2), "This is no message of \(name)"), &turn)
        }
        ask(.authenticate(credentials, tlsPeer), .login, &turn)
    }

    mutating func finishLogin(_ answer: Answer, _ turn: inout Turn) {
        switch answer {
        case .authenticated(let name):
            authenticated = name
            faults = 0
            adjustLineLimit()
            turn.actions.append(.cancelTimer(.login))
            send(SMTPReply(235, EnhancedCode(2, 7, 0), "Logged in"), &turn)
        case .refused:
            let delay = configuration.timeouts.failedLoginDelay * (1 << min(failedLogins, 16))
            failedLogins += 1
            let text = "Login refused: no such name, or not its password or key"
            state = .holding(SMTPReply(535, EnhancedCode(5, 7, 8), text))
            turn.actions.append(.setTimer(.delay, turn.now + delay))
        case .unavailable:
            send(SMTPReply(454, EnhancedCode(4, 7, 0), "Logins cannot be checked now; try again later"), &turn)
        case .declined(let reply):
            precondition(reply.code >= 400, "a refusal is no success")
            send(reply, &turn)
        case .accepted, .message, .perRecipient:
            preconditionFailure("the answer belongs to another question")
        }
    }
}
