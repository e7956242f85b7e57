// Who takes everything a node has: all its files, the key above them, and even a member's own private key. Before that member
// has fetched it opens their copy of a message; afterwards nothing does, though the message still waits for somebody else.

import DDSCore
import DDSLoop
import DDSNode
import DDSSeal
import DDSSpool
import DDSTestKit
import Foundation
import Testing

@testable import DDSServer

@Suite @LoopActor struct TheftTests {
    private static let marker = Array("the lighthouse keeper knows".utf8)
    private static let bobsDrop = MailboxID(rawValue: 1000)
    private static let carolsDrop = MailboxID(rawValue: 1001)

    private let random = SystemRandom()
    private let bob = AgeIdentity.generate(random: SystemRandom())
    private let carol = AgeIdentity.generate(random: SystemRandom())

    /// One message to both, as the node stores it.
    private func message() throws -> SpoolTransaction {
        let fileKey = AgeFileKey.generate(random: random)
        var writer = AgePayloadWriter(fileKey: fileKey, random: random)
        let payload = writer.update(Self.marker[...]) + writer.finish()
        let headers = try FanOut.headers(fileKey: fileKey, recipients: [bob.recipient, carol.recipient], random: random)
        return SpoolTransaction(appends: [
            .payload(tag: .none, body: payload),
            .delivery(mailbox: Self.bobsDrop, tag: .none, flags: 0, header: headers[0], payload: 0),
            .delivery(mailbox: Self.carolsDrop, tag: .none, flags: 0, header: headers[1], payload: 0),
        ])
    }

    private func open(_ folder: String, _ wrap: SecretBytes) async throws -> EmbeddedSpool {
        try await EmbeddedSpool.open(
            folder: folder + "/spool", keys: .rotating(folder: folder, wrap: wrap), random: random, time: Loop.time,
            onStopped: { _ in })
    }

    /// A new spool with its roots in `folder`, open.
    private func made(_ folder: String, _ wrap: SecretBytes) async throws -> EmbeddedSpool {
        try HostFiles.makeFolders(folder)
        try await EmbeddedSpool.create(
            folder: folder + "/spool", keys: .rotating(folder: folder, wrap: wrap), bodyBytes: 1 << 20, random: random,
            time: Loop.time)
        return try await open(folder, wrap)
    }

    /// How many of all the copies in these files `identity` opens.
    private func opened(by identity: AgeIdentity, in folder: String, _ wrap: SecretBytes) async throws -> Int {
        let spool = try await open(folder, wrap)
        var count = 0
        for mailbox in try await spool.mailboxes().keys {
            for entry in try await spool.entries(in: mailbox) {
                guard let payload = entry.payload else { continue }
                let file = try await spool.read([
                    SpoolRange(entry.uid, offset: 0, count: entry.size),
                    SpoolRange(payload, offset: 0, count: entry.payloadSize),
                ])
                var decryptor = AgeDecryptor(identities: [identity], form: .binary)
                guard let plain = try? decryptor.feed(file[0] + file[1]) + decryptor.finish() else { continue }
                #expect(plain == Self.marker)
                count += 1
            }
        }
        await spool.close()
        return count
    }

    /// The 128 bytes that hold the only key of a record (ddsnode-spool(5)).
    private func slot(of uid: SpoolUID, in folder: String) throws -> [UInt8] {
        let sequence = uid.rawValue >> 16
        let name = Hex.encode((0..<8).map { UInt8(truncatingIfNeeded: sequence >> UInt64(56 - 8 * $0)) })
        let file = try HostFiles.read(folder + "/spool/seg-" + name)
        let start = 4096 + Int(uid.rawValue & 0xffff) * 128
        return Array(file[start..<start + 128])
    }

    @Test func allFilesAndKeys_openWhatWaits_andNothingThatWasFetched() async throws {
        let home = try HostFiles.makeTemporaryFolder(prefix: "ddstheft")
        defer { try? HostFiles.removeTree(home) }
        let (node, wrap) = (home + "/node", SecretBytes.random(32))
        let spool = try await made(node, wrap)
        let stored = try await spool.commit(try message())
        try FileManager.default.copyItem(atPath: node, toPath: home + "/before")

        // What a QUIT of bob's does, up to its +OK.
        let maildrop = Maildrop(try await spool.entries(in: Self.bobsDrop))
        _ = try await spool.commit(maildrop.erasing([0]))
        try FileManager.default.copyItem(atPath: node, toPath: home + "/after")
        await spool.close()

        #expect(try await opened(by: bob, in: home + "/before", wrap) == 1)
        #expect(try await opened(by: carol, in: home + "/before", wrap) == 1)
        #expect(try await opened(by: bob, in: home + "/after", wrap) == 0)
        #expect(try await opened(by: carol, in: home + "/after", wrap) == 1)
        #expect(try slot(of: stored[1], in: home + "/before").contains { $0 != 0 })
        #expect(try slot(of: stored[1], in: home + "/after").allSatisfy { $0 == 0 })
        #expect(try slot(of: stored[2], in: home + "/after").contains { $0 != 0 })
    }

    /// E3: an old copy of the slot, as flash or a snapshot may keep it, with everything that the node has now.
    @Test func afterTheRootHasChanged_anOldSlotOpensNothing() async throws {
        let home = try HostFiles.makeTemporaryFolder(prefix: "ddstheft")
        defer { try? HostFiles.removeTree(home) }
        let (node, wrap) = (home + "/node", SecretBytes.random(32))
        let spool = try await made(node, wrap)
        _ = try await spool.commit(try message())
        try FileManager.default.copyItem(atPath: node, toPath: home + "/snapshot")
        let maildrop = Maildrop(try await spool.entries(in: Self.bobsDrop))
        _ = try await spool.commit(maildrop.erasing([0]))
        let former = try await spool.statistics().rootMade
        try await spool.rotateRoot()
        try await until {
            let statistics = try await spool.statistics()
            return statistics.rotation.remaining == 0 && statistics.rootMade != former
        }
        await spool.close()
        // The snapshot's spool with the roots as they are now.
        #expect(try await opened(by: bob, in: home + "/snapshot", wrap) == 1)
        try FileManager.default.removeItem(atPath: home + "/snapshot/spool.roots")
        try FileManager.default.copyItem(atPath: node + "/spool.roots", toPath: home + "/snapshot/spool.roots")
        await #expect(throws: Failure.self) { try await opened(by: bob, in: home + "/snapshot", wrap) }
    }
}
