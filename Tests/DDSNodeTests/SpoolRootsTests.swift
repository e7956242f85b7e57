// The file of the roots: on the disk at every moment, and nothing of a former root in it when a change is over.

import DDSCore
import DDSNode
import DDSSeal
import DDSTestKit
import Testing

@Suite struct SpoolRootsTests {
    private let wrap = SecretBytes.random(32)
    private let time = ManualTime()
    private let random = SeededRandom(seed: 5)

    private func created(on disk: SimDisk) throws -> SpoolRoots {
        try SpoolRoots(creatingOn: disk, wrap: wrap, random: random, time: time)
    }

    private func opened(_ disk: SimDisk) throws -> SpoolRoots { try SpoolRoots(openingOn: disk, wrap: wrap, random: random) }

    @Test func change_makesTheNextRootThePresentOne() throws {
        let disk = SimDisk()
        let roots = try created(on: disk)
        let first = roots.current.key
        #expect(roots.current.epoch == 1 && roots.next == nil)
        time.advance(by: .seconds(60))
        let next = try roots.begin(time: time)
        #expect(next.epoch == 2 && !next.key.isEqual(to: first) && next.made == time.wall)
        let middle = try opened(disk)
        #expect(middle.current.key.isEqual(to: first) && middle.next?.key.isEqual(to: next.key) == true)
        try middle.finish()
        let last = try opened(disk)
        #expect(
            last.current.epoch == 2 && last.current.key.isEqual(to: next.key) && last.next == nil
                && last.current.made == time.wall)
        #expect(try disk.list() == [SpoolRoots.fileName])
    }

    @Test func formerContent_isOverwrittenBeforeItsNameGoes() throws {
        let disk = WrappedDisk()
        // What was on the medium of every file that was removed.
        var removed: [[UInt8]] = []
        disk.willRemove = { [inner = disk.inner] in removed.append(inner.durableContents[$0] ?? []) }
        let roots = try SpoolRoots(creatingOn: disk, wrap: wrap, random: random, time: time)
        _ = try roots.begin(time: time)
        try roots.finish()
        #expect(removed.count == 2 && removed.allSatisfy { !$0.isEmpty && $0.allSatisfy { $0 == 0 } })
    }

    @Test func creatingTwice_isRefused() throws {
        let disk = SimDisk()
        _ = try created(on: disk)
        let before = disk.durableContents
        #expect(throws: DiskError.self) { try created(on: disk) }
        #expect(disk.durableContents == before)
    }

    @Test func wrongKeyOrDamage_isRefused() throws {
        let disk = SimDisk()
        _ = try created(on: disk)
        let before = disk.operations
        #expect(throws: SpoolRoots.Problem.doesNotOpen) { try SpoolRoots(openingOn: disk, wrap: .random(32), random: random) }
        #expect(throws: SpoolRoots.Problem.missing) { try SpoolRoots(openingOn: SimDisk(), wrap: wrap, random: random) }
        #expect(disk.operations == before)
        disk.flip(bit: 1, at: 60, of: SpoolRoots.fileName)
        #expect(throws: SpoolRoots.Problem.doesNotOpen) { try opened(disk) }
    }

    @Test func machineStopsAnywhere_aRootIsThereAndNoFormerOneStays() throws {
        var number = 1
        var isOver = false
        while !isOver {
            for seed in 1...4 as ClosedRange<UInt64> {
                var disk = SimDisk(seed: UInt64(number) * 10 + seed)
                let first = try created(on: disk).current.key
                let firstFile = try #require(disk.durableContents[SpoolRoots.fileName])
                disk.faults.stopAt = disk.operations + number
                var next: SecretBytes?
                do {
                    let roots = try opened(disk)
                    next = try roots.begin(time: time).key
                    try roots.finish()
                    isOver = true
                } catch {
                    isOver = false
                }
                disk = disk.crashed()
                let roots = try opened(disk)
                #expect(roots.current.key.isEqual(to: first) || next.map { roots.current.key.isEqual(to: $0) } == true)
                if let next, roots.current.key.isEqual(to: first) { #expect(roots.next?.key.isEqual(to: next) == true) }
                try roots.tidy()
                if roots.next == nil, roots.current.epoch == 1 { _ = try roots.begin(time: time) }
                try roots.finish()
                #expect(try disk.list() == [SpoolRoots.fileName])
                #expect(!disk.durablyContains(Array(firstFile.prefix(64))))
                #expect(try opened(disk).current.epoch == 2)
            }
            number += 1
        }
        #expect(number > 15)
    }
}
