// Joins an agent to the desktop it runs on: what happens in the agent goes to icon and notifications, and what a person does
// there comes back as what the page's buttons do. What is shown, DDSDesktop decides.

import DDSBus
import DDSCore
import DDSDesktop
import DDSHTTP
import DDSLoop
import DDSNode
import DDSSystemd
import Glibc
import Logging

@LoopActor final class DesktopDesk {
    private static let hour = Duration.seconds(3600)

    private weak let role: AgentRole?
    private let services: Services
    private var settings: Config.Agent
    private let session: BusConnection
    private let system: BusConnection
    private let notifier: Notifier
    private var tray: Tray?
    private var watch: SessionWatch?
    private var mail: DesktopMail?
    private var state = TrayState()
    private var subscription: SubscriberID?
    private var pauseTimer: LoopTimer?
    /// Something has happened since the mail was looked at, and whether somebody is looking.
    private var hasNews = false
    private var isLooking = false
    private var isStopped = false
    private var hasSaidThatThereIsNoTray = false

    init(role: AgentRole) {
        self.role = role
        services = role.services
        settings = services.config.agent
        session = BusConnection(.session, time: services.time)
        system = BusConnection(.system, time: services.time)
        notifier = Notifier(bus: session, time: services.time, minute: LocalTime.minute)
    }

    // MARK: Life

    func start() {
        subscription = services.bus.subscribe([.store, .mail, .outbox]) { [weak self] in self?.heard($0) }
        notifier.onOpen = { [weak self] letter in self?.open(letter.map { "/t/\($0)" } ?? "/") }
        notifier.onSeen = { [weak self] in self?.mail?.seen() }
        if settings.tray != .off {
            let tray = Tray(bus: session, process: getpid(), state: state)
            tray.onAction = { [weak self] in self?.perform($0) }
            tray.onChange = { [weak self] isShown in if !isShown { self?.sayThatThereIsNoTray() } }
            self.tray = tray
        }
        session.onChange = { [weak self] isConnected in
            self?.notifier.serverChanged()
            self?.tray?.busChanged(isConnected)
            if isConnected { self?.refresh() }
        }
        let watch = SessionWatch(bus: system, user: getuid()) { [weak self] in self?.personLeft($0) ?? false }
        system.onChange = { [weak watch] in watch?.busChanged($0) }
        self.watch = watch
        pauseTimer = LoopTimer { [weak self] in self?.refresh() }
        apply(settings)
        loadPause()
        changed()
        session.open()
        system.open()
    }

    /// There is an agent now, or another.
    func changed() {
        if let agent = role?.agent, let page = role?.mailPage {
            mail = DesktopMail(agent: agent, page: page)
            agent.fetcher?.onSettled = { [weak self] in self?.refresh() }
        }
        refresh()
    }

    func reload(_ config: Config) {
        settings = config.agent
        apply(settings)
    }

    private func apply(_ settings: Config.Agent) {
        notifier.policy.content = settings.notify.content
        notifier.policy.quiet = settings.notify.quiet.compactMap(QuietHours.init)
        watch?.holdSleep(settings.lock.onSuspend)
    }

    func stop() {
        isStopped = true
        if let subscription { services.bus.unsubscribe(subscription) }
        subscription = nil
        notifier.withdraw()
        pauseTimer?.close()
        pauseTimer = nil
        // Sleep goes on waiting until the program of before has left the memory: exec closes what it waits for.
        if !services.handover.isUnderWay { watch?.close() }
        session.close()
        system.close()
    }

    // MARK: What is known

    var hasTray: Bool { tray?.isShown ?? false }

    func add(to status: inout RoleStatus) {
        guard case .object(var fields) = status.fields else { return }
        fields["tray"] = .bool(hasTray)
        fields["notifications_paused"] = .bool(notifier.policy.pausedUntil.map { services.time.wall < $0 } ?? false)
        fields["sleep_waits"] = .bool(watch?.holdsInhibitor ?? false)
        status.fields = .object(fields)
        if settings.tray == .on, !hasTray {
            status.problems.append(
                "agent.tray.enabled is \"on\", and there is no tray here; start one, or use \"auto\"; ddsnode open does the same"
            )
        }
    }

    private func sayThatThereIsNoTray() {
        guard tray != nil, !hasSaidThatThereIsNoTray else { return }
        hasSaidThatThereIsNoTray = true
        services.log.notice(
            "there is no tray here: the icon comes when there is one, and ddsnode open, lock, fetch and stop do all that it does"
        )
    }

    // MARK: From the agent

    private func heard(_ events: [NodeEvent]) {
        for event in events {
            switch event {
            case .fetched(let count): mail?.fetched(count)
            case .locked, .unlocked:
                mail?.lockChanged()
                notifier.withdraw()
            default: break
            }
        }
        refresh()
    }

    /// Looks at the agent and shows what is new, one look at a time.
    private func refresh() {
        hasNews = true
        guard !isLooking, !isStopped else { return }
        isLooking = true
        Loop.spawn(name: "desktop") { [self] in
            while hasNews, !isStopped {
                hasNews = false
                await look()
            }
            isLooking = false
        }
    }

    private func look() async {
        // Counting threads costs something, and without a bus nobody would see it.
        guard session.isConnected else { return }
        let found = await mail?.look() ?? DesktopMail.Look()
        // What was seen before a lock or an unlock is not shown after it; that has brought a look of its own.
        guard !hasNews, !isStopped else { return }
        let agent = role?.agent
        state.isJoined = agent != nil
        state.isLocked = agent?.isLocked ?? true
        state.unread = found.unread
        state.places = found.places
        state.lastFetch = agent?.fetcher?.lastSuccess.map(LocalTime.clock)
        state.trouble = trouble(agent)
        let now = services.time.wall
        state.pausedUntil = notifier.policy.pausedUntil.flatMap { now < $0 ? LocalTime.clock($0) : nil }
        tray?.show(state)
        notifier.tell(found.news)
    }

    private func trouble(_ agent: Agent?) -> String? {
        if let words = agent?.watch?.problems.first { return "Attention: \(DisplayText.line(words).text)" }
        if let words = agent?.outbox?.lastTrouble { return "Not sent yet: \(DisplayText.line(words).text)" }
        return agent?.fetcher?.lastTrouble.map { "Not fetched: \(DisplayText.line($0).text)" }
    }

    // MARK: From the person

    private func perform(_ action: TrayAction) {
        switch action {
        case .open, .unlock: open("/")
        case .write: open("/w")
        case .lock: role?.agent?.lock()
        case .fetch: Loop.spawn(name: "fetch") { [weak role] in _ = await role?.agent?.fetcher?.fetchNow() }
        case .pause: pause(for: Self.hour)
        case .resume: resume()
        case .quit:
            services.log.notice("stopping", metadata: ["asked": "at the tray"])
            role?.agent?.lock()
            services.requestStop(0)
        }
    }

    private func open(_ path: String) {
        guard let page = role?.page else { return }
        let address = page.makeOpenAddress(for: OpenTarget(path: path))
        Loop.spawn(name: "open") { [services] in
            guard await !PageOpener.open(address) else { return }
            services.log.warning("no browser could be started from the tray; use: ddsnode open --print-url")
        }
    }

    /// Returns true when this process's memory goes with the execution of its program anew.
    private func personLeft(_ reason: SessionWatch.Reason) -> Bool {
        guard reason == .suspend ? settings.lock.onSuspend : settings.lock.onScreenLock else { return false }
        guard let agent = role?.agent, !agent.isLocked else { return services.handover.isUnderWay }
        services.log.notice("locked", metadata: ["because": "\(reason.rawValue)"])
        agent.lock()
        return services.handover.isUnderWay
    }
}

// MARK: Pauses

extension DesktopDesk {
    /// Kept in the runtime folder: every lock executes the program anew.
    private var pauseFile: String { services.config.node.runtimeDirectory + "/notifications-paused" }

    private func loadPause() {
        guard let bytes = try? HostFiles.read(pauseFile, limit: 32), let end = Int64(String(decoding: bytes, as: UTF8.self))
        else { return }
        let until = WallTime(milliseconds: end)
        if services.time.wall < until { hold(until) }
    }

    /// Shows no notifications for a while; returns the end.
    @discardableResult
    func pause(for duration: Duration) -> WallTime {
        let until = services.time.wall + duration
        do {
            try HostFiles.write(pauseFile, Array("\(until.milliseconds)".utf8))
        } catch {
            services.log.warning("the pause ends with the next lock", metadata: ["error": "\(error)"])
        }
        hold(until)
        return until
    }

    private func hold(_ until: WallTime) {
        notifier.policy.pausedUntil = until
        pauseTimer?.schedule(
            at: services.time.now + .milliseconds(max(0, until.milliseconds - services.time.wall.milliseconds) + 1))
        notifier.withdraw()
        refresh()
    }

    func resume() {
        notifier.policy.pausedUntil = nil
        pauseTimer?.cancel()
        // It is not there where nothing was paused.
        try? HostFiles.remove(pauseFile)
        refresh()
    }

    /// Shows a notification now.
    func testNotification() async throws(Failure) {
        do throws(BusError) {
            try await notifier.test()
        } catch {
            throw Failure(
                .unavailable, "no notification server answers on this desktop's session bus (\(error)); start one such as dunst"
            )
        }
    }
}
