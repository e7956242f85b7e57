import DDSCore
import DDSLoop
import DDSNode
import DDSTestKit
import Foundation
import Testing

@testable import DDSAgent
@testable import DDSServer

@Suite(.serialized, .timeLimit(.minutes(5))) struct StoryTests {
    @Test @LoopActor func aMessageGoesFromAgentToAgent_andTheNodeKeepsNothing() async throws {
        let folder = try temporaryFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let server = try await makeServer(folder + "/node")
        for name in ["alice", "bob"] { _ = try await server.call("user.add", ["name": .text(name), "invite": false]) }
        _ = try await server.call("group.add", ["name": "board", "members": ["alice", "bob"]])
        _ = try await server.call("group.add", ["name": "quiet", "mode": "blind", "members": ["alice", "bob"]])
        let alice = try await makeAgent(folder + "/alice")
        let bob = try await makeAgent(folder + "/bob")
        for (name, agent) in [("alice", alice), ("bob", bob)] {
            let invite = try await server.call("invite.new", ["name": .text(name)])
            let link = try #require(invite["invite"]?.string)
            #expect(link.utf8.count <= 90)
            let joined = try await agent.call("agent.join", ["invite": .text(link), "passphrase": "correct horse battery"])
            #expect(joined["address"]?.string == "\(name)@node.test")
        }
        _ = try await bob.call("agent.lock")
        let sent = try await alice.call(
            "agent.send", ["recipients": ["board"], "subject": "Budget", "body": "Row seven is MARKER-7.\n"])
        try await until { try await alice.call("agent.list").array?.first { $0["id"] == sent["id"] }?["state"] == "sent" }
        // Locked, Bob's agent fetches all the same: what was accepted before does not wait any more.
        try await until { await server.role.status().fields["waiting_messages"] == 0 }
        await #expect(throws: Failure.self) { try await bob.call("agent.list") }
        _ = try await bob.call("agent.unlock", ["passphrase": "correct horse battery"])
        let inbox = try #require(try await bob.call("agent.list").array)
        #expect(inbox.map { $0["subject"]?.string } == ["Budget"])
        #expect(inbox.first?["group"]?.string == "board")
        let id = try #require(inbox.first?["id"]?.string)
        let shown = try await bob.call("agent.show", ["id": .text(id)])
        #expect(shown["text"]?.string == "Row seven is MARKER-7.\n")
        #expect(inbox.first?["mode"] == "relay")
        // The node does not open what goes to the other group, and everybody is told so.
        _ = try await alice.call("agent.send", ["recipients": ["quiet"], "subject": "Hush", "body": "Row eight.\n"])
        try await until { try await bob.call("agent.list").array?.contains { $0["subject"] == "Hush" } == true }
        let hushed = try #require(try await bob.call("agent.list").array?.first { $0["subject"] == "Hush" })
        #expect(hushed["mode"] == "blind" && hushed["group"] == "quiet" && hushed["seal"] == "hybrid")
        let opened = try await bob.call("agent.show", ["id": .text(try #require(hushed["id"]?.string))])
        #expect(opened["text"]?.string == "Row eight.\n")
        try await until { await server.role.status().fields["waiting_messages"] == 0 }
        await alice.stop()
        await bob.stop()
        await server.stop()
    }
}
