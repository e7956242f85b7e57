// Makes the node's own mail for one member: signed by the node's identity, padded, sealed to the member's key like any mail.

import DDSCore
import DDSLoop
import DDSMail
import DDSNode
import DDSSeal
import DDSSpool

struct ControlMailer: Sendable {
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
    /// then there is nobody to tell. On a worker: a report of a thousand messages is hashed, padded and sealed.
    @LoopActor func mail(_ content: ControlMail.Content, to account: Account, group: String? = nil) async -> ControlCopy? {
        await Loop.offload { made(content, to: account, group: group) }
    }

    /// One mail for many members, as it is stored.
    struct GroupMail: Sendable {
        var id: RecordTag
        var payload: [UInt8]
        var copies: [(mailbox: UInt64, header: [UInt8])]

        /// To stand first in a transaction; none where nobody gets it.
        var appends: [SpoolAppend] {
            guard !copies.isEmpty else { return [] }
            return [.payload(tag: id, body: payload)]
                + copies.map { copy in
                    .delivery(
                        mailbox: MailboxID(rawValue: copy.mailbox), tag: id, flags: DeliveryFlags.control, header: copy.header,
                        payload: 0)
                }
        }
    }

    /// What is for all members of a group: signed, padded and sealed once, with a header for each of `members` that one can be
    /// made for.
    @LoopActor func mail(_ content: ControlMail.Content, to members: [Account]) async -> GroupMail? {
        guard !members.isEmpty, let group = content.group else { return nil }
        let id = random.bytes(16)
        let fileKey = AgeFileKey.generate(random: random)
        let kind: AgeKeyKind = members.allSatisfy { $0.keyKind == .hybrid } ? .hybrid : .classical
        var notes = [SealNote.stanza(kind), GroupNote.stanza(group.local)]
        // Only a roster itself: this is how it is found again in a maildrop.
        if case .roster(let document) = content { notes.append(RosterNote(group: group.local, head: document.head).stanza) }
        let headers = await ReaderHeaders(random: random).make(
            for: members, fileKey: fileKey, notes: members.map { _ in notes })
        let payload = await Loop.offload {
            let mail = ControlMail(id: Hex.encode(id), node: domain, to: group, date: time.wall, content: content)
            var writer = AgePayloadWriter(fileKey: fileKey, random: random)
            return writer.update(Padding.pad(mail.message(signedBy: key))[...]) + writer.finish()
        }
        return GroupMail(
            id: RecordTag(id), payload: payload,
            copies: zip(members, headers).compactMap { member, header in header.map { (member.mailbox, $0) } })
    }

    private func made(_ content: ControlMail.Content, to account: Account, group: String?) -> ControlCopy? {
        guard let address = MailAddress(local: account.name, domain: domain),
            let recipient = account.recipient.flatMap({ try? AgeRecipient(accepted: $0) })
        else { return nil }
        let id = random.bytes(16)
        let mail = ControlMail(id: Hex.encode(id), node: domain, to: address, date: time.wall, content: content)
        let fileKey = AgeFileKey.generate(random: random)
        var notes = [SealNote.stanza(recipient.kind)] + (group.map { [GroupNote.stanza($0)] } ?? []) + account.keyNotes
        if case .expiry(let notice) = content { notes.append(ExpiryNote.stanza(notice)) }
        guard
            let header = try? FanOut.attempts(
                fileKey: fileKey, recipients: [recipient], notes: [notes], random: random)[0].get()
        else { return nil }
        var writer = AgePayloadWriter(fileKey: fileKey, random: random)
        let payload = writer.update(Padding.pad(mail.message(signedBy: key))[...]) + writer.finish()
        return ControlCopy(id: RecordTag(id), mailbox: MailboxID(rawValue: account.mailbox), payload: payload, header: header)
    }
}
