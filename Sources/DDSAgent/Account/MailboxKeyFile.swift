// The file of the mailbox keys, `mailbox.keys`: sealed under a key of the vault, so that a key can be made or destroyed without
// the passphrase. A rewrite is opened again before it takes the old file's place, and what the old file was is overwritten.

import DDSCore
import DDSLoop
import DDSNode
import DDSSeal

struct MailboxKeyFile: Sendable {
    let path: String

    private static let binding = Array("ddsnode/v1/mailbox-keys".utf8)
    private static let title = "# ddsnode mailbox keys 1"

    var exists: Bool { HostFiles.exists(path) }
    /// What a rewrite is called until it has proven itself.
    private var unproven: String { path + ".new" }

    func load(_ vault: VaultKeys) throws(Failure) -> MailboxRing {
        guard exists else {
            throw Failure(
                .fileMissing,
                "the mailbox keys \(path) are missing; put them back from a backup of the state folder, nothing was changed")
        }
        let file: [UInt8]
        do {
            file = try HostFiles.read(path, limit: 1 << 20)
        } catch {
            throw Failure(.inputOutput, "cannot read \(path): \(error)")
        }
        guard let ring = Self.opened(file, vault) else {
            throw Failure(
                .badInput, "\(path) is damaged or belongs to another keys.age; restore it from a backup, nothing was changed")
        }
        return ring
    }

    /// Writes the keys durably and overwrites what was there. When it throws the old file is as it was.
    func save(_ ring: MailboxRing, _ vault: VaultKeys, random: any RandomSource) throws(Failure) {
        do {
            try HostFiles.write(unproven, Self.sealed(ring, vault, random))
            let again = Self.opened(try HostFiles.read(unproven, limit: 1 << 20), vault)
            guard let again, again.keys.map(\.identity.recipient) == ring.keys.map(\.identity.recipient) else {
                throw Failure(
                    .inputOutput, "\(unproven) came back different from the disk; the mailbox keys were left as they were")
            }
            try HostFiles.replaceErasing(path, by: unproven)
        } catch let failure as Failure {
            throw failure
        } catch {
            throw Failure(.cannotCreate, "cannot write \(path): \(error)")
        }
    }

    // MARK: Content

    private static func wrapKey(_ vault: VaultKeys) -> SecretBytes {
        DeriveKey.subkey(vault.storeKey, number: 1, context: "DDSmboxk")
    }

    /// A line for each earlier statement, then one for each key: number, since when, whether the node knows it, the private key, the statement.
    private static func sealed(_ ring: MailboxRing, _ vault: VaultKeys, _ random: any RandomSource) -> [UInt8] {
        var content: [UInt8] = []
        // Room for all of it: an array that grows leaves copies of the keys behind.
        content.reserveCapacity(1024 + (ring.keys.count + ring.earlier.count) * (256 + 2 * MailboxStatement.bytesMax))
        defer { Wipe.zero(&content) }
        content += Array(title.utf8)
        for statement in ring.earlier { content += Array("\nearlier ".utf8) + Base64.encode(statement) }
        for key in ring.keys {
            content += Array("\n\(key.number) \(key.since.milliseconds) \(key.isConfirmed ? "known" : "new") ".utf8)
            key.identity.secretText().withExposed { content += $0 }
            content += [0x20] + Base64.encode(key.statement) + Array(".".utf8)
        }
        return SealedStoreBox.seal(content, key: wrapKey(vault), associated: binding, random: random)
    }

    private static func opened(_ file: [UInt8], _ vault: VaultKeys) -> MailboxRing? {
        guard var content = SealedStoreBox.open(file, key: wrapKey(vault), associated: binding) else { return nil }
        defer { Wipe.zero(&content) }
        let lines = content.split(separator: 0x0a)
        guard lines.first?.elementsEqual(title.utf8) == true else { return nil }
        var keys: [MailboxRing.Key] = []
        var earlier: [[UInt8]] = []
        for line in lines.dropFirst() {
            let words = line.split(separator: 0x20)
            if words.count == 2, words[0].elementsEqual("earlier".utf8) {
                guard let statement = Base64.decode(words[1]) else { return nil }
                earlier.append(statement)
                continue
            }
            guard words.count == 5, let number = UInt64(String(decoding: words[0], as: UTF8.self)),
                let since = Int64(String(decoding: words[1], as: UTF8.self)), words[4].last == 0x2e,
                let statement = Base64.decode(words[4].dropLast())
            else { return nil }
            var text = Array(words[3])
            guard let identity = try? AgeIdentity(text: SecretBytes(consuming: &text)) else { return nil }
            keys.append(
                MailboxRing.Key(
                    number: number, since: WallTime(milliseconds: since), identity: identity, statement: statement,
                    isConfirmed: words[2].elementsEqual("known".utf8)))
        }
        return MailboxRing(keys, earlier: earlier)
    }
}
