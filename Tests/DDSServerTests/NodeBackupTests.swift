// A backup brings members, groups and the node's keys back, and nothing that would undo an erasure.

import DDSCore
import DDSLoop
import DDSNode
import DDSSeal
import DDSSpool
import DDSTestKit
import Testing

@testable import DDSServer

@Suite @LoopActor struct NodeBackupTests {
    private func made(_ world: World) -> NodeBackup {
        NodeBackup(keys: world.context.keys, directory: world.store.directory, domain: World.domain, waiting: 3, at: world.time.wall)
    }

    @Test func wholeNode_comesBack() async throws {
        let world = try await World()
        defer { world.close() }
        try await world.addKeyMember("bob")
        try await world.addGroup("board", members: ["bob"], owners: ["bob"])
        let identity = AgeIdentity.generate(random: SystemRandom())
        let file = try made(world).sealed(for: .recipient(identity.recipient), random: SystemRandom())
        let backup = try NodeBackup.open(file, with: .identity(identity))
        #expect(backup.directory == world.store.directory)
        #expect(backup.domain == World.domain)
        #expect(backup.waiting == 3)
        let keys = try backup.keys(master: .random(32))
        #expect(keys.nodeIdentity.publicKey == world.context.keys.nodeIdentity.publicKey)
        #expect(keys.sealIdentity.recipient == world.context.keys.sealIdentity.recipient)
        #expect(keys.tlsSeed.isEqual(to: world.context.keys.tlsSeed))
    }

    /// The master key, under which the spool's keys hang, is neither in it nor made of what is.
    @Test func masterKey_isNotInIt() async throws {
        let world = try await World()
        defer { world.close() }
        let identity = AgeIdentity.generate(random: SystemRandom())
        let file = try made(world).sealed(for: .recipient(identity.recipient), random: SystemRandom())
        var decryptor = AgeDecryptor(identities: [identity])
        let plain = try decryptor.feed(file) + decryptor.finish()
        for secret in [world.context.keys.master, world.context.keys.spoolKey] {
            secret.withExposed { bytes in
                #expect(!plain.contains(bytes))
                #expect(!plain.contains(Array(Hex.encode(bytes).utf8)))
                #expect(!plain.contains(Base64.encode(bytes)))
            }
        }
        // The same search finds what is there.
        #expect(world.context.keys.tlsSeed.withExposed { plain.contains(Array(Hex.encode($0).utf8)) })
    }

    @Test func wrongOpenerOrDamage_isRefused() async throws {
        let world = try await World()
        defer { world.close() }
        var secret = Array("correct horse".utf8)
        let identity = AgeIdentity.generate(random: SystemRandom())
        let file = try made(world).sealed(for: .recipient(identity.recipient), random: SystemRandom())
        #expect(code { _ = try NodeBackup.open(file, with: .identity(.generate(random: SystemRandom()))) } == .permission)
        #expect(code { _ = try NodeBackup.open(Array(file.dropLast()), with: .identity(identity)) } == .badInput)
        #expect(code { _ = try NodeBackup.open(Array("no age file".utf8), with: .identity(identity)) } == .badInput)
        let locked = try made(world).sealed(for: .passphrase(SecretBytes(consuming: &secret)), random: SystemRandom())
        var wrong = Array("wrong horse".utf8)
        #expect(code { _ = try NodeBackup.open(locked, with: .passphrase(SecretBytes(consuming: &wrong))) } == .permission)
    }

    @Test(arguments: [
        ("{}", Failure.Code.badInput), ("{\"ddsnode_backup\":2}", .configuration), ("{\"ddsnode_backup\":1}", .badInput),
    ])
    func otherContent_isNoBackup(_ content: String, _ expected: Failure.Code) throws {
        let identity = AgeIdentity.generate(random: SystemRandom())
        var file = try AgeEncryptor(recipients: [identity.recipient], armor: nil, random: SystemRandom())
        let bytes = file.update(Array(content.utf8)[...]) + file.finish()
        #expect(code { _ = try NodeBackup.open(bytes, with: .identity(identity)) } == expected)
    }

    private func code(_ body: () throws -> Void) -> Failure.Code? {
        do { try body() } catch { return (error as? Failure)?.code }
        return nil
    }
}
