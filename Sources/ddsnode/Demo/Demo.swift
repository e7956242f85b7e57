// The demo: one node and four agents, two of which go once they have written, each a process of this program with a configuration file of its own, as they would be
// on three machines. Started in order, ended in reverse, by process id.

import DDSAgent
import DDSCore
import DDSDesktop
import DDSLoop
import DDSNode
import DDSSeal
import DDSServer
import Glibc

@LoopActor final class Demo {
    /// A member as the person at the screen needs to know them.
    struct Member {
        let name: String
        let config: String
        let runtimeFolder: String
        let passphrase: String
        var address = ""
        var page = ""
        var openURL: String?

        var controlSocket: String { runtimeFolder + "/control.sock" }
    }

    static let domain = "node.test"
    /// So many members stay when the mail is written.
    private static let staying = 2
    private static var sendDeadline: Duration { .seconds(30) }
    private static var startDeadline: Duration { .seconds(20) }
    /// A little longer than a daemon's own drain.
    private static var stopDeadline: Duration { .seconds(8) }

    let folder: String
    private(set) var members: [Member] = []
    /// What it is doing, for whoever waits too long.
    private(set) var step = "beginning"
    private let context: Context
    private let stop: StopRequest
    private let random = SystemRandom()
    private var children: [(name: String, process: ChildProcess)] = []

    init(folder: String, context: Context, stop: StopRequest) {
        self.folder = folder
        self.context = context
        self.stop = stop
    }

    // MARK: Beginning

    /// Sets everything up; afterwards both inboxes have mail.
    func begin() async throws(Failure) {
        try await startNode()
        say("joining as alice, bob, chen and dora")
        // Each waits most of the time for its own passphrase to be hardened.
        async let alice = joined("alice")
        async let bob = joined("bob")
        async let chen = joined("chen")
        async let dora = joined("dora")
        members = [try await alice.get(), try await bob.get(), try await chen.get(), try await dora.get()]
        say("filling the inboxes")
        let socket = folder + "/node/lmtp.sock"
        let count = await DemoMail.feedCorpus(socket: socket, recipient: "lists@\(Self.domain)", random: random)
        if count > 0 { say("delivered \(count) messages of the mail corpus to #lists") }
        let spoofs = await DemoMail.feedSpoofs(socket: socket, recipient: "lists@\(Self.domain)")
        let written = try await DemoMail.writeThreads(self)
        say("delivered \(written) messages that the members wrote, and \(spoofs) that pretend")
        // Chen and Dora are away now; what is written to them waits at the node.
        for member in members.dropFirst(Self.staying) { await end(member.name) }
        members = Array(members.prefix(Self.staying))
        for index in members.indices { try await describePage(index) }
    }

    private func say(_ text: String) {
        step = text
        context.output.progress(text)
    }

    private func startNode() async throws(Failure) {
        say("making a node in \(folder)")
        let state = folder + "/node"
        let path = folder + "/node.toml"
        try write(
            path,
            """
            roles = ["server"]
            [node]
            name = "\(Self.domain)"
            host = "127.0.0.1"
            state_dir = "\(state)"
            runtime_dir = "\(state)/run"
            [server.listen]
            pop3s = ["127.0.0.1:0"]
            submissions = ["127.0.0.1:0"]
            lmtp = ["unix:\(state)/lmtp.sock"]
            [server.spool]
            segment_size = "4MiB"

            """)
        let config = try load(path)
        try await OfflineServer.create(config: config, random: random, time: Loop.time)
        try await start("node", config: path, role: "server", socket: state + "/run/control.sock")
        for (name, display) in DemoLetter.members.sorted(by: { $0.key < $1.key }) {
            let arguments: JSONValue = ["name": .text(name), "display": .text(display), "invite": false]
            _ = try await node(ControlRequest("user.add", arguments))
        }
        let all: JSONValue = .texts(DemoLetter.members.keys.sorted())
        let groups: [JSONValue] = [
            ["name": "general", "title": "General", "post": "members", "members": all],
            ["name": "board", "title": "Board", "post": "members", "members": all, "owners": ["alice"]],
            ["name": "family", "title": "Family", "post": "members", "members": ["alice", "bob", "dora"]],
            ["name": "garden", "title": "Garden", "post": "members", "members": ["alice", "bob", "chen"]],
            ["name": "lists", "title": "Mail from outside", "post": "all", "members": ["alice", "bob"]],
        ]
        for group in groups { _ = try await node(ControlRequest("group.add", group)) }
    }

    private func joined(_ name: String) async -> Result<Member, Failure> {
        do throws(Failure) {
            return .success(try await join(name))
        } catch {
            return .failure(error)
        }
    }

    private func join(_ name: String) async throws(Failure) -> Member {
        let state = folder + "/" + name
        let path = "\(folder)/\(name).toml"
        try write(
            path,
            """
            roles = ["agent"]
            [node]
            state_dir = "\(state)"
            runtime_dir = "\(state)/run"
            [agent]
            fetch_every = "5s"
            [agent.tray]
            enabled = "off"
            [agent.notify]
            content = "none"

            """)
        var member = Member(
            name: name, config: path, runtimeFolder: state + "/run", passphrase: WordPhrase.make(words: 6, random))
        try await start(name, config: path, role: "agent", socket: member.controlSocket)
        let invite = try await node(ControlRequest("invite.new", ["name": .text(name)]))
        let arguments: JSONValue = ["invite": invite["invite"] ?? .null, "passphrase": .text(member.passphrase)]
        let welcome = try await ask(member, ControlRequest("agent.join", arguments))
        member.address = SafeWord.text(welcome["address"])
        _ = try await ask(member, ControlRequest("agent.unlock", ["passphrase": .text(member.passphrase)]))
        return member
    }

    private func describePage(_ index: Int) async throws(Failure) {
        let page = try await ask(members[index], ControlRequest("agent.open"))
        members[index].openURL = page["url"]?.string
        members[index].page = SafeWord.text(page["address"])
    }

    // MARK: Talking to the processes

    func ask(_ member: Member, _ request: ControlRequest) async throws(Failure) -> JSONValue {
        try await call(member.controlSocket, request)
    }

    private func node(_ request: ControlRequest) async throws(Failure) -> JSONValue {
        try await call(folder + "/node/run/control.sock", request)
    }

    private func call(_ socket: String, _ request: ControlRequest) async throws(Failure) -> JSONValue {
        guard let result = try await ControlClient.call(path: socket, request) else {
            throw Failure(.unavailable, "nothing answers at \(socket); see the logs in \(folder)")
        }
        return result
    }

    /// Waits until nothing of a member's is on its way to the node any more.
    func waitUntilSent(_ member: Member) async throws(Failure) {
        let deadline = Loop.time.now + Self.sendDeadline
        while Loop.time.now < deadline, !stop.isRequested {
            let status = try await ask(member, ControlRequest("status"))
            if status["agent"]?["outbox"]?.integer == 0 { return }
            try? await Loop.sleep(for: .milliseconds(20))
        }
        guard !stop.isRequested else { return }
        throw Failure(.unavailable, "what \(member.name) wrote does not go out: \(lastLog(member.name))")
    }

    private func start(_ name: String, config: String, role: String, socket: String) async throws(Failure) {
        // Nothing is started once the end has begun.
        guard !stop.isRequested else { throw Failure(.interrupted, "interrupted") }
        var words = ["ddsnode", "--config", config, "--role", role]
        if context.options.verbose { words.append("--verbose") }
        let process = try ChildProcess(words, program: "/proc/self/exe", output: "\(folder)/\(name).log")
        children.append((name, process))
        let deadline = Loop.time.now + Self.startDeadline
        while Loop.time.now < deadline, !stop.isRequested {
            if let code = process.poll() {
                children.removeAll { $0.process === process }
                throw Failure(
                    Failure.Code(rawValue: code) ?? .bug, "the \(name) process ended at once (\(code)): \(lastLog(name))")
            }
            if try await ControlClient.call(path: socket, ControlRequest("status")) != nil { return }
            try? await Loop.sleep(for: .milliseconds(30))
        }
        throw Failure(.unavailable, "the \(name) process does not answer: \(lastLog(name))")
    }

    private func lastLog(_ name: String) -> String {
        guard let bytes = try? HostFiles.read("\(folder)/\(name).log"), let line = bytes.split(separator: 0x0a).last else {
            return "its log is empty"
        }
        return SafeWord.text(String(decoding: line, as: UTF8.self))
    }

    private func load(_ path: String) throws(Failure) -> Config {
        var options = context.options
        options.config = path
        options.role = nil
        return try ConfigFile(options: options).load(roles: nil)
    }

    private func write(_ path: String, _ text: String) throws(Failure) {
        do {
            try HostFiles.write(path, Array(text.utf8))
        } catch {
            throw Failure(.cannotCreate, "\(error)")
        }
    }

    // MARK: Ending

    /// Returns when somebody asked for the end; throws when a process ended by itself.
    func waitForStop() async throws(Failure) {
        while !stop.isRequested {
            for (name, process) in children {
                guard let code = process.poll() else { continue }
                children.removeAll { $0.process === process }
                throw Failure(.unavailable, "the \(name) process ended by itself (\(code)): \(lastLog(name))")
            }
            try? await Loop.sleep(for: .milliseconds(100))
        }
    }

    /// Ends every process: agents first, then the node; one that does not stop in time is killed.
    func end() async {
        for (_, process) in children.reversed() { await end(process) }
        children = []
    }

    private func end(_ name: String) async {
        guard let index = children.firstIndex(where: { $0.name == name }) else { return }
        await end(children.remove(at: index).process)
    }

    private func end(_ process: ChildProcess) async {
        process.signal(SIGTERM)
        let deadline = Loop.time.now + Self.stopDeadline
        var hasEnded = process.poll() != nil
        while !hasEnded, Loop.time.now < deadline {
            try? await Loop.sleep(for: .milliseconds(20))
            hasEnded = process.poll() != nil
        }
        if !hasEnded {
            process.signal(SIGKILL)
            _ = process.waitForEnd()
        }
    }
}

// MARK: Words

extension Demo {
    var description: JSONValue {
        let rows = members.map { member -> JSONValue in
            [
                "name": .text(member.name), "address": .text(member.address), "page": .text(member.page),
                "open_url": member.openURL.map { .text($0) } ?? .null, "passphrase": .text(member.passphrase),
                "config": .text(member.config),
            ]
        }
        return [
            "folder": .text(folder), "domain": .text(Self.domain), "config": .text(folder + "/node.toml"),
            "members": .list(rows),
        ]
    }

    var words: String {
        var text = "\nReady: node \(Self.domain) with the groups #general, #board, #family, #garden and #lists.\n"
        for member in members {
            text += """

                \(member.address)
                  page        \(member.page)
                  passphrase  \(member.passphrase)
                  open now    \(member.openURL ?? "-")   (once, within a minute)

                """
        }
        guard let first = members.first else { return text }
        return text + """

            On the command line:  ddsnode --config \(first.config) list
            Use one browser window for \(first.name) and a private one for the other.  Ctrl-C ends the demo.

            """
    }
}
