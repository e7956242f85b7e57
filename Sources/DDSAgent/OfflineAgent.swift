// An agent that does not run: what the command line needs of it when no daemon answers. The spool's lock keeps a daemon out
// meanwhile.

package import DDSCore
package import DDSLoop
package import DDSNode
package import DDSSeal

@LoopActor package final class OfflineAgent {
    /// `agent.send`, `agent.list`, `agent.show` and those of the store and the keys, as a running agent answers them.
    package let commands = ControlCommands()
    private let agent: Agent
    private let services: Services

    private init(_ agent: Agent, _ services: Services) {
        self.agent = agent
        self.services = services
        for (name, action) in AgentMailCommands.everything {
            commands.register(name) { request, _ throws(Failure) in try await action(agent, request) }
        }
    }

    /// True when somebody has joined from the state folder of `config`.
    package static func hasJoined(_ config: Config) throws(Failure) -> Bool {
        try AgentFolder(stateDir: config.node.stateDirectory).loadAccount() != nil
    }

    /// Joins, proves the account with a message through the node, and closes again. Returns what `agent.join` returns.
    package static func join(
        services: Services, invitation: Invitation, passphrase: Redacted<[UInt8]>, progress: @LoopActor (String) -> Void
    ) async throws(Failure) -> JSONValue {
        var bytes = passphrase.exposed
        let secret = SecretBytes(consuming: &bytes)
        try await Joining.run(services: services, invitation: invitation, passphrase: secret, progress: progress)
        return try await proven(services, secret, isLinked: invitation.isLink, progress)
    }

    /// The same with a recovery kit. Returns what `agent.restore` returns.
    package static func restore(
        services: Services, kit: SecretBytes, passphrase: SecretBytes, progress: @LoopActor (String) -> Void
    ) async throws(Failure) -> JSONValue {
        let lost = try await Joining.restore(
            services: services, kit: try RecoveryKit(in: kit), passphrase: passphrase, progress: progress)
        return AgentMailCommands.restored(try await proven(services, passphrase, progress), lost: lost)
    }

    private static func proven(
        _ services: Services, _ secret: SecretBytes, isLinked: Bool = false, _ progress: @LoopActor (String) -> Void
    ) async throws(Failure) -> JSONValue {
        let agent = try await Agent.open(services: services, onSpoolStopped: { _ in })
        do throws(Failure) {
            try await agent.start()
            try await Joining.prove(
                agent, passphrase: secret, isLinked: isLinked, services: services, progress: progress)
        } catch {
            await agent.stop()
            throw error
        }
        let welcome = AgentMailCommands.welcome(agent, page: nil)
        await agent.stop()
        return welcome
    }

    /// Opens the agent of `config`, unlocked where there is a passphrase. What is sent waits in the outbox until the daemon
    /// runs, or for `flush`.
    package static func open(services: Services, passphrase: Redacted<[UInt8]>?) async throws(Failure) -> OfflineAgent {
        let agent = try await Agent.open(services: services, onSpoolStopped: { _ in })
        guard let passphrase else { return OfflineAgent(agent, services) }
        do throws(Failure) {
            var bytes = passphrase.exposed
            try await agent.unlock(passphrase: SecretBytes(consuming: &bytes))
        } catch {
            await agent.stop()
            throw error
        }
        return OfflineAgent(agent, services)
    }

    package func close() async {
        await agent.stop()
        commands.removeAll()
    }
}
