// What a backup of a node holds, as an age file. It brings a node back with its members, groups, invites and keys, under which
// agents know it; it holds no key of the spool, no seal key and no mail, so that it can never undo an erasure.

import DDSCore
import DDSNode
import DDSSeal
import FoundationEssentials

struct NodeBackup: Sendable {
    /// Of the content's format.
    static let version: Int64 = 2
    /// Sizes beyond this are no backup of a node.
    static let bytesMax = 256 << 20

    var domain: String
    /// Seconds since 1970.
    var created: Int64
    var directory: Directory
    var tlsSeed: SecretBytes
    var nodeIdentity: SecretBytes
    /// The number of the seal key of then. The node that is made of this goes on with a new key of a higher number.
    var sealNumber: UInt64
    /// What the seal key of then opens with, classical and hybrid: of a backup of version 1 only.
    var sealIdentities: [SecretBytes] = []
    /// Messages that waited when it was made and are not in it.
    var waiting: Int

    /// Who can open it.
    enum Holder: Sendable {
        case recipient(AgeRecipient)
        case passphrase(SecretBytes)
    }

    /// What opens it.
    enum Opener: Sendable {
        case identity(AgeIdentity)
        case passphrase(SecretBytes)
    }

    init(keys: ServerKeys, directory: Directory, domain: String, waiting: Int, at time: WallTime) {
        self.domain = domain
        created = time.milliseconds / 1000
        self.directory = directory
        tlsSeed = keys.tlsSeed
        nodeIdentity = keys.nodeIdentity.seed
        sealNumber = keys.seal.newest.number
        self.waiting = waiting
    }

    /// The keys of a node that is made of this at `now`, under a new master key.
    func keys(master: SecretBytes, now: WallTime, random: any RandomSource) throws(Failure) -> ServerKeys {
        ServerKeys(
            master: master, tlsSeed: tlsSeed, nodeIdentity: SigningKey(seed: nodeIdentity),
            seal: .restored(
                after: sealNumber, at: WallTime(milliseconds: created * 1000), keeping: try earlierKey(), now: now,
                random: random))
    }

    /// Agents of before know no other key than the one in a backup of version 1: it stays for its grace.
    private func earlierKey() throws(Failure) -> SealRing.Key? {
        var identities: [AgeIdentity] = []
        do throws(AgeError) {
            for text in sealIdentities { identities.append(try AgeIdentity(text: text)) }
        } catch {
            throw Failure(.badInput, "the backup holds a key that is none (\(error.text))")
        }
        return identities.first { $0.kind == .classical }.map { classical in
            SealRing.Key(
                number: sealNumber, made: WallTime(milliseconds: created * 1000), classical: classical,
                hybrid: identities.first { $0.kind == .hybrid })
        }
    }

    // MARK: The file

    /// The age file. A passphrase takes long: call it off the loop.
    func sealed(for holder: Holder, random: any RandomSource) throws(Failure) -> [UInt8] {
        let content = try encoded()
        do throws(AgeError) {
            switch holder {
            case .passphrase(let passphrase):
                return try PassphraseFile.seal(content, passphrase: passphrase, random: random)
            case .recipient(let recipient):
                var file = try AgeEncryptor(recipients: [recipient], armor: nil, random: random)
                return content.withExposed { file.update($0[...]) } + file.finish()
            }
        } catch {
            throw Failure(.badInput, "the backup could not be sealed (\(error.text)); check the recipient")
        }
    }

    /// Reads what `sealed` made. Throws with exit code 77 for the wrong identity or passphrase, 65 for anything that is no
    /// whole backup, 78 for one of a newer program.
    static func open(_ file: [UInt8], with opener: Opener) throws(Failure) -> NodeBackup {
        let unlock: AgeUnlock =
            switch opener {
            case .identity(let identity): .identities([identity])
            case .passphrase(let passphrase): .passphrase(passphrase)
            }
        var decryptor = AgeDecryptor(unlock: unlock)
        var content: [UInt8] = []
        defer { Wipe.zero(&content) }
        do throws(AgeError) {
            content = try decryptor.feed(file)
            content += try decryptor.finish()
        } catch AgeError.noMatch {
            throw Failure(.permission, "this identity or passphrase does not open the backup")
        } catch {
            throw Failure(.badInput, "this is no whole backup (\(error.text)); use another copy of it")
        }
        return try NodeBackup(content)
    }

    private func encoded() throws(Failure) -> SecretBytes {
        do {
            var bytes = [UInt8](
                try JSONEncoder().encode(
                    Content(
                        version: Self.version, domain: domain, created: created, directory: directory, waiting: waiting,
                        tlsSeed: tlsSeed.withExposed { Hex.encode($0) },
                        nodeIdentity: nodeIdentity.withExposed { Hex.encode($0) }, sealNumber: sealNumber)))
            return SecretBytes(consuming: &bytes)
        } catch {
            throw Failure(.bug, "the backup could not be encoded: \(error)")
        }
    }

    private init(_ content: [UInt8]) throws(Failure) {
        guard let head = JSONValue(parsing: content), let version = head["ddsnode_backup"]?.integer else {
            throw Failure(.badInput, "this age file holds no backup of a node")
        }
        guard version <= Self.version else {
            throw Failure(.configuration, "a newer ddsnode made this backup (version \(version)); install that one")
        }
        guard let fields = try? JSONDecoder().decode(Content.self, from: Data(content)), var tls = Hex.decode(fields.tlsSeed),
            var identity = Hex.decode(fields.nodeIdentity), tls.count == 32, identity.count == SigningKey.seedBytes,
            0..<(1 << 40) ~= fields.created, version == 1 ? fields.sealIdentity != nil : 1..<(1 << 62) ~= fields.sealNumber ?? 0
        else { throw Failure(.badInput, "the backup's content is damaged; use another copy of it") }
        domain = fields.domain
        created = fields.created
        directory = fields.directory
        waiting = fields.waiting
        tlsSeed = SecretBytes(consuming: &tls)
        nodeIdentity = SecretBytes(consuming: &identity)
        sealNumber = fields.sealNumber ?? 1
        sealIdentities = [fields.sealIdentity, fields.hybridIdentity].compactMap { text in
            guard let text else { return nil }
            var bytes = Array(text.utf8)
            return SecretBytes(consuming: &bytes)
        }
    }

    private struct Content: Codable {
        var version: Int64
        var domain: String
        var created: Int64
        var directory: Directory
        var waiting: Int
        var tlsSeed: String
        var nodeIdentity: String
        var sealNumber: UInt64?
        /// Of version 1, and so the next.
        var sealIdentity: String?
        var hybridIdentity: String?

        enum CodingKeys: String, CodingKey {
            case version = "ddsnode_backup"
            case domain, created, directory, waiting
            case tlsSeed = "tls_seed"
            case nodeIdentity = "node_identity"
            case sealNumber = "seal_key"
            case sealIdentity = "seal_identity"
            case hybridIdentity = "seal_identity_hybrid"
        }
    }

    // MARK: In words

    /// What is in it, for people and scripts.
    var summary: [String: JSONValue] {
        [
            "node": .text(domain), "created": .text(CivilTime(secondsSinceEpoch: created).rfc3339),
            "users": .number(directory.accounts.count), "groups": .number(directory.groups.count),
            "invites": .number(directory.invites.count), "not_included": .number(waiting),
        ]
    }
}
