// Roles of one test process, each with services of its own, meeting over loopback as two machines would.

import DDSBus
import DDSCore
import DDSLoop
import DDSNode
import DDSSeal
import Foundation
import Logging

@testable import DDSAgent
@testable import DDSServer

/// A role with its commands and its folder; stopped and removed by `stop`.
@LoopActor final class TestRole<Kind: Role> {
    let role: Kind
    let commands: ControlCommands
    let bus: NodeBus
    let folder: String

    init(_ kind: Kind.Type, folder: String, config text: String) throws {
        self.folder = folder
        let config = try Config.load(
            text: text + "\n[node]\nname = \"node.test\"\nhost = \"127.0.0.1\"\nstate_dir = \"\(folder)/state\"\nruntime_dir = \"\(folder)/run\"\n",
            fileName: "test.toml", environment: [:], roleOverride: [kind.name], knownRoles: ["server", "agent"])
        commands = ControlCommands()
        bus = NodeBus(time: Loop.time)
        role = try Kind(
            services: Services(
                config: config, time: Loop.time, random: SystemRandom(), bus: bus,
                log: Logger(label: "test") { _ in LineLogHandler(level: .critical, underJournal: false) }, control: commands,
                requestStop: { _ in }))
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

@LoopActor func makeServer(_ folder: String) async throws -> TestRole<ServerRole> {
    let server = try TestRole(
        ServerRole.self, folder: folder,
        config: """
            [server.listen]
            pop3s = ["127.0.0.1:0"]
            submissions = ["127.0.0.1:0"]
            lmtp = ["unix:\(folder)/lmtp.sock"]
            [server.spool]
            segment_size = "1MiB"
            """)
    try await OfflineServer.create(config: server.role.services.config, random: SystemRandom(), time: Loop.time)
    try await server.role.start()
    return server
}

@LoopActor func makeAgent(_ folder: String) async throws -> TestRole<AgentRole> {
    let agent = try TestRole(AgentRole.self, folder: folder, config: "[agent.web]\nlisten = \"127.0.0.1:7480\"\n")
    try await agent.role.start()
    return agent
}

/// A new folder under the system's temporary one.
func temporaryFolder() throws -> String {
    let url = FileManager.default.temporaryDirectory.appendingPathComponent("dds-" + UUID().uuidString.prefix(8))
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    return url.path
}
