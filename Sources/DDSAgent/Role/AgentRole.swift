// The agent role: an agent with its page and its commands. Before somebody has joined it takes `join`, and its page leads through
// it.

import DDSBus
package import DDSCore
import DDSHTTP
package import DDSLoop
package import DDSNode
import DDSSeal
import DDSSpool
import DDSWire
import Logging

@LoopActor package final class AgentRole: Role {
    package static let name = "agent"
    package static let mayBeRenewed = true
    /// The name of the page's sockets in a handover.
    private static let pageSockets = "page"
    /// How long answers of the page may take to go out before the program is executed anew.
    private static var lastAnswers: Duration { .seconds(2) }

    let services: Services
    private(set) var agent: Agent?
    private(set) var page: WebApp?
    private(set) var pagePort: UInt16?
    private(set) var mailPage: MailPage?
    /// Tray, notifications and sleep, in a process that stays.
    private(set) var desktop: DesktopDesk?
    /// Mail programs are served, in a process that stays.
    private(set) var gateway: GatewayDesk?
    /// What the program before this one has left for the gateway.
    private var gatewaySockets: [GatewayProtocol: [Int32]] = [:]
    private var isServing = false
    /// Why there is no gateway, in words.
    private(set) var gatewayTrouble: String?
    private(set) var isJoining = false
    /// What a passphrase costs to try; nil is measured, tests lower it.
    var workFactor: Int?
    /// How long a test message may take; tests, which run beside others, have all the time of their suite.
    var proofTimeout = Joining.proofTimeout

    package init(services: Services) throws(Failure) {
        self.services = services
    }

    package func start() async throws(Failure) {
        AgentCommands(role: self).register(in: services.control)
        DesktopCommands(role: self).register(in: services.control)
        GatewayCommands(role: self).register(in: services.control)
        for row in GatewayProtocol.allCases { gatewaySockets[row] = services.handover.take(row.handoverName) }
        let folder = AgentFolder(stateDir: services.config.node.stateDirectory)
        guard let account = try folder.loadAccount() else {
            services.log.notice("nobody has joined yet; open the page with: ddsnode open, or run: ddsnode join INVITE")
            await Loop.offload { _ = Templates.shared }
            // Of an agent that is nobody's yet, the folder is what tells it from others.
            return try startPage(name: folder.path)
        }
        try await startAgent()
        await Loop.offload { _ = Templates.shared }
        try startPage(name: "\(account.address)")
    }

    private func startAgent() async throws(Failure) {
        let agent = try await Agent.open(
            services: services,
            onSpoolStopped: { [services] reason in
                services.log.critical("the local store stopped", metadata: ["error": "\(reason)"])
                services.bus.publish(
                    .spoolProblem(text: "a write failed; nothing more is accepted until the agent has read its disk again"))
                services.requestStop(Failure.Code.bug.rawValue)
            })
        self.agent = agent
        services.log.notice("store opened", metadata: ["recovery": "\(agent.spool.recovery.words)"])
        try await agent.start()
        // A page that served nobody until now goes on as this agent's.
        if page != nil { showMail(agent) }
        desktop?.changed()
        if isServing { openGateway() }
    }

    /// Begins to serve mail programs. Not where a command does its work with the role in its own process: there is nobody who
    /// could connect. An agent without a gateway is one all the same.
    private func openGateway() {
        guard let agent, gateway == nil else { return }
        do throws(Failure) {
            let gateway = try GatewayDesk(agent: agent)
            self.gateway = gateway
            gateway.start(inherited: gatewaySockets)
            gatewaySockets = [:]
        } catch {
            gatewayTrouble = error.publicText
            services.log.error("no gateway", metadata: ["error": "\(error)"])
        }
    }

    private func startPage(name: String) throws(Failure) {
        let web = services.config.agent.web
        guard case .tcp(_, let port) = Endpoint(web.listen) else {
            throw Failure(.configuration, "agent.web.listen: \"\(web.listen)\" is no host:port on loopback")
        }
        var configuration = WebApp.Configuration(
            agentID: Hash.blake2b(Array(name.utf8), count: 16), random: services.random,
            hash: { Hash.blake2b($0, count: 32) }, time: services.time)
        configuration.idleLockSeconds = Int(services.config.agent.lock.idle.components.seconds)
        configuration.checksPeerUID = web.checkPeerUID
        configuration.hostName = web.host
        configuration.showsFormatted = web.html == .onRequest
        let page = WebApp(configuration, welcome: WelcomeDesk(role: self))
        pagePort = try page.start(port: port, adopting: services.handover.take(Self.pageSockets))
        self.page = page
        if let agent { showMail(agent) }
        services.log.notice("page", metadata: ["address": "\(page.gate.site.address)"])
    }

    private func showMail(_ agent: Agent) {
        let mailPage = MailPage(agent: agent)
        self.mailPage = mailPage
        page?.use(backend: mailPage)
    }

    /// Joins and begins to work, as the command line's `join` asks a running agent to.
    func join(_ invitation: Invitation, passphrase: SecretBytes, progress: @LoopActor (String) -> Void) async throws(Failure)
        -> Agent
    {
        try await begin(passphrase, progress, isLinked: invitation.isLink) { [self] () throws(Failure) in
            try await Joining.run(
                services: services, invitation: invitation, passphrase: passphrase, workFactor: workFactor, progress: progress)
        }.agent
    }

    /// Comes back with a recovery kit and begins to work; returns also how many messages were gone with the lost keys.
    func restore(
        _ kit: RecoveryKit, passphrase: SecretBytes, progress: @LoopActor (String) -> Void
    ) async throws(Failure) -> (agent: Agent, lost: Int) {
        let (agent, lost) = try await begin(passphrase, progress) { [self] () throws(Failure) in
            try await Joining.restore(
                services: services, kit: kit, passphrase: passphrase, workFactor: workFactor, progress: progress)
        }
        return (agent, lost)
    }

    private func begin<Value>(
        _ passphrase: SecretBytes, _ progress: @LoopActor (String) -> Void, isLinked: Bool = false,
        _ steps: @LoopActor () async throws(Failure) -> Value
    ) async throws(Failure) -> (agent: Agent, value: Value) {
        let (agent, value) = try await begun(steps)
        try await Joining.prove(
            agent, passphrase: passphrase, isLinked: isLinked, services: services, within: proofTimeout, progress: progress)
        return (agent, value)
    }

    /// As far as an agent that runs, locked.
    private func begun<Value>(
        _ steps: @LoopActor () async throws(Failure) -> Value
    ) async throws(Failure) -> (agent: Agent, value: Value) {
        guard agent == nil, !isJoining else {
            throw Failure(.cannotCreate, "this agent belongs to somebody already; use another --config for a second account")
        }
        isJoining = true
        defer { isJoining = false }
        let value = try await steps()
        try await startAgent()
        guard let agent else { throw Failure(.bug, "the agent did not start") }
        return (agent, value)
    }

    /// Joins for the page, which goes on with the kit and the proof: the agent runs and is locked afterwards.
    func enrol(
        _ invitation: Invitation, passphrase: SecretBytes, display: String, progress: @LoopActor (String) -> Void
    ) async throws(Failure) -> Agent {
        try await begun { [self] () throws(Failure) in
            try await Joining.run(
                services: services, invitation: invitation, passphrase: passphrase, workFactor: workFactor,
                wishes: JoiningWishes(display: display, isWatched: true), progress: progress)
        }.agent
    }

    /// The same with a recovery kit; returns how many messages were gone with the lost keys.
    func comeBack(
        _ kit: RecoveryKit, passphrase: SecretBytes, progress: @LoopActor (String) -> Void
    ) async throws(Failure) -> (agent: Agent, lost: Int) {
        let (agent, lost) = try await begun { [self] () throws(Failure) in
            try await Joining.restore(
                services: services, kit: kit, passphrase: passphrase, workFactor: workFactor,
                wishes: JoiningWishes(isWatched: true), progress: progress)
        }
        return (agent, lost)
    }

    package func serving() {
        let desktop = DesktopDesk(role: self)
        self.desktop = desktop
        desktop.start()
        isServing = true
        openGateway()
    }

    package func renewing() {
        gateway?.rest()
        page?.rest()
    }

    package func reload(_ config: Config) async { desktop?.reload(config) }

    package func drain() async {
        agent?.lock()
        await gateway?.finish()
        if services.handover.isUnderWay { await page?.finish(within: Self.lastAnswers) }
    }

    package func stop() async {
        desktop?.stop()
        desktop = nil
        if services.handover.isUnderWay {
            for (name, descriptor) in gateway?.surrender() ?? [] { services.handover.leave(name, [descriptor]) }
        }
        await gateway?.book.close()
        gateway?.stop()
        gateway = nil
        if services.handover.isUnderWay {
            services.handover.leave(Self.pageSockets, page?.surrender() ?? [])
        } else {
            page?.stop()
        }
        page = nil
        mailPage?.close()
        mailPage = nil
        await agent?.stop()
        agent = nil
    }

    package func status() async -> RoleStatus {
        guard let agent else {
            return RoleStatus(
                fields: [
                    "joined": false, "page": page.map { .text($0.gate.site.address) } ?? .null,
                    "tray": .bool(desktop?.hasTray ?? false),
                ],
                problems: ["nobody has joined from here; run: ddsnode open, or ddsnode join INVITE"])
        }
        var status = await agent.status(page: page?.gate.site.address)
        desktop?.add(to: &status)
        add(gateway, to: &status)
        return status
    }
}

extension AgentRole {
    private func add(_ gateway: GatewayDesk?, to status: inout RoleStatus) {
        status.problems += (gatewayTrouble.map { [$0] } ?? []) + (gateway?.problems ?? [])
        guard case .object(var fields) = status.fields else { return }
        fields["gateway"] = .object(
            Dictionary(
                GatewayProtocol.allCases.compactMap { row in
                    gateway?.endpoint(of: row).map { (row.rawValue, .text($0.description)) }
                }, uniquingKeysWith: { $1 }))
        status.fields = .object(fields)
    }
}

extension Agent {
    /// What `status` shows; `page` is the page's address while it is served.
    func status(page: String?) async -> RoleStatus {
        let statistics = try? await spool.statistics()
        var problems = (statistics?.damage ?? []).map { "damage in the local store: \($0); restore it from a backup" }
        if let trouble = fetcher?.lastTrouble { problems.append("fetch: \(trouble)") }
        if let trouble = outbox?.lastTrouble { problems.append("send: \(trouble)") }
        problems += watch?.problems ?? []
        if let sealTrouble { problems.append(sealTrouble) }
        problems += unlocked?.store.trust.problems ?? []
        let kept = await unopenedCount()
        if let words = Self.unopenedWords(kept) { problems.append("\(words); see: ddsnode store check") }
        if let count = unlocked?.drafts.unreadable, count > 0 {
            problems.append(
                "\(count) draft\(count == 1 ? " does" : "s do") not open; kept, restore the state folder from a backup")
        }
        if let trouble = unlocked?.settings.trouble { problems.append(trouble) }
        if let importTrouble { problems.append(importTrouble) }
        if let keyTrouble = keyTrouble ?? unlocked?.keeper?.trouble { problems.append("mailbox keys: \(keyTrouble)") }
        var fields: [String: JSONValue] = [
            "joined": true, "address": .text("\(account.address)"), "locked": .bool(isLocked), "groups": .texts(account.groups),
            "node": .text(account.host), "outbox": .number(outbox?.waiting.count ?? 0),
            "fetched": .number(fetcher?.fetchedCount ?? 0),
            "page": page.map { .text($0) } ?? .null, "renews_on_lock": .bool(services.handover.isOffered),
            "store_bytes": .number(statistics?.liveBytes ?? 0),
            "last_fetch": fetcher?.lastSuccess.map { .text(CivilTime(secondsSinceEpoch: $0.seconds).rfc3339) } ?? .null,
        ]
        fields["unopened"] = .number(kept)
        if let head = watch?.watch.stores.last {
            fields["node_store"] = ["uuid": .text(Hex.encode(head.uuid)), "counter": .text("\(head.latest)")]
        }
        // Known while locked too, without whom it is for.
        fields["waiting_for_decision"] = .number((try? await spool.entries(in: AgentMailbox.heldBack).count) ?? 0)
        if let store = unlocked?.store {
            fields["messages"] = .number(store.items.count)
            fields["unread"] = .number(store.unreadCount)
            if let session = search.session {
                fields["search"] = [
                    "indexed": .number(session.indexed), "kept": .number(search.keptAtUnlock),
                    "complete": .bool(session.isSettled),
                ]
                if let trouble = session.trouble { problems.append(trouble) }
            }
            fields["rosters"] = .object(
                Dictionary(
                    store.trust.groups.values.compactMap { rosters in
                        rosters.steps.last.map { (rosters.group.local, .number(Int64(clamping: $0.number))) }
                    }, uniquingKeysWith: { $1 }))
        }
        return RoleStatus(fields: .object(fields), problems: problems)
    }

    /// Fetched messages that could not be opened and are kept. While locked those are known that failed at an earlier unlock.
    func unopenedCount() async -> Int {
        if let store = unlocked?.store { return store.unopened }
        let failed = (try? await spool.entries(in: AgentMailbox.inbox).count { $0.flags > 0 }) ?? 0
        return failed + ((try? await spool.entries(in: AgentMailbox.quarantine).count) ?? 0)
    }

    nonisolated static func unopenedWords(_ count: Int) -> String? {
        count == 0 ? nil : "\(count) message\(count == 1 ? "" : "s") could not be opened and \(count == 1 ? "is" : "are") kept"
    }
}
