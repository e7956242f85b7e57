// Which record of the agent's spool holds what, and how records of the local store are sealed.

import DDSCore
import DDSSeal
import DDSSpool
import FoundationEssentials

/// The mailboxes of an agent's spool.
enum AgentMailbox {
    /// Fetched age files, as the node sealed them; readable only with the vault's mailbox key.
    static let inbox = MailboxID(rawValue: 1)
    /// UIDLs that were stored and may still be listed by the node; records without a body, the tag is the UIDL's hash.
    static let seen = MailboxID(rawValue: 2)
    /// Sealed submissions on their way to the node.
    static let outbox = MailboxID(rawValue: 3)
    /// What became of submissions while nobody could write to the store; the tag is the message's, see `OutcomeFlags`.
    static let outcomes = MailboxID(rawValue: 4)
    /// Messages, sealed with the store key; the tag is the message's id.
    static let messages = MailboxID(rawValue: 5)
    /// Their summaries, sealed with the store key; the tag is the message's id.
    static let summaries = MailboxID(rawValue: 6)
    /// Drafts, sealed with the store key; the tag is the draft's id.
    static let drafts = MailboxID(rawValue: 7)
    /// Drafts that came while locked, sealed to the own mailbox key.
    static let sheltered = MailboxID(rawValue: 8)
    /// Fetched mail that did not open at three unlocks, as it came; flags count the tries. In the inbox they do so too.
    static let quarantine = MailboxID(rawValue: 16)
    /// What was seen of the node's store, one record; see `HeadWatch`.
    static let heads = MailboxID(rawValue: 17)
    /// The rosters of groups, one record each, sealed with the store key; see `GroupRosters`.
    static let rosters = MailboxID(rawValue: 18)
    /// The keys that people sign with, one record, sealed with the store key; see `KnownKeys`.
    static let knownKeys = MailboxID(rawValue: 19)
    /// Sealed submissions that wait for a decision on somebody's new key, as they will be in the outbox; see `HeldMail`.
    static let heldBack = MailboxID(rawValue: 24)
    /// What a person has chosen for their page, one record, sealed with the store key; see `SettingsBook`.
    static let settings = MailboxID(rawValue: 41)
    /// Many summaries in one record each, sealed with the store key; see `SummaryPack`.
    static let packs = MailboxID(rawValue: 40)

    /// What a record of that mailbox is called.
    static func words(_ mailbox: MailboxID) -> String {
        switch mailbox {
        case inbox: "the fetched mail"
        case seen: "the names of fetched mail"
        case outbox: "the outbox"
        case outcomes: "the outcomes"
        case messages: "the messages"
        case summaries: "the summaries"
        case drafts: "the drafts"
        case sheltered: "the drafts kept while locked"
        case quarantine: "the quarantine"
        case heads: "the node's heads"
        case rosters: "the rosters"
        case knownKeys: "the known keys"
        case heldBack: "the mail that waits for a decision"
        case packs: "the packed summaries"
        case settings: "the settings"
        default: "mailbox \(mailbox.rawValue)"
        }
    }
}

/// The flags of a record in `AgentMailbox.outcomes`; its body is the node's words.
enum OutcomeFlags {
    static let accepted: UInt16 = 1
    static let refused: UInt16 = 2
}

/// Seals and opens records of the local store. The associated data binds a record to its kind and id.
struct StoreSeal: Sendable {
    private let key: SecretBytes
    private let random: any RandomSource

    init(key: SecretBytes, random: any RandomSource) {
        self.key = key
        self.random = random
    }

    func seal(_ bytes: [UInt8], mailbox: MailboxID, tag: RecordTag) -> [UInt8] {
        SealedStoreBox.seal(bytes, key: key, associated: Self.binding(mailbox, tag), random: random)
    }

    /// Nil when the record is not this one or was changed.
    func open(_ bytes: [UInt8], mailbox: MailboxID, tag: RecordTag) -> [UInt8]? {
        SealedStoreBox.open(bytes, key: key, associated: Self.binding(mailbox, tag))
    }

    func seal(_ value: some Encodable, mailbox: MailboxID, tag: RecordTag) throws -> [UInt8] {
        seal([UInt8](try JSONEncoder().encode(value)), mailbox: mailbox, tag: tag)
    }

    func open<Value: Decodable>(_ type: Value.Type, _ bytes: [UInt8], mailbox: MailboxID, tag: RecordTag) -> Value? {
        open(bytes, mailbox: mailbox, tag: tag).flatMap { try? JSONDecoder().decode(type, from: Data($0)) }
    }

    private static func binding(_ mailbox: MailboxID, _ tag: RecordTag) -> [UInt8] {
        Array("ddsnode/v1/store\0".utf8) + tag.bytes + [UInt8(truncatingIfNeeded: mailbox.rawValue)]
    }
}

extension RecordTag {
    /// The tag under which something with this name is kept.
    static func named(_ text: String) -> RecordTag {
        RecordTag(Hash.blake2b(Array(text.utf8), key: Array("ddsnode/v1/agent-tag".utf8), count: 16))
    }
}
