// A copy that cannot be handed on yet, as it lies in the spool's mailbox of held copies: for whom, why, and the age header
// that opens the message's payload. It is sealed like everything else, to the node's own key or, where the node never had the
// file key any more, to the member.

package import DDSCore

package struct HeldCopy: Hashable, Sendable {
    /// The spool's mailbox that holds them.
    package static let mailbox = MailboxID(rawValue: 3)

    /// Who opens `header`.
    package enum Sealing: UInt8, Hashable, Sendable {
        case node = 1
        case member = 2
    }

    package var member: UInt64
    package var cause: HoldCause
    package var sealing: Sealing
    /// The group through which it came.
    package var group: String?
    /// An age header; what it opens is the delivery's payload.
    package var header: [UInt8]

    private static let version: UInt64 = 1

    package var encoded: [UInt8] {
        var bytes = RecordBytes()
        bytes.put(Self.version, 1)
        bytes.put(member, 8)
        bytes.put(cause.rawValue)
        bytes.put(UInt64(sealing.rawValue), 1)
        bytes.put(group ?? "")
        bytes.put(header)
        return bytes.bytes
    }

    package init(member: UInt64, cause: HoldCause, sealing: Sealing, group: String?, header: [UInt8]) {
        self.member = member
        self.cause = cause
        self.sealing = sealing
        self.group = group
        self.header = header
    }

    /// Nil when the bytes are no held copy of this version.
    package init?(_ bytes: [UInt8]) {
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

extension HeldCopy {
    /// To be appended with the payload that stands at `payload`.
    package func append(id: RecordTag, payload: Int) -> SpoolAppend {
        .delivery(mailbox: Self.mailbox, tag: id, flags: 0, header: encoded, payload: payload)
    }

    /// Moves a held copy into its member's maildrop, with a payload of its own.
    package static func releasing(
        _ held: SpoolUID, id: RecordTag, to mailbox: MailboxID, header: [UInt8], payload: [UInt8]
    ) -> SpoolTransaction {
        SpoolTransaction(
            appends: [
                .payload(tag: id, body: payload),
                .delivery(mailbox: mailbox, tag: id, flags: 0, header: header, payload: 0),
            ], erasures: [held])
    }

    /// Takes copies of one message out of where they lie, maildrops or among the held ones.
    package static func holding(
        _ copies: [HeldCopy], id: RecordTag, payload: [UInt8], insteadOf places: [SpoolUID]
    ) -> SpoolTransaction {
        SpoolTransaction(
            appends: [.payload(tag: id, body: payload)] + copies.map { $0.append(id: id, payload: 0) }, erasures: places)
    }

    /// One of the places where a member's copy of a message lies.
    package struct Place: Hashable, Sendable {
        package var uid: SpoolUID
        package var id: RecordTag
        package var member: UInt64

        package init(uid: SpoolUID, id: RecordTag, member: UInt64) {
            self.uid = uid
            self.id = id
            self.member = member
        }
    }

    /// The copies that a stopped machine has moved, out of the maildrop or into it, and not erased yet: of what one member has
    /// of one message, everything but the newest. To be erased before anybody fetches, or the member gets it twice.
    package static func superseded(_ places: [Place]) -> [SpoolUID] {
        struct Copy: Hashable {
            var id: RecordTag
            var member: UInt64
        }
        var newest: [Copy: SpoolUID] = [:]
        for place in places {
            let copy = Copy(id: place.id, member: place.member)
            newest[copy] = max(newest[copy] ?? place.uid, place.uid)
        }
        return places.filter { newest[Copy(id: $0.id, member: $0.member)] != $0.uid }.map(\.uid)
    }
}

/// Where a reader's copy goes, decided when the message is accepted and again at every try to release it.
package enum CopyRoute: Hashable, Sendable {
    case maildrop
    case held(HoldCause)

    /// `hasOwnHeader`: a header could be made for the member. A full maildrop holds back what came through a group; who wrote to
    /// the member was answered before.
    package init(hasOwnHeader: Bool, isFull: Bool, cameThroughGroup: Bool) {
        self = !hasOwnHeader ? .held(.noKey) : isFull && cameThroughGroup ? .held(.mailboxFull) : .maildrop
    }
}
