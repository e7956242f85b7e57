// A copy that cannot be handed on yet, as it lies in the spool's mailbox of held copies: for whom, why, and the age header
// that opens the message's payload. It is sealed like everything else, to the node's own key or, where the node never had the
// file key any more, to the member.

import DDSCore
import DDSNode
import DDSSpool

struct HeldCopy: Hashable, Sendable {
    /// The spool's mailbox that holds them.
    static let mailbox = MailboxID(rawValue: 3)

    /// Who opens `header`.
    enum Sealing: UInt8, Hashable, Sendable {
        case node = 1
        case member = 2
    }

    var member: UInt64
    var cause: HoldCause
    var sealing: Sealing
    /// The group through which it came.
    var group: String?
    /// An age header; what it opens is the delivery's payload.
    var header: [UInt8]

    private static let version: UInt64 = 1

    var encoded: [UInt8] {
        var bytes = RecordBytes()
        bytes.put(Self.version, 1)
        bytes.put(member, 8)
        bytes.put(cause.rawValue)
        bytes.put(UInt64(sealing.rawValue), 1)
        bytes.put(group ?? "")
        bytes.put(header)
        return bytes.bytes
    }

    init(member: UInt64, cause: HoldCause, sealing: Sealing, group: String?, header: [UInt8]) {
        self.member = member
        self.cause = cause
        self.sealing = sealing
        self.group = group
        self.header = header
    }

    /// Nil when the bytes are no held copy of this version.
    init?(_ bytes: [UInt8]) {
        var reader = RecordBytes(bytes: bytes)
        guard reader.number(1) == Self.version, let member = reader.number(8),
            let cause = reader.text().flatMap(HoldCause.init(rawValue:)),
            let sealing = reader.number(1).flatMap({ Sealing(rawValue: UInt8(truncatingIfNeeded: $0)) }),
            let group = reader.text()
        else { return nil }
        self.init(
            member: member, cause: cause, sealing: sealing, group: group.isEmpty ? nil : group, header: Array(reader.rest))
    }
}

/// Where a reader's copy goes, decided when the message is accepted and again at every try to release it.
enum CopyRoute: Hashable, Sendable {
    case maildrop
    case held(HoldCause)

    /// `hasOwnHeader`: a header could be made for the member. A full maildrop holds back what came through a group; who wrote to
    /// the member was answered before.
    init(hasOwnHeader: Bool, isFull: Bool, cameThroughGroup: Bool) {
        self = !hasOwnHeader ? .held(.noKey) : isFull && cameThroughGroup ? .held(.mailboxFull) : .maildrop
    }
}
