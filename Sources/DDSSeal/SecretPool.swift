// Locked memory for keys that live as long as one message: small slots in shared regions. Pages of their own would cost such
// keys a dozen system calls each, which is more than the cryptography that they are for.

import CSodium
import DDSLock

/// Slots of 64 bytes in regions of libsodium's: locked, left out of core dumps and between guard pages as `SecretBytes` is, but
/// writable, and shared. A slot is overwritten when it is given back; regions are kept for the next message.
@safe
final class SecretPool: Sendable {
    static let shared = SecretPool()
    static let slotBytes = 64
    private static let slotsPerRegion = 256

    /// Addresses of slots that nobody has.
    private let free = Lock<[UInt]>([])

    /// Memory of `slotBytes` zeroes.
    func take() -> UnsafeMutableRawPointer {
        let address = free.withLock { free in
            if free.isEmpty { free = Self.makeRegion() }
            return free.removeLast()
        }
        guard let slot = unsafe UnsafeMutableRawPointer(bitPattern: address) else {
            preconditionFailure("slots have addresses")
        }
        return unsafe slot
    }

    func giveBack(_ slot: UnsafeMutableRawPointer) {
        unsafe sodium_memzero(slot, Self.slotBytes)
        let address = UInt(bitPattern: slot)
        free.withLock { $0.append(address) }
    }

    private static func makeRegion() -> [UInt] {
        Sodium.start()
        guard let region = unsafe sodium_malloc(slotsPerRegion * slotBytes) else {
            preconditionFailure("out of memory for keys")
        }
        // Regions are never given back.
        _ = unsafe SecretMemory.took(region, slotsPerRegion * slotBytes)
        unsafe region.initializeMemory(as: UInt8.self, repeating: 0, count: slotsPerRegion * slotBytes)
        return (0..<slotsPerRegion).map { unsafe UInt(bitPattern: region + $0 * slotBytes) }
    }
}
