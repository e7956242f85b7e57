// The recipient stanzas of an age header: their text, and how the classical key and the passphrase wrap a file key; for the
// hybrid key see HybridStanza. Which of them is tried with what, and what becomes of unknown ones, is the header reader's decision.

import CSodium
import DDSCore

/// One stanza: a kind with arguments, and a body (C2SP age.md, "Header").
package struct AgeStanza: Hashable, Sendable {
    /// The kind and then its arguments; each is printable ASCII without spaces.
    package var arguments: [[UInt8]]
    package var body: [UInt8]

    package init(arguments: [[UInt8]], body: [UInt8]) {
        self.arguments = arguments
        self.body = body
    }

    /// The first argument as text.
    package var kind: String { String(decoding: arguments.first ?? [], as: UTF8.self) }

    /// The kind of the mailbox key that opens it; nil for stanzas that none does.
    package var keyKind: AgeKeyKind? {
        switch kind {
        case X25519Stanza.kind: .classical
        case HybridStanza.kind: .hybrid
        default: nil
        }
    }

    /// Writes the lines of the stanza. Arguments that would break the line are our bug: the header could be read by nobody.
    func append(to header: inout [UInt8]) {
        precondition(
            !arguments.isEmpty && arguments.allSatisfy { !$0.isEmpty && $0.allSatisfy { (0x21...0x7e).contains($0) } },
            "the arguments of a stanza are printable ASCII without spaces")
        header.append(contentsOf: "->".utf8)
        for argument in arguments {
            header.append(0x20)
            header.append(contentsOf: argument)
        }
        header.append(0x0a)
        var rest = Base64.encode(body, padded: false)[...]
        while rest.count >= 64 {
            header.append(contentsOf: rest.prefix(64))
            header.append(0x0a)
            rest = rest.dropFirst(64)
        }
        header.append(contentsOf: rest)
        header.append(0x0a)
    }
}

/// The X25519 stanza (C2SP age.md, "The X25519 recipient type").
struct X25519Stanza {
    static let kind = "X25519"
    private static let info = Array("age-encryption.org/v1/X25519".utf8)
    private let share: [UInt8]
    private let body: [UInt8]

    /// Checks a stanza of this kind. The size of the body is checked before anything is decrypted: otherwise one body could
    /// be made that opens under many keys.
    init(_ stanza: AgeStanza) throws(AgeError) {
        guard stanza.arguments.count == 2, let share = Base64.decode(stanza.arguments[1], padded: false), share.count == 32,
            stanza.body.count == FileKeyBox.countBytes
        else { throw .headerFailure }
        self.share = share
        body = stanza.body
    }

    /// The file key; nil when the stanza is for somebody else. Throws `.headerFailure` for a share of small order.
    func open(with identity: AgeIdentity) throws(AgeError) -> AgeFileKey? {
        var shared = [UInt8](repeating: 0, count: 32)
        let status = unsafe identity.secret.withBytes { unsafe crypto_scalarmult(&shared, $0.octets, share) }
        guard status == 0 else { throw .headerFailure }
        var key = Self.wrapKey(shared: &shared, share: share, recipient: identity.recipient)
        defer { Wipe.zero(&key) }
        return FileKeyBox.open(body, key: key)
    }

    /// The stanza that gives `fileKey` to `recipient`. Throws `.badRecipient` when that is a point of small order.
    static func seal(
        _ fileKey: AgeFileKey, for recipient: AgeRecipient, random: some RandomSource
    ) throws(AgeError) -> AgeStanza {
        var ephemeral = random.bytes(32)
        defer { Wipe.zero(&ephemeral) }
        var share = [UInt8](repeating: 0, count: 32)
        var shared = [UInt8](repeating: 0, count: 32)
        guard unsafe crypto_scalarmult_base(&share, ephemeral) == 0,
            unsafe crypto_scalarmult(&shared, ephemeral, recipient.bytes) == 0
        else { throw .badRecipient }
        var key = wrapKey(shared: &shared, share: share, recipient: recipient)
        defer { Wipe.zero(&key) }
        let arguments = [Array(kind.utf8), Base64.encode(share, padded: false)]
        return AgeStanza(arguments: arguments, body: FileKeyBox.seal(fileKey, key: key))
    }

    private static func wrapKey(shared: inout [UInt8], share: [UInt8], recipient: AgeRecipient) -> [UInt8] {
        defer { Wipe.zero(&shared) }
        return unsafe shared.withUnsafeBytes { unsafe Hash.hkdfSHA256($0, salt: share + recipient.bytes, info: info) }
    }
}

/// The scrypt stanza (C2SP age.md, "The scrypt recipient type").
struct ScryptStanza {
    static let kind = "scrypt"
    private static let label = Array("age-encryption.org/v1/scrypt".utf8)
    private let salt: [UInt8]
    private let body: [UInt8]
    let workFactor: Int

    /// Checks a stanza of this kind. The work factor is a decimal number without sign or leading zero; one that has more than
    /// two digits counts as malformed.
    init(_ stanza: AgeStanza) throws(AgeError) {
        guard stanza.arguments.count == 3, let salt = Base64.decode(stanza.arguments[1], padded: false), salt.count == 16,
            stanza.body.count == FileKeyBox.countBytes
        else { throw .headerFailure }
        let digits = stanza.arguments[2]
        guard (1...2).contains(digits.count), digits[0] != 0x30, digits.allSatisfy({ (0x30...0x39).contains($0) }) else {
            throw .headerFailure
        }
        workFactor = digits.reduce(0) { $0 * 10 + Int($1 - 0x30) }
        self.salt = salt
        body = stanza.body
    }

    /// The file key; nil when the passphrase is another. Throws `.workFactor` above `maxWorkFactor` or when memory is short.
    func open(with passphrase: SecretBytes, maxWorkFactor: Int) throws(AgeError) -> AgeFileKey? {
        guard workFactor <= maxWorkFactor else { throw .workFactor }
        var key = try Self.wrapKey(passphrase, salt: salt, workFactor: workFactor)
        defer { Wipe.zero(&key) }
        return FileKeyBox.open(body, key: key)
    }

    /// The stanza that gives `fileKey` to everybody who knows `passphrase`. Throws `.workFactor` when memory is short.
    static func seal(
        _ fileKey: AgeFileKey, passphrase: SecretBytes, workFactor: Int, random: some RandomSource
    ) throws(AgeError) -> AgeStanza {
        precondition((1...30).contains(workFactor), "a work factor is 1 through 30")
        let salt = random.bytes(16)
        var key = try wrapKey(passphrase, salt: salt, workFactor: workFactor)
        defer { Wipe.zero(&key) }
        let arguments = [Array(kind.utf8), Base64.encode(salt, padded: false), Array(String(workFactor).utf8)]
        return AgeStanza(arguments: arguments, body: FileKeyBox.seal(fileKey, key: key))
    }

    /// Does the work of one try for nothing; false when memory is short.
    static func spend(workFactor: Int) -> Bool {
        let nothing = SecretBytes.random(16)
        guard var key = try? wrapKey(nothing, salt: [UInt8](repeating: 0, count: 16), workFactor: workFactor) else {
            return false
        }
        Wipe.zero(&key)
        return true
    }

    private static func wrapKey(_ passphrase: SecretBytes, salt: [UInt8], workFactor: Int) throws(AgeError) -> [UInt8] {
        let salt = label + salt
        var key = [UInt8](repeating: 0, count: 32)
        let status = unsafe passphrase.withBytes { words in
            unsafe crypto_pwhash_scryptsalsa208sha256_ll(
                words.octets, words.count, salt, salt.count, 1 << UInt64(workFactor), 8, 1, &key, 32)
        }
        guard status == 0 else { throw .workFactor }
        return key
    }
}

/// A file key under a wrap key that is used once, hence the zero nonce.
enum FileKeyBox {
    static let countBytes = AgeFileKey.countBytes + ChaCha20Poly1305.tagBytes
    private static let nonce = [UInt8](repeating: 0, count: 12)

    static func seal(_ fileKey: AgeFileKey, key: [UInt8]) -> [UInt8] {
        var body = [UInt8](repeating: 0, count: countBytes)
        unsafe body.withUnsafeMutableBytes { output in
            unsafe fileKey.secret.withBytes { plain in
                unsafe key.withUnsafeBytes { key in
                    unsafe ChaCha20Poly1305.seal(plain, key: key, nonce: nonce, into: output.octets)
                }
            }
        }
        return body
    }

    static func open(_ body: [UInt8], key: [UInt8]) -> AgeFileKey? {
        precondition(body.count == countBytes, "the stanza was checked before")
        let secret = unsafe SecretBytes(
            count: AgeFileKey.countBytes, life: .message,
            fillOrFail: { output in
                unsafe body.withUnsafeBytes { body in
                    unsafe key.withUnsafeBytes { key in
                        unsafe ChaCha20Poly1305.open(body, key: key, nonce: nonce, into: output.octets)
                    }
                }
            })
        return secret.map { AgeFileKey(secret: $0) }
    }
}
