// What a server offers in its reply to EHLO or LHLO (RFC 5321 4.1.1.1), as far as the client uses it.

/// The extensions of one server at one moment: forgotten when TLS begins.
package struct SMTPCapabilities: Hashable, Sendable {
    package var hasPipelining = false
    package var hasStartTLS = false
    package var hasEightBitMIME = false
    package var hasSMTPUTF8 = false
    package var hasChunking = false
    package var hasDSN = false
    package var hasSize = false
    /// The largest message; nil when the server names no limit (RFC 1870 4).
    package var messageBytesMax: Int?
    package var mechanisms: Set<SASLMechanism> = []

    package init() {}

    /// From the reply's lines after the first, which names the server.
    package init(_ reply: SMTPReply) {
        for line in reply.lines.dropFirst() {
            let words = line.split(separator: " ")
            switch words.first?.uppercased() {
            case "PIPELINING": hasPipelining = true
            case "STARTTLS": hasStartTLS = true
            case "8BITMIME": hasEightBitMIME = true
            case "SMTPUTF8": hasSMTPUTF8 = true
            case "CHUNKING": hasChunking = true
            case "DSN": hasDSN = true
            case "SIZE":
                hasSize = true
                if words.count > 1, let limit = Int(words[1]), limit > 0 { messageBytesMax = limit }
            case "AUTH": mechanisms.formUnion(words.dropFirst().compactMap { SASLMechanism(name: $0) })
            case _: break
            }
        }
    }
}
