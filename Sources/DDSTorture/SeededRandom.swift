// Reproducible randomness: the same seed gives the same run.

import DDSCore
import DDSLock

/// SplitMix64 as a `RandomSource` and as Swift's `RandomNumberGenerator`. For tests only.
package final class SeededRandom: RandomSource {
    private let state: Lock<UInt64>

    package init(seed: UInt64) {
        state = Lock(seed)
    }

    package func next() -> UInt64 {
        state.withLock {
            $0 &+= 0x9E37_79B9_7F4A_7C15
            var mixed = $0
            mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
            mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
            return mixed ^ (mixed >> 31)
        }
    }

    /// A number below `bound`.
    package func below(_ bound: Int) -> Int {
        Int(next() % UInt64(bound))
    }

    package func bytes(_ count: Int) -> [UInt8] {
        (0..<count).map { _ in UInt8(truncatingIfNeeded: next() >> 32) }
    }
}
