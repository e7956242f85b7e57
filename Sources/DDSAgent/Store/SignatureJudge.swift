// What a message's signature is worth, decided once when the message comes in: by whom, written for here, and not seen before. A
// value without keys of its own; what is kept of it is StoredSignature.

import DDSCore
import DDSNode
import DDSSeal

enum SignatureVerdict: String, Hashable, Sendable, Codable {
    /// The key was compared with its owner.
    case verified
    /// The key is the one that is known of this person.
    case known
    /// The first message from a person whose key nobody told of.
    case firstSeen = "first-seen"
    /// The person had another key before.
    case changed
    /// It is not what it says it is.
    case bad
    case unsigned
}

/// What is kept of a message's signature.
struct StoredSignature: Hashable, Sendable, Codable {
    var verdict: SignatureVerdict
    /// Why, where that does not say everything; a sentence without its full stop.
    var reason: String?
    /// The key that the signature is by, in hexadecimal.
    var key: String?
    /// Of a signature that holds: the submission id, and the hash of what was signed, both of which name it for ever.
    var submission: String?
    var digest: String?
    /// Since when the key is known, milliseconds since 1970.
    var since: Int64?
    /// How often the same came again.
    var repeats: Int?
    /// Who was logged in, as the node says.
    var attested: String?
    /// The group that it came through takes signed mail only, by the roster that it was sealed for.
    var isWanted: Bool?

    /// A sentence without its full stop.
    var words: String {
        var words =
            switch verdict {
            case .verified: "signed with a key that was compared"
            case .known: "signed with the known key"
            case .firstSeen: "signed, the first message from this key"
            case .changed: "signed with another key than before"
            case .bad: "the signature is bad"
            case .unsigned: "not signed"
            }
        if let reason { words += ": \(reason)" }
        if isMissing { words += ", and its group takes signed mail only" }
        if verdict == .unsigned, let attested { words += "; the node says that \(attested) sent it" }
        if let repeats { words += "; it came again \(repeats == 1 ? "once" : "\(repeats) times") and is shown once" }
        return words
    }

    /// It should have been signed.
    var isMissing: Bool { verdict == .unsigned && isWanted == true }

    /// Lists mark only these.
    var isException: Bool { verdict == .bad || verdict == .changed || isMissing }

    var json: JSONValue {
        [
            "verdict": .text(verdict.rawValue), "words": .text(words), "reason": reason.map { .text($0) } ?? .null,
            "key": key.map { .text($0) } ?? .null, "attested": attested.map { .text($0) } ?? .null,
            "wanted": .bool(isWanted ?? false), "exception": .bool(isException),
        ]
    }
}

/// What a judge knows of all messages; a copy, so that messages can be judged beside the loop.
struct Trust: Sendable {
    /// A signed message that is here.
    struct Seen: Hashable, Sendable {
        /// In the store.
        var id: String
        /// The hash of what was signed.
        var digest: String
        var isOwn: Bool
    }

    var keys = KnownKeys()
    /// Only where messages are judged, like the next: what is here already.
    var messages = SummaryTable()
    /// By the names of groups.
    var groups: [String: GroupRosters] = [:]
}

struct SignatureJudge: Sendable {
    /// The first 8 bytes of the hash of the node's TLS key.
    let server: [UInt8]
    let me: MailAddress
    /// Of this person, in hexadecimal.
    let ownKey: String

    struct Judgement: Sendable {
        var signature: StoredSignature
        /// The store holds the same message already, under this id.
        var duplicateOf: String?
        /// A key to remember for the author.
        var learnt: String?
    }

    /// Judges a message whose inner header names `author` and `recipients`, that came through `group`.
    func judge(
        _ signed: SignedMessage?, author: String, recipients: [String], submission: String?, group: String?, attested: String?,
        _ trust: Trust
    ) -> Judgement {
        guard let signed else {
            var stored = StoredSignature(verdict: .unsigned, attested: attested)
            if let attested, author.lowercased() != attested {
                stored.reason = "it names \(author.isEmpty ? "nobody" : author) as its author"
            }
            return Judgement(signature: stored)
        }
        var result = holder(of: signed, author: author, trust)
        result.signature.attested = attested
        guard result.signature.verdict != .bad, let signature = signed.signature, let key = result.signature.key else {
            return result
        }
        let reason = misplacement(
            signature.trustedComment, recipients: recipients, submission: submission, group: group, isOwn: key == ownKey)
        if let reason {
            return bad(reason, key: key, attested: attested)
        }
        let digest = Hex.encode(Hash.blake2b(signed.content, count: 32))
        // What one writes to oneself comes back; what one writes to a group does not.
        let isToMyself = group == nil && recipients.contains { $0.lowercased() == "\(me)" }
        if let earlier = trust.messages.message(signedBy: key, as: submission ?? ""), !(earlier.isOwn && isToMyself) {
            guard earlier.digest == digest else {
                return bad("another message of the same author has the same number", key: key, attested: attested)
            }
            result.duplicateOf = earlier.id
        }
        result.signature.submission = submission
        result.signature.digest = digest
        return result
    }

    private func bad(_ reason: String, key: String? = nil, attested: String? = nil) -> Judgement {
        Judgement(signature: StoredSignature(verdict: .bad, reason: reason, key: key, attested: attested))
    }

    /// By whose key it is.
    private func holder(of signed: SignedMessage, author: String, _ trust: Trust) -> Judgement {
        guard let signature = signed.signature else { return bad("it is damaged") }
        func isBy(_ key: String) -> Bool {
            Hex.decode(key).map { signature.isValid(for: signed.content, by: MinisignPublicKey(key: $0)) } ?? false
        }
        let isOwn = author.lowercased() == "\(me)"
        let known = isOwn ? KnownKeys.Entry(key: ownKey, since: 0, isFromNode: true) : trust.keys[author]
        if let known, isBy(known.key) {
            var stored = StoredSignature(verdict: .known, key: known.key, since: known.since)
            if known.isCompared {
                stored.verdict = .verified
            } else if known.awaitsDecision {
                stored.verdict = .changed
            }
            return Judgement(signature: stored)
        }
        if let former = known?.former.last(where: isBy) {
            return Judgement(
                signature: StoredSignature(
                    verdict: .changed, reason: "it is a key that \(author) does not have any more", key: former,
                    since: known?.since))
        }
        guard let claimed = signed.claimedKey.map({ Hex.encode($0.key) }), isBy(claimed) else {
            return bad("it does not fit to the message")
        }
        if let owner = claimed == ownKey ? "\(me)" : trust.keys.owner(of: claimed), owner != author.lowercased() {
            return bad("it is by the key of \(owner)", key: claimed)
        }
        if let known {
            return Judgement(signature: StoredSignature(verdict: .changed, key: claimed, since: known.since))
        }
        return Judgement(signature: StoredSignature(verdict: .firstSeen, key: claimed), learnt: claimed)
    }

    /// Why a message that its author signed does not belong here.
    private func misplacement(
        _ comment: String, recipients: [String], submission: String?, group: String?, isOwn: Bool
    ) -> String? {
        let context: SignatureContext
        do throws(SignatureContext.Misplacement) {
            context = try SignatureContext(comment, server: server, submission: submission)
            if let group {
                guard let group = MailAddress(local: group, domain: me.domain) else {
                    return "it came through no group of this node"
                }
                try context.check(isFor: group, recipients: recipients)
                return nil
            }
        } catch {
            return error.words
        }
        // What this person wrote on another device of theirs has its own audience.
        if isOwn { return nil }
        let named = Set(recipients.compactMap { MailAddress($0) })
        // A blind copy names its reader in what was signed: whoever is named openly, and this reader, are the whole audience.
        guard named.contains(me) || context.audience == SignatureContext.audience(of: named + [me]) else {
            return "it does not name you: one of several blind copies, or somebody passed it on"
        }
        return nil
    }
}
