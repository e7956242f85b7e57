// A message on its way out of the agent: sealed to the node's key and wrapped, so that nothing readable leaves memory.

import DDSCore
import DDSMail
import DDSNode
import DDSSeal

enum Submission {
    /// The wrapper message with `message` sealed to the node. `id` is its submission id, if it has one: a node that may not open the
    /// message reads it in the header.
    static func sealed(
        _ message: [UInt8], id: String? = nil, from: MailAddress, to recipients: [MailAddress], node: NodeSeal,
        services: Services
    ) throws(Failure) -> [UInt8] {
        try sealed(
            message, notes: [id.flatMap { SubmissionNote.stanza($0) }].compactMap { $0 }, from: from, to: recipients,
            node: node, services: services)
    }

    /// The same with any notes for the node.
    static func sealed(
        _ message: [UInt8], notes: [AgeStanza], from: MailAddress, to recipients: [MailAddress], node: NodeSeal,
        services: Services
    ) throws(Failure) -> [UInt8] {
        precondition(!recipients.isEmpty, "a message has a recipient")
        let recipient: AgeRecipient
        do {
            recipient = try AgeRecipient(node.recipient)
        } catch {
            throw Failure(.protocolError, "the node announces a key that is none (\(error)); ask the administrator")
        }
        do {
            var encryptor = try AgeEncryptor(
                recipients: [recipient], notes: notes + node.notes, armor: .crlf, random: services.random)
            var sealed = SealedWrapper.head(
                node: from.domain, from: from, to: recipients[0], id: Hex.encode(services.random.bytes(16)),
                day: services.time.wall.day)
            sealed += encryptor.update(message[...])
            sealed += encryptor.finish()
            return sealed
        } catch {
            throw Failure(.bug, "the message could not be sealed: \(error)")
        }
    }
}
