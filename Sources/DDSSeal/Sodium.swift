// The start of libsodium and its random generator. What is done with random bytes is decided elsewhere.

import CSodium
import DDSCore

/// The library itself.
package enum Sodium {
    private static let isStarted = sodium_init() >= 0

    /// Chooses the fast implementations of this processor and opens the random generator. Everything here that needs it calls
    /// it first; calling it again costs nothing. Traps when the system has no source of randomness.
    package static func start() {
        precondition(isStarted, "libsodium cannot start: the system has no source of randomness")
    }
}

/// The program's random generator (`randombytes_buf`, which is getrandom(2) on Linux).
package struct SystemRandom: RandomSource {
    package init() {
        Sodium.start()
    }

    package func bytes(_ count: Int) -> [UInt8] {
        // Not of no capacity: see AgeArmorEncoder.append.
        unsafe [UInt8](unsafeUninitializedCapacity: max(1, count)) { buffer, initialized in
            if let base = buffer.baseAddress { unsafe randombytes_buf(base, count) }
            initialized = count
        }
    }
}
