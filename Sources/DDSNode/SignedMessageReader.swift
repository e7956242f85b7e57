// A signed message that comes in pieces and is not kept: what its signature has to fit to. The form is SignedMessage's; what a
// signature is worth is decided by callers.

import DDSMail
package import DDSSeal

/// What is left of a signed message.
package struct SignedOutline: Hashable, Sendable {
    /// Nil when what stands in its place is none of minisign's.
    package var signature: MinisignSignature?
    /// BLAKE2b-512 of what was signed.
    package var hash: [UInt8]
    /// What the header within says, as its readers take it: the first address of `From`, empty where there is none; those of `To` and
    /// `Cc`; `X-DDS-Submission`.
    package var author = ""
    package var recipients: [String] = []
    package var submission: String?

    /// True when the holder of `key`, an Ed25519 key of 32 bytes, signed the message with this very trusted comment.
    package func isValid(by key: [UInt8]) -> Bool {
        key.count == 32 && signature?.isValid(forHash: hash, by: MinisignPublicKey(key: key)) == true
    }
}

/// Takes a message in pieces, with its header. Holds no more of it than two header sections and the signature.
package struct SignedMessageReader {
    /// Of the part with the signature. Minisign's comments are the most of it, and ours have a few hundred octets.
    private static let signatureBytesMax = 64 * 1024

    private var parts = SignedMultipartReader(signatureLimit: signatureBytesMax)
    private var stream = HashStream(count: 64)
    /// The first octets of what was signed; the header within is complete in them where there is a section.
    private var start: [UInt8] = []
    private var scanner: HeaderScanner? = HeaderScanner()
    private var section: HeaderSection?

    package init() {}

    package mutating func feed(_ bytes: [UInt8]) { take(parts.feed(bytes)) }

    /// The message has ended; nil when it claims no such signature.
    package mutating func finish() -> SignedOutline? {
        let text = parts.finish()
        let hash = stream.finish()
        guard let text, parts.protocolType == ControlMail.signatureType, start.starts(with: SignedMessage.partHeader) else {
            return nil
        }
        var outline = SignedOutline(signature: MinisignSignature(String(decoding: text, as: UTF8.self)), hash: hash)
        guard let section = section ?? scanner?.finish() else { return outline }
        let header = ParsedMessage(Array(start.dropFirst(SignedMessage.partHeader.count)))
        outline.author = header.from?.address ?? ""
        outline.recipients = (header.to + header.cc).map(\.address)
        outline.submission = section.first("X-DDS-Submission")?.text
        return outline
    }

    private mutating func take(_ content: consuming [UInt8]) {
        defer { Wipe.zero(&content) }
        stream.update(content)
        guard var scanner, !content.isEmpty else { return }
        self.scanner = nil
        let before = start.count
        start += content
        let opening = SignedMessage.partHeader.count
        guard start.count > opening else {
            self.scanner = scanner
            return
        }
        do {
            section = try scanner.feed(start[max(before, opening)...])
        } catch {
            start.removeLast(start.count - opening)
            return
        }
        if let section {
            start.removeLast(start.count - opening - section.byteCount)
        } else if start.count <= HeaderScanner.defaultLimit {
            self.scanner = scanner
        } else {
            start.removeLast(start.count - opening)
        }
    }
}
