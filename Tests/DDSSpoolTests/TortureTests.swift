// The shipped simulator, shorter than people run it: the sweep, some thousand schedules, and that it finds what it should.

import DDSTorture
import Foundation
import Testing

@Suite struct TortureTests {
    /// Random villages; `DDSNODE_RUNS` makes the search longer.
    private static let runs = UInt64(ProcessInfo.processInfo.environment["DDSNODE_RUNS"] ?? "") ?? 250

    @Test func sweep_keepsEveryPromise() throws {
        var torture = Torture()
        let places = try torture.sweepSeeds()
        #expect(places.count > 1000)
        for place in places { try torture.run(seed: place) }
        #expect(torture.summary.schedules == places.count)
        let counts = torture.summary.counts
        #expect(counts.crashes > places.count * 4)
        // Each chapter does what it is there for, wherever its place is.
        #expect(counts.resent > places.count / 10 && counts.held > places.count / 3 && counts.expired > places.count / 40)
        #expect(counts.moved > places.count && counts.rotations > places.count / 20 && counts.told > places.count)
    }

    @Test func randomLives_keepEveryPromise() throws {
        var torture = Torture()
        for seed in 1...Self.runs { try torture.run(seed: seed) }
        let counts = torture.summary.counts
        #expect(torture.summary.schedules >= Int(Self.runs) * 4)
        #expect(counts.accepted > 0 && counts.fetched > 0 && counts.confirmed > 0 && counts.cuts > 0 && counts.faults > 0)
        #expect(counts.resent > 0 && counts.held > 0 && counts.expired > 0 && counts.told > 0)
        #expect(counts.moved > 0 && counts.rotations > 0)
    }

    /// Where the search for rare ones begins, so that it is short; it goes on from there when schedules have changed.
    private static let shortcuts: [Sabotage: UInt64] = [
        .forgetsWhatWasSeen: 215, .leavesImportsUnfinished: 172, .removesSummaryFirst: 678,
    ]

    @Test(arguments: Sabotage.allCases) func sabotage_isFound(_ sabotage: Sabotage) {
        var torture = Torture(sabotage: sabotage)
        let first = Self.shortcuts[sabotage] ?? 1
        for seed in first...first + 1000 {
            do throws(TortureFailure) {
                try torture.run(seed: seed)
            } catch {
                #expect(error.seed == seed)
                #expect(torture.summary.lost + torture.summary.doubled + torture.summary.otherwise == 1)
                return
            }
        }
        Issue.record("\(sabotage) was not found in \(torture.summary.schedules) schedules")
    }

    @Test func aSeed_givesTheSameRun() throws {
        var first = Torture()
        var second = Torture()
        for seed in UInt64(1)...60 {
            try first.run(seed: seed)
            try second.run(seed: seed)
        }
        #expect(first.summary == second.summary)
    }
}
