// Joining as a person experiences it: the steps of `Join` and, at the end, a message of one's own that came back from the
// node. The same for a running agent and for the command line alone.

import DDSCore
import DDSLoop
import DDSMail
import DDSNode
import DDSSeal
import DDSWire

@LoopActor enum Joining {
    /// How long the loop message may take.
    static var proofTimeout: Duration { .seconds(30) }

    /// How often a new device asks whether the other one has answered.
    private static var linkPause: Duration { .seconds(1) }

    /// Makes the key, registers, closes and reopens. A nil `workFactor` is measured.
    static func run(
        services: Services, invitation: Invitation, passphrase: SecretBytes, workFactor: Int? = nil,
        progress: @LoopActor (String) -> Void
    ) async throws(Failure) {
        let folder = AgentFolder(stateDir: services.config.node.stateDirectory)
        switch invitation {
        case .invite(let invite):
            let join = Join(folder: folder, services: services, invite: invite, workFactor: workFactor)
            _ = try await join.run(passphrase: passphrase, progress: progress)
        case .device(let link, let title):
            let join = LinkedJoin(
                folder: folder, services: services, link: link, title: title, workFactor: workFactor,
                pause: { () throws(Failure) in try await wait(linkPause) })
            _ = try await join.run(passphrase: passphrase, progress: progress)
        }
    }

    private static func wait(_ pause: Duration) async throws(Failure) {
        do {
            try await Loop.sleep(for: pause)
        } catch {
            throw Failure(.interrupted, "interrupted")
        }
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

    /// Unlocks, sends a message to oneself through the node and waits until it is back. A device that was linked only fetches: its
    /// message would come to the person's other devices too.
    static func prove(
        _ agent: Agent, passphrase: SecretBytes, isLinked: Bool = false, services: Services,
        within timeout: Duration = proofTimeout, progress: @LoopActor (String) -> Void
    ) async throws(Failure) {
        try await agent.unlock(passphrase: passphrase)
        if isLinked {
            guard case .completed? = await agent.fetcher?.fetchNow()?.end else {
                throw Failure(.unavailable, "this is a device of yours now, but it could not fetch yet; see: ddsnode status")
            }
            return progress("fetched from the node")
        }
        let begin = services.time.now
        let id = try await agent.sendLoopMessage()
        while services.time.now - begin < timeout {
            if try await agent.takeLoopMessage(id) {
                let tenths = (services.time.now - begin).nanoseconds / 100_000_000
                return progress("test message came back in \(tenths / 10).\(tenths % 10) s")
            }
            if let words = agent.refusal(of: id) { throw Failure(.unavailable, "the node refused the test message: \(words)") }
            // The fetcher waits at the node and brings it by itself; this only looks whether it is there.
            try await wait(.milliseconds(50))
        }
        throw Failure(
            .unavailable,
            "you are registered, but the test message did not come back within \(timeout.components.seconds) s; see: ddsnode status"
        )
    }
}
