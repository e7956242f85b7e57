// `group`: the groups of a node and who is in them.

import ArgumentParser
import DDSCore
import DDSLoop
import DDSNode

struct GroupCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "group", abstract: "Groups of the node.",
        subcommands: [Add.self, List.self, Show.self, Set.self, Member.self, Handover.self, Remove.self])

    @LoopActor static func describe(_ group: JSONValue) -> String {
        var line = "group \(SafeWord.text(group["address"])) (\(SafeWord.text(group["mode"])), "
        line += "\(SafeWord.text(group["post"])) may post, pq \(SafeWord.text(group["pq"]))"
        line += group["sender_auth"]?.string == "signed" ? ", signed mail only)" : ")"
        let members = group["members"]?.strings ?? []
        return line
            + (members.isEmpty ? ", no members" : ", members " + members.map { SafeWord.text($0) }.joined(separator: " "))
    }

    /// A command that answers with the group as it is afterwards.
    @LoopActor static func perform(_ context: Context, _ request: ControlRequest) async throws(Failure) -> Int32 {
        let result = try await Dispatch.server(context, request)
        context.output.result(result) { describe(result) }
        return 0
    }
}

extension GroupCommand {
    struct Add: NodeCommand {
        static let configuration = CommandConfiguration(abstract: "Add a group.")

        @Argument(help: "The part of the group's address before the @.") var name: String
        @Option(help: ArgumentHelp("The group's name for people.", valueName: "text")) var title: String?
        @Option(help: ArgumentHelp("A member; may be given several times.", valueName: "user")) var member: [String] = []
        @Option(help: ArgumentHelp("A member who is an owner; may be given several times.", valueName: "user")) var owner:
            [String] = []
        @Option(help: ArgumentHelp("What the node does with mail: relay, blind or sealed.", valueName: "mode")) var mode:
            String?
        @Option(help: ArgumentHelp("Who may write to it: all, members or owners.", valueName: "who")) var post: String?
        @Option(help: ArgumentHelp("Post-quantum keys: off, prefer or require.", valueName: "policy")) var pq: String?
        @Option(help: ArgumentHelp("How readers know who wrote: attested or signed.", valueName: "how"))
        var senderAuth: String?
        @OptionGroup(title: "Global options") var globals: GlobalOptions

        func perform(_ context: Context) async throws(Failure) -> Int32 {
            var arguments: [String: JSONValue] = ["name": .text(name), "members": .texts(member), "owners": .texts(owner)]
            if let title { arguments["title"] = .text(title) }
            if let mode { arguments["mode"] = .text(mode) }
            if let post { arguments["post"] = .text(post) }
            if let pq { arguments["pq"] = .text(pq) }
            if let senderAuth { arguments["sender_auth"] = .text(senderAuth) }
            let status = try await GroupCommand.perform(context, ControlRequest("group.add", .object(arguments)))
            if member.isEmpty, owner.isEmpty { context.output.next("ddsnode group member add \(SafeWord.text(name)) USER") }
            return status
        }
    }

    struct List: NodeCommand {
        static let configuration = CommandConfiguration(abstract: "List the groups.")
        @OptionGroup(title: "Global options") var globals: GlobalOptions

        func perform(_ context: Context) async throws(Failure) -> Int32 {
            let result = try await Dispatch.server(context, ControlRequest("group.list"))
            context.output.result(result) {
                context.output.table(
                    (result.array ?? []).map { group in
                        ["address", "mode", "post", "pq", "members", "title"].map { SafeWord.text(group[$0]) }
                    })
            }
            return 0
        }
    }

    struct Show: NodeCommand {
        static let configuration = CommandConfiguration(abstract: "Show a group and who can read its mail.")
        @Argument(help: "The group's name.") var name: String
        @OptionGroup(title: "Global options") var globals: GlobalOptions

        func perform(_ context: Context) async throws(Failure) -> Int32 {
            let result = try await Dispatch.server(context, ControlRequest("group.show", ["name": .text(name)]))
            context.output.result(result) { context.fields(result) }
            return 0
        }
    }

    struct Set: NodeCommand {
        static let configuration = CommandConfiguration(abstract: "Change a group.")
        @Argument(help: "The group's name.") var name: String
        @Option(help: ArgumentHelp("The group's name for people.", valueName: "text")) var title: String?
        @Option(help: ArgumentHelp("What the node does with mail: relay, blind or sealed.", valueName: "mode")) var mode:
            String?
        @Option(help: ArgumentHelp("Who may write to it: all, members or owners.", valueName: "who")) var post: String?
        @Option(help: ArgumentHelp("Post-quantum keys: off, prefer or require.", valueName: "policy")) var pq: String?
        @Option(help: ArgumentHelp("How readers know who wrote: attested or signed.", valueName: "how"))
        var senderAuth: String?
        @OptionGroup(title: "Global options") var globals: GlobalOptions

        func perform(_ context: Context) async throws(Failure) -> Int32 {
            guard title != nil || mode != nil || post != nil || pq != nil || senderAuth != nil else {
                throw Failure(.usage, "say what to change: --title, --mode, --post, --pq or --sender-auth")
            }
            var arguments: [String: JSONValue] = ["name": .text(name)]
            if let title { arguments["title"] = .text(title) }
            if let mode { arguments["mode"] = .text(mode) }
            if let post { arguments["post"] = .text(post) }
            if let pq { arguments["pq"] = .text(pq) }
            if let senderAuth { arguments["sender_auth"] = .text(senderAuth) }
            return try await GroupCommand.perform(context, ControlRequest("group.set", .object(arguments)))
        }
    }

    struct Remove: NodeCommand {
        static let configuration = CommandConfiguration(
            abstract: "Remove a group. Mail that was delivered stays with its members.")
        @Argument(help: "The group's name.") var name: String
        @OptionGroup(title: "Global options") var globals: GlobalOptions

        func perform(_ context: Context) async throws(Failure) -> Int32 {
            _ = try await Dispatch.server(context, ControlRequest("group.show", ["name": .text(name)]))
            try context.terminal.confirm("this removes the group \(SafeWord.text(name))", name: name)
            let result = try await Dispatch.server(context, ControlRequest("group.remove", ["name": .text(name)]))
            context.output.result(result) { "removed group \(SafeWord.text(result["removed"]))" }
            return 0
        }
    }

    struct Handover: NodeCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make another member the owner of a group in somebody's place.",
            discussion: "Both stay members. The group's next roster shows it.")
        @Argument(help: "The group's name.") var name: String
        @Argument(help: "Who is an owner now and will be a member.") var from: String
        @Argument(help: "The member who will be an owner.") var to: String
        @OptionGroup(title: "Global options") var globals: GlobalOptions

        func perform(_ context: Context) async throws(Failure) -> Int32 {
            let arguments: JSONValue = ["name": .text(name), "from": .text(from), "to": .text(to)]
            let result = try await Dispatch.server(context, ControlRequest("group.handover", arguments))
            context.output.result(result) {
                let owners = (result["owners"]?.strings ?? []).map { SafeWord.text($0) }
                return "#\(SafeWord.text(result["name"])) is owned by \(owners.joined(separator: ", "))"
            }
            return 0
        }
    }

    struct Member: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Who is in a group.", subcommands: [MemberAdd.self, MemberRemove.self, MemberList.self])
    }

    struct MemberAdd: NodeCommand {
        static let configuration = CommandConfiguration(
            commandName: "add", abstract: "Add members. They get no mail from before.")
        @Argument(help: "The group's name.") var name: String
        @Argument(help: "The members' names.") var users: [String]
        @Flag(help: "Make them owners.") var owner = false
        @OptionGroup(title: "Global options") var globals: GlobalOptions

        func perform(_ context: Context) async throws(Failure) -> Int32 {
            let arguments: JSONValue = ["name": .text(name), "members": .texts(users), "owner": .bool(owner)]
            return try await GroupCommand.perform(context, ControlRequest("group.member.add", arguments))
        }
    }

    struct MemberRemove: NodeCommand {
        static let configuration = CommandConfiguration(commandName: "remove", abstract: "Remove members from a group.")
        @Argument(help: "The group's name.") var name: String
        @Argument(help: "The members' names.") var users: [String]
        @OptionGroup(title: "Global options") var globals: GlobalOptions

        func perform(_ context: Context) async throws(Failure) -> Int32 {
            let arguments: JSONValue = ["name": .text(name), "members": .texts(users)]
            return try await GroupCommand.perform(context, ControlRequest("group.member.remove", arguments))
        }
    }

    struct MemberList: NodeCommand {
        static let configuration = CommandConfiguration(commandName: "list", abstract: "List a group's members.")
        @Argument(help: "The group's name.") var name: String
        @OptionGroup(title: "Global options") var globals: GlobalOptions

        func perform(_ context: Context) async throws(Failure) -> Int32 {
            let result = try await Dispatch.server(context, ControlRequest("group.member.list", ["name": .text(name)]))
            context.output.result(result) {
                let owners = result["owners"]?.strings ?? []
                return context.output.table(
                    (result["members"]?.strings ?? []).map { [SafeWord.text($0), owners.contains($0) ? "owner" : ""] })
            }
            return 0
        }
    }
}
