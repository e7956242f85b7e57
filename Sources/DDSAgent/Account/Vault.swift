// The file of a person's private keys and the passphrase that opens it. One age scrypt file; what is in it is in VaultKeys.

import DDSCore
import DDSLoop
import DDSSeal

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
