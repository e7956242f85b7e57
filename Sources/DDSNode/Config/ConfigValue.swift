// Values as they stand in the file, and the small languages inside them: durations, sizes, endpoints.

import DDSCore

/// A value without a meaning yet.
package enum ConfigValue: Equatable, Sendable {
    case text(String)
    case integer(Int)
    case flag(Bool)
    case list([ConfigValue])
    /// Something that no key takes, by the name that people know it under.
    case other(String)

    /// As it would stand in a file.
    package var literal: String {
        switch self {
        case .text(let text): Self.quoted(text)
        case .integer(let number): "\(number)"
        case .flag(let flag): "\(flag)"
        case .list(let values): "[" + values.map(\.literal).joined(separator: ", ") + "]"
        case .other(let name): name
        }
    }

    /// For "must be ..., not ...".
    var spoken: String {
        switch self {
        case .text(let text): Self.quoted(text)
        case .integer(let number): "the integer \(number)"
        case .flag(let flag): "\(flag)"
        case .list: "a list"
        case .other(let name): name
        }
    }

    /// A TOML basic string; also keeps control characters away from terminals.
    static func quoted(_ text: String) -> String {
        var output = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": output += "\\\""
            case "\\": output += "\\\\"
            case "\n": output += "\\n"
            case "\t": output += "\\t"
            case _ where scalar.value < 0x20 || (0x7f...0x9f).contains(scalar.value):
                let digits = String(scalar.value, radix: 16)
                output += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: output.unicodeScalars.append(scalar)
            }
        }
        return output + "\""
    }
}

/// A whole number and a unit, such as `15m`.
package enum ConfigDuration {
    private static let units: [(name: String, seconds: Int64)] = [
        ("w", 604_800), ("d", 86400), ("h", 3600), ("m", 60), ("s", 1),
    ]

    package static func parse(_ text: String) -> Duration? {
        guard let (count, unit) = split(text), let factor = units.first(where: { $0.name == unit })?.seconds else { return nil }
        let (seconds, overflow) = Int64(count).multipliedReportingOverflow(by: factor)
        return overflow ? nil : .seconds(seconds)
    }

    /// In the largest unit that gives a whole number, but days rather than weeks.
    static func format(_ duration: Duration) -> String {
        let seconds = duration.components.seconds
        for unit in units.dropFirst() where seconds >= unit.seconds && seconds % unit.seconds == 0 {
            return "\(seconds / unit.seconds)\(unit.name)"
        }
        return "\(seconds)s"
    }

    /// Digits, then the rest.
    static func split(_ text: String) -> (count: Int, unit: String)? {
        let digits = text.prefix { ("0"..."9").contains($0) }
        guard let count = Int(digits) else { return nil }
        return (count, String(text[digits.endIndex...]))
    }
}

/// A whole number and a binary unit, such as `25MiB`.
enum ConfigSize {
    private static let units: [(name: String, bytes: Int)] = [
        ("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1),
    ]

    static func parse(_ text: String) -> Int? {
        guard let (count, unit) = ConfigDuration.split(text), let factor = units.first(where: { $0.name == unit })?.bytes else {
            return nil
        }
        let (bytes, overflow) = count.multipliedReportingOverflow(by: factor)
        return overflow ? nil : bytes
    }

    static func format(_ bytes: Int) -> String {
        for unit in units where bytes >= unit.bytes && bytes % unit.bytes == 0 { return "\(bytes / unit.bytes)\(unit.name)" }
        return "\(bytes)B"
    }
}

/// `host:port`, `[IPv6]:port` or `unix:/path`.
enum ConfigEndpoint: Equatable {
    case network(host: String, port: Int)
    case unix(path: String)

    /// Socket paths have at most 107 bytes (unix(7)).
    static let pathLimit = 107

    init?(_ text: String) {
        if text.hasPrefix("unix:") {
            let path = String(text.dropFirst(5))
            guard path.hasPrefix("/"), path.utf8.count <= Self.pathLimit, !path.hasSuffix("/") else { return nil }
            self = .unix(path: path)
            return
        }
        guard let colon = text.lastIndex(of: ":") else { return nil }
        let digits = text[text.index(after: colon)...]
        guard !digits.isEmpty, digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let port = Int(digits),
            (0...65535).contains(port)
        else { return nil }
        var host = String(text[..<colon])
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = String(host.dropFirst().dropLast())
            guard host.contains(":"), Self.isIPv6(host) else { return nil }
        } else {
            guard Self.isHost(host), !host.contains(":") else { return nil }
        }
        self = .network(host: host, port: port)
    }

    /// True when nobody on another machine can connect.
    var isLocal: Bool {
        switch self {
        case .unix: true
        case .network(let host, _): host == "localhost" || host == "::1" || Self.isLoopbackIPv4(host)
        }
    }

    /// A host name or an address literal without brackets.
    static func isHost(_ text: String) -> Bool {
        guard (1...253).contains(text.utf8.count) else { return false }
        if text.contains(":") { return isIPv6(text) }
        return text.utf8.allSatisfy { octet in
            switch octet {
            case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x2d, 0x2e, 0x5f: true
            default: false
            }
        }
    }

    /// The characters of an IPv6 address with an optional zone; the system's own parser has the last word when it binds.
    private static func isIPv6(_ text: String) -> Bool {
        let address = text.prefix { $0 != "%" }
        return address.count { $0 == ":" } >= 2
            && address.utf8.allSatisfy { octet in
                switch octet {
                case 0x30...0x39, 0x41...0x46, 0x61...0x66, 0x3a, 0x2e: true
                default: false
                }
            }
    }

    private static func isLoopbackIPv4(_ text: String) -> Bool {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false).map { UInt8($0) }
        return parts.count == 4 && parts.first == 127 && !parts.contains(nil)
    }
}
