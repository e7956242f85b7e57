// `spool torture`: proves the store's contract on simulated machines. It needs no configuration and touches no file.

import ArgumentParser
import DDSCore
import DDSLoop
import DDSNode
import DDSTorture
import Glibc

struct TortureCommand: NodeCommand {
    static let configuration = CommandConfiguration(
        commandName: "torture", abstract: "Break simulated disks and connections, and look for lost, doubled or unerased mail.",
        discussion: """
            First every place of a fixed story where a disk or a connection can fail, then random lives for as long as
            --runs or --time say. Nothing on this machine is touched.
            """)

    @Option(help: ArgumentHelp("Begin with this schedule, and leave out the fixed story.", valueName: "number"))
    var seed: UInt64?
    @Option(help: ArgumentHelp("Run this many random schedules.", valueName: "number")) var runs: UInt64?
    @Option(help: ArgumentHelp("Go on for so long, such as 60s, 10m or 8h.", valueName: "duration")) var time: String?
    @OptionGroup(title: "Global options") var globals: GlobalOptions

    /// What a person waits for when neither --runs nor --time is given.
    private static let standardTime = Duration.seconds(60)

    func perform(_ context: Context) async throws(Failure) -> Int32 {
        var work = TortureWork(limit: try limit(), first: seed ?? 1, isSweeping: seed == nil)
        let progress = TortureProgress(isShown: isatty(2) == 1 && !globals.json && !globals.quiet && !globals.verbose)
        if globals.verbose { work.torture.trace = { Output.write("\($0)\n", to: 2) } }
        var failure: TortureFailure?
        do throws(TortureFailure) {
            try work.prepare()
            while let number = work.next(at: Loop.time.now) {
                try work.torture.run(seed: number)
                progress.show(work, at: Loop.time.now)
            }
        } catch {
            failure = error
        }
        progress.clear()
        let replay = failure.map { "ddsnode spool torture --seed \($0.seed) --runs 1" }
        context.output.result(Self.json(work, failure, replay)) { Self.words(work, context.output) }
        guard let failure, let replay else { return 0 }
        context.output.complain("a promise was broken: \(failure.promise)\nreplay it with: \(replay)")
        return 1
    }

    private func limit() throws(Failure) -> TortureLimit {
        guard let runs else { return .time(try duration()) }
        if time == nil { return .runs(runs) }
        return .both(runs, try duration())
    }

    private func duration() throws(Failure) -> Duration {
        guard let time else { return Self.standardTime }
        let units: [Character: Int] = ["s": 1, "m": 60, "h": 3600]
        guard let unit = time.last.flatMap({ units[$0] }), let number = Int(time.dropLast()), (1...1_000_000).contains(number)
        else {
            throw Failure(.usage, "--time \(SafeWord.text(time)): say a number and a unit, such as 60s, 10m or 8h")
        }
        return .seconds(number * unit)
    }

    // MARK: The summary

    private static func json(_ work: TortureWork, _ failure: TortureFailure?, _ replay: String?) -> JSONValue {
        let summary = work.torture.summary
        let counts = summary.counts
        var fields: [String: JSONValue] = [
            "v": 1, "sweep_places": .number(Int64(work.sweepCount)), "sweep_done": .number(Int64(work.sweepDone)),
            "runs": .number(Int64(summary.runs)), "schedules": .number(Int64(summary.schedules)),
            "crashes": .number(Int64(counts.crashes)), "faults": .number(Int64(counts.faults)),
            "connections_cut": .number(Int64(counts.cuts)), "operations": .number(Int64(counts.operations)),
            "accepted": .number(Int64(counts.accepted)), "fetched": .number(Int64(counts.fetched)),
            "erased": .number(Int64(counts.confirmed)), "resent": .number(Int64(counts.resent)),
            "held": .number(Int64(counts.held)), "expired": .number(Int64(counts.expired)), "told": .number(Int64(counts.told)),
            "moved": .number(Int64(counts.moved)), "roots": .number(Int64(counts.rotations)),
            "lost": .number(Int64(summary.lost)),
            "doubled": .number(Int64(summary.doubled)), "broken_otherwise": .number(Int64(summary.otherwise)),
        ]
        if let failure {
            fields["broken"] = .text(failure.promise.description)
            fields["kind"] = .text(failure.promise.kind.rawValue)
        }
        if let replay { fields["replay"] = .text(replay) }
        return .object(fields)
    }

    private static func sweepWords(_ work: TortureWork) -> String {
        guard work.sweepCount > 0 else { return "" }
        return "\(work.sweepDone) of the \(work.sweepCount) places of the fixed story"
    }

    @LoopActor private static func words(_ work: TortureWork, _ output: Output) -> String {
        let summary = work.torture.summary
        let counts = summary.counts
        let isWhole = summary.lost + summary.doubled + summary.otherwise == 0
        return output.table([
            ["runs", "\(summary.runs)", sweepWords(work)],
            ["schedules", "\(summary.schedules)", "each ended in a crash, a recovery and a check"],
            ["crashes", "\(counts.crashes)", ""],
            ["faults injected", "\(counts.faults)", "\(counts.cuts) of them broken connections"],
            ["disk operations", "\(counts.operations)", ""],
            ["messages accepted", "\(counts.accepted)", "\(counts.refused) refused for want of space"],
            ["copies fetched", "\(counts.fetched)", "\(counts.confirmed) erased at the node"],
            ["copies held", "\(counts.held)", "and handed on later"],
            ["copies expired", "\(counts.expired)", "their readers were told"],
            ["states told", "\(counts.told)", "to authors, of a copy each"],
            ["records moved", "\(counts.moved)", "by compaction; \(counts.rotations) changes of the root"],
            ["lost", "\(summary.lost)", ""],
            ["doubled", "\(summary.doubled)", ""],
            ["broken otherwise", "\(summary.otherwise)", ""],
        ]) + (isWhole ? "every promise was kept\n" : "")
    }
}

/// When to stop.
enum TortureLimit: Hashable, Sendable {
    case runs(UInt64)
    case time(Duration)
    case both(UInt64, Duration)
}

/// Which schedule is next.
struct TortureWork {
    var torture = Torture()
    private let limit: TortureLimit
    private let isSweeping: Bool
    private var sweep: [UInt64] = []
    private var nextSeed: UInt64
    private let firstSeed: UInt64
    private let start = Loop.time.now
    private(set) var sweepCount = 0

    init(limit: TortureLimit, first: UInt64, isSweeping: Bool) {
        self.limit = limit
        self.isSweeping = isSweeping
        nextSeed = first
        firstSeed = first
    }

    /// Finds the places of the fixed story.
    mutating func prepare() throws(TortureFailure) {
        guard isSweeping else { return }
        sweep = try torture.sweepSeeds().reversed()
        sweepCount = sweep.count
    }

    /// Time is time, also for the fixed story; a number of runs is one of random ones.
    mutating func next(at now: Instant) -> UInt64? {
        if !isTimeOver(at: now), let place = sweep.popLast() { return place }
        guard fraction(at: now) < 1 else { return nil }
        defer { nextSeed &+= 1 }
        return nextSeed
    }

    private func isTimeOver(at now: Instant) -> Bool {
        switch limit {
        case .runs: false
        case .time, .both: fraction(at: now) >= 1
        }
    }

    /// How much of the random part is done.
    func fraction(at now: Instant) -> Double {
        func part(_ duration: Duration) -> Double { Double((now - start).nanoseconds) / Double(max(1, duration.nanoseconds)) }
        func part(_ runs: UInt64) -> Double { runs == 0 ? 1 : Double(nextSeed &- firstSeed) / Double(runs) }
        return switch limit {
        case .runs(let runs): part(runs)
        case .time(let duration): part(duration)
        case .both(let runs, let duration): max(part(runs), part(duration))
        }
    }

    /// The same for people: the fixed story counts too.
    func overall(at now: Instant) -> Double {
        guard sweepCount > 0, !sweep.isEmpty else { return min(1, fraction(at: now)) }
        return Double(sweepDone) / Double(sweepCount)
    }

    /// Places of the fixed story that were seen to.
    var sweepDone: Int { sweepCount - sweep.count }

    var stage: String { sweep.isEmpty ? "random" : "fixed story" }
}

/// One line on a terminal that is written over.
@LoopActor final class TortureProgress {
    private static var width: Int { 30 }
    private let isShown: Bool
    private var last: Instant?

    init(isShown: Bool) { self.isShown = isShown }

    func show(_ work: TortureWork, at now: Instant) {
        guard isShown, last.map({ now - $0 >= .milliseconds(100) }) ?? true else { return }
        last = now
        let done = Int(work.overall(at: now) * Double(Self.width))
        let bar = String(repeating: "#", count: done) + String(repeating: ".", count: Self.width - done)
        let summary = work.torture.summary
        Output.write("\r[\(bar)] \(work.stage): \(summary.schedules) schedules, \(summary.counts.faults) faults\u{1b}[K", to: 2)
    }

    func clear() {
        if last != nil { Output.write("\r\u{1b}[K", to: 2) }
    }
}
