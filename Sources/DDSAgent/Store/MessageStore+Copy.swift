// A second message with the octets of a first one. The two know nothing of each other from then on.

import DDSCore
import DDSLoop
import DDSSpool

extension MessageStore {
    /// Copies messages, all in one transaction, and returns the records of the copies. `copies` are their summaries, in the
    /// same order and with ids that are new.
    func copy(_ originals: [Item], as copies: [StoredSummary]) async throws(SpoolError) -> [SpoolUID] {
        precondition(originals.count == copies.count, "each copy has its original")
        guard !copies.isEmpty else { return [] }
        let sealed = try await spool.read(originals.map { SpoolRange($0.messageRecord, offset: 0, count: .max) })
        let appends = await Loop.offload { [seal] in
            Self.appends(originals, sealed, copies, seal)
        }
        guard let appends else { throw .damaged(originals[0].messageRecord, "a message of the local store does not open") }
        try await enter()
        defer { gate.leave() }
        let records = try await spool.commit(SpoolTransaction(appends: appends))
        for (place, copy) in copies.enumerated() {
            let tag = RecordTag.named(copy.id)
            added(
                StoreIntake.Prepared(summary: copy, tag: tag, appends: []), records: records[2 * place..<2 * place + 2])
        }
        return stride(from: 0, to: records.count, by: 2).map { records[$0] }
    }

    /// Nil when a message does not open.
    private nonisolated static func appends(
        _ originals: [Item], _ sealed: [[UInt8]], _ copies: [StoredSummary], _ seal: StoreSeal
    ) -> [SpoolAppend]? {
        var appends: [SpoolAppend] = []
        for (place, copy) in copies.enumerated() {
            let tag = RecordTag.named(copy.id)
            guard
                let message = seal.open(sealed[place], mailbox: AgentMailbox.messages, tag: originals[place].tag),
                let summary = try? seal.seal(copy, mailbox: AgentMailbox.summaries, tag: tag)
            else { return nil }
            appends.append(
                .record(
                    mailbox: AgentMailbox.messages, tag: tag, flags: 0,
                    body: seal.seal(message, mailbox: AgentMailbox.messages, tag: tag)))
            appends.append(.record(mailbox: AgentMailbox.summaries, tag: tag, flags: 0, body: summary))
        }
        return appends
    }
}
