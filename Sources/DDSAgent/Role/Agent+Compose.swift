// Making messages: from the command line, from the page, and the one that proves a new account.

import DDSCore
import DDSLoop
import DDSMail
import DDSNode
import DDSSeal
import DDSSpool

extension Agent {
    /// What a person wants to send, before it is a message.
    struct Letter {
        var recipients: [MailAddress]
        var subject: String
        var body: String
        var attachments: [MessageBuilder.Attachment] = []
        /// The message that it answers.
        var repliesTo: StoredSummary?
    }

    /// Builds, pads, seals and queues; returns the id in the store.
    func send(_ letter: Letter, draft: String? = nil, after pause: Duration = .zero) async throws(Failure) -> String {
        var builder = MessageBuilder(
            from: author, to: letter.recipients.map { MessageBuilder.Mailbox(address: $0) }, subject: letter.subject,
            date: services.time.wall, messageID: freshMessageID(), submission: services.random.bytes(16), body: letter.body)
        builder.attachments = letter.attachments
        if let original = letter.repliesTo {
            builder.inReplyTo = original.messageID
            builder.references = original.references.filter { $0 != original.messageID } + [original.messageID]
        }
        let store = try opened().store
        builder.list = letter.recipients.first { isGroup($0.local, store) }
        return try await send(
            try await built(builder, for: letter.recipients), to: letter.recipients, draft: draft, after: pause)
    }

    /// What this person's signature of a message for `recipients` says, and the key to make it with.
    func signer(_ submission: [UInt8], for recipients: [MailAddress]) throws(Failure) -> (SignatureContext, MinisignKey)
    {
        let unlocked = try opened()
        let store = unlocked.store
        let groups = recipients.map(\.local).filter { isGroup($0, store) }
        // A roster says who reads a group's mail; addresses say it of persons, and of several destinations.
        let audience =
            groups.count == 1 && recipients.count == 1
            ? store.trust.groups[groups[0]]?.last?.hash : SignatureContext.audience(of: recipients)
        let context = SignatureContext(
            server: Array(account.nodeKeyHash.prefix(SignatureContext.serverBytes)), groups: groups,
            submission: Hex.encode(submission),
            sequence: store.nextSequence(groups.first), time: services.time.wall, audience: audience)
        return (context, MinisignKey(SigningKey(seed: unlocked.keys.identitySeed)))
    }

    private func built(_ builder: MessageBuilder, for recipients: [MailAddress]) async throws(Failure) -> [UInt8] {
        let (context, key) = try signer(builder.submission, for: recipients)
        let octets = builder.attachments.reduce(builder.body.utf8.count) { $0 + $1.content.count }
        do {
            return try await Heavy.perform(octets: octets) {
                Padding.pad(SignedMessage.made(of: builder.build(), context, by: key))
            }
        } catch {
            throw Failure(.bug, "the message cannot be made: \(error)")
        }
    }

    /// Sends a message that somebody wrote whole, as sendmail -t does: recipients from its header.
    func send(raw: [UInt8]) async throws(Failure) -> (id: String, recipients: [MailAddress]) {
        let message: CompletedMessage
        do {
            message = try MessageBuilder.completing(
                raw: raw,
                defaults: MessageBuilder.Defaults(
                    from: author, date: services.time.wall, messageID: freshMessageID(), submission: services.random.bytes(16)))
        } catch {
            switch error {
            case .malformedLine(let line):
                throw Failure(
                    .badInput, "line \(line) of the message is no header field; is the empty line before the text missing?")
            case .headerTooLarge: throw Failure(.badInput, "the header of the message is longer than 256 KiB")
            }
        }
        if let first = message.unusableRecipients.first {
            throw Failure(.badInput, "\"\(first)\" in To, Cc or Bcc is no address that can be written to")
        }
        guard !message.recipients.isEmpty else { throw Failure(.usage, "the message names no recipient in To, Cc or Bcc") }
        let (context, key) = try signer(message.submission, for: message.recipients)
        let signed = try? await Heavy.perform(octets: message.bytes.count) {
            SignedMessage.made(of: message.bytes, context, by: key)
        }
        guard let signed else { throw Failure(.bug, "the message cannot be signed") }
        return (try await send(signed, to: message.recipients), message.recipients)
    }

    /// Addresses as people type them: names of this node's members and groups, or whole addresses, with commas between.
    func recipients(_ texts: [String]) throws(Failure) -> [MailAddress] {
        var found: [MailAddress] = []
        for text in texts.flatMap({ $0.split(separator: ",") }) {
            var word = text.trimmingSpaces
            if let open = word.lastIndex(of: "<"), word.hasSuffix(">") {
                word = String(word[word.index(after: open)...].dropLast())
            }
            if word.hasPrefix("#") { word.removeFirst() }
            guard !word.isEmpty else { continue }
            guard let address = MailAddress(word) ?? MailAddress(local: word, domain: account.address.domain) else {
                throw Failure(.badInput, "\"\(word)\" is no address; write board@\(account.address.domain)")
            }
            if !found.contains(address) { found.append(address) }
        }
        return found
    }

    func freshMessageID() -> String {
        "\(Hex.encode(services.random.bytes(16)))@\(account.address.domain)"
    }
}

// MARK: The message that proves an account

extension Agent {
    private static var loopSubject: String { "ddsnode test message" }

    /// Sends a message to oneself; returns its id in the store.
    func sendLoopMessage() async throws(Failure) -> String {
        try await send(
            Letter(
                recipients: [account.address], subject: Self.loopSubject,
                body: "This message went through the node and came back.\n"))
    }

    /// True when the message with that id has come back; both copies are then removed from the store.
    func takeLoopMessage(_ id: String) async throws(Failure) -> Bool {
        guard let store = unlocked?.store, let own = store.items[id]?.summary else { return false }
        guard let back = store.summaries.first(where: { $0.messageID == own.messageID && !$0.isOwn }), own.sendState == .sent
        else { return false }
        do throws(SpoolError) {
            try await store.remove([id, back.id])
        } catch {
            throw Failure(.inputOutput, "the local store cannot be written: \(error)")
        }
        noteChange(of: store)
        return true
    }

    func refusal(of id: String) -> String? {
        guard let summary = unlocked?.store.items[id]?.summary, summary.sendState == .refused else { return nil }
        return summary.note ?? "no reason given"
    }
}

extension StringProtocol {
    var trimmingSpaces: String {
        let isSpace: (Character) -> Bool = { $0 == " " || $0 == "\t" || $0 == "\n" || $0 == "\r\n" }
        return String(drop(while: isSpace).reversed().drop(while: isSpace).reversed())
    }
}
