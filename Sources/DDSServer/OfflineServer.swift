// A node that does not run: what the command line needs of it when no daemon answers. The spool's lock keeps a daemon out
// meanwhile.

package import DDSCore
package import DDSLoop
package import DDSNode
package import DDSSeal

@LoopActor package final class OfflineServer {
    /// The administrator's commands, the same that a running node answers.
    package let commands = ControlCommands()
    private let state: ServerState

    private init(_ state: ServerState) {
        self.state = state
    }

    /// `init server`: keys, certificate, empty spool. Refuses to overwrite anything.
    package static func create(
        config: Config, passphrase: SecretBytes? = nil, random: any RandomSource, time: any TimeSource
    ) async throws(Failure) {
        try await ServerState.create(config: config, passphrase: passphrase, random: random, time: time)
    }

    /// True when opening the node takes a passphrase.
    package static func wantsPassphrase(_ config: Config) -> Bool { config.server.keys.master == .passphrase }

    /// Opens the node of `config`. Throws with exit code 75 when a process has it open, 66 when there is none.
    package static func open(
        config: Config, passphrase: SecretBytes? = nil, random: any RandomSource, time: any TimeSource
    ) async throws(Failure) -> OfflineServer {
        let state = try await ServerState.open(
            config: config, passphrase: passphrase, random: random, time: time, onSpoolStopped: { _ in })
        let server = OfflineServer(state)
        let facts = server.state.facts(config: config, pop3sPort: nil, submissionsPort: nil)
        ServerAdmin(store: server.state.store, facts: facts, time: time, random: random, publish: { _ in }, onRemoved: { _ in }).register(in: server.commands)
        return server
    }

    package func close() async { await state.close() }
}
