// Locked memory for secrets: where they live, how they are compared, and how they leave. What they mean is not known here.

import CSodium

/// Bytes in memory of their own: kept out of swap and core dumps as far as the system allows, between guard pages, read-only
/// after `init`, overwritten when the last reference goes. A page table's worth of memory each, about 30 microseconds to make:
/// for keys and passphrases, not for messages. Prints as its length only.
@safe
package final class SecretBytes: @unchecked Sendable, CustomStringConvertible, CustomReflectable {
    // @unchecked: the memory is written only inside `init`, before anybody else has the object; afterwards all threads may
    // read. Pages of its own are then read-only to the processor itself (sodium_mprotect_readonly).
    private let base: UnsafeMutableRawPointer
    package let count: Int
    private let isPooled: Bool
    private let isLocked: Bool

    /// How long a secret is meant to live.
    package enum Life: Sendable {
        /// As long as the process or a session: pages of its own.
        case long
        /// As long as a message: up to 64 bytes of a shared region (`SecretPool`), which are not read-only and cost next to
        /// nothing to make. Longer ones get pages of their own all the same.
        case message
    }

    /// Memory of `count` bytes, filled by `fill`, which gets zeroes.
    init(count: Int, life: Life = .long, fill: (UnsafeMutableRawBufferPointer) -> Void) {
        isPooled = life == .message && count <= SecretPool.slotBytes
        if isPooled {
            unsafe base = SecretPool.shared.take()
            isLocked = true
            self.count = count
            unsafe fill(UnsafeMutableRawBufferPointer(start: base, count: count))
            return
        }
        Sodium.start()
        guard let memory = unsafe sodium_malloc(count) else { preconditionFailure("out of memory for a secret") }
        unsafe base = memory
        isLocked = unsafe SecretMemory.took(memory, count)
        self.count = count
        unsafe memory.initializeMemory(as: UInt8.self, repeating: 0, count: count)
        unsafe fill(UnsafeMutableRawBufferPointer(start: memory, count: count))
        unsafe sodium_mprotect_readonly(memory)
    }

    /// As above, or nil when `fill` returns false; what it had written is overwritten.
    convenience init?(count: Int, life: Life = .long, fillOrFail fill: (UnsafeMutableRawBufferPointer) -> Bool) {
        var isFilled = false
        unsafe self.init(count: count, life: life) { buffer in isFilled = unsafe fill(buffer) }
        if !isFilled { return nil }
    }

    /// Takes the content of `bytes` over and leaves zeroes in place of it.
    package convenience init(consuming bytes: inout [UInt8], life: Life = .long) {
        // Read in place: with a second reference to the storage, `Wipe.zero` would overwrite a copy of it.
        unsafe self.init(count: bytes.count, life: life) { buffer in
            unsafe bytes.withUnsafeBytes { unsafe buffer.copyMemory(from: $0) }
        }
        Wipe.zero(&bytes)
    }

    deinit {
        if isPooled { return unsafe SecretPool.shared.giveBack(base) }
        SecretMemory.gave(count, wasLocked: isLocked)
        unsafe sodium_free(base)
    }

    /// `count` random bytes from the system, which never were anywhere else.
    package static func random(_ count: Int) -> SecretBytes {
        unsafe SecretBytes(count: count) { buffer in
            if let base = buffer.baseAddress { unsafe randombytes_buf(base, count) }
        }
    }

    /// A new secret of the bytes `offset ..< offset + count`, which must exist.
    package func part(_ offset: Int, _ count: Int) -> SecretBytes {
        precondition(offset >= 0 && count >= 0 && offset + count <= self.count, "part of a secret outside of it")
        return unsafe SecretBytes(count: count) { buffer in
            unsafe buffer.copyMemory(from: UnsafeRawBufferPointer(start: base + offset, count: count))
        }
    }

    /// This secret followed by `other`, as a new one.
    package func appending(_ other: SecretBytes) -> SecretBytes {
        unsafe SecretBytes(count: count + other.count) { buffer in
            unsafe buffer.copyMemory(from: UnsafeRawBufferPointer(start: base, count: count))
            unsafe other.withBytes { tail in
                unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[count...]).copyMemory(from: tail)
            }
        }
    }

    /// Equality in a time that depends on the lengths only.
    package func isEqual(to other: SecretBytes) -> Bool {
        unsafe count == other.count && sodium_memcmp(base, other.base, count) == 0
    }

    /// As above, against bytes in the open.
    package func isEqual(to other: [UInt8]) -> Bool {
        unsafe count == other.count && sodium_memcmp(base, other, count) == 0
    }

    /// Hands a copy in ordinary memory to `body` and overwrites it afterwards. The cost: for that time the secret can reach
    /// swap, and if `body` keeps or changes the array, its copy is overwritten by nobody.
    package func withExposed<Result, Problem: Error>(_ body: ([UInt8]) throws(Problem) -> Result) throws(Problem) -> Result {
        var copy = unsafe [UInt8](UnsafeRawBufferPointer(start: base, count: count))
        defer { Wipe.zero(&copy) }
        return try body(copy)
    }

    /// The bytes in place, for the C functions of this target only.
    func withBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        withExtendedLifetime(self) { unsafe body(UnsafeRawBufferPointer(start: base, count: count)) }
    }

    package var description: String { "<\(count) secret bytes>" }
    package var customMirror: Mirror { Mirror(self, children: []) }
}

extension SecretBytes: Equatable {
    package static func == (left: SecretBytes, right: SecretBytes) -> Bool { left.isEqual(to: right) }
}

/// Overwriting that the compiler cannot remove.
package enum Wipe {
    /// Overwrites the content of an array that nobody else holds; its count stays. (If somebody shares the storage, theirs
    /// is untouched: Swift copies first.)
    package static func zero(_ bytes: inout [UInt8]) {
        unsafe bytes.withUnsafeMutableBytes { buffer in
            if let base = buffer.baseAddress { unsafe sodium_memzero(base, buffer.count) }
        }
    }
}

extension UnsafeRawBufferPointer {
    /// The start as octets, for C functions that take no null pointer. Locked memory and arrays with content have a start.
    var octets: UnsafePointer<UInt8> {
        guard let baseAddress else { preconditionFailure("an empty buffer where bytes are needed") }
        return unsafe baseAddress.assumingMemoryBound(to: UInt8.self)
    }
}

extension UnsafeMutableRawBufferPointer {
    /// As above, for results.
    var octets: UnsafeMutablePointer<UInt8> {
        guard let baseAddress else { preconditionFailure("an empty buffer where bytes are needed") }
        return unsafe baseAddress.assumingMemoryBound(to: UInt8.self)
    }
}

/// A buffer of ordinary memory for plaintext on its way, with value semantics, overwritten when it goes.
struct WipedBuffer: Sendable {
    private final class Storage: @unchecked Sendable {
        // @unchecked: changed only through `withBytes`, by the one WipedBuffer that holds the storage alone.
        var bytes: [UInt8] = []
        deinit { Wipe.zero(&bytes) }
    }

    private let capacity: Int
    private var storage = Storage()

    /// A buffer that never holds more than `capacity` bytes, so that it never moves and leaves no copy behind.
    init(capacity: Int) {
        self.capacity = capacity
    }

    var count: Int { storage.bytes.count }

    /// The content, to be read or changed in place.
    mutating func withBytes<Result>(_ body: (inout [UInt8]) -> Result) -> Result {
        if !isKnownUniquelyReferenced(&storage) {
            let copy = Storage()
            copy.bytes.reserveCapacity(capacity)
            copy.bytes.append(contentsOf: storage.bytes)
            storage = copy
        } else if storage.bytes.capacity < capacity {
            storage.bytes.reserveCapacity(capacity)
        }
        return body(&storage.bytes)
    }

    /// Overwrites and empties the buffer.
    mutating func wipe() {
        withBytes { bytes in
            Wipe.zero(&bytes)
            bytes.removeAll(keepingCapacity: true)
        }
    }
}
