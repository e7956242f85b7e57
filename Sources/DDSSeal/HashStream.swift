// BLAKE2b of what comes in pieces. What is hashed is decided by callers; whole byte strings are Hash's.

import CSodium

/// BLAKE2b (RFC 7693) without a key. Two copies are one stream.
package struct HashStream {
    private let state: State
    private let count: Int

    /// The hash will have `count` bytes, 16 through 64.
    package init(count: Int = 32) {
        precondition((16...64).contains(count), "BLAKE2b gives 16 through 64 bytes here")
        Sodium.start()
        self.count = count
        state = State()
        let status = unsafe crypto_generichash_init(OpaquePointer(state.memory), nil, 0, count)
        precondition(status == 0, "BLAKE2b cannot fail within these lengths")
    }

    package mutating func update(_ bytes: [UInt8]) {
        guard !bytes.isEmpty else { return }
        let status = unsafe crypto_generichash_update(OpaquePointer(state.memory), bytes, UInt64(bytes.count))
        precondition(status == 0, "nothing is hashed behind the end")
    }

    /// The hash of all that was fed; nothing may be fed afterwards.
    package mutating func finish() -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: count)
        let status = unsafe crypto_generichash_final(OpaquePointer(state.memory), &digest, count)
        precondition(status == 0, "a stream of octets ends once")
        return digest
    }

    /// libsodium's state, which is aligned more than Swift's values can be.
    @safe private final class State {
        let memory: UnsafeMutableRawPointer

        init() { unsafe memory = .allocate(byteCount: crypto_generichash_statebytes(), alignment: 64) }

        deinit {
            // A piece of the input may be in it.
            unsafe sodium_memzero(memory, crypto_generichash_statebytes())
            unsafe memory.deallocate()
        }
    }
}
