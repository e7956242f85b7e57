// Joining as a person experiences it: the steps of `Join` and, at the end, a message of one's own that came back from the
// node. The same for a running agent and for the command line alone.

import DDSCore
import DDSLoop
import DDSMail
import DDSNode
import DDSSeal

@LoopActor enum Joining {
    /// How long the loop message may take.
    private static var proofTimeout: Duration { .seconds(30) }

    /// Makes the key, registers, closes and reopens. A nil `workFactor` is measured.
    static func run(
        services: Services, invite: InviteLink, passphrase: SecretBytes, workFactor: Int? = nil,
        progress: @LoopActor (String) -> Void
    ) async throws(Failure) {
        let folder = AgentFolder(stateDir: services.config.node.stateDirectory)
        let join = Join(folder: folder, services: services, invite: invite, workFactor: workFactor)
        _ = try await join.run(passphrase: passphrase, progress: progress)
    }

    /// Restores an account from its kit; returns how many messages were gone with the lost keys.
    static func restore(
        services: Services, kit: RecoveryKit, passphrase: SecretBytes, workFactor: Int? = nil,
        progress: @LoopActor (String) -> Void
    ) async throws(Failure) -> Int {
        let folder = AgentFolder(stateDir: services.config.node.stateDirectory)
        let restore = Restore(folder: folder, services: services, kit: kit, workFactor: workFactor)
        return try await restore.run(passphrase: passphrase, progress: progress)
    }

    /// Unlocks, sends a message to oneself through the node and waits until it is back.
    static func prove(
        _ agent: Agent, passphrase: SecretBytes, services: Services, progress: @LoopActor (String) -> Void
    ) async throws(Failure) {
        try await agent.unlock(passphrase: passphrase)
        let begin = services.time.now
        let id = try await agent.sendLoopMessage()
        while services.time.now - begin < proofTimeout {
            if try await agent.takeLoopMessage(id) {
                let tenths = (services.time.now - begin).nanoseconds / 100_000_000
                return progress("test message came back in \(tenths / 10).\(tenths % 10) s")
            }
            if let words = agent.refusal(of: id) { throw Failure(.unavailable, "the node refused the test message: \(words)") }
            // The fetcher waits at the node and brings it by itself; this only looks whether it is there.
            do {
                try await Loop.sleep(for: .milliseconds(50))
            } catch {
                throw Failure(.interrupted, "interrupted")
            }
        }
        throw Failure(
            .unavailable, "you are registered, but the test message did not come back within 30 s; see: ddsnode status")
    }
}
