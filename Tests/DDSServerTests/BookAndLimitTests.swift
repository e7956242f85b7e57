import DDSCore
import DDSLoop
import DDSSpool
import DDSTestKit
import Testing

@testable import DDSServer

@Suite struct MaildropBookTests {
    private let box = MailboxID(rawValue: 1000)

    @Test @LoopActor func aMaildrop_isForOneSession() {
        let book = MaildropBook([:])
        #expect(book.lease(box))
        #expect(!book.lease(box))
        #expect(book.lease(MailboxID(rawValue: 1001)))
        book.release(box)
        #expect(book.lease(box))
    }

    @Test @LoopActor func usage_isWhatCameLessWhatWent() {
        let book = MaildropBook([box: (count: 1, bytes: 10)])
        book.stored(box, bytes: 5)
        #expect(book.usage[box] == MaildropBook.Usage(count: 2, bytes: 15))
        book.erased(box, count: 1, bytes: 10)
        #expect(book.usage[box] == MaildropBook.Usage(count: 1, bytes: 5))
        book.erased(box, count: 1, bytes: 5)
        #expect(book.usage[box] == nil)
        book.erased(box, count: 1, bytes: 5)
        #expect(book.usage[box] == nil)
    }

    @Test @LoopActor func aWait_endsWithMailAndWithStop_andNotWithOthersMail() async {
        let book = MaildropBook([:])
        var ended: [String] = []
        let first = MaildropWait()
        let second = MaildropWait()
        let waits = [("first", first), ("second", second)].map { name, wait in
            Task { @LoopActor in
                await book.wait(box, since: 0, wait)
                ended.append(name)
            }
        }
        for _ in 0..<5 { await Task.yield() }
        book.stored(MailboxID(rawValue: 1001), bytes: 1)
        for _ in 0..<5 { await Task.yield() }
        #expect(ended.isEmpty)
        first.stop()
        first.stop()
        await waits[0].value
        #expect(ended == ["first"])
        book.stored(box, bytes: 1)
        await waits[1].value
        // Stopping what has ended, and mail for nobody, do nothing.
        second.stop()
        book.stored(box, bytes: 1)
        book.forget(box)
    }

    @Test @LoopActor func aWaitStoppedBefore_doesNotBegin() async {
        let book = MaildropBook([:])
        let wait = MaildropWait()
        wait.stop()
        await book.wait(box, since: 0, wait)
    }

    @Test @LoopActor func mailSinceTheLastLook_endsAWaitAtOnce() async {
        let book = MaildropBook([:])
        let seen = book.arrival(box)
        book.stored(box, bytes: 1)
        await book.wait(box, since: seen, MaildropWait())
        let stopped = MaildropWait()
        stopped.stop()
        await book.wait(box, since: book.arrival(box), stopped)
    }

    @Test @LoopActor func forgetting_endsTheWait() async {
        let book = MaildropBook([box: (count: 1, bytes: 1)])
        let wait = Task { @LoopActor in await book.wait(box, since: 0, MaildropWait()) }
        for _ in 0..<5 { await Task.yield() }
        book.forget(box)
        await wait.value
        #expect(book.usage.isEmpty)
    }
}

@Suite struct FailureLimiterTests {
    private let start = Instant(nanoseconds: 1_000_000_000_000)

    @Test func theLimit_holdsForAMinuteAndPerKey() {
        var limiter = FailureLimiter(perMinute: 3)
        for _ in 0..<2 { limiter.failed(["host", "name:a"], now: start) }
        #expect(limiter.allows(["host", "name:a"], now: start))
        limiter.failed(["host", "name:b"], now: start)
        #expect(!limiter.allows(["host"], now: start))
        #expect(limiter.allows(["name:a"], now: start))
        #expect(!limiter.allows(["host"], now: start + .nanoseconds(59_999_999_999)))
        #expect(limiter.allows(["host"], now: start + .seconds(60)))
    }

    @Test func theEmptyKey_isNobodys() {
        var limiter = FailureLimiter(perMinute: 1)
        for _ in 0..<5 { limiter.failed([""], now: start) }
        #expect(limiter.allows([""], now: start))
        #expect(limiter.count == 0)
    }

    @Test func theDelay_growsFromTheThirdFailureOnToALimit() {
        var limiter = FailureLimiter(perMinute: 100)
        var delays: [Duration] = []
        for _ in 0..<12 {
            limiter.failed(["host"], now: start)
            delays.append(limiter.delay(["host", "other"], now: start))
        }
        #expect(delays.prefix(6) == [.zero, .zero, .milliseconds(500), .seconds(1), .seconds(2), .seconds(4)])
        #expect(delays.last == .seconds(15))
        #expect(limiter.delay(["host"], now: start + .seconds(60)) == .zero)
    }

    @Test func memory_isBoundedAndTheNewestAreKept() {
        var limiter = FailureLimiter(perMinute: 2)
        for index in 0..<(FailureLimiter.keysMax * 2) {
            limiter.failed(["h\(index)"], now: start + .microseconds(Int64(index)))
            #expect(limiter.count <= FailureLimiter.keysMax)
        }
        limiter.failed(["h\(FailureLimiter.keysMax * 2 - 1)"], now: start + .seconds(1))
        #expect(!limiter.allows(["h\(FailureLimiter.keysMax * 2 - 1)"], now: start + .seconds(1)))
    }

    @Test func oneKey_keepsNoMoreThanCounts() {
        var limiter = FailureLimiter(perMinute: 1)
        for _ in 0..<1000 { limiter.failed(["h"], now: start) }
        #expect(!limiter.allows(["h"], now: start))
        #expect(limiter.allows(["h"], now: start + .seconds(60)))
    }
}

@Suite struct FailurePlaceTests {
    @Test(arguments: [
        ("192.0.2.1", "192.0.2.1"), ("", ""), ("unix", "unix"), ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2"),
        ("2001:db8:1:2::1", "2001:db8:1:2"), ("2001:db8::1", "2001:db8:0:0"), ("::1", "0:0:0:0"),
        ("fe80::1%eth0", "fe80:0:0:0"),
        ("::ffff:192.0.2.1", "192.0.2.1"), ("1::", "1:0:0:0"),
    ])
    func anAddress_countsAsItsPlace(host: String, place: String) {
        #expect(FailureLimiter.place(host) == place)
    }
}

@Suite struct ConnectionLimitTests {
    @Test func capsCountInAllAndPerHost_andLeavingFreesThem() {
        var limits = ConnectionLimits(total: 3, perHost: 2)
        let admitted = ["a", "a", "a", "b", "c"].map { limits.admit($0) }
        #expect(admitted == [true, true, false, true, false])
        limits.leave("a")
        #expect(limits.open == 2)
        let isAdmitted = limits.admit("a")
        #expect(isAdmitted)
        for host in ["a", "a", "b"] { limits.leave(host) }
        #expect(limits.open == 0)
    }

    @Test func peersWithoutAnAddress_countOnlyInAll() {
        var limits = ConnectionLimits(total: 2, perHost: 1)
        let admitted = (0..<3).map { _ in limits.admit("") }
        #expect(admitted == [true, true, false])
        limits.leave("")
        let isAdmitted = limits.admit("")
        #expect(isAdmitted)
    }
}

@Suite struct HousekeepingTests {
    @Test(arguments: [(10, 40, false), (10, 41, true), (10, 10, false), (11, 10, false)])
    func mailExpires_neverBeforeItsTime(accepted: Int, today: Int, isOver: Bool) {
        #expect(ExpiryPlan.hasExpired(acceptedOn: accepted, today: today, keep: .seconds(30 * 86400)) == isOver)
    }

    @Test @LoopActor func aSweep_erasesOldMailOnly_andCountsIt() async throws {
        try await withWorld { world in
            try await world.addKeyMember("bob")
            let box = MailboxID(rawValue: try #require(world.account("bob")).mailbox)
            let house = Housekeeping(
                store: world.store, spool: world.spool, book: world.book, delivery: world.delivery, services: world.services,
                keepUndelivered: .seconds(2 * 86400))
            _ = await world.delivery.deliver(try world.message(), author: nil, destinations: [.member("bob")])
            world.time.advance(by: .seconds(2 * 86400))
            _ = await world.delivery.deliver(try world.message(), author: nil, destinations: [.member("bob")])
            await house.sweep()
            #expect(try await world.waiting("bob").count == 2)
            world.time.advance(by: .seconds(86400))
            // A session that has the maildrop open keeps what it lists.
            #expect(world.book.lease(box))
            await house.sweep()
            #expect(try await world.waiting("bob").count == 2)
            world.book.release(box)
            await house.sweep()
            // The younger one, and the notice.
            #expect(try await world.waiting("bob").map(\.isControl) == [false, true])
            #expect(house.expiredCount == 1)
            #expect(world.book.usage[box]?.count == 2)
            #expect(!world.book.isLeased(box))
            #expect(world.spool.payloadCount == 2)
        }
    }

    @Test @LoopActor func aSweepThatFails_leavesTheMaildropOpen() async throws {
        try await withWorld { world in
            try await world.addKeyMember("bob")
            let house = Housekeeping(
                store: world.store, spool: world.spool, book: world.book, delivery: world.delivery, services: world.services,
                keepUndelivered: .seconds(86400))
            _ = await world.delivery.deliver(try world.message(), author: nil, destinations: [.member("bob")])
            world.time.advance(by: .seconds(5 * 86400))
            world.spool.failNext(.stopped("x"))
            await house.sweep()
            #expect(house.expiredCount == 0)
            #expect(world.book.lease(MailboxID(rawValue: try #require(world.account("bob")).mailbox)))
        }
    }
}
