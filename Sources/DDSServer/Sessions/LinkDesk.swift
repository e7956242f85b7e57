// Links between a member's devices that are open just now: what the one has offered, what the other has claimed, what is handed over.
// Kept in memory alone: a link is good for minutes, and after a restart of the node its owner makes another. A value.

import DDSCore
import DDSNode

struct LinkDesk: Sendable {
    struct Link: Hashable, Sendable {
        var name: String
        /// The maildrop of the device that offered it.
        var mailbox: UInt64
        var until: Instant
        /// Who claims it, with the hash of its key in hexadecimal.
        var claim: (device: String, title: String, recipient: String, proof: [UInt8])?
        var parcel: LinkParcel?

        static func == (left: Link, right: Link) -> Bool {
            left.name == right.name && left.mailbox == right.mailbox && left.until == right.until && left.parcel == right.parcel
                && left.claim?.device == right.claim?.device && left.claim?.recipient == right.claim?.recipient
        }

        func hash(into hasher: inout Hasher) {
            hasher.combine(name)
            hasher.combine(mailbox)
        }
    }

    static let unknown = "this link is not known here, or its time is over; make another: ddsnode device link"

    /// By the link's id. One for each member.
    private var links: [String: Link] = [:]

    init() {}

    mutating func offer(_ id: String, by account: Account, now: Instant) {
        links = links.filter { $0.value.name != account.name && $0.value.until > now }
        links[id] = Link(name: account.name, mailbox: account.mailbox, until: now + DeviceLink.lifetime)
    }

    func link(_ id: String, now: Instant) -> Link? { links[id].flatMap { $0.until > now ? $0 : nil } }

    /// A link as the device sees it that offered it.
    func link(_ id: String, of account: Account, now: Instant) -> Link? {
        link(id, now: now).flatMap { $0.mailbox == account.mailbox ? $0 : nil }
    }

    /// Nil when another device has claimed the link before.
    mutating func claim(
        _ id: String, device: String, title: String, recipient: String, proof: [UInt8]
    ) -> LinkAnswer? {
        guard var link = links[id] else { return nil }
        guard link.claim.map({ $0.device == device && $0.recipient == recipient }) ?? true else { return nil }
        if let parcel = link.parcel { return .parcel(parcel) }
        link.claim = (device, title, recipient, proof)
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
