// Roles of one test process, each with services of its own, meeting over loopback as two machines would.

import DDSBus
import DDSCore
import DDSLock
import DDSLoop
import DDSNode
import DDSSeal
import Foundation
import Logging
import Testing

@testable import DDSAgent
@testable import DDSServer

/// A role with its commands and its folder; stopped and removed by `stop`.
@LoopActor final class TestRole<Kind: Role> {
    let role: Kind
    let commands: ControlCommands
    let bus: NodeBus
    let folder: String

    init(_ kind: Kind.Type, folder: String, config text: String, time: any TimeSource = Loop.time) throws {
        self.folder = folder
        let config = try Config.load(
            text: text
                + "\n[node]\nname = \"node.test\"\nhost = \"127.0.0.1\"\nstate_dir = \"\(folder)/state\"\nruntime_dir = \"\(folder)/run\"\n",
            fileName: "test.toml", environment: [:], roleOverride: [kind.name], knownRoles: ["server", "agent"])
        commands = ControlCommands()
        bus = NodeBus(time: time)
        role = try Kind(
            services: Services(
                config: config, time: time, random: SystemRandom(), bus: bus,
                log: Logger(label: "test") { _ in LineLogHandler(level: .critical, underJournal: false) }, control: commands,
                requestStop: { _ in }))
    }

    /// Ends the role and forgets its commands, as a process does.
    func stop() async {
        await role.stop()
        commands.removeAll()
    }

    func call(_ command: String, _ arguments: JSONValue = [:]) async throws -> JSONValue {
        try await commands.perform(ControlRequest(command, arguments), output: Silence())
    }
}

@LoopActor final class Silence: ControlOutput {
    var isClosed: Bool { false }
    var onClose: (@LoopActor () -> Void)?
    func event(_ value: JSONValue) {}
}

/// A node in `folder`: a new one, or, with the `ports` it had, the one that was there before.
@LoopActor func makeServer(
    _ folder: String, ports: (pop3s: UInt16, submissions: UInt16)? = nil, time: any TimeSource = Loop.time
) async throws -> TestRole<ServerRole> {
    let server = try TestRole(
        ServerRole.self, folder: folder,
        config: """
            [server.listen]
            pop3s = ["127.0.0.1:\(ports?.pop3s ?? 0)"]
            submissions = ["127.0.0.1:\(ports?.submissions ?? 0)"]
            lmtp = ["unix:\(folder)/lmtp.sock"]
            [server.spool]
            segment_size = "1MiB"
            """, time: time)
    if ports == nil {
        try await OfflineServer.create(config: server.role.services.config, random: SystemRandom(), time: time)
    }
    try await server.role.start()
    return server
}

/// The agent of `folder`, new or from before.
@LoopActor func makeAgent(_ folder: String, time: any TimeSource = Loop.time) async throws -> TestRole<AgentRole> {
    let web = "[agent.web]\nlisten = \"127.0.0.1:7480\"\nundo_send = \"0s\"\n"
    let agent = try TestRole(AgentRole.self, folder: folder, config: web, time: time)
    agent.role.workFactor = 4
    agent.role.proofTimeout = .seconds(3600)
    try await agent.role.start()
    return agent
}

/// The loop's clock with a calendar that can be put forward.
final class ShiftedTime: TimeSource {
    private let shift = Lock(Duration.zero)
    private let base = Loop.time

    var now: Instant { base.now }
    var wall: WallTime { base.wall + shift.withLock { $0 } }

    func putForward(by duration: Duration) { shift.withLock { $0 = $0 + duration } }
}

/// A new folder under the system's temporary one.
func temporaryFolder() throws -> String {
    let url = FileManager.default.temporaryDirectory.appendingPathComponent("dds-" + UUID().uuidString.prefix(8))
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    return url.path
}
