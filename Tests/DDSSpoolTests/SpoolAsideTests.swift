// Segments whose zeros another thread writes: commits go on meanwhile, and nothing is forgotten when that fails or ends late.

import DDSCore
import DDSSpool
import DDSTestKit
import Testing

@Suite final class SpoolAsideTests {
    private var asides: [LateZeros] = []

    private func record(_ size: Int) -> SpoolTransaction {
        SpoolTransaction(appends: [
            .record(mailbox: MailboxID(rawValue: 1), tag: .none, flags: 0, body: [UInt8](repeating: 7, count: size))
        ])
    }

    /// A log whose zeros take `patience` questions.
    private func opened(_ run: inout SpoolRun, patience: Int) throws -> SpoolLog {
        let log = try run.opened()
        let disk = run.disk
        log.zeroAside = { [unowned self] zeroing in
            let aside = LateZeros(zeroing, on: disk, patience: patience)
            asides.append(aside)
            return aside
        }
        return log
    }

    /// Fills half of the active segment and lets the next one begin.
    private func halfFill(_ log: SpoolLog) throws {
        for _ in 0..<17 { _ = try log.commit([record(10)])[0].get() }
        for _ in 0..<3 { try log.keepUp() }
    }

    /// Files of segments, or those that are being prepared.
    private func segments(_ run: SpoolRun, isTemporary: Bool = false) throws -> Int {
        try run.disk.list().count { $0.hasPrefix("seg-") && $0.hasSuffix(".tmp") == isTemporary }
    }

    @Test func commitsGoOn_whileZerosAreWrittenElsewhere() throws {
        var run = try SpoolRun(seed: 1)
        let log = try opened(&run, patience: .max)
        try halfFill(log)
        #expect(asides.count == 1 && !asides[0].wasWaitedFor)
        let before = try segments(run)
        for _ in 0..<10 {
            _ = try log.commit([record(10)])[0].get()
            try log.keepUp()
        }
        #expect(try asides.count == 1 && segments(run) == before)
        asides[0].finish()
        for _ in 0..<3 { try log.keepUp() }
        #expect(try !asides[0].wasWaitedFor && segments(run) == before + 1)
        #expect(log.close() == nil)
        run.nextProcess()
        #expect(try run.opened().entries(in: MailboxID(rawValue: 1)).count == 27)
    }

    @Test func aSegmentThatIsNeededNow_isWaitedFor() throws {
        var run = try SpoolRun(seed: 1)
        let log = try opened(&run, patience: .max)
        try halfFill(log)
        for _ in 0..<20 { _ = try log.commit([record(10)])[0].get() }
        #expect(asides.count == 1 && asides[0].wasWaitedFor)
        #expect(try log.entries(in: MailboxID(rawValue: 1)).count == 37)
    }

    @Test func zerosThatFindNoSpace_areGivenUp_andCommitsGoOn() throws {
        var run = try SpoolRun(seed: 1)
        let log = try opened(&run, patience: .max)
        try halfFill(log)
        let room = run.disk.faults.capacity
        run.disk.faults.capacity = 0
        asides[0].finish()
        try log.keepUp()
        #expect(try segments(run, isTemporary: true) == 0)
        run.disk.faults.capacity = room
        for _ in 0..<20 { _ = try log.commit([record(10)])[0].get() }
        #expect(try log.entries(in: MailboxID(rawValue: 1)).count == 37)
    }

    @Test func zerosThatFail_stopTheLog() throws {
        var run = try SpoolRun(seed: 1)
        let log = try opened(&run, patience: .max)
        try halfFill(log)
        run.disk.faults.failAt = run.disk.operations + 2
        asides[0].finish()
        #expect(throws: SpoolError.self) { try log.keepUp() }
        guard case .failure(.stopped) = log.commit([record(10)])[0] else {
            Issue.record("nothing is accepted after a failed write")
            return
        }
        run.crash()
        #expect(try run.opened().entries(in: MailboxID(rawValue: 1)).count == 17)
    }

    @Test func aChangeOfTheRoot_waitsForZerosWithoutBeingBusy() throws {
        var run = try SpoolRun(seed: 1)
        run.cipher.know(1...2)
        let log = try opened(&run, patience: .max)
        try halfFill(log)
        try log.rotate()
        func steps() throws -> Int {
            var steps = 0
            while try log.maintain(), steps < 100 { steps += 1 }
            return steps
        }
        #expect(try steps() < 100)
        #expect(log.isAwaitingZeros && log.rotation.remaining > 0)
        asides[0].finish()
        #expect(try steps() < 100)
        #expect(log.rotation.remaining == 0)
    }

    @Test func close_waitsForTheZeros() throws {
        var run = try SpoolRun(seed: 1)
        let log = try opened(&run, patience: .max)
        try halfFill(log)
        #expect(log.close() == nil)
        #expect(asides[0].wasWaitedFor)
    }
}
