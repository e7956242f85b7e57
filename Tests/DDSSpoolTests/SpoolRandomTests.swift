// Random schedules over several lives of a spool. A failure names its seed; DDSNODE_SEED replays one.

import DDSCore
import DDSSpool
import DDSTestKit
import Foundation
import Testing

@Suite struct SpoolRandomTests {
    /// One seed from the environment, or the first `DDSNODE_RUNS` (by default a few hundred).
    private static let seeds: ClosedRange<UInt64> = {
        let environment = ProcessInfo.processInfo.environment
        if let seed = environment["DDSNODE_SEED"].flatMap({ UInt64($0) }) { return seed...seed }
        return 1...(environment["DDSNODE_RUNS"].flatMap { UInt64($0) } ?? 120)
    }()

    @Test func randomFaults_keepThePromises() {
        for seed in Self.seeds {
            #expect(throws: Never.self, "replay: DDSNODE_SEED=\(seed) swift test --filter SpoolRandomTests") { try live(seed) }
        }
    }

    private func live(_ seed: UInt64) throws {
        let random = SeededRandom(seed: seed)
        var run = try SpoolRun(seed: seed)
        if seed % 2 == 0 { run.zerosLate = random.below(4) }
        var script = SpoolScript(seed: seed &+ 1000)
        for _ in 0..<2 + random.below(4) {
            var faults = SimFaults()
            switch random.below(8) {
            case 0...3: faults.stopAt = 1 + random.below(60)
            case 4...5: faults.failAt = 1 + random.below(60)
            case 6: faults.fullFrom = 1 + random.below(60)
            default: faults.capacity = 40_000 + random.below(120_000)
            }
            run.arm(faults)
            script.steps = []
            script.addRandomSteps(10 + random.below(15))
            _ = try run.play(script.steps)
            if faults.failAt != nil, random.below(2) == 0 {
                run.restart()
                if random.below(2) == 0 { try run.verify() }
            }
            run.crash()
            try run.verify()
        }
        try run.verifyErased()
    }
}
