// What a person says about other people's keys, and the mail that waits for it.

import DDSCore
import DDSLoop
import DDSNode
import DDSSeal
import DDSSpool
import Logging

extension Agent {
    /// Lets what waits for decisions come and go between the store and the outbox, and sends what a stop kept from it.
    func connect(_ held: HeldMail, of store: MessageStore) async {
        held.withdraw = { [weak self] in self?.outbox?.withdraw($0) ?? true }
        held.release = { [weak self] in self?.outbox?.queued($0) }
        do throws(SpoolError) {
            try await store.releaseDecided()
        } catch {
            services.log.error("mail that was decided on is not sent yet", metadata: ["error": "\(error)"])
        }
    }

    /// The address of a person as somebody types it.
    func person(_ text: String) throws(Failure) -> String {
        guard let address = try recipients([text]).first else {
            throw Failure(.usage, "name a person, like bob@\(account.address.domain)")
        }
        guard address != account.address else {
            throw Failure(.usage, "\(address) is you; your own fingerprint is in: ddsnode key show")
        }
        return "\(address)"
    }

    func contact(_ address: String) throws(Failure) -> Contact {
        guard let contact = try opened().store.trust.contact(address) else {
            throw Failure(
                .unknownName, "no key of \(address) is known here yet; it comes with a group that you are both in, or a message"
            )
        }
        return contact
    }

    /// Returns how many messages go out now, or are given up.
    func decide(_ decision: TrustBook.Decision, on address: String) async throws(Failure) -> Int {
        let store = try opened().store
        let count = try await store.decide(decision, on: address)
        await outcomeCame()
        if unlocked?.store === store { noteChange(of: store) }
        return count
    }

    /// Of this person's own key; nil while locked.
    var ownFingerprint: KeyFingerprint? {
        unlocked.map { KeyFingerprint(of: SigningKey(seed: $0.keys.identitySeed).publicKey) }
    }
}

extension MessageStore {
    func decide(_ decision: TrustBook.Decision, on address: String) async throws(Failure) -> Int {
        do throws(SpoolError) {
            try await enter()
        } catch {
            throw Failure(.permission, "the agent is locked; run: ddsnode unlock")
        }
        defer { gate.leave() }
        return try await trust.decide(decision, on: address)
    }

    /// A stop between a decision and what follows from it leaves mail that waits for nothing.
    func releaseDecided() async throws(SpoolError) {
        try await enter()
        defer { gate.leave() }
        _ = try await trust.settle(trust.trust.keys)
    }
}
