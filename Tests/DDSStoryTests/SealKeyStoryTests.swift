// The node's seal key changes under agents that know the one of before: nothing that they have written is lost by that, and nothing
// is sealed to a key that the node has not signed for.

import DDSCore
import DDSLoop
import DDSNode
import DDSSeal
import DDSTestKit
import Testing

@testable import DDSAgent
@testable import DDSServer

@Suite(.serialized, .timeLimit(.minutes(5))) struct SealKeyStoryTests {
    private static let day = Duration.seconds(86_400)

    @LoopActor private func numbers(_ village: Village) -> [UInt64]? {
        village.server.role.context?.keys.seal.keys.map(\.number)
    }

    @LoopActor private func send(_ subject: String, to group: String, _ village: Village) async throws -> String {
        let sent = try await village.agents["alice"]?.call(
            "agent.send", ["recipients": [.text(group)], "subject": .text(subject), "body": "Row nine.\n"])
        return try #require(sent?["id"]?.string)
    }

    /// Ten days pass at the node, which is started again: its second key is made and its first one destroyed.
    @LoopActor private func changeKey(_ village: Village) async throws {
        village.time.putForward(by: Self.day * 8)
        try await village.restartServer()
        #expect(numbers(village) == [1, 2])
        village.time.putForward(by: Self.day * 2)
        await village.server.role.sealKeeper?.look()
        #expect(numbers(village) == [2])
    }

    @Test @LoopActor func mailThatWaitedForTenDays_isSealedAgainWhenTheAgentIsUnlocked() async throws {
        let village = try await Village(members: ["alice", "bob"], group: [])
        for (name, mode) in [("open", "relay"), ("hush", "blind"), ("quiet", "sealed")] {
            _ = try await village.server.call(
                "group.add", ["name": .text(name), "mode": .text(mode), "members": ["alice", "bob"]])
        }
        let bob = try await village.join("bob")
        let alice = try await village.join("alice")
        #expect(alice.role.agent?.account.nodeSealKey == 1)
        try await until {
            let directory = village.server.role.context?.store.directory
            let known = alice.role.agent?.unlocked?.store.trust.groups["quiet"]?.last?.head
            return known != nil && known == directory?.rosterHead(of: "quiet") && directory?.isRosterDue("quiet") == false
        }
        // Sealed to the key of now, and not sent: the node is away.
        await village.server.stop()
        let groups = ["open", "hush", "quiet"]
        for group in groups { _ = try await send("to \(group)", to: group, village) }
        try await until { alice.role.agent?.outbox?.lastTrouble != nil }
        await village.stopAgent("alice")
        try await changeKey(village)
        // Locked, it can seal nothing, and says so; the node is asked once for each.
        let later = try await village.startAgent("alice")
        let outbox = try #require(later.role.agent?.outbox)
        try await until { outbox.lastTrouble?.contains("key 2 once the agent is unlocked") == true }
        #expect(outbox.waiting.count == 3)
        #expect(await later.role.status().problems.contains { $0.contains("run: ddsnode unlock") })
        #expect(later.role.agent?.account.nodeSealKey == 2)
        _ = try await later.call("agent.unlock", ["passphrase": Village.passphrase])
        try await until { outbox.waiting.isEmpty }
        try await until {
            let subjects = try await village.subjects("bob")
            return groups.allSatisfy { subjects.contains("to \($0)") }
        }
        for group in groups { #expect(try await village.subjects("bob").filter { $0 == "to \(group)" }.count == 1) }
        let states = try await later.call("agent.list").array?.filter { $0["subject"]?.string?.hasPrefix("to ") == true }
        #expect(states?.count == 3 && states?.allSatisfy { $0["state"] == "sent" } == true)
        // What was learnt is what the next start knows; bob learns it when he says his next mailbox key.
        let kept = try AgentFolder(stateDir: village.folder + "/alice/state").loadAccount()
        let recipient = village.server.role.context?.keys.seal.newest.best
        #expect(kept?.nodeSealKey == 2 && kept?.nodeRecipient == recipient.map { "\($0)" })
        try await until { bob.role.agent?.account.nodeSealKey == 2 }
        try await until { bob.role.agent?.unlocked?.keeper?.ring.newest.isConfirmed == true }
        #expect(bob.role.agent?.unlocked?.keeper?.trouble == nil)
        await village.close()
    }

    @Test @LoopActor func anAgentOfBefore_learnsTheKey_andNoneThatIsNotSignedOrOlder() async throws {
        let village = try await Village(members: ["alice"], group: [])
        let joined = try await village.join("alice")
        await village.stopAgent("alice")
        let folder = AgentFolder(stateDir: village.folder + "/alice/state")
        var account = try #require(try folder.loadAccount())
        account.nodeSealKey = nil
        try folder.save(account)
        await village.server.stop()
        try await changeKey(village)
        let alice = try await village.startAgent("alice")
        _ = try await alice.call("agent.unlock", ["passphrase": Village.passphrase])
        let id = try await send("Back", to: "alice", village)
        try await until { try await alice.call("agent.list").array?.first { $0["id"]?.string == id }?["state"] == "sent" }
        let agent = try #require(alice.role.agent)
        let known = agent.account.nodeSeal
        #expect(known.number == 2)
        // Whoever has the TLS key, and not the identity, offers another key; or the node's own one of before.
        let other = AgeIdentity.generate(kind: .hybrid, random: SystemRandom()).recipient
        let keys = try #require(village.server.role.context?.keys)
        for (number, signer) in [(3, .generate()), (1, keys.nodeIdentity), (2, keys.nodeIdentity)] as [(UInt64, SigningKey)] {
            let forged = SealStatement(
                number: number, notBefore: village.time.wall, notAfter: village.time.wall + Self.day, recipients: ["\(other)"])
            agent.heard(offer: SealAnnouncement.capabilities([other]) + [forged.capability(of: "node.test", signedBy: signer)])
            #expect(agent.account.nodeSeal == known && (try? folder.loadAccount())??.nodeSeal == known, "\(number)")
            #expect(await alice.role.status().problems.contains { $0.contains("mail is sealed to the one of before") })
        }
        agent.heard(offer: keys.announcement(of: "node.test"))
        #expect(agent.sealTrouble == nil)
        #expect(joined !== alice)
        await village.close()
    }
}
