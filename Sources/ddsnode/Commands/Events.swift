// `events`: what happens inside the daemon, metadata only.

import ArgumentParser
import DDSCore
import DDSLoop
import DDSNode

struct EventsCommand: NodeCommand {
    static let configuration = CommandConfiguration(
        commandName: "events", abstract: "Show what happened inside the daemon: metadata only, never mail.")

    @Flag(name: .shortAndLong, help: "Go on showing events as they happen.") var follow = false
    @OptionGroup(title: "Global options") var globals: GlobalOptions

    func perform(_ context: Context) async throws(Failure) -> Int32 {
        let request = ControlRequest("events", ["follow": .bool(follow)])
        let output = context.output
        _ = try await Dispatch.runningDaemon(try context.config(for: nil), request) { event in
            output.line(event) { Self.describe(event) }
        }
        return 0
    }

    private static func describe(_ event: JSONValue) -> String {
        guard case .object(let fields) = event else { return SafeWord.text(event) }
        let rest = fields.filter { $0.key != "event" && $0.key != "v" }.sorted { $0.key < $1.key }
        return ([SafeWord.text(fields["event"])] + rest.map { "\($0.key)=\(SafeWord.text($0.value))" }).joined(separator: " ")
    }
}
