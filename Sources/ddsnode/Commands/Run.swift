// `run`, `reload`, `stop`: the life of a daemon.

import ArgumentParser
import DDSCore
import DDSLoop
import DDSNode

struct RunCommand: NodeCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Run the configured roles in the foreground.",
        discussion: "TERM and INT stop gracefully, HUP reloads the configuration, USR1 writes the state to the log.")

    @Flag(help: "Check the configuration and exit.") var checkConfig = false
    @Flag(help: "Start although the spool has lost something, and list what.") var acceptLoss = false
    @OptionGroup(title: "Global options") var globals: GlobalOptions

    func perform(_ context: Context) async throws(Failure) -> Int32 {
        checkConfig ? try ConfigCommand.Check.check(context) : try await Self.run(context, acceptLoss: acceptLoss)
    }

    @LoopActor static func run(_ context: Context, acceptLoss: Bool = false) async throws(Failure) -> Int32 {
        var config = try context.config(for: nil)
        config.acceptLoss = acceptLoss
        guard !config.roles.isEmpty else {
            throw Failure(
                .configuration,
                "\(ConfigFile(options: context.options).path) names no roles; add roles = [\"server\"], or use --role")
        }
        let file = ConfigFile(options: context.options)
        let override = context.options.role.map { [$0] }
        let handover = Handover.begin()
        let runtime = NodeRuntime(config: config, registry: RoleRegistry.all, log: context.logger(config), handover: handover) {
            () throws(ConfigError) in
            do throws(Failure) {
                return try file.load(roles: override)
            } catch {
                throw ConfigError(messages: [error.publicText])
            }
        }
        let code = try await runtime.run()
        if runtime.isRenewing { throw handover.execute() }
        return code
    }
}

struct ReloadCommand: NodeCommand {
    static let configuration = CommandConfiguration(
        commandName: "reload", abstract: "Make the daemon read its configuration again.")

    @OptionGroup(title: "Global options") var globals: GlobalOptions

    func perform(_ context: Context) async throws(Failure) -> Int32 {
        let result = try await Dispatch.runningDaemon(try context.config(for: nil), ControlRequest("reload"))
        context.output.result(result) { "configuration loaded again" }
        return 0
    }
}

struct StopCommand: NodeCommand {
    static let configuration = CommandConfiguration(
        commandName: "stop", abstract: "Stop the daemon: it finishes what is half done, for at most 5 seconds.")

    @OptionGroup(title: "Global options") var globals: GlobalOptions

    func perform(_ context: Context) async throws(Failure) -> Int32 {
        let config = try context.config(for: nil)
        _ = try await Dispatch.runningDaemon(config, ControlRequest("status"))
        do throws(Failure) {
            _ = try await Dispatch.runningDaemon(config, ControlRequest("stop"))
        } catch {
            // A daemon that is quick to stop may be gone before its answer is.
            guard error.code == .unavailable, try await Dispatch.daemon(config, ControlRequest("status")) == nil else {
                throw error
            }
        }
        try await gone(config)
        context.output.result(["stopped": true]) { "stopped" }
        return 0
    }

    /// Waits until nobody answers any more.
    @LoopActor private func gone(_ config: Config) async throws(Failure) {
        let deadline = Loop.time.now + Self.patience
        while Loop.time.now < deadline {
            // An answer that breaks off is an end, too.
            let isUp = try? await Dispatch.daemon(config, ControlRequest("status"))
            guard isUp != nil else { return }
            try? await Loop.sleep(for: .milliseconds(30))
        }
        throw Failure(.tryAgain, "the daemon was asked to stop and still runs; see its log")
    }

    /// Longer than a drain may take.
    private static var patience: Duration { .seconds(15) }
}
