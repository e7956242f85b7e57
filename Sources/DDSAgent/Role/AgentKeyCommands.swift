// The commands about an agent's own keys.

import DDSCore
import DDSLoop
import DDSNode
import DDSSeal
import DDSTLS

@LoopActor enum AgentKeyCommands {
    static let all: [(String, AgentMailCommands.Action)] = [
        ("agent.passwd", passwd), ("agent.keys", keys), ("agent.contacts", contacts), ("agent.contact", contact),
        ("agent.decide", decide),
    ]

    private static func passwd(_ agent: Agent, _ request: ControlRequest) async throws(Failure) -> JSONValue {
        let old = try AgentMailCommands.passphrase(request)
        let new = try AgentMailCommands.passphrase(request, "new_passphrase")
        return ["changed": true, "overwritten": .bool(try await agent.changePassphrase(from: old, to: new))]
    }

    /// Public keys and their fingerprints. The identity is known while the agent is unlocked.
    private static func keys(_ agent: Agent, _ request: ControlRequest) async throws(Failure) -> JSONValue {
        let device = SigningKey(seed: try agent.folder.loadSecret(agent.folder.deviceKey)).publicKey
        let recipient = agent.account.ownRecipient
        var mailbox = KeyFingerprint(of: Array(recipient.utf8)).json
        mailbox["recipient"] = .text(recipient)
        return [
            "address": .text("\(agent.account.address)"), "node": .text(agent.account.host),
            "identity": agent.ownFingerprint.map { .object($0.json) } ?? .null,
            "device": .object(KeyFingerprint(of: device).json),
            "mailbox": .object(mailbox),
        ]
    }

    // MARK: Other people's keys

    private static func contacts(_ agent: Agent, _ request: ControlRequest) async throws(Failure) -> JSONValue {
        .list(try agent.opened().store.trust.contacts.map(\.json))
    }

    private static func contact(_ agent: Agent, _ request: ControlRequest) async throws(Failure) -> JSONValue {
        guard case .object(var fields) = try agent.contact(try agent.person(try request.text("address"))).json else {
            preconditionFailure("a contact is an object")
        }
        fields["own"] = agent.ownFingerprint.map { .object($0.json) } ?? .null
        return .object(fields)
    }

    /// What was compared or accepted is named by its fingerprint, so that a key that came meanwhile is neither.
    private static func decide(_ agent: Agent, _ request: ControlRequest) async throws(Failure) -> JSONValue {
        let address = try agent.person(try request.text("address"))
        let decision: TrustBook.Decision
        switch try request.text("decision") {
        case "compared": decision = .compared(try fingerprint(request))
        case "accepted": decision = .accepted(try fingerprint(request))
        case "uncompared": decision = .uncompared
        case "discarded": decision = .discarded
        default: throw Failure(.protocolError, "this agent does not know that decision")
        }
        _ = try agent.contact(address)
        let count = try await agent.decide(decision, on: address)
        guard case .object(var fields) = try agent.contact(address).json else { preconditionFailure("a contact is an object") }
        fields["messages"] = .number(count)
        return .object(fields)
    }

    private static func fingerprint(_ request: ControlRequest) throws(Failure) -> KeyFingerprint {
        guard let found = KeyFingerprint(try request.text("fingerprint")) else {
            throw Failure(
                .usage,
                "that is no fingerprint: it has eight words of five letters, or 32 hexadecimal digits; nothing was changed")
        }
        return found
    }
}
