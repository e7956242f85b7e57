// Joining as a person experiences it: the steps of `Join` and, at the end, a message of one's own that came back from the
// node. The same for a running agent and for the command line alone.

import DDSCore
import DDSLoop
import DDSMail
import DDSNode
import DDSSeal
import DDSWire

/// What whoever joins says of themselves, beside invite and passphrase.
struct JoiningWishes: Hashable, Sendable {
    /// Empty for what the node calls them.
    var display = ""
    /// A page leads through it: kit and proof follow, and a stop before them is remembered.
    var isWatched = false
}

/// How far the proof of an account is.
enum ProofStep: Hashable, Sendable {
    /// The keys were read from the disk and opened.
    case opened
    /// The node has taken the test message.
    case sent
    /// It came back.
    case returned
}

@LoopActor enum Joining {
    /// How long the loop message may take.
    static var proofTimeout: Duration { .seconds(30) }

    /// How often a new device asks whether the other one has answered.
    private static var linkPause: Duration { .seconds(1) }

    /// Makes the key, registers, closes and reopens. A nil `workFactor` is measured.
    static func run(
        services: Services, invitation: Invitation, passphrase: SecretBytes, workFactor: Int? = nil,
        wishes: JoiningWishes = JoiningWishes(), progress: @LoopActor (String) -> Void
    ) async throws(Failure) {
        let folder = AgentFolder(stateDir: services.config.node.stateDirectory)
        switch invitation {
        case .invite(let invite):
            let join = Join(folder: folder, services: services, invite: invite, workFactor: workFactor, wishes: wishes)
            _ = try await join.run(passphrase: passphrase, progress: progress)
        case .device(let link, let title):
            let join = LinkedJoin(
                folder: folder, services: services, link: link, title: title, workFactor: workFactor,
                pause: { () throws(Failure) in try await wait(linkPause) }, wishes: wishes)
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
        wishes: JoiningWishes = JoiningWishes(), progress: @LoopActor (String) -> Void
    ) async throws(Failure) -> Int {
        let folder = AgentFolder(stateDir: services.config.node.stateDirectory)
        let restore = Restore(folder: folder, services: services, kit: kit, workFactor: workFactor, wishes: wishes)
        return try await restore.run(passphrase: passphrase, progress: progress)
    }

    /// Unlocks, sends a message to oneself through the node and waits until it is back. A device that was linked only fetches: its
    /// message would come to the person's other devices too.
    static func prove(
        _ agent: Agent, passphrase: SecretBytes, isLinked: Bool = false, services: Services,
        within timeout: Duration = proofTimeout, progress: @LoopActor (String) -> Void
    ) async throws(Failure) {
        try await agent.unlock(passphrase: passphrase)
        try await prove(agent, isLinked: isLinked, services: services, within: timeout, reached: { _ in }, progress: progress)
    }

    /// The same of an agent that is unlocked. `reached` is called with each step.
    static func prove(
        _ agent: Agent, isLinked: Bool, services: Services, within timeout: Duration,
        reached: @LoopActor (ProofStep) -> Void, progress: @LoopActor (String) -> Void
    ) async throws(Failure) {
        if isLinked {
            guard case .completed? = await agent.fetcher?.fetchNow()?.end else {
                throw Failure(.unavailable, "this is a device of yours now, but it could not fetch yet; see: ddsnode status")
            }
            reached(.returned)
            return progress("fetched from the node")
        }
        let begin = services.time.now
        let id = try await agent.sendLoopMessage()
        while services.time.now - begin < timeout {
            if agent.unlocked?.store.items[id]?.summary.sendState == .sent { reached(.sent) }
            if try await agent.takeLoopMessage(id) {
                reached(.sent)
                reached(.returned)
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
