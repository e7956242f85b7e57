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
        unsafe [UInt8](filling: count) { buffer, initialized in
            if let base = buffer.baseAddress { unsafe randombytes_buf(base, count) }
            initialized = count
        }
    }
}

extension [UInt8] {
    /// `init(unsafeUninitializedCapacity:)` for a count that may be 0: an array of no capacity is the one that all threads share, and
    /// the standard library would write its count, which ThreadSanitizer reports.
    @unsafe init(filling count: Int, _ fill: (inout UnsafeMutableBufferPointer<UInt8>, inout Int) -> Void) {
        unsafe self.init(unsafeUninitializedCapacity: Swift.max(1, count), initializingWith: fill)
    }
}
