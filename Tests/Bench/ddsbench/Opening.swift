// What opening a node's or an agent's state costs at least: reading what has to be read, and the primitives over it.

import CSodium
import DDSCore
import DDSLoop
import DDSNode
import DDSSeal
import Glibc

@LoopActor enum Opening {
    /// A segment's bodies, which nobody reads before they are asked for, in a bench's spool.
    private static let bodyBytes = 64 << 20
    private static let slotBytes = 128
    private static let pieceBytes = 1 << 20

    /// Reads the tables in front of the bodies of every segment, and opens `records` slots as ChaCha20-Poly1305 does.
    static func spool(folder: String, records: Int) throws -> [(String, JSONValue)] {
        Sodium.start()
        var read = 0
        for name in try HostFiles.list(folder) where name.hasPrefix("seg-") { read += try readTable("\(folder)/\(name)") }
        seal(slots: records)
        return [("bytes", .number(read)), ("records", .number(records))]
    }

    /// Sealing costs what opening costs.
    static func seal(slots: Int) {
        var plain = [UInt8](repeating: 0, count: slotBytes)
        let sealed = [UInt8](repeating: 1, count: slotBytes)
        let key = [UInt8](repeating: 2, count: 32)
        let nonce = [UInt8](repeating: 0, count: 12)
        for _ in 0..<slots {
            _ = unsafe crypto_aead_chacha20poly1305_ietf_encrypt(
                &plain, nil, sealed, UInt64(slotBytes - 16), nil, 0, nil, nonce, key)
        }
    }

    private static func readTable(_ path: String) throws -> Int {
        let descriptor = unsafe open(path, O_RDONLY)
        guard descriptor >= 0 else { throw BenchError("cannot read \(path)") }
        defer { close(descriptor) }
        let size = max(0, Int(lseek(descriptor, 0, SEEK_END)) - bodyBytes)
        var piece = [UInt8](repeating: 0, count: pieceBytes)
        var offset = 0
        while offset < size {
            let count = unsafe pread(descriptor, &piece, min(pieceBytes, size - offset), off_t(offset))
            guard count > 0 else { throw BenchError("cannot read \(path)") }
            offset += count
        }
        return size
    }

    /// One scrypt with the work factor of a vault, 18.
    static func scrypt() async throws -> [(String, JSONValue)] {
        Sodium.start()
        let start = Loop.time.now
        try await Loop.offload {
            var key = [UInt8](repeating: 0, count: 32)
            let salt = [UInt8](repeating: 1, count: 16)
            let status = unsafe crypto_pwhash_scryptsalsa208sha256_ll(
                salt, salt.count, salt, salt.count, 1 << 18, 8, 1, &key, key.count)
            guard status == 0 else { throw BenchError("scrypt has no memory") }
        }
        return [("milliseconds", .number((Loop.time.now - start).nanoseconds / 1_000_000))]
    }
}
