// `invite`: one use, expiring, revocable.

import ArgumentParser
import DDSCore
import DDSLoop
import DDSNode

struct InviteCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "invite", abstract: "Invites: one use each, expiring, revocable.",
        subcommands: [New.self, List.self, Show.self, Revoke.self])

    /// The invite of a result, on a line of its own so that it can be copied whole.
    @LoopActor static func describe(_ result: JSONValue) -> String {
        guard let invite = result["invite"]?.string else { return "" }
        let number = SafeWord.text(result["invite_id"])
        return "\nInvite \(number) (one use, until \(SafeWord.text(result["invite_expires"]))):\n  \(SafeWord.text(invite))"
    }

    /// The number of an invite as people type it.
    static func number(_ text: String) throws(Failure) -> JSONValue {
        guard let number = Int64(text) else {
            throw Failure(.usage, "\"\(SafeWord.text(text))\" is no invite's number; see: ddsnode invite list")
        }
        return ["id": .number(number)]
    }
}

extension InviteCommand {
    struct New: NodeCommand {
        static let configuration = CommandConfiguration(abstract: "Make a new invite for a member.")
        @Argument(help: "The member's name.") var user: String
        @Option(help: ArgumentHelp("How long it lives, such as 7d or 12h.", valueName: "duration")) var expires = "7d"
        @OptionGroup(title: "Global options") var globals: GlobalOptions

        func perform(_ context: Context) async throws(Failure) -> Int32 {
            guard let lifetime = ConfigDuration.parse(expires) else {
                throw Failure(.usage, "--expires takes a duration such as 7d or 12h, not \"\(SafeWord.text(expires))\"")
            }
            let arguments: JSONValue = ["name": .text(user), "expires_seconds": .number(lifetime.components.seconds)]
            let result = try await Dispatch.server(context, ControlRequest("invite.new", arguments))
            context.output.result(result) { String(InviteCommand.describe(result).drop { $0 == "\n" }) }
            if let invite = result["invite"]?.string {
                context.output.next("on the member's computer: ddsnode join '\(invite)'")
            }
            return 0
        }
    }

    struct List: NodeCommand {
        static let configuration = CommandConfiguration(abstract: "List the invites. Their secrets are not kept.")
        @OptionGroup(title: "Global options") var globals: GlobalOptions

        func perform(_ context: Context) async throws(Failure) -> Int32 {
            let result = try await Dispatch.server(context, ControlRequest("invite.list"))
            context.output.result(result) {
                context.output.table(
                    (result.array ?? []).map { invite in ["id", "user", "state", "expires"].map { SafeWord.text(invite[$0]) } })
            }
            return 0
        }
    }

    struct Show: NodeCommand {
        static let configuration = CommandConfiguration(abstract: "Show an invite's state.")
        @Argument(help: "The invite's number.") var id: String
        @OptionGroup(title: "Global options") var globals: GlobalOptions

        func perform(_ context: Context) async throws(Failure) -> Int32 {
            let result = try await Dispatch.server(context, ControlRequest("invite.show", try InviteCommand.number(id)))
            context.output.result(result) { context.fields(result) }
            return 0
        }
    }

    struct Revoke: NodeCommand {
        static let configuration = CommandConfiguration(abstract: "Make an invite worthless.")
        @Argument(help: "The invite's number.") var id: String
        @OptionGroup(title: "Global options") var globals: GlobalOptions

        func perform(_ context: Context) async throws(Failure) -> Int32 {
            let result = try await Dispatch.server(context, ControlRequest("invite.revoke", try InviteCommand.number(id)))
            context.output.result(result) { "revoked invite \(SafeWord.text(result["revoked"]))" }
            return 0
        }
    }
}
