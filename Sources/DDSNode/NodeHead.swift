// What a node says about how far its store has come, and how an agent remembers it: the signed statement of XDDS-HEAD, its
// words on the wire, and the comparison with the statements of before. Decides nothing about fetching.

package import DDSCore
package import DDSSeal

/// How far a node's store had come when it was asked.
package struct NodeHead: Hashable, Sendable {
    /// 16 bytes, random, made with the store.
    package var uuid: [UInt8]
    /// Grows with whatever the store takes or erases.
    package var counter: UInt64

    package init(uuid: [UInt8], counter: UInt64) {
        precondition(uuid.count == 16, "a store's uuid has 16 bytes")
        self.uuid = uuid
        self.counter = counter
    }

    /// What the node signs for one member. A statement to somebody else, or of another node, is another one.
    func statement(to member: MailAddress) -> [UInt8] {
        let words = "ddsnode/v1/head\0\(member.domain)\0\(member.local)\0"
        return Array(words.utf8) + uuid + (0..<8).map { UInt8(truncatingIfNeeded: counter >> (56 - 8 * UInt64($0))) }
    }

    /// The reply to XDDS-HEAD behind its `+OK`: uuid in hexadecimal, counter, signature in base64.
    package func words(for member: MailAddress, signedBy key: SigningKey) -> String {
        let signature = Base64.encode(key.sign(statement(to: member)))
        return "\(Hex.encode(uuid)) \(counter) \(String(decoding: signature, as: UTF8.self))"
    }

    /// Why words are no statement of the node.
    package enum Mistrust: Error, Hashable, Sendable {
        case malformed
        /// Not by that key, or not about this member.
        case wrongSignature
    }

    /// Reads words of `words(for:signedBy:)`, of which the holder of `key` must have signed every one.
    package init(_ words: String, to member: MailAddress, signedBy key: [UInt8]) throws(Mistrust) {
        let parts = words.split(separator: " ")
        guard parts.count == 3, let uuid = Hex.decode(parts[0]), uuid.count == 16, let counter = UInt64(parts[1]),
            parts[1].utf8.first != 0x2b, let signature = Base64.decode(Array(parts[2].utf8))
        else { throw .malformed }
        self.init(uuid: uuid, counter: counter)
        guard SigningKey.verify(signature, of: statement(to: member), by: key) else { throw .wrongSignature }
    }
}
