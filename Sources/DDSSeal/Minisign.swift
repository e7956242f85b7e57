// Signatures in minisign's form (https://jedisct1.github.io/minisign/#signature-format), algorithm `ED`: Ed25519 over BLAKE2b-512,
// with a trusted comment that a second signature binds to the first. What a comment has to say is decided by callers. The
// legacy algorithm `Ed`, which signs without hashing first, is neither made nor taken.

import DDSCore

/// Whose signature it is: a minisign public key.
package struct MinisignPublicKey: Hashable, Sendable, CustomStringConvertible {
    package static let keyIDBytes = 8
    private static let algorithm = Array("Ed".utf8)

    /// Names the key; not secret and proof of nothing.
    package let keyID: [UInt8]
    /// The 32 bytes of the Ed25519 public key.
    package let key: [UInt8]

    /// `keyID` has 8 bytes and `key` 32.
    package init(keyID: [UInt8], key: [UInt8]) {
        precondition(keyID.count == Self.keyIDBytes && key.count == 32, "a minisign key is 8 bytes of name and 32 of key")
        self.keyID = keyID
        self.key = key
    }

    /// A key of ours: its id is the first 8 bytes of the BLAKE2b-256 of `key`.
    package init(key: [UInt8]) {
        self.init(keyID: Array(Hash.blake2b(key, count: 32)[..<Self.keyIDBytes]), key: key)
    }

    /// Reads the line of base64 that `minisign -P` takes, 56 characters. Nil for anything else.
    package init?(_ text: String) {
        guard let bytes = Base64.decode(Array(text.utf8)), bytes.count == 42, Array(bytes[..<2]) == Self.algorithm else { return nil }
        self.init(keyID: Array(bytes[2..<10]), key: Array(bytes[10...]))
    }

    /// The line of base64 that `minisign -P` takes.
    package var description: String { String(decoding: Base64.encode(Self.algorithm + keyID + key), as: UTF8.self) }
}

/// The private half of a key of ours.
package struct MinisignKey: Sendable {
    private let key: SigningKey
    package let publicKey: MinisignPublicKey

    package init(_ key: SigningKey) {
        self.key = key
        publicKey = MinisignPublicKey(key: key.publicKey)
    }

    /// The signature of `message`, four lines with LF ends. Comments are one line each of printable characters, the trusted
    /// one of at most `MinisignSignature.commentBytesMax` octets; others are our bug.
    package func sign(
        _ message: [UInt8], trustedComment: String, untrustedComment: String = "signature from a ddsnode"
    ) -> MinisignSignature {
        let signature = key.sign(Hash.blake2b(message, count: 64))
        return MinisignSignature(
            keyID: publicKey.keyID, signature: signature, untrustedComment: untrustedComment, trustedComment: trustedComment,
            global: key.sign(signature + Array(trustedComment.utf8)))
    }
}

/// A signature as its file holds it.
package struct MinisignSignature: Hashable, Sendable {
    /// Longer trusted comments are not read: minisign's own limit, less its line end.
    package static let commentBytesMax = 8192
    private static let algorithm = Array("ED".utf8)
    private static let untrusted = "untrusted comment: "
    private static let trusted = "trusted comment: "

    package let keyID: [UInt8]
    /// 64 bytes over the BLAKE2b-512 of the message.
    package let signature: [UInt8]
    /// Anybody may have changed it.
    package let untrustedComment: String
    /// Signed together with `signature`.
    package let trustedComment: String
    /// 64 bytes over `signature` and `trustedComment`.
    package let global: [UInt8]

    fileprivate init(keyID: [UInt8], signature: [UInt8], untrustedComment: String, trustedComment: String, global: [UInt8]) {
        precondition(
            Self.isLine(untrustedComment) && Self.isLine(trustedComment) && trustedComment.utf8.count <= Self.commentBytesMax,
            "a comment is one line")
        self.keyID = keyID
        self.signature = signature
        self.untrustedComment = untrustedComment
        self.trustedComment = trustedComment
        self.global = global
    }

    /// The file: four lines that end with LF.
    package var text: String {
        let first = String(decoding: Base64.encode(Self.algorithm + keyID + signature), as: UTF8.self)
        let second = String(decoding: Base64.encode(global), as: UTF8.self)
        return "\(Self.untrusted)\(untrustedComment)\n\(first)\n\(Self.trusted)\(trustedComment)\n\(second)\n"
    }

    /// Reads a file with LF or CRLF line ends, the last of which may be missing. Nil for what is not of this form and algorithm.
    package init?(_ text: String) {
        guard text.utf8.count <= 2 * Self.commentBytesMax + 1024 else { return nil }
        var lines = text.unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false).map { line -> String in
            String(String.UnicodeScalarView(line.last == "\r" ? line.dropLast() : line))
        }
        if lines.last == "" { lines.removeLast() }
        guard lines.count == 4, lines[0].hasPrefix(Self.untrusted), lines[2].hasPrefix(Self.trusted),
            let first = Base64.decode(Array(lines[1].utf8)), first.count == 74, Array(first[..<2]) == Self.algorithm,
            let global = Base64.decode(Array(lines[3].utf8)), global.count == SigningKey.signatureBytes
        else { return nil }
        let untrusted = String(lines[0].dropFirst(Self.untrusted.count))
        let trusted = String(lines[2].dropFirst(Self.trusted.count))
        guard Self.isLine(untrusted), Self.isLine(trusted), trusted.utf8.count <= Self.commentBytesMax else { return nil }
        self.init(
            keyID: Array(first[2..<10]), signature: Array(first[10...]), untrustedComment: untrusted, trustedComment: trusted,
            global: global)
    }

    /// True when the holder of `key` signed `message` with this very trusted comment.
    package func isValid(for message: [UInt8], by key: MinisignPublicKey) -> Bool {
        isValid(forHash: Hash.blake2b(message, count: 64), by: key)
    }

    /// The same for a message of which only the BLAKE2b-512 is there.
    package func isValid(forHash hash: [UInt8], by key: MinisignPublicKey) -> Bool {
        keyID == key.keyID && SigningKey.verify(signature, of: hash, by: key.key)
            && SigningKey.verify(global, of: signature + Array(trustedComment.utf8), by: key.key)
    }

    private static func isLine(_ text: String) -> Bool {
        text.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7f || $0 == "\t" }
    }
}
