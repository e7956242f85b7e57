// SELECT and EXAMINE, what ends them, EXPUNGE, and IDLE (RFC 9051 6.3.2, 6.3.13, 6.4).

extension IMAPServerSession {
    // MARK: SELECT

    mutating func open(_ command: IMAPCommand, _ parser: inout IMAPParser, into actions: inout [Action]) throws(IMAPFault) {
        let mailbox = try mailbox(&parser)
        var wantsCondStore = false
        if parser.skip(" ") {
            try parser.expect("(")
            guard try parser.keyword() == "CONDSTORE" else { throw .bad("Unknown SELECT parameter") }
            try parser.expect(")")
            wantsCondStore = true
        }
        try parser.end()
        // Whatever comes of it, the mailbox before is not selected any more.
        if selection != nil { send("* OK [CLOSED] The mailbox before is closed", into: &actions) }
        deselect(into: &actions)
        if wantsCondStore { usesCondStore = true }
        ask(
            .open(mailbox: mailbox), .open(tag: command.tag, mailbox: mailbox, isExamined: command.verb == .examine),
            into: &actions)
    }

    mutating func openAnswered(
        _ tag: String, _ mailbox: String, isExamined: Bool, _ answer: Answer, into actions: inout [Action]
    ) {
        guard case .view(let view) = answer else {
            guard let refusal = Self.refusal(answer) else { preconditionFailure("a mailbox is not opened like that") }
            return send("\(tag) \(refusal.reply)", into: &actions)
        }
        let opened = IMAPSelection(isExamined: isExamined, view: view)
        selection = opened
        var writer = IMAPWriter()
        opened.tellFlags(into: &writer)
        writer.line("* \(view.rows.count) EXISTS")
        if !usesRev2 {
            // RFC 3501 6.3.1 demands both of a server; RFC 9051 has dropped them.
            writer.line("* 0 RECENT")
            if let unseen = view.rows.firstIndex(where: { !$0.flags.system.contains(.seen) }) {
                writer.line("* OK [UNSEEN \(unseen + 1)] The first that is unseen")
            }
        }
        writer.text("* OK [PERMANENTFLAGS ")
        if opened.isExamined {
            writer.text("()")
        } else {
            // `\*` is written like a keyword.
            writer.flags(IMAPFlags(view.permanentFlags, keywords: ["\\*"]))
        }
        writer.line("] These stay")
        writer.line("* OK [UIDVALIDITY \(view.uidValidity)] Valid")
        writer.line("* OK [UIDNEXT \(view.uidNext)] The next uid")
        writer.line("* OK [HIGHESTMODSEQ \(view.highestModSeq)] The highest")
        if usesRev2 {
            writer.text("* LIST () \"/\" ")
            write(mailbox, into: &writer)
            writer.endLine()
        }
        writer.line("\(tag) OK [\(opened.isExamined ? "READ-ONLY" : "READ-WRITE")] Selected")
        send(writer.take(), into: &actions)
    }

    // MARK: CLOSE, UNSELECT, EXPUNGE

    mutating func close(_ command: IMAPCommand, _ parser: inout IMAPParser, into actions: inout [Action]) throws(IMAPFault) {
        try parser.end()
        guard let selection else { return }
        let deleted =
            command.verb == .close && !selection.isExamined ? Self.deleted(selection, [0..<selection.shown.count]) : []
        guard !deleted.isEmpty else {
            deselect(into: &actions)
            return send("\(command.tag) OK Closed", into: &actions)
        }
        ask(.expunge(deleted), .close(tag: command.tag), into: &actions)
    }

    mutating func closeAnswered(_ tag: String, _ answer: Answer, into actions: inout [Action]) {
        if let refusal = Self.refusal(answer) {
            // Still selected: what shall be gone is not.
            return send("\(tag) \(refusal.reply)", into: &actions)
        }
        guard case .view = answer else { preconditionFailure("an expunge is not answered like that") }
        deselect(into: &actions)
        send("\(tag) OK Closed", into: &actions)
    }

    mutating func expunge(_ command: IMAPCommand, _ parser: inout IMAPParser, into actions: inout [Action]) throws(IMAPFault) {
        guard let selection else { return }
        var ranges = [0..<selection.shown.count]
        if command.isUID {
            try parser.space()
            ranges = try selection.indices(try parser.sequenceSet(), isUID: true)
        }
        try parser.end()
        guard !selection.isExamined else { throw .no("NOPERM", "The mailbox is read-only") }
        let deleted = Self.deleted(selection, ranges)
        guard !deleted.isEmpty else { return finish(Ending(command), into: &actions) }
        ask(.expunge(deleted), .expunge(Ending(command)), into: &actions)
    }

    /// Uids of those that are marked as deleted now.
    private static func deleted(_ selection: IMAPSelection, _ ranges: [Range<Int>]) -> [UInt32] {
        var uids: [UInt32] = []
        for range in ranges {
            for row in selection.shown[range] {
                let isDeleted =
                    selection.isCurrent
                    ? row.flags.system.contains(.deleted)
                    : selection.latest(row.uid)?.flags.system.contains(.deleted) == true
                if isDeleted { uids.append(row.uid) }
            }
        }
        return uids
    }

    mutating func expungeAnswered(_ ending: Ending, _ answer: Answer, into actions: inout [Action]) {
        guard var ending = succeeded(ending, answer, into: &actions) else { return }
        guard case .view(let view) = answer else { preconditionFailure("an expunge is not answered like that") }
        guard see(view, into: &actions) else { return }
        // RFC 7162 3.1.2.2.
        if usesCondStore { ending.reply = "OK [HIGHESTMODSEQ \(view.highestModSeq)] Done" }
        conclude(ending, into: &actions)
    }

    // MARK: IDLE

    mutating func idle(_ command: IMAPCommand, into actions: inout [Action]) {
        send("+ Idling", into: &actions)
        let ending = Ending(command)
        if let selection {
            ask(
                .refresh(since: selection.view.version), .idle(Idle(ending: ending, step: .refreshing)), into: &actions)
        } else {
            ask(.wait(since: nil), .idle(Idle(ending: ending, step: .waiting)), into: &actions)
        }
    }

    /// The client has said something: `DONE`, or what does not belong here.
    mutating func endIdle(_ idle: Idle, by item: IMAPCommandReader.Item, into actions: inout [Action]) {
        guard case .asking(let id, _) = state else { preconditionFailure("IDLE has a question outstanding") }
        var idle = idle
        idle.isEnding = true
        idle.ending.reply = "OK Idle ended"
        if case .command(let text) = item, String(decoding: text.lines[0], as: UTF8.self).uppercased() == "DONE" {
        } else {
            idle.ending.reply = "BAD Expected DONE"
        }
        state = .asking(id, .idle(idle))
        if idle.step == .waiting { actions.append(.perform(.stopWaiting)) }
    }

    mutating func idleAnswered(_ idle: Idle, _ answer: Answer, into actions: inout [Action]) {
        var idle = idle
        switch idle.step {
        case .waiting:
            guard let selection else {
                if idle.isEnding { return send("\(idle.ending.tag) \(idle.ending.reply)", into: &actions) }
                // Without a mailbox there is nothing to tell.
                return ask(.wait(since: nil), .idle(idle), into: &actions)
            }
            idle.step = .refreshing
            ask(.refresh(since: selection.view.version), .idle(idle), into: &actions)
        case .refreshing:
            guard refreshAnswered(answer, into: &actions) else { return }
            if idle.isEnding { return conclude(idle.ending, into: &actions) }
            var writer = IMAPWriter()
            tellChanges(idle.ending, into: &writer)
            send(writer.take(), into: &actions)
            idle.step = .waiting
            ask(.wait(since: selection?.view.version), .idle(idle), into: &actions)
        }
    }
}
