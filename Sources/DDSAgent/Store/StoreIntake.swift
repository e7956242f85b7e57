// Turns a message, fetched or written here, into what the local store keeps of it: the summary and the two sealed records.
// Touches no state, so that large messages can be worked on beside the loop.

import DDSCore
import DDSMail
import DDSNode
import DDSSeal
import DDSSpool

struct StoreIntake: Sendable {
    /// A message that is ready to be committed.
    struct Prepared: Sendable {
        var summary: StoredSummary
        var tag: RecordTag
        /// The message's record, then the summary's.
        var appends: [SpoolAppend]
        /// What the node tells of this person's own messages; such a message is applied and not kept.
        var report: DeliveryReport?
        /// The state of a group, which is applied and not kept as a message.
        var roster: RosterDocument?
        /// An owner's word about one, which is applied and not kept as a message.
        var confirmation: RosterConfirmation?
        /// The message in the store that this one is once more.
        var duplicateOf: String?
        /// The key of its author, who had none before.
        var learnt: String?
    }

    /// Longer texts of a header are cut for the list; the message itself is kept whole.
    static let subjectCharactersMax = 2000
    static let nameCharactersMax = 500
    static let snippetCharactersMax = 120

    let seal: StoreSeal
    let account: AgentAccount
    let judge: SignatureJudge

    /// The number of the mailbox key that `wrapped` is sealed to; nil when it is not sealed to any.
    static func keyNumber(_ wrapped: [UInt8]) -> UInt64? {
        var reader = SealedWrapperReader()
        guard let armor = try? reader.feed(wrapped) + reader.finish(), reader.kind == .sealed else { return nil }
        // Nothing opens it here; its stanzas are known when it has found that out.
        var opener = AgeDecryptor(identities: [])
        do {
            _ = try opener.feed(armor)
            return nil
        } catch {
            return error == .noMatch ? KeyNote.number(in: opener.stanzas) : nil
        }
    }

    /// Opens what the node sealed to this member. Throws when it is not sealed, not to this key, or damaged.
    func opened(_ wrapped: [UInt8], from record: SpoolUID, identities: [AgeIdentity], at wall: WallTime, _ trust: Trust) throws
        -> Prepared
    {
        var reader = SealedWrapperReader()
        var opener = AgeDecryptor(identities: identities)
        let armor = try reader.feed(wrapped) + reader.finish()
        guard reader.kind == .sealed else { throw Failure(.badInput, "the message is not sealed") }
        let message = try opener.feed(armor) + opener.finish()
        // The same copy gives the same id: an import that a crash cut off between its two halves is recognised, and so is a copy
        // that the node lists under another name because it was held in between.
        let id = OpaqueID.derived(Array("copy".utf8), armor)
        let group = GroupNote.group(in: opener.stanzas)
        let seal = SealNote.keys(in: opener.stanzas)
        let mode = ModeNote.mode(in: opener.stanzas)
        let roster = RosterNote.notes(in: opener.stanzas).first { $0.group == group }.map { StoredRoster($0.head) }
        switch ControlMail.read(
            Padding.strip(message), node: account.address.domain, to: account.address, key: account.nodeIdentity)
        {
        case .ordinary:
            let signed = SignedMessage(message)
            let submission = (try? HeaderSection(of: signed?.message ?? message))?.first("X-DDS-Submission")?.text
            let author = AuthorNote.notes(in: opener.stanzas).first { $0.group == group }.map {
                "\($0.author)@\(account.address.domain)"
            }
            var judgement: SignatureJudge.Judgement?
            var prepared = try prepared(message, id: id, sendState: nil, group: group, at: wall) {
                let found = judge.judge(
                    signed, author: $0.fromAddress, recipients: $0.recipients, submission: submission, group: group,
                    attested: author, trust)
                $0.signature = found.signature
                if group.flatMap({ trust.groups[$0] })?.wantsSignature(roster?.head) == true { $0.signature?.isWanted = true }
                judgement = found
                $0.origin = record.rawValue
                $0.seal = seal
                $0.mode = mode
                $0.roster = roster
                if isSentElsewhere($0, found, through: group) { noteSentElsewhere(&$0, submission, group: group) }
            }
            prepared.duplicateOf = judgement?.duplicateOf
            prepared.learnt = judgement?.learnt
            return prepared
        case .doubtful(let words):
            return try prepared(message, id: id, sendState: nil, group: group, at: wall) {
                $0.origin = record.rawValue
                $0.seal = seal
                $0.mode = mode
                $0.roster = roster
                $0.warning = "This looks like a message of the node, but \(words)."
            }
        case .genuine(let mail):
            // Who shows an old one again shows the same message.
            var prepared = try prepared(
                message, id: OpaqueID.derived(Array("control".utf8), Array(mail.id.utf8)), sendState: nil, group: group,
                at: wall
            ) {
                $0.origin = record.rawValue
                $0.isFromNode = true
                $0.seal = seal
                $0.hasAttachments = false
            }
            switch mail.content {
            case .deliveryState(let report): prepared.report = report
            case .roster(let document): prepared.roster = document
            case .rosterConfirmed(let confirmation): prepared.confirmation = confirmation
            case .expiry, .device: break
            }
            return prepared
        }
    }

    /// What this person wrote on another device of theirs, and the node, or that device, has sealed to this one too. Their own
    /// signature proves it; what one writes to oneself is mail.
    private func isSentElsewhere(_ summary: StoredSummary, _ found: SignatureJudge.Judgement, through group: String?) -> Bool {
        let me = "\(account.address)"
        return summary.fromAddress.lowercased() == me && found.signature.key == judge.ownKey
            && found.signature.verdict == .known
            && (group != nil || !summary.recipients.contains { $0.lowercased() == me })
    }

    private func noteSentElsewhere(_ summary: inout StoredSummary, _ submission: String?, group: String?) {
        summary.sendState = .sent
        summary.isUnread = false
        summary.submission = submission
        summary.group = group ?? self.group(of: summary.recipients, isOwn: true)
    }

    /// The records of `message`; `group` is the one that is known, from the node or from earlier mail.
    func prepared(
        _ message: [UInt8], id: String, sendState: SendState?, group: String? = nil, at wall: WallTime,
        adding change: (inout StoredSummary) -> Void = { _ in }
    ) throws -> Prepared {
        let inner = SignedMessage.inner(of: message)
        var summary = summary(of: inner, size: message.count, id: id, sendState: sendState, group: group, at: wall)
        if sendState != nil {
            summary.submission = (try? HeaderSection(of: message))?.first("X-DDS-Submission")?.text
            noteSignature(of: message, in: &summary)
        }
        change(&summary)
        summary.givenSize = GivenMessage.octets(ofInner: inner, isFromNode: summary.isFromNode == true).count
        let tag = RecordTag.named(id)
        return Prepared(
            summary: summary, tag: tag,
            appends: [
                .record(
                    mailbox: AgentMailbox.messages, tag: tag, flags: 0,
                    body: seal.seal(message, mailbox: AgentMailbox.messages, tag: tag)),
                .record(
                    mailbox: AgentMailbox.summaries, tag: tag, flags: 0,
                    body: try seal.seal(summary, mailbox: AgentMailbox.summaries, tag: tag)),
            ])
    }

    /// Of a message written here: what it is known by when somebody brings it back.
    private func noteSignature(of message: [UInt8], in summary: inout StoredSummary) {
        guard let signed = SignedMessage(message),
            let context = signed.signature.flatMap({ SignatureContext($0.trustedComment) })
        else {
            return
        }
        summary.sequence = context.sequence
        summary.signature = StoredSignature(
            verdict: .known, reason: nil, key: judge.ownKey, submission: context.submission,
            digest: Hex.encode(Hash.blake2b(signed.content, count: 32)))
    }

    private func summary(
        of inner: [UInt8], size: Int, id: String, sendState: SendState?, group known: String?, at wall: WallTime
    ) -> StoredSummary {
        let parsed = ParsedMessage(inner)
        let recipients = (parsed.to + parsed.cc).map(\.address)
        return StoredSummary(
            id: id, subject: String(parsed.subject.text.prefix(Self.subjectCharactersMax)),
            fromName: String((parsed.from?.name.text ?? "").prefix(Self.nameCharactersMax)),
            fromAddress: parsed.from?.address ?? "",
            recipients: recipients, group: known ?? group(of: recipients, isOwn: sendState != nil),
            date: parsed.date?.seconds ?? wall.seconds,
            received: wall.milliseconds, isUnread: sendState == nil, sendState: sendState, note: nil,
            messageID: parsed.messageID ?? "", inReplyTo: parsed.inReplyTo, references: parsed.references,
            snippet: StoredSummary.snippet(of: parsed.bestPlainText, charactersMax: Self.snippetCharactersMax),
            hasAttachments: !parsed.attachments.isEmpty,
            size: size)
    }

    /// A message belongs to the first of its recipients at the node that is a group: one that is known to be, or, for mail
    /// that came in and does not name this member, whatever it was sent to. A person whom this member writes to is no group.
    private func group(of recipients: [String], isOwn: Bool) -> String? {
        let locals = recipients.compactMap { MailAddress($0) }.filter { $0.domain == account.address.domain }.map(\.local)
        if let known = locals.first(where: { account.groups.contains($0) }) { return known }
        return isOwn || locals.contains(account.address.local) ? nil : locals.first
    }
}
