// `backup`: a copy of what a node is, and a node out of such a copy.

import ArgumentParser
import DDSCore
import DDSLoop
import DDSNode
import DDSSeal
import DDSServer

struct BackupCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "backup", abstract: "Copies of the node's members, groups, invites and keys.",
        discussion: "A backup holds no mail and no key of the spool: what was erased stays erased.",
        subcommands: [Create.self, Verify.self, Restore.self])

    @LoopActor static func describe(_ backup: JSONValue) -> String {
        func number(_ name: String) -> String { SafeWord.text(backup[name]) }
        return """
            backup of \(SafeWord.text(backup["node"])), made \(SafeWord.text(backup["created"]))
            brings back: \(number("users")) members, \(number("groups")) groups, \(number("invites")) invites, the node's keys
            does not bring back: mail that waited for members (\(number("not_included")) messages then); nothing that was fetched, \
            expired or erased
            """
    }
}

/// What opens a backup.
struct BackupOpener: ParsableArguments {
    @Option(help: ArgumentHelp("What age-keygen wrote for the backup's recipient.", valueName: "file"), completion: .file())
    var identityFile: String?
    @Option(
        help: ArgumentHelp("A file with the backup's passphrase; - is standard input.", valueName: "file"), completion: .file())
    var passphraseFile: String?

    @LoopActor func secrets(_ context: Context) throws(Failure) -> (identity: SecretBytes?, passphrase: SecretBytes?) {
        if let identityFile {
            return (try context.terminal.secret(file: identityFile, option: "--identity-file", question: ""), nil)
        }
        return (nil, try context.terminal.secret(file: passphraseFile, option: "--passphrase-file", question: "Passphrase of the backup"))
    }

    @LoopActor static func read(_ path: String) throws(Failure) -> [UInt8] {
        do {
            return try HostFiles.read(path, limit: 256 << 20)
        } catch {
            throw Failure(error.kind == .notFound ? .fileMissing : .inputOutput, "the backup cannot be read: \(error)")
        }
    }
}

extension BackupCommand {
    struct Create: NodeCommand {
        static let configuration = CommandConfiguration(
            abstract: "Write a backup of the node, which may be running.",
            discussion: "An age file. Without options it is for the recipient of the keyring's recovery slot.")

        @Argument(help: "The file to write; it must not exist.", completion: .file()) var file: String
        @Option(help: ArgumentHelp("Who may open it.", valueName: "age1...")) var recipient: String?
        @Option(
            help: ArgumentHelp("A file with a passphrase that opens it; - is standard input.", valueName: "file"),
            completion: .file())
        var passphraseFile: String?
        @OptionGroup(title: "Global options") var globals: GlobalOptions

        func perform(_ context: Context) async throws(Failure) -> Int32 {
            guard !HostFiles.exists(file) else {
                throw Failure(.cannotCreate, "\(file) exists and is left as it is; name another file")
            }
            var arguments: [String: JSONValue] = [:]
            if let recipient { arguments["recipient"] = .text(recipient) }
            if let passphraseFile {
                let secret = try context.terminal.secret(file: passphraseFile, option: "--passphrase-file", question: "")
                arguments["passphrase"] = try context.text(secret, option: "--passphrase-file")
            }
            let result = try await Dispatch.server(context, ControlRequest("backup.create", .object(arguments)))
            guard case .object(var summary) = result, let bytes = result["file"]?.string.flatMap({ Base64.decode(Array($0.utf8)) })
            else { throw Failure(.protocolError, "the node did not give a backup; restart it after the upgrade") }
            do {
                try HostFiles.write(file, bytes)
            } catch {
                throw Failure(.cannotCreate, "cannot write \(file): \(error)")
            }
            summary["file"] = .text(file)
            summary["bytes"] = .number(bytes.count)
            context.output.result(.object(summary)) { BackupCommand.describe(result) + "\nwrote \(file)" }
            context.output.next("ddsnode backup verify \(file), and keep it away from the node")
            return 0
        }
    }

    struct Verify: NodeCommand {
        static let configuration = CommandConfiguration(abstract: "Open a backup and say what is in it.")
        @Argument(help: "The backup.", completion: .file()) var file: String
        @OptionGroup var opener: BackupOpener
        @OptionGroup(title: "Global options") var globals: GlobalOptions

        func perform(_ context: Context) async throws(Failure) -> Int32 {
            let bytes = try BackupOpener.read(file)
            let secrets = try opener.secrets(context)
            let result = try await OfflineServer.readBackup(
                bytes, identity: secrets.identity, passphrase: secrets.passphrase, random: SystemRandom(), time: Loop.time)
            context.output.result(result) { BackupCommand.describe(result) }
            return 0
        }
    }

    struct Restore: NodeCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a node of a backup, where none is yet.",
            discussion: "The new node has a new, empty spool. Agents know it by its keys, notice that its store is another one, and go on.")

        @Argument(help: "The backup.", completion: .file()) var file: String
        @OptionGroup var opener: BackupOpener
        @Option(
            help: ArgumentHelp("A file with the new node's own passphrase, where one is configured.", valueName: "file"),
            completion: .file())
        var nodePassphraseFile: String?
        @OptionGroup(title: "Global options") var globals: GlobalOptions

        func perform(_ context: Context) async throws(Failure) -> Int32 {
            let config = try context.config(for: ServerRole.name)
            let bytes = try BackupOpener.read(file)
            let secrets = try opener.secrets(context)
            var nodePassphrase: SecretBytes?
            if OfflineServer.wantsPassphrase(config) {
                nodePassphrase = try context.terminal.secret(
                    file: nodePassphraseFile, option: "--node-passphrase-file", question: "Passphrase of the node", isNew: true)
            }
            let result = try await OfflineServer.readBackup(
                bytes, identity: secrets.identity, passphrase: secrets.passphrase, restoring: config,
                nodePassphrase: nodePassphrase, random: SystemRandom(), time: Loop.time)
            context.output.result(result) { "restored\n" + BackupCommand.describe(result) }
            context.output.next("ddsnode run")
            return 0
        }
    }
}
