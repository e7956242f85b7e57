// What the keeper of the mailbox keys is given of its agent: the file, the way to the node, the inbox.

import DDSCore
import DDSLoop
import DDSNode
import DDSSeal
import DDSSpool
import DDSTLS
import DDSWire
import Logging

extension Agent {
    /// Lets the keeper do what is due. Called when the agent was unlocked and after each round of fetching.
    func tendKeys() {
        // Only a command's own agent does not fetch; it ends before the node has answered.
        guard fetcher != nil, let keeper = unlocked?.keeper else { return }
        Loop.spawn(name: "keys") { await keeper.tend() }
    }

    /// A missing file is no fresh start: it is said, and the keys that are there go on opening what they open.
    func makeKeeper(_ vault: VaultKeys, _ store: MessageStore) -> MailboxKeeper? {
        let file = MailboxKeyFile(path: folder.mailboxKeys)
        let ring: MailboxRing
        do throws(Failure) {
            if file.exists || account.hasMailboxKeys {
                ring = try file.load(vault)
                try noteMailboxKeys()
            } else {
                ring = .ofVault(vault)
            }
        } catch {
            keyTrouble = error.publicText
            services.log.error("mailbox keys", metadata: ["error": "\(error)"])
            return nil
        }
        keyTrouble = nil
        return MailboxKeeper(
            ring: ring, file: file, vault: vault, address: account.address, device: link.device.keyHash,
            outside: MailboxKeeper.Outside(
                tell: { [weak self] in await self?.tell($0) ?? .unreachable("the agent is stopping") },
                takeIn: { [weak store] () throws(Failure) in try await Self.takeIn(store) },
                wall: { [time = services.time] in time.wall }, random: services.random),
            log: services.log)
    }

    /// From here on the file is missed when it is gone.
    private func noteMailboxKeys() throws(Failure) {
        guard !account.hasMailboxKeys, var kept = try folder.loadAccount() else { return }
        kept.hasMailboxKeys = true
        try folder.save(kept)
        account.hasMailboxKeys = true
    }

    private static func takeIn(_ store: MessageStore?) async throws(Failure) -> Set<UInt64> {
        do throws(SpoolError) {
            guard let store, !store.isClosed else { throw .stopped("the agent was locked") }
            try await store.importFetched()
            return try await store.keysOfUnopened()
        } catch {
            throw Failure(.inputOutput, "what was fetched cannot be taken in, so no key is destroyed: \(error)")
        }
    }

    private func tell(_ stating: KeyStating) async -> MailboxKeeper.Answer {
        do throws(Failure) {
            let (outcome, detail) = try await say(stating.message)
            return Self.answer(outcome, detail)
        } catch {
            return .unreachable(error.publicText)
        }
    }

    /// One transaction with the node, which also says which key it wants to be sealed to.
    func transact(_ envelope: Envelope, _ message: [UInt8]) async throws(Failure) -> (outcome: SMTPOutcome, detail: String) {
        var configuration = SMTPClientConfiguration(
            clientName: "[127.0.0.1]", tls: .implicit, credentials: .external(authzid: account.address.local),
            envelope: envelope, message: message)
        configuration.wantsOffer = true
        return try await SubmissionClient.run(
            configuration, link: link.at(account.submissionsHost), port: account.submissionsPort,
            id: Hex.encode(services.random.bytes(8)), heard: { [weak self] in self?.heard(offer: $0) })
    }

    /// Learns the node's seal key; it is used when it is durable.
    func heard(offer: [String]) {
        switch account.nodeSeal.news(in: offer, of: account.address.domain, identity: account.nodeIdentity) {
        case .unchanged: sealTrouble = nil
        case .mistrusted(let words):
            sealTrouble = "\(words); mail is sealed to the one of before, ask the administrator"
            services.log.error("the node's seal key is not believed", metadata: ["reason": "\(words)"])
        case .newer(let seal):
            do throws(Failure) {
                // What the configuration overrides is not written.
                guard var kept = try folder.loadAccount() else { return }
                (kept.nodeRecipient, kept.nodeSealKey) = (seal.recipient, seal.number)
                try folder.save(kept)
                (account.nodeRecipient, account.nodeSealKey) = (seal.recipient, seal.number)
                sealTrouble = nil
                services.log.notice("the node has another seal key", metadata: ["number": "\(seal.number ?? 0)"])
            } catch {
                sealTrouble = "the node's new key to seal to could not be kept: \(error.publicText)"
                services.log.error("the node's seal key was not kept", metadata: ["error": "\(error)"])
            }
        }
    }

    /// Seals what the node itself is told and submits it at once; again if the node's key has changed meanwhile.
    func say(_ message: [UInt8]) async throws(Failure) -> (outcome: SMTPOutcome, detail: String) {
        guard let node = MailAddress(local: KeyStating.localPart, domain: account.address.domain) else {
            preconditionFailure("a plain name at a domain is an address")
        }
        let envelope = Envelope(reversePath: .address(account.address), recipients: [Recipient(node)])
        let seal = account.nodeSeal
        func sealed() throws(Failure) -> [UInt8] {
            try Submission.sealed(message, from: account.address, to: [node], node: account.nodeSeal, services: services)
        }
        let answer = try await transact(envelope, try sealed())
        guard case .refused(.message, let reply, _) = answer.outcome, account.nodeSeal != seal,
            SealStatement.number(in: reply.lines.joined(separator: " ")) != nil
        else { return answer }
        return try await transact(envelope, try sealed())
    }

    /// Says something to the node itself; returns the lines of its reply. Throws its words where it does not take it.
    func told(_ message: [UInt8]) async throws(Failure) -> [String] {
        let (outcome, detail) = try await say(message)
        switch outcome {
        case .delivered(let replies): return replies.first?.lines ?? []
        case .refused(_, let reply, let permanent):
            throw Failure(permanent ? .badInput : .tryAgain, "the node does not take it: \(reply.lines.joined(separator: " "))")
        case .lost, .offered: throw Failure(.unavailable, "the connection to the node was lost (\(detail)); try again")
        }
    }

    private static func answer(_ outcome: SMTPOutcome, _ detail: String) -> MailboxKeeper.Answer {
        switch outcome {
        case .delivered(let replies):
            guard let line = replies.first?.lines.first, let standing = KeyStanding(line: line) else {
                return .unreachable("the node took the statement and did not say how far it is")
            }
            return .standing(standing)
        case .refused(let stage, let reply, let permanent):
            let words = reply.lines.joined(separator: " ")
            // A node of before has no such address.
            return permanent && (stage == .recipients || stage == .message) ? .refused(words) : .unreachable(words)
        case .lost, .offered: return .unreachable("the connection to the node was lost (\(detail))")
        }
    }
}
