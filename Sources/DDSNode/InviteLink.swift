// The text of an invite: where the node is, which key it has, and a secret that works once.

package import DDSCore

/// `dds://HOST/<node key hash>#<number and secret>`, at most 90 characters. The hash is the first 128 bits of the SHA-256 of
/// the node's TLS key (26 characters of Crockford's base32), the rest a 20-bit number and a 40-bit secret (12 characters).
/// Ports other than 995 and 465 travel as `?p=POP3S.SUBMISSIONS`.
package struct InviteLink: Hashable, Sendable, CustomStringConvertible {
    package static let lengthMax = 90
    package static let defaultPorts: (pop3s: UInt16, submissions: UInt16) = (995, 465)

    package var host: String
    package var pop3sPort: UInt16
    package var submissionsPort: UInt16
    /// 16 bytes: what the node's TLS key must hash to, as far as it goes.
    package var nodeKeyHash: [UInt8]
    /// 20 bits.
    package var number: UInt32
    /// 5 bytes.
    package var secret: Redacted<[UInt8]>

    package init(
        host: String, pop3sPort: UInt16, submissionsPort: UInt16, nodeKeyHash: [UInt8], number: UInt32,
        secret: Redacted<[UInt8]>
    ) {
        precondition(nodeKeyHash.count >= 16 && secret.exposed.count == 5 && number < 1 << 20, "an invite has fixed sizes")
        self.host = host
        self.pop3sPort = pop3sPort
        self.submissionsPort = submissionsPort
        self.nodeKeyHash = Array(nodeKeyHash.prefix(16))
        self.number = number
        self.secret = secret
    }

    /// Finds an invite in `text`, which may have other words around it. Throws with exit code 65 and a sentence.
    package init(_ text: String) throws(Failure) {
        let damaged = Failure(.badInput, "this is no whole invite (dds://HOST/KEY#SECRET); copy the whole line again")
        guard let place = NodePlace(in: text), place.user == nil, let code = Base32.decode(place.code, bits: 60) else {
            throw damaged
        }
        let value = code.reduce(0 as UInt64) { $0 << 8 | UInt64($1) }
        self.init(
            host: place.host, pop3sPort: place.pop3sPort, submissionsPort: place.submissionsPort,
            nodeKeyHash: place.nodeKeyHash,
            number: UInt32(value >> 40 & 0xfffff),
            secret: Redacted((0..<5).map { UInt8(truncatingIfNeeded: value >> (32 - 8 * UInt64($0))) }))
    }

    /// The hash in a node key as invites spell it, or as the 64 hexadecimal digits that `status` shows; nil for anything else.
    package static func nodeKeyHash(_ text: String) -> [UInt8]? {
        text.utf8.count == 64 ? Hex.decode(text) : Base32.decode(text, bits: 128)
    }

    /// Prints without the secret; the link itself is `link`.
    package var description: String { "invite \(number) for \(host)" }

    /// The invite as people copy it. Holds the secret.
    package var link: String {
        let value = secret.exposed.reduce(UInt64(number)) { $0 << 8 | UInt64($1) }
        let code = (0..<8).map { UInt8(truncatingIfNeeded: value >> (56 - 8 * UInt64($0))) }
        return NodePlace(
            user: nil, host: host, pop3sPort: pop3sPort, submissionsPort: submissionsPort, nodeKeyHash: nodeKeyHash,
            code: Base32.encode(code, bits: 60)
        ).text
    }
}

/// Where a node is and which key it has, with a code behind it: `dds://[USER@]HOST/KEY[?p=POP3S.SUBMISSIONS]#CODE`.
struct NodePlace {
    var user: String?
    var host: String
    var pop3sPort: UInt16
    var submissionsPort: UInt16
    /// 16 bytes.
    var nodeKeyHash: [UInt8]
    var code: String

    init(
        user: String?, host: String, pop3sPort: UInt16, submissionsPort: UInt16, nodeKeyHash: [UInt8], code: String
    ) {
        self.user = user
        self.host = host
        self.pop3sPort = pop3sPort
        self.submissionsPort = submissionsPort
        self.nodeKeyHash = nodeKeyHash
        self.code = code
    }

    /// Finds one in `text`, which may have other words around it; nil where none is whole.
    init?(in text: String) {
        guard let start = text.firstRange(of: "dds://") else { return nil }
        let word = text[start.upperBound...].prefix { !$0.isWhitespace && !"<>\"'".contains($0) }
        let halves = word.split(separator: "#", omittingEmptySubsequences: false)
        guard halves.count == 2 else { return nil }
        let address = halves[0].split(separator: "?", omittingEmptySubsequences: false)
        let places = address[0].split(separator: "/", omittingEmptySubsequences: false)
        guard places.count == 2, address.count <= 2, let hash = Base32.decode(places[1], bits: 128) else { return nil }
        let names = places[0].split(separator: "@", omittingEmptySubsequences: false)
        guard names.count <= 2, isHost(names[names.count - 1]), names.allSatisfy({ !$0.isEmpty }) else { return nil }
        var ports = InviteLink.defaultPorts
        if address.count == 2 {
            let numbers = address[1].dropFirst(2).split(separator: ".").map { UInt16($0) }
            guard address[1].hasPrefix("p="), numbers.count == 2, let pop3s = numbers[0], let submissions = numbers[1],
                pop3s > 0, submissions > 0
            else { return nil }
            ports = (pop3s, submissions)
        }
        self.init(
            user: names.count == 2 ? String(names[0]) : nil, host: String(names[names.count - 1]), pop3sPort: ports.pop3s,
            submissionsPort: ports.submissions, nodeKeyHash: hash, code: String(halves[1]))
    }

    var text: String {
        let ports =
            (pop3sPort, submissionsPort) == InviteLink.defaultPorts ? "" : "?p=\(pop3sPort).\(submissionsPort)"
        let user = user.map { "\($0)@" } ?? ""
        return "dds://\(user)\(host)/\(Base32.encode(nodeKeyHash, bits: 128))\(ports)#\(code)"
    }
}

/// A name or an address; an IPv6 one with or without brackets.
private func isHost(_ text: Substring) -> Bool {
    !text.isEmpty
        && text.utf8.allSatisfy { octet in
            switch octet {
            case 0x30...0x39, 0x41...0x5a, 0x61...0x7a: true
            default: "-.:[]_".utf8.contains(octet)
            }
        }
}

/// Crockford's base32: no I, L, O, U; reading takes lower case and the letters people mistake for digits.
enum Base32 {
    private static let alphabet = Array("0123456789ABCDEFGHJKMNPQRSTVWXYZ".utf8)

    /// The lowest `bits` bits of big-endian `bytes`, most significant character first.
    static func encode(_ bytes: [UInt8], bits: Int) -> String {
        let characters = (bits + 4) / 5
        var output = [UInt8](repeating: 0x30, count: characters)
        for index in 0..<characters {
            var value = 0
            for bit in 0..<5 {
                let position = (characters - 1 - index) * 5 + bit
                let byte = bytes.count - 1 - position / 8
                if position < bits, byte >= 0, bytes[byte] >> (position % 8) & 1 == 1 { value |= 1 << bit }
            }
            output[index] = alphabet[value]
        }
        return String(decoding: output, as: UTF8.self)
    }

    /// The big-endian bytes of exactly `bits` bits, or nil.
    static func decode(_ text: some StringProtocol, bits: Int) -> [UInt8]? {
        guard text.utf8.count == (bits + 4) / 5 else { return nil }
        var bytes = [UInt8](repeating: 0, count: (bits + 7) / 8)
        for (index, character) in text.utf8.reversed().enumerated() {
            guard let value = value(of: character) else { return nil }
            for bit in 0..<5 where value >> bit & 1 == 1 {
                let position = index * 5 + bit
                guard position < bits else { return nil }
                bytes[bytes.count - 1 - position / 8] |= 1 << (position % 8)
            }
        }
        return bytes
    }

    private static func value(of character: UInt8) -> Int? {
        switch character {
        case 0x61...0x7a: value(of: character - 0x20)
        case 0x4f: 0
        case 0x49, 0x4c: 1
        default: alphabet.firstIndex(of: character)
        }
    }
}
