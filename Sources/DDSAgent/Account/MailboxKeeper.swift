// Keeps a person's mailbox keys young while the agent is unlocked: makes the next key, tells the node, and destroys the old
// ones when nothing can come under them any more. What is due is MailboxRing's decision; each step is durable before the
// next, so that a stop anywhere leaves something to go on with.

import DDSCore
import DDSLoop
import DDSNode
import DDSSeal
import Logging

@LoopActor final class MailboxKeeper {
    /// What came of telling the node.
    enum Answer: Hashable, Sendable {
        case standing(KeyStanding)
        /// The node does not take the statement, in its words.
        case refused(String)
        case unreachable(String)
    }

    /// What the keeper needs of its agent.
    struct Outside: Sendable {
        /// Sends the statement to the node.
        var tell: @LoopActor @Sendable (KeyStating) async -> Answer
        /// Takes in what was fetched, and returns the key numbers of what is left unopened.
        var takeIn: @LoopActor @Sendable () async throws(Failure) -> Set<UInt64>
        var wall: @Sendable () -> WallTime
        var random: any RandomSource
    }

    private(set) var ring: MailboxRing
    private let file: MailboxKeyFile
    private let vault: VaultKeys
    private let address: MailAddress
    /// The key hash of this device.
    private let device: [UInt8]
    private let outside: Outside
    private let log: Logger
    private let gate = LoopGate()
    private var isClosed = false
    /// Mail came since the newest key was made.
    private var hasNewMail = false
    private var isRefused = false
    /// The node has not said since the unlock which key it has: it may have been set back to a backup.
    private var isUnasked = true
    /// Why no key can be made or let go, in words.
    private(set) var trouble: String?

    init(
        ring: MailboxRing, file: MailboxKeyFile, vault: VaultKeys, address: MailAddress, device: [UInt8], outside: Outside,
        log: Logger
    ) {
        self.ring = ring
        self.file = file
        self.vault = vault
        self.address = address
        self.device = device
        self.outside = outside
        self.log = log
    }

    /// Opens what the fetched mail is sealed to. The vault's own key is among them: what was sealed to it stays readable.
    var identities: [AgeIdentity] {
        ring.identities + (ring.keys.contains { $0.identity.recipient == vault.mailbox.recipient } ? [] : [vault.mailbox])
    }

    func mailCame() { hasNewMail = true }

    /// The agent was locked: what is under way ends without a change.
    func close() { isClosed = true }

    /// Does what is due now; returns when nothing more can be done before the node or the inbox has changed.
    func tend() async {
        await gate.pass { [self] in
            do throws(Failure) {
                if hasNewMail, ring.isDue(now: outside.wall()) { try makeKey() }
                if ring.isUnsettled || (isUnasked && ring.newest.number > 0), !isRefused, !isClosed { try await settle() }
            } catch {
                trouble = error.publicText
                log.error("mailbox keys", metadata: ["error": "\(error)"])
            }
        }
    }

    private func makeKey() throws(Failure) {
        let now = outside.wall()
        let last = ring.newest
        let identity = AgeIdentity.generate(kind: .hybrid, random: outside.random)
        let statement = MailboxStatement(
            holder: .member(address), device: device, number: last.number + 1, notBefore: now,
            notAfter: now + MailboxStatement.lifetime, recipient: "\(identity.recipient)",
            previous: last.number == 0 ? MailboxStatement.noPrevious : MailboxStatement.hash(of: last.statement))
        var next = ring
        next.add(
            MailboxRing.Key(
                number: last.number + 1, since: now, identity: identity, statement: statement.signed(by: vault.identity),
                isConfirmed: false))
        // The node may seal to it as soon as it has heard of it: it must never be forgotten after that.
        try file.save(next, vault, random: outside.random)
        ring = next
        hasNewMail = false
        log.notice("mailbox key made", metadata: ["number": "\(next.newest.number)"])
    }

    private func settle() async throws(Failure) {
        var answer = await tell(ring.newest.statement)
        if case .refused = answer, !ring.earlier.isEmpty, !isClosed {
            // A node that was set back lacks some of those before; those that it has it refuses.
            for statement in ring.earlier {
                answer = await tell(statement)
                if case .unreachable = answer { break }
            }
            if case .unreachable = answer {} else { answer = await tell(ring.newest.statement) }
        }
        switch answer {
        case .unreachable(let words): trouble = words
        case .refused(let words):
            isRefused = true
            trouble = "the node does not take the new mailbox key: \(words)"
        case .standing(let standing):
            trouble = nil
            isUnasked = false
            guard !isClosed else { return }
            var next = ring
            guard next.take(standing) else {
                throw Failure(
                    .protocolError,
                    "the node says that it has mailbox key \(standing.number), which is not the one that it was told")
            }
            if !ring.newest.isConfirmed { try keep(next) }
            guard standing.older == 0, ring.keys.count > 1 else { return }
            let left = try await outside.takeIn()
            guard !isClosed else { return }
            next = ring
            let count = next.drop(after: standing, inbox: left)
            guard count > 0 else { return }
            try keep(next)
            log.notice("old mailbox keys destroyed", metadata: ["count": "\(count)", "number": "\(next.newest.number)"])
        }
    }

    private func tell(_ statement: [UInt8]) async -> Answer {
        await outside.tell(KeyStating(identity: vault.identity.publicKey, statement: statement))
    }

    private func keep(_ next: MailboxRing) throws(Failure) {
        try file.save(next, vault, random: outside.random)
        ring = next
    }
}
