// A media fault costs the records in the faulty sector, is reported, and is never taken for a torn tail.

import DDSCore
import DDSSpool
import DDSTestKit
import Testing

@Suite struct SpoolDamageTests {
    private static let old = "seg-0000000000000001"

    /// A spool with an old segment full of records of all kinds, and a newer one.
    private func filled(closed: Bool) throws -> SpoolRun {
        var run = try SpoolRun(seed: 21)
        var script = SpoolScript(seed: 8)
        script.add(.commit([script.record(1, 300), script.fanOut(3, payload: 900), script.record(2, 1500)]))
        script.add(.commit([script.record(3, 0), script.record(3, 3000), script.fanOut(2, payload: 2500)]))
        script.add(.commit([script.erase([script.live[0]])]))
        script.add(.commit([script.record(1, 200)]))
        script.add(closed ? .reopen : .kill)
        script.add(.commit([script.record(1, 100), script.fanOut(2, payload: 600)]))
        script.add(.commit([script.record(1, 150)]))
        script.add(.maintain)
        script.add(closed ? .reopen : .kill)
        #expect(try run.play(script.steps))
        return run
    }

    private struct Outcome {
        var lost: [Expected] = []
        var damage: [String] = []
        /// What opening was refused for.
        var losses: [String] = []
    }

    /// What opening is refused for; empty when it is not. Changes nothing.
    private func refusal(of disk: SimDisk, _ run: SpoolRun) throws -> [String] {
        let probe = disk.copy(seed: 1)
        probe.unreadable = disk.unreadable
        do throws(SpoolOpenError) {
            _ = try SpoolLog(opening: probe, cipher: run.cipher, time: run.time, policy: run.policy)
            return []
        } catch {
            guard case .damaged(let losses) = error, !losses.isEmpty else { throw error }
            #expect(probe.operations == 0 && probe.openHandles == 0, "a refusal changes nothing")
            return losses
        }
    }

    /// Opens the damaged disk, accepting the loss when that is needed, and compares every record. Opening again then needs no
    /// acceptance any more.
    private func outcome(_ disk: SimDisk, _ run: SpoolRun) throws -> Outcome {
        var outcome = Outcome()
        outcome.losses = try refusal(of: disk, run)
        let log = try SpoolLog(
            opening: disk, cipher: run.cipher, time: run.time, policy: run.policy, acceptLoss: !outcome.losses.isEmpty)
        #expect(log.recovery.lost == outcome.losses)
        outcome.damage = log.recovery.damage
        var present: Set<SpoolUID> = []
        for mailbox in try log.mailboxes().keys { present.formUnion(try log.entries(in: mailbox).map(\.uid)) }
        #expect(present.isSubset(of: Set(run.model.live.values.compactMap(\.uid))), "garbage")
        for record in run.model.live.values {
            switch try reading(record, in: log) {
            case nil: break
            case .damaged, .noSuchRecord: outcome.lost.append(record)
            case let error?: Issue.record("\(record.tag): \(error)")
            }
        }
        #expect(outcome.lost.isEmpty || !log.recovery.damage.isEmpty, "lost without a word")
        #expect(run.maintain(log))
        #expect(log.close() == nil)
        // A sector that cannot be read is given another place when it is written.
        disk.unreadable = [:]
        let again = try SpoolLog(opening: disk, cipher: run.cipher, time: run.time, policy: run.policy)
        #expect(again.recovery.lost.isEmpty)
        again.close()
        return outcome
    }

    /// Compares a record and its payload with what was appended; the error when they cannot be read.
    private func reading(_ record: Expected, in log: SpoolLog) throws -> SpoolError? {
        let uid = try #require(record.uid)
        let entry = try log.entries(in: record.mailbox).first { $0.uid == uid }
        do throws(SpoolError) {
            let body = try log.read(uid, offset: 0, count: .max)
            #expect(body == record.body)
            guard let payload = entry?.payload else { return nil }
            let shared = try log.read(payload, offset: 0, count: .max)
            #expect(shared == record.payload)
            return nil
        } catch {
            return error
        }
    }

    @Test(arguments: [true, false]) func anySectorOfAnOldSegment_costsOnlyItsOwnRecords(isClosed: Bool) throws {
        let run = try filled(closed: isClosed)
        let size = try #require(run.disk.durableContents[Self.old]?.count)
        var losses = 0
        for sector in 0..<size / 512 {
            for offset in [3, 11, 30, 130, 470] {
                let disk = run.disk.copy(seed: 1)
                disk.flip(bit: 6, at: sector * 512 + offset, of: Self.old)
                let outcome = try outcome(disk, run)
                // A slot sector holds four slots; one of them may be the payload of three deliveries.
                #expect(outcome.lost.count <= 4, "sector \(sector): \(outcome.lost.count) records are gone")
                if sector < 8 { #expect(outcome.lost.isEmpty) }
                if (8..<16).contains(sector) { #expect(!outcome.losses.isEmpty) }
                losses += outcome.lost.count
            }
        }
        #expect(losses > 10, "else this test shows nothing")
    }

    @Test func sectorThatCannotBeRead_costsOnlyItsOwnRecords() throws {
        let run = try filled(closed: false)
        for sector in 0..<40 {
            let disk = run.disk.copy(seed: 1)
            disk.unreadable = [Self.old: sector * 512..<sector * 512 + 1]
            let outcome = try outcome(disk, run)
            #expect(outcome.lost.count <= 4)
            let isUsed = (0..<16).contains(sector) && ![1, 3, 5, 7].contains(sector)
            #expect(!isUsed || !outcome.damage.isEmpty, "sector \(sector)")
        }
    }

    @Test func bothHeadersDamaged_costTheSegment() throws {
        let run = try filled(closed: true)
        let disk = run.disk.copy(seed: 1)
        for offset in [70, 2118] { disk.flip(bit: 0, at: offset, of: Self.old) }
        let outcome = try outcome(disk, run)
        #expect(outcome.losses.contains { $0.contains(Self.old) && $0.contains("set aside") })
        #expect(!outcome.lost.isEmpty && outcome.lost.count < run.model.live.count)
        #expect(disk.durableContents[Self.old] == nil)
    }

    @Test func oneHeaderOrMarkDamaged_isHealed() throws {
        for offset in [70, 1060, 2118, 3100] {
            let run = try filled(closed: false)
            let disk = run.disk.copy(seed: 1)
            disk.flip(bit: 0, at: offset, of: Self.old)
            let first = try outcome(disk, run)
            #expect(first.losses.isEmpty && first.lost.isEmpty && first.damage.count == 1)
            let second = try outcome(disk.copy(seed: 2), run)
            #expect(second.damage.isEmpty, "byte \(offset)")
        }
    }

    @Test func missingSegment_isNoticed() throws {
        let run = try filled(closed: true)
        var found = 0
        for name in try run.disk.list() where name.hasPrefix("seg-") {
            let disk = run.disk.copy(seed: 1)
            try disk.remove(name)
            try disk.syncFolder()
            let outcome = try outcome(disk.copy(seed: 1), run)
            #expect(outcome.lost.isEmpty == outcome.losses.isEmpty)
            if !outcome.lost.isEmpty {
                found += 1
                #expect(outcome.losses.contains { $0.contains(name) && $0.contains("missing") })
            }
        }
        #expect(found >= 2, "else this test shows nothing")
    }

    @Test func truncatedSegment_costsWhatWasBehindItsEnd() throws {
        let run = try filled(closed: false)
        let whole = try #require(run.disk.durableContents[Self.old])
        var losses = 0
        for size in stride(from: 0, to: whole.count, by: 700) {
            let disk = run.disk.copy(seed: 1)
            try disk.remove(Self.old)
            let file = try disk.create(Self.old)
            try disk.write(file, at: 0, Array(whole[..<size]))
            try disk.sync(file)
            try disk.syncFolder()
            disk.close(file)
            let outcome = try outcome(disk.copy(seed: 1), run)
            #expect(outcome.damage.contains { $0.contains(Self.old) })
            #expect(outcome.lost.isEmpty || !outcome.losses.isEmpty)
            losses += outcome.lost.count
        }
        #expect(losses > 20)
    }

    @Test func missingBigFile_isNoticed() throws {
        let run = try filled(closed: true)
        let names = try run.disk.list().filter { $0.hasPrefix("big-") }
        #expect(!names.isEmpty)
        for name in names {
            let disk = run.disk.copy(seed: 1)
            try disk.remove(name)
            try disk.syncFolder()
            let outcome = try outcome(disk.copy(seed: 1), run)
            #expect((1...2).contains(outcome.lost.count) && outcome.losses.contains { $0.contains(name) })
        }
    }

    @Test func listOfSegments_isNeededAndHealed() throws {
        let run = try filled(closed: true)
        for copies in [[0], [1], [0, 1]] {
            let disk = run.disk.copy(seed: 1)
            for copy in copies { disk.flip(bit: 2, at: copy * 16_384 + 17, of: "segments") }
            let outcome = try outcome(disk, run)
            #expect(outcome.lost.isEmpty && outcome.losses.isEmpty == (copies.count == 1))
            let log = try SpoolLog(opening: disk, cipher: run.cipher, time: run.time)
            #expect(log.recovery.damage.isEmpty)
        }
        let disk = run.disk.copy(seed: 1)
        try disk.remove("segments")
        try disk.syncFolder()
        let outcome = try outcome(disk.copy(seed: 1), run)
        #expect(outcome.lost.isEmpty && outcome.losses.count == 1)
    }

    @Test func verification_findsEveryDamagedPlace() throws {
        let run = try filled(closed: true)
        let log = try SpoolLog(opening: run.disk.copy(seed: 1), cipher: run.cipher, time: run.time)
        #expect(try verified(log).damage.isEmpty && verified(log).records == log.statistics().records)
        var places: [(String, Int)] = [("super", 20), ("segments", 17), ("segments", 16_400), (Self.old, 30), (Self.old, 2070)]
        places += [(Self.old, 1030), (Self.old, 3080)]
        for record in run.model.live.values {
            let place = try #require(log.place(of: record.uid ?? SpoolUID(rawValue: 0)))
            places.append((place.file, place.slotOffset + 50))
            if place.bodyBytes > 0 { places.append((place.bodyFile, place.bodyOffset + place.bodyBytes / 2)) }
        }
        for (name, offset) in places {
            let disk = run.disk.copy(seed: 1)
            let log = try SpoolLog(opening: disk, cipher: run.cipher, time: run.time)
            disk.flip(bit: 4, at: offset, of: name)
            let damage = try verified(log).damage
            #expect(damage.count == 1 && damage[0].contains(name), "\(name), byte \(offset): \(damage)")
        }
    }

    private func verified(_ log: SpoolLog) throws -> SpoolVerification {
        var verification = SpoolVerification()
        while !verification.isDone { try log.verify(&verification) }
        return verification
    }

    @Test func damagedMarks_doNotTurnErasureIntoLoss() throws {
        // The newest marks are gone, and a set has lost members to erasure: its other members stay.
        var run = try SpoolRun(seed: 22)
        var script = SpoolScript(seed: 8)
        #expect(try run.play([.commit([script.fanOut(3, payload: 100)]), .commit([script.erase([script.live[0]])]), .kill]))
        for sector in [1024, 3072] {
            let disk = run.disk.copy(seed: 1)
            disk.flip(bit: 0, at: sector + 20, of: Self.old)
            let log = try SpoolLog(opening: disk, cipher: run.cipher, time: run.time)
            #expect(log.recovery.records == 3 && !log.recovery.damage.isEmpty)
        }
    }

    @Test func erasedMemberOfTheLastSet_isNoTornSet() throws {
        var run = try SpoolRun(seed: 23)
        var script = SpoolScript(seed: 8)
        #expect(try run.play([.commit([script.fanOut(3, payload: 100)]), .commit([script.erase([script.live[0]])])]))
        run.crash()
        try run.verify()
        #expect(run.model.live.count == 2)
        #expect(try run.opened().recovery.tornSets == 0)
    }

    @Test func reusedSegment_takesNoMarkAway() throws {
        // The only mark that covers a set with an erased member is in an emptied segment, which is put to new use.
        for number in 1...12 {
            var run = try SpoolRun(seed: UInt64(number))
            var script = SpoolScript(seed: 8)
            script.add(.commit((0..<28).map { _ in script.record(2, 10) }))
            script.add(.commit([script.fanOut(3, payload: 100)]))
            script.add(.commit([script.record(1, 10)]))
            script.add(.commit([script.erase([script.live[28]]), script.erase([script.live[30]])]))
            #expect(try run.play(script.steps + [.kill]))
            _ = try run.opened()
            run.arm(SimFaults(stopAt: number))
            _ = try run.play([.commit([script.record(1, 10)])])
            run.crash()
            try run.verify()
        }
    }

    @Test func damagedBigFile_answersDamagedAndNoMore() throws {
        let run = try filled(closed: true)
        for name in try run.disk.list() where name.hasPrefix("big-") {
            let disk = run.disk.copy(seed: 1)
            disk.flip(bit: 3, at: 1100, of: name)
            let outcome = try outcome(disk, run)
            #expect((1...2).contains(outcome.lost.count))
        }
    }
}
