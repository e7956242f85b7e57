// The commands about who is in this person's groups, and an owner's word about it.

import DDSCore
import DDSLoop
import DDSNode
import DDSSeal
import DDSWire

@LoopActor enum AgentRosterCommands {
    static let all: [(String, AgentMailCommands.Action)] = [("agent.roster", show), ("agent.roster.confirm", confirm)]

    private static func rosters(_ agent: Agent, _ request: ControlRequest) throws(Failure) -> GroupRosters {
        let name = try request.text("group")
        let plain = name.hasPrefix("#") ? String(name.dropFirst()) : name
        guard let rosters = try agent.opened().store.trust.groups[plain], rosters.last != nil else {
            throw Failure(.unknownName, "no roster of \(plain) has come here; see: ddsnode fetch")
        }
        return rosters
    }

    private static func show(_ agent: Agent, _ request: ControlRequest) async throws(Failure) -> JSONValue {
        describe(try rosters(agent, request), agent)
    }

    private static func describe(_ rosters: GroupRosters, _ agent: Agent) -> JSONValue {
        guard let document = rosters.last else { return .null }
        let roster = document.roster
        let members = roster.members.map { member -> JSONValue in
            [
                "address": .text("\(member.address)"), "display": .text(member.display), "role": .text(member.role.rawValue),
                "joined": .bool(member.hasJoined), "devices": .number(member.devices.count),
                "identity": member.identity.map { .object(KeyFingerprint(of: $0).json) } ?? .null,
            ]
        }
        return [
            "group": .text("\(roster.group)"), "number": .number(Int64(clamping: roster.number)),
            "hash": .text(Hex.encode(document.hash)), "members": .list(members),
            "settings": .object(Dictionary(roster.settings.named.map { ($0.name, .text($0.value)) }) { $1 }),
            "confirmed": rosters.confirmation(of: document.head).map { .text($0) } ?? .null,
            "unconfirmed_changes": .texts(rosters.unconfirmedChanges),
            "is_owner": .bool(roster.member(agent.account.address)?.role == .owner),
        ]
    }

    /// Signs the roster that was looked at; another that came meanwhile has to be looked at first.
    private static func confirm(_ agent: Agent, _ request: ControlRequest) async throws(Failure) -> JSONValue {
        let rosters = try rosters(agent, request)
        guard let document = rosters.last, request.arguments["hash"]?.string == Hex.encode(document.hash) else {
            throw Failure(.tryAgain, "the members have changed meanwhile; look at them again, and confirm then")
        }
        try await agent.confirm(document)
        return ["group": .text("\(document.roster.group)"), "number": .number(Int64(clamping: document.roster.number))]
    }
}

extension Agent {
    /// Tells the node that this person, an owner, has looked at a roster. When it returns the node has passed it on.
    func confirm(_ document: RosterDocument) async throws(Failure) {
        let me = account.address
        guard document.roster.member(me)?.role == .owner else {
            throw Failure(.permission, "only an owner of \(document.roster.group.local) confirms who is in it")
        }
        let confirmation = RosterConfirmation(
            group: document.roster.group, head: document.head, owner: me, time: services.time.wall,
            signedBy: SigningKey(seed: try opened().keys.identitySeed))
        _ = try await told(confirmation.message)
    }
}
