// The link by which a member's second device joins: made on the first, typed or copied into the second, good once and for minutes. What
// is in it never goes to the node; both devices prove with it that what they say to each other through the node is theirs.

package import DDSCore
package import DDSSeal

/// `dds://USER@HOST/<node key hash>#<secret>`, an invite's form with the member's name and a longer secret: 128 bits in 26 characters.
package struct DeviceLink: Sendable, CustomStringConvertible {
    package static let secretBytes = 16
    /// How long a link is good for.
    package static let lifetime = Duration.seconds(15 * 60)

    package var user: String
    package var host: String
    package var pop3sPort: UInt16
    package var submissionsPort: UInt16
    /// 16 bytes: what the node's TLS key must hash to, as far as it goes.
    package var nodeKeyHash: [UInt8]
    package var secret: Redacted<[UInt8]>

    package init(
        user: String, host: String, pop3sPort: UInt16, submissionsPort: UInt16, nodeKeyHash: [UInt8],
        secret: Redacted<[UInt8]>
    ) {
        precondition(nodeKeyHash.count >= 16 && secret.exposed.count == Self.secretBytes, "a link has fixed sizes")
        self.user = user
        self.host = host
        self.pop3sPort = pop3sPort
        self.submissionsPort = submissionsPort
        self.nodeKeyHash = Array(nodeKeyHash.prefix(16))
        self.secret = secret
    }

    /// Finds a link in `text`, which may have other words around it; nil where there is none.
    package init?(_ text: String) {
        guard let place = NodePlace(in: text), let user = place.user, MailAddress(local: user, domain: "localhost") != nil,
            let secret = Base32.decode(place.code, bits: 8 * Self.secretBytes)
        else { return nil }
        self.init(
            user: user, host: place.host, pop3sPort: place.pop3sPort, submissionsPort: place.submissionsPort,
            nodeKeyHash: place.nodeKeyHash, secret: Redacted(secret))
    }

    /// Prints without the secret; the link itself is `link`.
    package var description: String { "device link of \(user) at \(host)" }

    /// The link as people copy it. Holds the secret.
    package var link: String {
        NodePlace(
            user: user, host: host, pop3sPort: pop3sPort, submissionsPort: submissionsPort, nodeKeyHash: nodeKeyHash,
            code: Base32.encode(secret.exposed, bits: 8 * Self.secretBytes)
        ).text
    }

    /// What the node knows the link by: 32 hexadecimal digits, from which the secret cannot be had.
    package var id: String { Hex.encode(tag("link-id", [], count: 16)) }

    /// A keyed BLAKE2b of `content` that only who has the link can make.
    fileprivate func tag(_ purpose: String, _ content: [UInt8], count: Int = 32) -> [UInt8] {
        Hash.blake2b(Array("ddsnode/v1/\(purpose)\0".utf8) + content, key: secret.exposed, count: count)
    }

    /// Compared in one time, whatever is different.
    package func isAuthentic(_ claim: LinkClaim) -> Bool { Hash.isEqual(claim.proof, proof(of: claim)) }

    package func proof(of claim: LinkClaim) -> [UInt8] { tag("link-claim", claim.content) }

    package func isAuthentic(_ parcel: LinkParcel, for claim: LinkClaim) -> Bool {
        Hash.isEqual(parcel.proof, proof(of: parcel.sealed, for: claim))
    }

    package func proof(of sealed: [UInt8], for claim: LinkClaim) -> [UInt8] {
        tag("link-parcel", Hash.blake2b(claim.content, count: 32) + sealed)
    }
}

/// What a new device says of itself: which key the first one may seal to.
package struct LinkClaim: Hashable, Sendable {
    /// Whose device it wants to be.
    package var address: MailAddress
    /// Its key hash, the one of its TLS connections: 32 bytes.
    package var device: [UInt8]
    /// The Ed25519 key of the node that it talks to: 32 bytes.
    package var node: [UInt8]
    /// The recipient of its first mailbox key.
    package var recipient: String
    /// 32 bytes, made with the link's secret.
    package var proof: [UInt8]

    package init(address: MailAddress, device: [UInt8], node: [UInt8], recipient: String, proof: [UInt8]) {
        self.address = address
        self.device = device
        self.node = node
        self.recipient = recipient
        self.proof = proof
    }

    package init(address: MailAddress, device: [UInt8], node: [UInt8], recipient: String, by link: DeviceLink) {
        self.init(address: address, device: device, node: node, recipient: recipient, proof: [])
        proof = link.proof(of: self)
    }

    /// Each field is the number of its bytes (16 bits) and the bytes.
    fileprivate var content: [UInt8] {
        [Array("\(address)".utf8), device, node, Array(recipient.utf8)].flatMap { value in
            [UInt8(value.count >> 8), UInt8(value.count & 0xff)] + value
        }
    }
}

/// What the first device hands to the second: an age file to the recipient of the claim, with the identity in it.
package struct LinkParcel: Hashable, Sendable {
    package var sealed: [UInt8]
    /// 32 bytes, made with the link's secret, about this parcel and the claim that it answers.
    package var proof: [UInt8]

    /// A parcel has some 2.5 KB.
    package static let bytesMax = 8192

    package init(sealed: [UInt8], proof: [UInt8]) {
        self.sealed = sealed
        self.proof = proof
    }

    /// Seals the identity to the claim, whose proof was looked at.
    package init(
        identity: SecretBytes, for claim: LinkClaim, by link: DeviceLink, random: any RandomSource
    ) throws(AgeError) {
        var content = Array("ddsnode-link/1 ".utf8)
        content.reserveCapacity(128)
        identity.withExposed { content += Array(Hex.encode($0).utf8) }
        defer { Wipe.zero(&content) }
        var encryptor = try AgeEncryptor(recipients: [AgeRecipient(accepted: claim.recipient)], armor: nil, random: random)
        sealed = encryptor.update(content[...]) + encryptor.finish()
        proof = link.proof(of: sealed, for: claim)
    }

    /// The seed of the identity; nil for a parcel of another form, or one that `identity` does not open.
    package func opened(by identity: AgeIdentity) -> SecretBytes? {
        var decryptor = AgeDecryptor(identities: [identity])
        guard var content = try? decryptor.feed(sealed) + decryptor.finish() else { return nil }
        defer { Wipe.zero(&content) }
        let words = content.split(separator: 0x20)
        guard words.count == 2, words[0].elementsEqual("ddsnode-link/1".utf8),
            var seed = Hex.decode(String(decoding: words[1], as: UTF8.self)), seed.count == 32
        else { return nil }
        return SecretBytes(consuming: &seed)
    }
}
