import DDSCore
import DDSHTTP
import DDSLoop
import DDSTestKit
import Glibc
import Testing

/// A blocking connection of a test to a server on the loop, used on the thread pool.
struct RawClient {
    let descriptor: Int32

    init(port: UInt16, six: Bool = false) {
        descriptor = socket(six ? AF_INET6 : AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var limit = timeval(tv_sec: 120, tv_usec: 0)
        unsafe setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        if six {
            var address = sockaddr_in6()
            address.sin6_family = sa_family_t(AF_INET6)
            address.sin6_port = port.bigEndian
            unsafe inet_pton(AF_INET6, "::1", &address.sin6_addr)
            unsafe withUnsafeBytes(of: address) { unsafe connect($0) }
        } else {
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = port.bigEndian
            unsafe inet_pton(AF_INET, "127.0.0.1", &address.sin_addr)
            unsafe withUnsafeBytes(of: address) { unsafe connect($0) }
        }
    }

    private func connect(_ bytes: UnsafeRawBufferPointer) {
        guard let base = bytes.baseAddress else { return }
        unsafe Glibc.connect(descriptor, base.assumingMemoryBound(to: sockaddr.self), socklen_t(bytes.count))
    }

    func write(_ text: String) { write(Array(text.utf8)) }

    func write(_ bytes: [UInt8]) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = unsafe rest.withUnsafeBytes { unsafe send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            if count <= 0 { return }
            rest = rest.dropFirst(count)
        }
    }

    /// Reads until `mark` has come, or the connection ends.
    func read(until mark: String? = nil) -> String {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = unsafe chunk.withUnsafeMutableBytes { unsafe recv(descriptor, $0.baseAddress, $0.count, 0) }
            // A server that keeps a silent connection is not one that closed it.
            if count < 0, errno == EAGAIN { return "nothing came, and the connection is open" }
            if count <= 0 { break }
            bytes += chunk[..<count]
            if let mark, String(decoding: bytes, as: UTF8.self).contains(mark) { break }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    func close() { Glibc.close(descriptor) }
}

/// A server whose handler tells what it saw.
@LoopActor
final class ServerFixture {
    let server: HTTPServer
    let port: UInt16
    private(set) var requests: [HTTPRequest] = []
    private(set) var limits: [HTTPLimit] = []
    var channel: EventChannel?
    private(set) var closedChannels = 0

    init(adopting sockets: [Int32] = [], _ change: (inout HTTPServer.Configuration) -> Void = { _ in }) throws {
        final class Holder { weak var fixture: ServerFixture? }
        // Read and written on the loop only.
        nonisolated(unsafe) let holder = Holder()
        var configuration = HTTPServer.Configuration(
            allowsPeer: { _, _ in true },
            screen: { _ in nil },
            overLimit: { limit in
                unsafe holder.fixture?.limits.append(limit)
                return .text("\(limit)", status: 431)
            },
            handler: { request in unsafe await holder.fixture?.handle(request) ?? HTTPResponse(status: 500) })
        change(&configuration)
        server = HTTPServer(configuration)
        if sockets.isEmpty { try server.start(port: 0) } else { try server.start(adopting: sockets) }
        port = server.port ?? 0
        unsafe holder.fixture = self
    }

    private func handle(_ request: HTTPRequest) async -> HTTPResponse {
        requests.append(request)
        switch request.path {
        case "/later":
            try? await Loop.sleep(for: .milliseconds(1))
            return .text("later")
        case "/events":
            let channel = EventChannel()
            channel.onClose = { [weak self] in self?.closedChannels += 1 }
            self.channel = channel
            channel.send(event: "hello", data: "1")
            return .events(channel)
        case "/away": return .redirect(to: "/there")
        default: return .text("\(request.method) \(request.target)")
        }
    }

    /// One request on a connection of its own; the answer until the server closes.
    func ask(_ text: String) async throws -> String {
        let port = port
        return await Loop.offload {
            let client = RawClient(port: port)
            defer { client.close() }
            client.write(text)
            return client.read()
        }
    }
}

@Suite(.serialized, .timeLimit(.minutes(5))) struct ServerTests {
    static let end = "Host: a\r\nConnection: close\r\n\r\n"

    @Test @LoopActor func requestsAndAsynchronousAnswers_areServed() async throws {
        let fixture = try ServerFixture()
        #expect(try await fixture.ask("GET /a?b=c%20d HTTP/1.1\r\n\(Self.end)").hasSuffix("GET /a?b=c%20d"))
        #expect(try await fixture.ask("GET /later HTTP/1.1\r\n\(Self.end)").hasSuffix("later"))
        let moved = try await fixture.ask("POST /away HTTP/1.1\r\nContent-Length: 0\r\n\(Self.end)")
        #expect(moved.hasPrefix("HTTP/1.1 303") && moved.contains("Location: /there\r\n"))
        #expect(fixture.requests[0].peer.address == [127, 0, 0, 1])
        #expect(fixture.requests[0].local.port == fixture.port)
        #expect(fixture.requests[0].query == [HTTPField("b", "c d")])
        fixture.server.stop()
    }

    @Test @LoopActor func pipelinedRequests_areAnsweredInOrder() async throws {
        let fixture = try ServerFixture()
        let answer = try await fixture.ask("GET /later HTTP/1.1\r\nHost: a\r\n\r\nGET /two HTTP/1.1\r\n\(Self.end)")
        #expect(answer.contains("later") && answer.hasSuffix("GET /two"))
        fixture.server.stop()
    }

    @Test @LoopActor func version6_isServedOnTheSamePort() async throws {
        let fixture = try ServerFixture()
        let port = fixture.port
        let answer = await Loop.offload {
            let client = RawClient(port: port, six: true)
            defer { client.close() }
            client.write("GET /six HTTP/1.1\r\n\(Self.end)")
            return client.read()
        }
        // A machine without ::1 answers nothing and listens on IPv4 alone.
        #expect(answer.isEmpty || answer.hasSuffix("GET /six"))
        fixture.server.stop()
    }

    /// libmicrohttpd must hide none of these from the gate.
    @Test @LoopActor func oddHosts_reachTheHandlerAsSent() async throws {
        let fixture = try ServerFixture()
        _ = try await fixture.ask("GET / HTTP/1.1\r\nConnection: close\r\n\r\n")
        _ = try await fixture.ask("GET / HTTP/1.0\r\n\r\n")
        _ = try await fixture.ask("GET / HTTP/1.1\r\nHost: a\r\nHOST: b\r\nConnection: close\r\n\r\n")
        _ = try await fixture.ask("GET http://evil.test/x HTTP/1.1\r\n\(Self.end)")
        _ = try await fixture.ask("OPTIONS * HTTP/1.1\r\n\(Self.end)")
        _ = try await fixture.ask("GET /%2e%2e/%00 HTTP/1.1\r\n\(Self.end)")
        #expect(fixture.requests.map { $0.headers.values("Host") } == [[], [], ["a", "b"], ["a"], ["a"], ["a"]])
        #expect(fixture.requests.map(\.target) == ["/", "/", "/", "http://evil.test/x", "*", "/%2e%2e/%00"])
        #expect(fixture.requests[4].method == "OPTIONS")
        fixture.server.stop()
    }

    @Test @LoopActor func urlencodedForm_isRead() async throws {
        let fixture = try ServerFixture()
        let body = "a=1&b=%C3%A9+x&a=&c=%26%3D&long=" + String(repeating: "y", count: 40000)
        _ = try await fixture.ask(
            "POST /f HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded\r\n"
                + "Content-Length: \(body.utf8.count)\r\n\(Self.end)"
                + body)
        let read = fixture.requests.first?.body
        #expect(read?.values("a") == ["1", ""])
        #expect(read?.value("b") == "é x")
        #expect(read?.value("c") == "&=")
        #expect(read?.value("long")?.utf8.count == 40000)
        fixture.server.stop()
    }

    @Test @LoopActor func multipartForm_isReadWithItsFiles() async throws {
        let fixture = try ServerFixture()
        let file = (0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) }
        let head =
            "--xyz\r\nContent-Disposition: form-data; name=\"subject\"\r\n\r\nHe\r\nllo\r\n--xyz\r\n"
            + "Content-Disposition: form-data; name=\"file\"; filename=\"a b.bin\"\r\nContent-Type: application/x\r\n\r\n"
        let tail = "\r\n--xyz\r\nContent-Disposition: form-data; name=\"file\"; filename=\"\"\r\n\r\n\r\n--xyz--\r\n"
        let length = head.utf8.count + file.count + tail.utf8.count
        let port = fixture.port
        let answer = await Loop.offload {
            let client = RawClient(port: port)
            defer { client.close() }
            client.write(
                "POST /f HTTP/1.1\r\nContent-Type: multipart/form-data; boundary=xyz\r\n"
                    + "Content-Length: \(length)\r\n\(Self.end)"
            )
            client.write(Array(head.utf8) + file + Array(tail.utf8))
            return client.read()
        }
        #expect(answer.hasSuffix("POST /f"))
        let read = fixture.requests.first?.body
        #expect(read?.value("subject") == "He\r\nllo")
        #expect(
            read?.uploads.first == HTTPUpload(field: "file", fileName: "a b.bin", contentType: "application/x", bytes: file))
        fixture.server.stop()
    }

    @Test @LoopActor func bodyThatIsNoForm_isKeptAsBytes() async throws {
        let fixture = try ServerFixture()
        _ = try await fixture.ask("POST /active HTTP/1.1\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\(Self.end)a=b")
        #expect(fixture.requests.first?.body.bytes == Array("a=b".utf8))
        #expect(fixture.requests.first?.body.fields == [])
        fixture.server.stop()
    }

    @Test @LoopActor func limits_areAnsweredBeforeTheHandler() async throws {
        let fixture = try ServerFixture { $0.limits.bodyBytesMax = 1000 }
        let fields = (0..<98).map { "X-\($0): y\r\n" }.joined()
        #expect(try await fixture.ask("GET /ok HTTP/1.1\r\n\(fields)\(Self.end)").hasSuffix("GET /ok"))
        #expect(try await fixture.ask("GET / HTTP/1.1\r\nX: y\r\n\(fields)\(Self.end)").hasSuffix("fieldsTooMany"))
        let large = "X: " + String(repeating: "y", count: 16400) + "\r\n"
        #expect(try await fixture.ask("GET / HTTP/1.1\r\n\(large)\(Self.end)").hasSuffix("headersTooLarge"))
        let form = "POST / HTTP/1.1\r\nContent-Type: text/plain\r\n"
        let body = String(repeating: "z", count: 1001)
        #expect(try await fixture.ask("\(form)Content-Length: 1000\r\n\(Self.end)\(body.dropLast())").hasSuffix("POST /"))
        #expect(try await fixture.ask("\(form)Content-Length: 1001\r\n\(Self.end)\(body)").hasSuffix("bodyTooLarge"))
        #expect(try await fixture.ask("\(form)Content-Length: 99999999\r\n\(Self.end)").hasSuffix("bodyTooLarge"))
        let chunked = "\(form)Transfer-Encoding: chunked\r\n\(Self.end)3e9\r\n\(body)\r\n0\r\n\r\n"
        #expect(try await !fixture.ask(chunked).contains("POST /"))
        #expect(fixture.limits == [.fieldsTooMany, .headersTooLarge, .bodyTooLarge, .bodyTooLarge, .bodyTooLarge])
        #expect(fixture.requests.count == 2)
        fixture.server.stop()
    }

    @Test @LoopActor func screenedRequest_neverReachesTheHandler() async throws {
        let fixture = try ServerFixture { $0.screen = { _ in .text("no", status: 403) } }
        let body = String(repeating: "z", count: 5000)
        let answer = try await fixture.ask(
            "POST / HTTP/1.1\r\nContent-Type: text/plain\r\nContent-Length: 5000\r\n\(Self.end)\(body)")
        #expect(answer.hasPrefix("HTTP/1.1 403") && answer.hasSuffix("no"))
        #expect(fixture.requests.isEmpty)
        fixture.server.stop()
    }

    /// All connections that there may be say nothing and end at once; who waits behind them is not forgotten.
    @Test @LoopActor func whoWaitsBehindTooMany_isServedWhenTheyEnd() async throws {
        let fixture = try ServerFixture { configuration in
            // For two addresses.
            configuration.limits.connectionsMax = 8
            configuration.limits.headerSeconds = 1
        }
        let port = fixture.port
        let silent = await Loop.offload { (0..<4).map { _ in RawClient(port: port) } }
        #expect(try await fixture.ask("GET /behind HTTP/1.1\r\n\(Self.end)").hasSuffix("GET /behind"))
        for client in silent { client.close() }
        fixture.server.stop()
    }

    /// What comes while another program is about to take over waits in the kernel for that one.
    @Test @LoopActor func connectionsOfARestingServer_waitForTheNextOne() async throws {
        let fixture = try ServerFixture()
        let port = fixture.port
        let connected = await Loop.offload { RawClient(port: port) }
        await Loop.offload { connected.write("GET /first HTTP/1.1\r\nHost: a\r\n\r\n") }
        #expect(await Loop.offload { connected.read(until: "GET /first") }.hasSuffix("GET /first"))
        fixture.server.rest()
        let waiting = await Loop.offload {
            let client = RawClient(port: port)
            client.write("GET /second HTTP/1.1\r\n\(Self.end)")
            connected.write("GET /third HTTP/1.1\r\n\(Self.end)")
            return client
        }
        #expect(await Loop.offload { connected.read(until: "GET /third") }.hasSuffix("GET /third"))
        #expect(fixture.requests.map(\.path) == ["/first", "/third"])
        let sockets = fixture.server.surrender()
        let next = try ServerFixture(adopting: sockets)
        #expect(await Loop.offload { waiting.read(until: "GET /second") }.hasSuffix("GET /second"))
        #expect(next.requests.map(\.path) == ["/second"])
        connected.close()
        waiting.close()
        next.server.stop()
    }

    /// B13 without a second user: not one byte for a peer that is not allowed.
    @Test @LoopActor func peerThatIsNotAllowed_getsNoByte() async throws {
        let fixture = try ServerFixture { $0.allowsPeer = { _, _ in false } }
        #expect(try await fixture.ask("GET / HTTP/1.1\r\n\(Self.end)").isEmpty)
        #expect(fixture.requests.isEmpty)
        fixture.server.stop()
    }

    @Test @LoopActor func ownConnection_isTrusted() async throws {
        let fixture = try ServerFixture { $0.allowsPeer = { PeerUID.isTrusted(peer: $0, local: $1) } }
        #expect(try await fixture.ask("GET /mine HTTP/1.1\r\n\(Self.end)").hasSuffix("GET /mine"))
        fixture.server.stop()
    }

    @Test @LoopActor func drippingHeader_isCutOff() async throws {
        let fixture = try ServerFixture { $0.limits.headerSeconds = 1 }
        #expect(try await fixture.ask("GET / HTTP/1.1\r\nHost: a\r\n").isEmpty)
        #expect(fixture.requests.isEmpty)
        fixture.server.stop()
    }

    @Test @LoopActor func events_arriveOneByOneAndEnd() async throws {
        let fixture = try ServerFixture()
        let port = fixture.port
        let client = await Loop.offload {
            let client = RawClient(port: port)
            client.write("GET /events HTTP/1.1\r\nHost: a\r\n\r\n")
            return client
        }
        let first = await Loop.offload { client.read(until: "data: 1\n\n") }
        #expect(first.contains("Content-Type: text/event-stream\r\n") && first.contains("event: hello\ndata: 1\n\n"))
        fixture.channel?.send(event: "unread", data: "{\"total\":2}")
        #expect(await Loop.offload { client.read(until: "2}\n\n") }.contains("event: unread\ndata: {\"total\":2}\n\n"))
        fixture.channel?.send(event: "lock", data: "")
        fixture.channel?.close()
        #expect(await Loop.offload { client.read(until: "0\r\n\r\n") }.contains("event: lock\n"))
        #expect(fixture.closedChannels == 1)
        client.close()
        fixture.server.stop()
    }

    @Test @LoopActor func streamOfAPeerThatLeft_isNoticed() async throws {
        let fixture = try ServerFixture()
        let port = fixture.port
        await Loop.offload {
            let client = RawClient(port: port)
            client.write("GET /events HTTP/1.1\r\nHost: a\r\n\r\n")
            _ = client.read(until: "data: 1\n\n")
            client.close()
        }
        try await until {
            fixture.channel?.sendHeartbeat()
            return fixture.closedChannels != 0
        }
        #expect(fixture.closedChannels == 1)
        fixture.server.stop()
    }

    @Test @LoopActor func stop_endsStreamsAndHandlersInFlight() async throws {
        let fixture = try ServerFixture()
        let port = fixture.port
        let client = await Loop.offload {
            let client = RawClient(port: port)
            client.write("GET /events HTTP/1.1\r\nHost: a\r\n\r\n")
            _ = client.read(until: "data: 1\n\n")
            let other = RawClient(port: port)
            other.write("GET /later HTTP/1.1\r\nHost: a\r\n\r\n")
            return client
        }
        fixture.server.stop()
        #expect(fixture.closedChannels == 1)
        #expect(fixture.server.port == nil)
        #expect(await Loop.offload { client.read() }.isEmpty)
        client.close()
    }

    @Test @LoopActor func takenPort_givesTheNextOne() async throws {
        let fixture = try ServerFixture()
        let configuration = HTTPServer.Configuration(
            allowsPeer: { _, _ in true }, screen: { _ in nil }, overLimit: { _ in HTTPResponse(status: 400) },
            handler: { _ in .text("second") })
        let second = HTTPServer(configuration)
        try second.start(port: fixture.port)
        let port = try #require(second.port)
        #expect(port > fixture.port && port <= fixture.port + 20)
        var none = configuration
        none.limits.portsTriedMax = 0
        #expect(throws: Failure.self) { try HTTPServer(none).start(port: fixture.port) }
        second.stop()
        fixture.server.stop()
    }
}
