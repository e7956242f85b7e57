// The commands of a running agent that concern the desktop: one-time addresses of the page, and notifications.

import DDSCore
import DDSHTTP
import DDSLoop
import DDSNode

@LoopActor final class DesktopCommands {
    private let role: AgentRole

    init(role: AgentRole) {
        self.role = role
    }

    func register(in commands: ControlCommands) {
        commands.register("agent.open") { [self] request, _ throws(Failure) in try open(request) }
        commands.register("agent.notify.test") { [self] _, _ throws(Failure) in
            try await desktop().testNotification()
            return ["shown": true]
        }
        commands.register("agent.notify.pause") { [self] request, _ throws(Failure) in
            guard let seconds = request.arguments["seconds"]?.integer, (1...Self.pauseMax).contains(seconds) else {
                throw Failure(.usage, "a pause is from 1 second to 7 days")
            }
            let until = try desktop().pause(for: .seconds(seconds))
            return ["until": .text(CivilTime(secondsSinceEpoch: until.seconds).rfc3339)]
        }
        commands.register("agent.notify.resume") { [self] _, _ throws(Failure) in
            try desktop().resume()
            return ["paused": false]
        }
    }

    /// Characters; longer than any link.
    private static let linkMax = 400
    /// Seconds.
    private static let pauseMax: Int64 = 7 * 86400

    private func desktop() throws(Failure) -> DesktopDesk {
        guard let desktop = role.desktop else { throw Failure(.unavailable, "the agent is starting or stopping; try again") }
        return desktop
    }

    /// The address of a page, or with `invite` of the welcome with that link in its field.
    private func open(_ request: ControlRequest) throws(Failure) -> JSONValue {
        guard let page = role.page else { throw Failure(.unavailable, "there is no page while the agent starts or stops") }
        var target = OpenTarget()
        if let path = request.arguments["path"]?.string {
            guard Route.isPage(path) else {
                throw Failure(
                    .usage, "the page has no such path; it has / /l /p /f /r /x /d /w, /g/ID for groups and /t/ID for threads")
            }
            target.path = path
        }
        if let link = request.arguments["invite"]?.string {
            guard role.agent == nil else {
                throw Failure(
                    .cannotCreate,
                    "this agent belongs to somebody already, and the link is for who has not joined yet; for a second account run: "
                        + "ddsnode --config OTHER.toml --role agent, then open the link with the same --config")
            }
            // What it is for, the node is asked once a person goes on.
            _ = try Invitation(link)
            target.invite = Redacted(String(link.prefix(Self.linkMax)))
        }
        return ["url": .text(page.makeOpenAddress(for: target)), "address": .text(page.gate.site.address)]
    }
}
