// What a member's agent and the node say to each other about the member's devices: sealed messages to control@NODE, signed by the
// identity, because the key of a device lies open on its disk and must not be enough to let another one in or to throw one out.

package import DDSCore
package import DDSSeal

/// The body of such a message, `application/vnd.ddsnode.device+json`.
package struct DeviceRequest: Hashable, Sendable {
    package static let contentType = "application/vnd.ddsnode.device+json"

    package enum Action: Hashable, Sendable {
        case list
        /// A link with this id may be used from now on.
        case offer(link: String)
        /// How far the link is.
        case look(link: String)
        /// What the device that claims the link gets.
        case grant(link: String, device: [UInt8], parcel: LinkParcel)
        case revoke(Int)
    }

    package var action: Action
    package var time: WallTime
    /// 64 bytes, Ed25519.
    package var signature: [UInt8]

    private static let context = Array("ddsnode/v1/device\0".utf8)

    /// `device` is the key hash of the device that asks, `node` the node's Ed25519 key: 32 bytes each.
    package init(
        _ action: Action, of address: MailAddress, device: [UInt8], node: [UInt8], time: WallTime,
        signedBy identity: SigningKey
    ) {
        self.action = action
        self.time = time
        signature = []
        signature = identity.sign(content(address, device, node))
    }

    /// True when the holder of `identity`, 32 bytes, has said exactly this, from that device to that node.
    package func isSigned(by identity: [UInt8], of address: MailAddress, device: [UInt8], node: [UInt8]) -> Bool {
        SigningKey.verify(signature, of: content(address, device, node), by: identity)
    }

    private func content(_ address: MailAddress, _ device: [UInt8], _ node: [UInt8]) -> [UInt8] {
        Self.context + Array("\(address) \(Hex.encode(device)) \(Hex.encode(node)) \(time.milliseconds) ".utf8)
            + JSONValue.object(fields).line
    }

    private var fields: [String: JSONValue] {
        switch action {
        case .list: ["action": "list"]
        case .offer(let link): ["action": "offer", "link": .text(link)]
        case .look(let link): ["action": "look", "link": .text(link)]
        case .grant(let link, let device, let parcel):
            [
                "action": "grant", "link": .text(link), "device": .text(Hex.encode(device)),
                "parcel": .text(NodeRequest.base64(parcel.sealed)), "proof": .text(Hex.encode(parcel.proof)),
            ]
        case .revoke(let number): ["action": "revoke", "number": .number(number)]
        }
    }

    /// The whole inner message.
    package var message: [UInt8] {
        var fields = fields
        fields["time"] = .number(time.milliseconds)
        fields["signature"] = .text(NodeRequest.base64(signature))
        return NodeRequest.message(type: Self.contentType, .object(fields))
    }

    /// Nil when `message` is none.
    package init?(message: [UInt8]) {
        guard let body = NodeRequest.body(of: message, type: Self.contentType), let time = body["time"]?.integer, time >= 0,
            let signature = NodeRequest.octets(body["signature"]), signature.count == SigningKey.signatureBytes,
            let action = Action(body)
        else { return nil }
        self.action = action
        self.time = WallTime(milliseconds: time)
        self.signature = signature
    }
}

extension DeviceRequest.Action {
    fileprivate init?(_ body: JSONValue) {
        let link = body["link"]?.string.flatMap { text in Hex.decode(text).flatMap { $0.count == 16 ? Hex.encode($0) : nil } }
        switch body["action"]?.string {
        case "list": self = .list
        case "offer":
            guard let link else { return nil }
            self = .offer(link: link)
        case "look":
            guard let link else { return nil }
            self = .look(link: link)
        case "grant":
            guard let link, let device = body["device"]?.string.flatMap({ Hex.decode($0) }), device.count == 32,
                let sealed = NodeRequest.octets(body["parcel"]), sealed.count <= LinkParcel.bytesMax,
                let proof = body["proof"]?.string.flatMap({ Hex.decode($0) }), proof.count == 32
            else { return nil }
            self = .grant(link: link, device: device, parcel: LinkParcel(sealed: sealed, proof: proof))
        case "revoke":
            guard let number = body["number"]?.integer.flatMap({ Int(exactly: $0) }), number > 0 else { return nil }
            self = .revoke(number)
        default: return nil
        }
    }
}

/// How far a link is, as the node tells the device that made it; the lines of a reply.
package enum LinkState: Hashable, Sendable {
    /// Nobody has used it.
    case open
    /// A device has, with this claim; the address and the node's key are those of who reads this.
    case claimed(device: [UInt8], recipient: String, proof: [UInt8], title: String)
    /// The parcel waits for the device.
    case granted
    /// The member's device of that number.
    case linked(Int)

    package var lines: [String] {
        switch self {
        case .open: ["open"]
        case .claimed(let device, let recipient, let proof, let title):
            ["claimed \(Hex.encode(device)) \(Hex.encode(proof)) \(title)"]
                + ReplyPieces.lines("recipient", Array(recipient.utf8))
        case .granted: ["granted"]
        case .linked(let number): ["linked \(number)"]
        }
    }

    package init?(lines: [String]) {
        let words = (lines.first ?? "").split(separator: " ", maxSplits: 3, omittingEmptySubsequences: false).map(String.init)
        switch words.first {
        case "open" where words.count == 1: self = .open
        case "granted" where words.count == 1: self = .granted
        case "linked":
            guard words.count == 2, let number = Int(words[1]), number > 0 else { return nil }
            self = .linked(number)
        case "claimed":
            guard words.count == 4, let device = Hex.decode(words[1]), device.count == 32, let proof = Hex.decode(words[2]),
                proof.count == 32, let recipient = ReplyPieces.bytes("recipient", in: lines.dropFirst())
            else { return nil }
            self = .claimed(
                device: device, recipient: String(decoding: recipient, as: UTF8.self), proof: proof, title: words[3])
        default: return nil
        }
    }
}

/// One of a member's devices, as the node tells the member; a line of a reply.
package struct DeviceLine: Hashable, Sendable {
    package var number: Int
    /// Days since 1970; 0 for the first, whose day the node does not know.
    package var since: Int
    /// Of its mailbox key.
    package var keyNumber: UInt64
    package var isAsking: Bool
    /// What waits for it at the node.
    package var waiting: Int
    /// One line without control characters; empty for the first.
    package var title: String

    package init(number: Int, since: Int, keyNumber: UInt64, isAsking: Bool, waiting: Int, title: String) {
        self.number = number
        self.since = since
        self.keyNumber = keyNumber
        self.isAsking = isAsking
        self.waiting = waiting
        self.title = title
    }

    package var line: String { "device \(number) \(since) \(keyNumber) \(isAsking ? "this" : "other") \(waiting) \(title)" }

    package init?(line: String) {
        let words = line.split(separator: " ", maxSplits: 6, omittingEmptySubsequences: false).map(String.init)
        guard words.count == 7, words[0] == "device", let number = Int(words[1]), let since = Int(words[2]),
            let keyNumber = UInt64(words[3]), words[4] == "this" || words[4] == "other", let waiting = Int(words[5])
        else { return nil }
        self.init(
            number: number, since: since, keyNumber: keyNumber, isAsking: words[4] == "this", waiting: waiting, title: words[6])
    }
}

/// Octets in lines of a reply, of which each has room for 512 (RFC 5321 4.5.3.1.5): `NAME 1/3 BASE64`.
enum ReplyPieces {
    private static let lettersMax = 400

    static func lines(_ name: String, _ bytes: [UInt8]) -> [String] {
        let letters = Base64.encode(bytes)
        let starts = Array(stride(from: 0, to: letters.count, by: lettersMax))
        return starts.enumerated().map { index, start in
            let piece = letters[start..<min(start + lettersMax, letters.count)]
            return "\(name) \(index + 1)/\(starts.count) \(String(decoding: piece, as: UTF8.self))"
        }
    }

    /// Nil unless all pieces are there in their order.
    static func bytes(_ name: String, in lines: some Sequence<String>) -> [UInt8]? {
        let pieces = lines.map { $0.split(separator: " ", omittingEmptySubsequences: false) }.filter { $0.first == name[...] }
        guard !pieces.isEmpty, pieces.allSatisfy({ $0.count == 3 }),
            pieces.enumerated().allSatisfy({ $1[1] == "\($0 + 1)/\(pieces.count)" })
        else { return nil }
        return Base64.decode(Array(pieces.map { $0[2] }.joined().utf8))
    }
}
