// The driver of `ddsnode spool torture`: schedules by number, each a village with its lives, and the sum of what happened. A
// number stands for the same schedule for as long as this program is the same.

import DDSCore
import DDSSpool

/// What all schedules so far came to.
package struct TortureSummary: Hashable, Sendable {
    /// Villages that were begun.
    package var runs = 0
    /// Lives that ended in a crash, a recovery and a check of every promise.
    package var schedules = 0
    package var counts = VillageCounts()
    package var lost = 0
    package var doubled = 0
    /// Promises broken in another way.
    package var otherwise = 0

    package init() {}
}

/// A schedule that broke a promise.
package struct TortureFailure: Error, Hashable, Sendable {
    package var seed: UInt64
    package var promise: BrokenPromise
}

package struct Torture {
    /// A village has some lives, so that what an earlier one leaves is there in the next.
    private static let livesMin = 12
    private static let livesMax = 28
    private static let members = 3
    private static let groups = [[0, 1, 2], [0, 1]]

    package private(set) var summary = TortureSummary()
    private let sabotage: Sabotage?
    /// Told step by step what happens.
    package var trace: ((String) -> Void)?

    package init(sabotage: Sabotage? = nil) {
        self.sabotage = sabotage
    }

    /// Runs the schedule that `seed` stands for.
    package mutating func run(seed: UInt64) throws(TortureFailure) {
        summary.runs += 1
        let village = village(seed)
        defer { village.abandon() }
        village.trace = trace
        do throws(BrokenPromise) {
            if let place = TortureSweep.Place(seed: seed) {
                try TortureSweep.play(place, in: village, &summary.schedules)
            } else {
                try live(seed, in: village)
            }
            summary.counts.add(village.collectCounts())
        } catch {
            summary.counts.add(village.collectCounts())
            switch error.kind {
            case .lost: summary.lost += 1
            case .doubled: summary.doubled += 1
            case .left, .garbage, .other: summary.otherwise += 1
            }
            throw TortureFailure(seed: seed, promise: error)
        }
    }

    private func village(_ seed: UInt64) -> Village {
        Village(seed: seed, members: Self.members, groups: Self.groups, sabotage: sabotage)
    }

    private mutating func live(_ seed: UInt64, in village: Village) throws(BrokenPromise) {
        let random = SeededRandom(seed: seed)
        let life = TortureLife(random: random, members: Self.members, groups: Self.groups.count)
        try village.begin()
        for _ in 0..<Self.livesMin + random.below(Self.livesMax - Self.livesMin + 1) {
            let (victim, fault) = life.misfortune()
            let crashes = village.crashes(of: victim)
            village.machine(victim).arm(fault)
            trace?("next for \(victim): \(fault.map { "\($0)" } ?? "nothing")")
            for step in life.steps() { try village.perform(step) }
            village.machine(victim).arm(nil)
            if village.crashes(of: victim) == crashes {
                try village.crash(victim, again: random.below(4) == 0 ? .stop(at: 1 + random.below(20)) : nil)
            }
            summary.schedules += 1
        }
        if random.below(6) == 0 {
            try village.damage(random)
            summary.schedules += 1
        } else {
            try village.finish()
        }
    }

    /// How many places the sweep has; their schedules have the numbers of `sweepSeeds`.
    package func sweepSeeds() throws(TortureFailure) -> [UInt64] {
        do throws(BrokenPromise) {
            var seeds: [UInt64] = []
            for chapter in TortureSweep.Chapter.allCases {
                seeds += try TortureSweep.places(of: chapter, in: village(chapter.rawValue)).map(\.seed)
            }
            return seeds
        } catch {
            throw TortureFailure(seed: 0, promise: error)
        }
    }
}
