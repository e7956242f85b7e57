// A full disk refuses records and nothing else.

import DDSCore
import DDSSpool
import DDSTestKit
import Testing

@Suite struct SpoolFullDiskTests {
    @Test func diskFullFromAnyOperation_neverStopsTheLog() throws {
        let script = SpoolScript.everything()
        var whole = try SpoolRun(seed: 1)
        _ = try whole.play(script)
        for number in 1...whole.operations {
            do {
                var run = try SpoolRun(seed: UInt64(number), faults: SimFaults(fullFrom: number))
                #expect(try run.play(script), "the log stopped")
                run.crash()
                try run.verify()
            } catch {
                Issue.record("the disk is full from operation \(number): \(error)")
            }
        }
    }

    @Test func erasingOnAFullDisk_worksAndMakesRoom() throws {
        var run = try SpoolRun(seed: 3)
        run.arm(SimFaults(capacity: 115_000))
        var script = SpoolScript(seed: 5)
        var log = try run.opened()
        var group = script.record(1, 400)
        while log.commit([SpoolTransaction(appends: group.appends)]) != [.failure(.full)] { group = script.record(1, 400) }

        // Also for a process that finds the disk full.
        run.nextProcess()
        log = try run.opened()
        let entries = try log.entries(in: MailboxID(rawValue: 1))
        #expect(entries.count > 50)
        #expect(log.commit([SpoolTransaction(appends: group.appends)]) == [.failure(.full)])
        #expect(log.commit([SpoolTransaction(erasures: entries.map(\.uid))]) == [.success([])])
        #expect(try log.entries(in: MailboxID(rawValue: 1)).isEmpty)
        #expect(run.maintain(log))
        guard case .success = log.commit([SpoolTransaction(appends: group.appends)])[0] else {
            Issue.record("there is room again")
            return
        }
    }

    @Test func bigFileOnAFullDisk_leavesNothing() throws {
        var run = try SpoolRun(seed: 4)
        let log = try run.opened()
        var script = SpoolScript(seed: 5)
        _ = log.commit([SpoolTransaction(appends: script.record(1, 10).appends)])
        let files = try run.disk.list().sorted()
        run.disk.faults.capacity = files.reduce(0) { $0 + (run.disk.durableContents[$1]?.count ?? 0) } + 3000
        let group = [script.record(1, 5000), script.record(1, 50)].map { SpoolTransaction(appends: $0.appends) }
        let results = log.commit(group)
        #expect(results[0] == .failure(.full))
        guard case .success = results[1] else {
            Issue.record("a short record has room")
            return
        }
        #expect(try run.disk.list().sorted() == files)
    }
}
