// The private keys of a person and the passphrase that opens them. One age scrypt file; what is in it exists in clear only
// in locked memory while the agent is unlocked.

import DDSCore
import DDSLoop
import DDSSeal

/// What the vault holds. Lines of `name value`; the first is an age identity that stock age could use (1.3 or later, for a
/// hybrid one).
final class VaultKeys: Sendable {
    /// Opens what the node sealed to this member.
    let mailbox: AgeIdentity
    /// Signs statements; long term (SEALING section 7a).
    let identitySeed: SecretBytes
    /// Seals the local store.
    let storeKey: SecretBytes

    private init(mailbox: AgeIdentity, identitySeed: SecretBytes, storeKey: SecretBytes) {
        self.mailbox = mailbox
        self.identitySeed = identitySeed
        self.storeKey = storeKey
    }

    static func generate(random: any RandomSource) -> VaultKeys {
        VaultKeys(
            mailbox: AgeIdentity.generate(kind: .hybrid, random: random), identitySeed: .random(32), storeKey: .random(32))
    }

    /// The vault's content: text in locked memory.
    var content: SecretBytes {
        // Room for all of it: an array that grows leaves copies of the keys behind.
        var bytes: [UInt8] = []
        bytes.reserveCapacity(1024)
        bytes += Array("# ddsnode vault 1\n# mailbox ".utf8)
        mailbox.secretText().withExposed { bytes += $0 }
        for (name, secret) in [("identity", identitySeed), ("store", storeKey)] {
            bytes += Array("\n# \(name) ".utf8)
            secret.withExposed { bytes += Array(Hex.encode($0).utf8) }
        }
        bytes.append(0x0a)
        return SecretBytes(consuming: &bytes)
    }

    init?(content: SecretBytes) {
        var fields: [String: String] = [:]
        content.withExposed { bytes in
            for line in bytes.split(separator: 0x0a) {
                let words = line.split(separator: 0x20)
                if words.count == 3 { fields[String(decoding: words[1], as: UTF8.self)] = String(decoding: words[2], as: UTF8.self) }
            }
        }
        guard let text = fields["mailbox"], let mailbox = try? AgeIdentity(text),
            var identity = fields["identity"].flatMap({ Hex.decode($0) }), identity.count == 32,
            var store = fields["store"].flatMap({ Hex.decode($0) }), store.count == 32
        else { return nil }
        self.mailbox = mailbox
        identitySeed = SecretBytes(consuming: &identity)
        storeKey = SecretBytes(consuming: &store)
    }
}

/// Writing and opening the vault file. The KDF takes most of a second and runs on a worker thread.
struct Vault: Sendable {
    let path: String

    var exists: Bool { HostFiles.exists(path) }

    /// Writes a new vault. An existing one is never overwritten.
    func create(_ keys: VaultKeys, passphrase: SecretBytes, workFactor: Int, random: any RandomSource) async throws(Failure) {
        guard !exists else {
            throw Failure(.cannotCreate, "there is a key file already at \(path); it was left as it is. Use another state folder to join again")
        }
        do {
            let file = try await Loop.offload {
                try PassphraseFile.seal(keys.content, passphrase: passphrase, workFactor: workFactor, random: random)
            }
            try HostFiles.write(path, file)
        } catch {
            throw Failure(.cannotCreate, "cannot write the key file \(path): \(error)")
        }
    }

    /// Opens the vault with the passphrase; three different sentences for three different troubles.
    func open(passphrase: SecretBytes) async throws(Failure) -> VaultKeys {
        guard exists else {
            throw Failure(.fileMissing, "there is no key file at \(path); restore it from a backup or join again")
        }
        let content: SecretBytes
        do {
            let file = try HostFiles.read(path, limit: 1 << 20)
            content = try await Loop.offload { try PassphraseFile.open(file, passphrase: passphrase) }
        } catch VaultError.wrongPassphrase {
            throw Failure(.permission, "that passphrase did not open the key")
        } catch {
            throw Failure(.badInput, "the key file \(path) is damaged (\(error)); restore it from a backup, nothing was changed")
        }
        guard let keys = VaultKeys(content: content) else {
            throw Failure(.badInput, "the key file \(path) was opened but is not one of ddsnode's; restore it from a backup")
        }
        return keys
    }
}
