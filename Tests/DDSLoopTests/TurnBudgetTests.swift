// That a turn of the loop ends when it has done enough, whatever there is still to do. The budget's clock is the tests' own;
// everything else on the loop keeps its real one.

import DDSCore
import DDSTestKit
import Foundation
import Testing

@testable import DDSLoop

@Suite struct TurnBudgetTests {
    /// Asks a budget at instants counted from some moment on.
    private struct Asker {
        private let start = Instant(nanoseconds: 5_000_000_000)
        private(set) var budget = TurnBudget()

        mutating func allows(_ work: TurnBudget.Work, after time: Duration) -> Bool { budget.allows(work, now: start + time) }
        mutating func begin() { budget.begin() }
    }

    private func answers(_ asker: inout Asker, _ work: TurnBudget.Work, _ times: [Duration]) -> [Bool] {
        times.map { asker.allows(work, after: $0) }
    }

    @Test(arguments: TurnBudget.Work.allCases) func workBegins_untilItsLimitIsReached(_ work: TurnBudget.Work) {
        var asker = Asker()
        let times = [.zero, work.limit - .nanoseconds(1), work.limit, .seconds(1)]
        #expect(answers(&asker, work, times) == [true, true, false, false])
    }

    @Test(arguments: TurnBudget.Work.allCases) func firstOfItsKind_alwaysBegins(_ work: TurnBudget.Work) {
        var asker = Asker()
        for other in TurnBudget.Work.allCases where other != work { _ = asker.allows(other, after: .zero) }
        #expect(answers(&asker, work, [.seconds(1), .seconds(1)]) == [true, false])
    }

    @Test func everyKind_leavesTimeToThoseAfterIt() {
        let limits = TurnBudget.Work.allCases.map(\.limit)
        #expect(limits == limits.sorted())
        #expect(Set(limits).count == limits.count)
        #expect(limits.allSatisfy { $0 < .milliseconds(8) })
    }

    @Test func timeBeforeTheFirstWork_doesNotCount() {
        var asker = Asker()
        _ = asker.allows(.reading, after: .zero)
        asker.begin()
        #expect(answers(&asker, .jobs, [.seconds(1), .seconds(1)]) == [true, true])
    }
}

/// Each in a process of its own, because they count the loop's turns.
@Suite struct LongTurnTests {
    @Test func streamsWithMuchToDo_takeATurnEach() async {
        await #expect(processExitsWith: .success) { await Probe().streams(ending: false) }
    }

    @Test func connectionsThatEndTogether_takeATurnEach() async {
        await #expect(processExitsWith: .success) { await Probe().streams(ending: true) }
    }

    @Test func longJobs_takeATurnEach() async {
        await #expect(processExitsWith: .success) { await Probe().jobs() }
    }

    @Test func timersDueTogether_takeATurnEachWhenTheyTakeLong() async {
        await #expect(processExitsWith: .success) { await Probe().timers() }
    }

    @Test func bytesForManyStreams_goOutOverSeveralTurns() async {
        await #expect(processExitsWith: .success) { await Probe().sending() }
    }

    @Test func aFinishedStream_sendsItsBytes_howeverLateTheLoopIs() async {
        await #expect(processExitsWith: .success) { await Probe().finishing() }
    }

    @Test func whatCameInTime_isReadBeforeALateTimerFires() async {
        await #expect(processExitsWith: .success) { await Probe().lateTimer() }
    }

    @Test func shortWork_sharesATurn() async {
        await #expect(processExitsWith: .success) { await Probe().shortJobs() }
    }
}

/// Work that takes long by the budget's clock, and in which turns of the loop it was done.
@LoopActor private final class Probe {
    private static let count = 5
    private let time = ManualTime()
    private var turns: [UInt64] = []

    init() async {
        await use(time)
    }

    /// Returns when a turn has begun that knows no other clock.
    private func use(_ time: any TimeSource) async {
        Loop.budgetTime = time
        let before = Loop.lag.count
        while Loop.lag.count < before + 2 { await Task.yield() }
    }

    private func work() {
        turns.append(Loop.lag.count)
        time.advance(by: .milliseconds(10))
    }

    private func check() {
        #expect(turns.count == Self.count)
        #expect(Set(turns).count == Self.count, "in turns \(turns)")
    }

    func jobs() async {
        let tasks = (0..<Self.count).map { _ in Loop.spawn { self.work() } }
        for task in tasks { await task.value }
        check()
        turns = []
        await Loop.inTurns(0..<Self.count) { _ in work() }
        check()
        turns = []
        for _ in 0..<Self.count {
            work()
            await Loop.giveWay()
        }
        check()
    }

    func shortJobs() async {
        let tasks = (0..<Self.count).map { _ in Loop.spawn { self.turns.append(Loop.lag.count) } }
        for task in tasks { await task.value }
        #expect(Set(turns).count == 1)
        turns = []
        await Task.yield()
        for _ in 0..<Self.count {
            turns.append(Loop.lag.count)
            await Loop.giveWay()
        }
        #expect(Set(turns).count == 1)
    }

    /// The peer writes and the deadline passes while the loop is busy; the deadline goes when the bytes are read.
    func lateTimer() async {
        guard let pair = await pairs().first else { return }
        var events: [String] = []
        let timer = LoopTimer { events.append("deadline") }
        let other = LoopTimer { events.append("other") }
        pair.server.stream.onRead = { _ in
            events.append("read")
            timer.schedule(at: Loop.time.now + .seconds(3600))
        }
        for round in 1...2 {
            let due = Loop.time.now + .milliseconds(1)
            timer.schedule(at: due)
            other.schedule(at: due)
            pair.client.stream.write([1])
            while Loop.time.now < due + .milliseconds(150) {}
            while events.count < 2 * round { try? await Loop.sleep(for: .milliseconds(1)) }
        }
        #expect(events == ["read", "other", "read", "other"])
        timer.close()
        other.close()
    }

    func timers() async {
        let due = Loop.time.now + .milliseconds(5)
        let timers = (0..<Self.count).map { _ in LoopTimer { [self] in work() } }
        for timer in timers { timer.schedule(at: due) }
        while turns.count < Self.count { try? await Loop.sleep(for: .milliseconds(1)) }
        check()
        for timer in timers { timer.close() }
    }

    private func pairs() async -> [StreamPair] {
        var pairs: [StreamPair] = []
        do {
            for _ in 0..<Self.count { pairs.append(try await StreamPair(.unix)) }
        } catch {
            Issue.record(error)
        }
        return pairs
    }

    func streams(ending isEnding: Bool) async {
        let pairs = await pairs()
        for pair in pairs {
            pair.server.stream.stopReading()
            pair.server.stream.onRead = { [self] _ in work() }
            pair.server.stream.onEnd = { [self] _ in if isEnding { work() } }
            if isEnding { pair.client.stream.close() } else { pair.client.stream.write([1]) }
        }
        // What was written or ended waits in the kernel, so that all of it is there at once.
        for _ in 0..<10 { await Task.yield() }
        try? await Loop.sleep(for: .milliseconds(2))
        #expect(turns.isEmpty)
        for pair in pairs { pair.server.stream.startReading() }
        while turns.count < Self.count { await Task.yield() }
        check()
    }

    func sending() async {
        let pairs = await pairs()
        await use(Stepping(step: .milliseconds(10)))
        let before = Loop.lag.count
        for pair in pairs { pair.client.stream.write([1]) }
        #expect(Loop.lag.count == before)
        for pair in pairs { await pair.server.wait { !$0.received.isEmpty } }
        // Every stream has its bytes, and the turns that it took are as many as there are streams.
        #expect(Loop.lag.count >= before + UInt64(Self.count) - 1)
    }

    func finishing() async {
        let pairs = await pairs()
        await use(Stepping(step: .milliseconds(10)))
        let (asking, other, answering) = (pairs[0], pairs[1], pairs[2])
        // What is written while reading is sent in the same turn, as far as there is time, and timers follow.
        asking.server.stream.onRead = { _ in
            other.server.stream.write([1])
            answering.server.stream.write([2])
            answering.server.stream.finish(within: .zero)
            let late = Loop.time.now + .milliseconds(2)
            while Loop.time.now < late {}
        }
        asking.client.stream.write([0])
        await answering.client.wait { !$0.ends.isEmpty }
        #expect(answering.client.received == [2])
        #expect(answering.client.ends == [.endOfInput])
    }
}

/// A clock that moves whenever it is looked at.
private final class Stepping: TimeSource {
    private let time = ManualTime()
    private let step: Duration

    init(step: Duration) {
        self.step = step
    }

    var now: Instant {
        time.advance(by: step)
        return time.now
    }

    var wall: WallTime { time.wall }
}
