// Connecting: resolve, then try each address in turn until one answers or time is up.

import CUV
import DDSCore
import Glibc

extension ByteStream {
    /// Connects to `endpoint`, trying all addresses of a name in the resolver's order. Throws the last address's error,
    /// `.timedOut` when all of it took longer than `timeout`, `.cancelled` when the task was cancelled.
    package static func connect(to endpoint: Endpoint, timeout: Duration) async throws(LoopError) -> ByteStream {
        let connector = Connector(endpoint)
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                connector.start(timeout: timeout, continuation)
            }
        } onCancel: {
            _ = Loop.spawn { connector.end(.cancelled, "cancelled") }
        }
        return try result.get()
    }
}

/// One attempt to reach an endpoint.
@LoopActor
private final class Connector {
    typealias Outcome = Result<ByteStream, LoopError>

    private let endpoint: Endpoint
    private var addresses: [sockaddr_storage] = []
    private var candidate: ByteStream?
    private var timer: LoopTimer?
    private var continuation: CheckedContinuation<Outcome, Never>?
    private var isCancelled = false

    init(_ endpoint: Endpoint) {
        self.endpoint = endpoint
    }

    private var operation: String { "connect to \(endpoint)" }

    func start(timeout: Duration, _ continuation: CheckedContinuation<Outcome, Never>) {
        self.continuation = continuation
        if isCancelled {
            end(.cancelled, "cancelled")
            return
        }
        let timer = LoopTimer { [self] in end(.timedOut, "connection timed out") }
        timer.schedule(at: Loop.time.now + timeout)
        self.timer = timer
        switch endpoint {
        case .unix(let path): connectUnix(path)
        case .tcp(let host, let port): resolve(host, port)
        }
    }

    func end(_ kind: LoopError.Kind, _ detail: String) {
        isCancelled = true
        end(.failure(LoopError(kind, operation: operation, detail: detail)))
    }

    private func end(status: Int32) {
        end(.failure(LoopError(status: status, operation: operation)))
    }

    private func end(_ outcome: Outcome) {
        guard let continuation else { return }
        self.continuation = nil
        timer?.close()
        timer = nil
        if case .failure = outcome { candidate?.close() }
        candidate = nil
        continuation.resume(returning: outcome)
    }

    // MARK: Resolving

    private func resolve(_ host: String, _ port: UInt16) {
        if let numeric = numericAddress(host, port) {
            addresses = [numeric]
            tryNext(UV_EADDRNOTAVAIL.rawValue)
            return
        }
        var hints = unsafe addrinfo()
        unsafe hints.ai_family = AF_UNSPEC
        unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        unsafe hints.ai_protocol = Int32(IPPROTO_TCP)
        let status = unsafe UVRequest.submit(
            UV_GETADDRINFO,
            resolved: { [self] status, addresses in
                self.addresses = addresses
                if status < 0 { end(status: status) } else { tryNext(UV_EAI_NONAME.rawValue) }
            },
            start: { cell in
                unsafe uv_getaddrinfo(
                    Loop.main.uvLoop, cell.assumingMemoryBound(to: uv_getaddrinfo_t.self),
                    { request, status, list in
                        unsafe UVRequest.complete(request?.pointee.data, status: status, addresses: list)
                        unsafe uv_freeaddrinfo(list)
                    }, host, String(port), &hints)
            })
        if status < 0 { end(status: status) }
    }

    private func numericAddress(_ host: String, _ port: UInt16) -> sockaddr_storage? {
        var storage = sockaddr_storage()
        let isNumeric = unsafe withUnsafeMutablePointer(to: &storage) { storage in
            let raw = UnsafeMutableRawPointer(storage)
            let status =
                if host.contains(":") {
                    unsafe uv_ip6_addr(host, Int32(port), raw.assumingMemoryBound(to: sockaddr_in6.self))
                } else {
                    unsafe uv_ip4_addr(host, Int32(port), raw.assumingMemoryBound(to: sockaddr_in.self))
                }
            return status == 0
        }
        return isNumeric ? storage : nil
    }

    // MARK: Trying

    private func tryNext(_ lastStatus: Int32) {
        guard continuation != nil else { return }
        guard !addresses.isEmpty else {
            end(status: lastStatus)
            return
        }
        var address = addresses.removeFirst()
        guard let stream = open() else { return }
        let status = unsafe UVRequest.submit(
            UV_CONNECT, completion: { [self] in attempted(stream, $0) },
            start: { cell in
                unsafe withUnsafeMutablePointer(to: &address) { address in
                    unsafe uv_tcp_connect(
                        cell.assumingMemoryBound(to: uv_connect_t.self),
                        stream.cell.assumingMemoryBound(to: uv_tcp_t.self),
                        UnsafeMutableRawPointer(address).assumingMemoryBound(to: sockaddr.self)
                    ) { request, status in
                        unsafe UVRequest.complete(request?.pointee.data, status: status)
                    }
                }
            })
        if status < 0 { attempted(stream, status) }
    }

    private func connectUnix(_ path: String) {
        guard path.utf8.count <= Endpoint.pathBytesMax else {
            end(.invalid, "the path is longer than \(Endpoint.pathBytesMax) bytes")
            return
        }
        guard let stream = open() else { return }
        _ = unsafe UVRequest.submit(
            UV_CONNECT, completion: { [self] in attempted(stream, $0) },
            start: { cell in
                unsafe uv_pipe_connect(
                    cell.assumingMemoryBound(to: uv_connect_t.self), stream.cell.assumingMemoryBound(to: uv_pipe_t.self), path
                ) { request, status in
                    unsafe UVRequest.complete(request?.pointee.data, status: status)
                }
                return 0
            })
    }

    private func open() -> ByteStream? {
        let isUnix = if case .unix = endpoint { true } else { false }
        do {
            let stream = try ByteStream(isUnix: isUnix)
            candidate = stream
            return stream
        } catch {
            end(.failure(error))
            return nil
        }
    }

    private func attempted(_ stream: ByteStream, _ status: Int32) {
        guard continuation != nil, stream === candidate else { return }
        if status < 0 {
            candidate = nil
            stream.close()
            tryNext(status)
        } else {
            stream.becameConnected()
            end(.success(stream))
        }
    }
}
