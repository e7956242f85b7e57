// How much a passphrase costs to try: chosen by measuring on the machine where it is made. Whoever measures brings the clock.

/// The work factor of a passphrase file: scrypt takes 2 to the power of it in KiB of memory, and time in proportion.
package enum WorkFactor {
    /// Less is chosen on no machine, however slow.
    package static let minimum = 17
    /// More is neither chosen nor accepted of a file (stock age has the same limit).
    package static let maximum = 22

    /// The work factor that comes nearest to a second, within the limits and a quarter of `memoryBytes`. `spend` tries once with
    /// a factor and says how long it took, or nil when memory was short; it is called with small factors, for a second at most.
    package static func measured(memoryBytes: Int, spend: (Int) -> Duration?) -> Int {
        var chosen = minimum
        for probe in 14...minimum {
            guard let took = spend(probe), took > .zero else { break }
            // Short measurements say little of long ones.
            if took < .milliseconds(100), probe < minimum { continue }
            // Nearest on the scale of doublings: half a doubling above a second is 1.41.
            while chosen < maximum, took * (1 << (chosen + 1 - probe)) <= .milliseconds(1414) { chosen += 1 }
            break
        }
        while chosen > minimum, memoryBytes >> 2 < 1 << (chosen + 10) { chosen -= 1 }
        return chosen
    }
}
