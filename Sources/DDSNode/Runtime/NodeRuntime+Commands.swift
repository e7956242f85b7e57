// Commands every process answers, whatever its roles: status, stop, reload, events.

package import DDSBus
import DDSBus
import DDSCore
import DDSLoop

extension NodeRuntime {
    func registerCommands() {
        commands.register("status") { [unowned self] _, _ throws(Failure) in await status() }
        commands.register("stop") { [unowned self] _, _ throws(Failure) in
            requestStop(0)
            return ["stopping": true]
        }
        commands.register("reload") { [unowned self] _, _ throws(Failure) in try await reloadNow() }
        commands.register("events") { [unowned self] request, output throws(Failure) in
            await follow(request.arguments["follow"]?.boolean ?? false, output)
        }
    }

    private func status() async -> JSONValue {
        var fields: [String: JSONValue] = [
            "pid": .number(processID), "uptime_seconds": .number(uptime.components.seconds), "roles": .texts(roleNames),
            "loop": ["lag_p99_us": .number(Loop.lag.quantile(0.99).nanoseconds / 1000), "lag_max_us": .number(Loop.lag.max.nanoseconds / 1000)],
        ]
        var problems: [String] = []
        for (name, status) in await roleStatus() {
            fields[name] = status.fields
            problems += status.problems
        }
        fields["problems"] = .texts(problems)
        return .object(fields)
    }

    /// Sends what the bus carries until the other side goes away; without `follow`, the trace only.
    private func follow(_ follow: Bool, _ output: any ControlOutput) async -> JSONValue {
        for traced in events.trace { output.event(line(traced.event)) }
        guard follow else { return .null }
        await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
            guard !output.isClosed else { return continuation.resume() }
            let subscription = events.subscribe(.all) { [unowned self] batch in
                for event in batch { output.event(line(event)) }
            }
            output.onClose = { [unowned self] in
                events.unsubscribe(subscription)
                continuation.resume()
            }
        }
        return .null
    }

    private func line(_ event: NodeEvent) -> JSONValue {
        JSONValue(parsing: Array(event.line.utf8)) ?? .null
    }
}
