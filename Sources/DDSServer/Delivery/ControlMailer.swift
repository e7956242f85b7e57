// Makes the node's own mail for one member: signed by the node's identity, padded, sealed to the member's key like any mail.

import DDSCore
import DDSLoop
import DDSMail
import DDSNode
import DDSSeal
import DDSSpool

/// Flags of a delivery in a maildrop.
enum DeliveryFlags {
    /// The node wrote it: outside the quota, never reported on, erased without notice.
    static let control: UInt16 = 1
}

extension SpoolEntry {
    var isControl: Bool { flags & DeliveryFlags.control != 0 }
}

struct ControlMailer: Sendable {
    /// A control mail that is ready to be stored.
    struct Sealed: Sendable {
        var id: RecordTag
        var mailbox: MailboxID
        var payload: [UInt8]
        var header: [UInt8]

        var bytes: Int { header.count + payload.count }

        /// Payload and delivery, to stand at `place` of a transaction's appends.
        func appends(at place: Int) -> [SpoolAppend] {
            [
                .payload(tag: id, body: payload),
                .delivery(mailbox: mailbox, tag: id, flags: DeliveryFlags.control, header: header, payload: place),
            ]
        }
    }

    private let key: MinisignKey
    private let domain: String
    private let random: any RandomSource
    private let time: any TimeSource

    init(keys: ServerKeys, services: Services) {
        key = MinisignKey(keys.nodeIdentity)
        domain = services.config.node.name.lowercased()
        random = services.random
        time = services.time
    }

    /// `group` is noted in the header, so that the member's agent files it there. Nil for a member that nothing can be sealed to:
    /// then there is nobody to tell.
    func mail(_ content: ControlMail.Content, to account: Account, group: String? = nil) -> Sealed? {
        guard let address = MailAddress(local: account.name, domain: domain),
            let recipient = account.recipient.flatMap({ try? AgeRecipient(accepted: $0) })
        else { return nil }
        let id = random.bytes(16)
        let mail = ControlMail(id: Hex.encode(id), node: domain, to: address, date: time.wall, content: content)
        let fileKey = AgeFileKey.generate(random: random)
        let notes = [SealNote.stanza(recipient.kind)] + (group.map { [GroupNote.stanza($0)] } ?? [])
        guard
            let header = try? FanOut.attempts(
                fileKey: fileKey, recipients: [recipient], notes: [notes], random: random)[0].get()
        else { return nil }
        var writer = AgePayloadWriter(fileKey: fileKey, random: random)
        let payload = writer.update(Padding.pad(mail.message(signedBy: key))[...]) + writer.finish()
        return Sealed(id: RecordTag(id), mailbox: MailboxID(rawValue: account.mailbox), payload: payload, header: header)
    }
}
