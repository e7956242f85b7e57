// Mail addresses as this system uses them: a local part that names a member or group, and the node's domain.

/// `local@domain` with a dot-atom or UTF-8 local part (RFC 5321 4.1.2, RFC 6531 3.3). Quoted local parts and address
/// literals name nobody here and are refused. Local part and domain compare without regard to ASCII case.
package struct MailAddress: Hashable, Sendable, CustomStringConvertible {
    /// As written, lower-cased in ASCII.
    package let local: String
    /// As written, lower-cased in ASCII, without a trailing dot.
    package let domain: String

    /// Nil when `text` is not an address of this kind. Local parts have at most 64 octets, domains 255 (RFC 5321 4.5.3.1).
    package init?(_ text: some StringProtocol) {
        let parts = text.split(separator: "@", omittingEmptySubsequences: false)
        guard parts.count == 2 else { return nil }
        self.init(local: String(parts[0]), domain: String(parts[1]))
    }

    package init?(local: String, domain: String) {
        let domain = domain.hasSuffix(".") ? String(domain.dropLast()) : domain
        guard Self.isDotAtom(local, limit: 64), Self.isDotAtom(domain, limit: 255) else { return nil }
        self.local = Self.lowercased(local)
        self.domain = Self.lowercased(domain)
    }

    package var description: String { "\(local)@\(domain)" }

    /// True when every octet is ASCII, so that SMTPUTF8 is not needed.
    package var isASCII: Bool { description.utf8.allSatisfy { $0 < 0x80 } }

    private static func isDotAtom(_ text: String, limit: Int) -> Bool {
        guard !text.isEmpty, text.utf8.count <= limit else { return false }
        var previous: UInt8 = 0x2e
        for octet in text.utf8 {
            switch octet {
            case 0x2e: if previous == 0x2e { return false }
            case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x80...: break
            default: if !"!#$%&'*+-/=?^_`{|}~".utf8.contains(octet) { return false }
            }
            previous = octet
        }
        return previous != 0x2e
    }

    private static func lowercased(_ text: String) -> String {
        String(decoding: text.utf8.map { (0x41...0x5a).contains($0) ? $0 | 0x20 : $0 }, as: UTF8.self)
    }
}
