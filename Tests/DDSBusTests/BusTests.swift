import DDSBus
import DDSCore
import DDSTestKit
import Testing

@Suite struct BusTests {
    let now = ManualTime().now

    @Test func publish_deliversNothingBeforeTheTurn() {
        var bus = Bus(traceCapacity: 4)
        let id = bus.subscribe(.mail, capacity: 4, policy: .reject)
        #expect(!bus.hasDeliveries)
        bus.publish(.fetched(count: 1), now: now)
        bus.publish(.locked, now: now)
        bus.publish(.fetched(count: 2), now: now)
        #expect(bus.hasDeliveries)
        let deliveries = bus.takeDeliveries()
        #expect(deliveries.map(\.0) == [id])
        #expect(deliveries.first?.1 == [.fetched(count: 1), .fetched(count: 2)])
        #expect(!bus.hasDeliveries)
        let delivered1 = bus.takeDeliveries()
        #expect(delivered1.isEmpty)
    }

    @Test func publishWhileDelivering_belongsToTheNextTurn() {
        var bus = Bus(traceCapacity: 16)
        let first = bus.subscribe(.all, capacity: 8, policy: .reject)
        let second = bus.subscribe(.all, capacity: 8, policy: .reject)
        bus.publish(.locked, now: now)
        var seen: [[NodeEvent]] = []
        for (id, events) in bus.takeDeliveries() where id == first {
            seen.append(events)
            for _ in events { bus.publish(.unlocked, now: now) }
        }
        #expect(seen == [[.locked]])
        let next = bus.takeDeliveries()
        #expect(next.map(\.0) == [first, second])
        #expect(next.map(\.1) == [[.unlocked], [.unlocked]])
        #expect(bus.trace.map(\.turn) == [0, 1])
    }

    @Test func subscribers_areServedInOrderOfSubscription() {
        var bus = Bus(traceCapacity: 1)
        let ids = (0..<50).map { _ in bus.subscribe(.all, capacity: 1, policy: .dropNewest) }
        bus.publish(.draining, now: now)
        let delivered2 = bus.takeDeliveries()
        #expect(delivered2.map(\.0) == ids)
    }

    @Test func unsubscribed_getNothingMore() {
        var bus = Bus(traceCapacity: 1)
        let id = bus.subscribe(.all, capacity: 1, policy: .dropNewest)
        bus.publish(.draining, now: now)
        bus.unsubscribe(id)
        bus.unsubscribe(id)
        #expect(!bus.hasDeliveries)
        let delivered3 = bus.takeDeliveries()
        #expect(delivered3.isEmpty)
        bus.publish(.draining, now: now)
        #expect(!bus.hasDeliveries)
        let subscribed4 = bus.subscribe(.all, capacity: 1, policy: .reject)
        #expect(subscribed4 != id)
    }

    @Test func overflow_followsEachSubscribersPolicy() {
        var bus = Bus(traceCapacity: 8)
        let oldest = bus.subscribe(.all, capacity: 2, policy: .dropOldest)
        let newest = bus.subscribe(.all, capacity: 2, policy: .dropNewest)
        let strict = bus.subscribe(.all, capacity: 2, policy: .reject)
        let refused = (1...4).map { bus.publish(.fetched(count: $0), now: now) }
        #expect(refused == [[], [], [strict], [strict]])
        let deliveries = Dictionary(uniqueKeysWithValues: bus.takeDeliveries())
        #expect(deliveries[oldest] == [.fetched(count: 3), .fetched(count: 4)])
        #expect(deliveries[newest] == [.fetched(count: 1), .fetched(count: 2)])
        #expect(deliveries[strict] == [.fetched(count: 1), .fetched(count: 2)])
        #expect([oldest, newest, strict].map { bus.lostCount(of: $0) } == [2, 2, 2])
        bus.publish(.locked, now: now)
        let delivered5 = bus.takeDeliveries()
        #expect(delivered5.map(\.1) == [[.locked], [.locked], [.locked]])
    }

    @Test func trace_wrapsAndCounts() {
        for published in 0...9 {
            var bus = Bus(traceCapacity: 3)
            for count in 0..<published { bus.publish(.fetched(count: count), now: now + .seconds(count)) }
            let kept = (0..<published).suffix(3)
            #expect(bus.trace.map(\.sequence) == kept.map(UInt64.init))
            #expect(bus.trace.map(\.event) == kept.map { .fetched(count: $0) })
            #expect(bus.trace.map(\.at) == kept.map { now + .seconds($0) })
        }
    }

    @Test func replay_givesTheSameBatches() {
        let random = SeededRandom(seed: 7)
        var bus = Bus(traceCapacity: 1000)
        var subscriber = bus.subscribe([.mail, .store], capacity: 3, policy: .dropOldest)
        var seen: [[NodeEvent]] = []
        for count in 0..<200 {
            bus.publish([.fetched(count: count), .locked, .draining][random.below(3)], now: now)
            if random.below(4) == 0 { seen += bus.takeDeliveries().map(\.1) }
        }
        seen += bus.takeDeliveries().map(\.1)
        var second = Bus(traceCapacity: 1000)
        subscriber = second.subscribe([.mail, .store], capacity: 3, policy: .dropOldest)
        var again: [[NodeEvent]] = []
        second.replay(bus.trace) { again += $0.filter { $0.0 == subscriber }.map(\.1) }
        #expect(again == seen)
        #expect(seen.count > 20)
        #expect(second.trace.map(\.event) == bus.trace.map(\.event))
    }
}

@Suite struct MailboxTests {
    @Test(arguments: [OverflowPolicy.dropOldest, .dropNewest, .reject])
    func agreesWithAnArray(policy: OverflowPolicy) {
        let random = SeededRandom(seed: 3)
        for capacity in 1...5 {
            var mailbox = Mailbox<Int>(capacity: capacity, policy: policy)
            var model: [Int] = []
            var lost = 0
            for value in 0..<500 {
                if random.below(7) == 0 {
                    let taken6 = mailbox.takeAll()
                    #expect(taken6 == model)
                    model = []
                    continue
                }
                let isFull = model.count == capacity
                let outcome = mailbox.put(value)
                if isFull { lost += 1 }
                switch policy {
                case .dropOldest:
                    if isFull { model.removeFirst() }
                    model.append(value)
                    #expect(outcome == (isFull ? .storedDroppingOldest : .stored))
                case .dropNewest:
                    if !isFull { model.append(value) }
                    #expect(outcome == (isFull ? .droppedNewest : .stored))
                case .reject:
                    if !isFull { model.append(value) }
                    #expect(outcome == (isFull ? .rejected : .stored))
                }
                #expect(mailbox.elements == model)
                #expect(mailbox.count == model.count)
            }
            #expect(mailbox.droppedCount + mailbox.rejectedCount == lost)
        }
    }
}

@Suite struct RequestBookTests {
    let start = Instant(nanoseconds: 0)

    @Test func answers_arriveAtTheNextTurn() throws {
        var book = RequestBook<String, Int>(limit: 2)
        let asked7 = book.ask("how many", deadline: start + .seconds(1))
        let id = try #require(asked7)
        let questions = book.takeQuestions()
        #expect(questions.map(\.0) == [id])
        #expect(questions.map(\.1) == ["how many"])
        let questioned8 = book.takeQuestions()
        #expect(questioned8.isEmpty)
        let answered9 = book.answer(id, 5)
        #expect(answered9)
        let answered10 = book.answer(id, 6)
        #expect(!answered10)
        let outcomes = book.takeOutcomes()
        #expect(outcomes.map(\.1) == [.answered(5)])
        let ended11 = book.takeOutcomes()
        #expect(ended11.isEmpty)
        #expect(book.openCount == 0 && book.nextDeadline == nil)
    }

    @Test func deadline_endsTheQuestionOnce() throws {
        var book = RequestBook<String, Int>(limit: 2)
        let asked12 = book.ask("a", deadline: start + .seconds(1))
        let early = try #require(asked12)
        let asked13 = book.ask("b", deadline: start + .seconds(2))
        let late = try #require(asked13)
        #expect(book.nextDeadline == start + .seconds(1))
        book.expire(now: start + .milliseconds(999))
        let ended14 = book.takeOutcomes()
        #expect(ended14.isEmpty)
        book.expire(now: start + .seconds(1))
        #expect(book.nextDeadline == start + .seconds(2))
        let answered15 = book.answer(early, 1)
        #expect(!answered15)
        let questioned16 = book.takeQuestions()
        #expect(questioned16.map(\.0) == [late])
        let outcomes = book.takeOutcomes()
        #expect(outcomes.map(\.0) == [early])
        #expect(outcomes.map(\.1) == [.expired])
    }

    @Test func limit_refusesOneMore() throws {
        var book = RequestBook<String, Int>(limit: 2)
        let asked17 = book.ask("a", deadline: start)
        let first = try #require(asked17)
        let asked18 = book.ask("b", deadline: start)
        #expect(asked18 != nil)
        let asked19 = book.ask("c", deadline: start)
        #expect(asked19 == nil)
        book.cancel(first)
        let answered20 = book.answer(first, 1)
        #expect(!answered20)
        let asked21 = book.ask("d", deadline: start)
        #expect(asked21 != nil)
        let questioned22 = book.takeQuestions()
        #expect(questioned22.map(\.1) == ["b", "d"])
    }
}
