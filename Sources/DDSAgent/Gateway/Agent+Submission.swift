// A message from a mail program on its way out: checked, completed and signed like one from the page. Who stands in no header
// field must not be found out by those who do, so a hidden group gets a message of its own.

import DDSCore
import DDSLoop
import DDSMail
import DDSNode
import DDSSeal

extension Agent {
    nonisolated static let malformedReason = "malformed"

    /// What goes to the node as one message: to whom, and whom its signature names.
    struct Division: Hashable, Sendable {
        var recipients: [MailAddress]
        var named: [MailAddress]
    }

    /// A signature says in clear which groups it is for, and its audience can be guessed: both name only whom the header
    /// shows. A group does not believe a message that was signed for elsewhere, so a hidden one has its own. A message whose
    /// header shows nobody who receives it, and has one group, is signed for that.
    nonisolated static func divisions(
        of recipients: [MailAddress], visible: Set<MailAddress>, isGroup: (MailAddress) -> Bool
    ) -> [Division] {
        let shown = recipients.filter { visible.contains($0) }
        let hidden = recipients.filter { !visible.contains($0) }
        let hiddenGroups = hidden.filter(isGroup)
        let main = shown + hidden.filter { !hiddenGroups.contains($0) }
        return (main.isEmpty ? [] : [Division(recipients: main, named: shown)])
            + hiddenGroups.map { Division(recipients: [$0], named: [$0]) }
    }

    /// Sends what a mail program has submitted, durable when it returns. Returns those whose new key has to be decided on
    /// first.
    func submit(_ raw: [UInt8], to envelope: [MailAddress]) async throws(Failure) -> [MailAddress] {
        let store = try opened().store
        let submitted = try Self.submitted(raw, by: account.address)
        var recipients: [MailAddress] = []
        for recipient in envelope where !recipients.contains(recipient) { recipients.append(recipient) }
        let divisions = Self.divisions(of: recipients, visible: submitted.visible) { isGroup($0.local, store) }
        var letters: [Outgoing] = []
        // The same message for all, so the same id for all; what the node knows a submission by is each one's own.
        let messageID = freshMessageID()
        for division in divisions {
            let list = division.recipients.first { isGroup($0.local, store) }
            let defaults = MessageBuilder.Defaults(
                from: author, date: services.time.wall, messageID: messageID, submission: services.random.bytes(16))
            let (context, key) = try signer(defaults.submission, for: division.named)
            let signed = try? await Heavy.perform(octets: raw.count) {
                Padding.pad(SignedMessage.made(of: submitted.completed(defaults, list: list), context, by: key))
            }
            guard let signed else { throw Failure(.bug, "the message cannot be signed") }
            letters.append(Outgoing(message: signed, recipients: division.recipients))
        }
        _ = try await send(letters)
        return store.trust.undecided(among: recipients)
    }

    private nonisolated static func submitted(_ raw: [UInt8], by author: MailAddress) throws(Failure) -> SubmittedMessage {
        do throws(SubmittedFault) {
            return try SubmittedMessage(raw, author: author)
        } catch {
            switch error {
            case .malformedLine(let line):
                throw Failure(
                    .badInput, "line \(line) of the message is no header field; is the empty line before the text missing?",
                    reason: malformedReason)
            case .headerTooLarge:
                throw Failure(.badInput, "the header of the message is longer than 256 KiB", reason: malformedReason)
            case .repeatedField(let name):
                throw Failure(.badInput, "the message has more than one field \(name)", reason: malformedReason)
            case .foreignAuthor(let field):
                throw Failure(
                    .badInput,
                    "\(field) of the message is not \(author), as whom it would be signed; choose that address in the mail "
                        + "program"
                )
            }
        }
    }
}
