// The payload of an age file: a nonce and then STREAM, chunks of 64 KiB that are authenticated one by one (C2SP age.md,
// "Payload"). The file key comes from a header, which is read and written elsewhere.

import CSodium
package import DDSCore

/// Sizes of payloads.
package enum AgePayload {
    static let nonceBytes = 16
    static let chunkBytes = 65536
    static let sealedChunkBytes = chunkBytes + ChaCha20Poly1305.tagBytes

    /// The size of the payload that seals `plain` bytes.
    package static func payloadSize(plain: Int) -> Int {
        nonceBytes + plain + ChaCha20Poly1305.tagBytes * max(1, (plain + chunkBytes - 1) / chunkBytes)
    }

    /// How much plaintext a payload of `size` bytes seals; nil for a size that no payload has.
    package static func plainSize(payload size: Int) -> Int? {
        let sealed = size - nonceBytes
        let (whole, rest) = (max(0, sealed) / sealedChunkBytes, max(0, sealed) % sealedChunkBytes)
        let plain = max(0, sealed) - ChaCha20Poly1305.tagBytes * (whole + (rest > 0 ? 1 : 0))
        return plain >= 0 && payloadSize(plain: plain) == size ? plain : nil
    }
}

/// The nonce of a chunk: its number in 11 bytes, and whether it is the last one.
private struct ChunkCounter: Sendable {
    private(set) var number: UInt64 = 0

    mutating func advance() { number += 1 }

    func nonce(isLast: Bool) -> [UInt8] {
        var nonce = [UInt8](repeating: 0, count: 12)
        for index in 0..<8 { nonce[10 - index] = UInt8(truncatingIfNeeded: number >> (8 * UInt64(index))) }
        nonce[11] = isLast ? 1 : 0
        return nonce
    }
}

/// Encrypts one payload piece by piece. A value: do not go on with two copies of it. Plaintext that waits for the end of its
/// chunk is overwritten when it goes.
package struct AgePayloadWriter: Sendable {
    private let key: SecretBytes
    private let nonce: [UInt8]
    private var isNonceWritten = false
    private var isFinished = false
    private var counter = ChunkCounter()
    private var pending = WipedBuffer(capacity: AgePayload.chunkBytes)

    /// A writer under a file key that has sealed no other payload.
    package init(fileKey: AgeFileKey, random: some RandomSource) {
        self.init(fileKey: fileKey, nonce: random.bytes(AgePayload.nonceBytes))
    }

    /// As above, with a nonce of the caller's choice.
    init(fileKey: AgeFileKey, nonce: [UInt8]) {
        precondition(nonce.count == AgePayload.nonceBytes, "the nonce of a payload has 16 bytes")
        self.nonce = nonce
        key = fileKey.payloadKey(nonce: nonce)
    }

    /// Takes plaintext and returns the payload bytes that are ready: the nonce at first, then whole chunks. At least one byte
    /// stays behind for the last chunk.
    package mutating func update(_ plain: ArraySlice<UInt8>) -> [UInt8] {
        precondition(!isFinished, "nothing is written after the end of a payload")
        let total = pending.count + plain.count
        let chunks = total == 0 ? 0 : (total - 1) / AgePayload.chunkBytes
        let size = (isNonceWritten ? 0 : AgePayload.nonceBytes) + chunks * AgePayload.sealedChunkBytes
        var rest = plain
        let output = unsafe [UInt8](filling: size) { buffer, initialized in
            let memory = UnsafeMutableRawBufferPointer(buffer)
            unsafe writeNonce(to: memory, at: &initialized)
            for _ in 0..<chunks {
                let room = unsafe UnsafeMutableRawBufferPointer(rebasing: memory[initialized...])
                if pending.count > 0 {
                    let missing = AgePayload.chunkBytes - pending.count
                    let head = rest.prefix(missing)
                    pending.withBytes { $0.append(contentsOf: head) }
                    rest = rest.dropFirst(missing)
                    unsafe sealPending(isLast: false, into: room)
                } else {
                    unsafe rest.withUnsafeBytes { bytes in
                        unsafe seal(
                            UnsafeRawBufferPointer(rebasing: bytes.prefix(AgePayload.chunkBytes)), isLast: false, into: room)
                    }
                    rest = rest.dropFirst(AgePayload.chunkBytes)
                }
                initialized += AgePayload.sealedChunkBytes
            }
        }
        if !rest.isEmpty { pending.withBytes { $0.append(contentsOf: rest) } }
        return output
    }

    /// The rest of the payload. Nothing comes after.
    package mutating func finish() -> [UInt8] {
        precondition(!isFinished, "a payload ends once")
        isFinished = true
        let size = (isNonceWritten ? 0 : AgePayload.nonceBytes) + pending.count + ChaCha20Poly1305.tagBytes
        return unsafe [UInt8](unsafeUninitializedCapacity: size) { buffer, initialized in
            let memory = UnsafeMutableRawBufferPointer(buffer)
            unsafe writeNonce(to: memory, at: &initialized)
            unsafe sealPending(isLast: true, into: UnsafeMutableRawBufferPointer(rebasing: memory[initialized...]))
            initialized = size
        }
    }

    private mutating func writeNonce(to memory: UnsafeMutableRawBufferPointer, at offset: inout Int) {
        guard !isNonceWritten else { return }
        isNonceWritten = true
        unsafe memory.copyBytes(from: nonce)
        offset = nonce.count
    }

    private mutating func sealPending(isLast: Bool, into output: UnsafeMutableRawBufferPointer) {
        let nonce = counter.nonce(isLast: isLast)
        let key = key
        pending.withBytes { bytes in
            unsafe bytes.withUnsafeBytes { plain in
                unsafe key.withBytes { unsafe ChaCha20Poly1305.seal(plain, key: $0, nonce: nonce, into: output.octets) }
            }
        }
        pending.wipe()
        counter.advance()
    }

    private mutating func seal(_ plain: UnsafeRawBufferPointer, isLast: Bool, into output: UnsafeMutableRawBufferPointer) {
        let nonce = counter.nonce(isLast: isLast)
        unsafe key.withBytes { unsafe ChaCha20Poly1305.seal(plain, key: $0, nonce: nonce, into: output.octets) }
        counter.advance()
    }
}

/// Decrypts one payload piece by piece. Whatever it returns is authentic; that it is complete is known after `finish` only.
/// When a piece holds authentic chunks and then a bad one, the former are returned and the next call throws; after an error
/// every call repeats it.
package struct AgePayloadReader: Sendable {
    private let fileKey: AgeFileKey
    private var key: SecretBytes?
    private var counter = ChunkCounter()
    private var hasEnded = false
    /// The error that the next call throws.
    package private(set) var failure: AgeError?
    private var pending: [UInt8] = []

    package init(fileKey: AgeFileKey) {
        self.fileKey = fileKey
    }

    /// Takes payload bytes and returns the plaintext of the chunks that they complete. Throws `.payloadFailure`.
    package mutating func update(_ cipher: ArraySlice<UInt8>) throws(AgeError) -> [UInt8] {
        if let failure { throw failure }
        var rest = cipher
        guard takeNonce(from: &rest) else { return [] }
        let chunks = (pending.count + rest.count) / AgePayload.sealedChunkBytes
        let plain = chunks == 0 ? [] : openChunks(chunks, from: &rest)
        if failure == nil, !rest.isEmpty {
            if hasEnded {
                failure = .payloadFailure
            } else {
                if pending.isEmpty { pending.reserveCapacity(AgePayload.sealedChunkBytes) }
                pending.append(contentsOf: rest)
            }
        }
        if plain.isEmpty, let failure { throw failure }
        return plain
    }

    /// The plaintext of the last chunk, when it was shorter than the others. Throws `.headerFailure` when the payload ends
    /// within its nonce (the class that the test kit gives it), else `.payloadFailure` when it is not complete.
    package mutating func finish() throws(AgeError) -> [UInt8] {
        if let failure { throw failure }
        if hasEnded { return [] }
        do {
            return try openLast()
        } catch {
            failure = error
            throw error
        }
    }

    private mutating func openLast() throws(AgeError) -> [UInt8] {
        guard let key else { throw .headerFailure }
        let size = pending.count - ChaCha20Poly1305.tagBytes
        // The last chunk is empty only where the whole payload is.
        guard size >= 0, size > 0 || counter.number == 0 else { throw .payloadFailure }
        let nonce = counter.nonce(isLast: true)
        var isAuthentic = false
        let plain = unsafe [UInt8](unsafeUninitializedCapacity: size + 1) { buffer, initialized in
            let output = UnsafeMutableRawBufferPointer(buffer)
            isAuthentic = unsafe pending.withUnsafeBytes { cipher in
                unsafe key.withBytes { unsafe ChaCha20Poly1305.open(cipher, key: $0, nonce: nonce, into: output.octets) }
            }
            initialized = isAuthentic ? size : 0
        }
        guard isAuthentic else { throw .payloadFailure }
        hasEnded = true
        pending = []
        return plain
    }

    /// True when the payload key is there.
    private mutating func takeNonce(from rest: inout ArraySlice<UInt8>) -> Bool {
        guard key == nil else { return true }
        let head = rest.prefix(AgePayload.nonceBytes - pending.count)
        pending.append(contentsOf: head)
        rest = rest.dropFirst(head.count)
        guard pending.count == AgePayload.nonceBytes else { return false }
        key = fileKey.payloadKey(nonce: pending)
        pending = []
        return true
    }

    /// Opens up to `count` whole chunks of the pending bytes and `rest`; stops at the last chunk of the payload and at a bad
    /// one.
    private mutating func openChunks(_ count: Int, from rest: inout ArraySlice<UInt8>) -> [UInt8] {
        unsafe [UInt8](filling: count * AgePayload.chunkBytes) { buffer, initialized in
            let memory = UnsafeMutableRawBufferPointer(buffer)
            for _ in 0..<count where !hasEnded && failure == nil {
                let output = unsafe UnsafeMutableRawBufferPointer(rebasing: memory[initialized...])
                let missing = AgePayload.sealedChunkBytes - pending.count
                if pending.isEmpty {
                    unsafe rest.withUnsafeBytes { bytes in
                        unsafe openChunk(UnsafeRawBufferPointer(rebasing: bytes.prefix(missing)), into: output)
                    }
                } else {
                    var whole: [UInt8] = []
                    swap(&whole, &pending)
                    whole.append(contentsOf: rest.prefix(missing))
                    unsafe whole.withUnsafeBytes { unsafe openChunk($0, into: output) }
                    whole.removeAll(keepingCapacity: true)
                    swap(&whole, &pending)
                }
                rest = rest.dropFirst(missing)
                if failure == nil { initialized += AgePayload.chunkBytes }
            }
        }
    }

    /// A chunk of full size may be the last one: that is tried second, so that nothing need be held back.
    private mutating func openChunk(_ cipher: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer) {
        guard let key else { preconditionFailure("chunks come after the nonce") }
        for isLast in [false, true] {
            let nonce = counter.nonce(isLast: isLast)
            let isAuthentic = unsafe key.withBytes {
                unsafe ChaCha20Poly1305.open(cipher, key: $0, nonce: nonce, into: output.octets)
            }
            if isAuthentic {
                hasEnded = isLast
                counter.advance()
                return
            }
        }
        failure = .payloadFailure
    }
}
