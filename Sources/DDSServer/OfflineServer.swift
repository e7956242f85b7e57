// A node that does not run: what the command line needs of it when no daemon answers. The spool's lock keeps a daemon out
// meanwhile.

package import DDSCore
package import DDSLoop
package import DDSNode
package import DDSSeal
import DDSSpool

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
        services: Services, passphrase: SecretBytes? = nil
    ) async throws(Failure) -> OfflineServer {
        let config = services.config
        let state = try await ServerState.open(
            config: config, passphrase: passphrase, random: services.random, time: services.time, onSpoolStopped: { _ in })
        do throws(SpoolError) {
            let book = MaildropBook(try await state.spool.mailboxes())
            book.quota = config.server.spool.mailboxQuota
            let delivery = try await DeliveryService.open(
                store: state.store, spool: state.spool, book: book, services: services, keys: state.keys)
            let server = OfflineServer(state)
            ServerAdmin(
                store: state.store, facts: state.facts(config: config, pop3sPort: nil, submissionsPort: nil), time: services.time,
                random: services.random, delivery: delivery,
                queue: QueueDesk(delivery: delivery, store: state.store, spool: state.spool, book: book), publish: { _ in },
                onRemoved: { book.forget(MailboxID(rawValue: $0.mailbox)) }
            ).register(in: server.commands)
            return server
        } catch {
            await state.close()
            throw Failure(.inputOutput, "the spool cannot be read: \(error)")
        }
    }

    package func close() async { await state.close() }
}
