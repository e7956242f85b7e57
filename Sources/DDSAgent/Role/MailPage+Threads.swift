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
    /// Messages on one page, and on paper.
    private static var messagesPerPage: Int { 100 }
    private static var messagesOnPaper: Int { 1000 }

    func thread(_ id: String, _ window: ThreadWindow) async -> ThreadModel? {
        guard let store = agent.unlocked?.store else { return nil }
        let index = await desk.current()
        guard let thread = index.thread(id) else { return nil }
        let shown = Self.shown(window, of: thread)
        var models: [MessageModel] = []
        var places: [String: (depth: Int, id: String)] = [:]
        let shownIDs = Set(thread.messages.ids[shown])
        for (place, summary) in thread.messages.enumerated() {
            let answered = (summary.inReplyTo + summary.references.reversed()).lazy.compactMap { places[$0] }.first
            let depth = answered.map { $0.depth + 1 } ?? 0
            places[summary.messageID] = (depth, summary.id)
            guard shown.contains(place) else { continue }
            var model = await message(summary, depth: min(depth, 3), store: store)
            model.answers = answered.flatMap { shownIDs.contains($0.id) ? $0.id : nil }
            models.append(model)
        }
        // Only what is shown counts as read; and what was being read when the agent was locked is not shown.
        if window != .whole { _ = await change(Array(thread.messages.ids[shown])) { $0.isUnread = false } }
        guard agent.unlocked?.store === store else { return nil }
        var model = self.model(of: thread, models, shown, store)
        let beside = await neighbours(of: thread, index)
        (model.newer, model.older) = (beside.newer, beside.older)
        return model
    }

    /// The page of a thread that shows a message, with what was said just before it; nil where one page has all.
    static func cursor(_ place: Int, in thread: StoredThread) -> String? {
        thread.messages.count <= messagesPerPage ? nil : "\(max(0, min(place - 10, thread.messages.count - messagesPerPage)))"
    }

    /// The messages of a long thread that one page has.
    private static func shown(_ window: ThreadWindow, of thread: StoredThread) -> Range<Int> {
        let count = thread.messages.count
        let start: Int
        switch window {
        case .whole: return 0..<min(count, messagesOnPaper)
        case .from(let cursor): start = min(max(Int(cursor) ?? 0, 0), count - 1)
        case .here:
            let new = thread.messages.firstUnread ?? count - 1
            // A thread that fits is shown whole; of a longer one what was read just before gives the context.
            start = count <= messagesPerPage ? 0 : max(0, min(new - 10, count - messagesPerPage))
        }
        return start..<min(start + messagesPerPage, count)
    }

    /// The threads before and after one in the list that it is read from: the inbox, or its group.
    private func neighbours(of thread: StoredThread, _ index: ThreadIndex) async -> (newer: String?, older: String?) {
        let isInInbox = thread.isInInbox
        let beside = await Loop.offload(when: index.threads.count > Self.threadsAtOnce) { () -> (String?, String?) in
            let list =
                thread.isTrash
                ? index.trashed : index.threads.filter { isInInbox ? $0.isInInbox : $0.group == thread.group }
            guard let place = list.firstIndex(where: { $0.id == thread.id }) else { return (nil, nil) }
            return (place > 0 ? list[place - 1].id : nil, place + 1 < list.count ? list[place + 1].id : nil)
        }
        return (beside.0, beside.1)
    }

    private func model(
        of thread: StoredThread, _ models: [MessageModel], _ shown: Range<Int>, _ store: MessageStore
    ) -> ThreadModel {
        let first = thread.messages[shown.lowerBound]
        var model = ThreadModel(
            id: thread.id, subject: thread.messages[0].subject, group: thread.group.map(group),
            readers: thread.group.map { Self.people(store.trust.roster(of: $0)) } ?? Self.people(thread), messages: models,
            events: thread.group.map {
                Self.events(Array(thread.messages[shown]), store.trust.events(in: $0, since: WallTime(milliseconds: first.received)))
            }
                ?? [], unconfirmed: thread.group.flatMap { unconfirmed(in: $0, store) })
        (model.isStarred, model.isArchived, model.isMuted) = (thread.isStarred, thread.isArchived, thread.isMuted)
        model.isTrashed = thread.isTrash
        let after = thread.messages.count - shown.upperBound
        if shown.lowerBound > 0 {
            model.earlier = ThreadPart(
                cursor: "\(max(0, shown.lowerBound - Self.messagesPerPage))", count: shown.lowerBound)
        }
        if after > 0 { model.later = ThreadPart(cursor: "\(shown.upperBound)", count: after) }
        return model
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
    private static func events(_ messages: [StoredSummary], _ events: [GroupEvent]) -> [ThreadEventModel] {
        events.map { event in
            ThreadEventModel(
                place: messages.firstIndex { $0.received > event.received } ?? messages.count, time: event.time,
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
            nodeWords: summary.mode?.words, people: people(of: summary, store), truths: truths(of: summary))
        do throws(SpoolError) {
            guard let bytes = try await store.message(summary.id) else { return model }
            let parsed = try? await Heavy.perform(octets: bytes.count) { ParsedMessage(SignedMessage.inner(of: bytes)) }
            guard let parsed else { return model }
            model.body = parsed.bestPlainText
            model.formatted = await offer(parsed)
            model.marks += marks(ofName: summary, store)
            if Self.hadHidden(parsed) { model.marks.append(.hiddenCharacters) }
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
                    AttachmentModel(
                        id: "\(summary.id)x\($0.index)", name: $0.fileName.text, size: $0.size, kind: $0.kind,
                        declaredType: $0.declaredType)
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
}
