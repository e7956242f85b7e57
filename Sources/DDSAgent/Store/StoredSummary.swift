// What the agent keeps in RAM of each message while it is unlocked, and seals beside it on disk.

import DDSCore
import DDSNode
import DDSSeal
import FoundationEssentials

/// The state of a message this person wrote.
enum SendState: String, Hashable, Sendable, Codable {
    case waiting, sent, refused
}

/// The list's view of one message. Texts are as the sender wrote them: hostile until made safe for display.
struct StoredSummary: Hashable, Sendable, Codable {
    /// Opaque name in URLs and on the command line: 64 bits in base32, see `OpaqueID`.
    var id: String
    var subject: String
    var fromName: String
    var fromAddress: String
    /// Addresses of To and Cc.
    var recipients: [String]
    /// The group's name, nil for private mail.
    var group: String?
    /// The author's date, seconds since 1970; shown, never used for order.
    var date: Int64
    /// When it came in or was written here, milliseconds since 1970.
    var received: Int64
    var isUnread: Bool
    /// Nil for what came in.
    var sendState: SendState?
    /// What the node said about a refused message.
    var note: String?
    var messageID: String
    var inReplyTo: [String]
    var references: [String]
    var snippet: String
    var hasAttachments: Bool
    var size: Int
    /// `X-DDS-Submission` of a message this person wrote: what the node's reports name it by.
    var submission: String?
    /// What the node said last of each reader's copy of a message this person wrote, and the number of that report.
    var copies: [StoredCopy]?
    var revision: Int?
    /// The node wrote it, and that was proven.
    var isFromNode: Bool?
    /// The kind of keys that the node sealed the message to, for all its readers and on the way to it; nil where the group
    /// promises nothing.
    var seal: AgeKeyKind?
    /// What the node did with the message; nil for one's own, for what the node wrote, and for modes of a later version.
    var mode: GroupMode?
    /// The roster of the group that the node sealed it for; nil where it named none.
    var roster: StoredRoster?
    /// What its signature was worth when it came in; nil for what came before there were any, or from a file. Of a message this
    /// person wrote, what it is known by when it comes back.
    var signature: StoredSignature?
    /// Of a message this person wrote: its number among those to the same group.
    var sequence: UInt64?
    /// Why its sender is in doubt, in words.
    var warning: String?
    /// The spool's name of the fetched record that it came from.
    var origin: UInt64?
    /// What this person has done with it, and nobody else hears of; nil as false. See `MessageMarks`.
    var isStarred: Bool?
    var isArchived: Bool?
    var isMuted: Bool?
    /// Thrown away and not erased yet.
    var isTrashed: Bool?
    /// What mail programs set and the page has no word for (RFC 9051 section 2.3.2): `\Answered`, `\Deleted` and keywords, atoms
    /// as they were written, without doubles, sorted.
    var isAnswered: Bool?
    var isDeleted: Bool?
    var keywords: [String]?
    /// Its number in its folder, see `number(messageRecord:summaryRecord:)`. Only `MessageStore.write` sets it.
    var folderNumber: UInt64?
    /// Octets of the message as mail programs are given it, see `GivenMessage`; nil of what came before they were counted.
    var givenSize: Int?

    var isOwn: Bool { sendState != nil }

    /// What a message says itself, in one line: no quotes, and not the line that says whom it quotes.
    static func snippet(of text: String, charactersMax: Int) -> String {
        var words = ""
        var lines = text.split(separator: "\n", omittingEmptySubsequences: true)[...]
        while let line = lines.popFirst(), words.count < charactersMax {
            let introduces = lines.first?.hasPrefix(">") == true && line.hasSuffix(":")
            if line == "-- " { break }
            if line.hasPrefix(">") || introduces { continue }
            words += (words.isEmpty ? "" : " ") + line.trimmingSpaces
        }
        return String((words.isEmpty ? text : words).prefix(charactersMax))
    }
}

/// Which roster a message was sealed for.
struct StoredRoster: Hashable, Sendable, Codable {
    var number: UInt64
    /// In hexadecimal.
    var hash: String

    init(_ head: RosterHead) { self.init(number: head.number, hash: Hex.encode(head.hash)) }

    init(number: UInt64, hash: String) {
        self.number = number
        self.hash = hash
    }

    var head: RosterHead { RosterHead(number: number, hash: Hex.decode(hash) ?? []) }
}

/// One reader's copy of a message this person wrote.
struct StoredCopy: Hashable, Sendable, Codable {
    var address: String
    var name: String
    var group: String?
    var state: CopyState
    var cause: HoldCause?

    init(_ copy: DeliveryReport.Copy) {
        address = copy.address
        name = copy.name
        group = copy.group
        state = copy.state
        cause = copy.cause
    }
}

/// 64-bit ids in lower-case base32 without look-alikes, 13 characters.
enum OpaqueID {
    private static let alphabet = Array("0123456789abcdefghjkmnpqrstvwxyz".utf8)

    static func make(_ random: any RandomSource) -> String { text(random.number()) }

    /// The same id for the same `parts`: what is imported or sent again after a crash is recognised by it.
    static func derived(_ parts: [UInt8]...) -> String {
        let digest = Hash.blake2b(
            parts.flatMap { Hash.blake2b($0, count: 32) }, key: Array("ddsnode/v1/message-id".utf8), count: 16)
        return text(digest[..<8].reduce(0) { $0 << 8 | UInt64($1) })
    }

    private static func text(_ number: UInt64) -> String {
        var value = number
        var text: [UInt8] = []
        for _ in 0..<13 {
            text.append(alphabet[Int(value & 31)])
            value >>= 5
        }
        return String(decoding: text, as: UTF8.self)
    }
}
