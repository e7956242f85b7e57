import DDSCore
import DDSLock
import DDSLoop
import Foundation
import Testing

@Suite(.timeLimit(.minutes(5))) struct WriterThreadTests {
    /// Not Sendable: only the writer's thread may touch it.
    private final class Ledger {
        var batches: [[Int]] = []
        let thread = pthread_self()
        let onDrop: @Sendable (Bool) -> Void

        init(onDrop: @escaping @Sendable (Bool) -> Void = { _ in }) {
            self.onDrop = onDrop
        }

        deinit {
            onDrop(pthread_equal(thread, pthread_self()) != 0)
        }
    }

    private enum Job: Sendable {
        case number(Int)
        /// Waits until the test lets go, so that jobs pile up behind it.
        case block(taken: CheckedContinuation<Void, Never>, until: DispatchSemaphore)
        case report(CheckedContinuation<[[Int]], Never>)
    }

    private static func perform(_ ledger: inout Ledger, _ jobs: [Job]) {
        #expect(!jobs.isEmpty)
        #expect(pthread_equal(ledger.thread, pthread_self()) != 0)
        ledger.batches.append(jobs.compactMap { if case .number(let number) = $0 { number } else { nil } })
        for job in jobs {
            switch job {
            case .number: break
            case .block(let taken, let gate):
                taken.resume()
                gate.wait()
            case .report(let continuation): continuation.resume(returning: ledger.batches)
            }
        }
    }

    @Test func whatArrivesDuringABatch_isTheNextBatch() async throws {
        let writer = try await WriterThread<Ledger, Job>.start(
            name: "test-writer", makeState: { Ledger() }, perform: { Self.perform(&$0, $1) })
        let gate = DispatchSemaphore(value: 0)
        await withCheckedContinuation { writer.submit(.block(taken: $0, until: gate)) }
        for number in 0..<100 { writer.submit(.number(number)) }
        gate.signal()
        let batches = await withCheckedContinuation { writer.submit(.report($0)) }
        #expect(batches.prefix(2) == [[], Array(0..<100)])
        await writer.stop()
    }

    @Test func behindALargeBatch_asManyAreGathered() async throws {
        let writer = try await WriterThread<Ledger, Job>.start(
            name: "test-writer", gathering: .seconds(2), makeState: { Ledger() }, perform: { Self.perform(&$0, $1) })
        let first = DispatchSemaphore(value: 0)
        let second = DispatchSemaphore(value: 0)
        await withCheckedContinuation { writer.submit(.block(taken: $0, until: first)) }
        for number in 1..<WriterThread<Ledger, Job>.gatheredMin { writer.submit(.number(number)) }
        await withCheckedContinuation { taken in
            writer.submit(.block(taken: taken, until: second))
            first.signal()
        }
        second.signal()
        for number in 8..<15 {
            writer.submit(.number(number))
            await Task.yield()
        }
        let batches = await withCheckedContinuation { writer.submit(.report($0)) }
        #expect(batches == [[], Array(1..<8), Array(8..<15)])
        await writer.stop()
    }

    @Test func jobsOfManyThreads_areAllPerformed() async throws {
        let writer = try await WriterThread<Ledger, Job>.start(
            name: "test-writer", makeState: { Ledger() }, perform: { Self.perform(&$0, $1) })
        await withTaskGroup(of: Void.self) { group in
            for task in 0..<4 {
                group.addTask { for number in 0..<500 { writer.submit(.number(task * 500 + number)) } }
            }
        }
        let batches = await withCheckedContinuation { writer.submit(.report($0)) }
        #expect(batches.flatMap { $0 }.sorted() == Array(0..<2000))
        await writer.stop()
    }

    @Test func stop_performsWhatIsQueuedAndDropsTheStateOnItsThread() async throws {
        let counts = Counts()
        let writer = try await WriterThread<Ledger, Job>.start(
            name: "test-writer", makeState: { Ledger(onDrop: { counts.dropped($0) }) },
            perform: { ledger, jobs in
                Self.perform(&ledger, jobs)
                counts.performed(jobs.count)
            })
        for number in 0..<10 { writer.submit(.number(number)) }
        await writer.stop()
        #expect(counts.value == [10, 1, 0])
        #expect(!writer.submit(.number(11)))
        await writer.stop()
        #expect(counts.value == [10, 1, 0])
    }

    private final class Counts: Sendable {
        /// Jobs performed, states dropped on their thread, states dropped elsewhere.
        private let counts = Lock([0, 0, 0])

        var value: [Int] { counts.withLock { $0 } }

        func performed(_ number: Int) { counts.withLock { $0[0] += number } }
        func dropped(_ isOnItsThread: Bool) { counts.withLock { $0[isOnItsThread ? 1 : 2] += 1 } }
    }

    @Test func failureToMakeTheState_isThrownByStart() async {
        await #expect(throws: Failure(.cannotCreate, "no state")) {
            _ = try await WriterThread<Ledger, Job>.start(
                name: "test-writer", makeState: { throw Failure(.cannotCreate, "no state") }, perform: { _, _ in })
        }
    }

    @Test func idle_isCalledWithAnEmptyQueueAndAgainAfterItsPause() async throws {
        let (calls, continuation) = AsyncStream.makeStream(of: Int.self)
        let writer = try await WriterThread<Int, Job>.start(
            name: "test-writer", makeState: { 0 }, perform: { state, _ in state = 100 },
            idle: { state in
                state += 1
                continuation.yield(state)
                return state < 3 ? .milliseconds(1) : nil
            })
        var iterator = calls.makeAsyncIterator()
        for expected in 1...3 { #expect(await iterator.next() == expected) }
        // Nil: not again before the next job.
        writer.submit(.number(1))
        #expect(await iterator.next() == 101)
        await writer.stop()
    }
}
