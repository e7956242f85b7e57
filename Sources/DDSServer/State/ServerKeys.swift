// The node's own keys and where they lie: everything is sealed under the master key. Made once by `init`; a missing file is an
// error and never a fresh start.

import DDSCore
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
    var keys: String { path + "/node.keys" }
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
    let master: SecretBytes
    /// Ed25519 seed of the TLS certificate.
    let tlsSeed: SecretBytes
    /// Signs what the node says about itself: heads, delivery states, notices. Never changes.
    let nodeIdentity: SigningKey
    /// Opens what members seal to the node with a program that knows classical keys only.
    let sealIdentity: AgeIdentity
    /// Opens what members' agents seal to the node; nil of a node from before there were hybrid keys.
    let hybridIdentity: AgeIdentity?

    init(
        master: SecretBytes, tlsSeed: SecretBytes, nodeIdentity: SigningKey, sealIdentity: AgeIdentity, hybridIdentity: AgeIdentity?
    ) {
        self.master = master
        self.tlsSeed = tlsSeed
        self.nodeIdentity = nodeIdentity
        self.sealIdentity = sealIdentity
        self.hybridIdentity = hybridIdentity
    }

    /// Everything that opens what was sealed to the node.
    var sealIdentities: [AgeIdentity] { [sealIdentity] + (hybridIdentity.map { [$0] } ?? []) }

    /// The best key to seal to.
    var sealRecipient: AgeRecipient { (hybridIdentity ?? sealIdentity).recipient }

    private static let binding = Array("ddsnode/v1/node-keys".utf8)
    private static let seedBytes = 32

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
            master: master, tlsSeed: .random(seedBytes), nodeIdentity: .generate(), sealIdentity: .generate(random: random),
            hybridIdentity: .generate(kind: .hybrid, random: random))
    }

    /// Writes the file of the node's keys.
    func write(to folder: ServerFolder, random: any RandomSource) throws(Failure) {
        do {
            try HostFiles.makeFolders(folder.path)
            try HostFiles.write(folder.keys, sealed(random))
        } catch {
            throw Failure(.cannotCreate, "cannot write the node's keys in \(folder.path): \(error)")
        }
    }

    /// Reads the keys that `create` wrote.
    static func open(in folder: ServerFolder, master: SecretBytes) throws(Failure) -> ServerKeys {
        guard HostFiles.exists(folder.keys) else {
            throw Failure(.fileMissing, "the node's keys \(folder.keys) are missing; restore them from a backup. Nothing was changed")
        }
        do {
            let file = try HostFiles.read(folder.keys, limit: 1 << 20)
            guard var content = SealedStoreBox.open(file, key: wrapKey(master), associated: binding), content.count > 2 * seedBytes else {
                throw Failure(.badInput, "\(folder.keys) does not open with \(folder.keyring); they belong to different nodes or one is damaged")
            }
            defer { Wipe.zero(&content) }
            var seed = Array(content[..<seedBytes])
            var identity = Array(content[seedBytes..<2 * seedBytes])
            var identities: [AgeIdentity] = []
            for line in content[(2 * seedBytes)...].split(separator: 0x0a) {
                var text = Array(line)
                identities.append(try AgeIdentity(text: SecretBytes(consuming: &text)))
            }
            guard let sealIdentity = identities.first(where: { $0.kind == .classical }) else { throw AgeError.badIdentity }
            return ServerKeys(
                master: master, tlsSeed: SecretBytes(consuming: &seed),
                nodeIdentity: SigningKey(seed: SecretBytes(consuming: &identity)),
                sealIdentity: sealIdentity, hybridIdentity: identities.first { $0.kind == .hybrid })
        } catch let failure as Failure {
            throw failure
        } catch {
            throw Failure(.inputOutput, "the node's keys in \(folder.path) cannot be read: \(error)")
        }
    }

    private func sealed(_ random: any RandomSource) -> [UInt8] {
        var content: [UInt8] = []
        // Room for all of it: an array that grows leaves copies of the keys behind.
        content.reserveCapacity(1024)
        tlsSeed.withExposed { content += $0 }
        nodeIdentity.seed.withExposed { content += $0 }
        for (index, identity) in sealIdentities.enumerated() {
            if index > 0 { content.append(0x0a) }
            identity.secretText().withExposed { content += $0 }
        }
        defer { Wipe.zero(&content) }
        return SealedStoreBox.seal(content, key: Self.wrapKey(master), associated: Self.binding, random: random)
    }

    private static func wrapKey(_ master: SecretBytes) -> SecretBytes {
        DeriveKey.subkey(master, number: 1, context: "DDSsrvky")
    }
}
