import DDSCore
import DDSLoop
import DDSNode
import Foundation
import Testing

@testable import DDSAgent
@testable import DDSServer

@Suite(.serialized, .timeLimit(.minutes(5))) struct JoinTests {
    @Test @LoopActor func badInvites_haveSentencesOfTheirOwnAndCreateNoAccount() async throws {
        let village = try await Village(members: ["alice", "bob", "carol"], group: [])
        let used = try await village.invite("alice")
        let alice = try await village.startAgent("alice")
        _ = try await alice.call("agent.join", ["invite": .text(used), "passphrase": Village.passphrase])
        let bob = try await village.startAgent("bob")
        func tryJoin(_ invite: String) async throws -> Failure {
            try await refusal { try await bob.call("agent.join", ["invite": .text(invite), "passphrase": Village.passphrase]) }
        }
        let good = try await village.invite("bob")
        var wrongSecret = try InviteLink(good)
        wrongSecret.secret = Redacted([1, 2, 3, 4, 5])
        var wrongNode = try InviteLink(good)
        wrongNode.nodeKeyHash[0] ^= 1
        var wrongPort = try InviteLink(good)
        wrongPort.submissionsPort = 1
        let sentences = [
            try await tryJoin(used).publicText, try await tryJoin(wrongSecret.link).publicText,
            try await tryJoin(wrongNode.link).publicText, try await tryJoin(wrongPort.link).publicText,
            try await tryJoin(String(good.dropLast())).publicText,
        ]
        for (sentence, word) in zip(
            sentences, ["used already", "secret", "has not the key", "does not answer", "no whole invite"])
        {
            #expect(sentence.contains(word), "\(sentence)")
        }
        village.time.putForward(by: .seconds(8 * 86400))
        let late = try await tryJoin(good)
        #expect(late.publicText.contains("expired"))
        #expect(bob.role.agent == nil)
        #expect(!HostFiles.exists(village.folder + "/bob/state/agent/account.json"))
        // The key made meanwhile is used, and its passphrase is the one that counts.
        let fresh = try await village.invite("bob")
        let wrong = try await refusal { try await bob.call("agent.join", ["invite": .text(fresh), "passphrase": "another"]) }
        #expect(wrong.code == .permission)
        _ = try await bob.call("agent.join", ["invite": .text(fresh), "passphrase": Village.passphrase])
        let second = try await refusal {
            try await bob.call("agent.join", ["invite": .text(fresh), "passphrase": Village.passphrase])
        }
        #expect(second.code == .cannotCreate)
        await village.close()
    }

    /// A6: whatever of the folder is there when the program was killed, the same invite and passphrase lead to the end.
    @Test @LoopActor func joinThatWasKilled_goesOnWhereItEnded() async throws {
        let village = try await Village(members: ["alice"], group: [])
        let link = try await village.invite("alice")
        _ = try await village.startAgent("alice").call("agent.join", ["invite": .text(link), "passphrase": Village.passphrase])
        await village.stopAgent("alice")
        let folder = AgentFolder(stateDir: village.folder + "/alice/state")
        let vault = try HostFiles.read(folder.vault)
        // The node had taken the enrolment: the reply, the spool or the account file were not written.
        for lost in [[folder.account], [folder.account, folder.spool]] {
            for path in lost { try FileManager.default.removeItem(atPath: path) }
            try HostFiles.write(folder.deviceKey + ".99.tmp", [1, 2, 3])
            let again = try await village.startAgent("alice")
            #expect(again.role.agent == nil)
            // Later than the statement that the node has accepted: the same one is sent again.
            village.time.putForward(by: .seconds(60))
            let joined = try await again.call("agent.join", ["invite": .text(link), "passphrase": Village.passphrase])
            #expect(joined["address"]?.string == "alice@node.test")
            #expect(try HostFiles.read(folder.vault) == vault)
            #expect(!HostFiles.exists(folder.deviceKey + ".99.tmp"))
            await village.stopAgent("alice")
        }
        for path in [folder.account, folder.vault, folder.deviceKey, folder.spoolKey] {
            #expect(HostFiles.status(path)?.isPrivate == true, "\(path)")
        }
        await village.close()
    }

    @Test @LoopActor func joinKilledBeforeTheNodeWasAsked_goesOnToo() async throws {
        let village = try await Village(members: ["alice"], group: [])
        let link = try await village.invite("alice")
        let folder = AgentFolder(stateDir: village.folder + "/alice/state")
        try HostFiles.makeFolders(folder.path)
        try HostFiles.write(folder.deviceKey, [UInt8](repeating: 9, count: 32))
        let joined = try await village.startAgent("alice").call(
            "agent.join", ["invite": .text(link), "passphrase": Village.passphrase])
        #expect(joined["address"]?.string == "alice@node.test")
        #expect(try HostFiles.read(folder.deviceKey) == [UInt8](repeating: 9, count: 32))
        await village.close()
    }
}
