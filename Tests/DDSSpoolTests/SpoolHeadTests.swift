// The head: grows with every change, and no stop or reuse of a segment takes it back.

import DDSCore
import DDSSpool
import DDSTestKit
import Testing

@Suite struct SpoolHeadTests {
    private let mailbox = MailboxID(rawValue: 1)

    private func record(_ size: Int) -> SpoolTransaction {
        SpoolTransaction(appends: [
            .record(mailbox: mailbox, tag: .none, flags: 0, body: [UInt8](repeating: 1, count: size))
        ])
    }

    @Test func head_growsWithAppendsAndWithErasures() throws {
        var run = try SpoolRun(seed: 1)
        let log = try run.opened()
        var last = try log.head()
        #expect(last.uuid.count == 16)
        for _ in 0..<5 {
            let uids = try log.commit([record(10)])[0].get()
            let appended = try log.head()
            #expect(appended.counter > last.counter && appended.uuid == last.uuid)
            _ = try log.commit([SpoolTransaction(erasures: uids)])[0].get()
            last = try log.head()
            #expect(last.counter > appended.counter)
            #expect(try log.statistics().head == last)
        }
        _ = log.commit([SpoolTransaction(erasures: [SpoolUID(rawValue: 1)])])
        #expect(try log.head() == last, "nothing was changed")
        run.crash()
        #expect(try run.opened().head().counter >= last.counter)
    }

    @Test func erasureAlone_isInTheHeadThatACrashLeaves() throws {
        var run = try SpoolRun(seed: 2)
        let log = try run.opened()
        let uids = try log.commit([record(10), record(20)]).flatMap { try $0.get() }
        // The first erasure brings a mark that covers the appends, and the second has no other reason for one.
        _ = log.commit([SpoolTransaction(erasures: [uids[0]])])
        let before = try log.head()
        _ = log.commit([SpoolTransaction(erasures: [uids[1]])])
        let head = try log.head()
        #expect(head.counter > before.counter)
        let found = run.disk.copy(seed: 1)
        #expect(try SpoolLog(opening: found, cipher: run.cipher, time: run.time).head().counter > head.counter)
    }

    @Test func onlySegmentPutToNewUse_doesNotForgetTheHead() throws {
        var operations = 1
        for number in 1... where number <= operations {
            var run = try SpoolRun(seed: UInt64(number))
            let log = try run.opened()
            let uids = try log.commit([record(10)])[0].get()
            _ = log.commit([SpoolTransaction(erasures: uids)])
            let head = try log.head()
            run.nextProcess()
            run.arm(SimFaults(stopAt: number))
            let before = run.operations
            let second = try? run.opened()
            if let second { _ = second.commit([record(30)]) }
            operations = max(operations, run.operations - before + 1)
            guard number < operations else { break }
            run.crash()
            #expect(try run.opened().head().counter >= head.counter, "the machine stops at operation \(number)")
        }
        #expect(operations > 10)
    }

    @Test func damagedMark_doesNotTakeTheHeadBack() throws {
        for offset in [1024, 3072] {
            var run = try SpoolRun(seed: 3)
            let log = try run.opened()
            for _ in 0..<3 { _ = log.commit([record(10)]) }
            let head = try log.head()
            let disk = run.disk.copy(seed: 1)
            disk.flip(bit: 1, at: offset + 30, of: "seg-0000000000000001")
            #expect(try SpoolLog(opening: disk, cipher: run.cipher, time: run.time).head().counter > head.counter)
        }
    }
}
