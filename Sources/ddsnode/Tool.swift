// From the words of the command line to a command on the loop, and from whatever comes of it to an exit status.

import ArgumentParser
import DDSCore
import DDSLoop
import DDSNode
import DDSSeal

enum Tool {
    /// Runs one command line; returns the exit status of the process.
    static func main(_ arguments: [String]) -> Int32 {
        // Before anything secret can be in memory, and anew in every program, as exec undoes it. What the system refuses is said
        // by `run` and `doctor`.
        ProcessHygiene.crashSilently()
        _ = ProcessHygiene.hardenCommand()
        let command: any ParsableCommand
        do {
            command = try Root.parseAsRoot(CommandWords.opening(arguments))
        } catch {
            return refuse(error, arguments)
        }
        guard let command = command as? any NodeCommand else { return runBuiltIn(command, arguments) }
        return Loop.run { await perform(command) }
    }

    /// `help`, and groups of commands named without a verb.
    private static func runBuiltIn(_ command: any ParsableCommand, _ arguments: [String]) -> Int32 {
        var command = command
        do {
            try command.run()
            return 0
        } catch {
            return refuse(error, arguments)
        }
    }

    @LoopActor private static func perform(_ command: any NodeCommand) async -> Int32 {
        let context = Context(options: command.globals)
        do throws(Failure) {
            return try await command.perform(context)
        } catch {
            context.output.complain(error.publicText)
            return error.code.rawValue
        }
    }

    /// What the parser has to say: help and versions are results, everything else is a complaint.
    private static func refuse(_ error: any Error, _ arguments: [String]) -> Int32 {
        let status = Root.exitCode(for: error).rawValue
        let text = Root.fullMessage(for: error)
        guard status != 0 else {
            Output.write(text.hasSuffix("\n") ? text : text + "\n", to: 1)
            return 0
        }
        if let unknown = CommandWords.unknown(in: arguments) {
            let guess = unknown.guess.map { ", did you mean \"\($0)\"?" } ?? "."
            Output.write("ddsnode: there is no command \"\(unknown.word)\"\(guess)\nSee: ddsnode help\n", to: 2)
            return Failure.Code.usage.rawValue
        }
        // The parser begins its complaint with a word of its own.
        let complaint = text.hasPrefix("Error: ") ? String(text.dropFirst("Error: ".count)) : text
        Output.write("ddsnode: \(complaint)\n", to: 2)
        return status
    }
}

/// Finds the word that was meant to be a command and is none.
enum CommandWords {
    /// A link in the place of a command is opened: what a desktop does with one that was clicked.
    static func opening(_ arguments: [String]) -> [String] {
        var isValue = false
        for (place, argument) in arguments.enumerated() {
            if isValue {
                isValue = false
            } else if argument.hasPrefix("-") {
                isValue = optionsWithValue.contains(argument)
            } else {
                return argument.hasPrefix("dds:") ? arguments[..<place] + ["open"] + arguments[place...] : arguments
            }
        }
        return arguments
    }

    private static let optionsWithValue: Set = ["-c", "--config", "--role", "--color"]

    /// Nil when every word in a command's place is one. `guess` is the whole command that is nearest.
    static func unknown(in arguments: [String]) -> (word: String, guess: String?)? {
        var node: any ParsableCommand.Type = Root.self
        var path: [String] = []
        var isValue = false
        for argument in arguments {
            if isValue {
                isValue = false
                continue
            }
            if argument.hasPrefix("-") {
                isValue = optionsWithValue.contains(argument)
                continue
            }
            let children = node.configuration.subcommands
            guard !children.isEmpty else { return nil }
            if node == Root.self, argument == "help" { return nil }
            guard let child = children.first(where: { $0._commandName == argument }) else {
                let names = children.map { $0._commandName }
                let guess = Suggestion.nearest(to: argument, among: names)
                return (
                    SafeWord.text((path + [argument]).joined(separator: " ")),
                    guess.map { (path + [$0]).joined(separator: " ") }
                )
            }
            node = child
            path.append(argument)
        }
        return nil
    }
}
