// That a lock keeps threads apart, and that a wait on it ends. The tests are here because threads are.

import DDSCore
import DDSLock
import Foundation
import Testing

@testable import DDSLoop

@Suite(.timeLimit(.minutes(5))) struct LockTests {
    @Test func changesOfManyThreads_areAllThere() {
        let sum = Lock(0)
        let threads = 4
        let ended = Lock(0)
        for _ in 0..<threads {
            Thread.start(name: "lock-test") {
                for _ in 0..<10_000 { sum.withLock { $0 += 1 } }
                ended.withLock {
                    $0 += 1
                    ended.signal()
                }
            }
        }
        ended.withLock(waitingAtMost: nil, while: { $0 < threads }, then: { #expect($0 == threads) })
        #expect(sum.withLock { $0 } == threads * 10_000)
    }

    @Test func aWaitWithoutASignal_endsWithItsTime_andNotBefore() {
        let lock = Lock(0)
        let start = SystemTime().now
        lock.withLock(waitingAtMost: .milliseconds(1_001), while: { $0 == 0 }, then: { $0 = 1 })
        #expect(SystemTime().now - start >= .milliseconds(1_001))
        #expect(lock.withLock { $0 } == 1)
    }

    @Test(arguments: [Duration.zero, .seconds(-1)]) func whoHasNoTime_doesNotWait(pause: Duration) {
        let lock = Lock(0)
        lock.withLock(waitingAtMost: pause, while: { _ in true }, then: { $0 = 1 })
        #expect(lock.withLock { $0 } == 1)
    }
}
