// Which seal keys a node has at which time, and that their file never lacks one that was announced nor keeps one that was destroyed.

import DDSCore
import DDSLoop
import DDSNode
import DDSSeal
import DDSTestKit
import Testing

@testable import DDSServer

@Suite struct SealRingTests {
    private static let day: Int64 = 86_400_000
    private static let minute: Int64 = 60_000
    private let start = WallTime(milliseconds: 1_795_392_000_000)
    private let random = SeededRandom(seed: 7)

    private func after(_ milliseconds: Int64) -> WallTime { WallTime(milliseconds: start.milliseconds + milliseconds) }

    /// A node's ring whose first key was announced at `start`.
    private func begun() -> SealRing {
        var ring = SealRing.first(random: random)
        _ = ring.begin(now: start, random: random)
        return ring
    }

    // MARK: When

    @Test func keyOfAWeek_isDueToTheMillisecond() {
        let ring = begun()
        for (time, isDue) in [
            (0, false), (7 * Self.day - Self.minute, false), (7 * Self.day - 1, false), (7 * Self.day, true),
            (7 * Self.day + 1, true), (7 * Self.day + Self.minute, true), (400 * Self.day, true),
        ] {
            #expect(ring.isDue(now: after(time)) == isDue, "\(time)")
        }
        #expect(!SealRing.first(random: random).isDue(now: after(400 * Self.day)))
    }

    /// A clock that once ran ahead must not keep a key for years.
    @Test func clockThatWasSetBack_isFollowedAfterAWeekToo() {
        let ring = begun()
        #expect(!ring.isDue(now: after(1 - 7 * Self.day)))
        #expect(ring.isDue(now: after(-7 * Self.day)))
    }

    @Test func earlierKey_isGoodForTwoDaysToTheMillisecond() {
        var ring = begun()
        ring.rotate(now: after(7 * Self.day), random: random)
        #expect(ring.keys.map(\.number) == [1, 2] && ring.newest.number == 2)
        #expect(ring.end(of: ring.keys[0]) == after(9 * Self.day) && ring.end(of: ring.newest) == nil)
        for (time, isOver) in [
            (9 * Self.day - Self.minute, false), (9 * Self.day - 1, false), (9 * Self.day, true), (9 * Self.day + 1, true),
            (9 * Self.day + Self.minute, true),
        ] {
            #expect(ring.expired(now: after(time)).map(\.number) == (isOver ? [1] : []), "\(time)")
        }
        #expect(ring.identities.map(\.recipient).prefix(2) == ring.newest.identities.map(\.recipient)[...])
        ring.destroy([1])
        #expect(ring.keys.map(\.number) == [2] && ring.identities.count == 2)
    }

    @Test func changesInARow_giveEachItsOwnTwoDays() {
        var ring = begun()
        ring.rotate(now: after(Self.day), random: random)
        ring.rotate(now: after(2 * Self.day), random: random)
        #expect(ring.expired(now: after(3 * Self.day)).map(\.number) == [1])
        #expect(ring.expired(now: after(4 * Self.day)).map(\.number) == [1, 2])
        #expect(ring.expired(now: after(99 * Self.day)).map(\.number) == [1, 2])
    }

    @Test func ringOfBefore_beginsItsWeekAndGetsTheOtherKeys() {
        var ring = SealRing.ofBefore(classical: .generate(random: random), hybrid: nil)
        #expect(ring.newest.number == 1 && ring.newest.made == nil && ring.hold == nil)
        #expect(ring.newest.best.kind == .classical && ring.statement.recipients.count == 1)
        let begins = [ring.begin(now: start, random: random), ring.begin(now: after(5), random: random)]
        #expect(begins == [true, false])
        #expect(ring.newest.made == start && ring.hold?.kind == .hybrid)
        ring.rotate(now: after(7 * Self.day), random: random)
        #expect(ring.newest.best.kind == .hybrid && ring.statement.recipients.count == 2)
    }

    @Test func restoredRing_isBeyondAllThatCanHaveBeenAnnounced() {
        let soon = SealRing.restored(after: 4, at: start, keeping: nil, now: start, random: random)
        #expect(soon.keys.map(\.number) == [5] && soon.newest.made == start)
        let later = SealRing.restored(after: 4, at: start, keeping: nil, now: after(Self.day), random: random)
        #expect(later.newest.number == 5 + 86_400)
        let back = SealRing.restored(after: 4, at: start, keeping: nil, now: after(-Self.day), random: random)
        #expect(back.newest.number == 5)
        let kept = SealRing.restored(
            after: 1, at: start, keeping: begun().newest, now: after(Self.day), random: random)
        #expect(kept.keys.count == 2 && kept.expired(now: after(3 * Self.day)).map(\.number) == [1])
        #expect(kept.expired(now: after(3 * Self.day - 1)).isEmpty)
    }

    // MARK: The file

    private let folder = ServerFolder(stateDir: "/nowhere")

    private func opened(_ disk: SimDisk, _ master: SecretBytes) throws -> ServerKeys {
        try ServerKeys.open(on: disk, in: folder, master: master)
    }

    private func recipients(_ ring: SealRing) -> [AgeRecipient] { ring.identities.map(\.recipient) }

    @Test func file_bringsBackEveryKey() throws {
        let disk = SimDisk()
        let keys = ServerKeys.generate(master: .random(32), random: random)
        var ring = begun()
        ring.rotate(now: after(7 * Self.day), random: random)
        try keys.adopt(ring, on: disk, random: random)
        let again = try opened(disk, keys.master)
        #expect(recipients(again.seal) == recipients(ring) && again.seal.keys.map(\.made) == [start, after(7 * Self.day)])
        #expect(again.seal.hold?.recipient == ring.hold?.recipient && again.tlsSeed.isEqual(to: keys.tlsSeed))
        #expect(again.nodeIdentity.publicKey == keys.nodeIdentity.publicKey)
        #expect(throws: Failure.self) { try opened(disk, .random(32)) }
        #expect(throws: Failure.self) { try opened(SimDisk(), keys.master) }
        disk.flip(bit: 1, at: 90, of: ServerKeys.fileName)
        #expect(throws: Failure.self) { try opened(disk, keys.master) }
    }

    /// The bytes that a release of before wrote: seeds, then one identity a line.
    private func oldFile(_ keys: ServerKeys, _ identities: [AgeIdentity]) -> [UInt8] {
        var content = keys.tlsSeed.withExposed { $0 } + keys.nodeIdentity.seed.withExposed { $0 }
        for (index, identity) in identities.enumerated() {
            content += (index > 0 ? [0x0a] : []) + identity.secretText().withExposed { $0 }
        }
        return SealedStoreBox.seal(
            content, key: DeriveKey.subkey(keys.master, number: 1, context: "DDSsrvky"),
            associated: Array("ddsnode/v1/node-keys".utf8), random: random)
    }

    @Test func fileOfBefore_isNumberOne_andIsWrittenAnewWithTheNextKey() throws {
        let keys = ServerKeys.generate(master: .random(32), random: random)
        let both = [AgeIdentity.generate(random: random), .generate(kind: .hybrid, random: random)]
        for identities in [both, [both[0]]] {
            let file = oldFile(keys, identities)
            let disk = SimDisk(seed: 1, files: [ServerKeys.fileName: file])
            let old = try opened(disk, keys.master)
            #expect(recipients(old.seal) == identities.map(\.recipient) && old.seal.keys.map(\.number) == [1])
            #expect(old.tlsSeed.isEqual(to: keys.tlsSeed) && old.holdRecipient == old.seal.newest.best)
            var ring = old.seal
            _ = ring.begin(now: start, random: random)
            ring.rotate(now: after(7 * Self.day), random: random)
            try old.adopt(ring, on: disk, random: random)
            let new = try opened(disk, keys.master)
            #expect(new.seal.keys.map(\.number) == [1, 2] && new.seal.newest.best.kind == .hybrid)
            #expect(new.seal.keys[0].identities.map(\.recipient) == identities.map(\.recipient))
            #expect(!disk.durablyContains(Array(file.prefix(64))))
        }
        for damaged in [[], [both[1]]] {
            let disk = SimDisk(seed: 1, files: [ServerKeys.fileName: oldFile(keys, damaged)])
            #expect(throws: Failure.self) { try opened(disk, keys.master) }
        }
    }

    /// Two changes, stopped at every operation: the second key is made, then the first destroyed. Whatever was announced opens
    /// afterwards, and once the change has been tidied up nothing of the file before it is on the disk.
    @Test func machineStopsAnywhere_whatWasAnnouncedOpens_andNothingDestroyedStays() throws {
        let first = begun()
        var second = first
        second.rotate(now: after(7 * Self.day), random: random)
        var third = second
        third.destroy([1])
        let places = try [(first, second), (second, third)].map { before, next in
            var number = 1
            var isOver = false
            while !isOver {
                for seed in 1...3 as ClosedRange<UInt64> {
                    var disk = SimDisk(seed: UInt64(number) * 10 + seed)
                    let keys = ServerKeys.generate(master: .random(32), random: random)
                    try keys.adopt(before, on: disk, random: random)
                    let former = try #require(disk.durableContents[ServerKeys.fileName])
                    disk.faults.stopAt = disk.operations + number
                    isOver = (try? keys.adopt(next, on: disk, random: random)) != nil
                    // What is announced is what is in memory, and that is never ahead of the disk.
                    #expect(recipients(keys.seal) == recipients(isOver ? next : before))
                    disk = disk.crashed()
                    let again = try opened(disk, keys.master)
                    #expect(again.seal.keys.map(\.number) == (isOver ? next : before).keys.map(\.number) || !isOver)
                    #expect(Set(recipients(again.seal)).isSuperset(of: keys.seal.newest.identities.map(\.recipient)))
                    try ServerKeys.tidy(on: disk)
                    #expect(recipients(try opened(disk, keys.master).seal) == recipients(again.seal))
                    try again.adopt(next, on: disk, random: random)
                    #expect(try disk.list() == [ServerKeys.fileName])
                    #expect(!disk.durablyContains(Array(former.prefix(64))))
                    #expect(recipients(try opened(disk, keys.master).seal) == recipients(next))
                }
                number += 1
            }
            return number
        }
        #expect(places.allSatisfy { $0 > 8 })
    }

    @Test func changeThatIsInterrupted_isTidiedWithoutAnotherChange() throws {
        let keys = ServerKeys.generate(master: .random(32), random: random)
        var next = begun()
        let disk = SimDisk()
        try keys.adopt(next, on: disk, random: random)
        let former = try #require(disk.durableContents[ServerKeys.fileName])
        next.rotate(now: after(7 * Self.day), random: random)
        // Just before the former content is overwritten.
        var number = 1
        while true {
            let copy = SimDisk(seed: 3, files: [ServerKeys.fileName: former])
            copy.faults.stopAt = copy.operations + number
            #expect(throws: DiskError.self) { try keys.adopt(next, on: copy, random: random) }
            let after = copy.crashed()
            if Set(try after.list()) == [ServerKeys.fileName, ServerKeys.fileName + ".old"] {
                #expect(after.durablyContains(Array(former.prefix(64))))
                try ServerKeys.tidy(on: after)
                #expect(!after.durablyContains(Array(former.prefix(64))))
                #expect(try opened(after, keys.master).seal.keys.count == 2)
                return
            }
            number += 1
        }
    }
}
