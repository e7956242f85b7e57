import DDSLoop
import Foundation
import Synchronization
import Testing

@Suite struct ExecutorTests {
    @Test @LoopActor func isolatedTest_runsOnTheLoopsThread() {
        #expect(Loop.main.isOnLoopThread)
    }

    @Test @LoopActor func spawnedTasks_runInOrderAndNotAtOnce() async {
        var order: [Int] = []
        let log = Log()
        var tasks: [Task<Void, Never>] = []
        for number in 0..<1000 { tasks.append(Loop.spawn { log.numbers.append(number) }) }
        order = log.numbers
        #expect(order.isEmpty)
        for task in tasks { await task.value }
        #expect(log.numbers == Array(0..<1000))
    }

    @Test func jobsFromAnotherThread_runInOrder() async {
        let log = await Log()
        await withCheckedContinuation { continuation in
            Foundation.Thread.detachNewThread {
                for number in 0..<1000 { Loop.spawn { log.numbers.append(number) } }
                Loop.spawn { continuation.resume() }
            }
        }
        #expect(await log.numbers == Array(0..<1000))
    }

    @Test @LoopActor func resumptions_stayOnTheLoopsThread() async {
        let done = Log()
        let task = Loop.spawn {
            for _ in 0..<100 {
                await nonisolatedHelper()
                await withCheckedContinuation { $0.resume() }
                async let one = nonisolatedNumber()
                done.numbers.append(await one)
                await Task.yield()
            }
        }
        await task.value
        #expect(done.numbers == Array(repeating: 1, count: 100))
    }

    @Test @LoopActor func spawnImmediate_runsUpToTheFirstSuspension() async {
        let log = Log()
        let task = Loop.spawnImmediate {
            log.numbers.append(1)
            await Task.yield()
            log.numbers.append(3)
        }
        log.numbers.append(2)
        await task.value
        #expect(log.numbers == [1, 2, 3])
    }

    @Test @LoopActor func moreJobsThanOneTurnTakes_leaveRoomForTimers() async {
        let log = Log()
        let timer = LoopTimer { log.isOver = true }
        timer.schedule(at: Loop.time.now)
        let task = Loop.spawn {
            while !log.isOver { await Task.yield() }
        }
        await task.value
        timer.close()
        #expect(log.isOver)
    }

    @Test func callingIsolatedCodeFromAnotherThread_traps() async {
        await #expect(processExitsWith: .failure) {
            LoopActor.assumeIsolated {}
        }
    }

    @Test func run_returnsWhatTheRootReturns_andClosesWhatItLeft() async {
        await #expect(processExitsWith: .exitCode(7)) {
            let status = Loop.run {
                let timer = LoopTimer {}
                timer.schedule(at: Loop.time.now + .seconds(3600))
                _ = try? Listener.listen(on: .tcp(host: "127.0.0.1", port: 0)) { _ in }
                try? await Loop.sleep(for: .milliseconds(1))
                return 7
            }
            exit(status)
        }
    }

    @Test func runTwice_traps() async {
        await #expect(processExitsWith: .failure) {
            _ = Loop.run { 0 }
            _ = Loop.run { 0 }
        }
    }

    @Test func writingToAClosedPipe_doesNotKillTheProcess() async {
        await #expect(processExitsWith: .exitCode(3)) {
            exit(
                Loop.run {
                    raise(SIGPIPE)
                    return 3
                })
        }
    }
}

@LoopActor private final class Log {
    var numbers: [Int] = []
    var isOver = false
}

@concurrent private nonisolated func nonisolatedHelper() async {
    #expect(Loop.main.isOnLoopThread)
}

private nonisolated func nonisolatedNumber() async -> Int {
    Loop.main.isOnLoopThread ? 1 : 0
}
