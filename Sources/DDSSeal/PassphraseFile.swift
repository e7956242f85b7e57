// A small secret behind a passphrase: an age scrypt file, which stock age opens too.

package import DDSCore

/// Why a passphrase file did not open.
package enum VaultError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The file is as it was written, as far as can be told without the passphrase.
    case wrongPassphrase
    /// The passphrase is wrong, or the place where it is checked is damaged: the file has not the check of `PassphraseFile.seal`
    /// that would tell.
    case wrongOrDamaged
    /// Not an age file, altered, or cut off; the words say which.
    case damaged(String)
    /// Asks for more work than is ever spent; nothing was tried.
    case tooCostly(workFactor: Int)
    /// There is not as much memory as the file asks for.
    case memoryShort(workFactor: Int)

    package var description: String {
        switch self {
        case .wrongPassphrase: "the passphrase does not open it"
        case .wrongOrDamaged: "the passphrase does not open it, or it is damaged"
        case .damaged(let words): words
        case .tooCostly(let factor): "it asks for the work factor \(factor); at most \(WorkFactor.maximum) is spent"
        case .memoryShort(let factor): "opening it takes \((1 << factor) >> 10) MiB of memory, which are not there"
        }
    }
}

package enum PassphraseFile {
    /// 2 to the power of this many KiB of memory: about 0.6 seconds.
    package static let defaultWorkFactor = 18

    private static let checkLabel = Array("ddsnode passphrase file\0".utf8)

    /// Seals `content`. Takes long and much memory: call it off the loop. Throws `AgeError.workFactor` when memory is short.
    package static func seal(
        _ content: SecretBytes, passphrase: SecretBytes, workFactor: Int = defaultWorkFactor, random: some RandomSource
    ) throws(AgeError) -> [UInt8] {
        let fileKey = AgeFileKey.generate(random: random)
        let header = try AgeHeader.passphrase(fileKey: fileKey, passphrase, workFactor: workFactor, random: random)
        var writer = AgePayloadWriter(fileKey: fileKey, nonce: check(header[...]))
        let body = content.withExposed { writer.update($0[...]) }
        return header + body + writer.finish()
    }

    /// Opens what `seal` made, or stock age. As costly as sealing.
    package static func open(_ file: [UInt8], passphrase: SecretBytes, maxWorkFactor: Int = WorkFactor.maximum)
        throws(VaultError)
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
            throw isHeaderChecked(file) ? .wrongPassphrase : .wrongOrDamaged
        } catch AgeError.workFactor {
            let asked = decryptor.stanzas.first.flatMap { try? ScryptStanza($0).workFactor } ?? 0
            throw asked > maxWorkFactor ? .tooCostly(workFactor: asked) : .memoryShort(workFactor: asked)
        } catch {
            throw .damaged(error.text)
        }
    }

    /// Does the work of one try and throws the result away: for measuring. False when memory is short.
    package static func spend(workFactor: Int) -> Bool { ScryptStanza.spend(workFactor: workFactor) }

    /// What a file asks of whoever tries a passphrase: 2 to the power of this many KiB. Nil for what is no passphrase file.
    package static func workFactor(of file: [UInt8]) -> Int? {
        var reader = AgeHeaderReader()
        guard (try? reader.feed(file[...])) != nil, reader.isComplete else { return nil }
        return reader.stanzas.first.flatMap { try? ScryptStanza($0).workFactor }
    }

    /// What stands as the nonce of the payload. A header whose salt or box was damaged looks exactly like a wrong passphrase; by
    /// this the two are told apart. The nonce need not be secret, and nothing else is ever sealed under the random file key
    /// (C2SP age.md, "Payload"), so that it may depend on the header; the salt in the header makes it another in each file.
    private static func check(_ header: ArraySlice<UInt8>) -> [UInt8] {
        Hash.blake2b(checkLabel + header, count: AgePayload.nonceBytes)
    }

    private static func isHeaderChecked(_ file: [UInt8]) -> Bool {
        var reader = AgeHeaderReader()
        guard let count = try? reader.feed(file[...]), reader.isComplete else { return false }
        return Array(file[count...].prefix(AgePayload.nonceBytes)) == check(file[..<count])
    }
}
