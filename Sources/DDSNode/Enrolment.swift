// What an agent and a node say to each other when a member joins: one sealed message to enrol@NODE with the invite's secret
// inside, and an SMTP reply that says in words what came of it.

package import DDSCore
package import DDSSeal
import FoundationEssentials

/// The body of an enrolment message, `application/vnd.ddsnode.enrol+json`. The device's key is the one of the TLS connection.
package struct EnrolmentRequest: Sendable {
    package static let contentType = "application/vnd.ddsnode.enrol+json"
    /// Local part of the address that takes enrolments, and the name under which a device without account logs in.
    package static let localPart = "enrol"

    package var inviteNumber: UInt32
    /// The invite's 5 secret bytes.
    package var secret: Redacted<[UInt8]>
    /// The recipient of the new mailbox key, of either kind.
    package var recipient: String
    /// Nil from agents of before there were identities.
    package var credential: MemberCredential?

    package init(
        inviteNumber: UInt32, secret: Redacted<[UInt8]>, recipient: String, credential: MemberCredential? = nil
    ) {
        self.inviteNumber = inviteNumber
        self.secret = secret
        self.recipient = recipient
        self.credential = credential
    }

    /// The whole inner message.
    package var message: [UInt8] {
        var fields: [String: JSONValue] = [
            "invite": .number(Int64(inviteNumber)), "secret": .text(Hex.encode(secret.exposed)), "recipient": .text(recipient),
        ]
        if let credential {
            fields["identity"] = .text(NodeRequest.base64(credential.identity))
            fields["statement"] = .text(NodeRequest.base64(credential.statement))
        }
        return NodeRequest.message(type: Self.contentType, .object(fields))
    }

    /// Nil when `message` is no enrolment.
    package init?(message: [UInt8]) {
        guard let body = NodeRequest.body(of: message, type: Self.contentType),
            let number = body["invite"]?.integer.flatMap(UInt32.init(exactly:)), number < 1 << 20,
            let secret = body["secret"]?.string.flatMap({ Hex.decode($0) }), secret.count == 5,
            let recipient = body["recipient"]?.string
        else { return nil }
        self.init(inviteNumber: number, secret: Redacted(secret), recipient: recipient)
        guard body["identity"] != nil || body["statement"] != nil else { return }
        // Half of it is damage: going on without would enrol a member whose identity nobody knows.
        guard let identity = NodeRequest.octets(body["identity"]), identity.count == 32,
            let statement = NodeRequest.octets(body["statement"])
        else { return nil }
        credential = MemberCredential(identity: identity, statement: statement)
    }

    /// What the node keeps of an invite's secret.
    package static func secretHash(_ secret: [UInt8]) -> String {
        Hex.encode(Hash.blake2b(secret, key: Array("ddsnode/v1/invite-secret".utf8), count: 32))
    }
}

/// What a new member learns from the node's reply; each field is one line of it.
package struct EnrolmentWelcome: Hashable, Sendable {
    package var address: MailAddress
    package var display: String
    package var groups: [String]
    /// The node's Ed25519 public key, nil from a node that has none.
    package var identity: [UInt8]?
    /// After a restoration: how many messages were gone with the lost keys. Nil after an enrolment.
    package var lost: Int?
    /// Which of the member's devices it is; nil for number 1.
    package var device: Int?

    package init(
        address: MailAddress, display: String, groups: [String], identity: [UInt8]? = nil, lost: Int? = nil,
        device: Int? = nil
    ) {
        self.address = address
        self.display = display
        self.groups = groups
        self.identity = identity
        self.lost = lost
        self.device = device
    }

    /// The lines of the 250 reply.
    package var lines: [String] {
        // A line of a reply has 512 octets (RFC 5321 4.5.3.1.5); ten names of groups fit one.
        let groupLines = stride(from: 0, to: groups.count, by: 10).map { start in
            "groups \(groups[start..<min(start + 10, groups.count)].joined(separator: " "))"
        }
        let identityLine = identity.map { ["identity \(IdentityAnnouncement.text($0))"] } ?? []
        let lostLine = lost.map { ["lost \($0)"] } ?? []
        let deviceLine = device.map { ["device \($0)"] } ?? []
        return ["welcome \(address)", "display \(display)"] + identityLine + lostLine + deviceLine + groupLines
    }

    package init?(lines: [String]) {
        var fields: [String: String] = [:]
        var groups: [String] = []
        for line in lines {
            let parts = line.split(separator: " ", maxSplits: 1)
            guard parts.count == 2 else { continue }
            if parts[0] == "groups" {
                groups += parts[1].split(separator: " ").map(String.init)
            } else {
                fields[String(parts[0])] = String(parts[1])
            }
        }
        guard let address = fields["welcome"].flatMap({ MailAddress($0) }) else { return nil }
        self.init(
            address: address, display: fields["display"] ?? address.local, groups: groups,
            identity: fields["identity"].flatMap { IdentityAnnouncement.key($0) },
            lost: fields["lost"].flatMap { Int($0) }.flatMap { $0 >= 0 ? $0 : nil },
            device: fields["device"].flatMap { Int($0) }.flatMap { $0 > 0 ? $0 : nil })
    }
}

/// The EHLO keywords by which a node says which keys to seal submissions to: `XDDS-SEAL age1...` for programs that know
/// classical keys only, and the hybrid key in pieces, `XDDS-SEAL-PQ 1/4 age1pq1...`, since a line of a reply has 512 octets.
package enum SealAnnouncement {
    package static let keyword = "XDDS-SEAL"

    package static let hybridKeyword = "XDDS-SEAL-PQ"
    /// With the keyword and its numbers within 512 octets (RFC 5321 4.5.3.1.5).
    private static let pieceBytes = 480

    /// The capabilities that announce `recipients`, at most one of each kind.
    package static func capabilities(_ recipients: [AgeRecipient]) -> [String] {
        recipients.flatMap { recipient in
            let text = "\(recipient)"
            guard recipient.kind == .hybrid else { return ["\(keyword) \(text)"] }
            let letters = Array(text.utf8)
            let starts = Array(stride(from: 0, to: letters.count, by: pieceBytes))
            return starts.enumerated().map { index, start in
                let piece = letters[start..<min(start + pieceBytes, letters.count)]
                return "\(hybridKeyword) \(index + 1)/\(starts.count) \(String(decoding: piece, as: UTF8.self))"
            }
        }
    }

    /// The best key that `capabilities` announce: the hybrid one when all its pieces are there in their order.
    package static func recipient(in capabilities: [String]) -> String? { recipients(in: capabilities).last }

    /// What `capabilities` announce, the classical key first; a hybrid one only when all its pieces are there in their order.
    package static func recipients(in capabilities: [String]) -> [String] {
        var classical: String?
        var pieces: [Substring] = []
        var places: [Substring] = []
        for capability in capabilities {
            let words = capability.split(separator: " ")
            if words.count == 2, words[0].uppercased() == keyword { classical = classical ?? String(words[1]) }
            if words.count == 3, words[0].uppercased() == hybridKeyword {
                places.append(words[1])
                pieces.append(words[2])
            }
        }
        let isWhole = !places.isEmpty && places.enumerated().allSatisfy { $1 == "\($0 + 1)/\(places.count)" }
        return [classical, isWhole ? pieces.joined() : nil].compactMap { $0 }
    }
}

/// How a node says which Ed25519 key it signs statements with: `XDDS-IDENTITY` and the key's 32 bytes in base64, among the
/// capabilities of SMTP and POP3 inside TLS, and a line of the welcome. Who has checked the TLS key may pin it.
package enum IdentityAnnouncement {
    package static let keyword = "XDDS-IDENTITY"

    package static func capability(_ key: [UInt8]) -> String { "\(keyword) \(text(key))" }

    /// The key that the first such capability names; nil when there is none or it is no key.
    package static func key(in capabilities: [String]) -> [UInt8]? {
        for capability in capabilities {
            let words = capability.split(separator: " ")
            if words.count == 2, words[0].uppercased() == keyword { return key(String(words[1])) }
        }
        return nil
    }

    static func text(_ key: [UInt8]) -> String { String(decoding: Base64.encode(key), as: UTF8.self) }

    static func key(_ text: String) -> [UInt8]? {
        guard let key = Base64.decode(Array(text.utf8)), key.count == 32 else { return nil }
        return key
    }
}
