// Mutations of bytes for tests that feed readers what nobody meant: deterministic, so that a seed replays one.

import DDSTorture
import Foundation

package enum Mutation {
    /// Seeds for a run: the one of `DDSNODE_SEED`, or the first `DDSNODE_RUNS`.
    static func seeds(_ environment: [String: String], standard: UInt64) -> ClosedRange<UInt64> {
        if let seed = environment["DDSNODE_SEED"].flatMap({ UInt64($0) }) { return seed...seed }
        return 1...max(1, environment["DDSNODE_RUNS"].flatMap { UInt64($0) } ?? standard)
    }

    /// One of `samples` with up to eight changes: bits, octets, pieces doubled, moved, dropped or taken from another sample.
    package static func mutated(_ samples: [[UInt8]], _ random: SeededRandom) -> [UInt8] {
        var bytes = samples[random.below(samples.count)]
        for _ in 0...random.below(8) { change(&bytes, samples, random) }
        return bytes
    }

    /// `bytes` in pieces of random sizes.
    package static func pieces(_ bytes: [UInt8], _ random: SeededRandom) -> [[UInt8]] {
        let most = [1, 7, 100, 70_000][random.below(4)]
        // Octet by octet only what is short, for time's sake.
        guard bytes.count < 4096 || most > 7 else { return [bytes] }
        var pieces: [[UInt8]] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            let piece = rest.prefix(1 + random.below(most))
            pieces.append(Array(piece))
            rest = rest.dropFirst(piece.count)
        }
        return pieces
    }

    private static func change(_ bytes: inout [UInt8], _ samples: [[UInt8]], _ random: SeededRandom) {
        guard !bytes.isEmpty else {
            bytes = random.bytes(1 + random.below(64))
            return
        }
        // Mostly near the beginning, where headers are.
        let place = random.below(random.below(3) == 0 ? bytes.count : min(bytes.count, 600))
        let end = min(bytes.count, place + 1 + random.below(64))
        switch random.below(8) {
        case 0: bytes[place] ^= 1 << UInt8(random.below(8))
        case 1: bytes[place] = [0x0a, 0x0d, 0x20, 0x2d, 0x3d, 0x00, 0xff, 0x3a][random.below(8)]
        case 2: bytes.insert(contentsOf: bytes[place..<end], at: place)
        case 3: bytes.removeSubrange(place..<end)
        case 4: bytes.removeSubrange(end...)
        case 5:
            let other = samples[random.below(samples.count)]
            let start = other.isEmpty ? 0 : random.below(other.count)
            bytes.insert(contentsOf: other[start...].prefix(random.below(200)), at: place)
        case 6: bytes.insert(contentsOf: random.bytes(random.below(32)), at: place)
        default: bytes.insert(contentsOf: Array(repeating: bytes[place], count: random.below(4000)), at: place)
        }
    }
}

/// Runs of a test under many seeds.
package enum MutationRun {
    /// Calls `body` with the randomness of each seed and with the words that replay it. A trap ends the process before anything can
    /// be said: the seed that a test is at lies in the folder `DDSNODE_FUZZ_MARK` meanwhile.
    package static func each(
        _ test: String, standard: UInt64 = 1500, _ body: (SeededRandom, _ replay: String) throws -> Void
    ) throws {
        let environment = ProcessInfo.processInfo.environment
        let mark = environment["DDSNODE_FUZZ_MARK"].map { $0 + "/" + test.replacing("/", with: ".") }
        for seed in Mutation.seeds(environment, standard: standard) {
            let replay = "replay: DDSNODE_SEED=\(seed) swift test --filter \(test)"
            if let mark { try Data((replay + "\n").utf8).write(to: URL(fileURLWithPath: mark)) }
            try body(SeededRandom(seed: seed), replay)
        }
        if let mark { try FileManager.default.removeItem(atPath: mark) }
    }
}
