// `gateway`: mail programs on this computer, by IMAP, POP3 and SMTP on loopback. A running agent does all of it.

import ArgumentParser
import DDSAgent
import DDSCore
import DDSLoop
import DDSNode

struct GatewayCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "gateway", abstract: "Serve your mail program on this computer.",
        subcommands: [On.self, Off.self, Show.self, Password.self, Autoconfig.self, Trust.self])

    static let protocolHelp: ArgumentHelp = "imap, pop or smtp; all of them when none is named."

    @LoopActor static func ask(_ context: Context, _ command: String, _ arguments: JSONValue = [:]) async throws(Failure)
        -> JSONValue
    {
        let config = try context.config(for: AgentRole.name)
        return try await Dispatch.runningDaemon(config, ControlRequest("agent.gateway.\(command)", arguments))
    }

    /// Where mail programs connect, and how they log in.
    static func card(_ result: JSONValue) -> String {
        let listeners = result["listeners"]?.array ?? []
        guard !listeners.isEmpty else { return "The gateway is off." + troubles(result) }
        var lines = listeners.map { listener in
            let title = SafeWord.text(listener["title"]).padding(to: 5)
            let way = listener["tls"]?.boolean == true ? "TLS" : "no encryption"
            return "\(title) \(SafeWord.text(listener["address"]))  \(way) (loopback, only your user may connect)"
        }
        lines.append("User  \(SafeWord.text(result["user"]))" + password(result))
        return lines.joined(separator: "\n") + troubles(result)
    }

    private static func password(_ result: JSONValue) -> String {
        guard let password = result["password"] else { return "" }
        return "        Password  \(SafeWord.text(password))     (shown once; ddsnode gateway password list)"
    }

    private static func troubles(_ result: JSONValue) -> String {
        let locked = result["locked"]?.boolean == true ? ["The agent is locked: nothing is served before ddsnode unlock."] : []
        return (locked + (result["problems"]?.strings ?? []).map { SafeWord.text($0) }).map { "\n" + $0 }.joined()
    }

    static func table(_ result: JSONValue, _ context: Context) -> String {
        let passwords = result["passwords"]?.array ?? []
        guard !passwords.isEmpty else { return "no mail program has a password" }
        return context.output.table(
            passwords.map { password in
                let used = password["last_used"]?.string.map { "last used \(SafeWord.text($0))" } ?? "never used"
                return [SafeWord.text(password["name"]), "made \(SafeWord.text(password["made"]))", used]
            })
    }

    struct On: NodeCommand {
        static let configuration = CommandConfiguration(
            commandName: "on", abstract: "Let mail programs fetch and send, also after a restart.",
            discussion: """
                A first password is made where there is none. The port stays the same from then on. TLS is for all protocols or \
                for none; it is off at first, since nothing leaves this computer.
                """)

        @Flag(inversion: .prefixedNo, help: "Have mail programs speak TLS; see gateway trust.") var tls: Bool?
        @Argument(help: GatewayCommand.protocolHelp) var protocols: [String] = []
        @OptionGroup(title: "Global options") var globals: GlobalOptions

        func perform(_ context: Context) async throws(Failure) -> Int32 {
            var arguments: [String: JSONValue] = ["protocols": .texts(protocols)]
            if let tls { arguments["tls"] = .bool(tls) }
            let result = try await GatewayCommand.ask(context, "on", .object(arguments))
            context.output.result(result) {
                GatewayCommand.card(result)
                    + (tls == true ? "\nFor your mail program to trust the certificate: ddsnode gateway trust" : "")
                    + "\nNote: your mail program will keep decrypted mail on disk.      Thunderbird file: ddsnode gateway autoconfig"
            }
            return 0
        }
    }

    struct Off: NodeCommand {
        static let configuration = CommandConfiguration(
            commandName: "off", abstract: "Serve mail programs no more.",
            discussion: "Passwords stay; revoke them with password revoke.")

        @Argument(help: GatewayCommand.protocolHelp) var protocols: [String] = []
        @OptionGroup(title: "Global options") var globals: GlobalOptions

        func perform(_ context: Context) async throws(Failure) -> Int32 {
            let result = try await GatewayCommand.ask(context, "off", ["protocols": .texts(protocols)])
            context.output.result(result) { GatewayCommand.card(result) }
            return 0
        }
    }

    struct Show: NodeCommand {
        static let configuration = CommandConfiguration(
            commandName: "show", abstract: "Show where mail programs connect, as whom, and which have a password.")

        @OptionGroup(title: "Global options") var globals: GlobalOptions

        func perform(_ context: Context) async throws(Failure) -> Int32 {
            let result = try await GatewayCommand.ask(context, "show")
            context.output.result(result) { GatewayCommand.card(result) + "\n" + GatewayCommand.table(result, context) }
            return 0
        }
    }

    struct Autoconfig: NodeCommand {
        static let configuration = CommandConfiguration(
            commandName: "autoconfig", abstract: "Write the file by which Thunderbird and others set themselves up.",
            discussion: "It holds no password. The page serves the same at /mail/config-v1.1.xml.")

        @Option(help: ArgumentHelp("Write to this file instead of standard output.", valueName: "file")) var out: String?
        @OptionGroup(title: "Global options") var globals: GlobalOptions

        func perform(_ context: Context) async throws(Failure) -> Int32 {
            let result = try await GatewayCommand.ask(context, "autoconfig")
            let text = result["xml"]?.string ?? ""
            guard let out else {
                context.output.result(result) { text }
                return 0
            }
            do {
                try HostFiles.write(out, Array(text.utf8), mode: 0o644)
            } catch {
                throw Failure(.cannotCreate, "\(error)")
            }
            context.output.result(["file": .text(out)]) { "written to \(SafeWord.text(out))" }
            return 0
        }
    }

    struct Password: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "password", abstract: "Passwords of mail programs, one for each.",
            subcommands: [Add.self, List.self, Revoke.self])

        struct Add: NodeCommand {
            static let configuration = CommandConfiguration(
                commandName: "add", abstract: "Make a password for one mail program; it is shown this once.")

            @Argument(help: "What you call the mail program.") var name: String
            @OptionGroup(title: "Global options") var globals: GlobalOptions

            func perform(_ context: Context) async throws(Failure) -> Int32 {
                let result = try await GatewayCommand.ask(context, "password.add", ["name": .text(name)])
                // Alone on its line, so that it can be piped to where it is kept.
                context.output.result(result) { SafeWord.text(result["password"]) }
                return 0
            }
        }

        struct List: NodeCommand {
            static let configuration = CommandConfiguration(
                commandName: "list", abstract: "List the passwords: names, when they were made and last used.")

            @OptionGroup(title: "Global options") var globals: GlobalOptions

            func perform(_ context: Context) async throws(Failure) -> Int32 {
                let result = try await GatewayCommand.ask(context, "password.list")
                context.output.result(result) { GatewayCommand.table(result, context) }
                return 0
            }
        }

        struct Revoke: NodeCommand {
            static let configuration = CommandConfiguration(
                commandName: "revoke", abstract: "Take a mail program's password away, and end its sessions.")

            @Argument(help: "The password's name.") var name: String
            @OptionGroup(title: "Global options") var globals: GlobalOptions

            func perform(_ context: Context) async throws(Failure) -> Int32 {
                let result = try await GatewayCommand.ask(context, "password.revoke", ["name": .text(name)])
                context.output.result(result) { "revoked" }
                return 0
            }
        }
    }
}

extension String {
    fileprivate func padding(to count: Int) -> String { self + String(repeating: " ", count: max(0, count - self.count)) }
}
