// Plain use: limits, reading in pieces, what is counted, and that a stop is final.

import DDSCore
import DDSSpool
import DDSTestKit
import Testing

@Suite struct SpoolLogTests {
    private let mailbox = MailboxID(rawValue: 7)

    private func append(_ size: Int, tag: UInt64 = 1) -> SpoolTransaction {
        SpoolTransaction(appends: [
            .record(
                mailbox: mailbox, tag: RecordTag(high: tag, low: 0), flags: 3, body: (0..<size).map { UInt8($0 % 251) })
        ])
    }

    private func uids(_ result: Result<[SpoolUID], SpoolError>) throws -> [SpoolUID] { try result.get() }

    @Test func entries_tellWhatWasAppended() throws {
        var run = try SpoolRun(seed: 1)
        let log = try run.opened()
        let uid = try #require(uids(log.commit([append(10, tag: 9)])[0]).first)
        let entry = SpoolEntry(
            uid: uid, mailbox: mailbox, tag: RecordTag(high: 9, low: 0), flags: 3, day: run.time.wall.day, size: 10,
            payload: nil, payloadSize: 0)
        #expect(try log.entries(in: mailbox) == [entry])
        #expect(try log.entries(in: MailboxID(rawValue: 8)).isEmpty)
        run.nextProcess()
        #expect(try run.opened().entries(in: mailbox) == [entry])
    }

    /// Whoever numbers by UIDs begins behind all that ever were, however few of them are left.
    @Test(arguments: [1, 31, 32, 33, 100]) func nextUID_isBehindAllThatWere_andNotBehindTheNext(count: Int) throws {
        var run = try SpoolRun(seed: 1)
        let log = try run.opened()
        let first = try log.statistics().nextUID
        var all = try log.commit((0..<count).map { append($0) }).flatMap { try uids($0) }
        #expect(first <= all[0])
        for isCrash in [false, true] {
            let before = try run.opened()
            let next = try before.statistics().nextUID
            #expect(all.allSatisfy { $0 < next })
            _ = before.commit([SpoolTransaction(erasures: all)])
            _ = run.maintain(before)
            #expect(try before.statistics().nextUID >= next)
            if isCrash { run.crash() } else { run.nextProcess() }
            let after = try run.opened()
            let promised = try after.statistics().nextUID
            #expect(all.allSatisfy { $0 < promised })
            all = try uids(after.commit([append(1)])[0])
            let later = try after.statistics().nextUID
            #expect(promised <= all[0] && all[0] < later)
        }
    }

    @Test func delivery_namesItsPayload() throws {
        var run = try SpoolRun(seed: 1)
        let log = try run.opened()
        var script = SpoolScript(seed: 1)
        let uids = try uids(log.commit([SpoolTransaction(appends: script.fanOut(2, payload: 600, header: 97).appends)])[0])
        let entry = try #require(log.entries(in: MailboxID(rawValue: 1)).first)
        #expect(entry.uid == uids[2] && entry.payload == uids[0] && entry.size == 97 && entry.payloadSize == 600)
        let sums = try log.mailboxes()
        #expect(sums.count == 2 && sums[MailboxID(rawValue: 0)]?.bytes == 697)
    }

    @Test(arguments: [1000, 2048, 2049, 4096, 5000]) func reading_worksInAnyPieces(size: Int) throws {
        var run = try SpoolRun(seed: 1)
        let log = try run.opened()
        let uid = try #require(uids(log.commit([append(size)])[0]).first)
        let body = (0..<size).map { UInt8($0 % 251) }
        for (offset, count) in [(0, size), (0, 1), (size - 1, 5), (size, 5), (size + 9, 1), (1000, 100), (1023, 2), (0, .max)] {
            let expected = Array(body.dropFirst(offset).prefix(count))
            #expect(try log.read(uid, offset: offset, count: count) == expected)
        }
    }

    @Test func unknownRecord_isSaidToBeUnknown() throws {
        var run = try SpoolRun(seed: 1)
        let log = try run.opened()
        let uid = try #require(uids(log.commit([append(5)])[0]).first)
        for wrong in [SpoolUID(rawValue: uid.rawValue + 1), SpoolUID(rawValue: 0), SpoolUID(rawValue: .max)] {
            #expect(throws: SpoolError.noSuchRecord(wrong)) { try log.read(wrong, offset: 0, count: 1) }
            #expect(log.commit([SpoolTransaction(erasures: [wrong])]) == [.success([])])
        }
        #expect(log.commit([SpoolTransaction(erasures: [uid])]) == [.success([])])
        #expect(throws: SpoolError.noSuchRecord(uid)) { try log.read(uid, offset: 0, count: 1) }
    }

    @Test func transaction_mayFillASegmentAndNotMore() throws {
        var run = try SpoolRun(seed: 1)
        let log = try run.opened()
        let one = append(0).appends
        let most = SpoolTransaction(appends: (0..<32).flatMap { _ in one })
        let more = SpoolTransaction(appends: (0..<33).flatMap { _ in one })
        let bytes = SpoolTransaction(appends: (0..<8).flatMap { _ in append(2048).appends })
        let moreBytes = SpoolTransaction(appends: bytes.appends + append(1).appends)
        let results = log.commit([append(1), most, more, bytes, moreBytes, append(1)])
        #expect(results[2] == .failure(.tooLarge) && results[4] == .failure(.tooLarge))
        #expect(try [0, 1, 3, 5].map { try uids(results[$0]).count } == [1, 32, 8, 1])
        run.crash()
        #expect(try run.opened().entries(in: mailbox).count == 42)
    }

    @Test func failedSync_isTheLastThingThatHappens() throws {
        var run = try SpoolRun(seed: 1)
        let log = try run.opened()
        let uid = try #require(uids(log.commit([append(5)])[0]).first)
        run.disk.faults.failAt = run.disk.operations + 4
        guard case .failure(.stopped) = log.commit([append(6)])[0] else {
            Issue.record("the sync failed")
            return
        }
        let operations = run.disk.operations
        for transaction in [append(7), SpoolTransaction(erasures: [uid])] {
            guard case .failure(.stopped) = log.commit([transaction])[0] else {
                Issue.record("the log has stopped")
                return
            }
        }
        #expect(throws: SpoolError.self) { try log.maintain() }
        #expect(throws: SpoolError.self) { try log.entries(in: mailbox) }
        log.close()
        #expect(run.disk.operations == operations && run.disk.openHandles == 0)
    }

    @Test func group_costsOneSync() throws {
        var run = try SpoolRun(seed: 1)
        let log = try run.opened()
        _ = log.commit([append(1)])
        let before = try log.statistics().syncs
        _ = log.commit((0..<20).map { append(30, tag: UInt64($0)) })
        #expect(try log.statistics().syncs == before + 1)
    }

    @Test func busySpool_overwritesErasedBodiesAllTheSame() throws {
        var run = try SpoolRun(seed: 1)
        let log = try run.opened()
        let uid = try #require(uids(log.commit([append(100)])[0]).first)
        try log.keepUp()
        _ = log.commit([SpoolTransaction(erasures: [uid])])
        for _ in 0..<5 { try log.keepUp() }
        #expect(try log.statistics().awaitingOverwrite == 1, "no step is due yet")
        run.time.advance(by: .milliseconds(50))
        try log.keepUp()
        #expect(try log.statistics().awaitingOverwrite == 0)
    }

    @Test func manySegments_keepFewFilesOpen() throws {
        var run = try SpoolRun(seed: 1)
        let log = try run.opened()
        for round in 0..<80 {
            _ = log.commit([SpoolTransaction(appends: (0..<30).flatMap { append(1, tag: UInt64(round * 32 + $0)).appends })])
        }
        #expect(try log.statistics().segments == 80)
        #expect(run.disk.openHandles <= 66)
        run.crash()
        #expect(try run.opened().entries(in: mailbox).count == 2400)
        #expect(run.disk.openHandles <= 66)
    }

    @Test func emptiedSegments_areUsedAgain() throws {
        var run = try SpoolRun(seed: 1)
        let log = try run.opened()
        for round in 0..<60 {
            let group = (0..<20).map { append(300, tag: UInt64(round * 32 + $0)) }
            let uids = try log.commit(group).flatMap { try $0.get() }
            #expect(log.commit([SpoolTransaction(erasures: uids)]) == [.success([])])
            #expect(run.maintain(log))
        }
        #expect(try run.disk.list().count <= 6)
        #expect(run.cipher.repeatedNonces == 0)
    }
}
