// The deterministic sweep: the machine stops at operation n, or operation n fails, for every n of a script.

import DDSCore
import DDSSpool
import DDSTestKit
import Testing

@Suite struct SpoolSweepTests {
    private let script = SpoolScript.everything()

    private func operationsOfScript() throws -> Int {
        var run = try SpoolRun(seed: 1)
        #expect(try run.play(script))
        try run.verify()
        try run.verifyErased()
        return run.operations
    }

    @Test func scriptWithoutFaults_holdsWhatTheModelHolds() throws {
        #expect(try operationsOfScript() > 100)
    }

    @Test func machineStopsAtAnyOperation_nothingAcknowledgedIsLost() throws {
        for number in 1...(try operationsOfScript()) {
            for seed in [UInt64(number)] {
                do {
                    var run = try SpoolRun(seed: seed, faults: SimFaults(stopAt: number))
                    let isFinished = try run.play(script)
                    #expect(!isFinished, "operation \(number) was not reached")
                    run.crash()
                    try run.verify()
                    if number % 8 == 0 { try run.verifyErased() }
                    // Opening twice is opening once, and the spool goes on working.
                    run.crash()
                    try run.verify()
                    try goOn(&run)
                } catch {
                    Issue.record("the machine stops at operation \(number), seed \(seed): \(error)")
                }
            }
        }
    }

    @Test func anyOperationFails_nothingAcknowledgedIsLost() throws {
        for number in 1...(try operationsOfScript()) {
            do {
                var run = try SpoolRun(seed: UInt64(number), faults: SimFaults(failAt: number))
                let isFinished = try run.play(script)
                #expect(!isFinished, "the failure of operation \(number) was not noticed")
                // The program ends and starts again over the same cache; later the machine stops.
                run.restart()
                try run.verify()
                run.crash()
                try run.verify()
                try goOn(&run)
            } catch {
                Issue.record("operation \(number) fails: \(error)")
            }
        }
    }

    @Test func machineStopsInRecovery_recoveryBeginsAgain() throws {
        for number in stride(from: 3, through: try operationsOfScript(), by: 7) {
            do {
                var run = try SpoolRun(seed: UInt64(number), faults: SimFaults(stopAt: number))
                _ = try run.play(script)
                run.crash()
                let found = run.disk
                var isOver = false
                var inner = 1
                while !isOver {
                    var again = run
                    again.disk = found.copy(seed: UInt64(inner))
                    again.disk.faults.stopAt = inner
                    do { isOver = try again.opened().maintain() == false || inner > 40 } catch { isOver = false }
                    again.crash()
                    try again.verify()
                    inner += 1
                }
            } catch {
                Issue.record("the machine stops at operation \(number) and in recovery: \(error)")
            }
        }
    }

    private func goOn(_ run: inout SpoolRun) throws {
        var more = SpoolScript(seed: 99)
        let log = try run.opened()
        #expect(run.maintain(log))
        let group = [more.record(1000, 100), more.fanOut(2, payload: 50)].map { plan in
            PlannedTransaction(appends: plan.appends.map { $0.retagged(by: 1 << 40) })
        }
        #expect(try run.play([.commit(group)]))
        run.crash()
        try run.verify()
    }
}

extension SpoolAppend {
    /// The same append with another tag, so that two scripts do not meet.
    func retagged(by offset: UInt64) -> SpoolAppend {
        switch self {
        case .record(let mailbox, let tag, let flags, let body):
            .record(mailbox: mailbox, tag: RecordTag(high: tag.high + offset, low: tag.low), flags: flags, body: body)
        case .payload(let tag, let body):
            .payload(tag: RecordTag(high: tag.high + offset, low: tag.low), body: body)
        case .delivery(let mailbox, let tag, let flags, let header, let payload):
            .delivery(
                mailbox: mailbox, tag: RecordTag(high: tag.high + offset, low: tag.low), flags: flags, header: header,
                payload: payload)
        }
    }
}
