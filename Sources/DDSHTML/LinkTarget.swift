// Where a link of a mail leads, made anew from its parts so that no two programs read it differently. Whether the place is good is
// for the person to decide.

package import DDSUnicode

/// An address on the web or of a mailbox, in ASCII.
package struct LinkTarget: Hashable, Sendable {
    /// The whole address: scheme, host, port, path, query, fragment; never with a user name, which is there to mislead.
    package let text: String
    /// Nil for mailboxes.
    package let host: HostName?

    static let octetsMax = 8192

    /// Reads as browsers do: blanks around and line ends within do not count, backslashes are slashes. Nil for every scheme but
    /// `http`, `https` and `mailto`, for addresses without a host, and for longer ones than 8 KiB.
    package init?(_ raw: String) {
        guard raw.utf8.count <= Self.octetsMax else { return nil }
        var octets = raw.utf8.filter { $0 != 0x09 && $0 != 0x0a && $0 != 0x0d }[...]
        while let first = octets.first, first <= 0x20 { octets.removeFirst() }
        while let last = octets.last, last <= 0x20 { octets.removeLast() }
        guard let colon = octets.firstIndex(of: 0x3a) else { return nil }
        let scheme = String(decoding: octets[..<colon], as: UTF8.self).lowercased()
        let rest = octets[(colon + 1)...]
        switch scheme {
        case "http", "https":
            guard let (host, text) = Self.web(scheme, rest) else { return nil }
            self.host = host
            self.text = text
        case "mailto":
            let mailbox = rest.prefix { $0 != 0x3f && $0 != 0x23 }
            guard mailbox.contains(0x40) || mailbox.starts(with: "%40".utf8), mailbox.count > 2 else { return nil }
            host = nil
            text = "mailto:" + Self.encoded(mailbox)
        default: return nil
        }
    }

    private static func web(_ scheme: String, _ rest: ArraySlice<UInt8>) -> (HostName, String)? {
        let slashes = rest.prefix { $0 == 0x2f || $0 == 0x5c }
        guard slashes.count >= 2 else { return nil }
        let after = rest[slashes.endIndex...]
        var authority = after.prefix { $0 != 0x2f && $0 != 0x5c && $0 != 0x3f && $0 != 0x23 }
        let path = after[authority.endIndex...]
        if let at = authority.lastIndex(of: 0x40) { authority = authority[(at + 1)...] }
        var port = ""
        if let colon = authority.lastIndex(of: 0x3a), authority[colon...].allSatisfy({ $0 != 0x5d }) {
            let digits = String(decoding: authority[(colon + 1)...], as: UTF8.self)
            authority = authority[..<colon]
            if !digits.isEmpty {
                guard digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = UInt16(digits) else { return nil }
                port = ":\(number)"
            }
        }
        guard let name = decoded(authority), let host = HostName(name) else { return nil }
        let end = path.firstIndex { $0 == 0x3f || $0 == 0x23 } ?? path.endIndex
        let folders = path[..<end].map { $0 == 0x5c ? 0x2f : $0 }
        return (host, "\(scheme)://\(host.ascii)\(port)" + (folders.isEmpty ? "/" : encoded(folders)) + encoded(path[end...]))
    }

    /// Without percent signs; nil for what is not UTF-8 then.
    private static func decoded(_ octets: ArraySlice<UInt8>) -> String? {
        var output: [UInt8] = []
        var rest = octets
        while let octet = rest.popFirst() {
            let digits = rest.prefix(2)
            if octet == 0x25, digits.count == 2, let value = UInt8(String(decoding: digits, as: UTF8.self), radix: 16) {
                output.append(value)
                rest.removeFirst(2)
            } else {
                output.append(octet)
            }
        }
        return String(validating: output, as: UTF8.self)
    }

    private static func encoded(_ octets: some Sequence<UInt8>) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        var output: [UInt8] = []
        for octet in octets {
            if octet > 0x20, octet < 0x7f, !"\"<>`{}|\\^'".utf8.contains(octet) {
                output.append(octet)
            } else {
                output += [0x25, digits[Int(octet >> 4)], digits[Int(octet & 15)]]
            }
        }
        return String(decoding: output, as: UTF8.self)
    }
}
