// Who carries a command out: the daemon at the control socket, or the same code in this process when no daemon runs. The
// store's lock decides; two of them never work on one state folder.

import DDSAgent
import DDSCore
import DDSLoop
import DDSNode
import DDSSeal
import DDSServer

/// The commands that work without a daemon report nothing before their result.
@LoopActor private final class LocalOutput: ControlOutput {
    let isClosed = false
    var onClose: (@LoopActor () -> Void)?

    func event(_ value: JSONValue) {}
}

@LoopActor enum Dispatch {
    typealias Listener = @LoopActor (JSONValue) -> Void
    typealias Asking = @LoopActor (ControlRequest) async throws(Failure) -> JSONValue

    /// How long `send` without a daemon waits for the node to take the message.
    private static var outboxDeadline: Duration { .seconds(20) }

    /// Asks the daemon of `config`; nil when there is none.
    static func daemon(
        _ config: Config, _ request: ControlRequest, onEvent: @escaping Listener = { _ in }
    ) async throws(Failure) -> JSONValue? {
        try await ControlClient.call(path: config.node.runtimeDirectory + "/control.sock", request, onEvent: onEvent)
    }

    /// A command that only a running daemon can carry out.
    static func runningDaemon(
        _ config: Config, _ request: ControlRequest, onEvent: @escaping Listener = { _ in }
    ) async throws(Failure) -> JSONValue {
        guard let result = try await daemon(config, request, onEvent: onEvent) else {
            throw Failure(.unavailable, "nothing is running at \(config.node.runtimeDirectory); start it with: ddsnode run")
        }
        return result
    }

    /// A command about members, groups and invites.
    static func server(_ context: Context, _ request: ControlRequest) async throws(Failure) -> JSONValue {
        let config = try context.config(for: ServerRole.name)
        if let result = try await daemon(config, request) { return result }
        let services = context.services(config)
        let node = try await OfflineServer.open(services: services, passphrase: try nodePassphrase(context, config))
        do throws(Failure) {
            let result = try await node.commands.perform(request, output: LocalOutput())
            await node.close()
            return result
        } catch {
            await node.close()
            throw error
        }
    }

    /// Asked for where a stopped node's keyring wants one.
    private static func nodePassphrase(_ context: Context, _ config: Config) throws(Failure) -> SecretBytes? {
        guard OfflineServer.wantsPassphrase(config) else { return nil }
        guard context.terminal.canAsk else {
            throw Failure(
                .permission, "the node is stopped and its keyring wants a passphrase; start it and run: ddsnode unlock")
        }
        return try context.terminal.secret(file: nil, option: "", question: "Passphrase of the node")
    }

    /// A command about mail: by the daemon, or by the unlocked store opened here. The passphrase is asked only then.
    static func mail(
        _ context: Context, _ request: ControlRequest, unlocking passphrase: @LoopActor () throws(Failure) -> SecretBytes
    ) async throws(Failure) -> JSONValue {
        let config = try context.config(for: AgentRole.name)
        if let result = try await daemon(config, request) { return result }
        try requireMember(config)
        let secret = try passphrase()
        if request.command == "agent.send" {
            return try await wholeAgent(context, config) { (commands, role) throws(Failure) in
                let unlock = ControlRequest(
                    "agent.unlock", ["passphrase": try context.text(secret, option: "--passphrase-file")])
                _ = try await commands.perform(unlock, output: LocalOutput())
                let result = try await commands.perform(request, output: LocalOutput())
                await outboxEmptied(role)
                return result
            }
        }
        let agent = try await OfflineAgent.open(
            services: context.services(config), passphrase: secret.withExposed { Redacted($0) })
        do throws(Failure) {
            let result = try await agent.commands.perform(request, output: LocalOutput())
            await agent.close()
            return result
        } catch {
            await agent.close()
            throw error
        }
    }

    /// What a command about the local store works with: it asks the daemon, or the store opened here for all its requests.
    /// `passphrase` gives what opens the store when no daemon runs; nil leaves it locked.
    static func store<Result: Sendable>(
        _ context: Context, unlocking passphrase: @LoopActor () throws(Failure) -> SecretBytes?,
        work body: @LoopActor (_ ask: @escaping Asking) async throws(Failure) -> Result
    ) async throws(Failure) -> Result {
        let config = try context.config(for: AgentRole.name)
        if try await daemon(config, ControlRequest("status")) != nil {
            return try await body { request throws(Failure) in try await runningDaemon(config, request) }
        }
        try requireMember(config)
        let secret = try passphrase()
        let agent = try await OfflineAgent.open(
            services: context.services(config), passphrase: secret.map { $0.withExposed { Redacted($0) } })
        do throws(Failure) {
            let result = try await body { request throws(Failure) in
                try await agent.commands.perform(request, output: LocalOutput())
            }
            await agent.close()
            return result
        } catch {
            await agent.close()
            throw error
        }
    }

    /// Fetches by the daemon, or with the locked agent opened here.
    static func fetch(_ context: Context, acceptingHead: Bool) async throws(Failure) -> JSONValue {
        let config = try context.config(for: AgentRole.name)
        let request = ControlRequest("agent.fetch", acceptingHead ? ["accept_head": true] : [:])
        if let result = try await daemon(config, request) { return result }
        try requireMember(config)
        return try await wholeAgent(context, config) { (commands, _) throws(Failure) in
            try await commands.perform(request, output: LocalOutput())
        }
    }

    /// Joins by the daemon, which goes on as the new member's agent, or here.
    static func join(
        _ context: Context, link: String, title: String, passphrase: SecretBytes,
        progress: @escaping @LoopActor (String) -> Void
    ) async throws(Failure) -> JSONValue {
        let config = try context.config(for: AgentRole.name)
        let invitation = try Invitation(link, title: title)
        let request = ControlRequest(
            "agent.join",
            [
                "invite": .text(link), "title": .text(title),
                "passphrase": try context.text(passphrase, option: "--passphrase-file"),
            ])
        let joined = try await daemon(config, request) { event in
            if let step = event["step"]?.string { progress(step) }
        }
        if let joined { return joined }
        return try await OfflineAgent.join(
            services: context.services(config), invitation: invitation, passphrase: passphrase.withExposed { Redacted($0) },
            progress: progress)
    }

    /// Comes back with a recovery kit: by the daemon, which goes on as the member's agent, or here.
    static func restore(
        _ context: Context, kit: SecretBytes, passphrase: SecretBytes, progress: @escaping @LoopActor (String) -> Void
    ) async throws(Failure) -> JSONValue {
        let config = try context.config(for: AgentRole.name)
        let request = ControlRequest(
            "agent.restore",
            [
                "kit": try context.text(kit, option: "the kit"),
                "passphrase": try context.text(passphrase, option: "--passphrase-file"),
            ])
        let restored = try await daemon(config, request) { event in
            if let step = event["step"]?.string { progress(step) }
        }
        if let restored { return restored }
        return try await OfflineAgent.restore(
            services: context.services(config), kit: kit, passphrase: passphrase, progress: progress)
    }

    /// Said before anybody invents a passphrase; it is looked at again when it counts.
    static func requireNobody(_ config: Config) throws(Failure) {
        guard try !OfflineAgent.hasJoined(config) else {
            throw Failure(
                .cannotCreate,
                "the state folder \(config.node.stateDirectory) belongs to an account already, and was left as it is; restore with "
                    + "another --config")
        }
    }

    private static func requireMember(_ config: Config) throws(Failure) {
        guard try OfflineAgent.hasJoined(config) else {
            throw Failure(
                .fileMissing, "nobody has joined a node from \(config.node.stateDirectory) yet; run: ddsnode join INVITE")
        }
    }

    /// Runs the agent role in this process for the time of `body`, so that it talks to the node.
    private static func wholeAgent(
        _ context: Context, _ config: Config,
        _ body: @LoopActor (ControlCommands, AgentRole) async throws(Failure) -> JSONValue
    ) async throws(Failure) -> JSONValue {
        let services = context.services(config)
        let role = try AgentRole(services: services)
        do throws(Failure) {
            try await role.start()
            let result = try await body(services.control, role)
            await role.stop()
            return result
        } catch {
            await role.stop()
            throw error
        }
    }

    /// Waits until everything is sent, or for as long as a person would; what is left goes out with the next start.
    private static func outboxEmptied(_ role: AgentRole) async {
        let deadline = Loop.time.now + outboxDeadline
        while Loop.time.now < deadline, let waiting = await role.status().fields["outbox"]?.integer, waiting > 0 {
            try? await Loop.sleep(for: .milliseconds(50))
        }
    }
}
