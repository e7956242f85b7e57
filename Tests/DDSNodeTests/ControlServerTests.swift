import DDSCore
import DDSLoop
import DDSTestKit
import Glibc
import Testing

@testable import DDSNode

/// A control server in a folder of its own, and raw connections to it.
@LoopActor private final class ControlSetup {
    let commands = ControlCommands()
    let server: ControlServer
    let path: String
    private let folder: String
    var output: (any ControlOutput)?
    var closes = 0
    var gate: CheckedContinuation<Void, Never>?

    init() throws {
        folder = try HostFiles.makeTemporaryFolder(prefix: "ddscontrol")
        path = folder + "/control.sock"
        server = try ControlServer(path: path, commands: commands)
        commands.register("echo") { request, _ throws(Failure) in request.arguments }
        commands.register("fail") { _, _ throws(Failure) in throw Failure(.unknownName, "no such thing", reason: "private") }
        commands.register("slow") { [unowned self] _, _ in
            await withCheckedContinuation { gate = $0 }
            return "slept"
        }
        commands.register("follow") { [unowned self] _, output in
            output.event(["n": 1])
            self.output = output
            await withCheckedContinuation { continuation in
                output.onClose = { [unowned self] in
                    closes += 1
                    continuation.resume()
                }
            }
            return "followed"
        }
    }

    /// Sends raw bytes and returns everything that came back before the server's end.
    func exchange(_ text: String) async throws -> String {
        let stream = try await ByteStream.connect(to: .unix(path: path), timeout: .seconds(300))
        var received: [UInt8] = []
        var hasEnded = false
        stream.onRead = { received += $0 }
        stream.onEnd = { _ in hasEnded = true }
        stream.startReading()
        stream.write(Array(text.utf8))
        try await until { hasEnded }
        stream.close()
        return String(decoding: received, as: UTF8.self)
    }

    func close() async {
        await server.close()
        try? HostFiles.removeTree(folder)
    }
}

@Suite(.timeLimit(.minutes(5))) struct ControlServerTests {
    @LoopActor private func withSetup(_ body: @LoopActor (ControlSetup) async throws -> Void) async throws {
        let setup = try ControlSetup()
        do {
            try await body(setup)
        } catch {
            await setup.close()
            throw error
        }
        await setup.close()
    }

    @Test @LoopActor func aCommand_isAnswered_andAFailureKeepsItsCodeAndHidesItsReason() async throws {
        try await withSetup { setup in
            let answer1 = try await ControlClient.call(path: setup.path, ControlRequest("echo", ["a": ["x", 1, true, .null]]))
            #expect(answer1 == ["a": ["x", 1, true, .null]])
            let failure = await #expect(throws: Failure.self) { try await ControlClient.call(path: setup.path, ControlRequest("fail")) }
            #expect(failure == Failure(.unknownName, "no such thing"))
            let unknown = await #expect(throws: Failure.self) { try await ControlClient.call(path: setup.path, ControlRequest("mailbox.open")) }
            #expect(unknown?.code == .usage && unknown?.publicText.contains("\"mailbox open\"") == true)
        }
    }

    @Test @LoopActor func whereNobodyListens_thereIsNoDaemon() async throws {
        let answer2 = try await ControlClient.call(path: "/nonexistent/control.sock", ControlRequest("status"))
        #expect(answer2 == nil)
    }

    @Test @LoopActor func aLargeArgument_arrivesWhole() async throws {
        try await withSetup { setup in
            let text = JSONValue.text(String(repeating: "0123456789", count: 400_000))
            let answer3 = try await ControlClient.call(path: setup.path, ControlRequest("echo", ["t": text]))
            #expect(answer3 == ["t": text])
        }
    }

    @Test(arguments: ["nonsense\n", "{}\n", "[1]\n", "{\"v\":1}\n", "\n", "{\"command\":\"echo\"\n", "\u{0}\u{1}\n"])
    @LoopActor func badJSON_isToldSoOnce(text: String) async throws {
        try await withSetup { setup in
            let answer = try await setup.exchange(String(repeating: text, count: 1000))
            #expect(answer == "{\"code\":76,\"error\":\"the control socket takes one JSON object a line\",\"ok\":false}\n")
            let answer4 = try await ControlClient.call(path: setup.path, ControlRequest("echo", ["x": 1]))
            #expect(answer4 == ["x": 1])
        }
    }

    @Test @LoopActor func anotherVersion_isRefusedWithTheRemedy() async throws {
        try await withSetup { setup in
            let answer = try await setup.exchange("{\"v\":2,\"command\":\"echo\",\"arguments\":{}}\n")
            #expect(answer.contains("\"code\":76") && answer.contains("restart it after the upgrade"))
        }
    }

    @Test @LoopActor func requestsOfOneConnection_areServedInOrder() async throws {
        try await withSetup { setup in
            let stream = try await ByteStream.connect(to: .unix(path: setup.path), timeout: .seconds(300))
            var text = ""
            stream.onRead = { text += String(decoding: $0, as: UTF8.self) }
            stream.startReading()
            for byte in ControlRequest("slow").line + ControlRequest("echo", ["n": 2]).line { stream.write([byte]) }
            try await until { setup.gate != nil }
            #expect(text.isEmpty)
            setup.gate?.resume()
            try await until { text.count { $0 == "\n" } == 2 }
            #expect(text == "{\"ok\":true,\"result\":\"slept\"}\n{\"ok\":true,\"result\":{\"n\":2}}\n")
            stream.close()
        }
    }

    @Test @LoopActor func aFollower_getsEvents_andItsEndIsNoticed() async throws {
        try await withSetup { setup in
            let stream = try await ByteStream.connect(to: .unix(path: setup.path), timeout: .seconds(300))
            var text = ""
            stream.onRead = { text += String(decoding: $0, as: UTF8.self) }
            stream.startReading()
            stream.write(ControlRequest("follow").line)
            try await until { setup.output != nil }
            setup.output?.event(["n": 2])
            try await until { text == "{\"event\":{\"n\":1}}\n{\"event\":{\"n\":2}}\n" }
            stream.close()
            try await until { setup.closes == 1 }
            setup.output?.event(["n": 3])
            try await until { setup.output?.isClosed == true }
            #expect(setup.closes == 1)
        }
    }

    @Test @LoopActor func aFollowerThatDoesNotRead_isCutOff() async throws {
        try await withSetup { setup in
            let stream = try await ByteStream.connect(to: .unix(path: setup.path), timeout: .seconds(300))
            stream.write(ControlRequest("follow").line)
            try await until { setup.output != nil }
            let big = JSONValue.text(String(repeating: "x", count: 100_000))
            for _ in 0..<200 { setup.output?.event(big) }
            try await until { setup.closes == 1 }
            stream.close()
        }
    }

    @Test @LoopActor func closing_endsFollowersWithTheirAnswersUnsent_andRemovesTheSocket() async throws {
        try await withSetup { setup in
            let following = Task { @LoopActor in try? await ControlClient.call(path: setup.path, ControlRequest("follow")) }
            try await until { setup.output != nil }
            await setup.server.close()
            #expect(await following.value == nil)
            #expect(setup.closes == 1)
            #expect(!HostFiles.exists(setup.path))
        }
    }

    @Test @LoopActor func aCallerWhoEndsOnlyItsSendingSide_getsItsAnswer() async throws {
        try await withSetup { setup in
            let path = setup.path
            let line = ControlRequest("slow").line
            async let answer = Loop.offload { try Self.halfClosing(path, line) }
            try await until { setup.gate != nil }
            // The end of its input follows the request at once.
            try await Loop.sleep(for: .milliseconds(20))
            setup.gate?.resume()
            #expect(try await answer == "{\"ok\":true,\"result\":\"slept\"}\n")
        }
    }

    @Test @LoopActor func aSecondServer_isToldThatOneRuns() async throws {
        try await withSetup { setup in
            let failure = #expect(throws: Failure.self) { try ControlServer(path: setup.path, commands: ControlCommands()) }
            #expect(failure?.code == .tryAgain)
        }
    }

    @Test(.enabled(if: getuid() == 0, "needs root to become somebody else"))
    @LoopActor func anotherUser_isTurnedAway() async throws {
        try await withSetup { setup in
            // As root is always welcome, somebody else is played by a child.
            let path = setup.path
            unsafe chmod(path, 0o777)
            unsafe chmod(String(path.dropLast("/control.sock".count)), 0o777)
            let answer = try await Loop.offload { try Self.run(["setpriv", "--reuid=65534", "--clear-groups", "/usr/bin/python3", "-c", Self.script, path]) }
            #expect(answer == "closed\n")
            let own = try await Loop.offload { try Self.run(["/usr/bin/python3", "-c", Self.script, path]) }
            #expect(own.contains("\"ok\":true"))
        }
    }

    private static let script = """
        import socket,sys
        s=socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])
        try:
            s.sendall(b'{"v":1,"command":"echo","arguments":{}}\\n'); d=s.recv(4096)
        except OSError: d=b''
        print(d.decode().strip() or 'closed')
        """

    /// Runs a program and returns its output.
    private nonisolated static func run(_ words: [String]) throws -> String {
        let quoted = words.map { "'" + $0.replacing("'", with: "'\\''") + "'" }.joined(separator: " ")
        guard let pipe = unsafe popen(quoted, "r") else { throw Failure(.system, "popen") }
        defer { _ = unsafe pclose(pipe) }
        var output: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = unsafe fread(&buffer, 1, buffer.count, pipe)
            if count <= 0 { break }
            output += buffer[..<count]
        }
        return String(decoding: output, as: UTF8.self)
    }

    /// A client in plain system calls that shuts its sending side down behind the request.
    private nonisolated static func halfClosing(_ path: String, _ line: [UInt8]) throws -> String {
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: Array(path.utf8)) }
        let status = unsafe withUnsafePointer(to: &address) { address in
            unsafe connect(descriptor, UnsafeRawPointer(address).assumingMemoryBound(to: sockaddr.self), socklen_t(MemoryLayout<sockaddr_un>.size))
        }
        guard status == 0 else { throw Failure(.system, "connect") }
        _ = unsafe write(descriptor, line, line.count)
        shutdown(descriptor, Int32(SHUT_WR))
        var output: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = unsafe read(descriptor, &buffer, buffer.count)
            if count <= 0 { break }
            output += buffer[..<count]
        }
        return String(decoding: output, as: UTF8.self)
    }

    @Test func longAnswers_areToldByCountingTheirValues() {
        let nested: JSONValue = ["a": .list([1, 2, ["b": .null]])]
        #expect(nested.hasMore(than: 5) && !nested.hasMore(than: 6))
        #expect(!JSONValue.null.hasMore(than: 1) && JSONValue.null.hasMore(than: 0))
    }
}
