// Both ends of a loopback connection, recording what they see.

import DDSCore
import DDSLoop
import Foundation

@LoopActor
final class Peer {
    let stream: ByteStream
    var received: [UInt8] = []
    var ends: [StreamEnd] = []
    var onEndOfInput: (() -> Void)?
    /// Stops reading for a moment each time so many bytes have come.
    var pauseEveryBytes: Int?
    private var pausedAt = 0
    private var isEcho = false
    private var waiter: (isMet: (Peer) -> Bool, continuation: CheckedContinuation<Void, Never>)?

    init(_ stream: ByteStream) {
        self.stream = stream
        stream.onRead = { [self] in read($0) }
        stream.onEnd = { [self] end in
            ends.append(end)
            if end == .endOfInput { onEndOfInput?() }
            check()
        }
        stream.startReading()
    }

    func echo() {
        isEcho = true
    }

    private func read(_ bytes: ArraySlice<UInt8>) {
        received.append(contentsOf: bytes)
        if isEcho { stream.write(Array(bytes)) }
        if let step = pauseEveryBytes, received.count - pausedAt >= step {
            pausedAt = received.count
            stream.stopReading()
            Loop.spawn { [self] in
                for _ in 0..<3 { await Task.yield() }
                stream.startReading()
            }
        }
        check()
    }

    func wait(_ isMet: @escaping (Peer) -> Bool) async {
        // Asked inside: a task that a test starts may change its thread at every await, and what is waited for come meanwhile.
        await withCheckedContinuation { continuation in
            if isMet(self) { continuation.resume() } else { waiter = (isMet, continuation) }
        }
    }

    private func check() {
        guard let waiter, waiter.isMet(self) else { return }
        self.waiter = nil
        waiter.continuation.resume()
    }
}

@LoopActor
final class StreamPair {
    let client: Peer
    let server: Peer
    private let listener: Listener
    private let folder: String?

    init(_ transport: ByteStreamTests.Transport) async throws {
        var endpoint = Endpoint.tcp(host: "127.0.0.1", port: 0)
        var folder: String?
        if transport == .unix {
            let made = try HostFiles.makeTemporaryFolder()
            endpoint = .unix(path: "\(made)/socket")
            folder = made
        }
        self.folder = folder
        let accepted = Accepted()
        listener = try Listener.listen(on: endpoint) { accepted.stream = $0 }
        let stream = try await ByteStream.connect(to: listener.endpoint, timeout: .seconds(300))
        while accepted.stream == nil { await Task.yield() }
        guard let other = accepted.stream else { throw CancellationError() }
        client = Peer(stream)
        server = Peer(other)
    }

    /// Closes both ends and waits until libuv has let go of them.
    func close() async {
        client.stream.close()
        server.stream.close()
        listener.close()
        await client.wait { $0.ends.last.map { $0 != .endOfInput } ?? false }
        await server.wait { $0.ends.last.map { $0 != .endOfInput } ?? false }
        if let folder { try? HostFiles.removeTree(folder) }
    }

    @LoopActor private final class Accepted {
        var stream: ByteStream?
    }
}

/// A client in plain system calls.
struct BlockingClient {
    private let descriptor: Int32

    init(port: UInt16) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        let status = unsafe withUnsafePointer(to: &address) { address in
            unsafe connect(
                descriptor, UnsafeRawPointer(address).assumingMemoryBound(to: sockaddr.self),
                socklen_t(MemoryLayout<sockaddr_in>.size))
        }
        guard status == 0 else { throw CocoaError(.fileReadUnknown) }
    }

    /// Writes, ends its direction, reads to the end.
    func askAndShutDown(_ question: String) throws -> String {
        let bytes = Array(question.utf8)
        _ = unsafe write(descriptor, bytes, bytes.count)
        shutdown(descriptor, Int32(SHUT_WR))
        var answer: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = unsafe read(descriptor, &chunk, chunk.count)
            if count <= 0 { break }
            answer += chunk[..<count]
        }
        close(descriptor)
        return String(decoding: answer, as: UTF8.self)
    }
}
