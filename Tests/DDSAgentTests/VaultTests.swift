import DDSCore
import DDSLoop
import DDSNode
import DDSSeal
import Testing

@testable import DDSAgent

@Suite struct VaultTests {
    private static let workFactor = 4

    private func secret(_ text: String) -> SecretBytes {
        var bytes = Array(text.utf8)
        return SecretBytes(consuming: &bytes)
    }

    @LoopActor private func failure(_ body: @LoopActor () async throws(Failure) -> VaultKeys) async -> Failure? {
        do throws(Failure) {
            _ = try await body()
            return nil
        } catch {
            return error
        }
    }

    @Test @LoopActor func keys_comeBackFromTheDisk() async throws {
        let folder = try HostFiles.makeTemporaryFolder()
        defer { try? HostFiles.removeTree(folder) }
        let keys = VaultKeys.generate(random: SystemRandom())
        let vault = Vault(path: folder + "/keys.age")
        try await vault.create(keys, passphrase: secret("correct horse"), workFactor: Self.workFactor, random: SystemRandom())
        #expect(HostFiles.status(vault.path)?.isPrivate == true)
        let opened = try await vault.open(passphrase: secret("correct horse"))
        #expect(opened.mailbox.recipient == keys.mailbox.recipient)
        for (left, right) in [(opened.storeKey, keys.storeKey), (opened.identitySeed, keys.identitySeed)] {
            #expect(left.withExposed { Array($0) } == right.withExposed { Array($0) })
        }
    }

    @Test @LoopActor func everyTrouble_hasASentenceOfItsOwnAndChangesNothing() async throws {
        let folder = try HostFiles.makeTemporaryFolder()
        defer { try? HostFiles.removeTree(folder) }
        let vault = Vault(path: folder + "/keys.age")
        let missing = await failure { () async throws(Failure) in try await vault.open(passphrase: secret("x")) }
        #expect(!HostFiles.exists(vault.path))
        try await vault.create(
            VaultKeys.generate(random: SystemRandom()), passphrase: secret("right"), workFactor: Self.workFactor,
            random: SystemRandom())
        let whole = try HostFiles.read(vault.path)
        let wrong = await failure { () async throws(Failure) in try await vault.open(passphrase: secret("wrong")) }
        func opening(_ file: [UInt8]) async throws -> Failure? {
            try HostFiles.write(vault.path, file)
            let found = await failure { () async throws(Failure) in try await vault.open(passphrase: secret("right")) }
            #expect(try HostFiles.read(vault.path) == file)
            return found
        }
        var damaged: Failure?
        for length in 0..<whole.count {
            let found = try await opening(Array(whole.prefix(length)))
            #expect(found?.code == .badInput && found?.publicText.contains("damaged (") == true, "\(length)")
            damaged = found
        }
        for index in whole.indices {
            var file = whole
            file[index] ^= 0x20
            let found = try await opening(file)
            #expect(found?.code == .badInput && found?.publicText.contains("damaged") == true, "\(index)")
        }
        let costly = try await opening(Self.asking(23, whole))
        let foreign = try await opening(
            try PassphraseFile.seal(
                secret("hello"), passphrase: secret("right"), workFactor: Self.workFactor, random: SystemRandom()))
        #expect(
            missing?.code == .fileMissing && wrong?.code == .permission && costly?.code == .badInput
                && foreign?.code == .badInput)
        #expect(costly?.publicText.contains("more work") == true)
        let sentences = [missing, wrong, damaged, costly, foreign].map { $0?.publicText }
        #expect(Set(sentences).count == sentences.count)
        for (sentence, remedy) in zip(sentences, ["put it back", "try again", "restore it", "restore it", "restore it"]) {
            #expect(sentence?.contains(remedy) == true, "\(sentence ?? "")")
        }
    }

    /// The same file with another work factor.
    private static func asking(_ factor: Int, _ file: [UInt8]) -> [UInt8] {
        var lines = file.split(separator: 0x0a, maxSplits: 2, omittingEmptySubsequences: false)
        lines[1] = ArraySlice(Array(lines[1].dropLast(1)) + Array("\(factor)".utf8))
        return Array(lines.joined(separator: [0x0a]))
    }

    @Test @LoopActor func vaultThatCannotBeRead_isNeitherMissingNorDamaged() async throws {
        let folder = try HostFiles.makeTemporaryFolder()
        defer { try? HostFiles.removeTree(folder) }
        let vault = Vault(path: folder + "/keys.age")
        try HostFiles.makeFolders(vault.path)
        let found = await failure { () async throws(Failure) in try await vault.open(passphrase: secret("right")) }
        #expect(found?.code == .inputOutput && found?.publicText.contains("cannot be read") == true)
    }

    /// A key that is gone is told; a new one would open nothing of what is there.
    @Test func lostKeys_areNamed() throws {
        let folder = try HostFiles.makeTemporaryFolder()
        defer { try? HostFiles.removeTree(folder) }
        let agent = AgentFolder(stateDir: folder)
        #expect(agent.lostKey == nil)
        try HostFiles.makeFolders(agent.spool)
        for path in [agent.deviceKey, agent.spoolKey] { try HostFiles.write(path, [UInt8](repeating: 1, count: 32)) }
        #expect(agent.lostKey == nil, "a join that was killed goes on")
        try HostFiles.write(agent.vault, [1])
        #expect(agent.lostKey == nil)
        try HostFiles.write(agent.spool + "/super", [1])
        #expect(agent.lostKey == nil)
        for path in [agent.vault, agent.spoolKey, agent.deviceKey] {
            let before = try HostFiles.read(path)
            try HostFiles.remove(path)
            let lost = agent.lostKey
            #expect(lost?.code == .fileMissing && lost?.publicText.contains(path) == true, "\(path)")
            try HostFiles.write(path, before)
        }
        #expect(agent.lostKey == nil)
    }

    /// Two that join at once: the second finds no file when it looks, and one when it writes.
    @Test func fileThatCameMeanwhile_isNotReplaced() throws {
        let folder = try HostFiles.makeTemporaryFolder()
        defer { try? HostFiles.removeTree(folder) }
        try HostFiles.create(folder + "/a", [1], mode: 0o600)
        let error = #expect(throws: DiskError.self) { try HostFiles.create(folder + "/a", [2]) }
        #expect(error?.kind == .exists)
        #expect(try HostFiles.read(folder + "/a") == [1])
        #expect(try HostFiles.list(folder) == ["a"])
        #expect(HostFiles.status(folder + "/a")?.isPrivate == true)
    }

    @Test @LoopActor func vault_isNeverOverwritten() async throws {
        let folder = try HostFiles.makeTemporaryFolder()
        defer { try? HostFiles.removeTree(folder) }
        let vault = Vault(path: folder + "/keys.age")
        try HostFiles.write(vault.path, [1, 2, 3])
        await #expect(throws: Failure.self) {
            try await vault.create(
                VaultKeys.generate(random: SystemRandom()), passphrase: secret("x"), workFactor: Self.workFactor,
                random: SystemRandom())
        }
        #expect(try HostFiles.read(vault.path) == [1, 2, 3])
    }

    /// New keys are hybrid; a vault from before there were any opens as it is.
    @Test func mailboxKey_isOfTheKindThatTheVaultHolds() throws {
        let keys = VaultKeys.generate(random: SystemRandom())
        #expect(keys.mailbox.kind == .hybrid)
        #expect(VaultKeys(content: keys.content)?.mailbox.kind == .hybrid)
        let older = AgeIdentity.generate(random: SystemRandom())
        let text = older.secretText().withExposed { String(decoding: $0, as: UTF8.self) }
        let seed = String(repeating: "07", count: 32)
        let content = secret("# ddsnode vault 1\n# mailbox \(text)\n# identity \(seed)\n# store \(seed)\n")
        let opened = try #require(VaultKeys(content: content))
        #expect(opened.mailbox.recipient == older.recipient && opened.mailbox.kind == .classical)
        #expect(VaultKeys(content: opened.content)?.mailbox.recipient == older.recipient)
    }

    @Test func contentThatIsNoVault_isNone() {
        #expect(VaultKeys(content: secret("")) == nil)
        #expect(VaultKeys(content: secret("# ddsnode vault 1\n# mailbox AGE-SECRET-KEY-1\n")) == nil)
    }

    @Test func account_comesBackFromItsFile() throws {
        let account = try testAccount(ownRecipient: "age1own", nodeRecipient: "age1node")
        #expect(AgentAccount(json: account.json) == account)
        #expect(AgentAccount(json: ["version": 2]) == nil)
        for key in ["address", "host", "pop3s_port", "submissions_port", "node_key", "node_recipient", "own_recipient"] {
            guard case .object(var fields) = account.json else { return }
            fields[key] = nil
            #expect(AgentAccount(json: .object(fields)) == nil, "\(key)")
        }
    }

    @Test func damagedAccount_isNotTakenForNone() throws {
        let folder = try HostFiles.makeTemporaryFolder()
        defer { try? HostFiles.removeTree(folder) }
        let agent = AgentFolder(stateDir: folder)
        #expect(try agent.loadAccount() == nil)
        try HostFiles.makeFolders(agent.path)
        try HostFiles.write(agent.account, Array("{".utf8))
        #expect(throws: Failure.self) { try agent.loadAccount() }
    }

    @Test func openSecretFile_isRefused() throws {
        let folder = try HostFiles.makeTemporaryFolder()
        defer { try? HostFiles.removeTree(folder) }
        let agent = AgentFolder(stateDir: folder)
        try HostFiles.makeFolders(agent.path)
        try HostFiles.write(agent.deviceKey, [UInt8](repeating: 1, count: 32), mode: 0o644)
        #expect(throws: Failure.self) { try agent.loadSecret(agent.deviceKey) }
        try HostFiles.write(agent.deviceKey, [UInt8](repeating: 1, count: 31))
        #expect(throws: Failure.self) { try agent.loadSecret(agent.deviceKey) }
    }
}
