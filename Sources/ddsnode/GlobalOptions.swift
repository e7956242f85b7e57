// The options every command takes, before its name or behind it.

import ArgumentParser
import DDSCore
import DDSLoop

enum ColorChoice: String, ExpressibleByArgument, CaseIterable, Sendable {
    case auto, always, never
}

/// Declared by the root and by every command: the parser reads them once, wherever they stand.
struct GlobalOptions: ParsableArguments, Sendable {
    @Option(
        name: .shortAndLong, help: ArgumentHelp("The configuration file.", valueName: "file"),
        completion: .file(extensions: ["toml"]))
    var config: String?

    @Option(
        help: ArgumentHelp("The role to run: server, agent or both. Overrides the configuration.", valueName: "role"),
        completion: .list(["server", "agent", "both"]))
    var role: String?

    @Flag(help: "Print the result as one JSON object.")
    var json = false

    @Flag(help: "Never ask; refuse and name the option that would have answered.")
    var noInput = false

    @Flag(name: .shortAndLong, help: "Answer yes to every question.")
    var yes = false

    @Flag(name: .shortAndLong, help: "Print results only, no advice.")
    var quiet = false

    @Flag(name: .shortAndLong, help: "Log and print more.")
    var verbose = false

    @Option(help: ArgumentHelp("Colours: auto, always or never. NO_COLOR is heeded too.", valueName: "when"))
    var color = ColorChoice.auto
}

/// A command that does something; groups of commands are only parsed.
protocol NodeCommand: ParsableCommand, Sendable {
    var globals: GlobalOptions { get }

    /// Does it and returns the exit status. Whatever goes wrong is thrown with its exit status and one sentence.
    @LoopActor func perform(_ context: Context) async throws(Failure) -> Int32
}
