// `demo`: a node with two members on this machine, with some mail, until Ctrl-C. What it consists of is in Demo/.

import ArgumentParser
import DDSCore
import DDSDesktop
import DDSLoop
import DDSNode
import Glibc

struct DemoCommand: NodeCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo", abstract: "Try it: a node on this machine, two members, some mail.",
        discussion: "Everything lives in a temporary folder, which goes when the demo ends. Ctrl-C ends it.")

    @Option(
        help: ArgumentHelp("Use this folder and leave it there. It must be new or empty.", valueName: "folder"),
        completion: .directory)
    var dir: String?
    @Flag(help: "Open no browser.") var noBrowser = false
    @Flag(help: "Leave the folder there afterwards.") var keep = false
    @OptionGroup(title: "Global options") var globals: GlobalOptions

    func perform(_ context: Context) async throws(Failure) -> Int32 {
        let stop = StopRequest()
        let signals: SignalSource
        do {
            signals = try SignalSource([SIGINT, SIGTERM, SIGHUP]) { _ in stop.request() }
        } catch {
            throw Failure(.system, "cannot watch for signals: \(error)")
        }
        defer { signals.close() }
        let folder = try Self.folder(dir)
        let demo = Demo(folder: folder, context: context, stop: stop)
        let outcome: Result<Int32, Failure>
        do throws(Failure) {
            outcome = .success(try await run(demo, context, stop))
        } catch {
            outcome = .failure(error)
        }
        await demo.end()
        if dir == nil, !keep {
            // What cannot be removed is in the system's folder for such things.
            try? HostFiles.removeTree(folder)
        } else {
            context.output.progress("left in \(folder)")
        }
        return try outcome.get()
    }

    @LoopActor private func run(_ demo: Demo, _ context: Context, _ stop: StopRequest) async throws(Failure) -> Int32 {
        try await ready(demo, stop)
        // Whoever asked for the end knows why something is missing.
        if stop.isRequested { return 0 }
        context.output.result(demo.description) { demo.words }
        if !noBrowser, !globals.noInput, let url = demo.members.first?.openURL { _ = await PageOpener.open(url) }
        try await demo.waitForStop()
        context.output.progress("stopping")
        return 0
    }

    /// Waits for the demo to be ready, for a stop, or for as long as a slow machine may need: Ctrl-C works at every moment.
    @LoopActor private func ready(_ demo: Demo, _ stop: StopRequest) async throws(Failure) {
        let beginning = Beginning()
        Loop.spawn(name: "demo") {
            do throws(Failure) {
                try await demo.begin()
                beginning.outcome = .success(())
            } catch {
                beginning.outcome = .failure(error)
            }
        }
        let deadline = Loop.time.now + Self.patience
        while beginning.outcome == nil, !stop.isRequested {
            guard Loop.time.now < deadline else {
                stop.request()
                throw Failure(.unavailable, "the demo did not get ready while \(demo.step)")
            }
            try? await Loop.sleep(for: .milliseconds(20))
        }
        if !stop.isRequested { try beginning.outcome?.get() }
    }

    private static var patience: Duration { .seconds(120) }

    private static func folder(_ wanted: String?) throws(Failure) -> String {
        do throws(DiskError) {
            guard let wanted else { return try HostFiles.makeTemporaryFolder(prefix: "ddsnode-demo") }
            let path = wanted.hasPrefix("/") ? wanted : "\(workingFolder)/\(wanted)"
            try HostFiles.makeFolders(path)
            guard try HostFiles.list(path).isEmpty else {
                throw DiskError(.exists, operation: "use \(path)", detail: "there is something in it; name a new folder")
            }
            return path
        } catch {
            throw Failure(.cannotCreate, "\(error)")
        }
    }

    private static var workingFolder: String {
        guard let path = unsafe getcwd(nil, 0) else { return "." }
        defer { unsafe free(path) }
        return unsafe String(cString: path)
    }
}

/// How the beginning ended; nil while it lasts.
@LoopActor private final class Beginning {
    var outcome: Result<Void, Failure>?
}

/// Somebody wants the demo to end.
@LoopActor final class StopRequest {
    private(set) var isRequested = false

    func request() { isRequested = true }
}
