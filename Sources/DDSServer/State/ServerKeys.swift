// The node's own keys and where they lie: everything is sealed under the master key. Made once by `init`; a missing file is an
// error and never a fresh start. Of the keys in the file the seal keys change; when, SealRing and SealKeeper say.

import DDSCore
import DDSLock
import DDSLoop
import DDSNode
import DDSSeal

/// The files of a node's state folder.
struct ServerFolder: Sendable {
    /// `state_dir/server`.
    let path: String

    init(stateDir: String) {
        path = stateDir + "/server"
    }

    /// The master key, sealed for each of its holders.
    var keyring: String { path + "/keyring" }
    /// 32 random bytes, 0600, that open the keyring where server.keys.master is "file".
    var masterKey: String { path + "/master.key" }
    /// The TLS seed, the node identity and the seal identities, sealed under the master key.
    var keys: String { path + "/" + ServerKeys.fileName }
    /// The node's certificate for people who pin it in other programs; public.
    var certificate: String { path + "/certificate.pem" }
    var spool: String { path + "/spool" }

    /// The roots that the spool's keys hang on.
    var roots: String { path + "/" + SpoolRoots.fileName }

    var isInitialised: Bool { [keyring, masterKey, keys, spool, roots].contains { HostFiles.exists($0) } }

    /// Where the spool's root comes from, sealed under `wrap`.
    func spoolKeys(_ wrap: SecretBytes) -> SpoolKeySource { .rotating(folder: path, wrap: wrap) }
}

final class ServerKeys: Sendable {
    static let fileName = "node.keys"

    let master: SecretBytes
    /// Ed25519 seed of the TLS certificate.
    let tlsSeed: SecretBytes
    /// Signs what the node says about itself: heads, its seal key, delivery states, notices. Never changes.
    let nodeIdentity: SigningKey
    private let sealing: Lock<SealRing>

    init(master: SecretBytes, tlsSeed: SecretBytes, nodeIdentity: SigningKey, seal: SealRing) {
        self.master = master
        self.tlsSeed = tlsSeed
        self.nodeIdentity = nodeIdentity
        sealing = Lock(seal)
    }

    /// The seal keys as they are now.
    var seal: SealRing { sealing.withLock { $0 } }

    /// Everything that opens what is sealed to the node now. Whoever began with it may end with it.
    var sealIdentities: [AgeIdentity] { seal.identities }

    /// The key that what is held is sealed to.
    var holdRecipient: AgeRecipient { seal.hold?.recipient ?? seal.newest.best }

    /// Everything that opens what is held: also what was sealed to a seal key, before there was a key for it alone.
    var holdIdentities: [AgeIdentity] { (seal.hold.map { [$0] } ?? []) + seal.identities }

    /// The capabilities that announce the newest seal key of the node `domain`, with the signed statement about it.
    func announcement(of domain: String) -> [String] {
        let ring = seal
        return SealAnnouncement.capabilities(ring.newest.identities.map(\.recipient))
            + [ring.statement.capability(of: domain, signedBy: nodeIdentity)]
    }

    private static let binding = Array("ddsnode/v1/node-keys".utf8)
    private static let seedBytes = 32
    /// The first line behind the seeds; before there was a ring the first seal identity stood there.
    private static let title = Array("# ddsnode node keys 2".utf8)

    /// What the spool's root keys are sealed under.
    var spoolKey: SecretBytes { DeriveKey.subkey(master, number: 1, context: "DDSkring") }

    /// New keys under `master`, written to `folder`, which must not hold any.
    static func create(
        in folder: ServerFolder, master: SecretBytes = .random(32), random: any RandomSource
    ) throws(Failure) -> ServerKeys {
        let keys = generate(master: master, random: random)
        try keys.write(to: folder, random: random)
        return keys
    }

    /// New keys, written nowhere yet.
    static func generate(master: SecretBytes, random: any RandomSource) -> ServerKeys {
        ServerKeys(
            master: master, tlsSeed: .random(seedBytes), nodeIdentity: .generate(), seal: .first(random: random))
    }

    /// Writes the file of the node's keys where none is yet.
    func write(to folder: ServerFolder, random: any RandomSource) throws(Failure) {
        do {
            try HostFiles.makeFolders(folder.path)
            try HostFiles.write(folder.keys, sealed(seal, random))
        } catch {
            throw Failure(.cannotCreate, "cannot write the node's keys in \(folder.path): \(error)")
        }
    }

    /// Makes `ring` the node's: first durable, with what was there destroyed, then in use. When it throws the one before stays in
    /// use, and the file holds the one or the other. One caller at a time, who has the node open; not on the loop's thread.
    func adopt(_ ring: SealRing, on disk: any Disk, random: any RandomSource) throws(DiskError) {
        try ErasingFile(Self.fileName, on: disk).store(sealed(ring, random))
        sealing.withLock { $0 = ring }
    }

    /// Destroys what an interrupted change has left.
    static func tidy(on disk: any Disk) throws(DiskError) { try ErasingFile(fileName, on: disk).tidy() }

    /// Reads the keys that `create` wrote.
    static func open(in folder: ServerFolder, master: SecretBytes) throws(Failure) -> ServerKeys {
        let disk: PosixDisk
        do throws(DiskError) {
            disk = try PosixDisk(path: folder.path, createFolder: false)
        } catch {
            throw Failure(.inputOutput, "the node's keys in \(folder.path) cannot be read: \(error)")
        }
        return try open(on: disk, in: folder, master: master)
    }

    /// The same from any disk; `folder` is named in the sentences.
    static func open(on disk: any Disk, in folder: ServerFolder, master: SecretBytes) throws(Failure) -> ServerKeys {
        let file: [UInt8]
        do throws(DiskError) {
            file = try ErasingFile(fileName, on: disk).contents()
        } catch {
            guard error.kind != .notFound else {
                throw Failure(
                    .fileMissing, "the node's keys \(folder.keys) are missing; restore them from a backup. Nothing was changed")
            }
            guard error.kind != .readOnly else { throw .readOnly(folder.path) }
            throw Failure(.inputOutput, "the node's keys in \(folder.path) cannot be read: \(error)")
        }
        guard var content = SealedStoreBox.open(file, key: wrapKey(master), associated: binding),
            content.count > 2 * seedBytes
        else {
            throw Failure(
                .badInput,
                "\(folder.keys) does not open with \(folder.keyring); they belong to different nodes or one is damaged")
        }
        defer { Wipe.zero(&content) }
        guard let ring = ring(content[(2 * seedBytes)...]) else {
            throw Failure(
                .inputOutput,
                "the node's keys in \(folder.path) cannot be read: there is no seal key in them that this ddsnode knows")
        }
        var seed = Array(content[..<seedBytes])
        var identity = Array(content[seedBytes..<2 * seedBytes])
        return ServerKeys(
            master: master, tlsSeed: SecretBytes(consuming: &seed),
            nodeIdentity: SigningKey(seed: SecretBytes(consuming: &identity)), seal: ring)
    }

    // MARK: Content

    /// Behind the seeds a title, then a line for the key of what is held and one for each seal key: number, when it was made in
    /// milliseconds since 1970 or 0, the identities.
    private func sealed(_ ring: SealRing, _ random: any RandomSource) -> [UInt8] {
        var content: [UInt8] = []
        // Room for all of it: an array that grows leaves copies of the keys behind.
        content.reserveCapacity(1024 + 256 * ring.keys.count)
        defer { Wipe.zero(&content) }
        tlsSeed.withExposed { content += $0 }
        nodeIdentity.seed.withExposed { content += $0 }
        content += Self.title
        if let hold = ring.hold {
            content += Array("\nhold ".utf8)
            hold.secretText().withExposed { content += $0 }
        }
        for key in ring.keys {
            content += Array("\n\(key.number) \(key.made?.milliseconds ?? 0)".utf8)
            for identity in key.identities {
                content.append(0x20)
                identity.secretText().withExposed { content += $0 }
            }
        }
        return SealedStoreBox.seal(content, key: Self.wrapKey(master), associated: Self.binding, random: random)
    }

    private static func ring(_ text: ArraySlice<UInt8>) -> SealRing? {
        let lines = text.split(separator: 0x0a)
        guard lines.first?.elementsEqual(title) == true else {
            let identities = lines.compactMap { identity($0) }
            guard identities.count == lines.count, let classical = identities.first(where: { $0.kind == .classical }) else {
                return nil
            }
            return .ofBefore(classical: classical, hybrid: identities.first { $0.kind == .hybrid })
        }
        var keys: [SealRing.Key] = []
        var hold: AgeIdentity?
        for line in lines.dropFirst() {
            let words = line.split(separator: 0x20)
            let identities = words.compactMap { identity($0) }
            if words.count == 2, words[0].elementsEqual("hold".utf8), identities.count == 1 {
                hold = identities[0]
                continue
            }
            guard words.count == identities.count + 2, let number = UInt64(String(decoding: words[0], as: UTF8.self)),
                let made = Int64(String(decoding: words[1], as: UTF8.self)), made >= 0,
                let classical = identities.first(where: { $0.kind == .classical })
            else { return nil }
            keys.append(
                SealRing.Key(
                    number: number, made: made == 0 ? nil : WallTime(milliseconds: made), classical: classical,
                    hybrid: identities.first { $0.kind == .hybrid }))
        }
        return SealRing(keys, hold: hold)
    }

    private static func identity(_ word: ArraySlice<UInt8>) -> AgeIdentity? {
        var text = Array(word)
        return try? AgeIdentity(text: SecretBytes(consuming: &text))
    }

    private static func wrapKey(_ master: SecretBytes) -> SecretBytes {
        DeriveKey.subkey(master, number: 1, context: "DDSsrvky")
    }
}
