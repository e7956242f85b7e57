// The file of a person's private keys and the passphrase that opens it. One age scrypt file; what is in it is in VaultKeys.

import DDSCore
import DDSLoop
import DDSSeal

/// Writing and opening the vault file. The KDF takes most of a second and runs on a worker thread.
struct Vault: Sendable {
    /// Longer ones are none of ours.
    static let bytesMax = 1 << 20

    let path: String

    var exists: Bool { HostFiles.exists(path) }

    /// What trying a passphrase costs; nil when there is no vault.
    var workFactor: Int? {
        (try? HostFiles.read(path, limit: Self.bytesMax)).flatMap { PassphraseFile.workFactor(of: $0) }
    }

    /// The work factor of a new vault: about a second of scrypt on this machine, measured.
    @LoopActor static func measuredWorkFactor(_ time: any TimeSource) async -> Int {
        await Loop.offload {
            WorkFactor.measured(memoryBytes: Machine.memoryBytes) { factor in
                let begin = time.now
                return PassphraseFile.spend(workFactor: factor) ? time.now - begin : nil
            }
        }
    }

    /// Writes a new vault. An existing one is never overwritten.
    func create(_ keys: VaultKeys, passphrase: SecretBytes, workFactor: Int, random: any RandomSource) async throws(Failure) {
        let taken = Failure(
            .cannotCreate,
            "there is a key file already at \(path); it was left as it is. Use another state folder to join again")
        guard !exists else { throw taken }
        do {
            let file = try await Loop.offload {
                try PassphraseFile.seal(keys.content, passphrase: passphrase, workFactor: workFactor, random: random)
            }
            try HostFiles.create(path, file)
        } catch let error as DiskError where error.kind == .exists {
            throw taken
        } catch {
            throw Failure(.cannotCreate, "cannot write the key file \(path): \(error)")
        }
    }

    /// Opens the vault with the passphrase; each trouble has a sentence of its own.
    func open(passphrase: SecretBytes) async throws(Failure) -> VaultKeys {
        guard exists else { throw missing }
        let file: [UInt8]
        do {
            file = try HostFiles.read(path, limit: Self.bytesMax)
        } catch {
            throw Failure(.inputOutput, "the key file \(path) cannot be read (\(error)); nothing was changed")
        }
        let content: SecretBytes
        do {
            content = try await Loop.offload { () throws(VaultError) in try PassphraseFile.open(file, passphrase: passphrase) }
        } catch {
            throw failure(error)
        }
        guard let keys = VaultKeys(content: content) else { throw foreign }
        return keys
    }
}

// MARK: Sentences

extension Vault {
    var missing: Failure {
        Failure(
            .fileMissing,
            "there is no key file at \(path); put it back from a backup of the state folder. Nothing was changed: what is "
                + "stored here opens with that key only")
    }

    /// It was opened and holds no keys.
    var foreign: Failure {
        Failure(
            .badInput,
            "the key file \(path) was opened but is not one of ddsnode's; restore it from a backup, nothing was changed")
    }

    func failure(_ error: VaultError) -> Failure {
        let remedy = "restore it from a backup, nothing was changed"
        return switch error {
        case .wrongPassphrase:
            Failure(
                .permission, "that passphrase did not open the key; look at caps lock and the keyboard's layout, and try again")
        case .wrongOrDamaged:
            Failure(
                .badInput,
                "the key file \(path) is damaged at its beginning, or another program made it and the passphrase is wrong; "
                    + "try again, else \(remedy)")
        case .damaged(let words): Failure(.badInput, "the key file \(path) is damaged (\(words)); \(remedy)")
        case .tooCostly(let factor):
            Failure(
                .badInput,
                "the key file \(path) asks for more work than any of ddsnode's (2^\(factor) KiB of memory, 2^\(WorkFactor.maximum) "
                    + "at most), and was not tried; it was altered: \(remedy)")
        case .memoryShort: Failure(.system, "the key file \(path) was not opened: \(error); end other programs and try again")
        }
    }
}
