// `user`: the members of a node.

import ArgumentParser
import DDSCore
import DDSLoop
import DDSNode
import DDSSeal

struct UserCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "user", abstract: "Members of the node.",
        subcommands: [Add.self, List.self, Show.self, Set.self, Device.self, Suspend.self, Resume.self, Remove.self])

    /// The password in `file` as text for the control channel.
    @LoopActor static func password(_ context: Context, _ file: String?) throws(Failure) -> JSONValue? {
        guard let file else { return nil }
        let secret = try context.terminal.secret(file: file, option: "--password-file", question: "Password")
        return try context.text(secret, option: "--password-file")
    }

    @LoopActor static func describe(_ user: JSONValue) -> String {
        let groups = user["groups"]?.strings ?? []
        var line = "user \(SafeWord.text(user["address"]))"
        if let display = user["display"]?.string, !display.isEmpty { line += " (\(SafeWord.text(display)))" }
        line += ", \(SafeWord.text(user["state"]))"
        if !groups.isEmpty { line += ", in " + groups.map { "#\(SafeWord.text($0))" }.joined(separator: " ") }
        return line
    }
}

extension UserCommand {
    /// The fields for people: a device in a few words.
    @LoopActor static func shown(_ user: JSONValue) -> JSONValue {
        guard case .object(var fields) = user, let devices = user["devices"]?.array else { return user }
        fields["devices"] = .text(devices.map(Self.words).joined(separator: ", "))
        return .object(fields)
    }

    /// `2 "phone" since 2026-11-28`.
    @LoopActor private static func words(_ device: JSONValue) -> String {
        SafeWord.text(device["number"])
            + (device["title"]?.string == nil ? "" : " \"\(SafeWord.text(device["title"]))\"")
            + (device["since"]?.string == nil ? "" : " since \(SafeWord.text(device["since"]))")
    }
}

extension UserCommand {
    struct Add: NodeCommand {
        static let configuration = CommandConfiguration(
            abstract: "Add a member and print an invite.",
            discussion:
                "With --recipient and --password-file the member uses an ordinary mail program and age, and gets no invite.")

        @Argument(help: "The part of the address before the @.") var name: String
        @Option(help: ArgumentHelp("The member's name for people.", valueName: "text")) var display: String?
        @Option(help: ArgumentHelp("A group to join; may be given several times.", valueName: "group")) var group: [String] = []
        @Option(help: ArgumentHelp("The age recipient (age1..., age1pq1...) of the member's mail.", valueName: "age1..."))
        var recipient: String?
        @Option(
            help: ArgumentHelp("A file with the password of an ordinary mail program; - is standard input.", valueName: "file"),
            completion: .file())
        var passwordFile: String?
        @Flag(help: "Make no invite.") var noInvite = false
        @OptionGroup(title: "Global options") var globals: GlobalOptions

        func perform(_ context: Context) async throws(Failure) -> Int32 {
            var arguments: [String: JSONValue] = ["name": .text(name), "groups": .texts(group), "invite": .bool(!noInvite)]
            if let display { arguments["display"] = .text(display) }
            if let recipient { arguments["recipient"] = .text(recipient) }
            if let password = try UserCommand.password(context, passwordFile) { arguments["password"] = password }
            let result = try await Dispatch.server(context, ControlRequest("user.add", .object(arguments)))
            context.output.result(result) { UserCommand.describe(result) + InviteCommand.describe(result) }
            if let invite = result["invite"]?.string {
                context.output.next("on the member's computer: ddsnode join '\(invite)'")
            }
            return 0
        }
    }

    struct List: NodeCommand {
        static let configuration = CommandConfiguration(abstract: "List the members.")
        @OptionGroup(title: "Global options") var globals: GlobalOptions

        func perform(_ context: Context) async throws(Failure) -> Int32 {
            let result = try await Dispatch.server(context, ControlRequest("user.list"))
            context.output.result(result) {
                context.output.table(
                    (result.array ?? []).map { user in
                        ["address", "state", "login", "groups", "display"].map { SafeWord.text(user[$0]) }
                    })
            }
            return 0
        }
    }

    struct Show: NodeCommand {
        static let configuration = CommandConfiguration(abstract: "Show a member.")
        @Argument(help: "The member's name.") var name: String
        @OptionGroup(title: "Global options") var globals: GlobalOptions

        func perform(_ context: Context) async throws(Failure) -> Int32 {
            let result = try await Dispatch.server(context, ControlRequest("user.show", ["name": .text(name)]))
            context.output.result(result) { context.fields(UserCommand.shown(result)) }
            return 0
        }
    }

    struct Set: NodeCommand {
        static let configuration = CommandConfiguration(
            abstract: "Give a member access with an ordinary mail program.",
            discussion:
                "A member with an agent logs in with its key alone, unless --password-login on lets a password in besides.")
        @Argument(help: "The member's name.") var name: String
        @Option(help: ArgumentHelp("The age recipient (age1..., age1pq1...) of the member's mail.", valueName: "age1..."))
        var recipient: String?
        @Option(
            help: ArgumentHelp("A file with the password; - is standard input.", valueName: "file"), completion: .file())
        var passwordFile: String?
        @Option(
            help: ArgumentHelp("Whether a member with an agent may log in with a password too: on or off.", valueName: "on|off")
        )
        var passwordLogin: String?
        @OptionGroup(title: "Global options") var globals: GlobalOptions

        func perform(_ context: Context) async throws(Failure) -> Int32 {
            var arguments: [String: JSONValue] = ["name": .text(name)]
            if let recipient { arguments["recipient"] = .text(recipient) }
            if let passwordLogin { arguments["password_login"] = .text(passwordLogin) }
            if let password = try UserCommand.password(context, passwordFile) { arguments["password"] = password }
            let result = try await Dispatch.server(context, ControlRequest("user.set", .object(arguments)))
            context.output.result(result) { UserCommand.describe(result) }
            return 0
        }
    }

    struct Suspend: NodeCommand {
        static let configuration = CommandConfiguration(abstract: "Refuse a member's logins and mail until `user resume`.")
        @Argument(help: "The member's name.") var name: String
        @OptionGroup(title: "Global options") var globals: GlobalOptions

        func perform(_ context: Context) async throws(Failure) -> Int32 {
            let result = try await Dispatch.server(context, ControlRequest("user.suspend", ["name": .text(name)]))
            context.output.result(result) { UserCommand.describe(result) }
            context.output.next("ddsnode user resume \(SafeWord.text(name)) takes it back")
            return 0
        }
    }

    struct Resume: NodeCommand {
        static let configuration = CommandConfiguration(abstract: "Take a suspension back.")
        @Argument(help: "The member's name.") var name: String
        @OptionGroup(title: "Global options") var globals: GlobalOptions

        func perform(_ context: Context) async throws(Failure) -> Int32 {
            let result = try await Dispatch.server(context, ControlRequest("user.resume", ["name": .text(name)]))
            context.output.result(result) { UserCommand.describe(result) }
            return 0
        }
    }

    struct Remove: NodeCommand {
        static let configuration = CommandConfiguration(abstract: "Remove a member and the mail that waits for them.")
        @Argument(help: "The member's name.") var name: String
        @OptionGroup(title: "Global options") var globals: GlobalOptions

        func perform(_ context: Context) async throws(Failure) -> Int32 {
            // An unknown name is said before anybody is asked.
            _ = try await Dispatch.server(context, ControlRequest("user.show", ["name": .text(name)]))
            try context.terminal.confirm("this removes \(SafeWord.text(name)) and all mail waiting for them", name: name)
            let result = try await Dispatch.server(context, ControlRequest("user.remove", ["name": .text(name)]))
            context.output.result(result) { "removed user \(SafeWord.text(result["removed"]))" }
            return 0
        }
    }
}

extension UserCommand {
    struct Device: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "A member's devices; user show lists them.", subcommands: [Revoke.self])
    }
}

extension UserCommand.Device {
    struct Revoke: NodeCommand {
        static let configuration = CommandConfiguration(
            abstract: "Refuse a device of a member for ever, and erase what waits for it.")
        @Argument(help: "The member's name.") var name: String
        @Argument(help: "The device's number.") var number: Int
        @OptionGroup(title: "Global options") var globals: GlobalOptions

        func perform(_ context: Context) async throws(Failure) -> Int32 {
            let result = try await Dispatch.server(
                context, ControlRequest("user.device.revoke", ["name": .text(name), "number": .number(number)]))
            context.output.result(result) {
                UserCommand.describe(result) + ", devices: " + SafeWord.text(UserCommand.shown(result)["devices"])
            }
            return 0
        }
    }
}
