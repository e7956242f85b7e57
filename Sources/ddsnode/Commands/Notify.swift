// `notify`: whether notifications appear on this desktop, and pausing them.

import ArgumentParser
import DDSAgent
import DDSCore
import DDSNode

struct NotifyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "notify", abstract: "Try, pause or resume the agent's notifications.",
        subcommands: [Test.self, Pause.self, Resume.self])

    struct Test: NodeCommand {
        static let configuration = CommandConfiguration(
            commandName: "test", abstract: "Show a notification now, whatever is configured.")

        @OptionGroup(title: "Global options") var globals: GlobalOptions

        func perform(_ context: Context) async throws(Failure) -> Int32 {
            let config = try context.config(for: AgentRole.name)
            let result = try await Dispatch.runningDaemon(config, ControlRequest("agent.notify.test"))
            context.output.result(result) { "the desktop took a notification; if none is to be seen, its own settings hide it" }
            return 0
        }
    }

    struct Pause: NodeCommand {
        static let configuration = CommandConfiguration(
            commandName: "pause", abstract: "Show no notifications for a while.",
            discussion: "The pause outlives locks and restarts of the agent, and ends with your session.")

        @Argument(help: ArgumentHelp("How long, such as 45m or 8h.", valueName: "duration"))
        var duration: String
        @OptionGroup(title: "Global options") var globals: GlobalOptions

        func perform(_ context: Context) async throws(Failure) -> Int32 {
            guard let length = ConfigDuration.parse(duration) else {
                throw Failure(
                    .usage, "\"\(SafeWord.text(duration))\" is no duration; say for example: ddsnode notify pause 45m")
            }
            let config = try context.config(for: AgentRole.name)
            let request = ControlRequest("agent.notify.pause", ["seconds": .number(length.components.seconds)])
            let result = try await Dispatch.runningDaemon(config, request)
            context.output.result(result) { "paused until \(SafeWord.text(result["until"]))" }
            context.output.next("ddsnode notify resume")
            return 0
        }
    }

    struct Resume: NodeCommand {
        static let configuration = CommandConfiguration(commandName: "resume", abstract: "End a pause.")

        @OptionGroup(title: "Global options") var globals: GlobalOptions

        func perform(_ context: Context) async throws(Failure) -> Int32 {
            let config = try context.config(for: AgentRole.name)
            let result = try await Dispatch.runningDaemon(config, ControlRequest("agent.notify.resume"))
            context.output.result(result) { "notifications are shown again" }
            return 0
        }
    }
}
