// The node's own keys and where they lie: a root key in a file of its own, everything else sealed under it. Made once by
// `init`; a missing file is an error and never a fresh start.

import DDSCore
import DDSLoop
import DDSNode
import DDSSeal
import FoundationEssentials

/// The files of a node's state folder.
struct ServerFolder: Sendable {
    /// `state_dir/server`.
    let path: String

    init(stateDir: String) {
        path = stateDir + "/server"
    }

    /// 32 random bytes, 0600: who has this and the other files can open what they hold.
    var rootKey: String { path + "/root.key" }
    /// The TLS seed and the seal identity, sealed under the root key.
    var keys: String { path + "/node.keys" }
    /// The node's certificate for people who pin it in other programs; public.
    var certificate: String { path + "/certificate.pem" }
    var spool: String { path + "/spool" }

    var isInitialised: Bool { HostFiles.exists(keys) || HostFiles.exists(rootKey) || HostFiles.exists(spool) }
}

final class ServerKeys: Sendable {
    let root: SecretBytes
    /// Ed25519 seed of the TLS certificate.
    let tlsSeed: SecretBytes
    /// Opens what members seal to the node.
    let sealIdentity: AgeIdentity

    private init(root: SecretBytes, tlsSeed: SecretBytes, sealIdentity: AgeIdentity) {
        self.root = root
        self.tlsSeed = tlsSeed
        self.sealIdentity = sealIdentity
    }

    private static let binding = Array("ddsnode/v1/node-keys".utf8)

    /// Makes new keys and writes them. The folder must not hold any.
    static func create(in folder: ServerFolder, random: any RandomSource) throws(Failure) -> ServerKeys {
        let keys = ServerKeys(root: .random(32), tlsSeed: .random(32), sealIdentity: .generate(random: random))
        do {
            try HostFiles.makeFolders(folder.path)
            try keys.root.withExposed { try HostFiles.write(folder.rootKey, $0) }
            try HostFiles.write(folder.keys, keys.sealed(random))
        } catch {
            throw Failure(.cannotCreate, "cannot write the node's keys in \(folder.path): \(error)")
        }
        return keys
    }

    /// Reads the keys that `create` wrote.
    static func open(in folder: ServerFolder) throws(Failure) -> ServerKeys {
        guard HostFiles.exists(folder.keys) else {
            throw Failure(.fileMissing, "there is no node in \(folder.path) yet; make one with: ddsnode init server")
        }
        guard HostFiles.exists(folder.rootKey) else {
            throw Failure(.fileMissing, "the root key \(folder.rootKey) is missing; put it back from where you keep it. Nothing was changed")
        }
        do {
            var rootBytes = try HostFiles.read(folder.rootKey, limit: 4096)
            guard rootBytes.count == 32 else { throw Failure(.badInput, "\(folder.rootKey) is no root key; put the right one back") }
            let root = SecretBytes(consuming: &rootBytes)
            let file = try HostFiles.read(folder.keys, limit: 1 << 20)
            guard var content = SealedStoreBox.open(file, key: wrapKey(root), associated: binding), content.count > 32 else {
                throw Failure(.badInput, "\(folder.keys) does not open with \(folder.rootKey); they belong to different nodes or one is damaged")
            }
            defer { Wipe.zero(&content) }
            var seed = Array(content[..<32])
            var text = Array(content[32...])
            return ServerKeys(
                root: root, tlsSeed: SecretBytes(consuming: &seed), sealIdentity: try AgeIdentity(text: SecretBytes(consuming: &text)))
        } catch let failure as Failure {
            throw failure
        } catch {
            throw Failure(.inputOutput, "the node's keys in \(folder.path) cannot be read: \(error)")
        }
    }

    private func sealed(_ random: any RandomSource) -> [UInt8] {
        var content: [UInt8] = []
        tlsSeed.withExposed { content += $0 }
        sealIdentity.secretText().withExposed { content += $0 }
        defer { Wipe.zero(&content) }
        return SealedStoreBox.seal(content, key: Self.wrapKey(root), associated: Self.binding, random: random)
    }

    private static func wrapKey(_ root: SecretBytes) -> SecretBytes {
        DeriveKey.subkey(root, number: 1, context: "DDSsrvky")
    }
}
