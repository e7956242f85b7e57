// `search`: finds messages by their words on the command line.

import ArgumentParser
import DDSCore
import DDSLoop
import DDSNode

struct SearchCommand: NodeCommand {
    static let configuration = CommandConfiguration(
        commandName: "search", abstract: "Find messages, newest first.",
        discussion:
            "Words are found in subjects, texts, names of people and of files. word* finds beginnings, \"two words\" a phrase; "
            + "-word, from:, to:, in:, has:attachment, before:, after: and is: narrow it, as on the page.")

    @Option(help: ArgumentHelp("At most this many messages.", valueName: "count")) var limit = 50
    @Argument(help: "What to look for; -word behind --.") var words: [String] = []
    @OptionGroup var opening: PassphraseOption
    @OptionGroup(title: "Global options") var globals: GlobalOptions

    func validate() throws {
        if words.isEmpty { throw ValidationError("Name a word to look for.") }
    }

    func perform(_ context: Context) async throws(Failure) -> Int32 {
        let request = ControlRequest(
            "agent.search", ["query": .text(words.map(Self.quoted).joined(separator: " ")), "limit": .number(limit)])
        let result = try await opening.perform(request, context)
        let messages = result["results"]?.array ?? []
        context.output.result(result) {
            guard !messages.isEmpty else { return "nothing found" + Self.progress(result) }
            let table = context.output.table(
                messages.map(ListCommand.row), emphasis: { messages[$0]["unread"]?.boolean ?? false })
            return table + "\n" + Self.summary(result, shown: messages.count) + Self.progress(result)
        }
        return 0
    }

    /// What the shell has kept together is a phrase; what says without, or where, stays in front of it.
    private static func quoted(_ word: String) -> String {
        guard word.contains(where: \.isWhitespace), !word.contains("\"") else { return word }
        let hyphen = word.hasPrefix("-") ? word.prefix(1) : ""
        let rest = word.dropFirst(hyphen.count)
        let name = rest.prefix { $0.isASCII && $0.isLetter }
        let front = rest[name.endIndex...].first == ":" ? name + ":" : ""
        return hyphen + front + "\"" + rest.dropFirst(front.count) + "\""
    }

    private static func summary(_ result: JSONValue, shown: Int) -> String {
        let total = result["total"]?.integer ?? 0
        let found =
            (result["exact"]?.boolean == false ? "at least " : "")
            + "\(total) found in \(result["milliseconds"]?.integer ?? 0) ms"
        return total > shown ? "the newest \(shown) of " + found : found
    }

    private static func progress(_ result: JSONValue) -> String {
        guard let done = result["indexed"]?.integer, let count = result["messages"]?.integer, done < count else { return "" }
        return "\nstill indexing: \(done) of \(count)"
    }
}
