// What the machine gives without a node: synced records per second, TLS with nothing behind it, and the cipher of payloads. The
// primitives of headers are in Headers.

import CSodium
import DDSCore
import DDSLoop
import DDSNode
import DDSSeal
import DDSTLS
import Glibc

@LoopActor enum Machine {
    // MARK: Disk

    /// Overwrites records of 4 KiB in a file of zeros, `group` to a sync.
    static func disk(folder: String, seconds: Double) throws -> [(String, JSONValue)] {
        try [1, 64].map { group in
            let (rate, _) = try synced(folder: folder, group: group, seconds: seconds)
            return ("records_per_second_\(group)", .number(rate))
        }
    }

    /// Records a second, and the median of what a sync with its writes takes, in microseconds.
    static func synced(folder: String, group: Int, seconds: Double) throws -> (perSecond: Int, p50: Int) {
        try withFile(folder + "/ddsbench.disk", mebibytes: 64) { try records($0, group: group, seconds: seconds) }
    }

    /// Records a second when a store's bytes are written without a store: `group` bodies, as many slots and a mark to a sync; and
    /// after `passes` of those a mebibyte of the next segment with a sync of its own.
    static func storeBytes(folder: String, group: Int, passes: Int, seconds: Double) throws -> Int {
        let bodies = [UInt8](repeating: 0x5a, count: group * 4096)
        let slots = [UInt8](repeating: 0x5b, count: group * 128)
        let mark = [UInt8](repeating: 0x5c, count: 64)
        let zeros = [UInt8](repeating: 0, count: 1 << 20)
        return try withFile(folder + "/ddsbench.disk", mebibytes: 72) { file in
            try withFile(folder + "/ddsbench.next", mebibytes: 0) { next in
                let start = Loop.time.now
                let end = start + .milliseconds(Int64(seconds * 1000))
                var pass = 0
                while Loop.time.now < end {
                    // A segment of 64 MiB behind a table of 8 MiB, again and again.
                    let place = pass % ((64 << 20) / bodies.count)
                    try write(file, bodies, at: (8 << 20) + place * bodies.count)
                    try write(file, slots, at: 4096 + place * slots.count)
                    try write(file, mark, at: 1024)
                    guard fdatasync(file) == 0 else { throw BenchError("fdatasync failed") }
                    pass += 1
                    guard pass % passes == 0 else { continue }
                    try write(next, zeros, at: pass / passes << 20)
                    guard fdatasync(next) == 0 else { throw BenchError("fdatasync failed") }
                }
                return Int(Double(pass * group) / (Double((Loop.time.now - start).nanoseconds) / 1e9))
            }
        }
    }

    /// A file of zeros, and its end.
    private static func withFile<Value>(_ path: String, mebibytes: Int, _ body: (Int32) throws -> Value) throws -> Value {
        let descriptor = unsafe open(path, O_RDWR | O_CREAT | O_TRUNC, 0o600)
        guard descriptor >= 0 else { throw BenchError("cannot write \(path)") }
        defer {
            close(descriptor)
            unsafe unlink(path)
        }
        let zeros = [UInt8](repeating: 0, count: 1 << 20)
        for step in 0..<mebibytes { try write(descriptor, zeros, at: step << 20) }
        guard fsync(descriptor) == 0 else { throw BenchError("fsync failed") }
        return try body(descriptor)
    }

    private static func write(_ descriptor: Int32, _ bytes: [UInt8], at offset: Int) throws {
        let count = unsafe pwrite(descriptor, bytes, bytes.count, off_t(offset))
        guard count == bytes.count else { throw BenchError("a write failed") }
    }

    private static func records(_ descriptor: Int32, group: Int, seconds: Double) throws -> (perSecond: Int, p50: Int) {
        let record = [UInt8](repeating: 0x5a, count: 4096)
        let start = Loop.time.now
        let end = start + .milliseconds(Int64(seconds * 1000))
        var count = 0
        var times: [Int] = []
        var begin = start
        while begin < end {
            for _ in 0..<group {
                try write(descriptor, record, at: count % (16 << 10) * 4096)
                count += 1
            }
            guard fdatasync(descriptor) == 0 else { throw BenchError("fdatasync failed") }
            let now = Loop.time.now
            times.append(Int((now - begin).nanoseconds / 1000))
            begin = now
        }
        return (Int(Double(count) / (Double((begin - start).nanoseconds) / 1e9)), times.sorted()[times.count / 2])
    }

    // MARK: Cryptography

    /// ChaCha20-Poly1305 of 64 KiB chunks, KiB per second.
    static func chacha(seconds: Double) async throws -> [(String, JSONValue)] {
        Sodium.start()
        let rate = await Loop.offload { rawChaCha(Int64(seconds * 1e9)) }
        return [("kib_per_second", .number(Int(rate)))]
    }

    // MARK: TLS

    /// Answers 8 bytes to every 4 KiB, and as much as asked for to a first byte of 1, until it is killed.
    static func serve() async throws -> Never {
        let identity = try TLSIdentity.selfSigned(
            seed: [UInt8](repeating: 7, count: 32), commonName: "localhost", notBefore: Loop.time.wall, lifetimeDays: 2)
        let context = try TLSContext.server(identity: identity, minimum: .tls13, requestClientCertificate: false)
        let listener = try Listener.listen(on: .tcp(host: "127.0.0.1", port: 0)) { stream in
            Loop.spawn {
                do {
                    try await serve(Connection.accept(stream, context))
                } catch {
                    stream.close()
                }
            }
        }
        guard case .tcp(_, let port) = listener.endpoint else { throw BenchError("no port") }
        Report.line([("port", .number(Int(port)))])
        while true { try await Loop.sleep(for: .seconds(3600)) }
    }

    static let requestBytes = 4096
    static let replyBytes = 8
    static let bulkBytes = 256 << 20

    private static func serve(_ connection: Connection) async throws {
        let piece = [UInt8](repeating: 0x41, count: 64 << 10)
        while true {
            let first = try await connection.bytes()
            if first.first == 1 {
                for _ in 0..<bulkBytes / piece.count {
                    try connection.send(piece)
                    try await connection.drained()
                }
                continue
            }
            // A request may come in pieces.
            var count = first.count
            while count < requestBytes { count += try await connection.bytes().count }
            try connection.send([UInt8](repeating: 0x42, count: replyBytes))
        }
    }

    /// 4 KiB there and 8 bytes back, `connections` at once.
    static func echo(port: UInt16, connections: Int, seconds: Double) async throws -> [(String, JSONValue)] {
        let context = try TLSContext.client(identity: nil, pinnedKeyHash: nil, minimum: .tls13)
        var open: [Connection] = []
        for _ in 0..<connections { open.append(try await Connection.open(port: port, context)) }
        let end = Loop.time.now + .milliseconds(Int64(seconds * 1000))
        let start = Loop.time.now
        let counter = Counter()
        try await withThrowingTaskGroup { group in
            for connection in open {
                group.addTask(executorPreference: Loop.main) { try await counter.run(connection, until: end) }
            }
            try await group.waitForAll()
        }
        let elapsed = Double((Loop.time.now - start).nanoseconds) / 1e9
        return [("per_second", .number(Int(Double(counter.count) / elapsed)))]
    }

    @LoopActor private final class Counter {
        private(set) var count = 0

        func run(_ connection: Connection, until end: Instant) async throws {
            let request = [UInt8](repeating: 0x43, count: requestBytes)
            while Loop.time.now < end {
                try connection.send(request)
                try await connection.skip(replyBytes)
                count += 1
            }
            connection.close()
        }
    }

    /// One connection's download in KiB per second.
    static func bulk(port: UInt16) async throws -> [(String, JSONValue)] {
        let context = try TLSContext.client(identity: nil, pinnedKeyHash: nil, minimum: .tls13)
        let connection = try await Connection.open(port: port, context)
        let start = Loop.time.now
        try connection.send([1])
        try await connection.skip(bulkBytes)
        let seconds = Double((Loop.time.now - start).nanoseconds) / 1e9
        return [("kib_per_second", .number(Int(Double(bulkBytes >> 10) / seconds)))]
    }
}

private nonisolated func rawChaCha(_ nanoseconds: Int64) -> Double {
    let plain = [UInt8](repeating: 1, count: 64 << 10)
    var sealed = [UInt8](repeating: 0, count: plain.count + 16)
    let key = [UInt8](repeating: 2, count: 32)
    let nonce = [UInt8](repeating: 0, count: 12)
    let start = Loop.time.now
    var count = 0
    while (Loop.time.now - start).nanoseconds < nanoseconds {
        unsafe crypto_aead_chacha20poly1305_ietf_encrypt(&sealed, nil, plain, UInt64(plain.count), nil, 0, nil, nonce, key)
        count += 64
    }
    return Double(count) / (Double((Loop.time.now - start).nanoseconds) / 1e9)
}
