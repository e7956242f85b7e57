// `spool`: the node's store, looked at, verified, and given a new root key; `torture` is in a file of its own.

import ArgumentParser
import DDSCore
import DDSLoop
import DDSNode

struct SpoolCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "spool", abstract: "The node's store.",
        subcommands: [Stat.self, Verify.self, Shred.self, TortureCommand.self])

    @LoopActor static func describe(_ spool: JSONValue, _ output: Output) -> String {
        func number(_ name: String) -> String { SafeWord.text(spool[name]) }
        func size(_ name: String) -> String { StatusCommand.size(spool[name]?.integer ?? 0) }
        let rotating = spool["awaiting_rotation"]?.integer ?? 0
        var text = output.table([
            ["records", "\(number("records"))   \(size("live_bytes")) in \(number("segments")) segments, \(number("free_segments")) free"],
            ["disk", "\(size("disk_bytes")) used, \(size("free_disk_bytes")) free"],
            ["work", "\(number("commits")) commits, \(number("erased")) erased, \(number("moved")) moved since the start"],
            ["erased", "to level \(number("erase_level"))   \(number("awaiting_overwrite")) bodies wait to be overwritten"],
            ["root", "epoch \(number("root_epoch"))   made \(number("root_made"))" + (rotating > 0 ? "   \(rotating) files to go" : "")],
            ["below", number("file_system_words")],
        ])
        for damage in spool["damage"]?.strings ?? [] { text += output.warning("damaged: \(SafeWord.text(damage))") + "\n" }
        for lost in spool["lost"]?.strings ?? [] { text += output.warning("lost: \(SafeWord.text(lost))") + "\n" }
        return text
    }

    static func hasDamage(_ spool: JSONValue) -> Bool {
        !(spool["damage"]?.strings ?? []).isEmpty || !(spool["lost"]?.strings ?? []).isEmpty
    }
}

extension SpoolCommand {
    struct Stat: NodeCommand {
        static let configuration = CommandConfiguration(abstract: "Show what the store holds and how far its erasures have come.")
        @OptionGroup(title: "Global options") var globals: GlobalOptions

        func perform(_ context: Context) async throws(Failure) -> Int32 {
            let result = try await Dispatch.server(context, ControlRequest("spool.stat"))
            context.output.result(result) { SpoolCommand.describe(result, context.output) }
            return SpoolCommand.hasDamage(result) ? 1 : 0
        }
    }

    struct Verify: NodeCommand {
        static let configuration = CommandConfiguration(
            abstract: "Read everything in the store and name what is damaged.",
            discussion: "Changes nothing. The exit status is 1 when something is damaged.")
        @OptionGroup(title: "Global options") var globals: GlobalOptions

        func perform(_ context: Context) async throws(Failure) -> Int32 {
            let result = try await Dispatch.server(context, ControlRequest("spool.verify"))
            let damage = result["damage"]?.strings ?? []
            context.output.result(result) {
                let seen = "\(SafeWord.text(result["records"])) records, \(StatusCommand.size(result["bytes"]?.integer ?? 0)), "
                    + "in \(SafeWord.text(result["segments"])) segments"
                guard !damage.isEmpty else { return "all is authentic: \(seen)" }
                return "\(damage.count) damaged among \(seen)\n"
                    + damage.map { context.output.warning("  \(SafeWord.text($0))") }.joined(separator: "\n")
            }
            return damage.isEmpty ? 0 : 1
        }
    }

    struct Shred: NodeCommand {
        static let configuration = CommandConfiguration(
            abstract: "Change the store's root key now.",
            discussion: "Returns when the former key is destroyed: what was erased before is at level E3 then.")
        @OptionGroup(title: "Global options") var globals: GlobalOptions

        func perform(_ context: Context) async throws(Failure) -> Int32 {
            let result = try await Dispatch.server(context, ControlRequest("spool.shred"))
            context.output.result(result) {
                "the former root key is destroyed; erased to level \(SafeWord.text(result["erase_level"]))\n"
                    + "\(SafeWord.text(result["file_system_words"]))"
            }
            return 0
        }
    }
}
