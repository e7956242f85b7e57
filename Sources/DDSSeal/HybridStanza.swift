// The post-quantum stanza: a file key under HPKE with X-Wing (C2SP age.md, "The hybrid recipient type"; RFC 9180;
// draft-connolly-cfrg-xwing-kem). The only user of swift-crypto. Which stanza is tried with what is the header reader's decision.

import CSodium
import Crypto
import DDSCore
import FoundationEssentials

/// The stanza `mlkem768x25519`.
struct HybridStanza {
    static let kind = "mlkem768x25519"
    private static let info = Data("age-encryption.org/mlkem768x25519".utf8)
    private static let suite = HPKE.Ciphersuite(kem: .XWingMLKEM768X25519, kdf: .HKDF_SHA256, aead: .chaChaPoly)
    private let encapsulated: [UInt8]
    private let body: [UInt8]

    /// Checks a stanza of this kind. The size of the body is checked before anything is decrypted: otherwise one body could
    /// be made that opens under many keys.
    init(_ stanza: AgeStanza) throws(AgeError) {
        guard stanza.arguments.count == 2, let encapsulated = Base64.decode(stanza.arguments[1], padded: false),
            encapsulated.count == HybridKey.encapsulatedBytes, stanza.body.count == FileKeyBox.countBytes
        else { throw .headerFailure }
        self.encapsulated = encapsulated
        body = stanza.body
    }

    /// The file key; nil when the stanza is for somebody else. Throws `.headerFailure` for a share of small order; ML-KEM
    /// itself never refuses, and gives another secret instead.
    func open(with identity: AgeIdentity) throws(AgeError) -> AgeFileKey? {
        let key = HybridKey.privateKey(seed: identity.secret)
        defer { HybridKey.wipe(key) }
        guard
            var recipient = try? HPKE.Recipient(
                privateKey: key, ciphersuite: Self.suite, info: Self.info, encapsulatedKey: Data(encapsulated))
        else { throw .headerFailure }
        guard var plain = try? recipient.open(body) else { return nil }
        defer { plain.resetBytes(in: plain.startIndex..<plain.endIndex) }
        return AgeFileKey(
            secret: unsafe SecretBytes(count: AgeFileKey.countBytes, life: .message) { output in
                unsafe plain.withUnsafeBytes { unsafe output.copyMemory(from: $0) }
            })
    }

    /// The stanza that gives `fileKey` to `recipient`. The ephemeral keys are BoringSSL's own: swift-crypto takes none from
    /// outside. Throws `.badRecipient` when nothing can be sealed for it.
    static func seal(_ fileKey: AgeFileKey, for recipient: AgeRecipient) throws(AgeError) -> AgeStanza {
        guard let key = try? XWingMLKEM768X25519.PublicKey(rawRepresentation: recipient.bytes),
            var sender = try? HPKE.Sender(recipientKey: key, ciphersuite: suite, info: info)
        else { throw .badRecipient }
        let body = unsafe fileKey.secret.withBytes { plain in unsafe try? sender.seal(plain) }
        guard let body else { preconditionFailure("the first message of an HPKE context can be sealed") }
        let arguments = [Array(kind.utf8), Base64.encode(Array(sender.encapsulatedKey), padded: false)]
        return AgeStanza(arguments: arguments, body: Array(body))
    }
}

/// X-Wing keys: a seed of 32 bytes, from which both private keys come, and both public keys in a row.
enum HybridKey {
    static let publicBytes = 1216
    static let encapsulatedBytes = 1120

    static func publicKey(seed: SecretBytes) -> [UInt8] {
        let key = privateKey(seed: seed)
        defer { wipe(key) }
        return Array(key.publicKey.rawRepresentation)
    }

    /// Asked of the operation itself: swift-crypto reads a public key without looking at it.
    static func isUsable(_ bytes: [UInt8]) -> Bool {
        (try? XWingMLKEM768X25519.PublicKey(rawRepresentation: bytes).encapsulate()) != nil
    }

    /// The expanded key, in ordinary memory: for one operation, and then to be wiped.
    static func privateKey(seed: SecretBytes) -> XWingMLKEM768X25519.PrivateKey {
        let key = unsafe seed.withBytes { unsafe try? XWingMLKEM768X25519.PrivateKey(seedRepresentation: $0, publicKey: nil) }
        guard let key else { preconditionFailure("every seed of 32 bytes is a key") }
        return key
    }

    /// Overwrites a key that is not used again. swift-crypto 4.5 leaves seed and expanded key in the freed memory. They lie in
    /// the one object behind its `PrivateKey`, which has a header and BoringSSL's plain `XWING_private_key` and nothing else;
    /// an object of another size is left alone, and the test that looks for the seed says so.
    static func wipe(_ key: XWingMLKEM768X25519.PrivateKey) {
        guard unsafe MemoryLayout<XWingMLKEM768X25519.PrivateKey>.size == MemoryLayout<UnsafeMutableRawPointer>.size else {
            return
        }
        withExtendedLifetime(key) {
            let object = unsafe unsafeBitCast(key, to: UnsafeMutableRawPointer.self)
            guard unsafe (objectBytes...objectBytes + 16).contains(dds_heap_bytes(object)) else { return }
            unsafe sodium_memzero(object + objectHeaderBytes, objectBytes - objectHeaderBytes)
        }
    }

    private static let objectHeaderBytes = 16
    /// The header, and `sizeof(struct XWING_private_key)`.
    private static let objectBytes = objectHeaderBytes + 512 * 15 + 5 * 32
}
