// Reading on the page: threads, attachments, read marks.

import DDSBus
import DDSCore
import DDSLoop
import DDSMail
import DDSNode
import DDSSeal
import DDSSpool
import Logging

extension MailPage {
    func thread(_ id: String) async -> ThreadModel? {
        guard let store = agent.unlocked?.store, let thread = await desk.current().thread(id) else { return nil }
        var models: [MessageModel] = []
        var depths: [String: Int] = [:]
        for summary in thread.messages {
            let depth =
                (summary.inReplyTo + summary.references.reversed()).lazy.compactMap { depths[$0] }.first.map { $0 + 1 } ?? 0
            depths[summary.messageID] = depth
            models.append(await message(summary, depth: min(depth, 3), store: store))
        }
        // Only what is shown counts as read; and what was being read when the agent was locked is not shown.
        await mark(thread.messages.map(\.id), read: true)
        guard agent.unlocked?.store === store else { return nil }
        let first = thread.messages[0]
        return ThreadModel(
            id: thread.id, subject: first.subject, group: thread.group.map(group),
            readers: thread.group.map { Self.people(store.trust.roster(of: $0)) } ?? Self.people(thread), messages: models,
            events: thread.group.map {
                Self.events(thread, store.trust.events(in: $0, since: WallTime(milliseconds: first.received)))
            }
                ?? [], unconfirmed: thread.group.flatMap { unconfirmed(in: $0, store) })
    }

    private func unconfirmed(in group: String, _ store: MessageStore) -> UnconfirmedRosterModel? {
        guard let rosters = store.trust.groups[group], let document = rosters.unconfirmed(by: agent.account.address) else {
            return nil
        }
        return UnconfirmedRosterModel(
            hash: Hex.encode(document.hash), number: document.roster.number, changes: rosters.unconfirmedChanges)
    }

    func confirm(roster hash: String) async -> String {
        guard
            let rosters = agent.unlocked?.store.trust.groups.values.first(where: { $0.last.map { Hex.encode($0.hash) } == hash }
            ),
            let document = rosters.last
        else { return "Nothing was confirmed: the members have changed meanwhile. Look at them again." }
        do throws(Failure) {
            try await agent.confirm(document)
            return "You confirmed who is in #\(document.roster.group.local); its members are told."
        } catch {
            return "Nothing was confirmed: \(error.publicText)."
        }
    }

    /// Everybody whom the last roster names; nobody where none has come, since none is better than a wrong one.
    private static func people(_ roster: Roster?) -> [String] {
        (roster?.members ?? []).map { "\($0.display) <\($0.address)>" }
    }

    /// Each in front of the first message that came after it.
    private static func events(_ thread: StoredThread, _ events: [GroupEvent]) -> [ThreadEventModel] {
        events.map { event in
            ThreadEventModel(
                place: thread.messages.firstIndex { $0.received > event.received } ?? thread.messages.count, time: event.time,
                text: event.text, isAlarming: event.isAlarming)
        }
    }

    private static func people(_ thread: StoredThread) -> [String] {
        Set(thread.messages.flatMap { [$0.fromAddress] + $0.recipients }).filter { !$0.isEmpty }.sorted()
    }

    private func message(_ summary: StoredSummary, depth: Int, store: MessageStore) async -> MessageModel {
        var model = MessageModel(
            id: summary.id, senderName: summary.fromName, senderAddress: summary.fromAddress, recipients: summary.recipients,
            messageID: summary.messageID, time: WallTime(milliseconds: summary.isOwn ? summary.received : summary.date * 1000),
            body: "",
            isUnread: summary.isUnread, isOwn: summary.isOwn, depth: depth, sent: sentState(summary),
            nodeWords: summary.mode?.words, people: people(of: summary, store))
        do throws(SpoolError) {
            guard let bytes = try await store.message(summary.id) else { return model }
            let parsed = try? await Heavy.perform(octets: bytes.count) { ParsedMessage(SignedMessage.inner(of: bytes)) }
            guard let parsed else { return model }
            model.body = parsed.bestPlainText
            if parsed.hasHTML { model.marks.append(.hasHTML) }
            if summary.seal == .classical { model.marks.append(.notPostQuantum) }
            if let readers = store.trust.readers(of: summary) {
                model.readers = [readers.words, store.trust.confirmation(of: summary)].compactMap { $0 }.joined(separator: "; ")
                if readers.isAlarming { model.marks.append(.readersInDoubt(readers.words)) }
            }
            if let signature = summary.signature, !summary.isOwn || signature.repeats != nil {
                model.signature = signature.words
                if let mark = Self.mark(signature) { model.marks.append(mark) }
            }
            if let warning = summary.warning { model.marks.append(.notTheNodes(warning)) }
            // The parts for programs of what the node wrote are no files for people.
            if summary.isFromNode != true {
                model.attachments = parsed.attachments.map {
                    AttachmentModel(id: "\(summary.id)x\($0.index)", name: $0.fileName.text, size: $0.size)
                }
            }
        } catch {
            agent.services.log.error("a message of the store cannot be read", metadata: ["error": "\(error)"])
            model.body = "This message cannot be read from the local store; see: ddsnode status"
        }
        return model
    }

    /// Nothing for a message as it should be.
    private static func mark(_ signature: StoredSignature) -> MessageMark? {
        if signature.repeats != nil { return .signature(signature.words) }
        return switch signature.verdict {
        case .verified, .known: nil
        case .firstSeen: .unknownKey
        case .changed:
            signature.reason == nil
                ? signature.since.map { .keyChanged(since: WallTime(milliseconds: $0)) } : .signature(signature.words)
        case .bad: .signature(signature.words)
        case .unsigned:
            signature.attested == nil && signature.reason == nil && !signature.isMissing
                ? .notSigned : .signature(signature.words)
        }
    }

    func attachment(_ id: String) async -> AttachmentContent? {
        // Ids of messages have that letter too; the last one is ours.
        guard let cross = id.lastIndex(of: "x"), let number = Int(id[id.index(after: cross)...]),
            let store = agent.unlocked?.store, let bytes = try? await store.message(String(id[..<cross]))
        else { return nil }
        let found = try? await Heavy.perform(octets: bytes.count) { () -> AttachmentContent? in
            let bytes = SignedMessage.inner(of: bytes)
            guard let attachment = ParsedMessage(bytes).attachments.first(where: { $0.index == number }),
                let content = ParsedMessage.attachmentContent(number, of: bytes)
            else { return nil }
            return AttachmentContent(name: attachment.fileName.text, bytes: content)
        }
        return agent.unlocked?.store === store ? found ?? nil : nil
    }

    func mark(threads ids: [String], read: Bool) async {
        let index = await desk.current()
        await mark(ids.flatMap { index.thread($0)?.messages.map(\.id) ?? [] }, read: read)
    }

    func markAllRead(_ folder: FolderReference) async {
        let unread = await threads(in: folder)?.threads.filter(\.isUnread) ?? []
        await mark(unread.flatMap { $0.messages.map(\.id) }, read: true)
    }

    private func mark(_ messages: [String], read: Bool) async {
        guard let store = agent.unlocked?.store else { return }
        let changing = messages.filter { id in store.items[id].map { $0.summary.isUnread == read && !$0.summary.isOwn } ?? false
        }
        guard !changing.isEmpty else { return }
        do throws(SpoolError) {
            try await store.update(changing) { $0.isUnread = !read }
        } catch {
            agent.services.log.error("read marks not kept", metadata: ["error": "\(error)"])
        }
        desk.storeChanged()
        agent.services.bus.publish(.storeChanged(unread: store.unreadCount))
    }
}
