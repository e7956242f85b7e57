// `key`: a member's own keys, the passphrase over them, and the recovery kit.

import ArgumentParser
import DDSAgent
import DDSCore
import DDSLoop
import DDSNode
import DDSSeal

struct KeyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "key", abstract: "Your own keys, their passphrase and the recovery kit.",
        subcommands: [Show.self, Verify.self, Passwd.self, Backup.self, Rehearse.self, Restore.self])
}

extension KeyCommand {
    struct Show: NodeCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show the fingerprints of your keys.",
            discussion: "No secret is shown. The identity is known while the agent is unlocked, or with the passphrase.")

        @Option(
            help: ArgumentHelp("A file with the passphrase; - is standard input.", valueName: "file"), completion: .file())
        var passphraseFile: String?
        @Flag(help: "Show the identity's fingerprint as a QR code too.") var qr = false
        @OptionGroup(title: "Global options") var globals: GlobalOptions

        func perform(_ context: Context) async throws(Failure) -> Int32 {
            let passphrase = try passphraseFile.map { file throws(Failure) in
                try context.terminal.secret(file: file, option: "--passphrase-file", question: "Passphrase")
            }
            let result = try await Dispatch.store(context, unlocking: { passphrase }) { ask throws(Failure) in
                try await ask(ControlRequest("agent.keys"))
            }
            context.output.result(result) { describe(result, context.output) }
            return 0
        }

        @LoopActor private func describe(_ result: JSONValue, _ output: Output) -> String {
            let rows = ["identity", "device", "mailbox"].map { name -> [String] in
                guard result[name] != .null else { return [name, "unknown while locked; unlock, or use --passphrase-file"] }
                return [name, SafeWord.text(result[name]?["words"]), SafeWord.text(result[name]?["hex"])]
            }
            return "\(SafeWord.text(result["address"])) at \(SafeWord.text(result["node"]))\n" + output.table(rows)
                + picture(result)
        }

        /// Another person's camera reads it; what it reads is what `key verify` takes.
        @LoopActor private func picture(_ result: JSONValue) -> String {
            guard qr, let text = result["identity"]?["scan"]?.string, let code = QRCode(Array(text.utf8)) else { return "" }
            return "\n" + code.terminalText
        }
    }

    struct Passwd: NodeCommand {
        static let configuration = CommandConfiguration(
            abstract: "Give your keys another passphrase.",
            discussion: "The old key file stays until the new one was opened again from the disk. An agent that runs goes on.")

        @Option(
            help: ArgumentHelp("A file with the passphrase of now; - is standard input.", valueName: "file"),
            completion: .file())
        var passphraseFile: String?
        @Option(
            help: ArgumentHelp("A file with the new passphrase; - is standard input.", valueName: "file"), completion: .file())
        var newPassphraseFile: String?
        @OptionGroup(title: "Global options") var globals: GlobalOptions

        func perform(_ context: Context) async throws(Failure) -> Int32 {
            guard passphraseFile != "-" || newPassphraseFile != "-" else {
                throw Failure(.usage, "only one of the two passphrases can come from standard input")
            }
            let old = try context.terminal.secret(
                file: passphraseFile, option: "--passphrase-file", question: "Passphrase until now")
            let new = try context.newPassphrase(
                file: newPassphraseFile, option: "--new-passphrase-file", question: "New passphrase")
            let request = ControlRequest(
                "agent.passwd",
                [
                    "passphrase": try context.text(old, option: "--passphrase-file"),
                    "new_passphrase": try context.text(new, option: "--new-passphrase-file"),
                ])
            let result = try await Dispatch.store(context, unlocking: { nil }) { ask throws(Failure) in try await ask(request) }
            context.output.result(result) { "the passphrase was changed" }
            if result["overwritten"]?.boolean != true {
                context.output.complain(
                    "warning: the old key file could not be overwritten; a copy of it opens with the old passphrase")
            }
            return 0
        }
    }

    struct Backup: NodeCommand {
        static let configuration = CommandConfiguration(
            abstract: "Write a recovery kit to be printed.",
            discussion:
                "A page for people, and a code that brings back your identity and account on a new machine. It holds no mail, and no "
                + "passphrase protects it: print it, rehearse it, delete the file.")

        @Argument(help: "The new file, which ends in .html or .txt.", completion: .file()) var file: String
        @Option(
            help: ArgumentHelp("A file with the passphrase; - is standard input.", valueName: "file"), completion: .file())
        var passphraseFile: String?
        @OptionGroup(title: "Global options") var globals: GlobalOptions

        func perform(_ context: Context) async throws(Failure) -> Int32 {
            let config = try context.config(for: AgentRole.name)
            guard let form = RecoveryDesk.Form(fileName: file) else {
                throw Failure(
                    .usage, "\(file): a recovery kit is a page to print (.html) or a text (.txt); choose by the end of the name"
                )
            }
            let taken = Failure(.cannotCreate, "\(file) is there already and was left as it is; choose another name")
            guard !HostFiles.exists(file) else { throw taken }
            let passphrase = try context.terminal.secret(
                file: passphraseFile, option: "--passphrase-file", question: "Passphrase")
            let kit = try await RecoveryDesk.make(form, config, passphrase: passphrase, at: Loop.time.wall)
            do throws(DiskError) {
                try kit.withExposed { bytes throws(DiskError) in try HostFiles.create(file, bytes) }
            } catch {
                throw error.kind == .exists ? taken : Failure(.cannotCreate, "cannot write \(file): \(error)")
            }
            let result = try await RecoveryDesk.rehearse(try KeyCommand.kit(file), config) { passphrase }
            context.output.result(result) {
                "\(file) is written, read again and compared. Print it, then delete it: whoever has it is you."
            }
            context.output.next("ddsnode key rehearse FILE, with what you type from the paper")
            return 0
        }
    }

    struct Rehearse: NodeCommand {
        static let configuration = CommandConfiguration(
            abstract: "Prove that a recovery kit opens.",
            discussion: "Reads the kit, and compares the identity and the account in it with yours. Changes nothing.")

        @Argument(help: "The kit, or a text typed from the paper; - is standard input.", completion: .file()) var file: String
        @Option(
            help: ArgumentHelp("A file with the passphrase; - is standard input.", valueName: "file"), completion: .file())
        var passphraseFile: String?
        @OptionGroup(title: "Global options") var globals: GlobalOptions

        func perform(_ context: Context) async throws(Failure) -> Int32 {
            guard file != "-" || passphraseFile != "-" else {
                throw Failure(.usage, "only one of kit and passphrase can come from standard input")
            }
            let config = try context.config(for: AgentRole.name)
            let result = try await RecoveryDesk.rehearse(try KeyCommand.kit(file), config) { () throws(Failure) in
                try context.terminal.secret(file: passphraseFile, option: "--passphrase-file", question: "Passphrase")
            }
            context.output.result(result) {
                "this kit brings back \(SafeWord.text(result["address"])) at \(SafeWord.text(result["node"]))"
            }
            return 0
        }
    }

    /// The content of a file with a kit.
    static func kit(_ file: String) throws(Failure) -> SecretBytes {
        let limit = 1 << 20
        var bytes: [UInt8]
        if file == "-" {
            bytes = try StandardInput.read(limit: limit)
        } else {
            do throws(DiskError) {
                bytes = try HostFiles.read(file, limit: limit)
            } catch {
                throw Failure(error.kind == .notFound ? .fileMissing : .inputOutput, "cannot read the kit: \(error)")
            }
        }
        return SecretBytes(consuming: &bytes)
    }
}
