// Links between a member's devices that are open just now: what the one has offered, what the other has claimed, what is handed over.
// Kept in memory alone: a link is good for minutes, and after a restart of the node its owner makes another. A value.

import DDSCore
import DDSNode

struct LinkDesk: Sendable {
    /// What a device says that wants to be one of the member's.
    struct Claim: Hashable, Sendable {
        /// The hash of its key in hexadecimal.
        var device: String
        var title: String
        var recipient: String
        var proof: [UInt8]
    }

    struct Link: Hashable, Sendable {
        var name: String
        /// The maildrop of the device that offered it.
        var mailbox: UInt64
        var until: Instant
        var claim: Claim?
        var parcel: LinkParcel?
    }

    static let unknown = "this link is not known here, or its time is over; make another: ddsnode device link"

    /// By the link's id. One for each member.
    private var links: [String: Link] = [:]

    init() {}

    mutating func offer(_ id: String, by account: Account, now: Instant) {
        links = links.filter { $0.value.name != account.name && $0.value.until > now }
        links[id] = Link(name: account.name, mailbox: account.mailbox, until: now + DeviceLink.lifetime)
    }

    /// A device of the member was ended, and whatever it has begun ends with it.
    mutating func end(of name: String) { links = links.filter { $0.value.name != name } }

    func link(_ id: String, now: Instant) -> Link? { links[id].flatMap { $0.until > now ? $0 : nil } }

    /// A link as the device sees it that offered it.
    func link(_ id: String, of account: Account, now: Instant) -> Link? {
        link(id, now: now).flatMap { $0.mailbox == account.mailbox ? $0 : nil }
    }

    /// Nil when another device has claimed the link before.
    mutating func claim(_ id: String, _ claim: Claim) -> LinkAnswer? {
        guard var link = links[id] else { return nil }
        guard link.claim.map({ $0.device == claim.device && $0.recipient == claim.recipient }) ?? true else { return nil }
        if let parcel = link.parcel { return .parcel(parcel) }
        link.claim = claim
        links[id] = link
        return .waiting
    }

    /// False when it is not this device that has claimed it.
    mutating func grant(_ id: String, device: String, _ parcel: LinkParcel) -> Bool {
        guard links[id]?.claim?.device == device else { return false }
        links[id]?.parcel = parcel
        return true
    }
}
