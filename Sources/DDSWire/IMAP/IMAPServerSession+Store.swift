// STORE, COPY, MOVE and APPEND (RFC 9051 6.3.12, 6.4.6 to 6.4.8, RFC 7162 3.1.3). What becomes of messages is the owner's
// answer.

extension IMAPServerSession {
    // MARK: STORE

    mutating func store(_ command: IMAPCommand, _ parser: inout IMAPParser, into actions: inout [Action]) throws(IMAPFault) {
        guard let selection else { return }
        try parser.space()
        let ranges = try selection.indices(try parser.sequenceSet(), isUID: command.isUID)
        try parser.space()
        var unchangedSince: UInt64?
        if parser.skip("(") {
            guard try parser.keyword() == "UNCHANGEDSINCE" else { throw .bad("Unknown STORE modifier") }
            try parser.space()
            unchangedSince = try parser.number64()
            try parser.expect(")")
            try parser.space()
        }
        let sign: Unicode.Scalar? = parser.skip("+") ? "+" : parser.skip("-") ? "-" : nil
        let word = parser.name()
        guard word == "FLAGS" || word == "FLAGS.SILENT" else { throw .bad("Expected FLAGS or FLAGS.SILENT") }
        try parser.space()
        let list = try parser.storeFlags()
        try parser.end()
        guard !selection.isExamined else { throw .no("NOPERM", "The mailbox is read-only") }
        let flags = IMAPFlags(
            list.flags.system.intersection(selection.view.permanentFlags), keywords: list.flags.keywords)
        if sign != "-", flags == IMAPFlags(), list.unknown > 0 || list.flags != IMAPFlags() {
            throw .no("CANNOT", "These flags do not stay here, see PERMANENTFLAGS")
        }
        if unchangedSince != nil {
            var writer = IMAPWriter()
            useCondStore(into: &writer)
            send(writer.take(), into: &actions)
        }
        let change: IMAPFlagChange = sign == "+" ? .add(flags) : sign == "-" ? .remove(flags) : .set(flags)
        var store = Store(
            ending: Ending(command), change: change, unchangedSince: unchangedSince, isSilent: word == "FLAGS.SILENT",
            messages: ranges.flatMap { Array($0) })
        if !selection.isCurrent {
            let all = store.messages.count
            store.messages.removeAll { selection.latest(selection.shown[$0].uid) == nil }
            store.hasMissed = store.messages.count < all
        }
        guard !store.messages.isEmpty else { return end(store, modified: [], into: &actions) }
        ask(
            .store(store.messages.map { selection.shown[$0].uid }, change, unchangedSince: unchangedSince), .store(store),
            into: &actions)
    }

    mutating func storeAnswered(_ store: Store, _ answer: Answer, into actions: inout [Action]) {
        var store = store
        guard succeeded(store.ending, answer, into: &actions) != nil else { return }
        var modified: Set<UInt32> = []
        switch answer {
        case .view(let view):
            guard see(view, into: &actions) else { return }
        case .stored(let view, let uids):
            guard see(view, into: &actions) else { return }
            modified = Set(uids)
        default: preconditionFailure("flags are not stored like that")
        }
        var writer = IMAPWriter()
        var keywords: [String] = []
        var told: [Int] = []
        var unchanged: [UInt32] = []
        for index in store.messages {
            guard let before = selection?.shown[index] else { continue }
            guard let row = selection?.show(index) else {
                store.hasMissed = true
                continue
            }
            keywords += row.flags.keywords
            let isModified = modified.contains(row.uid)
            if isModified { unchanged.append(store.ending.isUID ? row.uid : UInt32(index + 1)) }
            // A silent STORE is told of what differs from what the client now takes for granted.
            let expected = isModified ? before.flags : before.flags.changed(by: store.change)
            if (!store.isSilent && !isModified) || usesCondStore || row.flags != expected { told.append(index) }
        }
        if selection?.learn(keywords) == true { selection?.tellFlags(into: &writer) }
        for index in told {
            selection?.tellFlags(
                of: index, withModSeq: usesCondStore, withUID: usesRev2 || store.ending.isUID, into: &writer)
        }
        send(writer.take(), into: &actions)
        end(store, modified: unchanged, into: &actions)
    }

    /// `modified` is what the client calls messages that somebody else had changed, ascending.
    private mutating func end(_ store: Store, modified: [UInt32], into actions: inout [Action]) {
        var ending = store.ending
        if !modified.isEmpty {
            var writer = IMAPWriter()
            writer.text("OK [MODIFIED ")
            writer.set(modified)
            writer.text("] Some were changed meanwhile")
            ending.reply = String(decoding: writer.take(), as: UTF8.self)
        }
        if store.hasMissed, !ending.isUID { ending.reply = Self.areGone }
        conclude(ending, into: &actions)
    }

    // MARK: COPY and MOVE

    mutating func copy(_ command: IMAPCommand, _ parser: inout IMAPParser, into actions: inout [Action]) throws(IMAPFault) {
        guard let selection else { return }
        try parser.space()
        let ranges = try selection.indices(try parser.sequenceSet(), isUID: command.isUID)
        let mailbox = try mailbox(&parser)
        try parser.end()
        let isMove = command.verb == .move
        guard !isMove || !selection.isExamined else { throw .no("NOPERM", "The mailbox is read-only") }
        let uids = ranges.flatMap { selection.shown[$0].map(\.uid) }
        var ending = Ending(command)
        guard !uids.isEmpty else {
            ending.reply = "OK No messages"
            return finish(ending, into: &actions)
        }
        let copy = Copy(ending: ending, uids: uids, mailbox: mailbox, isMove: isMove)
        if command.isUID { return start(copy, into: &actions) }
        // RFC 2180 4.4.1: of messages that are called by their numbers all are copied or none.
        ask(.refresh(since: selection.view.version), .beforeCopy(copy), into: &actions)
    }

    mutating func beforeCopyAnswered(_ copy: Copy, _ answer: Answer, into actions: inout [Action]) {
        guard refreshAnswered(answer, into: &actions) else { return }
        guard copy.uids.allSatisfy({ selection?.latest($0) != nil }) else {
            var ending = copy.ending
            ending.reply = Self.areGone
            return conclude(ending, into: &actions)
        }
        start(copy, into: &actions)
    }

    private mutating func start(_ copy: Copy, into actions: inout [Action]) {
        ask(copy.isMove ? .move(copy.uids, to: copy.mailbox) : .copy(copy.uids, to: copy.mailbox), .copy(copy), into: &actions)
    }

    mutating func copyAnswered(_ copy: Copy, _ answer: Answer, into actions: inout [Action]) {
        guard var ending = succeeded(copy.ending, answer, into: &actions) else { return }
        guard case .copied(let uidValidity, let pairs) = answer else { preconditionFailure("a copy is not answered like that") }
        // Between the two questions somebody was quicker.
        let isMissing = pairs.count < copy.uids.count && !ending.isUID
        guard !pairs.isEmpty else {
            if isMissing { ending.reply = Self.areGone }
            return finish(ending, into: &actions)
        }
        let sorted = pairs.sorted { $0.0 < $1.0 }
        var writer = IMAPWriter()
        writer.text("OK [COPYUID \(uidValidity) ")
        writer.set(sorted.map(\.0))
        writer.octet(" ")
        writer.set(sorted.map(\.1))
        writer.text(copy.isMove ? "] Moved" : "] Copied")
        let reply = String(decoding: writer.take(), as: UTF8.self)
        // RFC 6851 4.3: before the EXPUNGEs that come of it.
        if copy.isMove { send("* " + reply, into: &actions) } else { ending.reply = reply }
        if isMissing { ending.reply = Self.areGone }
        finish(ending, into: &actions)
    }

    // MARK: APPEND

    struct AppendHead {
        var mailbox: String
        var flags: IMAPFlags
        var internalDate: Int64?
        /// Behind `UTF8 (`, which wants a closing parenthesis (RFC 6855 4).
        var isWrapped = false
    }

    /// Everything of APPEND before the message.
    func appendHead(_ parser: inout IMAPParser) throws(IMAPFault) -> AppendHead {
        var head = AppendHead(mailbox: try mailbox(&parser), flags: IMAPFlags())
        try parser.space()
        if parser.peek == UInt8(ascii: "(") {
            head.flags = try parser.flagList().flags
            try parser.space()
        }
        if parser.peek == 0x22 {
            guard let date = IMAPDate.parseDateTime(String(decoding: try parser.string(), as: UTF8.self)) else {
                throw .bad("Expected a date and time such as \"17-Jul-1996 02:44:25 -0700\"")
            }
            head.internalDate = date
            try parser.space()
        }
        if !parser.isAtLiteral {
            guard usesUTF8, try parser.keyword() == "UTF8" else { throw .bad("Expected the message as a literal") }
            try parser.space()
            try parser.expect("(")
            head.isWrapped = true
        }
        return head
    }

    mutating func append(_ command: IMAPCommand, _ parser: inout IMAPParser, into actions: inout [Action]) throws(IMAPFault) {
        let head = try appendHead(&parser)
        let message = try parser.literal(mayBeBinary: true)
        if head.isWrapped { try parser.expect(")") }
        try parser.end()
        ask(
            .append(mailbox: head.mailbox, head.flags, internalDate: head.internalDate, message), .append(Ending(command)),
            into: &actions)
    }

    mutating func mayAppendAnswered(
        _ tag: String, _ literal: IMAPCommandReader.Announcement, _ answer: Answer, into actions: inout [Action]
    ) {
        if let refusal = Self.refusal(answer) { return giveUp(tag, refusal.reply, into: &actions) }
        guard case .proceed = answer else { preconditionFailure("a message is not allowed like that") }
        accept(literal, into: &actions)
    }

    mutating func appendAnswered(_ ending: Ending, _ answer: Answer, into actions: inout [Action]) {
        guard var ending = succeeded(ending, answer, into: &actions) else { return }
        guard case .appended(let uidValidity, let uid) = answer else { preconditionFailure("APPEND is not answered like that") }
        // What is still on its way gets its number where it will be shown.
        ending.reply = uid == 0 ? "OK Appended" : "OK [APPENDUID \(uidValidity) \(uid)] Appended"
        finish(ending, into: &actions)
    }
}

extension IMAPFlags {
    /// The flags after a change. Keywords are the same in any case of letters, and stay as they were written first.
    package func changed(by change: IMAPFlagChange) -> IMAPFlags {
        switch change {
        case .set(let flags): return flags
        case .add(let flags):
            let known = Set(keywords.map { $0.lowercased() })
            let new = flags.keywords.filter { !known.contains($0.lowercased()) }
            return IMAPFlags(system.union(flags.system), keywords: new.isEmpty ? keywords : (keywords + new).sorted())
        case .remove(let flags):
            let gone = Set(flags.keywords.map { $0.lowercased() })
            return IMAPFlags(
                system.subtracting(flags.system), keywords: keywords.filter { !gone.contains($0.lowercased()) })
        }
    }
}
