// `key restore`: an account comes back from its recovery kit.

import ArgumentParser
import DDSAgent
import DDSCore
import DDSLoop
import DDSNode
import DDSSeal

extension KeyCommand {
    struct Restore: NodeCommand {
        static let configuration = CommandConfiguration(
            abstract: "Bring your account back from a recovery kit.",
            discussion:
                "For a new machine with an empty state folder. Makes new keys under a new passphrase, and tells the node, in your "
                + "identity's name, that they are yours from now on: the lost device is let in no more. What waited for you under its "
                + "keys is gone, and you are told how much. A restoration that failed can be run again.")

        @Argument(
            help: "The kit, or a text typed from the paper; - is standard input. Without it the code is asked for.",
            completion: .file())
        var file: String?
        @Option(
            help: ArgumentHelp("A file with the new passphrase; - is standard input.", valueName: "file"), completion: .file())
        var passphraseFile: String?
        @Flag(help: "Do not open the page afterwards.") var noBrowser = false
        @OptionGroup(title: "Global options") var globals: GlobalOptions

        func perform(_ context: Context) async throws(Failure) -> Int32 {
            // A damaged kit is said before anybody invents a passphrase.
            let kit = try RecoveryDesk.read(try content(context))
            let output = context.output
            output.progress("this is the kit of \(SafeWord.text("\(kit.address)")) at \(SafeWord.text(kit.node))")
            try context.makeConfiguration()
            try Dispatch.requireNobody(try context.config(for: AgentRole.name))
            let passphrase = try context.newPassphrase(file: passphraseFile, option: "--passphrase-file")
            let result = try await Dispatch.restore(context, kit: kit.code, passphrase: passphrase) {
                output.progress(SafeWord.text($0))
            }
            output.result(result) { Self.describe(result) }
            try await context.goOn(noBrowser: noBrowser)
            return 0
        }

        @LoopActor private func content(_ context: Context) throws(Failure) -> SecretBytes {
            if file == nil, context.terminal.canAsk { return try context.terminal.paragraph("Recovery code") }
            let file = file ?? "-"
            guard file != "-" || passphraseFile != "-" else {
                throw Failure(.usage, "only one of kit and passphrase can come from standard input")
            }
            return try KeyCommand.kit(file)
        }

        private static func describe(_ result: JSONValue) -> String {
            let groups = (result["groups"]?.strings ?? []).map { "#\(SafeWord.text($0))" }.joined(separator: " ")
            let lost = result["lost"]?.integer ?? 0
            let account = "you are \(SafeWord.text(result["address"])) again" + (groups.isEmpty ? "" : ", in \(groups)")
            let loss =
                switch lost {
                case 0: "nothing waited for you under the lost keys"
                case 1: "1 message that waited for you under the lost keys is gone; nobody can open it, and its author is told"
                default:
                    "\(lost) messages that waited for you under the lost keys are gone; nobody can open them, and their authors are told"
                }
            return account + "\n" + loss
        }
    }
}
