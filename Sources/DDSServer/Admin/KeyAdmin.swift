// The commands behind `keyring` and `backup`: who holds a way to the node's master key, and a copy of what a node is. Answered
// by a running node and, through the same code, by the command line for a stopped one.

import DDSCore
import DDSLoop
import DDSNode
import DDSSeal
import DDSSpool

@LoopActor final class KeyAdmin {
    private let folder: ServerFolder
    private let keys: ServerKeys
    private let store: DirectoryStore
    private let spool: any SpoolEngine
    private let domain: String
    private let master: Config.Server.MasterKey
    private let sealKeeper: SealKeeper
    private let time: any TimeSource
    private let random: any RandomSource

    init(state: ServerState, config: Config, sealKeeper: SealKeeper, time: any TimeSource, random: any RandomSource) {
        folder = ServerFolder(stateDir: config.node.stateDirectory)
        keys = state.keys
        store = state.store
        spool = state.spool
        domain = config.node.name.lowercased()
        master = config.server.keys.master
        self.sealKeeper = sealKeeper
        self.time = time
        self.random = random
    }

    /// Makes the commands known.
    func register(in commands: ControlCommands) {
        commands.register("keyring.list") { [self] _, _ throws(Failure) in try list() }
        commands.register("keyring.add") { [self] request, _ throws(Failure) in try await add(request) }
        commands.register("keyring.remove") { [self] request, _ throws(Failure) in try remove(request) }
        commands.register("keyring.rotate") { [self] _, _ throws(Failure) in
            try await sealKeeper.rotate()
            return SealKeeper.describe(keys.seal, kept: sealKeeper.kept, now: time.wall)
        }
        commands.register("backup.create") { [self] request, _ throws(Failure) in try await backup(request) }
    }

    // MARK: Keyring

    private func list() throws(Failure) -> JSONValue {
        Self.describe(try MasterKey.keyring(in: folder), inUse: master.slot)
    }

    nonisolated private static func describe(_ keyring: Keyring, inUse: KeySlot.Kind) -> JSONValue {
        .list(
            keyring.slots.map { slot in
                var row: [String: JSONValue] = ["kind": .text(slot.kind.rawValue), "in_use": .bool(slot.kind == inUse)]
                if !slot.recipient.isEmpty { row["recipient"] = .text(slot.recipient) }
                return .object(row)
            })
    }

    private func kind(_ request: ControlRequest) throws(Failure) -> KeySlot.Kind {
        let name = try request.text("kind")
        guard let kind = KeySlot.Kind(rawValue: name) else {
            throw Failure(
                .usage,
                "there is no slot \"\(name)\"; slots are \(KeySlot.Kind.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        return kind
    }

    private func add(_ request: ControlRequest) async throws(Failure) -> JSONValue {
        let kind = try kind(request)
        let current = try MasterKey.keyring(in: folder)
        if kind == .file {
            try await MasterKey.store(keys.master, current, for: .file, passphrase: nil, in: folder, random: random)
            return try list()
        }
        let change = try change(to: kind, request)
        try MasterKey.write(try await Loop.offload { () throws(Failure) in try change(current) }, in: folder)
        return try list()
    }

    private func change(
        to kind: KeySlot.Kind, _ request: ControlRequest
    ) throws(Failure) -> @Sendable (Keyring) throws(Failure) -> Keyring {
        let (master, random) = (keys.master, random)
        if kind == .recovery {
            let text = request.arguments["recipient"]?.string ?? ""
            guard let recipient = try? AgeRecipient(text) else {
                throw Failure(.badInput, "\"\(text)\" is no age recipient; make one with: age-keygen -o recovery.txt")
            }
            return { keyring throws(Failure) in
                var changed = keyring
                try changed.sealRecovery(master, to: recipient, random: random)
                return changed
            }
        }
        let secret = try Self.secret(for: kind, request)
        return { keyring throws(Failure) in
            var changed = keyring
            try changed.seal(master, for: kind, secret, random: random)
            return changed
        }
    }

    private static func secret(for kind: KeySlot.Kind, _ request: ControlRequest) throws(Failure) -> SlotSecret {
        if kind == .passphrase {
            guard var bytes = request.arguments["passphrase"]?.string.map({ Array($0.utf8) }), !bytes.isEmpty else {
                throw Failure(.usage, "the slot passphrase wants --passphrase-file FILE")
            }
            return .passphrase(SecretBytes(consuming: &bytes))
        }
        guard var bytes = request.arguments["key"]?.string.flatMap({ Hex.decode($0) }), bytes.count == Keyring.keyBytes else {
            throw Failure(.usage, "the slot \(kind.rawValue) wants --key-file FILE with 32 random bytes")
        }
        return .key(SecretBytes(consuming: &bytes))
    }

    private func remove(_ request: ControlRequest) throws(Failure) -> JSONValue {
        let kind = try kind(request)
        guard kind != master.slot else {
            throw Failure(.badInput, "the node starts with the slot \(kind.rawValue) (server.keys.master); change that first")
        }
        var keyring = try MasterKey.keyring(in: folder)
        try keyring.remove(kind)
        try MasterKey.write(keyring, in: folder)
        return try list()
    }

    // MARK: Backup

    private func backup(_ request: ControlRequest) async throws(Failure) -> JSONValue {
        let holder = try holder(request)
        let waiting = try await waitingMessages()
        let backup = NodeBackup(keys: keys, directory: store.directory, domain: domain, waiting: waiting, at: time.wall)
        let random = random
        let file = try await Loop.offload { () throws(Failure) in try backup.sealed(for: holder, random: random) }
        var result = backup.summary
        result["file"] = .text(String(decoding: Base64.encode(file), as: UTF8.self))
        return .object(result)
    }

    private func waitingMessages() async throws(Failure) -> Int {
        do throws(SpoolError) {
            return try await spool.mailboxes().filter { $0.key.rawValue >= Directory.firstMailbox }.values.reduce(0) {
                $0 + $1.count
            }
        } catch {
            throw Failure(.inputOutput, "the spool cannot be read: \(error)")
        }
    }

    /// Who the request names, or else the administrator's recovery recipient.
    private func holder(_ request: ControlRequest) throws(Failure) -> NodeBackup.Holder {
        if var bytes = request.arguments["passphrase"]?.string.map({ Array($0.utf8) }), !bytes.isEmpty {
            return .passphrase(SecretBytes(consuming: &bytes))
        }
        let standard = try MasterKey.keyring(in: folder)[.recovery]?.recipient
        guard let text = request.arguments["recipient"]?.string ?? standard else {
            throw Failure(.usage, "say who may open the backup: --recipient age1... or --passphrase-file FILE")
        }
        guard let recipient = try? AgeRecipient(text) else {
            throw Failure(.badInput, "\"\(text)\" is no age recipient; make one with: age-keygen -o backup.txt")
        }
        return .recipient(recipient)
    }
}
