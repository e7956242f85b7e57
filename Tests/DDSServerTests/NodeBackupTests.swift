// A backup brings members, groups and the node's keys back, and nothing that would undo an erasure.

import DDSCore
import DDSLoop
import DDSNode
import DDSSeal
import DDSSpool
import DDSTestKit
import Foundation
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
        let keys = try backup.keys(master: .random(32), now: world.time.wall, random: SystemRandom())
        #expect(keys.nodeIdentity.publicKey == world.context.keys.nodeIdentity.publicKey)
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
        ("{}", Failure.Code.badInput), ("{\"ddsnode_backup\":3}", .configuration), ("{\"ddsnode_backup\":1}", .badInput),
        ("{\"ddsnode_backup\":2}", .badInput),
    ])
    func otherContent_isNoBackup(_ content: String, _ expected: Failure.Code) throws {
        let identity = AgeIdentity.generate(random: SystemRandom())
        var file = try AgeEncryptor(recipients: [identity.recipient], armor: nil, random: SystemRandom())
        let bytes = file.update(Array(content.utf8)[...]) + file.finish()
        #expect(code { _ = try NodeBackup.open(bytes, with: .identity(identity)) } == expected)
    }

    /// A key that came back with every backup would be destroyed nowhere.
    @Test func sealKeys_areNotInIt_andTheNextNumberIsHigher() async throws {
        let world = try await World()
        defer { world.close() }
        let identity = AgeIdentity.generate(random: SystemRandom())
        let file = try made(world).sealed(for: .recipient(identity.recipient), random: SystemRandom())
        var decryptor = AgeDecryptor(identities: [identity])
        let plain = try decryptor.feed(file) + decryptor.finish()
        #expect(!plain.contains(Array("AGE-SECRET-KEY".utf8)))
        let backup = try NodeBackup.open(file, with: .identity(identity))
        let keys = try backup.keys(master: .random(32), now: world.time.wall + .seconds(100), random: SystemRandom())
        #expect(keys.seal.keys.map(\.number) == [102] && keys.seal.hold != nil)
        let seals = world.context.keys.seal.newest.identities.map(\.recipient)
        #expect(Set(keys.seal.identities.map(\.recipient)).isDisjoint(with: seals))
    }

    /// Byte for byte what a release of before wrote into it.
    @Test func backupOfVersion1_keepsItsKeyForTheGrace() async throws {
        let world = try await World()
        defer { world.close() }
        let (classical, hybrid) = (AgeIdentity.generate(random: SystemRandom()), AgeIdentity.generate(kind: .hybrid, random: SystemRandom()))
        let directory = String(decoding: try JSONEncoder().encode(world.store.directory), as: UTF8.self)
        for seals in [[classical], [classical, hybrid]] {
            let texts = zip(["seal_identity", "seal_identity_hybrid"], seals).map { name, key in
                "\"\(name)\":\"\(key.secretText().withExposed { String(decoding: $0, as: UTF8.self) })\""
            }
            let content = """
                {"ddsnode_backup":1,"domain":"node.test","created":1790000000,"directory":\(directory),"waiting":0,
                "tls_seed":"\(String(repeating: "ab", count: 32))","node_identity":"\(String(repeating: "cd", count: 32))",
                \(texts.joined(separator: ","))}
                """
            let identity = AgeIdentity.generate(random: SystemRandom())
            var file = try AgeEncryptor(recipients: [identity.recipient], armor: nil, random: SystemRandom())
            let backup = try NodeBackup.open(file.update(Array(content.utf8)[...]) + file.finish(), with: .identity(identity))
            let now = WallTime(milliseconds: 1_790_000_060_000)
            let keys = try backup.keys(master: .random(32), now: now, random: SystemRandom())
            #expect(keys.seal.keys.map(\.number) == [1, 62])
            #expect(keys.seal.keys[0].identities.map(\.recipient) == seals.map(\.recipient))
            #expect(keys.seal.expired(now: now + .seconds(48 * 3600)).map(\.number) == [1])
            #expect(keys.seal.expired(now: now + .seconds(48 * 3600 - 1)).isEmpty)
        }
    }

    private func code(_ body: () throws -> Void) -> Failure.Code? {
        do { try body() } catch { return (error as? Failure)?.code }
        return nil
    }
}
