// Many messages at once as mail programs are given them, and drafts as messages.

import DDSCore
import DDSLoop
import DDSMail
import DDSNode
import DDSSeal
import DDSSpool
import FoundationEssentials

extension MessageStore {
    /// Messages as they are given out, in order; nil for what is gone or cannot be read. Read from the disk together and opened
    /// beside the loop.
    func given(_ ids: [String]) async -> [[UInt8]?] {
        let wanted = ids.map { items[$0] }
        let bodies = await sealed(wanted.compactMap { $0?.messageRecord })
        return await Loop.offload { [seal] in
            wanted.map { item in
                guard let item, let sealed = bodies[item.messageRecord],
                    let message = seal.open(sealed, mailbox: AgentMailbox.messages, tag: item.tag)
                else { return nil }
                return GivenMessage.octets(of: message, isFromNode: item.summary.isFromNode == true)
            }
        }
    }

    private func sealed(_ records: [SpoolUID]) async -> [SpoolUID: [UInt8]] {
        if let all = try? await spool.read(records.map { SpoolRange($0, offset: 0, count: .max) }) {
            return Dictionary(zip(records, all), uniquingKeysWith: { $1 })
        }
        // One of them is gone or damaged.
        var found: [SpoolUID: [UInt8]] = [:]
        for record in records { found[record] = try? await spool.read(record, offset: 0, count: .max) }
        return found
    }
}

extension Agent {
    /// A draft as a message: as a mail program brought it, or made of what was typed, and then the same for the same draft.
    func octets(of draft: Draft) async -> [UInt8] {
        if let raw = draft.raw { return [UInt8](raw) }
        let recipients = (try? recipients([draft.recipients])) ?? []
        var builder = MessageBuilder(
            from: author, to: recipients.map { MessageBuilder.Mailbox(address: $0) }, subject: draft.subject,
            date: WallTime(milliseconds: draft.saved), messageID: "draft.\(draft.id)@\(account.address.domain)",
            submission: Hash.blake2b(Array("\(draft.id) \(draft.saved)".utf8), count: 16), body: draft.body)
        builder.attachments = draft.attachments.map {
            MessageBuilder.Attachment(fileName: $0.name, type: $0.type, content: [UInt8]($0.content))
        }
        let finished = builder
        return (try? await Heavy.perform(octets: draft.octets) { finished.build() }) ?? []
    }
}
