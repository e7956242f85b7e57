// A new passphrase for the vault: the order of writing in which at every moment one of the two passphrases opens the file that
// has the vault's name. Which passphrases are good enough is decided elsewhere.

import DDSCore
import DDSLoop
import DDSNode
import DDSSeal

/// One change of the passphrase in the folder of the vault. Blocks: belongs on a worker thread.
struct VaultRewrite {
    /// Where the new file is written; one that is found there is what a change that was killed has left.
    static func temporaryName(of name: String) -> String { name + ".new" }

    enum Problem: Error, Hashable {
        /// The file did not open with the old passphrase.
        case notOpened(VaultError)
        /// The content is no vault's.
        case foreign
        /// Nothing was replaced.
        case notReplaced(String)
        /// The new file has the name, but perhaps not on the medium.
        case uncertain(DiskError)
    }

    let disk: any Disk
    let name: String
    let workFactor: Int
    let random: any RandomSource

    /// Replaces the file by one that opens with `new`. Returns whether the bytes of the old file were overwritten afterwards,
    /// which is no more than an attempt: what a flash disk or a file system that copies on write keeps of them nobody can tell.
    func perform(old: SecretBytes, new: SecretBytes) throws(Problem) -> Bool {
        let former: DiskFile
        let content: SecretBytes
        do throws(DiskError) {
            former = try disk.open(name)
        } catch {
            throw .notReplaced("\(error)")
        }
        defer { disk.close(former) }
        content = try opened(former, with: old)
        guard VaultKeys(content: content) != nil else { throw .foreign }
        do {
            try write(PassphraseFile.seal(content, passphrase: new, workFactor: workFactor, random: random))
            try prove(content, passphrase: new)
            try disk.rename(temporary, to: name)
        } catch {
            try? disk.remove(temporary)
            throw .notReplaced("\(error)")
        }
        do throws(DiskError) {
            try disk.syncFolder()
        } catch {
            throw .uncertain(error)
        }
        return overwrite(former)
    }

    private var temporary: String { Self.temporaryName(of: name) }

    private func opened(_ file: DiskFile, with passphrase: SecretBytes) throws(Problem) -> SecretBytes {
        let bytes: [UInt8]
        do throws(DiskError) {
            bytes = try disk.read(file, at: 0, count: min(disk.size(file), Vault.bytesMax))
        } catch {
            throw .notReplaced("\(error)")
        }
        do throws(VaultError) {
            return try PassphraseFile.open(bytes, passphrase: passphrase)
        } catch {
            throw .notOpened(error)
        }
    }

    private func write(_ bytes: [UInt8]) throws(DiskError) {
        if try disk.list().contains(temporary) { try disk.remove(temporary) }
        let file = try disk.create(temporary)
        defer { disk.close(file) }
        try disk.write(file, at: 0, bytes)
        try disk.sync(file)
    }

    /// What was written is what counts: it is opened again, from its own name, before the old file goes.
    private func prove(_ content: SecretBytes, passphrase: SecretBytes) throws(Problem) {
        let file: DiskFile
        do throws(DiskError) {
            file = try disk.open(temporary)
        } catch {
            throw .notReplaced("\(error)")
        }
        defer { disk.close(file) }
        guard try opened(file, with: passphrase) == content else {
            throw .notReplaced("the new file came back different from the disk")
        }
    }

    /// The old file has no name any more: whatever happens here, the new one counts.
    private func overwrite(_ former: DiskFile) -> Bool {
        do throws(DiskError) {
            try disk.write(former, at: 0, random.bytes(disk.size(former)))
            try disk.sync(former)
            return true
        } catch {
            return false
        }
    }
}

extension Vault {
    private var parts: (folder: String, name: String) {
        let slash = path.lastIndex(of: "/")
        return (slash.map { String(path[..<$0]) } ?? ".", slash.map { String(path[path.index(after: $0)...]) } ?? path)
    }

    /// Gives the vault a new passphrase; a nil `workFactor` is measured. Returns whether the old file was overwritten.
    @LoopActor func changePassphrase(
        from old: SecretBytes, to new: SecretBytes, workFactor: Int? = nil, services: Services
    ) async throws(Failure) -> Bool {
        guard exists else { throw missing }
        let factor = if let workFactor { workFactor } else { await Self.measuredWorkFactor(services.time) }
        let (folder, name) = parts
        let random = services.random
        do {
            return try await Loop.offload {
                let disk = try PosixDisk(path: folder, createFolder: false)
                return try VaultRewrite(disk: disk, name: name, workFactor: factor, random: random).perform(old: old, new: new)
            }
        } catch VaultRewrite.Problem.notOpened(let error) {
            throw failure(error)
        } catch VaultRewrite.Problem.foreign {
            throw foreign
        } catch VaultRewrite.Problem.uncertain(let error) {
            throw Failure(
                .inputOutput,
                "the disk failed while the key file \(path) was being replaced (\(error)); it opens with the new passphrase or "
                    + "with the old one: try both")
        } catch VaultRewrite.Problem.notReplaced(let words) {
            throw Failure(.inputOutput, "the passphrase was not changed, and the old one goes on to open the key (\(words))")
        } catch {
            throw Failure(.inputOutput, "the passphrase was not changed, and the old one goes on to open the key (\(error))")
        }
    }

    /// Removes what a change that was killed has left beside the vault; without a vault nothing is removed.
    func tidy() {
        let left = VaultRewrite.temporaryName(of: path)
        if exists, HostFiles.exists(left) { try? HostFiles.remove(left) }
    }
}
