import DDSCore
import DDSLoop
import DDSNode
import DDSSeal
import DDSSpool
import DDSTestKit
import Foundation
import Testing

@testable import DDSAgent
@testable import DDSServer

/// A group whose mail the node has no key to, between real agents.
@Suite(.serialized, .timeLimit(.minutes(5))) struct SealedStoryTests {
    @LoopActor private func village() async throws -> Village {
        let village = try await Village(members: ["alice", "bob", "late"], group: [])
        _ = try await village.server.call(
            "group.add", ["name": "quiet", "mode": "sealed", "members": ["alice", "bob", "late"]])
        for name in ["alice", "bob"] { try await village.join(name) }
        try await until { try await knows("alice", of: village) }
        return village
    }

    /// That an agent has the current roster.
    @LoopActor private func knows(_ name: String, of village: Village) async throws -> Bool {
        let directory = try #require(village.server.role.context?.store.directory)
        let known = village.agents[name]?.role.agent?.unlocked?.store.trust.groups["quiet"]?.last?.head
        return known != nil && !directory.isRosterDue("quiet") && known == directory.rosterHead(of: "quiet")
    }

    @LoopActor private func send(_ subject: String, _ village: Village) async throws -> String {
        let sent = try await village.agents["alice"]?.call(
            "agent.send", ["recipients": ["quiet"], "subject": .text(subject), "body": "Row nine is MARKER-9.\n"])
        return try #require(sent?["id"]?.string)
    }

    @LoopActor private func message(_ id: String, of name: String, _ village: Village) async throws -> JSONValue? {
        try await village.agents[name]?.call("agent.list").array?.first { $0["id"]?.string == id }
    }

    @Test @LoopActor func aSealedMessage_comesOnce_andSaysWhatTheNodeSaw() async throws {
        let village = try await village()
        let id = try await send("Hush", village)
        try await until { try await message(id, of: "alice", village)?["state"] == "sent" }
        try await until { try await village.subjects("bob").contains("Hush") }
        let got = try #require(try await village.agents["bob"]?.call("agent.list").array?.first { $0["subject"] == "Hush" })
        #expect(got["mode"] == "sealed" && got["group"] == "quiet" && got["seal"] == "hybrid")
        #expect(got["node_saw"]?.string?.contains("could not open this message") == true)
        #expect(got["signature"]?["verdict"] == "known")
        let shown = try await village.agents["bob"]?.call("agent.show", ["id": .text(try #require(got["id"]?.string))])
        #expect(shown?["text"]?.string == "Row nine is MARKER-9.\n")
        // Who has not joined yet gets nothing, and the author reads that.
        village.time.putForward(by: .seconds(86_400))
        try await until {
            await village.server.role.context?.delivery.reports.report()
            let copies = try await message(id, of: "alice", village)?["recipients"]?.array
            return copies?.contains { $0["address"] == "late@node.test" && $0["state"] == "unsealed" } == true
        }
        #expect(village.server.role.context?.delivery.held.items.isEmpty == true)
        await village.close()
    }

    @Test @LoopActor func aKeyThatChangesMeanwhile_makesTheAgentSealAgain() async throws {
        let village = try await village()
        let context = try #require(village.server.role.context)
        // Nobody is told of the next key for an hour; the keys of now are told first.
        let number = try #require(context.store.directory.accounts["bob"]?.keyNumber)
        let before = try await context.delivery.rosters.renew(
            "quiet", for: try #require(context.store.directory.accounts["alice"])
        ).head
        try await until {
            village.agents["alice"]?.role.agent?.unlocked?.store.trust.roster(of: "quiet")?.number == before.number
        }
        village.time.putForward(by: .seconds(86_400))
        let first = try await send("First", village)
        try await until { context.store.directory.accounts["bob"]?.keyNumber == number + 1 }
        try await until { try await message(first, of: "alice", village)?["state"] == "sent" }
        let id = try await send("Second", village)
        try await until { try await message(id, of: "alice", village)?["state"] == "sent" }
        // Only a refusal makes one now: of the first, if bob had his next key before it came, or else of the second.
        #expect(context.store.directory.rosterHead(of: "quiet")?.number == before.number + 1)
        try await until { try await village.subjects("bob").contains("Second") }
        #expect(try await village.subjects("bob").filter { $0 == "First" }.count == 1)
        #expect(try await village.subjects("bob").filter { $0 == "Second" }.count == 1)
        let got = try #require(village.agents["bob"]?.role.agent?.unlocked?.store.summaries.first { $0.subject == "Second" })
        #expect(got.roster?.number == before.number + 1 && got.mode == .sealed)
        await village.close()
    }

    @Test @LoopActor func aLockedAgent_keepsTheMessage_andSealsItAgainWhenItIsUnlocked() async throws {
        let village = try await village()
        let context = try #require(village.server.role.context)
        let alice = try #require(village.agents["alice"])
        let (agent, outbox) = (try #require(alice.role.agent), try #require(alice.role.agent?.outbox))
        // Sealed for the roster of now, and not sent: the node is away.
        await village.server.stop()
        let id = try await send("Later", village)
        try await until { outbox.lastTrouble != nil }
        _ = try await alice.call("agent.lock")
        try await village.restartServer()
        _ = try await village.server.call("user.add", ["name": "dora", "invite": false])
        _ = try await village.server.call("group.member.add", ["name": "quiet", "members": ["dora"]])
        #expect(context.store.directory.groups["quiet"]?.members.contains("dora") == false)
        outbox.sendNow()
        try await until { outbox.lastTrouble?.contains("once the agent is unlocked") == true }
        #expect(outbox.waiting.count == 1 && agent.isLocked)
        #expect(await alice.role.status().problems.contains { $0.contains("run: ddsnode unlock") })
        // Asked again, it does not bother the node.
        outbox.sendNow()
        _ = try await alice.call("agent.unlock", ["passphrase": Village.passphrase])
        try await until { try await message(id, of: "alice", village)?["state"] == "sent" }
        try await until { try await village.subjects("bob").contains("Later") }
        #expect(try await village.subjects("bob").filter { $0 == "Later" }.count == 1)
        #expect(outbox.waiting.isEmpty)
        await village.close()
    }

    @Test @LoopActor func aModeThatChangesMeanwhile_isFollowed_andOneGroupIsAlone() async throws {
        let village = try await village()
        let refused = try await refusal {
            try await village.agents["alice"]?.call(
                "agent.send", ["recipients": ["quiet", "bob"], "subject": "x", "body": "x"]) ?? .null
        }
        #expect(refused.publicText.contains("send it alone"))
        for (mode, subject) in [("relay", "Open"), ("sealed", "Shut"), ("blind", "Half")] {
            _ = try await village.server.call("group.set", ["name": "quiet", "mode": .text(mode)])
            let id = try await send(subject, village)
            try await until { try await message(id, of: "alice", village)?["state"] == "sent" }
            try await until { try await village.subjects("bob").contains(subject) }
            let got = village.agents["bob"]?.role.agent?.unlocked?.store.summaries.filter { $0.subject == subject }
            #expect(got?.map { $0.mode?.rawValue } == [mode])
        }
        await village.close()
    }
}
