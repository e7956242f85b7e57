// Who may open a spool, and that refusing changes nothing.

import DDSCore
import DDSSpool
import DDSTestKit
import Testing

@Suite struct SpoolOpeningTests {
    private func filled(seed: UInt64 = 1) throws -> SpoolRun {
        var run = try SpoolRun(seed: seed)
        var script = SpoolScript(seed: 8)
        #expect(try run.play([.commit([script.record(1, 300), script.fanOut(2, payload: 500)]), .kill]))
        return run
    }

    private func expectRefusal(_ expected: SpoolOpenError, _ disk: SimDisk, _ cipher: TestSpoolCipher) {
        let before = disk.durableContents
        let operations = disk.operations
        #expect(throws: expected) { try SpoolLog(opening: disk, cipher: cipher, time: ManualTime()) }
        #expect(disk.operations == operations && disk.durableContents == before)
        #expect(disk.openHandles == 0)
        #expect(throws: Never.self) { try disk.lock() }
    }

    @Test func wrongRoot_isRefused() throws {
        let run = try filled()
        expectRefusal(.wrongRoot, run.disk, TestSpoolCipher(root: 8, seed: 1))
    }

    @Test func missingSuper_isRefused() throws {
        let run = try filled()
        try run.disk.remove("super")
        try run.disk.syncFolder()
        expectRefusal(.missing, run.disk, run.cipher)
        #expect(throws: SpoolOpenError.exists("seg-0000000000000001")) {
            try SpoolLog.create(on: run.disk.copy(seed: 1), cipher: run.cipher, parameters: SpoolRun.parameters, time: run.time)
        }
    }

    @Test func createdTwice_isRefused() throws {
        let run = try SpoolRun(seed: 1)
        #expect(throws: SpoolOpenError.exists("super")) {
            try SpoolLog.create(on: run.disk, cipher: run.cipher, parameters: SpoolRun.parameters, time: run.time)
        }
    }

    @Test func newerVersion_isRefused() throws {
        let run = try filled()
        for copy in 0..<4 { run.disk.flip(bit: 1, at: copy * 4096 + 11, of: "super") }
        expectRefusal(.newerVersion(3), run.disk, run.cipher)
    }

    @Test func newerSegment_isRefused() throws {
        let run = try filled()
        for header in [0, 2048] { run.disk.flip(bit: 2, at: header + 11, of: "seg-0000000000000001") }
        expectRefusal(.newerVersion(5), run.disk, run.cipher)
    }

    @Test func segmentOfAnotherSpool_isRefused() throws {
        let run = try filled()
        let other = try filled(seed: 2)
        let file = try run.disk.create("seg-0000000000000002")
        try run.disk.write(file, at: 0, other.disk.contents(of: "seg-0000000000000001"))
        run.disk.close(file)
        expectRefusal(.foreign("seg-0000000000000002"), run.disk, run.cipher)
    }

    @Test func threeDamagedSupers_areSurvivedAndCounted() throws {
        let run = try filled()
        for copy in 0..<3 { run.disk.flip(bit: 1, at: copy * 4096 + 20, of: "super") }
        let log = try SpoolLog(opening: run.disk, cipher: run.cipher, time: run.time)
        #expect(log.recovery.damagedSupers == 3 && log.recovery.records == 4)
    }

    @Test func lockedSpool_isRefused() throws {
        let run = try filled()
        try run.disk.lock()
        #expect(throws: SpoolOpenError.self) { try SpoolLog(opening: run.disk, cipher: run.cipher, time: run.time) }
    }

    @Test func closedSpool_isFoundClean() throws {
        var run = try filled()
        #expect(try !run.opened().recovery.wasClean)
        #expect(run.maintain(try run.opened()))
        #expect(try run.play([.reopen]))
        #expect(try run.opened().recovery.wasClean)
        run.nextProcess()
        #expect(try !run.opened().recovery.wasClean)
    }

    @Test func invalidParameters_areRefused() {
        let cipher = TestSpoolCipher(root: 1, seed: 1)
        for parameters in [
            SpoolParameters(slots: 0, bodyBytes: 512, bigThreshold: 1, chunkBytes: 1),
            SpoolParameters(slots: 65_540, bodyBytes: 512, bigThreshold: 1, chunkBytes: 1),
            SpoolParameters(slots: 4, bodyBytes: 513, bigThreshold: 1, chunkBytes: 1),
            SpoolParameters(slots: 4, bodyBytes: 512, bigThreshold: 513, chunkBytes: 1),
        ] {
            #expect(throws: SpoolOpenError.self) {
                try SpoolLog.create(on: SimDisk(), cipher: cipher, parameters: parameters, time: ManualTime())
            }
        }
        #expect(SpoolParameters().areValid && SpoolParameters().slots == 65_536)
        #expect(SpoolParameters(segmentBytes: 4 << 20).slots == 4096 && SpoolParameters(segmentBytes: 1).areValid)
    }
}
