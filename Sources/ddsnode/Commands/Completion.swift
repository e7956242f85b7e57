// `completion`: scripts for shells, made by the parser of what it parses.

import ArgumentParser
import DDSCore
import DDSLoop

struct CompletionCommand: NodeCommand {
    enum Shell: String, ExpressibleByArgument, CaseIterable, Sendable {
        case bash, zsh, fish

        var parsersWord: CompletionShell {
            switch self {
            case .bash: .bash
            case .zsh: .zsh
            case .fish: .fish
            }
        }
    }

    static let configuration = CommandConfiguration(
        commandName: "completion", abstract: "Print a completion script for a shell.",
        discussion: "For bash: ddsnode completion bash > ~/.local/share/bash-completion/completions/ddsnode")

    @Argument(help: "The shell: bash, zsh or fish.") var shell: Shell
    @OptionGroup(title: "Global options") var globals: GlobalOptions

    func perform(_ context: Context) async throws(Failure) -> Int32 {
        Output.write(Root.completionScript(for: shell.parsersWord) + "\n", to: 1)
        return 0
    }
}
