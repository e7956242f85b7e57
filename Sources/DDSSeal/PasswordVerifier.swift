// Verifiers of passwords for ordinary mail programs: Argon2id with libsodium's string format.

import CSodium
import DDSCore

package enum PasswordVerifier {
    /// Not enough memory for Argon2id.
    package struct OutOfMemory: Error, Sendable {}

    /// A verifier of nobody's password, random from end to end: checking against it costs what a real check costs, and fails.
    package static let dummy: String = {
        func text(_ count: Int) -> String {
            String(decoding: Base64.encode(SystemRandom().bytes(count)).filter { $0 != UInt8(ascii: "=") }, as: UTF8.self)
        }
        return "\(parameters)$\(text(16))$\(text(32))"
    }()

    /// What every verifier of this release begins with: how much memory and time a check takes.
    package static var parameters: String {
        "$argon2id$v=19$m=\(crypto_pwhash_memlimit_interactive() / 1024),t=\(crypto_pwhash_opslimit_interactive()),p=1"
    }

    /// A verifier of `password`: 64 MiB and two passes, about 0.1 seconds. Call it off the loop.
    package static func make(password: [UInt8]) throws(OutOfMemory) -> String {
        precondition(!password.isEmpty, "an empty password is refused before")
        Sodium.start()
        var text = [CChar](repeating: 0, count: Int(crypto_pwhash_strbytes()))
        let status = unsafe password.withUnsafeBytes { bytes in
            unsafe crypto_pwhash_str(
                &text, bytes.characters, UInt64(password.count),
                UInt64(crypto_pwhash_opslimit_interactive()), crypto_pwhash_memlimit_interactive())
        }
        guard status == 0 else { throw OutOfMemory() }
        return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// True when `verifier` was made of `password`.
    package static func verify(password: [UInt8], verifier: String) -> Bool {
        Sodium.start()
        guard !password.isEmpty else { return false }
        return unsafe password.withUnsafeBytes { bytes in
            unsafe crypto_pwhash_str_verify(
                verifier, bytes.characters, UInt64(password.count)) == 0
        }
    }
}

extension UnsafeRawBufferPointer {
    /// The start as C characters; the buffer is not empty.
    fileprivate var characters: UnsafePointer<CChar> { unsafe UnsafeRawPointer(octets).assumingMemoryBound(to: CChar.self) }
}
