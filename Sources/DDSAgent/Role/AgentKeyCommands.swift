// The commands about an agent's own keys.

import DDSCore
import DDSLoop
import DDSNode
import DDSSeal
import DDSTLS

@LoopActor enum AgentKeyCommands {
    static let all: [(String, AgentMailCommands.Action)] = [("agent.passwd", passwd), ("agent.keys", keys)]

    private static func passwd(_ agent: Agent, _ request: ControlRequest) async throws(Failure) -> JSONValue {
        let old = try AgentMailCommands.passphrase(request)
        let new = try AgentMailCommands.passphrase(request, "new_passphrase")
        return ["changed": true, "overwritten": .bool(try await agent.changePassphrase(from: old, to: new))]
    }

    /// Public keys and their fingerprints. The identity is known while the agent is unlocked.
    private static func keys(_ agent: Agent, _ request: ControlRequest) async throws(Failure) -> JSONValue {
        let device = SigningKey(seed: try agent.folder.loadSecret(agent.folder.deviceKey)).publicKey
        let recipient = agent.account.ownRecipient
        var mailbox = fingerprint(Array(recipient.utf8))
        mailbox["recipient"] = .text(recipient)
        let identity = agent.unlocked.map { SigningKey(seed: $0.keys.identitySeed).publicKey }
        return [
            "address": .text("\(agent.account.address)"), "node": .text(agent.account.host),
            "identity": identity.map { .object(fingerprint($0)) } ?? .null, "device": .object(fingerprint(device)),
            "mailbox": .object(mailbox),
        ]
    }

    /// The first 128 bits of the BLAKE2b-256 of a public key, as eight words and as hexadecimal: what two people compare.
    private static func fingerprint(_ key: [UInt8]) -> [String: JSONValue] {
        let hash = Array(Hash.blake2b(key, count: 32).prefix(16))
        return ["words": .text(WordPhrase.text(hash)), "hex": .text(Hex.encode(hash))]
    }
}
