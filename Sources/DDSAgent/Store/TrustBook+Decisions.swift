// What a person decides about somebody's key: that it was compared, that a new one is to be used, that what waits for it is not to
// be sent. Each is one transaction with the mail that it concerns. The callers are inside the gate.

import DDSCore
import DDSLoop
import DDSNode
import DDSSeal
import DDSSpool

extension TrustBook {
    /// What a person does about somebody's key.
    enum Decision: Sendable {
        /// The key with this fingerprint was compared with its owner.
        case compared(KeyFingerprint)
        case uncompared
        /// Mail goes on to the key with this fingerprint.
        case accepted(KeyFingerprint)
        /// What waits is not sent.
        case discarded
    }

    /// What is known of somebody's key; nil when nothing is.
    func contact(_ address: String) -> Contact? {
        trust.keys[address].map { entry in
            Contact(address: address.lowercased(), entry: entry, waiting: held.waiting(for: address.lowercased()).count)
        }
    }

    /// Everybody else whose key is known, in order.
    var contacts: [Contact] { trust.keys.entries.keys.filter { $0 != "\(me)" }.sorted().compactMap { contact($0) } }

    /// What a message to these people waits for: those whose change of key nobody has decided on.
    func undecided(among recipients: [MailAddress]) -> [MailAddress] {
        trust.keys.undecided(among: recipients.filter { $0 != me })
    }

    /// Those that a message of the store waits for; nil when it does not.
    func undecided(_ id: String) -> [MailAddress]? {
        held.entries[RecordTag.named(id)].map { undecided(among: $0.recipients) }
    }

    /// Carries a decision out. Returns how many messages go out now, or are given up. Throws when the fingerprint is not the one of
    /// the key that is known, always in the same words.
    func decide(_ decision: Decision, on address: String) async throws(Failure) -> Int {
        guard let known = contact(address), known.address != "\(me)" else {
            throw Failure(.unknownName, "no key of \(address) is known here; see: ddsnode contact list")
        }
        var keys = trust.keys
        switch decision {
        case .compared(let fingerprint):
            guard fingerprint == known.fingerprint, keys.compared(known.entry.key, of: address) else {
                throw Self.differs(address)
            }
        case .accepted(let fingerprint):
            guard fingerprint == known.fingerprint, keys.accepted(known.entry.key, of: address) else {
                throw Self.differs(address)
            }
        case .uncompared: keys.uncompared(address)
        case .discarded: return try await Self.words { () async throws(SpoolError) in try await discard(known) }
        }
        return try await Self.words { [keys] () async throws(SpoolError) in try await settle(keys) }
    }

    private static func differs(_ address: String) -> Failure {
        Failure(
            .badInput,
            "that is not the fingerprint of the key that the node names for \(address); do not trust it. Read all of it again with "
                + "\(address), on a way that is not this node; if it still differs, the node or somebody on the way deceives one of you"
        )
    }

    private static func words(_ body: () async throws(SpoolError) -> Int) async throws(Failure) -> Int {
        do throws(SpoolError) {
            return try await body()
        } catch {
            throw Failure(
                .inputOutput,
                error == .full
                    ? "the disk is full; free some space, nothing was changed" : "the local store cannot be written: \(error)")
        }
    }

    private func discard(_ contact: Contact) async throws(SpoolError) -> Int {
        let waiting = held.waiting(for: contact.address)
        guard !waiting.isEmpty else { return 0 }
        let note = Array("given up, since \(contact.address) has another key than before".utf8)
        let appends = waiting.keys.map {
            SpoolAppend.record(mailbox: AgentMailbox.outcomes, tag: $0, flags: OutcomeFlags.refused, body: note)
        }
        _ = try await spool.commit(SpoolTransaction(appends: appends, erasures: waiting.values.map(\.uid)))
        held.dropped(Array(waiting.keys))
        return waiting.count
    }
}

/// A person as far as their key is known.
struct Contact: Hashable, Sendable {
    var address: String
    var entry: KnownKeys.Entry
    /// Messages to them that wait for a decision.
    var waiting: Int

    private static func fingerprint(_ key: String) -> KeyFingerprint { KeyFingerprint(of: Hex.decode(key) ?? []) }

    var fingerprint: KeyFingerprint { Self.fingerprint(entry.key) }

    /// Of the keys before this one, oldest first.
    var former: [KeyFingerprint] { entry.former.map(Self.fingerprint) }

    /// As messages signed with the key are judged.
    var verdict: SignatureVerdict {
        entry.isCompared ? .verified : entry.awaitsDecision ? .changed : entry.isFromNode ? .known : .firstSeen
    }

    /// A sentence without its full stop.
    var words: String {
        var words =
            switch verdict {
            case .verified: "the key was compared"
            case .changed: "the key is another one than before, and nobody has decided on it"
            case .known, .firstSeen, .bad, .unsigned:
                entry.isFromNode
                    ? "the key is the one that the node names; it was not compared" : "the key came with the first message"
            }
        if entry.lostComparison { words += "; a former key was compared, this one is not verified" }
        if waiting > 0 { words += "; \(waiting) message\(waiting == 1 ? " waits" : "s wait")" }
        return words
    }

    var json: JSONValue {
        [
            "address": .text(address), "verdict": .text(verdict.rawValue), "words": .text(words),
            "since": .text(CivilTime(secondsSinceEpoch: entry.since / 1000).rfc3339), "from_node": .bool(entry.isFromNode),
            "fingerprint": .object(fingerprint.json), "former": .list(former.map { .object($0.json) }),
            "awaits_decision": .bool(entry.awaitsDecision), "was_compared": .bool(entry.lostComparison),
            "waiting": .number(waiting),
        ]
    }
}

extension KeyFingerprint {
    /// The forms that people compare.
    var json: [String: JSONValue] { ["words": .text(words), "hex": .text(hex), "scan": .text(scanned)] }
}
