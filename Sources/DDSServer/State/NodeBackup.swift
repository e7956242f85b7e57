// What a backup of a node holds, as an age file. It brings a node back with its members, groups, invites and keys, under which
// agents know it; it holds no key of the spool and no mail, so that it can never undo an erasure.

import DDSCore
import DDSNode
import DDSSeal
import FoundationEssentials

struct NodeBackup: Sendable {
    /// Of the content's format.
    static let version: Int64 = 1
    /// Sizes beyond this are no backup of a node.
    static let bytesMax = 256 << 20

    var domain: String
    /// Seconds since 1970.
    var created: Int64
    var directory: Directory
    var tlsSeed: SecretBytes
    var nodeIdentity: SecretBytes
    var sealIdentity: SecretBytes
    /// Nil of a node that has none.
    var hybridIdentity: SecretBytes?
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
        sealIdentity = keys.sealIdentity.secretText()
        hybridIdentity = keys.hybridIdentity?.secretText()
        self.waiting = waiting
    }

    /// The keys of a node that is made of this, under a new master key.
    func keys(master: SecretBytes) throws(Failure) -> ServerKeys {
        do throws(AgeError) {
            return ServerKeys(
                master: master, tlsSeed: tlsSeed, nodeIdentity: SigningKey(seed: nodeIdentity),
                sealIdentity: try AgeIdentity(text: sealIdentity),
                hybridIdentity: try hybridIdentity.map { text throws(AgeError) in try AgeIdentity(text: text) })
        } catch {
            throw Failure(.badInput, "the backup holds a key that is none (\(error.text))")
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
                        nodeIdentity: nodeIdentity.withExposed { Hex.encode($0) },
                        sealIdentity: sealIdentity.withExposed { String(decoding: $0, as: UTF8.self) },
                        hybridIdentity: hybridIdentity?.withExposed { String(decoding: $0, as: UTF8.self) })))
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
            var identity = Hex.decode(fields.nodeIdentity), tls.count == 32, identity.count == SigningKey.seedBytes
        else { throw Failure(.badInput, "the backup's content is damaged; use another copy of it") }
        domain = fields.domain
        created = fields.created
        directory = fields.directory
        waiting = fields.waiting
        tlsSeed = SecretBytes(consuming: &tls)
        nodeIdentity = SecretBytes(consuming: &identity)
        var text = Array(fields.sealIdentity.utf8)
        sealIdentity = SecretBytes(consuming: &text)
        hybridIdentity = fields.hybridIdentity.map { text in
            var text = Array(text.utf8)
            return SecretBytes(consuming: &text)
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
        var sealIdentity: String
        var hybridIdentity: String?

        enum CodingKeys: String, CodingKey {
            case version = "ddsnode_backup"
            case domain, created, directory, waiting
            case tlsSeed = "tls_seed"
            case nodeIdentity = "node_identity"
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
