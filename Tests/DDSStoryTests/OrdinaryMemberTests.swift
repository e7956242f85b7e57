import DDSCore
import DDSLoop
import DDSSeal
import DDSTestKit
import DDSWire
import Foundation
import Logging
import Testing

@testable import DDSAgent
@testable import DDSNode
@testable import DDSServer

@Suite(.serialized, .timeLimit(.minutes(5))) struct OrdinaryMemberTests {
    /// Carol has a password and a mail program; her plain message names the group in no header, and the agents know it all the same.
    @Test @LoopActor func plainMailOfAPasswordMember_showsInTheGroup() async throws {
        let village = try await Village(members: ["alice"], group: [])
        let key = AgeIdentity.generate(random: SystemRandom())
        _ = try await village.server.call(
            "user.add", ["name": "carol", "recipient": .text("\(key.recipient)"), "password": "a long password"])
        _ = try await village.server.call("group.add", ["name": "board", "members": ["alice", "carol"]])
        let alice = try await village.join("alice")
        let account = try #require(alice.role.agent?.account)
        let link = try NodeLink(host: account.host, nodeKeyHash: account.nodeKeyHash, deviceSeed: .random(32), time: Loop.time)
        let carol = try #require(MailAddress("carol@node.test"))
        let board = try #require(MailAddress("board@node.test"))
        let (outcome, _) = try await SubmissionClient.run(
            SMTPClientConfiguration(
                clientName: "[127.0.0.1]", tls: .implicit,
                credentials: .plain(authzid: nil, authcid: "carol", password: Redacted(Array("a long password".utf8))),
                envelope: Envelope(reversePath: .address(carol), recipients: [Recipient(board)]),
                message: Array("From: carol@node.test\r\nSubject: By hand\r\n\r\nHello all.\r\n".utf8)),
            link: link, port: account.submissionsPort, id: "carol")
        guard case .delivered = outcome else {
            Issue.record("\(outcome)")
            return
        }
        try await until { try await village.subjects("alice") == ["By hand"] }
        let summary = try await alice.call("agent.list").array?.first
        #expect(summary?["group"]?.string == "board")
        await village.close()
    }

    @Test @LoopActor func bothRolesInOneProcess_meetOverLoopback() async throws {
        let folder = try temporaryFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let config = try Config.load(
            text: """
                [node]
                name = "node.test"
                host = "127.0.0.1"
                state_dir = "\(folder)/state"
                runtime_dir = "\(folder)/run"
                [server.listen]
                pop3s = ["127.0.0.1:0"]
                submissions = ["127.0.0.1:0"]
                lmtp = ["unix:\(folder)/lmtp.sock"]
                [server.spool]
                segment_size = "1MiB"
                [agent.web]
                listen = "127.0.0.1:0"
                """, fileName: "test.toml", environment: [:], roleOverride: ["server", "agent"], knownRoles: ["server", "agent"])
        try await OfflineServer.create(config: config, random: SystemRandom(), time: Loop.time)
        let runtime = NodeRuntime(
            config: config, registry: [ServerRole.self, AgentRole.self], log: .init(label: "test") { _ in LineLogHandler(level: .critical, underJournal: false) },
            reloadConfig: { config })
        var code: Int32?
        var isReady = false
        Loop.spawn {
            code = try? await runtime.run(onReady: { _ in isReady = true })
        }
        try await until { isReady }
        let agent = try #require(runtime.roles.compactMap { $0 as? AgentRole }.first)
        agent.workFactor = 4
        let added = try await runtime.commands.perform(ControlRequest("user.add", ["name": "alice"]), output: Silence())
        let joined = try await runtime.commands.perform(
            ControlRequest("agent.join", ["invite": added["invite"] ?? .null, "passphrase": Village.passphrase]), output: Silence())
        #expect(joined["address"]?.string == "alice@node.test")
        runtime.requestStop(0)
        try await until { code != nil }
        #expect(code == 0)
    }
}
