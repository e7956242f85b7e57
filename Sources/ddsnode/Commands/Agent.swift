// `lock`, `unlock`, `fetch`: what a person asks of their agent besides mail itself.

import ArgumentParser
import DDSAgent
import DDSCore
import DDSLoop
import DDSNode
import DDSServer

struct LockCommand: NodeCommand {
    static let configuration = CommandConfiguration(
        commandName: "lock", abstract: "Make the agent forget your key until the next unlock. It goes on fetching.")

    @OptionGroup(title: "Global options") var globals: GlobalOptions

    func perform(_ context: Context) async throws(Failure) -> Int32 {
        let config = try context.config(for: AgentRole.name)
        // Without a daemon nothing is unlocked, which is all that was asked for.
        let result = try await Dispatch.daemon(config, ControlRequest("agent.lock")) ?? ["locked": true]
        if result["renewing"]?.boolean == true { try await renewed(config) }
        context.output.result(["locked": true]) { "locked" }
        return 0
    }

    /// Waits until the agent has executed its program anew: only then nothing is left in its memory.
    @LoopActor private func renewed(_ config: Config) async throws(Failure) {
        let deadline = Loop.time.now + .seconds(30)
        while Loop.time.now < deadline {
            do throws(Failure) {
                guard let status = try await Dispatch.daemon(config, ControlRequest("status")) else { break }
                if status["renewing"]?.boolean != true { return }
            } catch {
                // A connection that breaks off was one to the old program.
            }
            try? await Loop.sleep(for: .milliseconds(10))
        }
        throw Failure(
            .unavailable, "your key is wiped, but the agent did not come back; see its log, and start it with: ddsnode run")
    }
}

struct UnlockCommand: NodeCommand {
    static let configuration = CommandConfiguration(
        commandName: "unlock", abstract: "Open your key in the running agent, or a node that started sealed.",
        discussion: "Where both run in one process, a sealed node is opened first.")

    @Option(
        help: ArgumentHelp("A file with the passphrase; - is standard input.", valueName: "file"), completion: .file())
    var passphraseFile: String?
    @OptionGroup(title: "Global options") var globals: GlobalOptions

    func perform(_ context: Context) async throws(Failure) -> Int32 {
        let config = try context.config(for: AgentRole.name)
        if try await Self.isNode(config) { return try await unseal(context, config) }
        let passphrase = try context.terminal.secret(file: passphraseFile, option: "--passphrase-file", question: "Passphrase")
        let request = ControlRequest("agent.unlock", ["passphrase": try context.text(passphrase, option: "--passphrase-file")])
        let result = try await Dispatch.runningDaemon(config, request)
        context.output.result(result) { "unlocked, \(SafeWord.text(result["unread"])) unread" }
        context.output.next("ddsnode list, or ddsnode open")
        return 0
    }

    /// True when the word is meant for the node: it is sealed, or there is no agent beside it.
    @LoopActor private static func isNode(_ config: Config) async throws(Failure) -> Bool {
        guard config.roles.contains(ServerRole.name), OfflineServer.wantsPassphrase(config) else { return false }
        guard config.roles.contains(AgentRole.name) else { return true }
        return try await Dispatch.daemon(config, ControlRequest("status"))?[ServerRole.name]?["sealed"]?.boolean ?? false
    }

    @LoopActor private func unseal(_ context: Context, _ config: Config) async throws(Failure) -> Int32 {
        let passphrase = try context.terminal.secret(
            file: passphraseFile, option: "--passphrase-file", question: "Passphrase of the node")
        let request = ControlRequest("server.unlock", ["passphrase": try context.text(passphrase, option: "--passphrase-file")])
        let result = try await Dispatch.runningDaemon(config, request)
        context.output.result(result) { "the node is open and serves" }
        return 0
    }
}

struct FetchCommand: NodeCommand {
    static let configuration = CommandConfiguration(
        commandName: "fetch", abstract: "Fetch now.",
        discussion: "Works while the agent is locked, and without a running agent.")

    @Flag(help: "Take note that the node's store was set back or replaced; what it holds now counts from here on.")
    var acceptHead = false
    @OptionGroup(title: "Global options") var globals: GlobalOptions

    func perform(_ context: Context) async throws(Failure) -> Int32 {
        let result = try await Dispatch.fetch(context, acceptingHead: acceptHead)
        context.output.result(result) { "fetched \(SafeWord.text(result["fetched"]))" }
        return 0
    }
}
