// The two SASL mechanisms spoken here, EXTERNAL (RFC 4422 appendix A) and PLAIN (RFC 4616): their messages to and from
// credentials. Base64, `=`, `*` and the lines around them belong to each protocol; who may log in is decided elsewhere.

package import DDSCore

/// A mechanism that both sides of this program speak.
package enum SASLMechanism: String, Hashable, Sendable, CaseIterable {
    case external = "EXTERNAL"
    case plain = "PLAIN"

    /// The mechanism of that name, in any case of letters (RFC 4422 3.1 has them in capitals; clients have not).
    package init?(name: some StringProtocol) {
        guard let match = Self.allCases.first(where: { $0.rawValue == name.uppercased() }) else { return nil }
        self = match
    }
}

/// What a client says it is. Nothing in here is proven yet.
package enum Credentials: Hashable, Sendable {
    /// By the key of the TLS certificate; `authzid` names the account asked for, nil leaves that to the key.
    case external(authzid: String?)
    /// `authzid` is nil when the client left it empty, which means `authcid`.
    case plain(authzid: String?, authcid: String, password: Redacted<[UInt8]>)

    /// The longest name of a member in octets that a message may carry (RFC 4616 2 asks for at least 255).
    package static let nameBytesMax = 255
    /// The longest password in octets.
    package static let passwordBytesMax = 1024

    package var mechanism: SASLMechanism {
        switch self {
        case .external: .external
        case .plain: .plain
        }
    }

    /// The credentials in the one message that a client of `mechanism` sends, decoded from base64; nil when the message is
    /// malformed: not UTF-8, names with control characters, NULs in the wrong places, an empty password, too long.
    package init?(mechanism: SASLMechanism, message: some Collection<UInt8>) {
        switch mechanism {
        case .external:
            if message.isEmpty {
                self = .external(authzid: nil)
            } else {
                guard let name = Self.name(message) else { return nil }
                self = .external(authzid: name)
            }
        case .plain:
            // The password may hold no NUL either (RFC 4616 2), so there are exactly three parts.
            let parts = message.split(separator: 0, omittingEmptySubsequences: false)
            guard parts.count == 3, let authcid = Self.name(parts[1]) else { return nil }
            guard (1...Self.passwordBytesMax).contains(parts[2].count), String(validating: parts[2], as: UTF8.self) != nil
            else { return nil }
            var authzid: String?
            if !parts[0].isEmpty {
                guard let name = Self.name(parts[0]) else { return nil }
                authzid = name
            }
            self = .plain(authzid: authzid, authcid: authcid, password: Redacted(Array(parts[2])))
        }
    }

    /// The message that a client sends, before base64. For PLAIN it holds the password.
    package var message: Redacted<[UInt8]> {
        switch self {
        case .external(let authzid):
            Redacted(Array((authzid ?? "").utf8))
        case .plain(let authzid, let authcid, let password):
            Redacted(Array((authzid ?? "").utf8) + [0] + Array(authcid.utf8) + [0] + password.exposed)
        }
    }

    private static func name(_ bytes: some Collection<UInt8>) -> String? {
        guard (1...nameBytesMax).contains(bytes.count), bytes.allSatisfy({ $0 >= 0x20 && $0 != 0x7f }) else { return nil }
        return String(validating: bytes, as: UTF8.self)
    }
}
