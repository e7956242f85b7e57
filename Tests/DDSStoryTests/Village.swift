import DDSCore
import DDSLoop
import DDSNode
import Foundation

@testable import DDSAgent
@testable import DDSServer

/// A node with members whose agents have joined. Must be `close`d.
@LoopActor final class Village {
    static let passphrase: JSONValue = "correct horse battery"

    let folder: String
    let time = ShiftedTime()
    var server: TestRole<ServerRole>
    private(set) var agents: [String: TestRole<AgentRole>] = [:]
    private var ports: (pop3s: UInt16, submissions: UInt16)?

    init(members: [String], group: [String]) async throws {
        folder = try temporaryFolder()
        server = try await makeServer(folder + "/node", time: time)
        for name in members { _ = try await server.call("user.add", ["name": .text(name), "invite": false]) }
        if !group.isEmpty { _ = try await server.call("group.add", ["name": "board", "members": .texts(group)]) }
    }

    func invite(_ name: String) async throws -> String {
        let link = try await server.call("invite.new", ["name": .text(name)])["invite"]?.string ?? ""
        let parsed = try InviteLink(link)
        ports = (parsed.pop3sPort, parsed.submissionsPort)
        return link
    }

    @discardableResult
    func join(_ name: String) async throws -> TestRole<AgentRole> {
        let agent = try await startAgent(name)
        _ = try await agent.call("agent.join", ["invite": .text(try await invite(name)), "passphrase": Self.passphrase])
        return agent
    }

    /// The agent of `name`, with whatever its folder holds.
    @discardableResult
    func startAgent(_ name: String) async throws -> TestRole<AgentRole> {
        let agent = try await makeAgent(folder + "/" + name, time: time)
        agents[name] = agent
        return agent
    }

    func stopAgent(_ name: String) async { await agents.removeValue(forKey: name)?.stop() }

    func restartServer() async throws { server = try await makeServer(folder + "/node", ports: ports, time: time) }

    /// Subjects of what `name` has, oldest first.
    func subjects(_ name: String) async throws -> [String] {
        try await agents[name]?.call("agent.list").array?.compactMap { $0["subject"]?.string } ?? []
    }

    func close() async {
        for name in agents.keys { await stopAgent(name) }
        await server.stop()
        try? FileManager.default.removeItem(atPath: folder)
    }
}

/// The sentence and exit code of a command that must fail.
@LoopActor func refusal(_ body: @LoopActor () async throws -> JSONValue) async throws -> Failure {
    do {
        let value = try await body()
        return Failure(.bug, "did not fail: \(value.pretty)")
    } catch let failure as Failure {
        return failure
    }
}
