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

/// Losing the laptop, with node and agents as they run.
@Suite(.serialized, .timeLimit(.minutes(5))) struct RestoreStoryTests {
    private static let other: JSONValue = "battery staple horse"

    /// The kit of `name`, whose agent runs, as a file holds it.
    @LoopActor private func kit(_ village: Village, _ name: String) throws -> JSONValue {
        let agent = try #require(village.agents[name]?.role.agent)
        let seed = try #require(agent.unlocked?.keys.identitySeed)
        let code = RecoveryKit(account: agent.account, identitySeed: seed).code
        return .text(code.withExposed { String(decoding: $0, as: UTF8.self) })
    }

    @LoopActor private func send(_ agent: TestRole<AgentRole>, _ to: String, _ subject: String) async throws {
        _ = try await agent.call("agent.send", ["recipients": [.text(to)], "subject": .text(subject), "body": "x\n"])
    }

    @Test @LoopActor func theLaptopIsLost_andTheKitBringsThePersonBack() async throws {
        let village = try await Village(members: ["alice", "bob"], group: ["alice", "bob"])
        village.server.role.context?.delivery.reports.pace.every = .zero
        let alice = try await village.join("alice")
        let bob = try await village.join("bob")
        try await send(bob, "alice", "From the old one")
        try await until { try await village.subjects("alice").contains("From the old one") }
        let kit = try kit(village, "bob")
        let identity = bob.role.agent?.unlocked?.keys.identity.publicKey
        // The laptop goes, with all that is on it; mail for it comes meanwhile.
        await village.stopAgent("bob")
        let lost = village.folder + "/lost"
        try FileManager.default.moveItem(atPath: village.folder + "/bob", toPath: lost)
        try await send(alice, "bob", "Lost")
        try await until { try await village.server.call("queue.list").array?.isEmpty == false }
        let fresh = try await village.startAgent("bob")
        let restored = try await fresh.call("agent.restore", ["kit": kit, "passphrase": Self.other])
        #expect(restored["address"]?.string == "bob@node.test" && restored["lost"]?.integer == 1)
        #expect(restored["groups"]?.strings == ["board"])
        #expect(fresh.role.agent?.unlocked?.keys.identity.publicKey == identity)
        // It works: both ways, and who knew the person knows them still.
        try await send(fresh, "#board", "From the new one")
        try await until { try await village.subjects("alice").contains("From the new one") }
        let store = try #require(alice.role.agent?.unlocked?.store)
        let verdicts = await store.withSummaries { summaries in
            summaries.filter { $0.subject.hasPrefix("From the ") }.map { $0.signature?.verdict }
        }
        // The first may have come before the roster that names its author's key.
        #expect(verdicts.count == 2 && [.firstSeen, .known].contains(verdicts[0]) && verdicts[1] == .known)
        try await send(alice, "bob", "To the new one")
        try await until { try await village.subjects("bob").contains("To the new one") }
        // What was lost is told to both.
        let words = "1 message to you is gone with a lost key"
        try await until { try await village.subjects("bob").contains { $0.hasPrefix(words) } }
        #expect(try await !village.subjects("bob").contains("Lost"))
        try await until {
            await store.withSummaries { summaries in
                summaries.contains { $0.subject == "Lost" && $0.copyWords.contains("gone with a lost key") }
            }
        }
        try await until { fresh.role.agent?.unlocked?.keeper?.ring.newest.isConfirmed == true }
        #expect(fresh.role.agent?.unlocked?.keeper?.trouble == nil && fresh.role.agent?.importTrouble == nil)
        // The finder of the old one has the passphrase, and is let in no more.
        let thief = try await makeAgent(lost, time: village.time)
        _ = try await thief.call("agent.unlock", ["passphrase": Village.passphrase])
        let refused = try await refusal { try await thief.call("agent.fetch") }
        #expect(refused.code == .unavailable)
        await thief.stop()
        // Nothing is overwritten where there is an account.
        let second = try await refusal { try await fresh.call("agent.restore", ["kit": kit, "passphrase": Self.other]) }
        #expect(second.code == .cannotCreate)
        await village.stopAgent("bob")
        let account = AgentFolder(stateDir: village.folder + "/bob/state").account
        let before = try HostFiles.read(account)
        let services = fresh.role.services
        let third = try await refusal {
            .number(
                try await Joining.restore(
                    services: services, kit: try RecoveryKit(in: secret(kit)), passphrase: secret(Self.other), workFactor: 4
                ) { _ in })
        }
        #expect(third.code == .cannotCreate && third.publicText.contains("belongs to bob@node.test already"))
        #expect(try HostFiles.read(account) == before)
        await village.close()
    }

    private func secret(_ text: JSONValue) -> SecretBytes {
        var bytes = Array((text.string ?? "").utf8)
        return SecretBytes(consuming: &bytes)
    }

    /// Whatever of the folder is there when the program was killed, the same kit and passphrase lead to the end, and where the
    /// node is away nothing is there that stands in the way.
    @Test @LoopActor func aRestorationThatWasKilled_goesOnWhereItEnded() async throws {
        let village = try await Village(members: ["alice", "bob"], group: [])
        let alice = try await village.join("alice")
        _ = try await village.join("bob")
        let kit = try kit(village, "bob")
        await village.stopAgent("bob")
        try FileManager.default.removeItem(atPath: village.folder + "/bob")
        try await send(alice, "bob", "Lost")
        try await until { try await village.server.call("queue.list").array?.isEmpty == false }
        await village.server.stop()
        let fresh = try await village.startAgent("bob")
        let folder = AgentFolder(stateDir: village.folder + "/bob/state")
        let away = try await refusal { try await fresh.call("agent.restore", ["kit": kit, "passphrase": Self.other]) }
        #expect(away.code == .unavailable)
        #expect(!HostFiles.exists(folder.vault) && !HostFiles.exists(folder.mailboxKeys) && !HostFiles.exists(folder.account))
        try await village.restartServer()
        let restored = try await fresh.call("agent.restore", ["kit": kit, "passphrase": Self.other])
        #expect(restored["lost"]?.integer == 1)
        await village.stopAgent("bob")
        let vault = try HostFiles.read(folder.vault)
        let keys = try HostFiles.read(folder.mailboxKeys)
        // The node had taken it: the reply, the spool or the account file were not written.
        for lost in [[folder.account], [folder.account, folder.spool]] {
            for path in lost { try FileManager.default.removeItem(atPath: path) }
            let again = try await village.startAgent("bob")
            village.time.putForward(by: .seconds(60))
            let wrong = try await refusal { try await again.call("agent.restore", ["kit": kit, "passphrase": "another"]) }
            #expect(wrong.code == .permission)
            let restored = try await again.call("agent.restore", ["kit": kit, "passphrase": Self.other])
            #expect(restored["lost"]?.integer == 1)
            #expect(try HostFiles.read(folder.vault) == vault)
            await village.stopAgent("bob")
        }
        #expect(try HostFiles.read(folder.mailboxKeys).count == keys.count)
        #expect(village.server.role.context?.store.directory.accounts["bob"]?.keyNumber == 2)
        for path in [folder.account, folder.vault, folder.deviceKey, folder.spoolKey, folder.mailboxKeys] {
            #expect(HostFiles.status(path)?.isPrivate == true, "\(path)")
        }
        await village.close()
    }

    @Test @LoopActor func kitsThatDoNotFit_haveSentencesOfTheirOwnAndLeaveNothing() async throws {
        let village = try await Village(members: ["alice", "bob"], group: [])
        _ = try await village.join("alice")
        let bob = try await village.join("bob")
        let agent = try #require(bob.role.agent)
        let good = RecoveryKit(account: agent.account, identitySeed: try #require(agent.unlocked?.keys.identitySeed))
        let fresh = try await makeAgent(village.folder + "/fresh", time: village.time)
        let folder = AgentFolder(stateDir: village.folder + "/fresh/state")
        func restoring(_ change: (inout RecoveryKit) -> Void) async throws -> Failure {
            var kit = good
            change(&kit)
            let code = kit.code.withExposed { String(decoding: $0, as: UTF8.self) }
            return try await refusal { try await fresh.call("agent.restore", ["kit": .text(code), "passphrase": Self.other]) }
        }
        let unknown = try await restoring { $0.identitySeed = .random(32) }
        #expect(unknown.publicText.contains("fits to no account of this node") && unknown.code == .badInput)
        let nobody = try await restoring { $0.address = MailAddress("nobody@node.test") ?? $0.address }
        #expect(nobody.publicText == unknown.publicText)
        let elsewhere = try await restoring { $0.address = MailAddress("bob@other.test") ?? $0.address }
        #expect(elsewhere.publicText.contains("is node.test, and the kit is for bob@other.test"))
        let node = try await restoring { $0.nodeKeyHash[0] ^= 1 }
        #expect(node.publicText.contains("has not the key that the kit names"))
        let signer = try await restoring { $0.nodeIdentity?[0] ^= 1 }
        #expect(signer.publicText.contains("another identity than the kit names"))
        let port = try await restoring { $0.submissionsPort = 1 }
        #expect(port.code == .unavailable)
        _ = try await village.server.call("user.suspend", ["name": "bob"])
        #expect(try await restoring { _ in }.publicText.contains("bob is suspended"))
        _ = try await village.server.call("user.resume", ["name": "bob"])
        #expect(!HostFiles.exists(folder.vault) && !HostFiles.exists(folder.account))
        #expect(bob.role.agent != nil && village.server.role.context?.store.directory.accounts["bob"]?.keyNumber == 1)
        // Keys of somebody else in the folder stay theirs.
        try await Vault(path: folder.vault).create(
            .generate(random: SystemRandom()), passphrase: secret(Self.other), workFactor: 4, random: SystemRandom())
        let vault = try HostFiles.read(folder.vault)
        let taken = try await restoring { _ in }
        #expect(taken.code == .cannotCreate && taken.publicText.contains("another identity than the kit"))
        #expect(try HostFiles.read(folder.vault) == vault)
        await fresh.stop()
        await village.close()
    }
}
