// What a role is: a plugin that gets services handed to it and never knows another role.

package import DDSCore
package import DDSLoop
package import Logging

/// One role of a process: the server, the agent, or one of your own. Adding a role takes a target and a line in the
/// executable's registry.
@LoopActor package protocol Role: AnyObject {
    /// The word in `roles = [...]` and `--role`.
    static var name: String { get }
    /// True when the process may execute its program anew in the midst of serving: whoever talks to the role comes again.
    static var mayBeRenewed: Bool { get }

    init(services: Services) throws(Failure)
    /// Opens state and listeners. After it returns the role serves. Throws what keeps it from starting, with the remedy.
    func start() async throws(Failure)
    /// Every role of a process that runs until it is stopped serves now. Not called where a command does its work with a role in
    /// its own process.
    func serving()
    /// The program is going to be executed anew, as soon as what is being done has been finished: whoever comes from now on waits
    /// for the next one. Not called for roles that may not be renewed.
    func renewing()
    /// SIGHUP: takes over every key that does not need a restart.
    func reload(_ config: Config) async
    /// Stops accepting and finishes what is half done; the runtime escalates to `stop` after a deadline.
    func drain() async
    /// Releases everything. Called once, also after a failed start.
    func stop() async
    /// Fields for `status --json`, and problems in words.
    func status() async -> RoleStatus
}

extension Role {
    package static var mayBeRenewed: Bool { false }

    package func serving() {}

    package func renewing() {}
}

package struct RoleStatus: Sendable {
    package var fields: JSONValue
    /// Each is one sentence with the remedy; `status` exits 1 when there is any.
    package var problems: [String]

    package init(fields: JSONValue, problems: [String]) {
        self.fields = fields
        self.problems = problems
    }
}

/// What a role may use. Handed over explicitly; there are no globals.
package struct Services: Sendable {
    package var config: Config
    package var time: any TimeSource
    package var random: any RandomSource
    package var bus: NodeBus
    package var log: Logger
    package var control: ControlCommands
    /// Asks the runtime to stop the process with an exit code: a spool that failed to write ends the process with 70.
    package var requestStop: @LoopActor @Sendable (Int32) -> Void
    /// How to have the program executed anew, and the sockets that outlive it.
    package var handover: Handover

    @LoopActor package init(
        config: Config, time: any TimeSource, random: any RandomSource, bus: NodeBus, log: Logger, control: ControlCommands,
        requestStop: @escaping @LoopActor @Sendable (Int32) -> Void, handover: Handover? = nil
    ) {
        self.config = config
        self.time = time
        self.random = random
        self.bus = bus
        self.log = log
        self.control = control
        self.requestStop = requestStop
        self.handover = handover ?? Handover()
    }
}
