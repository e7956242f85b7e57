// Commands every process answers, whatever its roles: status, stop, reload, events.

import DDSBus
import DDSCore
import DDSLoop
import DDSSeal
import Glibc

extension NodeRuntime {
    func registerCommands() {
        commands.register("status") { [unowned self] _, _ throws(Failure) in await status() }
        commands.register("stop") { [unowned self] _, _ throws(Failure) in
            requestStop(0)
            return ["stopping": true]
        }
        commands.register("reload") { [unowned self] _, _ throws(Failure) in
            try await reload()
            return ["reloaded": true]
        }
        commands.register("events") { [unowned self] request, output throws(Failure) in
            await events(follow: request.arguments["follow"]?.boolean ?? false, output)
        }
    }

    private func status() async -> JSONValue {
        var fields: [String: JSONValue] = [
            "pid": .number(Int64(getpid())), "uptime_seconds": .number(uptime.components.seconds),
            "roles": .texts(roles.map { type(of: $0).name }),
            "loop": .object(loopFigures.mapValues { .number($0) }), "memory": Self.memory,
            "renewing": .bool(handover.isUnderWay),
        ]
        var problems = [SecretMemory.figures.warning].compactMap { $0 }
        for role in roles {
            let status = await role.status()
            fields[type(of: role).name] = status.fields
            problems += status.problems
        }
        fields["problems"] = .texts(problems)
        return .object(fields)
    }

    /// What `doctor` asks a running process about its own memory.
    private static var memory: JSONValue {
        let figures = SecretMemory.figures
        return [
            "secret_bytes": .number(figures.held), "unlocked_bytes": .number(figures.unlocked),
            "traceable": .bool(ProcessHygiene.isTraceable), "core_dumps": .bool(ProcessHygiene.dumpsCore),
        ]
    }

    /// The trace first; with `follow`, what the bus carries until the other side goes away.
    private func events(follow: Bool, _ output: any ControlOutput) async -> JSONValue {
        let bus = bus
        guard follow else {
            await Loop.inTurns(bus.trace) { output.event(Self.line($0.event)) }
            return .null
        }
        // Whatever comes while the trace is written, which takes several turns, comes behind it.
        let trace = bus.trace
        let follower = Follower { output.event(Self.line($0)) }
        let subscription = bus.subscribe(.all) { batch in follower.take(batch) }
        await Loop.inTurns(trace) { output.event(Self.line($0.event)) }
        follower.catchUp()
        await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
            guard !output.isClosed else { return continuation.resume() }
            output.onClose = { continuation.resume() }
        }
        bus.unsubscribe(subscription)
        return .null
    }

    private static func line(_ event: NodeEvent) -> JSONValue {
        JSONValue(parsing: Array(event.jsonLine().utf8)) ?? .null
    }
}

/// Keeps events back until it is told to go on.
@LoopActor private final class Follower {
    private let tell: @LoopActor (NodeEvent) -> Void
    private var waiting: [NodeEvent]? = []

    init(_ tell: @escaping @LoopActor (NodeEvent) -> Void) {
        self.tell = tell
    }

    func take(_ events: [NodeEvent]) {
        if waiting == nil { events.forEach(tell) } else { waiting? += events }
    }

    func catchUp() {
        waiting?.forEach(tell)
        waiting = nil
    }
}
