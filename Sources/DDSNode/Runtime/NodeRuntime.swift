// The life of a process with roles: start in order, serve, reload, drain with a deadline, stop in reverse.

import DDSBus
package import DDSCore
package import DDSLoop
import DDSSeal
import Glibc
package import Logging

@LoopActor package final class NodeRuntime {
    /// How long a drain may take before roles are stopped all the same.
    var drainDeadline = Duration.seconds(5)

    private var config: Config
    private let registry: [any Role.Type]
    private let reloadConfig: @Sendable () throws(ConfigError) -> Config
    private let log: Logger
    let bus: NodeBus
    /// The commands of this process's roles, for the socket and for callers in the same process.
    package let commands = ControlCommands()
    private(set) var roles: [any Role] = []
    private var controlServer: ControlServer?
    private var stopContinuation: CheckedContinuation<Int32, Never>?
    private var requestedExit: Int32?
    /// Set up by `begin` in a program that can be executed anew.
    let handover: Handover
    private let startedAt: Instant

    /// A process that plays those roles of `registry` that `config` names. `reloadConfig` reads the configuration again.
    /// With `handover` the program may be executed anew, by whoever called `run`.
    package init(
        config: Config, registry: [any Role.Type], log: Logger, handover: Handover? = nil,
        reloadConfig: @escaping @Sendable () throws(ConfigError) -> Config
    ) {
        self.config = config
        self.registry = registry
        self.log = log
        self.reloadConfig = reloadConfig
        bus = NodeBus(time: Loop.time)
        startedAt = Loop.time.now
        self.handover = handover ?? Handover()
        let types = config.roles.compactMap { name in registry.first { $0.name == name } }
        if handover != nil, types.allSatisfy({ $0.mayBeRenewed }) {
            self.handover.onRequest = { [weak self] in self?.requestRenewal() }
        }
    }

    /// Runs until a signal or a role asks to stop; returns the exit code. After it `isRenewing` says whether the program is to be
    /// executed anew instead of ending. Throws when it cannot start. `onReady` is called once
    /// every role serves.
    package func run(onReady: @LoopActor (NodeRuntime) -> Void = { _ in }) async throws(Failure) -> Int32 {
        for warning in ProcessHygiene.harden() { log.warning("\(warning)") }
        if let warning = SecretMemory.probe() { log.warning("\(warning)") }
        registerCommands()
        let signals = try openSignals()
        // What follows in the same process keeps the handlers: their default action would end it.
        defer { if !isRenewing { signals.close() } }
        Handover.releaseSignals(Self.signals)
        do throws(Failure) {
            try await start()
        } catch {
            await stopRoles()
            commands.removeAll()
            throw error
        }
        handover.closeRest()
        for role in roles { role.serving() }
        ServiceManager.ready("serving as \(config.roles.joined(separator: " and "))")
        let watchdog = startWatchdog()
        onReady(self)
        let code = await withCheckedContinuation { continuation in
            if let requestedExit { continuation.resume(returning: requestedExit) } else { stopContinuation = continuation }
            if handover.isUnderWay { leave(0) }
        }
        watchdog?.close()
        if handover.isUnderWay {
            await endForRenewal()
        } else {
            ServiceManager.stopping()
            await drain()
            await stopRoles()
            await controlServer?.close()
        }
        commands.removeAll()
        return requestedExit ?? code
    }

    /// Finishes what is being done, so that nothing is lost when the program is executed anew. The deadlines are there for what
    /// does not end by itself: the store bears being cut off.
    private func endForRenewal() async {
        ServiceManager.reloading(now: Loop.time.now)
        Handover.holdSignals(Self.signals)
        await controlServer?.settle(within: .seconds(2))
        await drain()
        await inTime { [self] in await stopRoles() }
        if isRenewing {
            handover.leave("control", controlServer?.surrender().map { [$0] } ?? [])
        } else {
            handover.takeBack()
            await controlServer?.close()
        }
    }

    /// True when `run` ended so that the program can be executed anew.
    package var isRenewing: Bool { handover.isUnderWay && requestedExit == nil }

    /// The first request counts; one to stop stands above it.
    private func requestRenewal() {
        guard requestedExit == nil, !handover.isUnderWay else { return }
        handover.isUnderWay = true
        for role in roles { role.renewing() }
        leave(0)
    }

    /// Ends `run` with this exit code; the first request counts.
    package func requestStop(_ code: Int32) {
        guard requestedExit == nil else { return }
        requestedExit = code
        leave(code)
    }

    private func leave(_ code: Int32) {
        stopContinuation?.resume(returning: code)
        stopContinuation = nil
    }

    var uptime: Duration { Loop.time.now - startedAt }

    private func start() async throws(Failure) {
        let services = Services(
            config: config, time: Loop.time, random: SystemRandom(), bus: bus, log: log, control: commands,
            requestStop: { [weak self] code in self?.requestStop(code) }, handover: handover)
        for name in config.roles {
            guard let type = registry.first(where: { $0.name == name }) else {
                throw Failure(
                    .configuration,
                    "this program has no role \"\(name)\"; it has: \(registry.map { $0.name }.joined(separator: ", "))")
            }
            let role = try type.init(services: services)
            roles.append(role)
            try await role.start()
            bus.publish(.roleStarted(name: name))
            log.notice("role started", metadata: ["role": "\(name)"])
        }
        try makeRuntimeFolder()
        controlServer = try ControlServer(
            path: config.node.runtimeDirectory + "/control.sock", commands: commands, adopting: handover.take("control").first)
    }

    private func makeRuntimeFolder() throws(Failure) {
        do {
            try HostFiles.makeFolders(config.node.runtimeDirectory)
        } catch {
            throw Failure(
                .cannotCreate, "cannot make the runtime folder \(config.node.runtimeDirectory): \(error); set node.runtime_dir")
        }
    }

    private static var signals: [Int32] { [SIGTERM, SIGINT, SIGHUP, SIGUSR1] }

    private func openSignals() throws(Failure) -> SignalSource {
        do {
            return try SignalSource(Self.signals) { [unowned self] signal in received(signal) }
        } catch {
            throw Failure(.system, "cannot watch for signals: \(error)")
        }
    }

    private func received(_ signal: Int32) {
        switch signal {
        case SIGHUP: Loop.spawn(name: "reload") { [self] in try? await reload() }
        case SIGUSR1: dumpState()
        default:
            log.notice("stopping", metadata: ["signal": "\(signal)"])
            requestStop(0)
        }
    }

    /// Reads the configuration again and hands it to the roles. On an error the old one stays in force.
    func reload() async throws(Failure) {
        ServiceManager.reloading(now: Loop.time.now)
        defer { ServiceManager.ready("serving as \(config.roles.joined(separator: " and "))") }
        let fresh: Config
        do throws(ConfigError) {
            fresh = try reloadConfig()
        } catch {
            log.error("configuration not loaded, the old one stays in force", metadata: ["error": "\(error)"])
            throw Failure(.configuration, "\(error); the old configuration stays in force")
        }
        for change in fresh.changes(since: config) where change.needsRestart {
            log.warning("a changed key takes effect at the next start", metadata: ["key": "\(change.key)"])
        }
        for role in roles { await role.reload(fresh) }
        config = fresh
        bus.publish(.configReloaded)
        log.notice("configuration loaded again")
    }

    /// How long turns of the loop took, in microseconds: `lag` with what the system gave to others meanwhile, `cpu` without.
    var loopFigures: [String: Int64] {
        var figures: [String: Int64] = [:]
        for (name, histogram) in [("lag", Loop.lag), ("cpu", Loop.cpu)] {
            figures["\(name)_p50_us"] = histogram.quantile(0.5).nanoseconds / 1000
            figures["\(name)_p99_us"] = histogram.quantile(0.99).nanoseconds / 1000
            figures["\(name)_max_us"] = histogram.max.nanoseconds / 1000
        }
        return figures
    }

    private func dumpState() {
        var state: Logger.Metadata = ["turns": "\(Loop.lag.count)"]
        for (name, microseconds) in loopFigures { state[name] = "\(microseconds)" }
        log.notice("state", metadata: state)
        let trace = bus.trace
        Loop.spawn(name: "trace") { [log] in
            await Loop.inTurns(trace) { traced in
                let fields = traced.event.fields.map { ($0.0, Logger.MetadataValue.string($0.1)) }
                log.notice("trace \(traced.event.name)", metadata: Dictionary(fields, uniquingKeysWith: { $1 }))
            }
        }
    }

    /// Drains the roles in reverse order, for as long as the deadline allows.
    private func drain() async {
        bus.publish(.draining)
        let roles = roles
        await inTime { for role in roles.reversed() { await role.drain() } }
    }

    /// Waits for `work` until the deadline.
    private func inTime(_ work: @escaping @Sendable @LoopActor () async -> Void) async {
        let race = Race()
        let deadline = LoopTimer { race.end() }
        deadline.schedule(at: Loop.time.now + drainDeadline)
        Loop.spawn(name: "drain") {
            await work()
            race.end()
        }
        await race.wait()
        deadline.close()
    }

    private func stopRoles() async {
        for role in roles.reversed() {
            await role.stop()
            bus.publish(.roleStopped(name: type(of: role).name))
        }
        roles = []
    }

    private func startWatchdog() -> LoopTimer? {
        guard let interval = ServiceManager.watchdogInterval else { return nil }
        let timer = WatchdogTimer(interval: interval / 2)
        timer.tick()
        return timer.timer
    }
}

/// Tells the service manager that the loop still turns.
@LoopActor private final class WatchdogTimer {
    private let interval: Duration
    private(set) var timer: LoopTimer?

    init(interval: Duration) {
        self.interval = interval
        timer = LoopTimer { [self] in tick() }
    }

    func tick() {
        ServiceManager.watchdog()
        timer?.schedule(at: Loop.time.now + interval)
    }
}

/// Waits for the first of several ends.
@LoopActor private final class Race {
    private var isOver = false
    private var waiter: CheckedContinuation<Void, Never>?

    func end() {
        isOver = true
        waiter?.resume()
        waiter = nil
    }

    func wait() async {
        await withCheckedContinuation { continuation in
            if isOver { continuation.resume() } else { waiter = continuation }
        }
    }
}
