// Where a node's master key comes from: reads the keyring and the key that server.keys.master names. A key that is missing or
// wrong stops the node and changes nothing; it is never a fresh start.

import DDSCore
import DDSLoop
import DDSNode
import DDSSeal

extension Config.Server.MasterKey {
    var slot: KeySlot.Kind {
        switch self {
        case .file: .file
        case .passphrase: .passphrase
        case .credential: .credential
        case .descriptor: .descriptor
        }
    }
}

@LoopActor enum MasterKey {
    /// The name under which a service manager hands the key over (`LoadCredentialEncrypted=ddsnode.mk`).
    nonisolated static let credentialName = "ddsnode.mk"

    /// Reads the keyring of a node.
    static func keyring(in folder: ServerFolder) throws(Failure) -> Keyring {
        let path = folder.keyring
        guard HostFiles.exists(path) else {
            guard !HostFiles.exists(folder.keys) else {
                throw Failure(.fileMissing, "the keyring \(path) is missing; put it back from a backup. Nothing was changed")
            }
            throw Failure(.fileMissing, "there is no node in \(folder.path) yet; make one with: ddsnode init server")
        }
        do {
            return try Keyring(try HostFiles.read(path, limit: 1 << 20), path: path)
        } catch let failure as Failure {
            throw failure
        } catch {
            throw Failure(.inputOutput, "the keyring cannot be read: \(error)")
        }
    }

    /// A new master key in a keyring with one slot, as the configuration says, written to `folder`.
    static func create(
        in folder: ServerFolder, _ source: Config.Server.MasterKey, passphrase: SecretBytes?, random: any RandomSource
    ) async throws(Failure) -> SecretBytes {
        let master = SecretBytes.random(Keyring.keyBytes)
        do {
            try HostFiles.makeFolders(folder.path)
        } catch {
            throw Failure(.cannotCreate, "cannot make the node's folder \(folder.path): \(error)")
        }
        try await store(master, Keyring(), for: source, passphrase: passphrase, in: folder, random: random)
        return master
    }

    /// Writes `keyring` with a new slot for `source`; for "file" also the key that opens it, if there is none yet.
    static func store(
        _ master: SecretBytes, _ keyring: Keyring, for source: Config.Server.MasterKey, passphrase: SecretBytes?,
        in folder: ServerFolder, random: any RandomSource
    ) async throws(Failure) {
        let secret: SlotSecret
        if source == .passphrase {
            guard let passphrase else {
                throw Failure(
                    .usage, "server.keys.master is \"passphrase\"; give one with --passphrase-file, or run this on a terminal")
            }
            secret = .passphrase(passphrase)
        } else {
            if source == .file, !HostFiles.exists(folder.masterKey) {
                try write(SecretBytes.random(Keyring.keyBytes), to: folder.masterKey)
            }
            secret = .key(try slotKey(source, in: folder))
        }
        let sealed = try await Loop.offload { () throws(Failure) in
            var changed = keyring
            try changed.seal(master, for: source.slot, secret, random: random)
            return changed
        }
        try write(sealed, in: folder)
    }

    static func write(_ keyring: Keyring, in folder: ServerFolder) throws(Failure) {
        do {
            try HostFiles.write(folder.keyring, keyring.encoded)
        } catch {
            throw Failure(.cannotCreate, "cannot write the keyring \(folder.keyring): \(error)")
        }
    }

    private static func write(_ key: SecretBytes, to path: String) throws(Failure) {
        do {
            try key.withExposed { try HostFiles.write(path, $0) }
        } catch {
            throw Failure(.cannotCreate, "cannot write the key \(path): \(error)")
        }
    }

    /// The master key. `passphrase` is asked for only where the configuration says so.
    static func open(
        in folder: ServerFolder, _ source: Config.Server.MasterKey, passphrase: SecretBytes?
    ) async throws(Failure) -> SecretBytes {
        let keyring = try keyring(in: folder)
        if source == .passphrase {
            guard let passphrase else {
                throw Failure(.permission, "the node is sealed; open it with: ddsnode unlock")
            }
            return try await Loop.offload { () throws(Failure) in try keyring.open(.passphrase, .passphrase(passphrase)) }
        }
        return try keyring.open(source.slot, .key(try slotKey(source, in: folder)))
    }

    /// The 32 bytes that `source` names.
    static func slotKey(_ source: Config.Server.MasterKey, in folder: ServerFolder) throws(Failure) -> SecretBytes {
        switch source {
        case .file:
            guard let status = HostFiles.status(folder.masterKey) else {
                throw Failure(
                    .fileMissing,
                    "the key \(folder.masterKey) is missing; put it back from where you keep it. Nothing was changed")
            }
            guard status.kind != .file || status.isPrivate else {
                throw Failure(.permission, "others can read \(folder.masterKey); run: chmod 600 \(folder.masterKey)")
            }
            return try key(at: folder.masterKey)
        case .credential:
            guard let path = ServiceManager.credentialPath(credentialName) else {
                throw Failure(
                    .fileMissing,
                    "no credential \(credentialName) was handed over; the unit needs LoadCredentialEncrypted=\(credentialName), see ddsnode.toml(5)"
                )
            }
            return try key(at: path)
        case .descriptor(let number):
            do {
                var bytes = try HostFiles.take(descriptor: number, limit: 4096)
                return try key(&bytes, "file descriptor \(number)")
            } catch let failure as Failure {
                throw failure
            } catch {
                throw Failure(
                    .fileMissing,
                    "the key cannot be read from file descriptor \(number): \(error); open it for the node, see ddsnode.toml(5)"
                )
            }
        case .passphrase: preconditionFailure("a passphrase is no key of 32 bytes")
        }
    }

    private static func key(at path: String) throws(Failure) -> SecretBytes {
        do {
            var bytes = try HostFiles.read(path, limit: 4096)
            return try key(&bytes, path)
        } catch let failure as Failure {
            throw failure
        } catch {
            throw Failure(.inputOutput, "the node's key cannot be read: \(error)")
        }
    }

    private static func key(_ bytes: inout [UInt8], _ place: String) throws(Failure) -> SecretBytes {
        guard bytes.count == Keyring.keyBytes else {
            Wipe.zero(&bytes)
            throw Failure(.badInput, "\(place) holds no key of 32 bytes; put the right one back. Nothing was changed")
        }
        return SecretBytes(consuming: &bytes)
    }
}
