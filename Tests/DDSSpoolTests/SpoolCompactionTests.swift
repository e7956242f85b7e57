// Compaction: nearly empty segments give their records up to the active one, which changes no UID and no order.

import DDSCore
import DDSSpool
import DDSTestKit
import Testing

@Suite struct SpoolCompactionTests {
    private let mailbox = MailboxID(rawValue: 1)

    private func record(_ size: Int) -> SpoolTransaction {
        SpoolTransaction(appends: [
            .record(
                mailbox: mailbox, tag: RecordTag(high: UInt64(size), low: 0), flags: 0, body: [UInt8](repeating: 7, count: size)
            )
        ])
    }

    /// A log with a full segment of 32 records of which `kept` are left, and an active one.
    private func log(_ run: inout SpoolRun, kept: Int) throws -> (log: SpoolLog, uids: [SpoolUID]) {
        let log = try run.opened()
        let uids = try log.commit((0..<32).map { _ in record(10) }).flatMap { try $0.get() }
        _ = log.commit([record(20)])
        _ = log.commit([SpoolTransaction(erasures: Array(uids[kept...]))])
        return (log, Array(uids[..<kept]))
    }

    private func file(_ log: SpoolLog, _ uid: SpoolUID) -> String? { log.place(of: uid)?.file }

    @Test func emptySegment_givesItsRecordsUp() throws {
        var run = try SpoolRun(seed: 1)
        let (log, uids) = try log(&run, kept: 7)
        let entries = try log.entries(in: mailbox)
        #expect(run.maintain(log))
        #expect(uids.allSatisfy { file(log, $0) == "seg-0000000000000002" })
        #expect(try log.entries(in: mailbox) == entries && log.statistics().moved == 7 && log.statistics().segments == 1)
        for uid in uids { #expect(try log.read(uid, offset: 0, count: 99) == [UInt8](repeating: 7, count: 10)) }
        run.crash()
        let again = try run.opened()
        #expect(try again.entries(in: mailbox) == entries && again.recovery.damage.isEmpty)
        for uid in uids { #expect(try again.read(uid, offset: 0, count: 99) == [UInt8](repeating: 7, count: 10)) }
    }

    @Test func segmentAtItsThreshold_staysAsItIs() throws {
        // 8 of 32 slots are 25 percent, 16 are 50; an old segment is one of more than seven days.
        for (kept, days, isMoved) in [(7, 0, true), (8, 0, false), (15, 7, false), (15, 8, true), (16, 9, false)] {
            var run = try SpoolRun(seed: 1)
            let (log, _) = try log(&run, kept: kept)
            run.time.advance(by: .seconds(86_400 * days))
            #expect(run.maintain(log))
            #expect(try log.statistics().moved == (isMoved ? kept : 0), "\(kept) after \(days) days")
        }
    }

    @Test func lowSpace_movesMore() throws {
        var run = try SpoolRun(seed: 1)
        run.policy.lowSpaceBytes = 100_000
        let (log, _) = try log(&run, kept: 20)
        run.disk.faults.capacity = 300_000
        #expect(run.maintain(log))
        #expect(try log.statistics().moved == 0)
        run.disk.faults.capacity = 150_000
        #expect(run.maintain(log))
        #expect(try log.statistics().moved == 20)
    }

    /// Four segments with eight records each, which is not so few that they would be moved by themselves.
    private func quarters(_ run: inout SpoolRun) throws -> (log: SpoolLog, uids: [SpoolUID]) {
        let log = try run.opened()
        var kept: [SpoolUID] = []
        for _ in 0..<4 {
            let uids = try log.commit((0..<32).map { _ in record(10) }).flatMap { try $0.get() }
            kept += uids[..<8]
            _ = log.commit([SpoolTransaction(erasures: Array(uids[8...]))])
        }
        #expect(run.maintain(log))
        #expect(try log.statistics().moved == 0)
        return (log, kept)
    }

    @Test func askedForSpace_movesMoreAndGivesBackWhatIsFree() throws {
        var run = try SpoolRun(seed: 1)
        let (log, uids) = try quarters(&run)
        _ = log.commit([record(20)])
        let before = try log.statistics()
        while try log.compact() {}
        let after = try log.statistics()
        #expect(after.moved == 24)
        #expect(after.diskBytes < before.diskBytes)
        for uid in uids { #expect(try log.read(uid, offset: 0, count: 99).count == 10) }
        // What is asked for once is not wanted for ever.
        #expect(run.maintain(log))
        #expect(try log.statistics().moved == 24)
    }

    @Test func askedForSpaceWithNothingAppendedYet_gainsTooOrLeavesAllAsItIs() throws {
        var run = try SpoolRun(seed: 1)
        let (first, uids) = try quarters(&run)
        first.close()
        let log = try SpoolLog(opening: run.disk, cipher: run.cipher, time: run.time, policy: run.policy)
        let before = try log.statistics()
        while try log.compact() {}
        let after = try log.statistics()
        #expect(after.diskBytes < before.diskBytes)
        for uid in uids { #expect(try log.read(uid, offset: 0, count: 99).count == 10) }
        log.close()
        let again = try SpoolLog(opening: run.disk, cipher: run.cipher, time: run.time, policy: run.policy)
        while try again.compact() {}
        #expect(try again.statistics().moved == 0)
        #expect(try again.statistics().diskBytes <= after.diskBytes)
    }

    @Test func damagedBody_staysWhereItIsAndIsNamed() throws {
        var run = try SpoolRun(seed: 1)
        let (log, uids) = try log(&run, kept: 5)
        let place = try #require(log.place(of: uids[3]))
        run.disk.flip(bit: 1, at: place.bodyOffset + 4, of: place.file)
        #expect(run.maintain(log))
        #expect(try log.statistics().damage.contains { $0.contains(place.file) && $0.contains("byte \(place.bodyOffset)") })
        #expect(uids.allSatisfy { file(log, $0) == place.file })
        #expect(try log.read(uids[2], offset: 0, count: 99).count == 10)
    }

    @Test func erasedAfterItsMove_leavesNoSecondSlot() throws {
        var run = try SpoolRun(seed: 1)
        var script = SpoolScript(seed: 2)
        #expect(
            try run.play([
                .commit((0..<16).map { _ in script.record(1, 10) }), .commit((0..<16).map { _ in script.record(1, 10) }),
            ]))
        #expect(
            try run.play([.commit([script.record(1, 20)]), .commit([script.erase(Array(script.live[6..<32]))]), .maintain]))
        #expect(try run.opened().statistics().moved == 6)
        #expect(try run.play([.commit([script.erase(Array(script.live.prefix(5)))])]))
        try run.verifyErased()
        run.crash()
        try run.verify()
        try run.verifyErased()
    }

    @Test func copyDamagedBeforeTheOriginalIsGone_originalStays() throws {
        for number in 1...12 {
            var run = try SpoolRun(seed: UInt64(number))
            let (log, uids) = try log(&run, kept: 5)
            let entries = try log.entries(in: mailbox)
            while try log.statistics().awaitingOverwrite > 0 { _ = try log.maintain() }
            run.disk.faults.stopAt = run.disk.operations + number
            _ = run.maintain(log)
            run.crash()
            let second = "seg-0000000000000002"
            let image = try #require(run.disk.durableContents[second])
            let before = try #require(run.disk.durableContents["seg-0000000000000001"])
            // As long as the original has its slot, the copy's body may rot.
            guard before[4096..<4096 + 128].contains(where: { $0 != 0 }), image.count > 9000 else { continue }
            for sector in 17..<24 where image[sector * 512..<sector * 512 + 512].contains(where: { $0 != 0 }) {
                let disk = run.disk.copy(seed: 1)
                disk.flip(bit: 1, at: sector * 512 + 2, of: second)
                guard let again = try? SpoolLog(opening: disk, cipher: run.cipher, time: run.time, policy: run.policy) else {
                    continue
                }
                #expect(
                    try again.entries(in: mailbox).filter { uids.contains($0.uid) } == entries.filter { uids.contains($0.uid) })
                for uid in uids { #expect(try again.read(uid, offset: 0, count: 99).count == 10) }
            }
        }
    }

    @Test func spares_areKeptForTheTrafficOfTwoMinutes() throws {
        var run = try SpoolRun(seed: 1)
        run.policy.sparesKept = 2
        let log = try run.opened()
        let uids = try (0..<8).flatMap { _ in try log.commit((0..<32).map { _ in record(10) }).flatMap { try $0.get() } }
        _ = log.commit([SpoolTransaction(erasures: uids)])
        #expect(run.maintain(log))
        let free = try log.statistics().freeSegments
        #expect(free >= 7)
        run.time.advance(by: .seconds(121))
        #expect(run.maintain(log))
        #expect(try log.statistics().freeSegments <= 3)
    }
}
