// `queue`: messages of which copies wait or are held, and what to do about them.

import ArgumentParser
import DDSCore
import DDSLoop
import DDSNode

struct QueueCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "queue", abstract: "Messages that wait for members, or are held and why.",
        discussion: "A message is named by its id or the first digits of it, four at least. Nobody can read a message here.",
        subcommands: [List.self, Show.self, Retry.self, Hold.self, Release.self, Remove.self])

    /// A message's id as far as people want to read it.
    static func short(_ id: JSONValue?) -> String { String(SafeWord.text(id).prefix(8)) }

    /// `dora: mailbox full`, for each held copy.
    static func held(_ copies: JSONValue?) -> [String] {
        (copies?.array ?? []).map { "\(SafeWord.text($0["member"])): \(SafeWord.text($0["cause"]))" }
    }

    /// What `retry` and `release` did.
    static func moved(_ result: JSONValue) -> String {
        let lines = ["released \(SafeWord.text(result["released"]))"] + held(result["held"]).map { "still held for \($0)" }
        return lines.joined(separator: "\n")
    }

    /// What `hold` and `remove` did, and for whom they did not.
    static func done(_ result: JSONValue, _ word: String, _ copies: String) -> String {
        let busy = result["busy"]?.strings ?? []
        let rest =
            busy.isEmpty ? "" : "\nnot for \(SafeWord.text(result["busy"])), who has the maildrop open just now; try again"
        return "\(word) \(SafeWord.text(result[word])) \(copies) of \(short(result["id"]))\(rest)"
    }
}

/// A message's id on the command line.
struct QueueID: ParsableArguments, Sendable {
    @Argument(help: "The message's id, or its first digits.") var id: String

    var arguments: JSONValue { ["id": .text(id)] }
}

extension QueueCommand {
    struct List: NodeCommand {
        static let configuration = CommandConfiguration(abstract: "List what waits or is held, oldest first.")
        @Option(help: ArgumentHelp("Only what waits or is held for this member.", valueName: "member")) var to: String?
        @OptionGroup(title: "Global options") var globals: GlobalOptions

        func perform(_ context: Context) async throws(Failure) -> Int32 {
            let result = try await Dispatch.server(context, ControlRequest("queue.list", to.map { ["to": .text($0)] } ?? [:]))
            context.output.result(result) {
                let rows = result.array ?? []
                guard !rows.isEmpty else { return "nothing waits or is held" }
                return context.output.table(rows.map(Self.row))
            }
            return 0
        }

        private static func row(_ message: JSONValue) -> [String] {
            let author = SafeWord.text(message["author"])
            let held = QueueCommand.held(message["held"])
            return [
                QueueCommand.short(message["id"]), SafeWord.text(message["date"]), author.isEmpty ? "-" : author,
                SafeWord.text(message["to"]), "\(SafeWord.text(message["waiting"])) waiting",
                held.isEmpty ? "" : "\(held.count) held (\(held.joined(separator: ", ")))",
            ]
        }
    }

    struct Show: NodeCommand {
        static let configuration = CommandConfiguration(abstract: "Show how far each copy of a message is.")
        @OptionGroup var message: QueueID
        @OptionGroup(title: "Global options") var globals: GlobalOptions

        func perform(_ context: Context) async throws(Failure) -> Int32 {
            let result = try await Dispatch.server(context, ControlRequest("queue.show", message.arguments))
            context.output.result(result) {
                let head = [
                    ["id", SafeWord.text(result["id"])], ["author", SafeWord.text(result["author"])],
                    ["date", SafeWord.text(result["date"])], ["to", SafeWord.text(result["to"])],
                ]
                let copies = (result["copies"]?.array ?? []).map { copy in
                    let cause = SafeWord.text(copy["cause"])
                    return [
                        "",
                        "\(SafeWord.text(copy["member"])): \(SafeWord.text(copy["state"]))\(cause.isEmpty ? "" : ", \(cause)")",
                    ]
                }
                return context.output.table(head + copies)
            }
            return 0
        }
    }

    struct Retry: NodeCommand {
        static let configuration = CommandConfiguration(abstract: "Try now to hand on what is held.")
        @Argument(help: "The message's id, or its first digits.") var id: String?
        @Flag(help: "Everything that is held.") var all = false
        @OptionGroup(title: "Global options") var globals: GlobalOptions

        func validate() throws {
            if (id == nil) != all { throw ValidationError("Name a message, or use --all.") }
        }

        func perform(_ context: Context) async throws(Failure) -> Int32 {
            let arguments: JSONValue = id.map { ["id": .text($0)] } ?? ["all": true]
            let result = try await Dispatch.server(context, ControlRequest("queue.retry", arguments))
            context.output.result(result) { QueueCommand.moved(result) }
            return 0
        }
    }

    struct Hold: NodeCommand {
        static let configuration = CommandConfiguration(abstract: "Hold back every copy that waits, until release.")
        @OptionGroup var message: QueueID
        @OptionGroup(title: "Global options") var globals: GlobalOptions

        func perform(_ context: Context) async throws(Failure) -> Int32 {
            let result = try await Dispatch.server(context, ControlRequest("queue.hold", message.arguments))
            context.output.result(result) { QueueCommand.done(result, "held", "copies") }
            if let id = result["id"] { context.output.next("ddsnode queue release \(QueueCommand.short(id))") }
            return 0
        }
    }

    struct Release: NodeCommand {
        static let configuration = CommandConfiguration(
            abstract: "Hand on what is held of a message, whatever it is held for but a missing key.")
        @OptionGroup var message: QueueID
        @OptionGroup(title: "Global options") var globals: GlobalOptions

        func perform(_ context: Context) async throws(Failure) -> Int32 {
            let result = try await Dispatch.server(context, ControlRequest("queue.release", message.arguments))
            context.output.result(result) { QueueCommand.moved(result) }
            return 0
        }
    }

    struct Remove: NodeCommand {
        static let configuration = CommandConfiguration(
            abstract: "Erase every copy that waits or is held; the author is told.")
        @OptionGroup var message: QueueID
        @OptionGroup(title: "Global options") var globals: GlobalOptions

        func perform(_ context: Context) async throws(Failure) -> Int32 {
            try context.terminal.confirm(
                "this erases every copy of \(SafeWord.text(message.id)) that waits or is held", name: message.id)
            let result = try await Dispatch.server(context, ControlRequest("queue.remove", message.arguments))
            context.output.result(result) { QueueCommand.done(result, "removed", "copies") }
            return 0
        }
    }
}
