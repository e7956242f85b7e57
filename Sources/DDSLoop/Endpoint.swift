// Where to listen or connect, as people write it. It does not resolve names.

/// A TCP host and port, or the path of a unix socket.
package enum Endpoint: Hashable, Sendable, CustomStringConvertible {
    case tcp(host: String, port: UInt16)
    case unix(path: String)

    /// The longest path that fits `sockaddr_un`.
    static let pathBytesMax = 107

    /// Parses `127.0.0.1:0`, `[::1]:995`, `host:1` and `unix:/path`. Nil for anything else: no port, an IPv6 address without
    /// brackets, a relative path, or a path over 107 bytes.
    package init?(_ text: String) {
        if text.hasPrefix("unix:") {
            let path = String(text.dropFirst(5))
            guard path.hasPrefix("/"), path.utf8.count <= Self.pathBytesMax, !path.utf8.contains(0) else { return nil }
            self = .unix(path: path)
            return
        }
        guard let colon = text.lastIndex(of: ":") else { return nil }
        let digits = text[text.index(after: colon)...].utf8
        guard (1...5).contains(digits.count), digits.allSatisfy({ (0x30...0x39).contains($0) }),
            let port = UInt16(String(text[text.index(after: colon)...]))
        else { return nil }
        var host = text[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = host.dropFirst().dropLast()
            guard host.contains(":"), host.utf8.allSatisfy(Self.isNumericHostOctet) else { return nil }
        } else {
            guard !host.isEmpty, host.utf8.count <= 255, host.utf8.allSatisfy(Self.isHostOctet) else { return nil }
        }
        self = .tcp(host: String(host), port: port)
    }

    package var description: String {
        switch self {
        case .tcp(let host, let port): host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        case .unix(let path): "unix:\(path)"
        }
    }

    /// True when only this machine can be at the other end: 127.0.0.0/8, `::1`, `localhost` and unix sockets.
    package var isLoopback: Bool {
        switch self {
        case .unix: return true
        case .tcp(let host, _):
            if host == "::1" || host.lowercased() == "localhost" { return true }
            let parts = host.split(separator: ".", omittingEmptySubsequences: false)
            return parts.count == 4 && parts[0] == "127"
                && parts.allSatisfy { part in
                    part.utf8.allSatisfy { (0x30...0x39).contains($0) } && UInt8(part) != nil
                }
        }
    }

    private static func isHostOctet(_ octet: UInt8) -> Bool {
        switch octet {
        case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x2d, 0x2e, 0x5f: true
        default: false
        }
    }

    /// Inside brackets: hexadecimal groups, a dotted quad, and a zone such as `%eth0`.
    private static func isNumericHostOctet(_ octet: UInt8) -> Bool {
        isHostOctet(octet) || octet == 0x3a || octet == 0x25
    }
}
