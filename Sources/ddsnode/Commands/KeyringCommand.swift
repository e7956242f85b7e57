// `keyring`: the ways to a node's master key, and its next seal key.

import ArgumentParser
import DDSCore
import DDSLoop
import DDSNode
import DDSSeal
import DDSServer

struct KeyringCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "keyring", abstract: "The ways to the node's master key, and its seal key.",
        subcommands: [List.self, Add.self, Remove.self, Recover.self, Rotate.self])

    @LoopActor static func describe(_ slots: JSONValue, _ output: Output) -> String {
        output.table(
            (slots.array ?? []).map { slot in
                [
                    SafeWord.text(slot["kind"]), slot["in_use"]?.boolean == true ? "starts the node" : "",
                    SafeWord.text(slot["recipient"]),
                ]
            })
    }
}

extension KeyringCommand {
    struct List: NodeCommand {
        static let configuration = CommandConfiguration(abstract: "List the slots of the keyring.")
        @OptionGroup(title: "Global options") var globals: GlobalOptions

        func perform(_ context: Context) async throws(Failure) -> Int32 {
            let result = try await Dispatch.server(context, ControlRequest("keyring.list"))
            context.output.result(result) { KeyringCommand.describe(result, context.output) }
            return 0
        }
    }

    struct Add: NodeCommand {
        static let configuration = CommandConfiguration(
            abstract: "Add a slot, or give it another secret.",
            discussion: "The node goes on starting with the slot that server.keys.master names.")

        @Argument(help: "What the slot is for: file, passphrase, credential, fd or recovery.") var kind: String
        @Option(
            help: ArgumentHelp("A file with the passphrase; - is standard input.", valueName: "file"), completion: .file())
        var passphraseFile: String?
        @Option(help: ArgumentHelp("A file with 32 random bytes, for credential and fd.", valueName: "file"), completion: .file())
        var keyFile: String?
        @Option(help: ArgumentHelp("An age recipient (age1...), for recovery.", valueName: "age1...")) var recipient: String?
        @OptionGroup(title: "Global options") var globals: GlobalOptions

        func perform(_ context: Context) async throws(Failure) -> Int32 {
            var arguments: [String: JSONValue] = ["kind": .text(kind)]
            if kind == "passphrase" {
                let secret = try context.terminal.secret(
                    file: passphraseFile, option: "--passphrase-file", question: "New passphrase of the node", isNew: true)
                arguments["passphrase"] = try context.text(secret, option: "--passphrase-file")
            }
            if let keyFile { arguments["key"] = .text(try Self.key(keyFile)) }
            if let recipient { arguments["recipient"] = .text(recipient) }
            let result = try await Dispatch.server(context, ControlRequest("keyring.add", .object(arguments)))
            context.output.result(result) { KeyringCommand.describe(result, context.output) }
            return 0
        }

        private static func key(_ file: String) throws(Failure) -> String {
            do {
                var bytes = try HostFiles.read(file, limit: 4096)
                defer { Wipe.zero(&bytes) }
                return Hex.encode(bytes)
            } catch {
                throw Failure(error.kind == .notFound ? .fileMissing : .inputOutput, "--key-file: \(error)")
            }
        }
    }

    struct Remove: NodeCommand {
        static let configuration = CommandConfiguration(abstract: "Take a slot away.")
        @Argument(help: "The slot.") var kind: String
        @OptionGroup(title: "Global options") var globals: GlobalOptions

        func perform(_ context: Context) async throws(Failure) -> Int32 {
            try context.terminal.confirm("this takes the slot \(SafeWord.text(kind)) away for good", name: kind)
            let result = try await Dispatch.server(context, ControlRequest("keyring.remove", ["kind": .text(kind)]))
            context.output.result(result) { KeyringCommand.describe(result, context.output) }
            return 0
        }
    }

    struct Recover: NodeCommand {
        static let configuration = CommandConfiguration(
            abstract: "Open the keyring with the recovery identity and make the configured slot anew.",
            discussion: "For a key file that was lost or a passphrase that was forgotten. Nothing else changes.")

        @Option(help: ArgumentHelp("What age-keygen wrote for the recovery slot.", valueName: "file"), completion: .file())
        var identityFile: String
        @Option(
            help: ArgumentHelp("A file with the new passphrase, where one is configured.", valueName: "file"), completion: .file())
        var passphraseFile: String?
        @OptionGroup(title: "Global options") var globals: GlobalOptions

        func perform(_ context: Context) async throws(Failure) -> Int32 {
            let config = try context.config(for: ServerRole.name)
            let identity = try context.terminal.secret(file: identityFile, option: "--identity-file", question: "")
            var passphrase: SecretBytes?
            if OfflineServer.wantsPassphrase(config) {
                passphrase = try context.terminal.secret(
                    file: passphraseFile, option: "--passphrase-file", question: "New passphrase of the node", isNew: true)
            }
            try await OfflineServer.recover(
                config: config, identity: identity, passphrase: passphrase, random: context.services(config).random)
            context.output.result(["recovered": true, "slot": .text("\(config.server.keys.master)")]) {
                "the slot \(config.server.keys.master) opens the keyring again"
            }
            context.output.next("ddsnode run")
            return 0
        }
    }

    struct Rotate: NodeCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make the node's next seal key now.",
            discussion: "A running node does it every week. The key of before opens what is sealed to it for 48 hours more.")
        @OptionGroup(title: "Global options") var globals: GlobalOptions

        func perform(_ context: Context) async throws(Failure) -> Int32 {
            let result = try await Dispatch.server(context, ControlRequest("keyring.rotate"))
            context.output.result(result) {
                let news = "seal key \(SafeWord.text(result["number"])) is announced from now on\n"
                return (result["earlier"]?.array ?? []).reduce(news) {
                    $0 + "key \(SafeWord.text($1["number"])) opens what is sealed to it until \(SafeWord.text($1["until"]))\n"
                }
            }
            return 0
        }
    }
}
