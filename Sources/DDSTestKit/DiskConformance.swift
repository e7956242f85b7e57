// What every `Disk` must do, as cases that a test runs against each implementation. Crashes and torn writes are not here:
// they are the simulated disk's own.

package import DDSCore

/// What a disk did otherwise than promised.
package struct DiskConformanceFailure: Error, CustomStringConvertible {
    package var description: String
}

/// One promise of the `Disk` protocol. Run each against a fresh, empty, unlocked disk.
package struct DiskConformance: Sendable, CustomStringConvertible {
    package let name: String
    private let body: @Sendable (any Disk) throws -> Void

    private init(_ name: String, _ body: @escaping @Sendable (any Disk) throws -> Void) {
        self.name = name
        self.body = body
    }

    package var description: String { name }

    /// Throws `DiskConformanceFailure`, or the disk's error where there should be none.
    package func run(on disk: any Disk) throws {
        try body(disk)
    }

    /// All promises.
    package static let cases: [DiskConformance] = files + content + names + lock

    private static let files: [DiskConformance] = [
        DiskConformance("a fresh disk is empty") { disk in
            try expect(disk.list().isEmpty, "the list is empty")
        },
        DiskConformance("a created file is listed, empty and open") { disk in
            let file = try disk.create("a")
            try expect(disk.list() == ["a"], "the list has the file")
            try expect(disk.size(file) == 0, "the file is empty")
            disk.close(file)
        },
        DiskConformance("creating what exists is refused") { disk in
            disk.close(try disk.create("a"))
            try expectError(.exists) { _ = try disk.create("a") }
        },
        DiskConformance("opening what is missing is refused") { disk in
            try expectError(.notFound) { _ = try disk.open("a") }
            try expect(disk.list().isEmpty, "nothing was created")
        },
        DiskConformance("a file can be open twice and shows the same bytes") { disk in
            let one = try disk.create("a")
            let two = try disk.open("a")
            try disk.write(one, at: 0, [1, 2, 3])
            try expect(disk.read(two, at: 0, count: 3) == [1, 2, 3], "both see the write")
            disk.close(one)
            try disk.write(two, at: 3, [4])
            try expect(disk.size(two) == 4, "the other stays open")
            disk.close(two)
        },
        DiskConformance("there is free space") { disk in
            try expect(disk.freeBytes() > 0, "free bytes are positive")
        },
    ]

    private static let content: [DiskConformance] = [
        DiskConformance("what was written is read, before and after closing") { disk in
            let bytes = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
            let file = try disk.create("a")
            try disk.write(file, at: 0, bytes)
            try expect(disk.read(file, at: 0, count: bytes.count) == bytes, "the same bytes while open")
            try disk.sync(file)
            try disk.syncFolder()
            disk.close(file)
            try expect(disk.contents(of: "a") == bytes, "the same bytes when opened again")
        },
        DiskConformance("a read past the end is short") { disk in
            let file = try disk.create("a")
            try disk.write(file, at: 0, [1, 2, 3])
            try expect(disk.read(file, at: 1, count: 100) == [2, 3], "only what is there")
            try expect(disk.read(file, at: 3, count: 1).isEmpty, "nothing at the end")
            try expect(disk.read(file, at: 50, count: 1).isEmpty, "nothing past the end")
            try expect(disk.read(file, at: 0, count: 0).isEmpty, "nothing when nothing is asked for")
            disk.close(file)
        },
        DiskConformance("writing past the end fills the gap with zeros") { disk in
            let file = try disk.create("a")
            try disk.write(file, at: 4, [9])
            try expect(disk.size(file) == 5, "the size reaches the last byte")
            try expect(disk.read(file, at: 0, count: 5) == [0, 0, 0, 0, 9], "zeros before it")
            disk.close(file)
        },
        DiskConformance("overwriting changes only its range") { disk in
            let file = try disk.create("a")
            try disk.write(file, at: 0, [1, 2, 3, 4, 5])
            try disk.write(file, at: 1, [8, 9])
            try disk.write(file, at: 5, [])
            try expect(disk.read(file, at: 0, count: 10) == [1, 8, 9, 4, 5], "the rest is untouched")
            disk.close(file)
        },
    ]

    private static let names: [DiskConformance] = [
        DiskConformance("renaming replaces what has the new name") { disk in
            let old = try disk.create("old")
            try disk.write(old, at: 0, [1])
            disk.close(old)
            let new = try disk.create("new")
            try disk.write(new, at: 0, [2, 2])
            disk.close(new)
            try disk.rename("new", to: "old")
            try disk.syncFolder()
            try expect(disk.list() == ["old"], "one name is left")
            try expect(disk.contents(of: "old") == [2, 2], "with the new content")
        },
        DiskConformance("renaming what is missing is refused") { disk in
            try expectError(.notFound) { try disk.rename("a", to: "b") }
        },
        DiskConformance("a removed file is gone, and removing it again refused") { disk in
            disk.close(try disk.create("a"))
            try disk.remove("a")
            try disk.syncFolder()
            try expect(disk.list().isEmpty, "the list is empty")
            try expectError(.notFound) { try disk.remove("a") }
            disk.close(try disk.create("a"))
        },
        DiskConformance("an open file outlives its name") { disk in
            let file = try disk.create("a")
            try disk.write(file, at: 0, [7])
            try disk.remove("a")
            try expect(disk.read(file, at: 0, count: 1) == [7], "the bytes are still there")
            disk.close(file)
        },
        DiskConformance("replace creates, replaces, and gets past what a crash left") { disk in
            try disk.replace("a", with: [1])
            try expect(disk.contents(of: "a") == [1], "created")
            disk.close(try disk.create("a.tmp"))
            try disk.replace("a", with: [2, 3])
            try expect(disk.contents(of: "a") == [2, 3], "replaced")
            try expect(disk.list() == ["a"], "nothing temporary is left")
        },
    ]

    private static let lock: [DiskConformance] = [
        DiskConformance("the lock is no file of the disk") { disk in
            try disk.lock()
            try expect(disk.list().isEmpty, "the list is empty")
            disk.unlock()
            try expect(disk.list().isEmpty, "the list is still empty")
        },
        DiskConformance("the lock can be taken again after unlock") { disk in
            try disk.lock()
            disk.unlock()
            try disk.lock()
            disk.unlock()
        },
    ]

    private static func expect(_ condition: @autoclosure () throws -> Bool, _ text: String) throws {
        guard try condition() else { throw DiskConformanceFailure(description: "not so: \(text)") }
    }

    private static func expectError(_ kind: DiskError.Kind, _ body: () throws -> Void) throws {
        do {
            try body()
        } catch let error as DiskError {
            guard error.kind == kind, !error.operation.isEmpty, !error.detail.isEmpty else {
                throw DiskConformanceFailure(description: "expected \(kind), got \(error.kind): \(error)")
            }
            return
        }
        throw DiskConformanceFailure(description: "expected \(kind), but it succeeded")
    }
}
