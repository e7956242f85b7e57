import DDSCore
import DDSLoop
import DDSNode
import DDSSpool
import DDSTestKit
import Foundation
import Testing

@testable import DDSAgent
@testable import DDSServer

@Suite(.serialized, .timeLimit(.minutes(5))) struct RestartTests {
    @Test @LoopActor func replyGoesBack_andBothSidesHaveOneThread() async throws {
        let village = try await Village(members: ["alice", "bob"], group: ["alice", "bob"])
        let alice = try await village.join("alice")
        let bob = try await village.join("bob")
        _ = try await alice.call("agent.send", ["recipients": ["board"], "subject": "Budget", "body": "Row seven?\n"])
        try await until { try await village.subjects("bob") == ["Budget"] }
        let agent = try #require(bob.role.agent)
        let page = MailPage(agent: agent)
        let original = try #require(try agent.opened().store.order.first)
        let draft = try #require(await page.newDraft(replyTo: .init(message: original, audience: .all)))
        let fields = try #require(await page.draft(draft)).fields
        #expect(await page.send(draft: draft, fields) == .queued(thread: original))
        try await until { try await village.subjects("alice") == ["Budget", "Re: Budget"] }
        let threads = ThreadIndex(try #require(alice.role.agent).opened().store.items).threads
        #expect(threads.map(\.messages.count) == [2])
        #expect(threads.first?.group == "board")
        page.close()
        await village.close()
    }

    @Test @LoopActor func messageWrittenWhileTheNodeIsDown_arrivesOnceAfterBothRestarted() async throws {
        let village = try await Village(members: ["alice", "bob"], group: [])
        let alice = try await village.join("alice")
        try await village.join("bob")
        await village.server.stop()
        let sent = try await alice.call("agent.send", ["recipients": ["bob"], "subject": "Later", "body": "Text.\n"])
        try await until { alice.role.agent?.outbox?.lastTrouble != nil }
        #expect(try await alice.call("agent.list").array?.first?["state"] == "waiting")
        await village.stopAgent("alice")
        let again = try await village.startAgent("alice")
        #expect(again.role.agent?.outbox?.waiting.count == 1)
        _ = try await again.call("agent.unlock", ["passphrase": Village.passphrase])
        #expect(try await again.call("agent.list").array?.map { $0["id"] } == [sent["id"]])
        try await village.restartServer()
        again.role.agent?.outbox?.sendNow()
        try await until { try await again.call("agent.list").array?.first?["state"] == "sent" }
        try await until { try await village.subjects("bob") == ["Later"] }
        // One more round of everything brings no second copy.
        again.role.agent?.outbox?.sendNow()
        _ = try await village.agents["bob"]?.call("agent.fetch")
        #expect(try await village.subjects("bob") == ["Later"])
        #expect(await village.server.role.status().fields["accepted"] == 1)
        await village.close()
    }

    @Test @LoopActor func mailFetchedWhileLocked_isThereAfterARestart() async throws {
        let village = try await Village(members: ["alice", "bob"], group: [])
        let alice = try await village.join("alice")
        let bob = try await village.join("bob")
        _ = try await bob.call("agent.lock")
        let sent = try await alice.call("agent.send", ["recipients": ["bob"], "subject": "Sealed", "body": "MARKER-11\n"])
        let spool = try #require(bob.role.agent?.spool)
        try await until { try await alice.call("agent.list").array?.first { $0["id"] == sent["id"] }?["state"] == "sent" }
        // Not only the state of the message of the joining, which comes besides: all that the node had for him.
        try await until { try await village.server.call("queue.list").array?.isEmpty == true }
        #expect(try await !spool.entries(in: AgentMailbox.inbox).isEmpty)
        await village.stopAgent("bob")
        let again = try await village.startAgent("bob")
        #expect(again.role.agent?.isLocked == true)
        for passphrase: JSONValue in ["wrong", "correct horse battery "] {
            let refused = try await refusal { try await again.call("agent.unlock", ["passphrase": passphrase]) }
            #expect(refused.code == .permission)
        }
        _ = try await again.call("agent.unlock", ["passphrase": Village.passphrase])
        #expect(try await village.subjects("bob") == ["Sealed"])
        let files = FileManager.default.enumerator(atPath: village.folder + "/bob")?.compactMap { $0 as? String } ?? []
        for file in files {
            guard let bytes = try? HostFiles.read(village.folder + "/bob/" + file) else { continue }
            #expect(!bytes.contains(Array("MARKER-11".utf8)), "\(file)")
        }
        await village.close()
    }

    @Test @LoopActor func lateJoiner_hasNothingOfBefore() async throws {
        let village = try await Village(members: ["alice", "bob", "dave"], group: ["alice", "bob"])
        let alice = try await village.join("alice")
        try await village.join("bob")
        _ = try await alice.call("agent.send", ["recipients": ["board"], "subject": "Before", "body": "x\n"])
        try await until { try await village.subjects("bob") == ["Before"] }
        _ = try await village.server.call("group.member.add", ["group": "board", "name": "board", "members": ["dave"]])
        let dave = try await village.join("dave")
        _ = try await dave.call("agent.fetch")
        #expect(try await village.subjects("dave") == [])
        _ = try await alice.call("agent.send", ["recipients": ["board"], "subject": "After", "body": "y\n"])
        try await until { try await village.subjects("dave") == ["After"] }
        await village.close()
    }
}
