// Everything a node keeps, opened: keys, certificate, spool, directory. The same for a running node and for a command that
// works on a stopped one.

import DDSCore
import DDSLoop
import DDSNode
import DDSSeal
import DDSSpool
import DDSTLS
import Logging

@LoopActor final class ServerState {
    /// 2026-01-01 and 24 years: the certificate is the same after every start, as whoever pinned the file expects, and it is
    /// the key that agents pin, not its dates.
    private static var certificateStart: WallTime { WallTime(milliseconds: 1_767_225_600_000) }
    private static var certificateDays: Int { 24 * 365 }

    let keys: ServerKeys
    private(set) var identity: TLSIdentity
    let spool: EmbeddedSpool
    let store: DirectoryStore

    private init(keys: ServerKeys, identity: TLSIdentity, spool: EmbeddedSpool, store: DirectoryStore) {
        self.keys = keys
        self.identity = identity
        self.spool = spool
        self.store = store
    }

    /// `ddsnode init server`: keys, certificate, empty spool; or those of `backup` with its members and groups. Refuses to
    /// overwrite anything. `passphrase` goes with server.keys.master = "passphrase".
    static func create(
        config: Config, passphrase: SecretBytes?, from backup: NodeBackup? = nil, random: any RandomSource, time: any TimeSource
    ) async throws(Failure) {
        let folder = ServerFolder(stateDir: config.node.stateDirectory)
        guard !folder.isInitialised else {
            throw Failure(.cannotCreate, "there is a node in \(folder.path) already; it was left as it is. Choose another node.state_dir for a new one")
        }
        let master = try await MasterKey.create(in: folder, config.server.keys.master, passphrase: passphrase, random: random)
        let keys = try backup?.keys(master: master, now: time.wall, random: random) ?? ServerKeys.generate(master: master, random: random)
        try keys.write(to: folder, random: random)
        try await EmbeddedSpool.create(folder: folder.spool, keys: folder.spoolKeys(keys.spoolKey), bodyBytes: config.server.spool.segmentSize, random: random, time: time)
        let identity = try certificate(config: config, keys: keys)
        do {
            try HostFiles.write(folder.certificate, identity.certificatePEM, mode: 0o644)
        } catch {
            throw Failure(.cannotCreate, "cannot write \(folder.certificate): \(error)")
        }
        guard let backup else { return }
        let state = try await open(config: config, passphrase: passphrase, random: random, time: time, onSpoolStopped: { _ in })
        do throws(Failure) {
            try await state.store.change { _ throws(Failure) in [.checkpoint(backup.directory)] }
            await state.close()
        } catch {
            await state.close()
            throw error
        }
    }

    /// Opens a node. Throws with exit code 75 when another process has it open, 77 when it wants a passphrase and got none
    /// or a wrong one.
    static func open(
        config: Config, passphrase: SecretBytes?, random: any RandomSource, time: any TimeSource,
        onSpoolStopped: @escaping @LoopActor @Sendable (String) -> Void
    ) async throws(Failure) -> ServerState {
        let folder = ServerFolder(stateDir: config.node.stateDirectory)
        let master = try await MasterKey.open(in: folder, config.server.keys.master, passphrase: passphrase)
        let keys = try ServerKeys.open(in: folder, master: master)
        let identity = try certificate(config: config, keys: keys)
        let spool = try await EmbeddedSpool.open(
            folder: folder.spool, keys: folder.spoolKeys(keys.spoolKey), acceptLoss: config.acceptLoss, random: random, time: time,
            onStopped: onSpoolStopped)
        do throws(Failure) {
            return ServerState(keys: keys, identity: identity, spool: spool, store: try await DirectoryStore.open(spool: spool))
        } catch {
            await spool.close()
            throw error
        }
    }

    /// Reads the certificate again, which may have been renewed.
    func reloadIdentity(config: Config, time: any TimeSource) throws(Failure) {
        identity = try Self.certificate(config: config, keys: keys)
    }

    func close() async { await spool.close() }

    /// What invites say about this node; ports as they are really bound, when it runs.
    func facts(config: Config, pop3sPort: UInt16?, submissionsPort: UInt16?) -> NodeFacts {
        NodeFacts(
            domain: config.node.name.lowercased(), host: config.node.host.isEmpty ? config.node.name : config.node.host,
            pop3sPort: pop3sPort ?? Self.port(config.server.listen.pop3s) ?? InviteLink.defaultPorts.pop3s,
            submissionsPort: submissionsPort ?? Self.port(config.server.listen.submissions) ?? InviteLink.defaultPorts.submissions,
            keyHash: identity.keyHash)
    }

    private static func port(_ listeners: [String]) -> UInt16? {
        for text in listeners {
            if case .tcp(_, let port) = Endpoint(text), port != 0 { return port }
        }
        return nil
    }

    private static func certificate(config: Config, keys: ServerKeys) throws(Failure) -> TLSIdentity {
        do {
            if !config.server.tls.certificateFile.isEmpty {
                return try TLSIdentity(
                    certificatePEM: HostFiles.read(config.server.tls.certificateFile, limit: 1 << 20),
                    keyPEM: HostFiles.read(config.server.tls.keyFile, limit: 1 << 20))
            }
            let name = config.node.host.isEmpty ? config.node.name : config.node.host
            return try keys.tlsSeed.withExposed { seed in
                try TLSIdentity.selfSigned(
                    seed: seed, commonName: name, notBefore: certificateStart, lifetimeDays: certificateDays)
            }
        } catch {
            throw Failure(.configuration, "the TLS certificate cannot be used: \(error); check server.tls.certificate_file and key_file")
        }
    }
}
