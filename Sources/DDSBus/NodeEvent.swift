// Every message that roles exchange, in one list with one version. It decides what an event is called and what anybody may
// read about it; it does not decide who reads it. Nothing here holds an address, a subject or any content.

/// What happened in a node, as metadata only: all of it may be shown by `ddsnode events --follow` and kept in the trace.
/// Texts are names the program chose (a role, a protocol, a reason), counts or hashes.
package enum NodeEvent: Hashable, Sendable {
    /// Grows whenever a case is removed or a field changes its meaning. Adding cases or fields does not count.
    package static let version = 1

    case roleStarted(name: String)
    case roleStopped(name: String)
    case configReloaded
    case draining

    case sessionOpened(sid: String, protocol: String)
    case sessionClosed(sid: String, protocol: String, reason: String, bytesIn: Int, bytesOut: Int)
    case loginFailed(protocol: String)

    case messageAccepted(bytes: Int, recipients: Int)
    case deliveryStored(mailboxHash: String)
    case maildropErased(count: Int)
    case newMailFor(mailbox: UInt64)
    case fetched(count: Int)

    case memberAdded
    case groupChanged
    case inviteCreated
    case inviteUsed
    case enrolled

    case outboxQueued
    case outboxSent
    case outboxDelayed(reason: String)

    case locked
    case unlocked
    case storeChanged(unread: Int)

    case spoolProblem(text: String)
}

/// What a subscriber chooses from.
package struct Topics: OptionSet, Hashable, Sendable {
    package let rawValue: UInt16

    package init(rawValue: UInt16) {
        self.rawValue = rawValue
    }

    /// Roles starting and stopping, configuration, draining.
    package static let lifecycle = Topics(rawValue: 1)
    /// Connections and logins.
    package static let sessions = Topics(rawValue: 2)
    /// Messages on their way through the node, and what an agent fetched.
    package static let mail = Topics(rawValue: 4)
    /// Members, groups, invites.
    package static let accounts = Topics(rawValue: 8)
    /// Messages that an agent submits.
    package static let outbox = Topics(rawValue: 16)
    /// An agent's vault and local store.
    package static let store = Topics(rawValue: 32)
    /// Trouble with what is on disk.
    package static let spool = Topics(rawValue: 64)
    package static let all: Topics = [.lifecycle, .sessions, .mail, .accounts, .outbox, .store, .spool]
}

extension NodeEvent {
    /// The one topic this event belongs to.
    package var topic: Topics {
        switch self {
        case .roleStarted, .roleStopped, .configReloaded, .draining: .lifecycle
        case .sessionOpened, .sessionClosed, .loginFailed: .sessions
        case .messageAccepted, .deliveryStored, .maildropErased, .newMailFor, .fetched: .mail
        case .memberAdded, .groupChanged, .inviteCreated, .inviteUsed, .enrolled: .accounts
        case .outboxQueued, .outboxSent, .outboxDelayed: .outbox
        case .locked, .unlocked, .storeChanged: .store
        case .spoolProblem: .spool
        }
    }

    /// The event's name in `ddsnode events` and in its JSON line.
    package var name: String { parts.name }

    /// The event's fields as text, in the order in which they are shown.
    package var fields: [(String, String)] { parts.fields.map { ($0.key, $0.value.text) } }

    /// The name and the typed fields: the one place that maps cases to their outside form.
    var parts: (name: String, fields: [(key: String, value: FieldValue)]) {
        switch self {
        case .roleStarted(let name): ("roleStarted", [("role", .text(name))])
        case .roleStopped(let name): ("roleStopped", [("role", .text(name))])
        case .configReloaded: ("configReloaded", [])
        case .draining: ("draining", [])
        case .sessionOpened(let sid, let proto): ("sessionOpened", [("sid", .text(sid)), ("protocol", .text(proto))])
        case .sessionClosed(let sid, let proto, let reason, let bytesIn, let bytesOut):
            (
                "sessionClosed",
                [
                    ("sid", .text(sid)), ("protocol", .text(proto)), ("reason", .text(reason)),
                    ("bytesIn", .number(bytesIn)), ("bytesOut", .number(bytesOut)),
                ]
            )
        case .loginFailed(let proto): ("loginFailed", [("protocol", .text(proto))])
        case .messageAccepted(let bytes, let recipients):
            ("messageAccepted", [("bytes", .number(bytes)), ("recipients", .number(recipients))])
        case .deliveryStored(let hash): ("deliveryStored", [("mailbox", .text(hash))])
        case .maildropErased(let count): ("maildropErased", [("count", .number(count))])
        case .newMailFor(let mailbox): ("newMailFor", [("mailbox", .text(mailbox.sixteenHexDigits))])
        case .fetched(let count): ("fetched", [("count", .number(count))])
        case .memberAdded: ("memberAdded", [])
        case .groupChanged: ("groupChanged", [])
        case .inviteCreated: ("inviteCreated", [])
        case .inviteUsed: ("inviteUsed", [])
        case .enrolled: ("enrolled", [])
        case .outboxQueued: ("outboxQueued", [])
        case .outboxSent: ("outboxSent", [])
        case .outboxDelayed(let reason): ("outboxDelayed", [("reason", .text(reason))])
        case .locked: ("locked", [])
        case .unlocked: ("unlocked", [])
        case .storeChanged(let unread): ("storeChanged", [("unread", .number(unread))])
        case .spoolProblem(let text): ("spoolProblem", [("text", .text(text))])
        }
    }

    /// The event with this name, or nil when the name is not in the list or a field it needs is missing or of another type.
    init?(name: String, fields: [String: FieldValue]) {
        func text(_ key: String) -> String? { if case .text(let text)? = fields[key] { text } else { nil } }
        func number(_ key: String) -> Int? { if case .number(let number)? = fields[key] { number } else { nil } }
        let event: NodeEvent?
        switch name {
        case "roleStarted": event = text("role").map { .roleStarted(name: $0) }
        case "roleStopped": event = text("role").map { .roleStopped(name: $0) }
        case "configReloaded": event = .configReloaded
        case "draining": event = .draining
        case "sessionOpened":
            guard let sid = text("sid"), let proto = text("protocol") else { return nil }
            event = .sessionOpened(sid: sid, protocol: proto)
        case "sessionClosed":
            guard let sid = text("sid"), let proto = text("protocol"), let reason = text("reason"),
                let bytesIn = number("bytesIn"), let bytesOut = number("bytesOut")
            else { return nil }
            event = .sessionClosed(sid: sid, protocol: proto, reason: reason, bytesIn: bytesIn, bytesOut: bytesOut)
        case "loginFailed": event = text("protocol").map { .loginFailed(protocol: $0) }
        case "messageAccepted":
            guard let bytes = number("bytes"), let recipients = number("recipients") else { return nil }
            event = .messageAccepted(bytes: bytes, recipients: recipients)
        case "deliveryStored": event = text("mailbox").map { .deliveryStored(mailboxHash: $0) }
        case "maildropErased": event = number("count").map { .maildropErased(count: $0) }
        case "newMailFor": event = text("mailbox").flatMap { UInt64($0, radix: 16) }.map { .newMailFor(mailbox: $0) }
        case "fetched": event = number("count").map { .fetched(count: $0) }
        case "memberAdded": event = .memberAdded
        case "groupChanged": event = .groupChanged
        case "inviteCreated": event = .inviteCreated
        case "inviteUsed": event = .inviteUsed
        case "enrolled": event = .enrolled
        case "outboxQueued": event = .outboxQueued
        case "outboxSent": event = .outboxSent
        case "outboxDelayed": event = text("reason").map { .outboxDelayed(reason: $0) }
        case "locked": event = .locked
        case "unlocked": event = .unlocked
        case "storeChanged": event = number("unread").map { .storeChanged(unread: $0) }
        case "spoolProblem": event = text("text").map { .spoolProblem(text: $0) }
        default: event = nil
        }
        guard let event else { return nil }
        self = event
    }
}

/// A field of an event in its outside form.
enum FieldValue: Hashable, Sendable {
    case text(String)
    case number(Int)

    var text: String {
        switch self {
        case .text(let text): text
        case .number(let number): String(number)
        }
    }
}

extension UInt64 {
    /// Sixteen digits, because JSON readers lose the low bits of large numbers.
    fileprivate var sixteenHexDigits: String {
        let digits = String(self, radix: 16)
        return String(repeating: "0", count: 16 - digits.utf8.count) + digits
    }
}
