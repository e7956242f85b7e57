// The private keys of a person as they lie in the vault. In clear they exist only in locked memory while the agent is unlocked.

import DDSCore
import DDSSeal

/// What the vault holds. Lines of `name value`; the first is an age identity that stock age could use (1.3 or later, for a
/// hybrid one).
final class VaultKeys: Sendable {
    /// Opens what the node sealed to this member.
    let mailbox: AgeIdentity
    /// Signs statements; long term (SEALING section 7a).
    let identitySeed: SecretBytes
    /// Seals the local store.
    let storeKey: SecretBytes

    /// What signs as this person.
    var identity: SigningKey { SigningKey(seed: identitySeed) }

    private init(mailbox: AgeIdentity, identitySeed: SecretBytes, storeKey: SecretBytes) {
        self.mailbox = mailbox
        self.identitySeed = identitySeed
        self.storeKey = storeKey
    }

    /// New keys, for somebody new or for the `identitySeed` of a recovery kit.
    static func generate(random: any RandomSource, identitySeed: SecretBytes = .random(32)) -> VaultKeys {
        VaultKeys(
            mailbox: AgeIdentity.generate(kind: .hybrid, random: random), identitySeed: identitySeed, storeKey: .random(32))
    }

    /// The vault's content: text in locked memory.
    var content: SecretBytes {
        // Room for all of it: an array that grows leaves copies of the keys behind.
        var bytes: [UInt8] = []
        bytes.reserveCapacity(1024)
        bytes += Array("# ddsnode vault 1\n# mailbox ".utf8)
        mailbox.secretText().withExposed { bytes += $0 }
        for (name, secret) in [("identity", identitySeed), ("store", storeKey)] {
            bytes += Array("\n# \(name) ".utf8)
            secret.withExposed { bytes += Array(Hex.encode($0).utf8) }
        }
        bytes.append(0x0a)
        return SecretBytes(consuming: &bytes)
    }

    init?(content: SecretBytes) {
        var fields: [String: String] = [:]
        content.withExposed { bytes in
            for line in bytes.split(separator: 0x0a) {
                let words = line.split(separator: 0x20)
                if words.count == 3 {
                    fields[String(decoding: words[1], as: UTF8.self)] = String(decoding: words[2], as: UTF8.self)
                }
            }
        }
        guard let text = fields["mailbox"], let mailbox = try? AgeIdentity(text),
            var identity = fields["identity"].flatMap({ Hex.decode($0) }), identity.count == 32,
            var store = fields["store"].flatMap({ Hex.decode($0) }), store.count == 32
        else { return nil }
        self.mailbox = mailbox
        identitySeed = SecretBytes(consuming: &identity)
        storeKey = SecretBytes(consuming: &store)
    }
}
