// `roster`: who is in one of your groups, and an owner's word about it.

import ArgumentParser
import DDSAgent
import DDSCore
import DDSLoop
import DDSNode

struct RosterCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "roster", abstract: "Who is in your groups, and your word about it as an owner.",
        subcommands: [Show.self, Confirm.self])

    @LoopActor fileprivate static func describe(_ roster: JSONValue, _ output: Output) -> String {
        let rows = (roster["members"]?.array ?? []).map { member in
            [
                SafeWord.text(member["address"]), SafeWord.text(member["display"]), SafeWord.text(member["role"]),
                member["joined"]?.boolean == true
                    ? member["identity"] == .null ? "no key to sign with" : SafeWord.text(member["identity"]?["words"])
                    : "not joined yet",
            ]
        }
        var text = "\(SafeWord.text(roster["group"])), roster \(SafeWord.text(roster["number"]))\n" + output.table(rows)
        if let words = roster["confirmed"]?.string { text += "\n\(SafeWord.text(.text(words)))" }
        let changes = roster["unconfirmed_changes"]?.strings ?? []
        if !changes.isEmpty {
            text += "\nsince then:\n" + changes.map { "  \(SafeWord.text(.text($0)))" }.joined(separator: "\n")
        }
        return text
    }
}

extension RosterCommand {
    struct Show: NodeCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show who is in a group, as the node has told you.",
            discussion: "With the words of each member's identity, and what owners have said about it.")

        @Argument(help: "The group.") var group: String
        @OptionGroup var opening: PassphraseOption
        @OptionGroup(title: "Global options") var globals: GlobalOptions

        func perform(_ context: Context) async throws(Failure) -> Int32 {
            let result = try await opening.perform(ControlRequest("agent.roster", ["group": .text(group)]), context)
            context.output.result(result) { RosterCommand.describe(result, context.output) }
            return 0
        }
    }

    struct Confirm: NodeCommand {
        static let configuration = CommandConfiguration(
            abstract: "Sign who is in a group that you own.",
            discussion: "Shows the members and asks. The other members see that you have confirmed them, and that nobody has "
                + "where the node adds somebody of its own accord.")

        @Argument(help: "The group.") var group: String
        @OptionGroup var opening: PassphraseOption
        @OptionGroup(title: "Global options") var globals: GlobalOptions

        func perform(_ context: Context) async throws(Failure) -> Int32 {
            let result = try await opening.asking(context) { ask throws(Failure) in
                let roster = try await ask(ControlRequest("agent.roster", ["group": .text(group)]))
                if !context.output.isJSON { Output.write(RosterCommand.describe(roster, context.output) + "\n", to: 2) }
                try context.terminal.confirm("this says in your name that all of them belong into the group", name: group)
                return try await ask(
                    ControlRequest("agent.roster.confirm", ["group": .text(group), "hash": roster["hash"] ?? .null]))
            }
            context.output.result(result) {
                "confirmed roster \(SafeWord.text(result["number"])) of \(SafeWord.text(result["group"])); its members are told"
            }
            return 0
        }
    }
}
