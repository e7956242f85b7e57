// FETCH (RFC 9051 6.4.5): which messages are asked for together, how their items are written, and when `\Seen` is set. Where
// the parts of a message lie, MIMEStructure knows.

extension IMAPServerSession {
    /// Messages answered from rows alone before the session asks `.pause`, and rows looked at for them.
    private static let rowsAtOnce = 1000
    private static let rowsLookedAtMax = 20_000
    /// From this size on a message is kept while the client reads it piece by piece.
    private static let partlyReadOctetsMin = 128 << 10
    /// What is sent of a reply before the session asks `.pause`.
    private static let pieceOctetsMax = 256 << 10
    /// What the sections of one message may hold together, besides twice the message: its text as a whole and in parts.
    private static let sectionsOctetsSpare = 64 << 10

    mutating func fetch(_ command: IMAPCommand, _ parser: inout IMAPParser, into actions: inout [Action]) throws(IMAPFault) {
        guard let selection else { return }
        try parser.space()
        let ranges = try selection.indices(try parser.sequenceSet(), isUID: command.isUID)
        try parser.space()
        var request = try parser.fetchRequest()
        // RFC 9051 6.4.9: UID FETCH always tells the uid.
        if command.isUID, !request.items.contains(.uid) { request.items.insert(.uid, at: 0) }
        if request.items.contains(.modSeq) {
            var writer = IMAPWriter()
            useCondStore(into: &writer)
            send(writer.take(), into: &actions)
        }
        // From the last, so that taking the next is cheap.
        goOn(Fetch(ending: Ending(command), request: request, ranges: ranges.reversed()), into: &actions)
    }

    /// Asks for the next messages, or writes the next rows.
    private mutating func goOn(_ fetch: Fetch, into actions: inout [Action]) {
        var fetch = fetch
        fetch.batch = []
        guard let selection else { return }
        guard fetch.needsMessages else { return fetchRows(fetch, into: &actions) }
        var octets = 0
        var uids: [UInt32] = []
        while uids.count < configuration.messagesAtOnce, let index = next(&fetch) {
            let row = selection.shown[index]
            if !uids.isEmpty, row.size > configuration.bodiesOctetsMax - octets {
                fetch.ranges.append(index..<index + 1)
                break
            }
            octets += min(row.size, configuration.bodiesOctetsMax)
            uids.append(row.uid)
            fetch.batch.append(index)
        }
        guard let first = uids.first else { return finish(fetch, into: &actions) }
        if uids.count == 1, let partlyRead, partlyRead.uid == first, partlyRead.message.isRead(for: fetch.request.items) {
            return send(fetch, [partlyRead.message], into: &actions)
        }
        partlyRead = nil
        ask(.bodies(uids, IMAPReading(items: fetch.request.items)), .fetch(fetch), into: &actions)
    }

    /// The index of the next message that is asked for.
    private func next(_ fetch: inout Fetch) -> Int? {
        while let range = fetch.ranges.popLast() {
            if range.count > 1 { fetch.ranges.append(range.dropFirst()) }
            if isWanted(range.lowerBound, fetch) { return range.lowerBound }
        }
        return nil
    }

    private func isWanted(_ index: Int, _ fetch: Fetch) -> Bool {
        guard let since = fetch.request.changedSince else { return true }
        return selection?.shown[index].modSeq ?? 0 > since
    }

    private mutating func fetchRows(_ fetch: Fetch, into actions: inout [Action]) {
        var fetch = fetch
        var writer = IMAPWriter()
        var written = 0
        var lookedAt = 0
        while let range = fetch.ranges.popLast() {
            var index = range.lowerBound
            while index < range.upperBound, written < Self.rowsAtOnce, lookedAt < Self.rowsLookedAtMax {
                lookedAt += 1
                if isWanted(index, fetch) {
                    written += 1
                    write(index, fetch.request, [], into: &writer)
                }
                index += 1
            }
            if index < range.upperBound { fetch.ranges.append(index..<range.upperBound) }
            if written == Self.rowsAtOnce || lookedAt == Self.rowsLookedAtMax { break }
        }
        send(writer.take(), into: &actions)
        guard fetch.ranges.isEmpty else { return ask(.pause, .fetch(fetch), into: &actions) }
        finish(fetch, into: &actions)
    }

    // MARK: Answers

    mutating func fetchAnswered(_ fetch: Fetch, _ answer: Answer, into actions: inout [Action]) {
        if case .proceed = answer { return sendRest(fetch, into: &actions) }
        guard succeeded(fetch.ending, answer, into: &actions) != nil else { return }
        guard case .bodies(let bodies) = answer, bodies.count == fetch.batch.count else {
            preconditionFailure("each message that was asked for has an answer")
        }
        send(fetch, bodies, into: &actions)
    }

    private mutating func send(_ fetch: Fetch, _ messages: [MIMEMessage?], into actions: inout [Action]) {
        guard let selection else { return }
        var fetch = fetch
        partlyRead = nil
        let marksSeen =
            fetch.marksSeen && !selection.isExamined && selection.view.permanentFlags.contains(.seen)
        var writer = IMAPWriter()
        for (index, message) in zip(fetch.batch, messages) {
            guard var message else {
                fetch.hasMissed = true
                continue
            }
            let uid = selection.shown[index].uid
            do throws(IMAPFault) {
                let texts = try Self.texts(of: &message, fetch.request)
                write(index, fetch.request, texts.list, into: &writer)
                if texts.hasMore, fetch.batch.count == 1, message.octets.count >= Self.partlyReadOctetsMin {
                    partlyRead = (uid, message)
                }
            } catch {
                fetch.ending.reply = error.reply
                fetch.ranges = []
                break
            }
            if marksSeen, selection.latest(uid)?.flags.system.contains(.seen) == false { fetch.unseen.append(uid) }
        }
        fetch.output = writer.take()[...]
        sendRest(fetch, into: &actions)
    }

    /// Sends one piece after the other. A large message at once would keep the owner's loop busy, and be in memory once more until a
    /// slow client has taken it: the answer to `.pause` waits for that.
    private mutating func sendRest(_ fetch: Fetch, into actions: inout [Action]) {
        var fetch = fetch
        send(Array(fetch.output.prefix(Self.pieceOctetsMax)), into: &actions)
        fetch.output = fetch.output.dropFirst(Self.pieceOctetsMax)
        guard fetch.output.isEmpty else { return ask(.pause, .fetch(fetch), into: &actions) }
        fetch.output = []
        goOn(fetch, into: &actions)
    }

    // MARK: The end

    /// Marks what was sent, once for all: to mark it before would make messages seen that a connection's end keeps from
    /// everybody, and a change of each few messages makes the owner look at the whole mailbox again.
    private mutating func finish(_ fetch: Fetch, into actions: inout [Action]) {
        guard fetch.unseen.isEmpty else {
            return ask(
                .store(fetch.unseen, .add(IMAPFlags(.seen)), unchangedSince: nil), .fetchSeen(fetch), into: &actions)
        }
        // Who has said more already is told of changes behind that.
        if reader.isEmpty { finish(ending(fetch), into: &actions) } else { conclude(ending(fetch), into: &actions) }
    }

    mutating func seenAnswered(_ fetch: Fetch, _ answer: Answer, into actions: inout [Action]) {
        switch answer {
        case .view(let view), .stored(let view, _):
            guard see(view, into: &actions) else { return }
            conclude(ending(fetch), into: &actions)
        default:
            guard let refusal = Self.refusal(answer) else { preconditionFailure("flags are not stored like that") }
            // The client has got what it has asked for, and hears that it is not marked.
            send("* \(refusal.reply)", into: &actions)
            finish(ending(fetch), into: &actions)
        }
    }

    private func ending(_ fetch: Fetch) -> Ending {
        var ending = fetch.ending
        if fetch.hasMissed, !ending.isUID, ending.isSuccess { ending.reply = Self.areGone }
        return ending
    }

    // MARK: Items

    /// What those items say that need the message, in their order; nil is `NIL`.
    private static func texts(
        of message: inout MIMEMessage, _ request: IMAPFetchRequest
    ) throws(IMAPFault) -> (list: [ArraySlice<UInt8>?], hasMore: Bool) {
        var list: [ArraySlice<UInt8>?] = []
        var hasMore = false
        var octetsLeft = 2 * message.octets.count + sectionsOctetsSpare
        for item in request.items {
            switch item {
            case .uid, .flags, .internalDate, .size, .modSeq: break
            case .envelope: list.append(message.envelope()[...])
            case .body: list.append(message.bodyStructure(isExtended: false)[...])
            case .bodyStructure: list.append(message.bodyStructure(isExtended: true)[...])
            case .section(let section):
                var octets = try text(of: section, in: &message)
                if let partial = section.partial, let whole = octets {
                    if whole.count - partial.offset > partial.count { hasMore = true }
                    octets = whole.dropFirst(partial.offset).prefix(partial.count)
                }
                if section.form != .decodedSize { octetsLeft -= octets?.count ?? 0 }
                guard octetsLeft >= 0 else {
                    throw .no("LIMIT", "That is the same message too many times; ask for fewer sections at once")
                }
                list.append(octets)
            }
        }
        return (list, hasMore)
    }

    private static func text(
        of section: IMAPFetchSection, in message: inout MIMEMessage
    ) throws(IMAPFault) -> ArraySlice<UInt8>? {
        guard section.form != .asIs else { return message.octets(of: section.section) }
        do throws(MIMETransferEncoding.Unknown) {
            return try message.decoded(section.section.part)
        } catch {
            throw .no("UNKNOWN-CTE", "The transfer encoding of this part is not known here")
        }
    }

    private func write(
        _ index: Int, _ request: IMAPFetchRequest, _ texts: [ArraySlice<UInt8>?], into writer: inout IMAPWriter
    ) {
        guard let row = selection?.shown[index] else { return }
        var texts = texts[...]
        writer.text("* ")
        writer.number(index + 1)
        writer.text(" FETCH (")
        for (place, item) in request.items.enumerated() {
            if place > 0 { writer.octet(" ") }
            let text = item.needsMessage ? texts.popFirst() ?? nil : nil
            switch item {
            case .uid:
                writer.text("UID ")
                writer.number(row.uid)
            case .flags:
                writer.text("FLAGS ")
                writer.flags(row.flags)
            case .internalDate:
                writer.text("INTERNALDATE \"")
                writer.text(IMAPDate.dateTime(row.internalDate))
                writer.octet("\"")
            case .size:
                writer.text("RFC822.SIZE ")
                writer.number(row.size)
            case .modSeq:
                writer.text("MODSEQ (")
                writer.number(row.modSeq)
                writer.octet(")")
            case .envelope:
                writer.text("ENVELOPE ")
                writer.octets(text ?? [])
            case .body:
                writer.text("BODY ")
                writer.octets(text ?? [])
            case .bodyStructure:
                writer.text("BODYSTRUCTURE ")
                writer.octets(text ?? [])
            case .section(let section): Self.write(section, text, into: &writer)
            }
        }
        writer.octet(")")
        writer.endLine()
    }

    private static func write(_ section: IMAPFetchSection, _ octets: ArraySlice<UInt8>?, into writer: inout IMAPWriter) {
        writer.text(section.label)
        if let partial = section.partial {
            writer.octet("<")
            writer.number(partial.offset)
            writer.octet(">")
        }
        writer.octet(" ")
        switch (section.form, octets) {
        // The grammar has no NIL here.
        case (.decodedSize, let octets): writer.number(octets?.count ?? 0)
        case (_, nil): writer.text("NIL")
        case (.asIs, let octets?): writer.literal(octets)
        case (.decoded, let octets?): writer.binary(octets)
        }
    }
}
