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

    @Test @LoopActor func missingWrongAndDamaged_areThreeSentences() async throws {
        let folder = try HostFiles.makeTemporaryFolder()
        defer { try? HostFiles.removeTree(folder) }
        let vault = Vault(path: folder + "/keys.age")
        let missing = await failure { () async throws(Failure) in try await vault.open(passphrase: secret("x")) }
        try await vault.create(
            VaultKeys.generate(random: SystemRandom()), passphrase: secret("right"), workFactor: Self.workFactor, random: SystemRandom())
        let before = try HostFiles.read(vault.path)
        let wrong = await failure { () async throws(Failure) in try await vault.open(passphrase: secret("wrong")) }
        #expect(try HostFiles.read(vault.path) == before)
        for length in [0, 1, before.count / 2, before.count - 1] {
            try HostFiles.write(vault.path, Array(before.prefix(length)))
            let damaged = await failure { () async throws(Failure) in try await vault.open(passphrase: secret("right")) }
            #expect(damaged?.code == .badInput, "\(length)")
            #expect(damaged?.publicText.contains("damaged") == true, "\(length)")
        }
        #expect(missing?.code == .fileMissing && wrong?.code == .permission)
        #expect(missing?.publicText != wrong?.publicText)
    }

    @Test @LoopActor func vault_isNeverOverwritten() async throws {
        let folder = try HostFiles.makeTemporaryFolder()
        defer { try? HostFiles.removeTree(folder) }
        let vault = Vault(path: folder + "/keys.age")
        try HostFiles.write(vault.path, [1, 2, 3])
        await #expect(throws: Failure.self) {
            try await vault.create(
                VaultKeys.generate(random: SystemRandom()), passphrase: secret("x"), workFactor: Self.workFactor, random: SystemRandom())
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
