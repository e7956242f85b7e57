// Text as parameters of header fields have it.

package enum PercentCoding {
    /// `text` for what follows `UTF-8''` in a parameter (RFC 8187 section 3.2.1): everything but letters, digits and a few signs is
    /// spelt out.
    package static func encode(_ text: String) -> String {
        text.utf8.map { octet in
            switch octet {
            case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x2d, 0x2e, 0x5f: String(decoding: [octet], as: UTF8.self)
            default: "%" + Hex.encode([octet])
            }
        }.joined()
    }
}
