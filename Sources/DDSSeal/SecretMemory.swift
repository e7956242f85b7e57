// How much memory holds secrets, and how much of it the system did not lock. libsodium stays silent when mlock(2) fails (its
// issue 1237), so every region is asked for a second time here, and what was refused is counted.

import CSodium
import DDSLock

package enum SecretMemory {
    /// Octets that hold secrets, or are kept ready for them.
    package struct Figures: Hashable, Sendable {
        package var held = 0
        /// Those of them that can reach swap.
        package var unlocked = 0

        package init(held: Int = 0, unlocked: Int = 0) {
            self.held = held
            self.unlocked = unlocked
        }

        /// Nil when everything is locked; else a sentence that names the remedy.
        package var warning: String? {
            guard unlocked > 0 else { return nil }
            return
                "\(unlocked) of \(held) octets of keys can reach swap: the limit of locked memory is reached. Raise it (ulimit -l, "
                + "or LimitMEMLOCK=64M in the unit), or run without swap"
        }
    }

    private static let tally = Lock(Figures())

    package static var figures: Figures { tally.withLock { $0 } }

    /// Nil when memory can be locked now; else the sentence of `Figures`.
    package static func probe() -> String? {
        let probe = unsafe SecretBytes(count: 4096) { _ in }
        return withExtendedLifetime(probe) { figures.warning }
    }

    /// Counts a region that libsodium has made; true when the system keeps it out of swap. Locking what is locked costs a
    /// system call and changes nothing.
    static func took(_ region: UnsafeMutableRawPointer, _ count: Int) -> Bool {
        let isLocked = unsafe count == 0 || sodium_mlock(region, count) == 0
        tally.withLock { tally in
            tally.held += count
            if !isLocked { tally.unlocked += count }
        }
        return isLocked
    }

    static func gave(_ count: Int, wasLocked: Bool) {
        tally.withLock { tally in
            tally.held -= count
            if !wasLocked { tally.unlocked -= count }
        }
    }
}
