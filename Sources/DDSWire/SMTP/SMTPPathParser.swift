// The arguments of MAIL and RCPT: `FROM:<path> parameters` (RFC 5321 4.1.2). Syntax only, and the refusal that each fault of
// syntax earns; whether a path is welcome is asked elsewhere.

package import DDSCore

/// The refusal of a command whose argument is wrong.
package struct SMTPSyntaxError: Error, Hashable, Sendable {
    package var reply: SMTPReply

    package init(_ code: Int, _ enhanced: EnhancedCode, _ text: String) {
        reply = SMTPReply(code, enhanced, text)
    }
}

/// `FROM:<...>` or `TO:<...>` taken apart.
package struct SMTPPath: Hashable, Sendable {
    /// Between the angle brackets, without a source route.
    package var mailbox: String
    /// `KEYWORD[=value]` in order, keywords in capitals.
    package var parameters: [(keyword: String, value: String?)] {
        pairs.map { ($0.keyword, $0.value) }
    }
    private var pairs: [Pair]

    private struct Pair: Hashable, Sendable {
        var keyword: String
        var value: String?
    }

    /// Parses `argument` after `prefix` (`FROM:` or `TO:`, in any case of letters). Spaces before the bracket are
    /// tolerated, since widespread clients send one.
    package init(_ argument: String, prefix: String) throws(SMTPSyntaxError) {
        let syntax = SMTPSyntaxError(501, EnhancedCode(5, 5, 4), "Say \(prefix)<address>, with angle brackets")
        guard argument.utf8.count >= prefix.utf8.count, argument.prefix(prefix.count).uppercased() == prefix else {
            throw syntax
        }
        let rest = argument.dropFirst(prefix.count).drop { $0 == " " }
        guard rest.first == "<", let end = Self.closingBracket(rest) else { throw syntax }
        let tail = rest[rest.index(after: end)...]
        guard tail.isEmpty || tail.first == " " else { throw syntax }
        mailbox = Self.withoutRoute(String(rest[rest.index(after: rest.startIndex)..<end]))
        pairs = []
        for word in tail.split(separator: " ") {
            let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let keyword = parts[0].uppercased()
            guard Self.isKeyword(keyword), parts.count == 1 || !parts[1].isEmpty else {
                throw SMTPSyntaxError(501, EnhancedCode(5, 5, 4), "A parameter is KEYWORD or KEYWORD=value")
            }
            guard !pairs.contains(where: { $0.keyword == keyword }) else {
                throw SMTPSyntaxError(501, EnhancedCode(5, 5, 4), "The parameter \(keyword) is given twice")
            }
            pairs.append(Pair(keyword: keyword, value: parts.count == 2 ? String(parts[1]) : nil))
        }
    }

    /// The `>` that ends the path: not one inside a quoted local part.
    private static func closingBracket(_ text: Substring) -> String.Index? {
        var isQuoted = false
        var isEscaped = false
        for index in text.indices {
            let character = text[index]
            if isEscaped {
                isEscaped = false
            } else if isQuoted, character == "\\" {
                isEscaped = true
            } else if character == "\"" {
                isQuoted.toggle()
            } else if character == ">", !isQuoted {
                return index
            }
        }
        return nil
    }

    /// Source routes are accepted and ignored (RFC 5321 appendix F.2).
    private static func withoutRoute(_ mailbox: String) -> String {
        guard mailbox.hasPrefix("@"), let colon = mailbox.firstIndex(of: ":") else { return mailbox }
        return String(mailbox[mailbox.index(after: colon)...])
    }

    private static func isKeyword(_ text: String) -> Bool {
        guard let first = text.utf8.first, first != 0x2d else { return false }
        return text.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x41...0x5a).contains($0) || $0 == 0x2d }
    }
}

extension MailParameters {
    /// From the parameters of MAIL. `AUTH=` (RFC 4954 5) is checked and ignored: who submits is known from the login.
    package init(_ path: SMTPPath) throws(SMTPSyntaxError) {
        self.init()
        for (keyword, value) in path.parameters {
            switch (keyword, value) {
            case ("SIZE", let value?):
                guard value.utf8.count <= 18, value.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let size = Int(value)
                else {
                    throw SMTPSyntaxError(501, EnhancedCode(5, 5, 4), "SIZE= takes a number of octets")
                }
                declaredSize = size
            case ("BODY", let value?):
                guard let found = MailBody(rawValue: value.uppercased()) else {
                    throw SMTPSyntaxError(501, EnhancedCode(5, 5, 4), "BODY= takes 7BIT or 8BITMIME")
                }
                body = found
            case ("SMTPUTF8", nil):
                smtpUTF8 = true
            case ("RET", let value?):
                guard let found = DSNReturn(rawValue: value.uppercased()) else {
                    throw SMTPSyntaxError(501, EnhancedCode(5, 5, 4), "RET= takes FULL or HDRS")
                }
                dsnReturn = found
            case ("ENVID", let value?):
                guard value.utf8.count <= 100, let decoded = XText.decode(value) else {
                    throw SMTPSyntaxError(501, EnhancedCode(5, 5, 4), "ENVID= takes at most 100 characters of xtext")
                }
                dsnEnvelopeID = decoded
            case ("AUTH", let value?):
                guard value == "<>" || XText.decode(value) != nil else {
                    throw SMTPSyntaxError(501, EnhancedCode(5, 5, 4), "AUTH= takes a mailbox in xtext, or <>")
                }
            default:
                throw SMTPSyntaxError(555, EnhancedCode(5, 5, 4), "The parameter \(keyword) is not known here in this form")
            }
        }
    }
}

extension Recipient {
    /// `address` with the parameters of RCPT.
    package init(_ address: MailAddress, _ path: SMTPPath) throws(SMTPSyntaxError) {
        self.init(address)
        for (keyword, value) in path.parameters {
            switch (keyword, value) {
            case ("NOTIFY", let value?):
                guard let found = DSNNotify(parameter: value) else {
                    throw SMTPSyntaxError(501, EnhancedCode(5, 5, 4), "NOTIFY= takes NEVER, or of SUCCESS,FAILURE,DELAY")
                }
                notify = found
            case ("ORCPT", let value?):
                let parts = value.split(separator: ";", maxSplits: 1, omittingEmptySubsequences: false)
                guard value.utf8.count <= 500, parts.count == 2, !parts[0].isEmpty,
                    let kind = XText.decode(parts[0]), let decoded = XText.decode(parts[1])
                else { throw SMTPSyntaxError(501, EnhancedCode(5, 5, 4), "ORCPT= takes type;address in xtext") }
                originalRecipient = "\(kind);\(decoded)"
            default:
                throw SMTPSyntaxError(555, EnhancedCode(5, 5, 4), "The parameter \(keyword) is not known here in this form")
            }
        }
    }
}

extension DSNNotify {
    /// From `NEVER` or a list of conditions; nil for anything else, also for NEVER in a list.
    package init?(parameter: some StringProtocol) {
        self = []
        if parameter.uppercased() == "NEVER" { return }
        for word in parameter.split(separator: ",", omittingEmptySubsequences: false) {
            switch word.uppercased() {
            case "SUCCESS": insert(.success)
            case "FAILURE": insert(.failure)
            case "DELAY": insert(.delay)
            default: return nil
            }
        }
    }

    /// As `NOTIFY=` wants it.
    package var parameter: String {
        if isEmpty { return "NEVER" }
        return [(DSNNotify.success, "SUCCESS"), (.failure, "FAILURE"), (.delay, "DELAY")]
            .filter { contains($0.0) }.map(\.1).joined(separator: ",")
    }
}

/// The encoding of parameter values (RFC 3461 4).
package enum XText {
    /// Printable ASCII only, before and after decoding: control characters would go on into logs and header fields.
    /// UTF-8 addresses of RFC 6533 stay in their ASCII form.
    package static func decode(_ text: some StringProtocol) -> String? {
        let octets = Array(text.utf8)
        var output: [UInt8] = []
        var index = 0
        while index < octets.count {
            switch octets[index] {
            case 0x2b:
                guard index + 2 < octets.count, octets[(index + 1)...(index + 2)].allSatisfy(isUpperHex) else { return nil }
                let pair = String(decoding: octets[(index + 1)...(index + 2)], as: UTF8.self)
                guard let value = UInt8(pair, radix: 16), (0x20...0x7e).contains(value) else { return nil }
                output.append(value)
                index += 3
            case 0x21...0x3c, 0x3e...0x7e:
                output.append(octets[index])
                index += 1
            default:
                return nil
            }
        }
        return String(decoding: output, as: UTF8.self)
    }

    /// `text` as xtext; octets that may not stand for themselves become `+XX`.
    package static func encode(_ text: String) -> String {
        text.utf8.map { octet in
            if (0x21...0x7e).contains(octet), octet != 0x2b, octet != 0x3d { return String(UnicodeScalar(octet)) }
            return "+" + (octet < 16 ? "0" : "") + String(octet, radix: 16, uppercase: true)
        }.joined()
    }

    private static func isUpperHex(_ octet: UInt8) -> Bool {
        (0x30...0x39).contains(octet) || (0x41...0x46).contains(octet)
    }
}
