// Writing on the page: drafts, replies, sending.

import DDSCore
import DDSHTTP
import DDSLoop
import DDSMail
import DDSNode
import DDSSpool
import Logging

extension MailPage {
    func newDraft(replyTo target: ReplyTarget) async -> String? {
        guard let unlocked = agent.unlocked, let original = unlocked.store.items[target.message]?.summary,
            let bytes = try? await unlocked.store.message(target.message)
        else { return nil }
        let body = await Self.quoted(bytes, from: original)
        let isSaved = await change(OpaqueID.make(agent.services.random)) { [self] draft in
            draft.repliesTo = original.id
            draft.subject = ThreadKey(original.subject).isReply ? original.subject : "Re: \(original.subject)"
            draft.recipients = replyRecipients(original, target.audience).joined(separator: ", ")
            draft.body = body + chosen.signatureBlock
        }
        return isSaved
    }

    func newDraft(forwarding message: String) async -> String? {
        guard let store = agent.unlocked?.store, let original = store.items[message]?.summary,
            let bytes = try? await store.message(message)
        else { return nil }
        let found = try? await Heavy.perform(octets: bytes.count) {
            [random = agent.services.random, limit = attachmentOctetsMax] in
            Self.forwarded(SignedMessage.inner(of: bytes), original, random: random, attachmentOctetsMax: limit)
        }
        guard let found else { return nil }
        return await change(OpaqueID.make(agent.services.random)) { [self] draft in
            draft.subject = original.subject.lowercased().hasPrefix("fwd:") ? original.subject : "Fwd: \(original.subject)"
            draft.body = found.body + chosen.signatureBlock
            draft.attachments = found.files
        }
    }

    /// The text with what its header said, and the files as far as they fit.
    private nonisolated static func forwarded(
        _ message: [UInt8], _ original: StoredSummary, random: any RandomSource, attachmentOctetsMax: Int
    ) -> (body: String, files: [Draft.Attachment]) {
        let parsed = ParsedMessage(message)
        let who = original.fromName.isEmpty ? original.fromAddress : "\(original.fromName) <\(original.fromAddress)>"
        let head = """


            ---------- Forwarded message ----------
            From: \(who)
            Date: \(CivilTime(secondsSinceEpoch: original.date).rfc3339)
            Subject: \(original.subject)
            To: \(original.recipients.joined(separator: ", "))

            """
        var octets = 0
        let files = parsed.attachments.compactMap { file -> Draft.Attachment? in
            guard octets + file.size <= attachmentOctetsMax,
                let content = ParsedMessage.attachmentContent(file.index, of: message)
            else { return nil }
            octets += content.count
            return Draft.Attachment(
                id: OpaqueID.make(random), name: file.fileName.text, type: file.declaredType, content: content)
        }
        return (head + "\n" + parsed.bestPlainText.prefix(quotedCharactersMax), files)
    }

    /// Longer texts are quoted up to here; nobody answers a megabyte line by line.
    private nonisolated static var quotedCharactersMax: Int { 100_000 }

    private static func quoted(_ message: [UInt8], from original: StoredSummary) async -> String {
        let text =
            (try? await Heavy.perform(octets: message.count) { ParsedMessage(SignedMessage.inner(of: message)).bestPlainText })
            ?? ""
        let quoted = text.prefix(quotedCharactersMax).split(separator: "\n", omittingEmptySubsequences: false)
            .map { $0.hasPrefix(">") ? ">\($0)" : "> \($0)" }.joined(separator: "\n")
        let who = original.fromName.isEmpty ? original.fromAddress : original.fromName
        return "\n\n\(who) wrote:\n\(quoted)\n"
    }

    private func replyRecipients(_ original: StoredSummary, _ audience: ReplyTarget.Audience) -> [String] {
        if audience == .all, let group = original.group { return ["\(group)@\(agent.account.address.domain)"] }
        let own = "\(agent.account.address)"
        if original.isOwn { return original.recipients }
        let others = audience == .all ? original.recipients.filter { $0.lowercased() != own && $0 != original.fromAddress } : []
        return [original.fromAddress] + others
    }

    /// Changes a draft and keeps it; returns its id, nil when it was sent already or the agent is locked. What the disk does
    /// not take stays in memory, and the draft says so.
    private func change(_ id: String, _ change: (inout Draft) -> Void) async -> String? {
        guard let drafts = agent.unlocked?.drafts else { return nil }
        do throws(SpoolError) {
            guard try await drafts.save(id, change) else { return nil }
            draftsChanged()
            return id
        } catch {
            agent.services.log.error("draft not kept", metadata: ["error": "\(error)"])
            guard agent.unlocked?.drafts === drafts else { return nil }
            let reason = error == .full ? "the disk is full" : "the local store has a problem"
            note(
                [DraftProblem(field: .body, text: "Not saved: \(reason). Your text is here until the agent is locked.")], at: id
            )
            return nil
        }
    }

    func draft(_ id: String) async -> DraftModel? {
        guard let draft = agent.unlocked?.drafts.drafts[id], draft.sentAs == nil else { return nil }
        let fields = DraftFields(recipients: draft.recipients, subject: draft.subject, body: draft.body)
        let index = await desk.current()
        guard !agent.isLocked else { return nil }
        return DraftModel(
            id: id, fields: fields,
            attachments: draft.attachments.map { AttachmentModel(id: $0.id, name: $0.name, size: $0.content.count) },
            problems: problems(of: id), audience: audience(draft.recipients), waits: waits(draft.recipients),
            thread: draft.repliesTo.flatMap { index.thread($0)?.id },
            group: (try? agent.recipients([draft.recipients]))?.map(\.local).first { groupNames.contains($0) }.map(Self.groupID),
            savedAt: WallTime(milliseconds: draft.saved))
    }

    private func audience(_ text: String) -> String {
        guard let recipients = try? agent.recipients([text]), !recipients.isEmpty else { return "" }
        let groups = recipients.map(\.local).filter { groupNames.contains($0) }
        if let group = groups.first { return "everybody in #\(group) will read this" }
        return recipients.count == 1 ? "only \(recipients[0]) will read this" : "\(recipients.count) people will read this"
    }

    /// Whose new keys somebody has to decide on before a message to these goes out.
    private func waits(_ text: String) -> [PersonLink] {
        undecided((try? agent.recipients([text])) ?? []).map {
            PersonLink(id: Self.personID("\($0)"), name: "\($0)", isUrgent: true)
        }
    }

    private func undecided(_ recipients: [MailAddress]) -> [MailAddress] {
        agent.unlocked?.store.trust.undecided(among: recipients) ?? []
    }

    func recipients() async -> [RecipientChoice] {
        let domain = agent.account.address.domain
        let people = (agent.unlocked?.store.items.people ?? []).filter { $0.hasSuffix("@\(domain)") }.sorted()
        return groupNames.map { RecipientChoice(value: "\($0)@\(domain)", label: "#\($0)") }
            + people.map { RecipientChoice(value: $0, label: $0) }
    }

    func save(draft id: String, _ fields: DraftFields) async -> Bool { await keep(id, fields) }

    /// Files of one draft, all together.
    private var attachmentOctetsMax: Int { agent.services.config.server.limits.messageSize }

    /// The draft with the form's fields, kept; false when it was sent already or could not be kept. What comes while the agent
    /// is being locked is sheltered.
    private func keep(_ id: String, _ fields: DraftFields) async -> Bool {
        guard sentMessage(ofDraft: id) == nil else { return false }
        var isTooLarge = false
        let kept = await change(id) { [random = agent.services.random, limit = attachmentOctetsMax] draft in
            isTooLarge = !Self.fill(&draft, fields, random: random, attachmentOctetsMax: limit)
        }
        guard kept != nil else {
            if agent.isLocked { await shelter(draft: id, fields) }
            return false
        }
        let text = "The files are larger than \(attachmentOctetsMax >> 20) MiB together; what you added last was left out."
        note(isTooLarge ? [DraftProblem(field: .attachments, text: text)] : [], at: id)
        return true
    }

    /// False when the files added are too many octets; they are left out then.
    private static func fill(
        _ draft: inout Draft, _ fields: DraftFields, random: any RandomSource, attachmentOctetsMax: Int = .max
    ) -> Bool {
        draft.recipients = fields.recipients
        draft.subject = fields.subject
        draft.body = fields.body
        draft.attachments.removeAll { fields.removals.contains($0.id) }
        let uploads = fields.uploads.filter { !$0.bytes.isEmpty || !$0.fileName.isEmpty }
        let octets = draft.attachments.reduce(0) { $0 + $1.content.count } + uploads.reduce(0) { $0 + $1.bytes.count }
        guard uploads.isEmpty || octets <= attachmentOctetsMax else { return false }
        for upload in uploads {
            draft.attachments.append(
                Draft.Attachment(
                    id: OpaqueID.make(random), name: upload.fileName, type: upload.contentType,
                    content: upload.bytes))
        }
        return true
    }

    func send(draft id: String, _ fields: DraftFields) async -> SendOutcome {
        if let sent = sentMessage(ofDraft: id) { return .queued(thread: await desk.current().thread(sent)?.id) }
        guard await keep(id, fields), problems(of: id).isEmpty, let draft = agent.unlocked?.drafts.drafts[id] else {
            // A second click of the same form waited behind the first.
            guard let sent = sentMessage(ofDraft: id) else { return .refused }
            return .queued(thread: await desk.current().thread(sent)?.id)
        }
        do throws(Failure) {
            let letter = try letter(draft)
            let warnings = fields.sendsAnyway ? [] : await warnings(draft, letter)
            guard warnings.isEmpty else {
                note(warnings, at: id)
                return .refused
            }
            let pause = chosen.undoSeconds.map { Duration.seconds($0) } ?? agent.services.config.agent.web.undoSend
            let message = try await agent.send(letter, draft: id, after: pause)
            note([], at: id)
            desk.storeChanged()
            let offer = agent.unsent[message].map { _ in
                UndoOffer(
                    handle: undoBook.add(.sent(message), random: agent.services.random), seconds: Int(pause.components.seconds))
            }
            return .queued(thread: await desk.current().thread(message)?.id, undo: offer)
        } catch {
            note([DraftProblem(field: error.code == .badInput ? .recipients : .body, text: error.publicText)], at: id)
            return .refused
        }
    }

    /// The message that the draft was sent as.
    private func sentMessage(ofDraft id: String) -> String? {
        let message = Agent.messageID(ofDraft: id)
        guard agent.unlocked?.store.items.contains(message) == true else { return nil }
        desk.storeChanged()
        return message
    }

    private func letter(_ draft: Draft) throws(Failure) -> Agent.Letter {
        let recipients = try agent.recipients([draft.recipients])
        guard !recipients.isEmpty else { throw Failure(.badInput, "Name somebody to send this to, a person or a group.") }
        var letter = Agent.Letter(recipients: recipients, subject: draft.subject, body: draft.body)
        letter.attachments = draft.attachments.map {
            MessageBuilder.Attachment(fileName: $0.name, type: $0.type, content: [UInt8]($0.content))
        }
        letter.repliesTo = draft.repliesTo.flatMap { agent.unlocked?.store.items[$0]?.summary }
        return letter
    }

    /// What a person may have overlooked; each is passed over by "Send anyway".
    private func warnings(_ draft: Draft, _ letter: Agent.Letter) async -> [DraftProblem] {
        var found: [DraftProblem] = []
        let own = draft.body.split(separator: "\n").filter { !$0.hasPrefix(">") }.joined(separator: "\n").lowercased()
        if draft.attachments.isEmpty, own.contains("attached") || own.contains("attachment") {
            found.append(
                DraftProblem(field: .attachments, text: "The text speaks of an attachment, and there is none.", isWarning: true)
            )
        }
        if let original = letter.repliesTo?.group, !letter.recipients.contains(where: { $0.local == original }),
            letter.recipients.contains(where: { groupNames.contains($0.local) }), draft.body.contains("\n>")
        {
            found.append(DraftProblem(field: .recipients, text: "This quotes #\(original) in another group.", isWarning: true))
        }
        let readers = readerCount(letter.recipients)
        if readers > Self.readersWithoutAsking {
            found.append(
                DraftProblem(field: .recipients, text: "This goes to \(readers) people.", isWarning: true))
        }
        for person in await strangers(letter.recipients) {
            let text = "You have not compared keys with \(person), and this is your first message to them."
            found.append(DraftProblem(field: .recipients, text: text, isWarning: true))
        }
        for person in undecided(letter.recipients) {
            let text = "\(person) has another key than before: this will wait until you decide on it."
            found.append(DraftProblem(field: .recipients, text: text, isWarning: true))
        }
        return found
    }

    /// Whoever writes to more is asked.
    private static var readersWithoutAsking: Int { 25 }

    /// Members of groups count as far as their rosters are known.
    private func readerCount(_ recipients: [MailAddress]) -> Int {
        guard let store = agent.unlocked?.store else { return 0 }
        var readers: Set<String> = []
        for recipient in recipients {
            if let members = store.trust.roster(of: recipient.local)?.members, groupNames.contains(recipient.local) {
                readers.formUnion(members.map { "\($0.address)" })
            } else {
                readers.insert("\(recipient)")
            }
        }
        return readers.count
    }

    /// People with a key that was not compared whom this person has never written to in private.
    private func strangers(_ recipients: [MailAddress]) async -> [MailAddress] {
        guard let store = agent.unlocked?.store, recipients.allSatisfy({ !groupNames.contains($0.local) }) else { return [] }
        let uncompared = Set(store.trust.contacts.filter { !$0.entry.isCompared && !$0.entry.awaitsDecision }.map(\.address))
        let asked = recipients.filter { uncompared.contains("\($0)") && $0 != agent.account.address }
        guard !asked.isEmpty else { return [] }
        let known = await store.withItems { items in
            Set(items.own.filter { $0.group == nil }.flatMap { $0.recipients.map { $0.lowercased() } })
        }
        return asked.filter { !known.contains("\($0)") }
    }

    /// Mail programs that wait at Drafts look there again.
    private func draftsChanged() {
        if let store = agent.unlocked?.store { agent.noteChange(of: store) }
    }

    func discard(draft id: String) async {
        do throws(SpoolError) {
            try await agent.unlocked?.drafts.discard(id)
            draftsChanged()
        } catch {
            agent.services.log.error("draft not discarded", metadata: ["error": "\(error)"])
        }
        note([], at: id)
    }

    func shelter(draft id: String, _ fields: DraftFields) async {
        var draft = Draft(id: id)
        _ = Self.fill(&draft, fields, random: agent.services.random)
        draft.saved = agent.services.time.wall.milliseconds
        do {
            try await agent.shelter(draft)
        } catch {
            agent.services.log.error("a form that came while locked could not be kept", metadata: ["error": "\(error)"])
        }
    }
}
