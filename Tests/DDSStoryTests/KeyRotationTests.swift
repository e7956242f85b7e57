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

@Suite(.serialized, .timeLimit(.minutes(5))) struct KeyRotationTests {
    /// The keys that an agent's folder gives to whoever has it and the passphrase.
    @LoopActor private func keys(of folder: AgentFolder) async throws -> [AgeIdentity] {
        var passphrase = Array("correct horse battery".utf8)
        let vault = try await Vault(path: folder.vault).open(passphrase: SecretBytes(consuming: &passphrase))
        let ring = try MailboxKeyFile(path: folder.mailboxKeys).load(vault)
        return ring.identities + [vault.mailbox]
    }

    /// Theft: who recorded what went over the wire or lay on the disks, and later takes the unlocked agent with all its files and
    /// its passphrase, reads nothing that was fetched, taken in and deleted before the key changed.
    @Test @LoopActor func aLaterThief_readsNothingThatWasDeleted() async throws {
        let village = try await Village(members: ["alice", "bob"], group: [])
        let alice = try await village.join("alice")
        let bob = try await village.join("bob")
        _ = try await bob.call("agent.lock")
        func send(_ subject: String) async throws {
            _ = try await alice.call("agent.send", ["recipients": ["bob"], "subject": .text(subject), "body": "MARKER\n"])
        }
        try await send("Before")
        // Locked, the agent fetches; what lies there is what went over the wire.
        let spool = try #require(bob.role.agent?.spool)
        let folder = AgentFolder(stateDir: village.folder + "/bob/state")
        let early = try await keys(of: folder)
        let account = try #require(bob.role.agent?.account)
        let intake = StoreIntake(
            seal: StoreSeal(key: .random(32), random: SystemRandom()), account: account,
            judge: SignatureJudge(server: Array(account.nodeKeyHash.prefix(8)), me: account.address, ownKey: ""))
        var recorded: [UInt8] = []
        try await until {
            // The node may have told of the message of the joining too.
            for entry in try await spool.entries(in: AgentMailbox.inbox) {
                let wrapped = try await spool.read(entry.uid, offset: 0, count: .max)
                let opened = try intake.opened(wrapped, from: entry.uid, identities: early, at: Loop.time.wall, Trust())
                if opened.summary.subject == "Before" { recorded = wrapped }
            }
            return !recorded.isEmpty
        }
        let uid = SpoolUID(rawValue: 1)
        let before = AgentFolder(stateDir: village.folder + "/before/state")
        try HostFiles.makeFolders(village.folder + "/before/state")
        try FileManager.default.copyItem(atPath: folder.path, toPath: before.path)
        _ = try await bob.call("agent.unlock", ["passphrase": Village.passphrase])
        try await until { try await village.subjects("bob").contains("Before") }
        let store = try #require(bob.role.agent?.unlocked?.store)
        try await store.remove(store.order)
        // A day later mail comes: the next key is made and told, and the first one goes.
        village.time.putForward(by: .seconds(86_400))
        try await send("After")
        try await until { bob.role.agent?.unlocked?.keeper?.ring.keys.map(\.number) == [2] }
        try await until { try await village.subjects("bob") == ["After"] }
        let stolen = try await keys(of: folder)
        let live = try #require(bob.role.agent?.unlocked?.keeper?.identities)
        #expect(live.map(\.recipient) == stolen.map(\.recipient))
        // The copy from before opens what was recorded: what follows is not true of any other reason.
        let kept = try await keys(of: before)
        #expect(
            try intake.opened(recorded, from: uid, identities: kept, at: Loop.time.wall, Trust()).summary.subject == "Before")
        #expect(throws: AgeError.noMatch) {
            try intake.opened(recorded, from: uid, identities: stolen, at: Loop.time.wall, Trust())
        }
        // Nor do the files hold what they held: the old file of keys, or the record of the message.
        let old = try HostFiles.read(before.mailboxKeys)
        for name in try FileManager.default.subpathsOfDirectory(atPath: folder.path) {
            guard let bytes = FileManager.default.contents(atPath: folder.path + "/" + name) else { continue }
            #expect(bytes.range(of: Data(old)) == nil, "\(name)")
        }
        // What the node seals from now on is for the new key.
        try await send("Later")
        try await until { try await village.subjects("bob").contains("Later") }
        #expect(bob.role.agent?.importTrouble == nil && bob.role.agent?.unlocked?.keeper?.trouble == nil)
        await village.close()
    }

    @Test @LoopActor func aMissingFileOfKeys_isSaidAndNothingIsMadeInItsPlace() async throws {
        let village = try await Village(members: ["alice"], group: [])
        _ = try await village.join("alice")
        await village.stopAgent("alice")
        let folder = AgentFolder(stateDir: village.folder + "/alice/state")
        let bytes = try HostFiles.read(folder.mailboxKeys)
        try HostFiles.remove(folder.mailboxKeys)
        let alice = try await village.startAgent("alice")
        _ = try await alice.call("agent.unlock", ["passphrase": Village.passphrase])
        #expect(await alice.role.status().problems.contains { $0.contains("mailbox.keys are missing") })
        #expect(!HostFiles.exists(folder.mailboxKeys))
        // Mail that comes meanwhile is kept, and opens when the file is back.
        _ = try await alice.call("agent.send", ["recipients": ["alice"], "subject": "Kept", "body": "x\n"])
        try await until { alice.role.agent?.unlocked?.store.unopened == 1 }
        try HostFiles.write(folder.mailboxKeys, bytes)
        _ = try await alice.call("agent.lock")
        _ = try await alice.call("agent.unlock", ["passphrase": Village.passphrase])
        try await until { alice.role.agent?.unlocked?.store.unopened == 0 }
        #expect(await alice.role.status().problems.isEmpty)
        await village.close()
    }
}
