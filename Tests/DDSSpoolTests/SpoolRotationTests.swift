// Change of the root: what hung on the old one opens no more (E3), and nothing else changes, whatever stops in between.

import DDSCore
import DDSSpool
import DDSTestKit
import Testing

@Suite struct SpoolRotationTests {
    /// Several segments with all kinds of records.
    private func filled(seed: UInt64 = 31) throws -> SpoolRun {
        var run = try SpoolRun(seed: seed)
        var script = SpoolScript(seed: 8)
        for _ in 0..<4 {
            script.add(.commit([script.record(1, 300), script.fanOut(3, payload: 900), script.record(2, 2500)]))
            script.add(.commit((0..<5).map { _ in script.record(3, 400) }))
        }
        script.add(.commit([script.erase([script.live[2]])]))
        #expect(try run.play(script.steps))
        return run
    }

    @Test func afterTheChange_noOldImageOpens() throws {
        var run = try filled()
        let before = run.disk.copy(seed: 1)
        #expect(try run.play([.rotate]))
        let log = try run.opened()
        #expect(log.rootEpoch == 2 && log.rotation.remaining > 2)
        #expect(run.maintain(log))
        #expect(log.rotation == SpoolRotation(epoch: 2, remaining: 0) && run.cipher.knownEpochs == 2...2)
        #expect(SpoolRun.records(on: before, run.cipher).isEmpty, "the new root opens nothing that was there before")
        #expect(SpoolRun.records(on: run.disk, run.cipher).count >= run.model.live.count)
        try run.verify()
        run.crash()
        try run.verify()
    }

    @Test func everythingWorksBetweenTheSteps() throws {
        var run = try filled()
        var script = SpoolScript(seed: 77)
        #expect(try run.play([.rotate]))
        let log = try run.opened()
        var steps = 0
        while try log.maintain() {
            steps += 1
            try run.model.verify(log)
            if steps % 3 == 0, let tag = run.model.live.keys.max(by: { $0.high < $1.high }) {
                let append = PlannedTransaction(appends: script.record(5, 50).appends.map { $0.retagged(by: 1 << 40) })
                #expect(try run.play([.commit([PlannedTransaction(erasures: [tag]), append])]))
            }
        }
        #expect(steps > 8 && log.rotation.remaining == 0)
        #expect(run.maintain(log))
        try run.verify()
        try run.verifyErased()
        run.crash()
        try run.verify()
    }

    @Test func machineStopsAtAnyOperationOfTheChange_itGoesOnAfterwards() throws {
        var isOver = false
        var number = 1
        while !isOver {
            var run = try filled(seed: UInt64(number))
            run.arm(SimFaults(stopAt: number))
            isOver = try run.play([.rotate, .maintain])
            run.crash()
            do {
                try run.verify()
                let log = try run.opened()
                let isBegun = log.rootEpoch == 2
                #expect(run.maintain(log))
                #expect(log.rotation.remaining == 0)
                try run.verify()
                #expect(try run.play([.rotate, .maintain, .kill]))
                try run.verify()
                #expect(run.cipher.knownEpochs == (isBegun ? 3...3 : 2...2))
            } catch {
                Issue.record("the machine stops at operation \(number): \(error)")
            }
            number += 1
        }
        #expect(number > 30)
    }

    @Test func damagedHeaderInTheMiddle_losesNothing() throws {
        var run = try filled()
        #expect(try run.play([.rotate]))
        let log = try run.opened()
        var images: [SimDisk] = []
        while try log.maintain() { images.append(run.disk.copy(seed: 1)) }
        for image in images {
            for name in try image.list() where name.hasPrefix("seg-") && !name.hasSuffix(".tmp") {
                for offset in [20, 2068] {
                    let disk = image.copy(seed: 1)
                    disk.flip(bit: 0, at: offset, of: name)
                    let again = try SpoolLog(opening: disk, cipher: run.cipher, time: run.time, policy: run.policy)
                    #expect(again.recovery.lost.isEmpty && again.recovery.damage.count == 1)
                    #expect(try SpoolModel.contents(of: again) == run.model.live)
                    while try again.maintain() {}
                    #expect(again.rotation.remaining == 0)
                    #expect(try SpoolModel.contents(of: again) == run.model.live)
                }
            }
        }
    }

    @Test func fullDisk_makesTheChangeWait() throws {
        var run = try filled()
        run.disk.faults.fullFrom = run.disk.operations + 4
        let log = try run.opened()
        run.cipher.know(1...2)
        try log.rotate()
        #expect(run.maintain(log))
        #expect(log.rotation.remaining > 0 && log.rotation.blockedBy != nil)
        run.disk.faults.fullFrom = nil
        #expect(run.maintain(log))
        #expect(log.rotation.remaining == 0 && log.rotation.blockedBy == nil)
        try run.verify()
    }

    @Test func slotThatRotsBeforeItsTurn_keepsTheOldRootAlive() throws {
        var run = try filled()
        let log = try run.opened()
        let uid = try #require(run.model.live.values.compactMap(\.uid).min())
        let place = try #require(log.place(of: uid))
        #expect(try run.play([.rotate]))
        run.disk.flip(bit: 1, at: place.slotOffset + 9, of: place.file)
        #expect(run.maintain(log))
        #expect(log.rotation.remaining == 1 && log.rotation.blockedBy?.contains(place.file) == true)
        #expect(log.recovery.damage.contains { $0.contains(place.file) && $0.contains("byte \(place.slotOffset)") })
    }
}
