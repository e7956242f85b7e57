// The screens that show and write mail.

import DDSCore

extension PageRenderer {
    /// A list of threads.
    package func list(_ context: Context, frame: FrameModel, folder: FolderReference, _ model: ThreadListModel) -> String {
        var title = Title.inbox
        var hueClass: String?
        if case .group(let id) = folder {
            title = .group
            hueClass = hue(id)
        }
        var values = surroundings(title, kind: "list", context, frame, current: folder)
        values["heading"] = heading(folder, name: model.name)
        values["headingHue"] = optional(hueClass)
        values["hasRows"] = !model.rows.isEmpty
        values["hasActions"] = !model.rows.isEmpty && folder != .drafts
        values["isArchive"] = folder == .archive
        values["isTrash"] = folder == .trash
        values["rows"] = model.rows.map { row($0, frame: frame, in: folder, now: context.now) }
        let path = Route.path(folder)
        values["newerPath"] = optional(model.newer.map { "\(path)?c=\($0)" })
        values["olderPath"] = optional(model.older.map { "\(path)?c=\($0)" })
        values["rangeText"] = "\(model.first)–\(model.first + max(0, model.rows.count - 1)) of \(model.total)"
        let empty = emptyTexts(folder)
        values["emptyHeading"] = empty.heading
        values["emptyText"] = empty.text
        return templates.render("list", values)
    }

    /// A thread with all its messages.
    package func thread(_ context: Context, frame: FrameModel, _ model: ThreadModel) -> String {
        var values = surroundings(.thread, kind: "thread", context, frame, current: model.group.map { .group($0.id) })
        values.merge(threadValues(context, model)) { _, new in new }
        return templates.render("thread", values)
    }

    /// Asks before everything in the trash is erased.
    package func emptyTrash(_ context: Context, frame: FrameModel, threads: Int) -> String {
        var values = surroundings(.inbox, kind: "empty", context, frame, current: .trash)
        values["threadsText"] = threads == 1 ? "one thread" : "\(threads) threads"
        return templates.render("emptyTrash", values)
    }

    /// A thread as it goes onto paper: everything open, nothing to press.
    package func printed(_ context: Context, _ model: ThreadModel) -> String {
        var values = head(.thread, refreshes: true, look: context.chosen.look)
        values["pageKind"] = "print"
        values.merge(threadValues(context, model)) { _, new in new }
        return templates.render("print", values)
    }

    private func threadValues(_ context: Context, _ model: ThreadModel) -> [String: Any] {
        var values: [String: Any] = [
            "threadID": model.id, "isStarred": model.isStarred, "isArchived": model.isArchived, "isMuted": model.isMuted,
            "isTrash": model.isTrashed, "newerID": optional(model.newer), "olderID": optional(model.older),
            "earlierPath": optional(model.earlier.map { "/t/\(model.id)?c=\($0.cursor)" }),
            "earlierText": model.earlier.map { "\($0.count) earlier" } ?? "",
            "laterPath": optional(model.later.map { "/t/\(model.id)?c=\($0.cursor)" }),
            "laterText": model.later.map { "\($0.count) later" } ?? "",
        ]
        values["subject"] = subject(model.subject)
        values["threadHue"] = hue(model.group?.id ?? model.id)
        values["threadGroup"] = optional(model.group.map { "#" + DisplayText.line($0.name).text })
        values["readersText"] = readersText(model)
        values["readers"] = model.readers.map { ["reader": DisplayText.line($0).text] }
        values["unconfirmed"] =
            model.unconfirmed.map { roster in
                [
                    "rosterHash": roster.hash, "hasChanges": !roster.changes.isEmpty,
                    "changes": roster.changes.map { ["change": DisplayText.line($0).text] },
                ] as [String: Any]
            } ?? false
        let list: FolderReference = model.isTrashed ? .trash : model.group.map { .group($0.id) } ?? .inbox
        values["backPath"] = Route.path(list)
        values["backText"] = heading(list, name: model.group?.name)
        values["replyAllText"] = replyAllText(model)
        let firstNew = model.messages.firstIndex { $0.isUnread }
        values["messages"] = model.messages.enumerated().map { index, message in
            var entry = self.message(message, context)
            entry.merge(formattedValues(message, context, in: model)) { _, new in new }
            // The divider says where to go on; with nothing read before it, there is nothing to divide.
            entry["isFirstNew"] = index == firstNew && index > 0
            entry["isOpen"] = message.isUnread || index == model.messages.count - 1 || message.id == context.formatted
            entry["offersAuthor"] = model.readers.count > 2 && !message.isOwn
            entry["canAnswer"] = true
            entry["events"] = events(model, at: index, now: context.now)
            return entry
        }
        values["lastEvents"] = events(model, at: model.messages.count, now: context.now)
        return values
    }

    private func events(_ model: ThreadModel, at place: Int, now: WallTime) -> [[String: Any]] {
        model.events.filter { $0.place == place }.map { event in
            var values: [String: Any] = [
                "eventText": DisplayText.line(event.text).text + ".", "eventSign": event.isAlarming,
                "eventClass": event.isAlarming ? "" : "info",
            ]
            values.merge(timeValues(event.time, now: now)) { _, new in new }
            return values
        }
    }

    /// The write page. `isNew` puts the cursor into the recipients' field.
    package func write(
        _ context: Context, frame: FrameModel, _ draft: DraftModel, choices: [RecipientChoice], isNew: Bool
    ) -> String {
        // No reload under somebody's half-written text.
        var values = surroundings(.write, kind: "write", context, frame, current: nil, refreshes: false)
        let onlyWarnings = draft.problems.allSatisfy(\.isWarning)
        values["heading"] = isNew ? "New message" : draft.thread == nil ? "Draft" : "Reply"
        values["draftID"] = draft.id
        values["spellcheck"] = context.chosen.checksSpelling ? "true" : "false"
        values["draftHue"] = draft.group.map(hue) ?? ""
        values["backPath"] = draft.thread.map { "/t/\($0)" } ?? "/"
        values["backText"] = draft.thread == nil ? "Inbox" : "Thread"
        values["savedText"] = draft.savedAt.map { "Saved \(time($0, now: context.now).short) (encrypted)" } ?? ""
        values["to"] = DisplayText.line(draft.fields.recipients).text
        values["subject"] = DisplayText.line(draft.fields.subject).text
        values["body"] = draft.fields.body
        values["audience"] = optional(DisplayText.line(draft.audience).text)
        values["waits"] = draft.waits.map(person)
        values["hasProblems"] = !draft.problems.isEmpty
        values["onlyWarnings"] = onlyWarnings
        values["problemsText"] = onlyWarnings ? "Please look at this before it goes out:" : "Not sent yet. Please mend this:"
        values["problems"] = draft.problems.map {
            ["problemField": $0.field.rawValue, "problemText": DisplayText.line($0.text).text]
        }
        values["choices"] = choices.map {
            ["choiceValue": DisplayText.line($0.value).text, "choiceLabel": DisplayText.line($0.label).text]
        }
        values["hasFiles"] = !draft.attachments.isEmpty
        values["files"] = fileValues(draft.attachments)
        values["autofocusTo"] = draft.problems.isEmpty && draft.fields.recipients.isEmpty
        values["autofocusBody"] = draft.problems.isEmpty && !draft.fields.recipients.isEmpty
        return templates.render("write", values)
    }

    private func heading(_ folder: FolderReference, name: String?) -> String {
        switch folder {
        case .inbox: "Inbox"
        case .all: "All mail"
        case .privateMail: "Private"
        case .starred: "Starred"
        case .archive: "Archive"
        case .sent: "Sent"
        case .drafts: "Drafts"
        case .trash: "Trash"
        case .group: "#" + DisplayText.line(name ?? "").text
        }
    }

    private func emptyTexts(_ folder: FolderReference) -> (heading: String, text: String) {
        switch folder {
        case .inbox: ("All read", "New messages to you and your groups come here.")
        case .all: ("No mail yet", "Every message you may read will be here.")
        case .privateMail:
            ("No private mail yet", "Messages that go to you alone come here. Only you and the sender can read them.")
        case .starred: ("Nothing starred", "Star what you want to find again soon: key s in a list or a thread.")
        case .archive: ("Nothing archived", "What you are done with goes here: key e. A new message brings a thread back.")
        case .sent: ("Nothing sent yet", "What you write waits here until the node has it.")
        case .drafts: ("No drafts", "Messages you have begun are kept here, encrypted.")
        case .trash: ("Nothing thrown away", "What you throw away waits here until you empty the trash: key #.")
        case .group: ("No messages yet", "Be the first to write to this group.")
        }
    }

    func row(_ row: ThreadRowModel, frame: FrameModel, in folder: FolderReference, now: WallTime) -> [String: Any] {
        var values: [String: Any] = [
            "threadID": row.id,
            "rowPath": (folder == .drafts ? "/w/" : "/t/") + row.id,
            "senders": row.senders.map { DisplayText.line($0).text }.joined(separator: ", "),
            "showsCount": row.messageCount > 1,
            "messageCount": "(\(row.messageCount))",
            "subject": subject(row.subject),
            "snippet": String(DisplayText.line(row.snippet).text.prefix(120)),
            "isUnread": row.isUnread,
            "isDoubtful": row.isDoubtful,
            "isMutedRow": row.isMuted,
            "isStarredRow": row.isStarred,
            "hasFile": row.hasAttachment,
        ]
        let group = row.group.flatMap { name in frame.groups.first { $0.name == name } }
        var showsGroup = true
        if case .group = folder { showsGroup = false }
        values["groupName"] = showsGroup ? optional(row.group.map { "#" + DisplayText.line($0).text }) : false
        values["groupHue"] = group.map { hue($0.id) } ?? ""
        values.merge(sentValues(row.sent)) { _, new in new }
        values.merge(timeValues(row.time, now: now)) { _, new in new }
        return values
    }

    private func message(_ message: MessageModel, _ context: Context) -> [String: Any] {
        let now = context.now
        let body = DisplayText.body(message.body)
        let name = DisplayText.line(message.senderName)
        let address = DisplayText.address(message.senderAddress)
        let parts = BodyPart.parts(of: body.text)
        var marks = message.marks
        if name.hadHiddenCharacters || address.hadHiddenCharacters, !marks.contains(.hiddenCharacters) {
            marks.append(.hiddenCharacters)
        }
        var values: [String: Any] = [
            "messageID": message.id,
            "senderName": name.text.isEmpty ? address.text : name.text,
            "senderAddress": address.text,
            "preview": preview(parts),
            "depth": "\(min(3, max(0, message.depth)))",
            "isNew": message.isUnread,
            "isOwn": message.isOwn,
            "marks": marks.map { mark($0, now: now) },
            "parts": parts.map { part($0, context) },
            "hasFiles": !message.attachments.isEmpty,
            "files": fileValues(message.attachments),
            "recipients": message.recipients.map { ["recipient": DisplayText.address($0).text] },
            "copyWords": optional(copyWords(message.sent)),
            "signatureWords": optional(message.signature.map { DisplayText.line($0).text }),
            "people": message.people.filter { !$0.isUrgent }.map(person),
            "urgentPeople": message.people.filter(\.isUrgent).map(person),
            "readersWords": optional(message.readers.map { DisplayText.line($0).text }),
            "internetID": optional(DisplayText.line(message.messageID).text),
            "nodeWords": optional(message.nodeWords),
            "answersID": optional(message.answers),
            "truths": message.truths.map { ["truthName": $0.name, "truthWords": DisplayText.line($0.words).text] },
        ]
        values.merge(sentValues(message.sent)) { _, new in new }
        values.merge(timeValues(message.time, now: now)) { _, new in new }
        return values
    }

    private func person(_ link: PersonLink) -> [String: Any] {
        ["personID": link.id, "personName": DisplayText.line(link.name).text]
    }

    /// Who has a message of one's own and who has not, shown without being asked for.
    private func copyWords(_ state: SentState?) -> String? {
        guard case .fetched(_, _, let words) = state, !words.isEmpty else { return nil }
        return DisplayText.line(words).text
    }

    private func part(_ part: BodyPart, _ context: Context) -> [String: Any] {
        var values: [String: Any] = ["isText": false, "isQuote": false, "isSignature": false, "quoteText": ""]
        switch part {
        case .text(let text):
            values["isText"] = true
            values["partText"] = text
        case .quote(let text, let lines):
            values["isQuote"] = true
            values["partText"] = text
            values["quoteText"] = "\(lines) quoted \(lines == 1 ? "line" : "lines")"
        case .signature(let text):
            values["isSignature"] = true
            values["partText"] = text
        }
        values["runs"] = runs(values["partText"] as? String ?? "", context.links)
        return values
    }

    private func preview(_ parts: [BodyPart]) -> String {
        // What is looked at is bounded in scalars: one character may have any number of them.
        for case .text(let text) in parts {
            return String(DisplayText.line(String(text.unicodeScalars.prefix(500))).text.prefix(120))
        }
        return ""
    }

    private func mark(_ mark: MessageMark, now: WallTime) -> [String: Any] {
        let text =
            switch mark {
            case .unknownKey: "First message from this key. Compare it before you trust it."
            case .keyChanged(let since): "The key changed on \(time(since, now: now).short). Compare it before you trust it."
            case .notSigned: "Not signed: the sender's name is a claim."
            case .signature(let words): Self.sentence(DisplayText.line(words).text)
            case .notEncryptedOnTheWay: "Not encrypted on the way."
            case .looksLike(let name): "The name looks like \(DisplayText.line(name).text), who has another key."
            case .nameIsAddress: "The name is written like an address, and is not the sender's."
            case .hiddenCharacters: "Hidden characters removed."
            case .notTheNodes(let why): DisplayText.line(why).text
            case .readersInDoubt(let why): Self.sentence(DisplayText.line(why).text)
            case .notPostQuantum: "Not sealed against quantum computers: a reader, or the way to the node, has a classical key."
            }
        let isInformation =
            switch mark {
            case .notPostQuantum: true
            case .unknownKey, .keyChanged, .notSigned, .notEncryptedOnTheWay, .looksLike, .nameIsAddress, .hiddenCharacters,
                .notTheNodes, .readersInDoubt, .signature:
                false
            }
        return ["markText": text, "markClass": isInformation ? "info" : "", "markSign": !isInformation]
    }

    private static func sentence(_ words: String) -> String { words.prefix(1).uppercased() + words.dropFirst() + "." }

    /// Without a list of a group's members there is no number to give: none is better than a wrong one.
    private func readersText(_ model: ThreadModel) -> String {
        model.readers.isEmpty ? "its members can read this" : Self.people(model.readers.count) + " can read this"
    }

    private func replyAllText(_ model: ThreadModel) -> String {
        if let group = model.group {
            let name = "Reply to #\(DisplayText.line(group.name).text)"
            return model.readers.isEmpty ? name : "\(name) — \(Self.people(model.readers.count))"
        }
        return model.readers.count > 2 ? "Reply to all — \(Self.people(model.readers.count))" : "Reply"
    }

    private func subject(_ raw: String) -> String {
        let text = DisplayText.line(raw).text
        return text.allSatisfy(\.isWhitespace) ? "(no subject)" : text
    }

    static func people(_ count: Int) -> String {
        count == 1 ? "1 person" : "\(count) people"
    }
}
