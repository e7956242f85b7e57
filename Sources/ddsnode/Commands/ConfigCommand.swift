// `config`: what the configuration says, what it may say, and where things are.

import ArgumentParser
import DDSAgent
import DDSCore
import DDSLoop
import DDSNode
import DDSServer

struct ConfigCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "config", abstract: "The configuration: check it, print it, see an example.",
        subcommands: [Check.self, Print.self, Example.self, Paths.self])

    struct Check: NodeCommand {
        static let configuration = CommandConfiguration(
            abstract: "Check the configuration file; exit status 78 when it is wrong.")
        @OptionGroup(title: "Global options") var globals: GlobalOptions

        func perform(_ context: Context) async throws(Failure) -> Int32 { try Self.check(context) }

        @LoopActor static func check(_ context: Context) throws(Failure) -> Int32 {
            let file = ConfigFile(options: context.options)
            let config = try context.config(for: nil)
            context.output.result(["config": .text(file.path), "exists": .bool(file.exists), "roles": .texts(config.roles)]) {
                file.exists ? "\(file.path) is right" : "\(file.path) is not there; defaults apply"
            }
            return 0
        }
    }

    struct Print: NodeCommand {
        static let configuration = CommandConfiguration(abstract: "Print the effective values and where each came from.")
        @OptionGroup(title: "Global options") var globals: GlobalOptions

        func perform(_ context: Context) async throws(Failure) -> Int32 {
            let settings = try context.config(for: nil).explain()
            let value = JSONValue.list(
                settings.map { ["key": .text($0.key), "value": .text($0.value), "origin": .text($0.origin)] })
            context.output.result(value) {
                context.output.table(settings.map { ["\($0.key) = \($0.value)", "# \($0.origin)"] })
            }
            return 0
        }
    }

    struct Example: NodeCommand {
        static let configuration = CommandConfiguration(abstract: "Print a commented configuration file.")
        @Argument(help: "For whom: server, agent or both.") var kind = InitCommand.Kind.both
        @OptionGroup(title: "Global options") var globals: GlobalOptions

        func perform(_ context: Context) async throws(Failure) -> Int32 {
            let text = ConfigSchema.example(for: kind.roles)
            context.output.result(["example": .text(text)]) { text }
            return 0
        }
    }

    struct Paths: NodeCommand {
        static let configuration = CommandConfiguration(abstract: "Print where configuration, state and sockets are.")
        @OptionGroup(title: "Global options") var globals: GlobalOptions

        func perform(_ context: Context) async throws(Failure) -> Int32 {
            let config = try context.config(for: nil)
            var paths: [(String, String)] = [
                ("config", ConfigFile(options: globals).path), ("state_dir", config.node.stateDirectory),
                ("runtime_dir", config.node.runtimeDirectory),
                ("control_socket", config.node.runtimeDirectory + "/control.sock"),
            ]
            for role in config.roles { paths.append(("\(role)_state", config.stateDirectory(of: role))) }
            context.output.result(.object(Dictionary(paths.map { ($0.0, .text($0.1)) }, uniquingKeysWith: { $1 }))) {
                context.output.table(paths.map { [$0.0, $0.1] })
            }
            return 0
        }
    }
}
