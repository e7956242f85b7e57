// What an agent and a node say to each other when a member comes back with a recovery kit: two sealed messages to enrol@NODE,
// signed by the member's identity. The first asks which statement was the last, the second brings the next one, about the new
// device and the new mailbox key. Says what the bytes are and who made them; what follows is the directory's affair.

package import DDSCore
package import DDSSeal
import FoundationEssentials

/// What the identity signs to restore an account, beside the statement itself: it is about one node, one device and one moment.
package struct RestoreClaim: Hashable, Sendable {
    package var address: MailAddress
    /// The key hash of the new device, the one of the TLS connection: 32 bytes.
    package var device: [UInt8]
    /// The Ed25519 key of the node that it is made for: 32 bytes.
    package var node: [UInt8]
    package var time: WallTime
    /// The signed statement that comes with it; nil in the question for the last one.
    package var statement: [UInt8]?

    /// How far the clocks of member and node may be apart.
    package static let clockMax = Duration.seconds(3600)

    private static let context = Array("ddsnode/v1/restore\0".utf8)

    package init(address: MailAddress, device: [UInt8], node: [UInt8], time: WallTime, statement: [UInt8]? = nil) {
        precondition(device.count == 32 && node.count == 32, "both are 32 bytes")
        self.address = address
        self.device = device
        self.node = node
        self.time = time
        self.statement = statement
    }

    /// Each field is its tag, the number of its bytes (16 bits) and the bytes, like those of a statement.
    private var content: [UInt8] {
        let milliseconds = UInt64(bitPattern: time.milliseconds)
        let fields: [[UInt8]] = [
            Array("\(address)".utf8), device, node,
            (0..<8).map { UInt8(truncatingIfNeeded: milliseconds >> (56 - 8 * UInt64($0))) },
            statement.map { MailboxStatement.hash(of: $0) } ?? [],
        ]
        var bytes = Self.context
        for (index, value) in fields.enumerated() {
            bytes += [UInt8(index + 1), UInt8(value.count >> 8), UInt8(value.count & 0xff)] + value
        }
        return bytes
    }

    package func signature(by identity: SigningKey) -> [UInt8] { identity.sign(content) }

    package func isSigned(_ signature: [UInt8], by identity: [UInt8]) -> Bool {
        SigningKey.verify(signature, of: content, by: identity)
    }
}

/// The body of both messages, `application/vnd.ddsnode.restore+json`. The device's key is the one of the TLS connection, the
/// node's is the node's.
package struct RestoreRequest: Hashable, Sendable {
    package static let contentType = "application/vnd.ddsnode.restore+json"

    package var address: MailAddress
    package var time: WallTime
    package var statement: [UInt8]?
    package var signature: [UInt8]

    package init(_ claim: RestoreClaim, signedBy identity: SigningKey) {
        address = claim.address
        time = claim.time
        statement = claim.statement
        signature = claim.signature(by: identity)
    }

    /// What was signed, if it was made for this device and this node.
    package func claim(device: [UInt8], node: [UInt8]) -> RestoreClaim {
        RestoreClaim(address: address, device: device, node: node, time: time, statement: statement)
    }

    /// The whole inner message.
    package var message: [UInt8] {
        var fields: [String: JSONValue] = [
            "address": .text("\(address)"), "time": .number(time.milliseconds),
            "signature": .text(NodeRequest.base64(signature)),
        ]
        if let statement { fields["statement"] = .text(NodeRequest.base64(statement)) }
        return NodeRequest.message(type: Self.contentType, .object(fields))
    }

    /// Nil when `message` is none.
    package init?(message: [UInt8]) {
        guard let body = NodeRequest.body(of: message, type: Self.contentType),
            let address = body["address"]?.string.flatMap({ MailAddress($0) }), let time = body["time"]?.integer, time >= 0,
            let signature = NodeRequest.octets(body["signature"]),
            signature.count == SigningKey.signatureBytes
        else { return nil }
        self.address = address
        self.time = WallTime(milliseconds: time)
        self.signature = signature
        guard let field = body["statement"] else { return }
        // What cannot be read is not the question that would have none.
        guard let statement = NodeRequest.octets(field), !statement.isEmpty else { return nil }
        self.statement = statement
    }
}

/// The last statement that the node has of a member, as it tells the member who asks.
package struct StatementHead: Hashable, Sendable {
    package var number: UInt64
    /// Of the whole statement with its signature: 32 bytes.
    package var hash: [UInt8]

    package init(number: UInt64, hash: [UInt8]) {
        self.number = number
        self.hash = hash
    }

    package var line: String { "statement \(number) \(Hex.encode(hash))" }

    package init?(line: String) {
        let words = line.split(separator: " ", omittingEmptySubsequences: false)
        guard words.count == 3, words[0] == "statement", let number = UInt64(words[1]), number > 0,
            let hash = Hex.decode(String(words[2])), hash.count == 32
        else { return nil }
        self.init(number: number, hash: hash)
        guard self.line == line else { return nil }
    }
}
