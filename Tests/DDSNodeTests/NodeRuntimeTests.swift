import DDSBus
import DDSCore
import DDSLock
import DDSLoop
import DDSTestKit
import Logging
import Testing

@testable import DDSNode

/// A third role, as somebody else would write one: it counts what happens to it and answers one command.
@LoopActor private final class CountingRole: Role {
    nonisolated static var name: String { "counting" }
    static var renews = false
    static var mayBeRenewed: Bool { renews }
    private(set) static var last: CountingRole?

    let services: Services
    private(set) var calls: [String] = []
    /// What tests make it do.
    static var startFailure: Failure?
    static var drainsForEver = false

    init(services: Services) throws(Failure) {
        self.services = services
        Self.last = self
        services.control.register("counting.renew") { [unowned self] _, _ in
            self.services.handover.request()
            return .bool(self.services.handover.isUnderWay)
        }
        services.control.register("counting.count") { [unowned self] _, _ in .number(calls.count) }
    }

    func start() async throws(Failure) {
        calls.append("start")
        if let failure = Self.startFailure { throw failure }
    }

    func renewing() { calls.append("renewing") }

    func reload(_ config: Config) async { calls.append("reload") }

    func drain() async {
        calls.append("drain")
        if Self.drainsForEver { await withCheckedContinuation { never = $0 } }
        calls.append("drained")
    }

    private var never: CheckedContinuation<Void, Never>?

    func stop() async {
        calls.append("stop")
        never?.resume()
        never = nil
    }

    func status() async -> RoleStatus {
        RoleStatus(fields: ["calls": .number(calls.count)], problems: ["it only counts; this is no problem"])
    }
}

@Suite(.serialized, .timeLimit(.minutes(5))) struct NodeRuntimeTests {
    private func config(_ folder: String, roles: [String] = ["counting"]) throws(ConfigError) -> Config {
        try Config.load(
            text: "[node]\nname = \"node.test\"\nstate_dir = \"\(folder)/state\"\nruntime_dir = \"\(folder)/run\"\n",
            fileName: "test.toml",
            environment: [:], roleOverride: roles, knownRoles: ["counting", "server", "agent"])
    }

    @LoopActor private func runtime(
        _ folder: String, roles: [String] = ["counting"], handover: Handover? = nil,
        reload: (@Sendable () throws(ConfigError) -> Config)? = nil
    ) throws -> NodeRuntime {
        CountingRole.startFailure = nil
        CountingRole.drainsForEver = false
        let config = try config(folder, roles: roles)
        return NodeRuntime(
            config: config, registry: [CountingRole.self],
            log: Logger(label: "test") { _ in LineLogHandler(level: .critical, underJournal: false) }, handover: handover,
            reloadConfig: reload ?? { () throws(ConfigError) in config })
    }

    @LoopActor private func inFolder(_ body: @LoopActor (String) async throws -> Void) async throws {
        let folder = try HostFiles.makeTemporaryFolder(prefix: "ddsruntime")
        do {
            try await body(folder)
        } catch {
            try? HostFiles.removeTree(folder)
            throw error
        }
        try? HostFiles.removeTree(folder)
    }

    /// Runs the process until it is told to stop; `body` works on it through its control socket.
    @LoopActor private func run(
        _ runtime: NodeRuntime, _ folder: String, _ body: @LoopActor (String) async throws -> Void
    ) async throws -> Int32 {
        var isReady = false
        let running = Task { @LoopActor in
            let result: Result<Int32, Failure>
            do throws(Failure) {
                result = .success(try await runtime.run { _ in isReady = true })
            } catch {
                result = .failure(error)
            }
            return result
        }
        try await until { isReady }
        try await body(folder + "/run/control.sock")
        return try await running.value.get()
    }

    @Test @LoopActor func aRenewal_answersWhoAsked_andHandsTheControlSocketOver() async throws {
        try await inFolder { folder in
            let handover = Handover()
            _ = try runtime(folder, handover: handover)
            CountingRole.renews = true
            defer { CountingRole.renews = false }
            let socket = folder + "/run/control.sock"
            let before = handover.isOffered
            let second = try self.runtime(folder, handover: handover)
            #expect(!before && handover.isOffered, "only where every role bears it")
            let code = try await run(second, folder) { socket in
                let answer = try await ControlClient.call(path: socket, ControlRequest("counting.renew"))
                #expect(answer == true, "who asked for it is answered")
            }
            #expect(code == 0 && second.isRenewing)
            #expect(CountingRole.last?.calls == ["start", "renewing", "drain", "drained", "stop"])
            let left = handover.left
            #expect(left.map(\.name) == ["control"])
            // Who comes now waits in the socket until the next program takes it.
            let stream = try await ByteStream.connect(to: .unix(path: socket), timeout: .seconds(60))
            let commands = ControlCommands()
            commands.register("hello") { _, _ in "again" }
            let next = try ControlServer(path: socket, commands: commands, adopting: left.first?.descriptor)
            let hello = try await ControlClient.call(path: socket, ControlRequest("hello"))
            #expect(hello == "again")
            stream.close()
            await next.close()
            #expect(!HostFiles.exists(socket), "the file goes with its last owner")
        }
    }

    @Test @LoopActor func aStopDuringARenewal_isAStop() async throws {
        try await inFolder { folder in
            let handover = Handover()
            CountingRole.renews = true
            defer { CountingRole.renews = false }
            let runtime = try runtime(folder, handover: handover)
            let code = try await run(runtime, folder) { _ in
                handover.request()
                runtime.requestStop(7)
            }
            #expect(code == 7 && !runtime.isRenewing && handover.left.isEmpty)
            #expect(!HostFiles.exists(folder + "/run/control.sock"))
        }
    }

    @Test func socketsOfAHandover_areThisProcessesAndNoStandardOnes() {
        let sockets = [Handover.Socket(name: "control", descriptor: 7), Handover.Socket(name: "page", descriptor: 12)]
        let text = Handover.text(of: sockets, process: 4711)
        #expect(Handover.sockets(in: text, process: 4711) == sockets)
        #expect(Handover.sockets(in: text, process: 4712).isEmpty)
        for bad in ["", "x control=7", "4711 control", "4711 control=2", "4711 control=-1", "4711 control=99999999999"] {
            #expect(Handover.sockets(in: bad, process: 4711).isEmpty, "\(bad)")
        }
    }

    @Test @LoopActor func aThirdRole_livesItsWholeLife() async throws {
        try await inFolder { folder in
            let runtime = try runtime(folder)
            let code = try await run(runtime, folder) { socket in
                let status = try #require(try await ControlClient.call(path: socket, ControlRequest("status")))
                #expect(status["roles"] == ["counting"])
                #expect(status["counting"]?["calls"] == 1)
                #expect(status["problems"]?.strings == ["it only counts; this is no problem"])
                let answer1 = try await ControlClient.call(path: socket, ControlRequest("counting.count"))
                #expect(answer1 == 1)
                let answer2 = try await ControlClient.call(path: socket, ControlRequest("stop"))
                #expect(answer2 == ["stopping": true])
            }
            #expect(code == 0)
            #expect(CountingRole.last?.calls == ["start", "drain", "drained", "stop"])
            #expect(!HostFiles.exists(folder + "/run/control.sock"))
            #expect(runtime.bus.trace.map(\.event.name) == ["roleStarted", "draining", "roleStopped"])
        }
    }

    @Test @LoopActor func aRole_mayEndTheProcessWithItsCode_andTheFirstRequestCounts() async throws {
        try await inFolder { folder in
            let code = try await run(try runtime(folder), folder) { _ in
                CountingRole.last?.services.requestStop(70)
                CountingRole.last?.services.requestStop(0)
            }
            #expect(code == 70)
        }
    }

    @Test @LoopActor func aReload_reachesTheRoles_andAMistakeChangesNothing() async throws {
        try await inFolder { folder in
            let isBroken = Lock(false)
            let good = try config(folder)
            let runtime = try runtime(folder) { () throws(ConfigError) in
                if isBroken.withLock({ $0 }) {
                    throw ConfigError(messages: ["test.toml:1:1: unknown key \"nod\", did you mean \"node\"?"])
                }
                return good
            }
            _ = try await run(runtime, folder) { socket in
                let answer3 = try await ControlClient.call(path: socket, ControlRequest("reload"))
                #expect(answer3 == ["reloaded": true])
                isBroken.withLock { $0 = true }
                let failure = await #expect(throws: Failure.self) {
                    try await ControlClient.call(path: socket, ControlRequest("reload"))
                }
                #expect(failure?.code == .configuration)
                #expect(failure?.publicText.contains("did you mean \"node\"?") == true)
                #expect(failure?.publicText.contains("the old configuration stays in force") == true)
                runtime.requestStop(0)
            }
            #expect(CountingRole.last?.calls == ["start", "reload", "drain", "drained", "stop"])
        }
    }

    @Test @LoopActor func aRoleThatDoesNotStart_isStoppedAndTheReasonIsThrown() async throws {
        try await inFolder { folder in
            let runtime = try runtime(folder)
            CountingRole.startFailure = Failure(.unavailable, "port in use")
            let failure = await #expect(throws: Failure.self) { try await runtime.run() }
            #expect(failure == Failure(.unavailable, "port in use"))
            #expect(CountingRole.last?.calls == ["start", "stop"])
            #expect(!HostFiles.exists(folder + "/run/control.sock"))
        }
    }

    @Test @LoopActor func aRoleNobodyKnows_isAConfigurationError() async throws {
        try await inFolder { folder in
            let failure = await #expect(throws: Failure.self) { try await runtime(folder, roles: ["server"]).run() }
            #expect(failure?.code == .configuration && failure?.publicText.contains("it has: counting") == true)
        }
    }

    @Test @LoopActor func aDrainWithoutEnd_isEscalatedToStop() async throws {
        try await inFolder { folder in
            let runtime = try runtime(folder)
            runtime.drainDeadline = .milliseconds(50)
            CountingRole.drainsForEver = true
            let code = try await run(runtime, folder) { _ in runtime.requestStop(0) }
            #expect(code == 0)
            #expect(CountingRole.last?.calls.prefix(3) == ["start", "drain", "stop"])
        }
    }

    @Test @LoopActor func aFollowerOfEvents_seesThem_andDoesNotKeepTheProcess() async throws {
        try await inFolder { folder in
            let runtime = try runtime(folder)
            var seen: [String] = []
            let code = try await run(runtime, folder) { socket in
                let following = Task { @LoopActor in
                    _ = try? await ControlClient.call(path: socket, ControlRequest("events", ["follow": true])) { event in
                        seen.append(event["event"]?.string ?? event["name"]?.string ?? "?")
                    }
                }
                try await until { !seen.isEmpty }
                runtime.bus.publish(.enrolled)
                try await until { seen.count >= 2 }
                runtime.requestStop(0)
                await following.value
            }
            #expect(code == 0)
            #expect(seen.prefix(2) == ["roleStarted", "enrolled"])
        }
    }

    @Test @LoopActor func aSecondDaemon_isToldThatOneRuns() async throws {
        try await inFolder { folder in
            let runtime = try runtime(folder)
            _ = try await run(runtime, folder) { _ in
                let first = CountingRole.last
                let second = try self.runtime(folder)
                let failure = await #expect(throws: Failure.self) { try await second.run() }
                #expect(failure?.code == .tryAgain)
                #expect(first?.calls == ["start"])
                runtime.requestStop(0)
            }
        }
    }
}
