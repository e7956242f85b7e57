// A spool that cannot be used: a sentence with the remedy, the exit code of it, and no byte changed.

import DDSCore
import DDSLoop
import DDSNode
import DDSSeal
import DDSSpool
import DDSTestKit
import FoundationEssentials
import Testing

@Suite struct SpoolRefusalTests {
    private let wrap = SecretBytes.random(32)

    /// Content, mode and time of everything below a folder.
    private struct Image: Equatable {
        var files: [String: [UInt8]] = [:]
        var states: [String: FileStatus] = [:]

        init(_ folder: String) throws {
            for name in try HostFiles.list(folder) {
                let path = folder + "/" + name
                states[path] = HostFiles.status(path)
                if states[path]?.kind == .folder {
                    let below = try Image(path)
                    files.merge(below.files) { $1 }
                    states.merge(below.states) { $1 }
                } else {
                    files[path] = try HostFiles.read(path, limit: 1 << 26)
                }
            }
            states[folder] = HostFiles.status(folder)
        }
    }

    private func keys(_ folder: String) -> SpoolKeySource { .rotating(folder: folder, wrap: wrap) }

    private func open(_ folder: String, keys: SpoolKeySource? = nil, acceptLoss: Bool = false) async throws -> EmbeddedSpool {
        try await EmbeddedSpool.open(
            folder: folder + "/spool", keys: keys ?? self.keys(folder), acceptLoss: acceptLoss, random: SystemRandom(),
            time: SystemTime(),
            onStopped: { _ in })
    }

    /// A closed spool with one record in it.
    private func withSpool(_ body: (String) async throws -> Void) async throws {
        let folder = try HostFiles.makeTemporaryFolder()
        defer { try? HostFiles.removeTree(folder) }
        try await EmbeddedSpool.create(
            folder: folder + "/spool", keys: keys(folder), bodyBytes: 1 << 20, random: SystemRandom(), time: SystemTime())
        let spool = try await open(folder)
        _ = try await spool.commit(
            SpoolTransaction(appends: [.record(mailbox: MailboxID(rawValue: 9), tag: .none, flags: 0, body: [1, 2, 3])]))
        await spool.close()
        try await body(folder)
    }

    private func expectRefusal(
        _ folder: String, _ code: Failure.Code, _ words: [String], keys: SpoolKeySource? = nil
    ) async throws {
        let before = try Image(folder)
        let failure = await #expect(throws: Failure.self) { try await open(folder, keys: keys) }
        #expect(failure?.code == code)
        for word in words { #expect(failure?.publicText.contains(word) == true, "\(failure?.publicText ?? "")") }
        #expect(try Image(folder) == before, "a refusal changes nothing")
    }

    private func flip(_ path: String, at offsets: [Int], bit: UInt8 = 1) throws {
        var bytes = try HostFiles.read(path, limit: 1 << 26)
        for offset in offsets { bytes[offset] ^= bit }
        try HostFiles.write(path, bytes)
    }

    @Test @LoopActor func missingFolder_isSaid() async throws {
        try await withSpool { folder in
            try HostFiles.rename(folder + "/spool", to: folder + "/elsewhere")
            try await expectRefusal(folder, .fileMissing, ["no spool in", "init"])
        }
    }

    @Test @LoopActor func foreignFolder_isSaidAndGetsNoLockFile() async throws {
        try await withSpool { folder in
            try HostFiles.removeTree(folder + "/spool")
            try HostFiles.makeFolders(folder + "/spool")
            try HostFiles.write(folder + "/spool/letter.txt", [1])
            try await expectRefusal(folder, .fileMissing, ["super is missing"])
            #expect(try HostFiles.list(folder + "/spool") == ["letter.txt"])
        }
    }

    @Test @LoopActor func missingRoots_areSaid() async throws {
        try await withSpool { folder in
            try HostFiles.rename(folder + "/spool.roots", to: folder + "/elsewhere")
            try await expectRefusal(folder, .fileMissing, ["spool.roots", "put the file back"])
        }
    }

    @Test @LoopActor func otherMasterKey_isSaid() async throws {
        try await withSpool { folder in
            try await expectRefusal(
                folder, .badInput, ["spool.roots", "another node"], keys: .rotating(folder: folder, wrap: .random(32)))
            try await expectRefusal(folder, .badInput, ["root key"], keys: .fixed(.random(32)))
        }
    }

    @Test @LoopActor func newerVersion_isSaid() async throws {
        try await withSpool { folder in
            try flip(folder + "/spool/super", at: (0..<4).map { $0 * 4096 + 11 }, bit: 2)
            try await expectRefusal(folder, .badInput, ["version 3", "newer program"])
        }
    }

    @Test @LoopActor func foreignSegment_isSaid() async throws {
        try await withSpool { folder in
            try await withSpool { other in
                let name = "/spool/seg-0000000000000001"
                try HostFiles.write(folder + "/spool/seg-00000000000000ff", HostFiles.read(other + name, limit: 1 << 26))
                // Another root's: the names of the spools differ in both copies.
                try await expectRefusal(folder, .badInput, ["seg-00000000000000ff", "another spool"])
            }
        }
    }

    @Test @LoopActor func folderOpenToOthers_isSaid() async throws {
        try await withSpool { folder in
            try FileManager.default.setAttributes([.posixPermissions: 0o750], ofItemAtPath: folder + "/spool")
            try await expectRefusal(folder, .permission, ["750", "chmod 700"])
        }
    }

    @Test @LoopActor func secondProcess_isSaid() async throws {
        try await withSpool { folder in
            let first = try await open(folder)
            let failure = await #expect(throws: Failure.self) { try await open(folder) }
            #expect(failure?.code == .tryAgain && failure?.publicText.contains("in use") == true)
            await first.close()
            try await open(folder).close()
        }
    }

    @Test @LoopActor func damage_isRefusedUntilItIsAccepted() async throws {
        try await withSpool { folder in
            try flip(folder + "/spool/seg-0000000000000001", at: [4096 + 60])
            try await expectRefusal(folder, .inputOutput, ["seg-0000000000000001", "byte 4096", "--accept-loss"])
            let spool = try await open(folder, acceptLoss: true)
            #expect(spool.recovery.lost.count == 1)
            await spool.close()
            let again = try await open(folder)
            #expect(again.recovery.lost.isEmpty && again.recovery.damage.isEmpty)
            await again.close()
        }
    }

    @Test @LoopActor func rotation_destroysTheFormerRoot() async throws {
        try await withSpool { folder in
            let spool = try await open(folder)
            let before = try HostFiles.read(folder + "/spool/seg-0000000000000001", limit: 1 << 26)
            let roots = try HostFiles.read(folder + "/spool.roots")
            let made = try await spool.statistics().rootMade
            try await spool.rotateRoot()
            var statistics = try await spool.statistics()
            while statistics.rootMade == made { statistics = try await spool.statistics() }
            #expect(statistics.rotation == SpoolRotation(epoch: 2, remaining: 0) && statistics.fileSystem != nil)
            let mailbox = MailboxID(rawValue: 9)
            let uid = try #require(try await spool.entries(in: mailbox).first?.uid)
            #expect(try await spool.read(uid, offset: 0, count: 9) == [1, 2, 3])
            #expect(try await spool.verify().damage.isEmpty)
            await spool.close()
            let after = try HostFiles.read(folder + "/spool/seg-0000000000000001", limit: 1 << 26)
            #expect(before[4096..<4224] != after[4096..<4224], "the slot is sealed anew")
            #expect(try HostFiles.read(folder + "/spool.roots") != roots)
            let again = try await open(folder)
            #expect(try await again.read(uid, offset: 0, count: 9) == [1, 2, 3])
            #expect(try await again.statistics().rotation == SpoolRotation(epoch: 2, remaining: 0))
            await again.close()
        }
    }

    @Test func fileSystems_areJudgedByTypeAndOptions() {
        let info = """
            21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw,errors=remount-ro
            22 1 8:2 / /j rw shared:2 - ext4 /dev/sda2 rw,data=journal
            23 1 0:40 / /n rw - nfs4 host:/x rw,vers=4.2
            24 1 8:3 / /b rw - btrfs /dev/sda3 rw
            """
        let verdicts = [(8, 1), (8, 2), (0, 40), (8, 3)].map {
            FileSystem(mountInfo: info, major: UInt32($0.0), minor: UInt32($0.1))?.verdict
        }
        #expect(verdicts == [.overwritesInPlace, .copiesOnWrite, .network, .copiesOnWrite])
        #expect(FileSystem(mountInfo: info, major: 9, minor: 9) == nil)
        #expect(!FileSystem.under("/proc").type.isEmpty && FileSystem.under("/nowhere").verdict == .unknown)
    }
}
