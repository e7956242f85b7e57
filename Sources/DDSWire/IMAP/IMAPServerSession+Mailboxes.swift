// Commands about mailboxes that need none selected: LIST, LSUB, STATUS, CREATE and the like, GETQUOTA. Which mailboxes there
// are and what may be done to them is the owner's answer.

extension IMAPServerSession {
    func mailbox(_ parser: inout IMAPParser) throws(IMAPFault) -> String {
        try parser.space()
        return try IMAPMailboxName.read(try parser.astring(), isUTF8: isUTF8)
    }

    func write(_ mailbox: String, into writer: inout IMAPWriter) {
        writer.string(IMAPMailboxName.write(mailbox, isUTF8: isUTF8), isUTF8: isUTF8)
    }

    // MARK: LIST

    mutating func list(_ command: IMAPCommand, _ parser: inout IMAPParser, into actions: inout [Action]) throws(IMAPFault) {
        let request = try parser.listRequest(isLSub: command.verb == .lsub)
        if !request.isExtended, request.patterns[0].isEmpty {
            // RFC 9051 6.3.9: a question for the delimiter.
            return send("* \(command.verb.rawValue) (\\Noselect) \"/\" \"\"\r\n\(command.tag) OK Done", into: &actions)
        }
        ask(.mailboxes, .list(tag: command.tag, request), into: &actions)
    }

    mutating func listAnswered(_ tag: String, _ request: IMAPListRequest, _ answer: Answer, into actions: inout [Action]) {
        guard case .mailboxes(let mailboxes) = answer else {
            guard let refusal = Self.refusal(answer) else { preconditionFailure("mailboxes are not told like that") }
            return send("\(tag) \(refusal.reply)", into: &actions)
        }
        let listing = IMAPListing(mailboxes)
        var writer = IMAPWriter()
        var selectable: [String] = []
        for entry in listing.entries(request, isUTF8: isUTF8) {
            writer.text(request.isLSub ? "* LSUB (" : "* LIST (")
            writer.text(entry.attributes.joined(separator: " "))
            writer.text(") \"/\" ")
            write(entry.name, into: &writer)
            if entry.hasSubscribedChild { writer.text(" (\"CHILDINFO\" (\"SUBSCRIBED\"))") }
            writer.endLine()
            if entry.isSelectable { selectable.append(entry.name) }
        }
        send(writer.take(), into: &actions)
        if request.status.contains(.highestModSeq) { usesCondStore = true }
        listStatus(tag, request.status, left: request.status.isEmpty ? [] : selectable.reversed(), into: &actions)
    }

    /// RFC 5819: one mailbox after the other, the last of `left` first.
    private mutating func listStatus(
        _ tag: String, _ items: [IMAPStatusItem], left: [String], into actions: inout [Action]
    ) {
        guard let next = left.last else { return send("\(tag) OK Done", into: &actions) }
        ask(.status(mailbox: next), .listStatus(tag: tag, items, left: left), into: &actions)
    }

    mutating func listStatusAnswered(
        _ tag: String, _ items: [IMAPStatusItem], _ left: [String], _ answer: Answer, into actions: inout [Action]
    ) {
        var left = left
        // A mailbox that is gone meanwhile has no status (RFC 5819 2).
        if let mailbox = left.popLast(), case .status(let status) = answer { send(mailbox, status, items, into: &actions) }
        listStatus(tag, items, left: left, into: &actions)
    }

    // MARK: STATUS

    mutating func status(_ command: IMAPCommand, _ parser: inout IMAPParser, into actions: inout [Action]) throws(IMAPFault) {
        let mailbox = try mailbox(&parser)
        try parser.space()
        let items = try parser.statusItems()
        try parser.end()
        if items.contains(.highestModSeq) {
            var writer = IMAPWriter()
            useCondStore(into: &writer)
            send(writer.take(), into: &actions)
        }
        ask(.status(mailbox: mailbox), .status(Ending(command), mailbox: mailbox, items), into: &actions)
    }

    mutating func statusAnswered(
        _ ending: Ending, _ mailbox: String, _ items: [IMAPStatusItem], _ answer: Answer, into actions: inout [Action]
    ) {
        guard let ending = succeeded(ending, answer, into: &actions) else { return }
        guard case .status(let status) = answer else { preconditionFailure("a status is not told like that") }
        send(mailbox, status, items, into: &actions)
        finish(ending, into: &actions)
    }

    private mutating func send(
        _ mailbox: String, _ status: IMAPStatus, _ items: [IMAPStatusItem], into actions: inout [Action]
    ) {
        var writer = IMAPWriter()
        writer.text("* STATUS ")
        write(mailbox, into: &writer)
        let words = items.map { item in
            let value: any BinaryInteger =
                switch item {
                case .messages: status.messages
                case .uidNext: status.uidNext
                case .uidValidity: status.uidValidity
                case .unseen: status.unseen
                case .deleted: status.deleted
                case .size: status.size
                case .highestModSeq: status.highestModSeq
                case .recent: 0
                }
            return "\(item.rawValue) \(value)"
        }
        writer.line(" (" + words.joined(separator: " ") + ")")
        send(writer.take(), into: &actions)
    }

    // MARK: CREATE, DELETE, RENAME, SUBSCRIBE, UNSUBSCRIBE

    mutating func manage(_ command: IMAPCommand, _ parser: inout IMAPParser, into actions: inout [Action]) throws(IMAPFault) {
        let mailbox = try mailbox(&parser)
        let management: IMAPManagement
        switch command.verb {
        case .create:
            // RFC 9051 6.3.4: a delimiter at the end says that there will be names below it.
            management = .create(mailbox.hasSuffix("/") ? String(mailbox.dropLast()) : mailbox)
        case .delete: management = .delete(mailbox)
        case .rename: management = .rename(mailbox, to: try self.mailbox(&parser))
        case .subscribe: management = .subscribe(mailbox)
        case .unsubscribe: management = .unsubscribe(mailbox)
        default: preconditionFailure("no command that manages mailboxes")
        }
        try parser.end()
        ask(.manage(management), .manage(Ending(command)), into: &actions)
    }

    // MARK: Quota

    /// RFC 9208: one root, the empty name, for everything. It sets no limit, so there is no resource to tell.
    mutating func quota(_ command: IMAPCommand, _ parser: inout IMAPParser, into actions: inout [Action]) throws(IMAPFault) {
        var writer = IMAPWriter()
        if command.verb == .getQuotaRoot {
            writer.text("* QUOTAROOT ")
            write(try mailbox(&parser), into: &writer)
            writer.line(" \"\"")
        } else {
            try parser.space()
            guard try parser.astring().isEmpty else { throw .no("NONEXISTENT", "The one quota root here is \"\"") }
        }
        try parser.end()
        writer.line("* QUOTA \"\" ()")
        send(writer.take(), into: &actions)
        finish(Ending(command), into: &actions)
    }
}
