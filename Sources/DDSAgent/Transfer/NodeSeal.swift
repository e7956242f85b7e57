// The node's key that submissions are sealed to, as an agent knows it, and what it makes of an announcement: another key is taken
// only from a statement that the pinned identity has signed, and never one of a lower number. Asks nobody.

import DDSCore
import DDSNode
import DDSSeal

struct NodeSeal: Hashable, Sendable {
    var recipient: String
    /// Nil of a key about which no statement was seen.
    var number: UInt64?

    enum News: Hashable, Sendable {
        case unchanged
        case newer(NodeSeal)
        /// What was announced is not to be believed, for what the words say.
        case mistrusted(String)
    }

    /// What the lines of a reply to EHLO mean for whoever knows this key. They must come out of the TLS connection whose key is
    /// pinned. Nodes of before make no statement, and agents that have pinned no identity believe none.
    func news(in capabilities: [String], of node: String, identity: [UInt8]?) -> News {
        guard let identity else { return .unchanged }
        let statement: SealStatement?
        do throws(SealStatement.Mistrust) {
            statement = try SealStatement(in: capabilities, of: node, signedBy: identity)
        } catch {
            switch error {
            case .malformed: return .mistrusted("the node's statement about the key to seal to is not readable")
            case .wrongSignature:
                return .mistrusted("the node's statement about the key to seal to is not signed with its key")
            }
        }
        guard let statement else {
            return number == nil ? .unchanged : .mistrusted("the node does not say any more which key to seal to")
        }
        guard let recipient = statement.recipients.last, (try? AgeRecipient(recipient)) != nil else {
            return .mistrusted("the node announces a key to seal to that is none")
        }
        if let number, statement.number < number {
            return .mistrusted("the node announces key \(statement.number) to seal to, an older one than \(number)")
        }
        if statement.number == number {
            guard recipient != self.recipient else { return .unchanged }
            return .mistrusted("the node announces another key \(statement.number) to seal to")
        }
        return .newer(NodeSeal(recipient: recipient, number: statement.number))
    }

    /// The notes of what is sealed to the node, for a node that has destroyed the key meanwhile.
    var notes: [AgeStanza] { number.map { [KeyNote.stanza($0)] } ?? [] }
}

/// What a node has refused a submission for: it has to be sealed again.
enum SealDemand: Hashable, Sendable {
    /// For the readers of this roster.
    case roster(RosterPointer)
    /// To the node's seal key of this number.
    case key(UInt64)

    /// What a refusal's words demand.
    init?(in words: String) {
        if let number = SealStatement.number(in: words) {
            self = .key(number)
        } else if let pointer = RosterPointer(in: words) {
            self = .roster(pointer)
        } else {
            return nil
        }
    }

    /// Why a submission waits that cannot be sealed while the agent is locked.
    var lockedWords: String {
        switch self {
        case .roster(let pointer):
            "a message to #\(pointer.group) is sealed again for roster \(pointer.head.number) once the agent is unlocked; run: ddsnode unlock"
        case .key(let number):
            "a message is sealed again to the node's key \(number) once the agent is unlocked; run: ddsnode unlock"
        }
    }

    /// Why a submission waits that was made ready again and is as it was.
    var missingWords: String {
        switch self {
        case .roster: "a roster that the node has sent for this group has not come yet"
        case .key(let number):
            "the node wants mail sealed to its key \(number) and has made no statement about it to be believed"
        }
    }
}
