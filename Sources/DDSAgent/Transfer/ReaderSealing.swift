// A message to a group of mode sealed, on its way out of the agent: sealed to each reader whom the group's roster names, so that the
// node has no key to it. Which messages go that way, and when one is sealed anew, is decided here; the outbox keeps them.

import DDSCore
import DDSLoop
import DDSMail
import DDSNode
import DDSSeal
import DDSSpool
import Logging

extension Submission {
    /// The wrapper message with `message` sealed to the readers of a roster, and that sealed to the node. `id` is its submission id.
    static func sealed(
        _ message: [UInt8], id: String?, from: MailAddress, device: Int, for document: RosterDocument, node: NodeSeal,
        services: Services
    ) throws(Failure) -> [UInt8] {
        let fileKey = AgeFileKey.generate(random: services.random)
        let readers = try readers(of: document, author: from, device: device, fileKey: fileKey, random: services.random)
        let bundle = SealedBundle(group: document.roster.group.local, roster: document.head, readers: readers)
        var writer = AgePayloadWriter(fileKey: fileKey, random: services.random)
        let inner = bundle.head + writer.update(message[...]) + writer.finish()
        return try sealed(
            inner, notes: [id.flatMap { SubmissionNote.stanza($0) }, ModeNote.stanza(.sealed)].compactMap { $0 }, from: from,
            to: [document.roster.group], node: node, services: services)
    }

    /// Who has not joined yet gets nothing: nobody can seal it to them later. The device of the author that sends it has it already.
    private static func readers(
        of document: RosterDocument, author: MailAddress, device: Int, fileKey: AgeFileKey, random: any RandomSource
    ) throws(Failure) -> [SealedBundle.Reader] {
        let roster = document.roster
        let places = roster.members.flatMap { member in member.devices.map { (address: member.address, device: $0) } }.filter {
            $0.address != author || $0.device.number != device
        }
        let keys = ReaderNotes.kind(of: places.map(\.device.keyKind), policy: roster.settings.pq)
        let isAttested = roster.settings.senderAuth == "attested"
        let headers = FanOut.attempts(
            fileKey: fileKey, recipients: places.map { try? AgeRecipient(accepted: $0.device.recipient) },
            notes: places.map { place in
                ReaderNotes.sealed(
                    group: roster.group.local, roster: document.head, keys: keys, author: isAttested ? author.local : nil,
                    keyNumber: place.device.keyNumber)
            }, random: random)
        var readers: [SealedBundle.Reader] = []
        for (place, header) in zip(places, headers) {
            guard let header = try? header.get() else {
                throw Failure(.protocolError, "the roster names a key of \(place.address) that is none; ask the administrator")
            }
            readers.append(
                SealedBundle.Reader(
                    name: SealedBundle.place(place.address.local, device: place.device.number),
                    keyNumber: place.device.keyNumber, header: header))
        }
        return readers
    }
}

extension Agent {
    /// The roster that a message to these has to be sealed for; nil where it is sealed to the node. Throws where one message cannot
    /// be both.
    nonisolated static func roster(
        for recipients: [MailAddress], _ groups: [String: GroupRosters]
    ) throws(Failure) -> RosterDocument? {
        let sealed = recipients.compactMap { recipient in
            groups[recipient.local]?.last.flatMap {
                $0.roster.settings.mode == GroupMode.sealed.rawValue && $0.roster.group == recipient ? $0 : nil
            }
        }
        guard let document = sealed.first else { return nil }
        guard recipients.count == 1 else {
            throw Failure(
                .badInput,
                "a message to #\(document.roster.group.local) has no other recipient, because it is sealed to each reader here; send it alone"
            )
        }
        return document
    }

    /// The wrapper of a message as its recipients want it, and for which roster that is.
    nonisolated static func wrapper(
        _ message: [UInt8], id: String?, from: MailAddress, device: Int, to recipients: [MailAddress],
        for document: RosterDocument?, node: NodeSeal, services: Services
    ) throws(Failure) -> [UInt8] {
        guard let document else {
            return try Submission.sealed(
                message, id: id, from: from, to: recipients, node: node, services: services)
        }
        return try Submission.sealed(
            message, id: id, from: from, device: device, for: document, node: node, services: services)
    }

    /// What sealing a message costs, in octets of ordinary work: a header of a roster costs as much as a megabyte's tenth.
    nonisolated static func cost(_ message: [UInt8], _ document: RosterDocument?) -> Int {
        message.count + 100_000 * (document?.roster.members.count ?? 0)
    }

    /// Makes what waits in the outbox ready to go: sealed for the roster of now, and to the node's key of now where the node has
    /// refused it for its key. `refusedFor` is what the node has asked for.
    func ready(_ submission: QueuedSubmission, refusedFor demand: SealDemand?) async -> Outbox.Readiness {
        if let demand {
            guard unlocked != nil else { return .notNow(demand.lockedWords) }
            // The node has put it where a round finds it.
            if case .roster(let pointer) = demand, !knows(pointer) { _ = await fetcher?.fetchNow() }
            await mailCame()
        }
        guard let store = unlocked?.store else { return demand.map { .notNow($0.lockedWords) } ?? .asItIs }
        let seal = account.nodeSeal
        var isKeyRefused = false
        if case .key? = demand { isKeyRefused = true }
        do {
            let document = try Self.roster(for: submission.recipients, store.trust.groups)
            guard document?.head != submission.roster?.head || (isKeyRefused && seal.number != submission.sealKey) else {
                return .asItIs
            }
            guard
                let anew = try await submission.sealed(
                    for: document, to: seal, from: store, account: account, services: services)
            else {
                return .never("it has to be sealed again, and its text was removed here")
            }
            return .anew(anew)
        } catch let failure as Failure where failure.code == .badInput {
            return .never(failure.publicText)
        } catch {
            services.log.error("a message was not sealed again yet", metadata: ["error": "\(error)"])
            return .notNow("it could not be sealed again, it is tried later; see the log")
        }
    }

    private func knows(_ pointer: RosterPointer) -> Bool {
        unlocked?.store.trust.groups[pointer.group]?.last.map { $0.roster.number >= pointer.head.number } ?? false
    }
}

extension QueuedSubmission {
    /// The same message under the same submission id, sealed for another roster or to another key of the node; nil when its text is not in the store any more.
    @LoopActor func sealed(
        for document: RosterDocument?, to seal: NodeSeal, from store: MessageStore, account: AgentAccount, services: Services
    ) async throws -> QueuedSubmission? {
        let wanted = messageTag
        let own = await store.withItems { $0.own.first { RecordTag.named($0.id) == wanted } }
        guard let own, let message = try await store.message(own.id) else { return nil }
        var anew = self
        anew.sealKey = seal.number
        anew.roster = document.map { RosterPointer(group: $0.roster.group.local, head: $0.head) }
        anew.message = try await Heavy.perform(octets: Agent.cost(message, document)) { [recipients] in
            try Agent.wrapper(
                message, id: own.submission, from: account.address, device: account.device, to: recipients,
                for: document, node: seal, services: services)
        }
        return anew
    }
}
