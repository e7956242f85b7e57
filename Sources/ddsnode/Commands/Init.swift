// `init`: a configuration file where there is none, and a node's keys, certificate and empty spool. Overwrites nothing.

import ArgumentParser
import DDSCore
import DDSDesktop
import DDSLoop
import DDSNode
import DDSSeal
import DDSServer
import Glibc

struct InitCommand: NodeCommand {
    enum Kind: String, ExpressibleByArgument, CaseIterable, Sendable {
        case server, agent, both

        var roles: [String] { self == .both ? ["server", "agent"] : [rawValue] }
    }

    static let configuration = CommandConfiguration(
        commandName: "init", abstract: "Make a node or an agent's configuration.",
        discussion: "Writes the configuration file if there is none, then the node's keys, certificate and spool. "
            + "Whatever exists already is left as it is.")

    @Argument(help: "What to set up: server, agent or both.") var kind: Kind

    @Option(
        help: ArgumentHelp(
            "The host name that agents connect to; also the mail domain unless --domain says another.", valueName: "host"))
    var name: String?

    @Option(help: ArgumentHelp("The mail domain: members are name@domain.", valueName: "domain")) var domain: String?

    @Option(help: ArgumentHelp("The address to listen at, without a port, such as 127.0.0.1 or [::].", valueName: "address"))
    var listen: String?

    @Option(
        help: ArgumentHelp("What opens the node's keyring: file, passphrase, credential or fd:N.", valueName: "kind"))
    var master: String?

    @Option(
        help: ArgumentHelp("A file with the keyring's passphrase; - is standard input.", valueName: "file"), completion: .file())
    var passphraseFile: String?

    @OptionGroup(title: "Global options") var globals: GlobalOptions

    func perform(_ context: Context) async throws(Failure) -> Int32 {
        let file = ConfigFile(options: globals)
        let wasThere = file.exists
        if wasThere {
            guard name == nil, domain == nil, listen == nil, master == nil else {
                throw Failure(
                    .cannotCreate,
                    "\(file.path) exists and is left as it is; change it there, or leave --name, --domain, --listen and --master away")
            }
        } else {
            try writeConfiguration(to: file.path, context)
            context.output.progress("wrote \(file.path)")
        }
        let config = try file.load(roles: kind.roles)
        var result: [String: JSONValue] = [
            "config": .text(file.path), "wrote_config": .bool(!wasThere), "roles": .texts(kind.roles),
            "state_dir": .text(config.node.stateDirectory),
        ]
        if kind != .agent {
            var passphrase: SecretBytes?
            if OfflineServer.wantsPassphrase(config) {
                passphrase = try context.terminal.secret(
                    file: passphraseFile, option: "--passphrase-file", question: "Passphrase of the node", isNew: true)
            }
            try await OfflineServer.create(
                config: config, passphrase: passphrase, random: context.services(config).random, time: Loop.time)
            result["node"] = .text(config.node.name)
            result["certificate"] = .text(Self.certificate(config))
        }
        context.output.result(.object(result)) { describe(config) }
        advise(context, config, file)
        return 0
    }

    /// For people who pin it in other programs.
    @LoopActor private static func certificate(_ config: Config) -> String {
        config.stateDirectory(of: ServerRole.name) + "/certificate.pem"
    }

    @LoopActor private func describe(_ config: Config) -> String {
        if kind == .agent { return "ready to join a node; state goes to \(config.node.stateDirectory)" }
        return """
            made node \(config.node.name): keys and empty spool in \(config.stateDirectory(of: ServerRole.name))
            certificate \(Self.certificate(config))
            listens at \((config.server.listen.pop3s + config.server.listen.submissions).joined(separator: ", "))
            """
    }

    @LoopActor private func advise(_ context: Context, _ config: Config, _ file: ConfigFile) {
        let program = file.isExplicit ? "ddsnode --config \(file.path)" : "ddsnode"
        context.output.next(kind == .agent ? "\(program) join INVITE" : "\(program) run, and \(program) user add NAME")
    }

    // MARK: Configuration

    @LoopActor private func writeConfiguration(to path: String, _ context: Context) throws(Failure) {
        var text = ConfigSchema.example(for: kind.roles)
        if kind != .agent {
            let host = try hostName(context)
            text = Self.setting(text, "name", to: domain ?? host)
            if let domain, domain != host { text = Self.setting(text, "host", to: host) }
            if let master { text = Self.setting(text, "master", to: master) }
            if let listen {
                for (key, port) in [("pop3s", 995), ("submissions", 465)] {
                    text = Self.setting(text, key, toLiteral: "[\(Self.quoted("\(listen):\(port)"))]")
                }
            }
        }
        // The file must be right before it stands there: a wrong --listen is refused here.
        do {
            _ = try Config.load(
                text: text, fileName: path, environment: Environment.folders, roleOverride: kind.roles,
                knownRoles: RoleRegistry.names)
            if let slash = path.lastIndex(of: "/"), slash != path.startIndex {
                try HostFiles.makeFolders(String(path[..<slash]))
            }
            try HostFiles.write(path, Array(text.utf8), mode: 0o644)
        } catch let error as ConfigError {
            throw Failure(.usage, "an option is not usable: \(error)")
        } catch {
            throw Failure(.cannotCreate, "cannot write \(path): \(error)")
        }
    }

    @LoopActor private func hostName(_ context: Context) throws(Failure) -> String {
        if let name { return name }
        if let domain { return domain }
        let standard = Self.machineName ?? "localhost"
        guard context.terminal.canAsk, !globals.yes else { return standard }
        return try context.terminal.ask("Node name", standard: standard)
    }

    /// The machine's own name where it is one that others could use.
    private static var machineName: String? {
        var bytes = [CChar](repeating: 0, count: 256)
        guard unsafe gethostname(&bytes, bytes.count - 1) == 0 else { return nil }
        let name = String(decoding: bytes.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return name.contains(".") ? name : nil
    }

    private static func setting(_ text: String, _ key: String, to value: String) -> String {
        setting(text, key, toLiteral: quoted(value))
    }

    /// Replaces the first line that sets `key` or shows its default.
    private static func setting(_ text: String, _ key: String, toLiteral literal: String) -> String {
        var isDone = false
        return text.split(separator: "\n", omittingEmptySubsequences: false).map { line in
            guard !isDone, line.hasPrefix("\(key) = ") || line.hasPrefix("#\(key) = ") else { return String(line) }
            isDone = true
            return "\(key) = \(literal)"
        }.joined(separator: "\n")
    }

    /// What could end the string is refused by the key's own rule: the loader reads the result.
    private static func quoted(_ value: String) -> String {
        "\"" + value.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\""
    }
}
