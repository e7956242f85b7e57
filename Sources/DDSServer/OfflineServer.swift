// A node that does not run: what the command line needs of it when no daemon answers. The spool's lock keeps a daemon out
// meanwhile.

package import DDSCore
package import DDSLoop
package import DDSNode
package import DDSSeal
import DDSSpool

@LoopActor package final class OfflineServer {
    /// The administrator's commands, the same that a running node answers.
    package let commands = ControlCommands()
    private let state: ServerState

    private init(_ state: ServerState) {
        self.state = state
    }

    /// `init server`: keys, certificate, empty spool. Refuses to overwrite anything.
    package static func create(
        config: Config, passphrase: SecretBytes? = nil, random: any RandomSource, time: any TimeSource
    ) async throws(Failure) {
        try await ServerState.create(config: config, passphrase: passphrase, random: random, time: time)
    }

    /// True when opening the node takes a passphrase.
    package static func wantsPassphrase(_ config: Config) -> Bool { config.server.keys.master == .passphrase }

    /// Opens the node of `config`. Throws with exit code 75 when a process has it open, 66 when there is none.
    package static func open(
        services: Services, passphrase: SecretBytes? = nil
    ) async throws(Failure) -> OfflineServer {
        let config = services.config
        let state = try await ServerState.open(
            config: config, passphrase: passphrase, random: services.random, time: services.time, onSpoolStopped: { _ in })
        do throws(SpoolError) {
            let book = MaildropBook(try await state.spool.mailboxes())
            book.quota = config.server.spool.mailboxQuota
            let delivery = try await DeliveryService.open(
                store: state.store, spool: state.spool, book: book, services: services, keys: state.keys)
            let server = OfflineServer(state)
            SpoolAdmin(spool: state.spool).register(in: server.commands)
            let sealKeeper = SealKeeper(
                keys: state.keys, folder: ServerFolder(stateDir: config.node.stateDirectory), delivery: delivery,
                fence: state.store.fence, services: services)
            KeyAdmin(
                state: state, config: config, sealKeeper: sealKeeper, time: services.time, random: services.random
            ).register(in: server.commands)
            ServerAdmin(
                store: state.store, facts: state.facts(config: config, pop3sPort: nil, submissionsPort: nil), time: services.time,
                random: services.random, delivery: delivery,
                queue: QueueDesk(delivery: delivery, store: state.store, spool: state.spool, book: book), publish: { _ in },
                onRemoved: { book.forget(MailboxID(rawValue: $0.mailbox)) }
            ).register(in: server.commands)
            return server
        } catch {
            await state.close()
            throw Failure(.inputOutput, "the spool cannot be read: \(error)")
        }
    }

    package func close() async {
        await state.close()
        commands.removeAll()
    }

    // MARK: Recovery and backups

    /// Opens the keyring with the administrator's recovery identity and gives it a slot as the configuration says.
    package static func recover(
        config: Config, identity: SecretBytes, passphrase: SecretBytes?, random: any RandomSource
    ) async throws(Failure) {
        let folder = ServerFolder(stateDir: config.node.stateDirectory)
        let keyring = try MasterKey.keyring(in: folder)
        let master = try keyring.open(.recovery, .identity(try ageIdentity(identity)))
        try await MasterKey.store(
            master, keyring, for: config.server.keys.master, passphrase: passphrase, in: folder, random: random)
    }

    /// What `file` holds, in words; with `config` also makes a node of it, where none is yet.
    package static func readBackup(
        _ file: [UInt8], identity: SecretBytes?, passphrase: SecretBytes?, restoring config: Config? = nil,
        nodePassphrase: SecretBytes? = nil, random: any RandomSource, time: any TimeSource
    ) async throws(Failure) -> JSONValue {
        let opener: NodeBackup.Opener
        if let identity {
            opener = .identity(try ageIdentity(identity))
        } else if let passphrase {
            opener = .passphrase(passphrase)
        } else {
            throw Failure(.usage, "say what opens the backup: --identity-file FILE or --passphrase-file FILE")
        }
        let backup = try await Loop.offload { () throws(Failure) in try NodeBackup.open(file, with: opener) }
        if let config {
            guard config.node.name.lowercased() == backup.domain else {
                throw Failure(
                    .configuration, "the backup is of \(backup.domain) and node.name is \(config.node.name); set it to restore this backup")
            }
            try await ServerState.create(config: config, passphrase: nodePassphrase, from: backup, random: random, time: time)
        }
        return .object(backup.summary)
    }

    /// The first secret key of an age identity file.
    private static func ageIdentity(_ file: SecretBytes) throws(Failure) -> AgeIdentity {
        try file.withExposed { bytes throws(Failure) in
            for line in bytes.split(whereSeparator: { $0 == 0x0a || $0 == 0x0d }) where line.first != UInt8(ascii: "#") {
                var text = Array(line)
                if let identity = try? AgeIdentity(text: SecretBytes(consuming: &text)) { return identity }
            }
            throw Failure(.badInput, "the identity file holds no AGE-SECRET-KEY-1 line; it is what age-keygen wrote")
        }
    }
}
