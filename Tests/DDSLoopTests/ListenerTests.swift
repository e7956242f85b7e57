import DDSCore
import DDSLoop
import Foundation
import Glibc
import Testing

@Suite(.timeLimit(.minutes(5))) struct ListenerTests {
    @Test @LoopActor func port0_becomesARealPort() throws {
        let listener = try Listener.listen(on: .tcp(host: "127.0.0.1", port: 0)) { $0.close() }
        guard case .tcp(let host, let port) = listener.endpoint else {
            Issue.record("not a TCP endpoint")
            return
        }
        #expect(host == "127.0.0.1")
        #expect(port != 0)
        listener.close()
        listener.close()
    }

    @Test @LoopActor func connectionRefused_saysWhereAndWhy() async throws {
        // Bound and not listening. A listener that was closed may live on in a child that another test is just starting.
        let bound = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(bound) }
        let endpoint = Endpoint.tcp(host: "127.0.0.1", port: try bindToLoopback(bound))
        let error = await #expect(throws: LoopError.self) {
            _ = try await ByteStream.connect(to: endpoint, timeout: .seconds(300))
        }
        #expect(error?.kind == .refused)
        #expect(error?.description == "connect to \(endpoint): connection refused")
    }

    @Test @LoopActor func name_isResolvedAndEachAddressTried() async throws {
        // Resolves to ::1 and 127.0.0.1 where IPv6 exists; only one of them listens.
        let listener = try Listener.listen(on: .tcp(host: "127.0.0.1", port: 0)) { $0.close() }
        guard case .tcp(_, let port) = listener.endpoint else { return }
        let stream = try await ByteStream.connect(to: .tcp(host: "localhost", port: port), timeout: .seconds(300))
        #expect(stream.peerPort == port)
        stream.close()
        listener.close()
    }

    @Test @LoopActor func connectWithoutAnswer_endsByTimeoutOrCancellation() async throws {
        let silent = try SilentServer()
        let error = await #expect(throws: LoopError.self) {
            _ = try await ByteStream.connect(to: silent.endpoint, timeout: .milliseconds(20))
        }
        #expect(error?.kind == .timedOut)
        #expect(error?.description == "connect to \(silent.endpoint): connection timed out")
        let task = Loop.spawn {
            let error = await #expect(throws: LoopError.self) {
                _ = try await ByteStream.connect(to: silent.endpoint, timeout: .seconds(30))
            }
            #expect(error?.kind == .cancelled)
        }
        await Task.yield()
        task.cancel()
        await task.value
        silent.close()
    }

    @Test @LoopActor func addressInUse_isRefused() throws {
        let listener = try Listener.listen(on: .tcp(host: "127.0.0.1", port: 0)) { $0.close() }
        let error = #expect(throws: LoopError.self) { _ = try Listener.listen(on: listener.endpoint) { $0.close() } }
        #expect(error?.kind == .addressInUse)
        listener.close()
    }

    @Test @LoopActor func unixSocket_hasItsModeAndGoesWithTheListener() throws {
        let folder = try HostFiles.makeTemporaryFolder()
        let path = "\(folder)/socket"
        let listener = try Listener.listen(on: .unix(path: path), mode: 0o660) { $0.close() }
        #expect(HostFiles.status(path)?.kind == .socket)
        #expect(HostFiles.status(path)?.mode == 0o660)
        listener.close()
        #expect(!HostFiles.exists(path))
        let closed = try Listener.listen(on: .unix(path: path)) { $0.close() }
        #expect(HostFiles.status(path)?.mode == 0o600)
        closed.close()
        try HostFiles.removeTree(folder)
    }

    @Test @LoopActor func liveUnixServer_isNotReplaced() throws {
        let folder = try HostFiles.makeTemporaryFolder()
        let endpoint = Endpoint.unix(path: "\(folder)/socket")
        let listener = try Listener.listen(on: endpoint) { $0.close() }
        let error = #expect(throws: LoopError.self) { _ = try Listener.listen(on: endpoint) { $0.close() } }
        #expect(error?.kind == .addressInUse)
        #expect(error?.description == "listen at \(endpoint): another server answers there")
        #expect(HostFiles.exists("\(folder)/socket"))
        listener.close()
        try HostFiles.removeTree(folder)
    }

    @Test @LoopActor func staleUnixSocket_isReplaced_butNoOtherFile() throws {
        let folder = try HostFiles.makeTemporaryFolder()
        let path = "\(folder)/socket"
        let dead = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: path.utf8) }
        let status = unsafe withUnsafePointer(to: &address) { address in
            unsafe bind(
                dead, UnsafeRawPointer(address).assumingMemoryBound(to: sockaddr.self),
                socklen_t(MemoryLayout<sockaddr_un>.size))
        }
        #expect(status == 0)
        close(dead)
        #expect(HostFiles.status(path)?.kind == .socket)
        let listener = try Listener.listen(on: .unix(path: path)) { $0.close() }
        listener.close()

        try HostFiles.write(path, Array("a file".utf8))
        let error = #expect(throws: LoopError.self) { _ = try Listener.listen(on: .unix(path: path)) { $0.close() } }
        #expect(error?.detail == "a file that is no socket is in the way")
        #expect(try HostFiles.read(path) == Array("a file".utf8))
        try HostFiles.removeTree(folder)
    }

    @Test @LoopActor func tooLongPath_isAnErrorAndNotTruncated() async throws {
        let path = "/tmp/" + String(repeating: "a", count: 120)
        #expect(throws: LoopError.self) { _ = try Listener.listen(on: .unix(path: path)) { $0.close() } }
        let error = await #expect(throws: LoopError.self) {
            _ = try await ByteStream.connect(to: .unix(path: path), timeout: .seconds(1))
        }
        #expect(error?.kind == .invalid)
    }

    @Test @LoopActor func adoptedSocket_accepts_andOtherDescriptorsAreRefused() async throws {
        let listening = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        #expect(throws: LoopError.self) { _ = try Listener.adopt(fileDescriptor: listening) { $0.close() } }
        #expect(listen(listening, 5) == 0)
        var count = 0
        let listener = try Listener.adopt(fileDescriptor: listening) {
            count += 1
            $0.close()
        }
        guard case .tcp(_, let port) = listener.endpoint else { return }
        let stream = try await ByteStream.connect(to: .tcp(host: "127.0.0.1", port: port), timeout: .seconds(300))
        while count == 0 { await Task.yield() }
        stream.close()
        listener.close()
    }

    @Test func withoutDescriptors_theListenerRestsAndGoesOnLater() async {
        await #expect(processExitsWith: .exitCode(5)) {
            exit(Loop.run { await acceptWithoutDescriptors() })
        }
    }
}

/// 5 when a connection that came while there were no descriptors is accepted after there are, and few attempts were made.
@LoopActor private func acceptWithoutDescriptors() async -> Int32 {
    var accepted = 0
    guard
        let listener = try? Listener.listen(
            on: .tcp(host: "127.0.0.1", port: 0),
            onConnection: {
                accepted += 1
                $0.close()
            }),
        case .tcp(_, let port) = listener.endpoint
    else { return 1 }
    let client = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    // Whatever is closed meanwhile, no new descriptor can be below 3.
    var limit = rlimit()
    unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    var none = rlimit(rlim_cur: 3, rlim_max: limit.rlim_max)
    unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &none)
    let start = Loop.time.now
    guard connectBlocking(client, port) == 0 else { return 2 }
    while listener.acceptErrors < 3 {
        try? await Loop.sleep(for: .milliseconds(1))
        if accepted > 0 { return 6 }
    }
    guard accepted == 0, Loop.time.now - start >= .milliseconds(200) else { return 3 }
    unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    while accepted == 0 { try? await Loop.sleep(for: .milliseconds(1)) }
    listener.close()
    return accepted == 1 ? 5 : 4
}

/// Binds to a free port of 127.0.0.1 and returns it.
private func bindToLoopback(_ descriptor: Int32) throws -> UInt16 {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let status = unsafe withUnsafeMutablePointer(to: &address) { address in
        let raw = unsafe UnsafeMutableRawPointer(address).assumingMemoryBound(to: sockaddr.self)
        guard unsafe bind(descriptor, raw, length) == 0 else { return errno }
        return unsafe getsockname(descriptor, raw, &length)
    }
    guard status == 0 else { throw CocoaError(.fileReadUnknown) }
    return UInt16(bigEndian: address.sin_port)
}

private func connectBlocking(_ descriptor: Int32, _ port: UInt16) -> Int32 {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    return unsafe withUnsafePointer(to: &address) { address in
        unsafe connect(
            descriptor, UnsafeRawPointer(address).assumingMemoryBound(to: sockaddr.self),
            socklen_t(MemoryLayout<sockaddr_in>.size))
    }
}

/// A listening socket whose queue is full: the kernel drops further attempts to connect, so that they hang.
private struct SilentServer: Sendable {
    let endpoint: Endpoint
    private let descriptors: [Int32]

    init() throws {
        let listening = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard listen(listening, 0) == 0 else { throw CocoaError(.fileReadUnknown) }
        var address = sockaddr_in()
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        unsafe withUnsafeMutablePointer(to: &address) { address in
            _ = unsafe getsockname(
                listening, UnsafeMutableRawPointer(address).assumingMemoryBound(to: sockaddr.self), &length)
        }
        let port = UInt16(bigEndian: address.sin_port)
        var descriptors = [listening]
        for _ in 0..<3 {
            let filler = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
            _ = connectBlocking(filler, port)
            descriptors.append(filler)
        }
        self.descriptors = descriptors
        endpoint = .tcp(host: "127.0.0.1", port: port)
    }

    func close() {
        for descriptor in descriptors { Glibc.close(descriptor) }
    }
}
