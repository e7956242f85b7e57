// `open`: the page in a browser, in an ordinary window, a private one, or one of its own that leaves nothing behind; and what
// becomes of a `dds:` link.

import ArgumentParser
import DDSAgent
import DDSCore
import DDSDesktop
import DDSLoop
import DDSNode
import Glibc

struct OpenCommand: NodeCommand {
    static let configuration = CommandConfiguration(
        commandName: "open", abstract: "Open the page in the browser.",
        discussion: """
            The address works once, within a minute, and for your own user only.

            ddsnode open                  the page, where it was
            ddsnode open /w               a new message
            ddsnode open --app            a window of its own that leaves nothing on the disk
            """)

    @Argument(help: ArgumentHelp("A path of the page, such as /w, or a dds: link to join with.", valueName: "path"))
    var target: String?
    @Flag(name: .customLong("private"), help: "A window of which the browser keeps nothing.") var isPrivate = false
    @Flag(name: .customLong("app"), help: "A window of its own; its profile is in the runtime folder and goes with it.")
    var isApp = false
    @Flag(help: "Print the address and open nothing.") var printURL = false
    @OptionGroup(title: "Global options") var globals: GlobalOptions

    func validate() throws {
        guard [isPrivate, isApp, printURL].count(where: { $0 }) < 2 else {
            throw ValidationError("--private, --app and --print-url exclude each other.")
        }
    }

    func perform(_ context: Context) async throws(Failure) -> Int32 {
        let config = try context.config(for: AgentRole.name)
        var arguments: JSONValue = [:]
        if let target { arguments = target.hasPrefix("dds:") ? ["invite": .text(target)] : ["path": .text(target)] }
        let result = try await Dispatch.runningDaemon(config, ControlRequest("agent.open", arguments))
        guard let url = result["url"]?.string else { throw Failure(.protocolError, "the agent did not say where the page is") }
        if printURL || context.output.isJSON {
            context.output.result(result) { url }
        } else if isApp {
            try await AppWindow.show(url)
        } else if isPrivate {
            let start = try Browser.start(url, in: .privately, preferred: AppWindow.preferred, find: Programs.find)
            _ = try ChildProcess(start.words, program: start.program)
        } else if await !PageOpener.open(url) {
            throw Failure(.unavailable, "no browser could be started here; use: ddsnode open --print-url")
        }
        return 0
    }
}

/// A browser window with a profile that exists as long as the window, in the folder that goes with the person's session.
@LoopActor enum AppWindow {
    /// The desktop entry of the person's own browser; empty or nil where there is none.
    static var preferred: String? { Environment.value("BROWSER").map { String($0.split(separator: "/").last ?? "") } }

    /// Shows `url` and comes back when the window was closed.
    static func show(_ url: String) async throws(Failure) {
        guard let runtime = Environment.folder("XDG_RUNTIME_DIR") else {
            throw Failure(
                .unavailable,
                "XDG_RUNTIME_DIR is not set, so there is no folder that goes with your session; use: ddsnode open --private")
        }
        let parent = runtime + "/ddsnode"
        let folder = "\(parent)/browser-\(getpid())"
        let start = try Browser.start(url, in: .app(folder: folder), preferred: preferred, find: Programs.find)
        do {
            try HostFiles.makeFolders(folder)
        } catch {
            throw Failure(.cannotCreate, "cannot make \(folder): \(error)")
        }
        await sweep(parent)
        do {
            try await run(start)
        } catch {
            await remove(folder)
            throw error
        }
        await remove(folder)
    }

    private static func run(_ start: Browser.Start) async throws(Failure) {
        let child = try ChildProcess(
            start.words, program: start.program, environment: Environment.all(changing: start.environment))
        let signals = try? SignalSource([SIGINT, SIGTERM, SIGHUP]) { _ in child.signal(SIGTERM) }
        let code = await Loop.offload { child.waitForEnd() }
        signals?.close()
        guard code == 0 || code >= 128 else {
            throw Failure(.unavailable, "\(start.program) ended with status \(code); use: ddsnode open")
        }
    }

    /// Removes what is left of windows whose command was killed.
    private static func sweep(_ parent: String) async {
        for name in (try? HostFiles.list(parent)) ?? [] where name.hasPrefix("browser-") {
            guard let process = pid_t(name.dropFirst("browser-".count)), kill(process, 0) != 0, errno == ESRCH else { continue }
            await remove("\(parent)/\(name)")
        }
    }

    /// Helpers of the browser may still be writing when it has ended.
    private static func remove(_ folder: String) async {
        for _ in 0..<20 {
            if (try? HostFiles.removeTree(folder)) != nil, !HostFiles.exists(folder) { return }
            try? await Loop.sleep(for: .milliseconds(50))
        }
    }
}
