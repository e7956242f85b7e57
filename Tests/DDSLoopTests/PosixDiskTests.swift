import DDSCore
import DDSLoop
import DDSTestKit
import Foundation
import Testing

@Suite struct PosixDiskTests {
    @Test(arguments: DiskConformance.cases)
    func posixDisk_keepsThePromiseOfEveryDisk(_ promise: DiskConformance) throws {
        try withFolder { try promise.run(on: PosixDisk(path: $0, createFolder: false)) }
    }

    @Test func missingFolder_isAnErrorUnlessAskedFor() throws {
        try withFolder { folder in
            let path = "\(folder)/spool"
            let error = #expect(throws: DiskError.self) { _ = try PosixDisk(path: path, createFolder: false) }
            #expect(error?.kind == .notFound)
            #expect(error?.description == "open folder \(path): no such file or directory")
            _ = try PosixDisk(path: path, createFolder: true)
            #expect(HostFiles.status(path)?.mode == 0o700)
            _ = try PosixDisk(path: path, createFolder: true)
        }
    }

    @Test func filesAreForTheOwnerAlone() throws {
        try withFolder { folder in
            let disk = try PosixDisk(path: folder, createFolder: false)
            disk.close(try disk.create("a"))
            #expect(HostFiles.status("\(folder)/a")?.mode == 0o600)
            #expect(HostFiles.status("\(folder)/a")?.isPrivate == true)
        }
    }

    @Test func symbolicLinks_areNotFollowed() throws {
        try withFolder { folder in
            try HostFiles.write("\(folder)/target", [1])
            #expect(unsafe symlink("\(folder)/target", "\(folder)/link") == 0)
            let disk = try PosixDisk(path: folder, createFolder: false)
            #expect(throws: DiskError.self) { _ = try disk.open("link") }
            #expect(throws: DiskError.self) { _ = try disk.create("link") }
            #expect(unsafe symlink(folder, "\(folder)/folder") == 0)
            #expect(throws: DiskError.self) { _ = try PosixDisk(path: "\(folder)/folder", createFolder: false) }
        }
    }

    @Test func lock_keepsASecondOwnerOutUntilUnlockOrDrop() throws {
        try withFolder { folder in
            let first = try PosixDisk(path: folder, createFolder: false)
            try first.lock()
            try first.lock()
            let second = try PosixDisk(path: folder, createFolder: false)
            let error = #expect(throws: DiskError.self) { try second.lock() }
            #expect(error?.kind == .locked)
            first.unlock()
            try second.lock()
            second.unlock()
            do {
                let third = try PosixDisk(path: folder, createFolder: false)
                try third.lock()
            }
            try first.lock()
            first.unlock()
        }
    }

    @Test func unlock_releasesTheLockThoughAChildStillHasTheDescriptor() throws {
        try withFolder { folder in
            let first = try PosixDisk(path: folder, createFolder: false)
            try first.lock()
            // What a fork in another thread leaves until the child executes its program: one more reference to the open file.
            let descriptors = try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").compactMap { Int32($0) }
            let locks = descriptors.filter {
                (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\($0)"))?.hasPrefix("\(folder)/LOCK") == true
            }
            let child = dup(try #require(locks.first))
            defer { close(child) }
            first.unlock()
            let second = try PosixDisk(path: folder, createFolder: false)
            try second.lock()
            second.unlock()
        }
    }

    @Test(arguments: ["", ".", "..", "a/b", "../a", "LOCK"])
    func namesThatLeaveTheFolder_areOurBug(_ name: String) async {
        await #expect(processExitsWith: .failure) { [name] in
            let folder = try HostFiles.makeTemporaryFolder()
            _ = try PosixDisk(path: folder, createFolder: false).create(name)
            exit(0)
        }
    }

    @Test func fullDisk_isReportedAsFull() throws {
        // /dev/full refuses every write with ENOSPC; the disk must say so and not "input/output".
        guard HostFiles.exists("/dev/full") else { return }
        let disk = try PosixDisk(path: "/dev", createFolder: false)
        let file = try disk.open("full")
        let error = #expect(throws: DiskError.self) { try disk.write(file, at: 0, [1]) }
        #expect(error?.kind == .full)
        #expect(error?.detail == "no space left on device")
        disk.close(file)
    }
}

@Suite struct HostFilesTests {
    @Test func writtenFile_isReadBackWithItsMode() throws {
        try withFolder { folder in
            let path = "\(folder)/a"
            try HostFiles.write(path, [1, 2, 3], mode: 0o644)
            #expect(try HostFiles.read(path) == [1, 2, 3])
            #expect(HostFiles.status(path)?.mode == 0o644)
            #expect(HostFiles.status(path)?.isPrivate == false)
            try HostFiles.write(path, [4])
            #expect(try HostFiles.read(path) == [4])
            #expect(HostFiles.status(path)?.mode == 0o600)
            #expect(try HostFiles.list(folder) == ["a"])
        }
    }

    @Test func readLimit_isExact() throws {
        try withFolder { folder in
            let path = "\(folder)/a"
            try HostFiles.write(path, [UInt8](repeating: 1, count: 100_000))
            #expect(try HostFiles.read(path, limit: 100_001).count == 100_000)
            #expect(try HostFiles.read(path, limit: 100_000).count == 100_000)
            let error = #expect(throws: DiskError.self) { _ = try HostFiles.read(path, limit: 99_999) }
            #expect(error?.description == "read \(path): the file is larger than 99999 bytes")
        }
    }

    @Test func failedWrite_leavesTheOldFileAndNothingElse() throws {
        try withFolder { folder in
            try HostFiles.makeFolders("\(folder)/sub")
            try HostFiles.write("\(folder)/sub/inner", [1])
            // A folder cannot be replaced by a file.
            #expect(throws: DiskError.self) { try HostFiles.write("\(folder)/sub", [2]) }
            #expect(try HostFiles.list(folder) == ["sub"])
            #expect(try HostFiles.read("\(folder)/sub/inner") == [1])
        }
    }

    @Test func foldersAreMadeWithTheirParents() throws {
        try withFolder { folder in
            try HostFiles.makeFolders("\(folder)/a/b/c")
            #expect(HostFiles.status("\(folder)/a")?.mode == 0o700)
            #expect(HostFiles.status("\(folder)/a/b/c")?.kind == .folder)
            try HostFiles.makeFolders("\(folder)/a/b/c/")
            try HostFiles.write("\(folder)/file", [])
            #expect(throws: DiskError.self) { try HostFiles.makeFolders("\(folder)/file/sub") }
            #expect(throws: DiskError.self) { try HostFiles.makeFolders("\(folder)/file") }
        }
    }

    @Test func removeAndRename_sayWhatIsMissing() throws {
        try withFolder { folder in
            #expect(!HostFiles.exists("\(folder)/a"))
            let error = #expect(throws: DiskError.self) { try HostFiles.remove("\(folder)/a") }
            #expect(error?.kind == .notFound)
            #expect(throws: DiskError.self) { try HostFiles.rename("\(folder)/a", to: "\(folder)/b") }
            try HostFiles.write("\(folder)/a", [1])
            try HostFiles.rename("\(folder)/a", to: "\(folder)/b")
            try HostFiles.remove("\(folder)/b")
            #expect(try HostFiles.list(folder).isEmpty)
        }
    }

    @Test func removeTree_doesNotFollowLinks() throws {
        try withFolder { folder in
            try HostFiles.makeFolders("\(folder)/keep")
            try HostFiles.write("\(folder)/keep/file", [1])
            try HostFiles.makeFolders("\(folder)/gone/sub")
            #expect(unsafe symlink("\(folder)/keep", "\(folder)/gone/link") == 0)
            try HostFiles.removeTree("\(folder)/gone")
            #expect(try HostFiles.list(folder) == ["keep"])
            #expect(try HostFiles.read("\(folder)/keep/file") == [1])
        }
    }
}

private func withFolder(_ body: (String) throws -> Void) throws {
    let folder = try HostFiles.makeTemporaryFolder()
    defer { try? HostFiles.removeTree(folder) }
    try body(folder)
}
