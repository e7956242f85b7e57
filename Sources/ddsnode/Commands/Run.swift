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
    @OptionGroup(title: "Global options") var globals: GlobalOptions

    func perform(_ context: Context) async throws(Failure) -> Int32 {
        checkConfig ? try ConfigCommand.Check.check(context) : try await Self.run(context)
    }

    @LoopActor static func run(_ context: Context) async throws(Failure) -> Int32 {
        let config = try context.config(for: nil)
        guard !config.roles.isEmpty else {
            throw Failure(
                .configuration, "\(ConfigFile(options: context.options).path) names no roles; add roles = [\"server\"], or use --role")
        }
        let file = ConfigFile(options: context.options)
        let override = context.options.role.map { [$0] }
        let runtime = NodeRuntime(config: config, registry: RoleRegistry.all, log: context.logger(config)) { () throws(ConfigError) in
            do throws(Failure) {
                return try file.load(roles: override)
            } catch {
                throw ConfigError(messages: [error.publicText])
            }
        }
        return try await runtime.run()
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
        let result = try await Dispatch.runningDaemon(try context.config(for: nil), ControlRequest("stop"))
        context.output.result(result) { "stopping" }
        return 0
    }
}
