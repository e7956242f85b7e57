// `join`: from an invite and a passphrase to a member's agent.

import ArgumentParser
import DDSAgent
import DDSCore
import DDSDesktop
import DDSLoop
import DDSNode
import DDSSeal

struct JoinCommand: NodeCommand {
    static let configuration = CommandConfiguration(
        commandName: "join", abstract: "Become a member of the node that an invite is for, or add this device to yours.",
        discussion:
            "Makes your private key under a passphrase that nobody can reset, registers it, and sends a message through "
            + "the node to see that all is well. A join that failed can be run again.")

    @Argument(
        help:
            "The invite: dds://HOST/KEY#SECRET, or the link of your other device: dds://YOU@HOST/KEY#SECRET. - reads it from standard input, away from the process list."
    )
    var invite: String
    @Option(
        help: ArgumentHelp(
            "With the link of your other device: what you call this one; without it the machine's name.", valueName: "text"))
    var deviceName: String?
    @Option(
        help: ArgumentHelp("A file with the passphrase; - is standard input.", valueName: "file"), completion: .file())
    var passphraseFile: String?
    @Flag(help: "Do not open the page afterwards.") var noBrowser = false
    @OptionGroup(title: "Global options") var globals: GlobalOptions

    func perform(_ context: Context) async throws(Failure) -> Int32 {
        let link = try inviteText()
        // A damaged invite is said before anybody invents a passphrase.
        let isLink = try Invitation(link).isLink
        guard isLink || deviceName == nil else {
            throw Failure(.usage, "--device-name is for the link of your other device, and this is an invite")
        }
        try context.makeConfiguration()
        let passphrase = try context.newPassphrase(file: passphraseFile, option: "--passphrase-file")
        let output = context.output
        let result = try await Dispatch.join(context, link: link, title: deviceName ?? Machine.name, passphrase: passphrase) {
            output.progress(SafeWord.text($0))
        }
        output.result(result) { describe(result) }
        try await context.goOn(noBrowser: noBrowser)
        return 0
    }

    private func inviteText() throws(Failure) -> String {
        guard invite == "-" else { return invite }
        guard passphraseFile != "-" else {
            throw Failure(.usage, "only one of invite and passphrase can come from standard input")
        }
        return String(decoding: try StandardInput.read(limit: 4096), as: UTF8.self)
    }

    private func describe(_ result: JSONValue) -> String {
        let groups = (result["groups"]?.strings ?? []).map { "#\(SafeWord.text($0))" }.joined(separator: " ")
        return "you are \(SafeWord.text(result["address"]))" + (groups.isEmpty ? "" : ", in \(groups)")
    }
}

/// What every first command of a person does before and after its work.
extension Context {
    /// A person's first command needs no configuration file; one that was named and is missing is made.
    func makeConfiguration() throws(Failure) {
        let file = ConfigFile(options: options)
        guard !file.exists else { return }
        do {
            if let slash = file.path.lastIndex(of: "/"), slash != file.path.startIndex {
                try HostFiles.makeFolders(String(file.path[..<slash]))
            }
            try HostFiles.write(file.path, Array(ConfigSchema.example(for: [AgentRole.name]).utf8), mode: 0o644)
        } catch {
            throw Failure(.cannotCreate, "cannot write \(file.path): \(error)")
        }
        output.progress("wrote \(file.path)")
    }

    /// With an agent running the page is there already; else it is the next thing to start.
    func goOn(noBrowser: Bool) async throws(Failure) {
        let config = try config(for: AgentRole.name)
        let program = options.config.map { "ddsnode --config \($0)" } ?? "ddsnode"
        guard !noBrowser, let page = try await Dispatch.daemon(config, ControlRequest("agent.open")),
            let url = page["url"]?.string
        else {
            return output.next("\(program) --role agent, then \(program) open")
        }
        if await !PageOpener.open(url) { output.next("\(program) open --print-url") }
    }
}
