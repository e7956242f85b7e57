// What this agent was told of one group: the last roster, and what each one changed. A value; which roster follows which is
// RosterChain's, keeping it is TrustBook's affair.

import DDSCore
import DDSNode
import FoundationEssentials

struct GroupRosters: Hashable, Sendable, Codable {
    /// One roster, as far as it is needed later.
    struct Step: Hashable, Sendable, Codable {
        var number: UInt64
        /// In hexadecimal.
        var hash: String
        /// By the node's clock, milliseconds since 1970; shown.
        var time: Int64
        /// When it came in, as messages have it: its place among them.
        var received: Int64
        var readers: Int
        var includesMe: Bool
        var changes = RosterChanges()
        /// How many between the one before and this one did not come; nil for the first that came here.
        var missing: UInt64?
        /// How many owners it names; nil in what an earlier version stored.
        var owners: Int?
        /// How its readers know authors, as the node says; nil in what an earlier version stored.
        var senderAuth: String?
        /// It names another key as this person's than they have.
        var namesOtherMe: Bool?
        var confirmations: [Confirmation]?
    }

    /// An owner has signed a roster.
    struct Confirmation: Hashable, Sendable, Codable {
        /// The owner's address.
        var owner: String
        /// The key it was signed with, in hexadecimal.
        var key: String
        /// By the owner's clock, milliseconds since 1970; shown.
        var time: Int64
        /// When it came in.
        var received: Int64
        /// That roster made them an owner, or gave them that key: it vouches for itself.
        var isOfItself: Bool
    }

    /// A roster that the node has signed and that does not fit to the others.
    struct Dispute: Hashable, Sendable, Codable {
        var words: String
        var received: Int64
        /// The octets, for whoever wants to look into it.
        var octets: Data
    }

    enum Outcome: Hashable, Sendable {
        case taken
        /// It came before, or is older than what is known.
        case known
        case disputed
    }

    private static let disputesMax = 8

    var group: MailAddress
    private(set) var last: RosterDocument?
    private(set) var steps: [Step] = []
    private(set) var disputes: [Dispute] = []

    init(group: MailAddress) { self.group = group }

    /// Takes over what the node says. One that others are missing before is taken too, for there will be no better one; what is
    /// missing is said.
    mutating func take(_ document: RosterDocument, me: MailAddress, ownKey: String, at wall: WallTime) -> Outcome {
        do throws(RosterRefusal) {
            try RosterChain(group: group, last: last?.head).check(document)
            append(document, me: me, ownKey: ownKey, at: wall, missing: last == nil ? nil : 0)
            return .taken
        } catch {
            switch error {
            case .replay: return .known
            case .gap(let known, let found):
                append(document, me: me, ownKey: ownKey, at: wall, missing: found - known - 1)
                return .taken
            case .truncated, .malformed, .oversized, .newerVersion, .wrongGroup, .fork:
                return dispute(error.words, Data(document.bytes), at: wall)
            }
        }
    }

    private mutating func append(
        _ document: RosterDocument, me: MailAddress, ownKey: String, at wall: WallTime, missing: UInt64?
    ) {
        let roster = document.roster
        let named = roster.member(me)?.identity.map { Hex.encode($0) }
        steps.append(
            Step(
                number: roster.number, hash: Hex.encode(document.hash), time: roster.time.milliseconds,
                received: wall.milliseconds,
                readers: roster.members.count, includesMe: roster.member(me) != nil,
                changes: last.map { RosterChanges(from: $0.roster, to: roster) } ?? RosterChanges(), missing: missing,
                owners: roster.members.count { $0.role == .owner }, senderAuth: roster.settings.senderAuth,
                namesOtherMe: named.map { $0 != ownKey }))
        last = document
    }

    /// Takes over an owner's word; `key` is the one that is known of the owner, in hexadecimal. One about a roster that has not
    /// come here says nothing.
    mutating func take(_ confirmation: RosterConfirmation, key: String?, at wall: WallTime) -> Outcome {
        guard let index = steps.lastIndex(where: { $0.number == confirmation.head.number }) else { return .known }
        let owner = "\(confirmation.owner)"
        guard steps[index].confirmations?.contains(where: { $0.owner == owner }) != true else { return .known }
        guard let key, let identity = Hex.decode(key), confirmation.isValid(by: identity),
            steps[index].hash == Hex.encode(confirmation.head.hash)
        else {
            return dispute(
                "a confirmation of roster \(confirmation.head.number) in the name of \(owner) does not hold",
                Data(confirmation.json.line), at: wall)
        }
        let changes = steps[index].changes
        let raised = (changes.added + changes.joined + changes.newKey + changes.madeOwner).map(\.address)
        let word = Confirmation(
            owner: owner, key: key, time: confirmation.time.milliseconds, received: wall.milliseconds,
            isOfItself: raised.contains(owner))
        steps[index].confirmations = (steps[index].confirmations ?? []) + [word]
        return .taken
    }

    private mutating func dispute(_ words: String, _ octets: Data, at wall: WallTime) -> Outcome {
        guard disputes.count < Self.disputesMax, !disputes.contains(where: { $0.octets == octets }) else { return .known }
        disputes.append(Dispute(words: words, received: wall.milliseconds, octets: octets))
        return .disputed
    }

    /// What has changed since an owner last confirmed, in sentences; of everything that came here where none ever did.
    var unconfirmedChanges: [String] {
        let last = steps.lastIndex { $0.confirmations?.isEmpty == false }
        return steps[(last.map { $0 + 1 } ?? 0)...].flatMap(\.sentences)
    }

    /// The last roster, if `owner` is one of its owners and has not confirmed it.
    func unconfirmed(by owner: MailAddress) -> RosterDocument? {
        guard let last, last.roster.member(owner)?.role == .owner,
            steps.last?.confirmations?.contains(where: { $0.owner == "\(owner)" }) != true
        else { return nil }
        return last
    }

    /// What owners say of the roster of `head`, a sentence without its full stop; nil where nobody could say anything.
    func confirmation(of head: RosterHead) -> String? {
        guard let step = steps.last(where: { $0.number == head.number }), let owners = step.owners, owners > 0 else {
            return nil
        }
        guard let words = step.confirmations, !words.isEmpty else { return "no owner has confirmed who is in it" }
        return words.map(\.words).joined(separator: ", ") + " confirmed who is in it"
    }

    /// Whether a message that the node sealed for `head` should be signed; where that roster is not known here, the last one says it.
    func wantsSignature(_ head: RosterHead?) -> Bool {
        let now = last?.roster.settings.senderAuth
        guard let head, let named = steps.last(where: { $0.number == head.number && $0.hash == Hex.encode(head.hash) }) else {
            return now == "signed"
        }
        return (named.senderAuth ?? (named.number == last?.roster.number ? now : nil)) == "signed"
    }

    /// Who could read a message that the node sealed for `head`.
    func readers(_ head: RosterHead?) -> MessageReaders {
        guard let head else { return .unnamed }
        guard let step = steps.last(where: { $0.number == head.number }) else { return .unknown(head.number) }
        guard step.hash == Hex.encode(head.hash) else { return .contradicted(head.number) }
        return .known(head.number, count: step.readers, includesMe: step.includesMe)
    }

    // MARK: Stored

    private enum CodingKeys: CodingKey { case group, last, steps, disputes }

    init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        guard let group = MailAddress(try values.decode(String.self, forKey: .group)) else {
            throw Failure(.badInput, "a group has an address")
        }
        self.group = group
        last = try values.decodeIfPresent(Data.self, forKey: .last).map { try RosterDocument(parsing: [UInt8]($0)) }
        steps = try values.decode([Step].self, forKey: .steps)
        disputes = try values.decode([Dispute].self, forKey: .disputes)
    }

    func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode("\(group)", forKey: .group)
        try values.encodeIfPresent(last.map { Data($0.bytes) }, forKey: .last)
        try values.encode(steps, forKey: .steps)
        try values.encode(disputes, forKey: .disputes)
    }
}

/// What is known of who could read a message to a group.
enum MessageReaders: Hashable, Sendable {
    case known(UInt64, count: Int, includesMe: Bool)
    /// That roster has not come here.
    case unknown(UInt64)
    /// The node told others of a roster of that number that it did not tell here.
    case contradicted(UInt64)
    /// The message names no roster.
    case unnamed

    /// A sentence without its full stop.
    var words: String {
        switch self {
        case .known(let number, let count, let includesMe):
            "\(count == 1 ? "1 member" : "\(count) members") could read this, roster \(number)"
                + (includesMe ? "; you are one of them" : "; you are not one of them")
        case .unknown(let number): "roster \(number) is not known here, and so not who could read this"
        case .contradicted(let number): "the node sealed this for another roster \(number) than the one that it sent you"
        case .unnamed: "the node named no roster, so it is not known who could read this"
        }
    }

    /// True when something is wrong, and not only unknown.
    var isAlarming: Bool {
        switch self {
        case .known(_, _, let includesMe): !includesMe
        case .contradicted: true
        case .unknown, .unnamed: false
        }
    }

    var json: JSONValue {
        var fields: [String: JSONValue] = ["words": .text(words), "roster": .null, "count": .null, "includes_me": .null]
        switch self {
        case .known(let number, let count, let includesMe):
            fields["roster"] = .number(Int64(clamping: number))
            fields["count"] = .number(count)
            fields["includes_me"] = .bool(includesMe)
        case .unknown(let number), .contradicted(let number): fields["roster"] = .number(Int64(clamping: number))
        case .unnamed: break
        }
        return .object(fields)
    }
}

extension GroupRosters.Confirmation {
    var words: String { isOfItself ? "\(owner), an owner only since this roster," : "\(owner), an owner," }
}

extension GroupRosters.Step {
    /// A sentence without its full stop; nil where the roster names this person's own key, or none.
    var otherMe: String? {
        guard namesOtherMe == true else { return nil }
        return
            "roster \(number) names another key as yours than this agent has: unless you joined anew on another machine, the node or "
            + "somebody who controls it writes in your name; tell the others on a way that is not this node, with: ddsnode key show"
    }

    /// What people are told of it; empty for the first that came, and for one that changed nothing for them.
    var sentences: [String] {
        let gap = missing.flatMap { $0 > 0 ? "\($0 == 1 ? "1 roster" : "\($0) rosters") before this did not come here" : nil }
        return (gap.map { [$0] } ?? []) + changes.sentences
    }
}
