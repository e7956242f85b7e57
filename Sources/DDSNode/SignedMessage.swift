// The form of a member's signed message: `multipart/signed` over the whole message, with minisign's signature and a trusted
// comment that says where the message belongs. How it is made and taken apart; what a signature is worth is decided by readers.

package import DDSCore
import DDSMail
package import DDSSeal

/// What the trusted comment says. A message that is shown elsewhere than it says was not written for there.
package struct SignatureContext: Hashable, Sendable {
    /// The first 8 bytes of the SHA-256 of the node's TLS key.
    package var server: [UInt8]
    /// Plain names of the groups that it goes to, sorted; empty for mail to persons.
    package var groups: [String]
    /// `X-DDS-Submission` of the message.
    package var submission: String
    /// Counts the author's messages to the same groups.
    package var sequence: UInt64
    package var time: WallTime
    /// The audience: the hash of the group's roster as its author knew it, or of the sorted addresses. Nil where none was known.
    package var audience: [UInt8]?

    package init(
        server: [UInt8], groups: [String], submission: String, sequence: UInt64, time: WallTime, audience: [UInt8]?
    ) {
        precondition(server.count == Self.serverBytes, "the context names a node by 8 bytes")
        self.server = server
        self.groups = groups.sorted()
        self.submission = submission
        self.sequence = sequence
        self.time = time
        self.audience = audience
    }

    package static let serverBytes = 8
    private static let start = "ddsnode/v1"

    package var comment: String {
        "\(Self.start) server=\(Hex.encode(server)) group=\(groups.isEmpty ? "-" : groups.joined(separator: ",")) "
            + "msg=\(submission) seq=\(sequence) ts=\(time.milliseconds) to=\(audience.map { Hex.encode($0) } ?? "-")"
    }

    /// Nil for a comment that `comment` has not written.
    package init?(_ comment: String) {
        let words = comment.split(separator: " ", omittingEmptySubsequences: false)
        guard words.count == 7, words[0] == Self.start else { return nil }
        var values: [String] = []
        for (word, name) in zip(words.dropFirst(), ["server=", "group=", "msg=", "seq=", "ts=", "to="]) {
            guard word.hasPrefix(name) else { return nil }
            values.append(String(word.dropFirst(name.count)))
        }
        guard let server = Hex.decode(values[0]), server.count == Self.serverBytes, !values[2].isEmpty,
            let sequence = UInt64(values[3]), let time = Int64(values[4])
        else { return nil }
        let audience = Hex.decode(values[5])
        guard values[5] == "-" || audience?.count == 32 else { return nil }
        self.init(
            server: server, groups: values[1] == "-" ? [] : values[1].split(separator: ",").map(String.init),
            submission: values[2],
            sequence: sequence, time: WallTime(milliseconds: time), audience: values[5] == "-" ? nil : audience)
        guard self.comment == comment else { return nil }
    }

    /// Why a message is not where its signature says it belongs, a sentence without its full stop.
    package struct Misplacement: Error, Hashable {
        package var words: String
    }

    /// The context of a message that bears this comment, at the node of `server`, and whose own header names `submission`.
    package init(_ comment: String, server: [UInt8], submission: String?) throws(Misplacement) {
        guard let context = SignatureContext(comment) else {
            throw Misplacement(words: "it does not say where the message belongs")
        }
        guard context.server == server else { throw Misplacement(words: "it was written for another node") }
        guard let submission, context.submission == submission else {
            throw Misplacement(words: "it was written for another submission")
        }
        self = context
    }

    /// Checks that a message whose own header names `recipients` was written for `group`. The roster that its author knew then may be
    /// an older one.
    package func check(isFor group: MailAddress, recipients: [String]) throws(Misplacement) {
        // Who writes to a group that they know nothing of yet names it in the message, which is signed too.
        guard !groups.contains(group.local), !recipients.contains(where: { $0.lowercased() == "\(group)" }) else { return }
        let places = groups.isEmpty ? "no group" : groups.map { "#\($0)" }.joined(separator: ", ")
        throw Misplacement(words: "it was written for \(places) and came through #\(group.local)")
    }

    /// The audience of mail to persons.
    package static func audience(of recipients: [MailAddress]) -> [UInt8] {
        Hash.blake2b(Array(recipients.map { "\($0)" }.sorted().joined(separator: "\n").utf8), count: 32)
    }
}

/// A signed message, taken apart.
package struct SignedMessage: Hashable, Sendable {
    /// What was signed: the part with its header.
    package let content: [UInt8]
    /// The message within it.
    package let message: [UInt8]
    /// Text as it stands there; `signature` is nil when it is none of minisign's.
    package let signatureText: [UInt8]
    package let signature: MinisignSignature?
    /// The key that the signature says it is by: a claim, for whoever knows none.
    package let claimedKey: MinisignPublicKey?

    static let partHeader = Array("Content-Type: message/rfc822\r\n\r\n".utf8)
    private static let claim = "ddsnode key "

    /// Nil for a message that claims no such signature.
    package init?(_ outer: [UInt8]) {
        guard let signed = SignedMultipart(outer), signed.protocolType == ControlMail.signatureType,
            signed.content.starts(with: Self.partHeader)
        else { return nil }
        content = signed.content
        message = Array(signed.content.dropFirst(Self.partHeader.count))
        signatureText = signed.signature
        signature = MinisignSignature(String(decoding: signed.signature, as: UTF8.self))
        claimedKey = signature.flatMap { signature in
            guard signature.untrustedComment.hasPrefix(Self.claim) else { return nil }
            return MinisignPublicKey(String(signature.untrustedComment.dropFirst(Self.claim.count)))
        }
    }

    /// The message as people read it: what is within a signed one, and any other as it is.
    package static func inner(of message: [UInt8]) -> [UInt8] { SignedMessage(message)?.message ?? message }

    /// `message` with CRLF line ends, signed. The fields of its header stand outside too, for programs that look no further.
    package static func made(of message: [UInt8], _ context: SignatureContext, by key: MinisignKey) -> [UInt8] {
        let content = partHeader + message
        let signature = key.sign(content, trustedComment: context.comment, untrustedComment: claim + "\(key.publicKey)")
        var outer: [UInt8] = []
        if let header = try? HeaderSection(of: message) {
            for field in header.fields where !isOfMIME(field) {
                outer += Array("\(field.name):".utf8) + field.rawValue + [0x0d, 0x0a]
            }
        }
        // The hash of all of it cannot occur in it.
        let boundary = "=_dds_signed_" + Hex.encode(Hash.blake2b(content, count: 16))
        return outer + Array("MIME-Version: 1.0\r\n".utf8)
            + SignedMultipart.entity(
                content: content, signature: signature.text, protocolType: ControlMail.signatureType, boundary: boundary)
    }

    private static func isOfMIME(_ field: HeaderField) -> Bool {
        let name = field.name.lowercased()
        return name == "mime-version" || name.hasPrefix("content-") || field.isNamed(Padding.fieldName)
    }
}
