import DDSCore
import DDSLoop
import DDSNode
import DDSSeal
import DDSTestKit
import DDSTorture
import Testing

@testable import DDSAgent

/// A change of the passphrase on disks that stop and fail.
@Suite struct VaultRewriteTests {
    private static let name = "keys.age"
    private static let keys = VaultKeys.generate(random: SystemRandom())
    private static let file = sealed(keys.content)

    private static func secret(_ text: String) -> SecretBytes {
        var bytes = Array(text.utf8)
        return SecretBytes(consuming: &bytes)
    }

    private static func sealed(_ content: SecretBytes) -> [UInt8] {
        do {
            return try PassphraseFile.seal(content, passphrase: secret("old"), workFactor: 1, random: SystemRandom())
        } catch {
            preconditionFailure("a small work factor needs no memory: \(error)")
        }
    }

    private func rewrite(
        _ disk: SimDisk, old: String = "old", new: String = "new", random: any RandomSource = SeededRandom(seed: 3)
    ) throws -> Bool {
        try VaultRewrite(disk: disk, name: Self.name, workFactor: 1, random: random).perform(
            old: Self.secret(old), new: Self.secret(new))
    }

    /// Which of the two passphrases opens the vault, with the same keys in it.
    private func opening(_ disk: SimDisk) throws -> [String] {
        let file = try disk.contents(of: Self.name)
        return ["old", "new"].filter { passphrase in
            guard let content = try? PassphraseFile.open(file, passphrase: Self.secret(passphrase)) else { return false }
            return content == Self.keys.content
        }
    }

    /// The content of the file that had the name, as a handle from before sees it.
    private final class Witness {
        let disk: SimDisk
        let file: DiskFile

        init(_ disk: SimDisk) throws {
            self.disk = disk
            file = try disk.open(VaultRewriteTests.name)
        }

        var bytes: [UInt8] { (try? disk.read(file, at: 0, count: 1 << 20)) ?? [] }
    }

    @Test func changed_opensWithTheNewOneAndTheOldFileIsOverwritten() throws {
        let disk = SimDisk(seed: 1, files: [Self.name: Self.file])
        let witness = try Witness(disk)
        #expect(try rewrite(disk))
        #expect(try opening(disk) == ["new"])
        #expect(try disk.list() == [Self.name])
        #expect(witness.bytes.count == Self.file.count && witness.bytes != Self.file)
        #expect(zip(witness.bytes, Self.file).count { $0 == $1 } < Self.file.count / 8)
        // And nothing of it waits for a sync.
        #expect(try opening(disk.crashed()) == ["new"])
    }

    @Test func stopAtEveryOperation_leavesOneOfTheTwo() throws {
        let whole = SimDisk(seed: 1, files: [Self.name: Self.file])
        _ = try rewrite(whole)
        #expect(whole.operations >= 7)
        var seen = Set<String>()
        for stop in 1...whole.operations {
            for seed in 0..<16 as Range<UInt64> {
                let disk = SimDisk(seed: seed, files: [Self.name: Self.file])
                disk.faults.stopAt = stop
                do { _ = try rewrite(disk) } catch {}
                #expect(disk.isStopped)
                let after = disk.crashed()
                let opens = try opening(after)
                #expect(opens.count == 1, "stopped at \(stop), seed \(seed)")
                seen.formUnion(opens)
                // Whoever tries again with what opens gets there.
                if opens == ["old"] { #expect(try rewrite(after)) }
                #expect(try opening(after) == ["new"])
                #expect(try after.list().filter { $0 != Self.name }.isEmpty || opens == ["new"])
            }
        }
        #expect(seen == ["old", "new"])
    }

    @Test func failureAtEveryOperation_leavesOneOfTheTwoAndSaysWhich() throws {
        let whole = SimDisk(seed: 1, files: [Self.name: Self.file])
        _ = try rewrite(whole)
        for fail in 1...whole.operations {
            let disk = SimDisk(seed: 7, files: [Self.name: Self.file])
            disk.faults.failAt = fail
            do {
                let isOverwritten = try rewrite(disk)
                // The old file had no name any more.
                #expect(try !isOverwritten && opening(disk) == ["new"], "failed at \(fail)")
            } catch VaultRewrite.Problem.notReplaced {
                #expect(try opening(disk) == ["old"], "failed at \(fail)")
                #expect(try opening(disk.crashed()) == ["old"], "failed at \(fail)")
                #expect(try disk.list() == [Self.name], "failed at \(fail)")
            } catch VaultRewrite.Problem.uncertain {
                #expect(try opening(disk.crashed()).count == 1, "failed at \(fail)")
            }
            #expect(disk.openHandles == 0, "failed at \(fail)")
        }
    }

    @Test func fullDisk_keepsTheOldOne() throws {
        let disk = SimDisk(seed: 1, files: [Self.name: Self.file])
        disk.faults.capacity = Self.file.count + 100
        #expect(throws: VaultRewrite.Problem.self) { try rewrite(disk) }
        #expect(try opening(disk) == ["old"] && disk.list() == [Self.name])
    }

    /// What the disk gives back is what counts, not what was handed to it.
    @Test func fileThatComesBackDifferent_replacesNothing() throws {
        // The last byte of everything is lost.
        let disk = WrappedDisk(SimDisk(seed: 1, files: [Self.name: Self.file]))
        disk.written = { Array($0.dropLast()) }
        let change = VaultRewrite(disk: disk, name: Self.name, workFactor: 1, random: SystemRandom())
        #expect(throws: VaultRewrite.Problem.self) { try change.perform(old: Self.secret("old"), new: Self.secret("new")) }
        #expect(try opening(disk.inner) == ["old"] && disk.inner.list() == [Self.name])
    }

    @Test func wrongOldPassphrase_writesNothing() throws {
        let disk = SimDisk(seed: 1, files: [Self.name: Self.file])
        #expect(throws: VaultRewrite.Problem.notOpened(.wrongPassphrase)) { try rewrite(disk, old: "other") }
        #expect(disk.operations == 0)
        let damaged = SimDisk(seed: 1, files: [Self.name: Array(Self.file.dropLast())])
        #expect(throws: VaultRewrite.Problem.self) { try rewrite(damaged) }
        #expect(damaged.operations == 0)
        let foreign = SimDisk(seed: 1, files: [Self.name: Self.sealed(Self.secret("no vault"))])
        #expect(throws: VaultRewrite.Problem.foreign) { try rewrite(foreign) }
        #expect(foreign.operations == 0)
        #expect(throws: VaultRewrite.Problem.self) { try rewrite(SimDisk(seed: 1)) }
    }

    /// Lines that this program does not know stay in the vault.
    @Test func content_isTakenOverAsItIs() throws {
        var text = Self.keys.content.withExposed { Array($0) } + Array("# later 0102\n".utf8)
        let content = SecretBytes(consuming: &text)
        let disk = SimDisk(seed: 1, files: [Self.name: Self.sealed(content)])
        #expect(try rewrite(disk))
        #expect(try PassphraseFile.open(disk.contents(of: Self.name), passphrase: Self.secret("new")) == content)
    }

    @Test func whatAKilledChangeLeft_isRemovedOnlyBesideAVault() throws {
        let folder = try HostFiles.makeTemporaryFolder()
        defer { try? HostFiles.removeTree(folder) }
        let vault = Vault(path: folder + "/keys.age")
        let left = VaultRewrite.temporaryName(of: vault.path)
        try HostFiles.write(left, Self.file)
        vault.tidy()
        #expect(HostFiles.exists(left))
        try HostFiles.write(vault.path, Self.file)
        vault.tidy()
        #expect(!HostFiles.exists(left) && HostFiles.exists(vault.path))
    }

    @Test @LoopActor func onARealDisk_itIsTheSame() async throws {
        let folder = try HostFiles.makeTemporaryFolder()
        defer { try? HostFiles.removeTree(folder) }
        let vault = Vault(path: folder + "/keys.age")
        let services = try testServices(folder: folder, time: ManualTime())
        await #expect(throws: Failure.self) {
            try await vault.changePassphrase(
                from: Self.secret("old"), to: Self.secret("new"), workFactor: 1, services: services)
        }
        #expect(try HostFiles.list(folder).isEmpty)
        try HostFiles.write(vault.path, Self.file)
        #expect(
            try await vault.changePassphrase(
                from: Self.secret("old"), to: Self.secret("new"), workFactor: 1, services: services))
        #expect(HostFiles.status(vault.path)?.isPrivate == true)
        #expect(try HostFiles.list(folder) == ["keys.age"])
        _ = try await vault.open(passphrase: Self.secret("new"))
        let refused = await #expect(throws: Failure.self) { try await vault.open(passphrase: Self.secret("old")) }
        #expect(refused?.code == .permission)
    }
}
