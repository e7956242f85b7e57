// Takes commands apart and sends each to what it does; and what goes on when a question is answered. The table in IMAPVerb says
// when a command may come.

import DDSCore

extension IMAPServerSession {
    mutating func execute(_ text: IMAPCommandText, into actions: inout [Action]) {
        guard let tag = IMAPCommand.tag(of: text.lines[0]) else { return strike(nil, "", into: &actions) }
        do throws(IMAPFault) {
            var parser = IMAPParser(text)
            parser.skipTag()
            let (verb, isUID) = try IMAPCommand.verb(&parser)
            try check(verb)
            try execute(IMAPCommand(tag: tag, verb: verb, isUID: isUID), &parser, into: &actions)
            forgive()
        } catch {
            refuse(tag, error, into: &actions)
        }
    }

    /// Whether the command may come now.
    func check(_ verb: IMAPVerb) throws(IMAPFault) {
        if verb.phases.contains(phase) { return }
        switch phase {
        case .clear where verb.phases.contains(.notAuthenticated): throw .no("PRIVACYREQUIRED", "Use STARTTLS first")
        case .clear, .notAuthenticated:
            throw .bad(verb == .startTLS ? "TLS is active already or not needed here" : "Log in first")
        case .authenticated: throw .bad(verb.phases.contains(.selected) ? "Select a mailbox first" : "Not after login")
        case .selected: throw .bad(verb == .enable ? "Not while a mailbox is selected" : "Not after login")
        }
    }

    private mutating func execute(
        _ command: IMAPCommand, _ parser: inout IMAPParser, into actions: inout [Action]
    ) throws(IMAPFault) {
        if command.verb != .fetch { partlyRead = nil }
        switch command.verb {
        case .capability:
            try parser.end()
            send("* CAPABILITY \(capabilities)", into: &actions)
            send("\(command.tag) OK Done", into: &actions)
        case .noop, .check:
            try parser.end()
            finish(Ending(command), into: &actions)
        case .logout:
            try parser.end()
            send("* BYE Good bye\r\n\(command.tag) OK Logged out", into: &actions)
            close(.quit, into: &actions)
        case .id: try id(command, &parser, into: &actions)
        case .startTLS: try startTLS(command, &parser, into: &actions)
        case .authenticate: try authenticate(command, &parser, into: &actions)
        case .login: try login(command, &parser, into: &actions)
        case .enable: try enable(command, &parser, into: &actions)
        case .select, .examine: try open(command, &parser, into: &actions)
        case .create, .delete, .rename, .subscribe, .unsubscribe: try manage(command, &parser, into: &actions)
        case .list, .lsub: try list(command, &parser, into: &actions)
        case .namespace:
            try parser.end()
            send("* NAMESPACE ((\"\" \"/\")) NIL NIL\r\n\(command.tag) OK Done", into: &actions)
        case .status: try status(command, &parser, into: &actions)
        case .append: try append(command, &parser, into: &actions)
        case .idle:
            try parser.end()
            idle(command, into: &actions)
        case .getQuota, .getQuotaRoot: try quota(command, &parser, into: &actions)
        case .setQuota: throw .no("NOPERM", "Quotas are not set here")
        case .close, .unselect: try close(command, &parser, into: &actions)
        case .expunge: try expunge(command, &parser, into: &actions)
        case .search, .sort, .thread: try search(command, &parser, into: &actions)
        case .fetch: try fetch(command, &parser, into: &actions)
        case .store: try store(command, &parser, into: &actions)
        case .copy, .move: try copy(command, &parser, into: &actions)
        }
    }

    // MARK: Answers

    mutating func resume(_ task: Task, _ answer: Answer, now: Instant, into actions: inout [Action]) {
        switch task {
        case .login(let tag): loginAnswered(tag, answer, now: now, into: &actions)
        case .mayAppend(let tag, let literal): mayAppendAnswered(tag, literal, answer, into: &actions)
        case .append(let ending): appendAnswered(ending, answer, into: &actions)
        case .list(let tag, let request): listAnswered(tag, request, answer, into: &actions)
        case .listStatus(let tag, let items, let left): listStatusAnswered(tag, items, left, answer, into: &actions)
        case .status(let ending, let mailbox, let items): statusAnswered(ending, mailbox, items, answer, into: &actions)
        case .open(let tag, let mailbox, let isExamined):
            openAnswered(tag, mailbox, isExamined: isExamined, answer, into: &actions)
        case .refresh(let ending):
            if refreshAnswered(answer, into: &actions) { conclude(ending, into: &actions) }
        case .fetch(let fetch): fetchAnswered(fetch, answer, into: &actions)
        case .fetchSeen(let fetch): seenAnswered(fetch, answer, into: &actions)
        case .store(let store): storeAnswered(store, answer, into: &actions)
        case .beforeCopy(let copy): beforeCopyAnswered(copy, answer, into: &actions)
        case .copy(let copy): copyAnswered(copy, answer, into: &actions)
        case .expunge(let ending): expungeAnswered(ending, answer, into: &actions)
        case .close(let tag): closeAnswered(tag, answer, into: &actions)
        case .search(let search): searchAnswered(search, answer, into: &actions)
        case .manage(let ending):
            guard let ending = succeeded(ending, answer, into: &actions) else { return }
            guard case .done = answer else { preconditionFailure("a mailbox is not managed like that") }
            finish(ending, into: &actions)
        case .idle(let idle): idleAnswered(idle, answer, into: &actions)
        case .pause: return
        }
    }

    /// The ending, unless the answer is a refusal, which then was told.
    mutating func succeeded(_ ending: Ending, _ answer: Answer, into actions: inout [Action]) -> Ending? {
        guard let refusal = Self.refusal(answer) else { return ending }
        var ending = ending
        ending.reply = refusal.reply
        finish(ending, into: &actions)
        return nil
    }

    /// What an answer that is one refuses with.
    static func refusal(_ answer: Answer) -> IMAPFault? {
        switch answer {
        case .declined(let refusal): .no(refusal.code.map { WireText.line($0.utf8) }, WireText.line(refusal.text.utf8))
        case .unavailable(let words): .no("UNAVAILABLE", WireText.line(words.utf8))
        default: nil
        }
    }

    // MARK: Endings

    /// RFC 5530: numbers that the client still has may be of messages that are gone. For uids that is no error.
    static let areGone = "NO [EXPUNGEISSUED] Some of these messages are gone"

    /// Ends a command: asks how the selected mailbox is, tells what has changed, replies.
    mutating func finish(_ ending: Ending, into actions: inout [Action]) {
        guard let selection else { return send("\(ending.tag) \(ending.reply)", into: &actions) }
        ask(.refresh(since: selection.view.version), .refresh(ending), into: &actions)
    }

    /// The same when the view is as new as the answer before.
    mutating func conclude(_ ending: Ending, into actions: inout [Action]) {
        var writer = IMAPWriter()
        tellChanges(ending, into: &writer)
        writer.line("\(ending.tag) \(ending.reply)")
        send(writer.take(), into: &actions)
    }

    mutating func tellChanges(_ ending: Ending, into writer: inout IMAPWriter) {
        selection?.tellChanges(
            allowsExpunge: ending.allowsExpunge, withModSeq: usesCondStore, withUID: usesRev2 || ending.isUID, into: &writer)
    }

    /// Takes the answer to `.refresh`. A mailbox that is gone, or has become another one, ends the session: no reply of IMAP
    /// says so, and the client finds out what there is when it comes again (RFC 2180 3.3).
    mutating func refreshAnswered(_ answer: Answer, into actions: inout [Action]) -> Bool {
        switch answer {
        case .unchanged: return true
        case .view(let view): return see(view, into: &actions)
        case .declined(let refusal):
            bye(.failure, "The mailbox cannot be read any more: " + WireText.line(refusal.text.utf8), into: &actions)
        case .unavailable(let words): bye(.failure, "[UNAVAILABLE] " + WireText.line(words.utf8), into: &actions)
        default: preconditionFailure("a mailbox is not told like that")
        }
        return false
    }

    /// Takes a view. Returns whether the session goes on.
    mutating func see(_ view: IMAPView, into actions: inout [Action]) -> Bool {
        guard let known = selection?.view else { return true }
        guard view.uidValidity == known.uidValidity else {
            bye(.failure, "The mailbox is another one now", into: &actions)
            return false
        }
        selection?.update(view)
        return true
    }

    // MARK: CONDSTORE

    /// A command of RFC 7162 3.1 makes the session tell mod-sequences from now on.
    mutating func useCondStore(into writer: inout IMAPWriter) {
        guard !usesCondStore else { return }
        usesCondStore = true
        if let selection { writer.line("* OK [HIGHESTMODSEQ \(selection.view.highestModSeq)] From now on") }
    }
}
