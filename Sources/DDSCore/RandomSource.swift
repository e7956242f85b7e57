// Randomness is a parameter: libsodium's generator in the program, a seeded one in tests.

/// A source of random bytes. Keys, ids and nonces come from the one that DDSSeal provides; tests hand in a seeded one.
package protocol RandomSource: Sendable {
    /// `count` random bytes.
    func bytes(_ count: Int) -> [UInt8]
}

extension RandomSource {
    /// A uniformly random 64-bit number.
    package func number() -> UInt64 {
        bytes(8).reduce(0) { $0 << 8 | UInt64($1) }
    }
}
