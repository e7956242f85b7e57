// A small secret behind a passphrase: an age scrypt file, which stock age opens too.

package import DDSCore

/// Why a passphrase file did not open.
package enum VaultError: Error, Hashable, Sendable, CustomStringConvertible {
    case wrongPassphrase
    /// Not an age file, altered, or cut off; the words say which.
    case damaged(String)

    package var description: String {
        switch self {
        case .wrongPassphrase: "the passphrase does not open it"
        case .damaged(let words): words
        }
    }
}

package enum PassphraseFile {
    /// 2 to the power of this many KiB of memory: about 0.6 seconds.
    package static let defaultWorkFactor = 18

    /// Seals `content`. Takes long and much memory: call it off the loop. Throws `AgeError.workFactor` when memory is short.
    package static func seal(
        _ content: SecretBytes, passphrase: SecretBytes, workFactor: Int = defaultWorkFactor, random: some RandomSource
    ) throws(AgeError) -> [UInt8] {
        let fileKey = AgeFileKey.generate(random: random)
        let header = try AgeHeader.passphrase(fileKey: fileKey, passphrase, workFactor: workFactor, random: random)
        var writer = AgePayloadWriter(fileKey: fileKey, random: random)
        let body = content.withExposed { writer.update($0[...]) }
        return header + body + writer.finish()
    }

    /// Opens what `seal` made, or stock age. As costly as sealing.
    package static func open(_ file: [UInt8], passphrase: SecretBytes, maxWorkFactor: Int = 22) throws(VaultError)
        -> SecretBytes
    {
        var decryptor = AgeDecryptor(unlock: .passphrase(passphrase, maxWorkFactor: maxWorkFactor))
        var plain: [UInt8] = []
        var rest: [UInt8] = []
        defer {
            Wipe.zero(&plain)
            Wipe.zero(&rest)
        }
        do {
            plain = try decryptor.feed(file)
            rest = try decryptor.finish()
            var content = plain + rest
            return SecretBytes(consuming: &content)
        } catch AgeError.noMatch {
            throw .wrongPassphrase
        } catch {
            throw .damaged(error.text)
        }
    }
}
