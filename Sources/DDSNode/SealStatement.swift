// What a node says about the key that submissions are sealed to, signed by its identity: beside the recipients that EHLO announces
// (SealAnnouncement) a line with number, times and signature. Says what is signed and how it is read; whether an agent takes a
// number after another is the agent's affair.

package import DDSCore
package import DDSSeal

/// Seal keys are numbered from 1 on, and a number never comes again for another key.
package struct SealStatement: Hashable, Sendable {
    package static let keyword = "XDDS-SEAL-KEY"
    private static let context = Array("ddsnode/v1/server-key\0".utf8)
    private static let wordStart = "seal-key="

    package var number: UInt64
    /// When the key was made, to the second.
    package var notBefore: WallTime
    /// When the node should have made another one and let go of this one, to the second.
    package var notAfter: WallTime
    /// The texts of the recipients as they are announced, the classical one first.
    package var recipients: [String]

    package init(number: UInt64, notBefore: WallTime, notAfter: WallTime, recipients: [String]) {
        precondition(number > 0 && !recipients.isEmpty, "a seal key has a number and a recipient")
        self.number = number
        self.notBefore = WallTime(milliseconds: notBefore.seconds * 1000)
        self.notAfter = WallTime(milliseconds: notAfter.seconds * 1000)
        self.recipients = recipients
    }

    /// What the node `domain` signs.
    private func content(of domain: String) -> [UInt8] {
        var bytes = Self.context + Array("\(domain)\0".utf8)
        for value in [number, UInt64(bitPattern: notBefore.seconds), UInt64(bitPattern: notAfter.seconds)] {
            bytes += (0..<8).map { UInt8(truncatingIfNeeded: value >> (56 - 8 * UInt64($0))) }
        }
        return recipients.reduce(bytes) { $0 + Array("\($1)\0".utf8) }
    }

    /// The line of the reply to EHLO: number, both times in seconds since 1970, signature in base64.
    package func capability(of domain: String, signedBy key: SigningKey) -> String {
        let signature = String(decoding: Base64.encode(key.sign(content(of: domain))), as: UTF8.self)
        return "\(Self.keyword) \(number) \(notBefore.seconds) \(notAfter.seconds) \(signature)"
    }

    /// Why a line is no statement of the node about the recipients beside it.
    package enum Mistrust: Error, Hashable, Sendable {
        case malformed
        /// Not by that key, or not about these recipients, or of another node.
        case wrongSignature
    }

    /// The statement that `capabilities` hold about the recipients in them; nil of a node that makes none.
    package init?(in capabilities: [String], of domain: String, signedBy identity: [UInt8]) throws(Mistrust) {
        let lines = capabilities.map { $0.split(separator: " ", omittingEmptySubsequences: false) }
            .filter { $0[0].uppercased() == Self.keyword }
        guard let words = lines.first else { return nil }
        let recipients = SealAnnouncement.recipients(in: capabilities)
        guard lines.count == 1, words.count == 5, let number = UInt64(words[1]), number > 0,
            let notBefore = Int64(words[2]), let notAfter = Int64(words[3]), 0 <= notBefore, notBefore < notAfter,
            notAfter < 1 << 50, let signature = Base64.decode(Array(words[4].utf8)), !recipients.isEmpty
        else { throw .malformed }
        self.init(
            number: number, notBefore: WallTime(milliseconds: notBefore * 1000),
            notAfter: WallTime(milliseconds: notAfter * 1000), recipients: recipients)
        guard SigningKey.verify(signature, of: content(of: domain), by: identity) else { throw .wrongSignature }
    }

    // MARK: In replies

    /// How a refusal names the key that a message has to be sealed to. A reply proves nothing: the key itself is in the statement.
    package static func word(_ number: UInt64) -> String { "\(wordStart)\(number)" }

    /// The number in the first such word of a reply's text.
    package static func number(in text: String) -> UInt64? {
        for word in text.split(whereSeparator: { $0 == " " || $0 == ";" || $0 == "," }) where word.hasPrefix(wordStart) {
            if let number = UInt64(word.dropFirst(wordStart.count)), number > 0 { return number }
        }
        return nil
    }
}
