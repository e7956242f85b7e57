// An owner's word about who is in a group: the owner's identity signs the hash of a roster, and with it all rosters before it. The
// node passes it on to the members and cannot make one.

package import DDSCore
package import DDSSeal

package struct RosterConfirmation: Hashable, Sendable {
    /// Type of the sealed message to `control@NODE` that brings one.
    package static let contentType = "application/vnd.ddsnode.roster-confirmation+json"

    private static let version: Int64 = 1
    private static let context = Array("ddsnode/v1/roster-confirmation\0".utf8)

    package let group: MailAddress
    package let head: RosterHead
    package let owner: MailAddress
    package let time: WallTime
    /// 64 bytes, Ed25519 over `content`.
    package let signature: [UInt8]

    package init(group: MailAddress, head: RosterHead, owner: MailAddress, time: WallTime, signedBy identity: SigningKey) {
        self.group = group
        self.head = head
        self.owner = owner
        self.time = time
        signature = identity.sign(Self.content(group, head, owner, time))
    }

    /// True when the holder of `identity`, 32 bytes, has signed exactly this.
    package func isValid(by identity: [UInt8]) -> Bool {
        SigningKey.verify(signature, of: Self.content(group, head, owner, time), by: identity)
    }

    /// Addresses and numbers hold no space, so that no two confirmations have the same octets.
    private static func content(_ group: MailAddress, _ head: RosterHead, _ owner: MailAddress, _ time: WallTime) -> [UInt8] {
        context + Array("\(group) \(head.number) \(Hex.encode(head.hash)) \(owner) \(time.milliseconds)".utf8)
    }

    /// For people.
    package var text: String { "\(owner) has confirmed the members of \(group) as of roster \(head.number).\n" }

    // MARK: JSON

    package var json: JSONValue {
        [
            "version": .number(Self.version), "group": .text("\(group)"), "number": .number(Int64(clamping: head.number)),
            "hash": .text(Hex.encode(head.hash)), "owner": .text("\(owner)"), "time": .number(time.milliseconds),
            "signature": .text(Hex.encode(signature)),
        ]
    }

    /// Nil for what is none, or of a later version.
    package init?(json: JSONValue) {
        guard json["version"]?.integer == Self.version, let group = json["group"]?.string.flatMap({ MailAddress($0) }),
            let owner = json["owner"]?.string.flatMap({ MailAddress($0) }), owner.domain == group.domain,
            let number = json["number"]?.integer, number > 0, let time = json["time"]?.integer, time >= 0,
            let hash = json["hash"]?.string.flatMap({ Hex.decode($0) }), hash.count == 32,
            let signature = json["signature"]?.string.flatMap({ Hex.decode($0) }),
            signature.count == SigningKey.signatureBytes
        else { return nil }
        self.group = group
        head = RosterHead(number: UInt64(number), hash: hash)
        self.owner = owner
        self.time = WallTime(milliseconds: time)
        self.signature = signature
    }

    // MARK: To the node

    /// The whole inner message.
    package var message: [UInt8] { NodeRequest.message(type: Self.contentType, json) }

    /// Nil when `message` is none.
    package init?(message: [UInt8]) {
        guard let json = NodeRequest.body(of: message, type: Self.contentType) else { return nil }
        self.init(json: json)
    }
}
