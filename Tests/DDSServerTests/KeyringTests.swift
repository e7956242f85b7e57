// Slots of the keyring: each opens the same master key, and nothing but its own secret opens it.

import DDSCore
import DDSLoop
import DDSNode
import DDSSeal
import DDSTestKit
import Foundation
import Testing

@testable import DDSServer

@Suite struct KeyringTests {
    private let random = SystemRandom()

    private func passphrase(_ text: String) -> SecretBytes {
        var bytes = Array(text.utf8)
        return SecretBytes(consuming: &bytes)
    }

    private func whole(_ master: SecretBytes, _ key: SecretBytes, _ identity: AgeIdentity) throws -> Keyring {
        var keyring = Keyring()
        try keyring.seal(master, for: .file, .key(key), random: random)
        try keyring.seal(master, for: .passphrase, .passphrase(passphrase("six words are enough")), random: random)
        try keyring.sealRecovery(master, to: identity.recipient, random: random)
        return keyring
    }

    @Test func everySlot_opensTheSameKey() throws {
        let master = SecretBytes.random(32)
        let key = SecretBytes.random(32)
        let identity = AgeIdentity.generate(random: random)
        let keyring = try Keyring(try whole(master, key, identity).encoded, path: "keyring")
        #expect(try keyring.open(.file, .key(key)).isEqual(to: master))
        #expect(try keyring.open(.passphrase, .passphrase(passphrase("six words are enough"))).isEqual(to: master))
        #expect(try keyring.open(.recovery, .identity(identity)).isEqual(to: master))
        // Nothing of it lies in the file.
        master.withExposed { bytes in #expect(!keyring.encoded.contains(bytes)) }
    }

    @Test func anotherSecret_isRefusedWithItsWords() throws {
        let keyring = try whole(.random(32), .random(32), .generate(random: random))
        #expect(failure { _ = try keyring.open(.file, .key(.random(32))) }?.code == .permission)
        #expect(failure { _ = try keyring.open(.passphrase, .passphrase(passphrase("six words"))) }?.publicText == "the passphrase is wrong")
        let words = failure { _ = try keyring.open(.recovery, .identity(.generate(random: random))) }
        #expect(words?.publicText.contains("does not open the recovery slot, which is for age1") == true)
        let missing = failure { _ = try keyring.open(.credential, .key(.random(32))) }
        #expect(missing?.code == .configuration)
        #expect(missing?.publicText.contains("it has: file, passphrase, recovery") == true)
    }

    /// A slot copied over another of the same form must not pass for it.
    @Test func slotUnderAnotherKind_isRefused() throws {
        let key = SecretBytes.random(32)
        var keyring = Keyring()
        try keyring.seal(.random(32), for: .file, .key(key), random: random)
        let text = String(decoding: keyring.encoded, as: UTF8.self).replacing("\"file\"", with: "\"credential\"")
        let moved = try Keyring(Array(text.utf8), path: "keyring")
        #expect(failure { _ = try moved.open(.credential, .key(key)) }?.code == .permission)
    }

    @Test func lastSlot_staysWhereItIs() throws {
        var keyring = Keyring()
        try keyring.seal(.random(32), for: .file, .key(.random(32)), random: random)
        #expect(failure { try keyring.remove(.file) }?.code == .badInput)
        #expect(failure { try keyring.remove(.recovery) }?.code == .unknownName)
        try keyring.seal(.random(32), for: .credential, .key(.random(32)), random: random)
        try keyring.remove(.file)
        #expect(keyring.slots.map(\.kind) == [.credential])
    }

    @Test func damagedFile_isNamedAndNothingElse() throws {
        let file = try whole(.random(32), .random(32), .generate(random: random)).encoded
        #expect(failure { _ = try Keyring(Array(file.dropLast(5)), path: "/x/keyring") }?.publicText.hasPrefix("/x/keyring is no keyring") == true)
        let newer = String(decoding: file, as: UTF8.self).replacing("\"version\" : 1", with: "\"version\" : 2")
        #expect(failure { _ = try Keyring(Array(newer.utf8), path: "k") }?.code == .configuration)
        let twice = String(decoding: file, as: UTF8.self).replacing("\"recovery\"", with: "\"file\"")
        #expect(failure { _ = try Keyring(Array(twice.utf8), path: "k") }?.code == .badInput)
        #expect(failure { _ = try Keyring(Array("{\"version\":1,\"slots\":[]}".utf8), path: "k") }?.code == .badInput)
    }

    @Test(arguments: ["file", "passphrase", "credential", "fd:3", "fd:27"]) func configuredWord_isReadBack(_ text: String) {
        #expect(Config.Server.MasterKey(text)?.description == text)
    }

    @Test(arguments: ["", "fd", "fd:", "fd:2", "fd:-3", "fd:03", "fd:3x", "fd:+3", "tpm"]) func otherWord_isNone(_ text: String) {
        #expect(Config.Server.MasterKey(text) == nil)
    }

    private func failure(_ body: () throws -> Void) -> Failure? {
        do { try body() } catch { return error as? Failure }
        return nil
    }
}

/// The files of a keyring in a state folder.
@Suite @LoopActor struct MasterKeyTests {
    private func withFolder(_ body: (ServerFolder) async throws -> Void) async throws {
        let path = try HostFiles.makeTemporaryFolder(prefix: "ddskeys")
        defer { try? HostFiles.removeTree(path) }
        try await body(ServerFolder(stateDir: path))
    }

    @Test func missingOrForeignKey_changesNothing() async throws {
        try await withFolder { folder in
            let master = try await MasterKey.create(in: folder, .file, passphrase: nil, random: SystemRandom())
            _ = try ServerKeys.create(in: folder, master: master, random: SystemRandom())
            let key = try HostFiles.read(folder.masterKey)
            #expect(try await MasterKey.open(in: folder, .file, passphrase: nil).isEqual(to: master))

            try HostFiles.remove(folder.masterKey)
            await expect(.fileMissing, "put it back", folder)
            #expect(!HostFiles.exists(folder.masterKey))
            try HostFiles.write(folder.masterKey, Array(key.dropLast()))
            await expect(.badInput, "no key of 32 bytes", folder)
            try HostFiles.write(folder.masterKey, [UInt8](repeating: 7, count: 32))
            await expect(.permission, "not the key", folder)
            try HostFiles.write(folder.masterKey, key, mode: 0o640)
            await expect(.permission, "chmod 600", folder)
            try HostFiles.write(folder.masterKey, key)
            try HostFiles.rename(folder.keyring, to: folder.keyring + ".away")
            await expect(.fileMissing, "keyring", folder)
            try HostFiles.rename(folder.keyring + ".away", to: folder.keyring)
            #expect(try await MasterKey.open(in: folder, .file, passphrase: nil).isEqual(to: master))
        }
    }

    private func expect(_ code: Failure.Code, _ words: String, _ folder: ServerFolder) async {
        do throws(Failure) {
            _ = try await MasterKey.open(in: folder, .file, passphrase: nil)
            Issue.record("it opened")
        } catch {
            #expect(error.code == code)
            #expect(error.publicText.contains(words))
        }
    }

    @Test func descriptor_isReadAndClosed() async throws {
        try await withFolder { folder in
            let master = SecretBytes.random(32)
            var keyring = Keyring()
            let key = [UInt8](repeating: 9, count: 32)
            var copy = key
            try keyring.seal(master, for: .descriptor, .key(SecretBytes(consuming: &copy)), random: SystemRandom())
            try HostFiles.makeFolders(folder.path)
            try MasterKey.write(keyring, in: folder)
            try HostFiles.write(folder.path + "/pipe", key)
            let file = Foundation.FileHandle(forReadingAtPath: folder.path + "/pipe")
            let number = try #require(file?.fileDescriptor)
            let twin = dup(number)
            #expect(try await MasterKey.open(in: folder, .descriptor(twin), passphrase: nil).isEqual(to: master))
            // Another test may have been given the number by now, for a file of its own.
            let target = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\(twin)")
            #expect(target?.hasSuffix("/pipe") != true)
            // A descriptor that is not open, because no process has so many.
            do throws(Failure) {
                _ = try await MasterKey.open(in: folder, .descriptor(.max), passphrase: nil)
                Issue.record("a closed descriptor was read")
            } catch {
                #expect(error.publicText.contains("cannot be read from file descriptor"))
            }
        }
    }
}
