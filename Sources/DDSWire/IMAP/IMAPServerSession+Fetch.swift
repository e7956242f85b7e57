// FETCH (RFC 9051 6.4.5): which messages are asked for together, and how their items are written. Where the parts of a message
// lie, MIMEStructure knows.

extension IMAPServerSession {
    /// Messages answered from rows alone before the session asks `.pause`, and rows looked at for them.
    private static let rowsAtOnce = 1000
    private static let rowsLookedAtMax = 20_000
    /// From this size on a message is kept while the client reads it piece by piece.
    private static let partlyReadOctetsMin = 128 << 10

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
        if uids.count == 1, let partlyRead, partlyRead.uid == first {
            return messagesCame(fetch, [partlyRead.message], into: &actions)
        }
        ask(.bodies(uids), .fetch(fetch), into: &actions)
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
                    write(index, nil, fetch, tellsFlags: false, into: &writer)
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

    private mutating func finish(_ fetch: Fetch, into actions: inout [Action]) {
        var ending = fetch.ending
        // RFC 5530: numbers that the client still has may be of messages that are gone. For uids that is no error.
        if fetch.hasMissed, !ending.isUID { ending.reply = "NO [EXPUNGEISSUED] Some of these messages are gone" }
        // Who has said more already is told of changes behind that.
        if reader.isEmpty { finish(ending, into: &actions) } else { conclude(ending, into: &actions) }
    }

    // MARK: Answers

    mutating func fetchAnswered(_ fetch: Fetch, _ answer: Answer, into actions: inout [Action]) {
        if case .proceed = answer { return goOn(fetch, into: &actions) }
        guard succeeded(fetch.ending, answer, into: &actions) != nil else { return }
        guard case .bodies(let bodies) = answer, bodies.count == fetch.batch.count else {
            preconditionFailure("each message that was asked for has an answer")
        }
        messagesCame(fetch, bodies, into: &actions)
    }

    private mutating func messagesCame(_ fetch: Fetch, _ bodies: [[UInt8]?], into actions: inout [Action]) {
        guard let selection else { return }
        keep(fetch, bodies)
        var unseen: [UInt32] = []
        if fetch.marksSeen, !selection.isReadOnly, selection.view.permanentFlags.contains(.seen) {
            for (index, body) in zip(fetch.batch, bodies) where body != nil {
                let uid = selection.shown[index].uid
                if selection.latest(uid)?.flags.system.contains(.seen) == false { unseen.append(uid) }
            }
        }
        guard unseen.isEmpty else {
            return ask(
                .store(unseen, .add(IMAPFlags(.seen)), unchangedSince: nil), .fetchSeen(fetch, bodies), into: &actions)
        }
        send(fetch, bodies, into: &actions)
    }

    /// Remembers a large message of which only a piece is asked for.
    private mutating func keep(_ fetch: Fetch, _ bodies: [[UInt8]?]) {
        let isPartial = fetch.request.items.contains {
            if case .section(let section) = $0 { section.partial != nil } else { false }
        }
        guard isPartial, fetch.batch.count == 1, let message = bodies[0], message.count >= Self.partlyReadOctetsMin,
            let selection
        else {
            partlyRead = nil
            return
        }
        partlyRead = (selection.shown[fetch.batch[0]].uid, message)
    }

    mutating func seenAnswered(_ fetch: Fetch, _ bodies: [[UInt8]?], _ answer: Answer, into actions: inout [Action]) {
        var fetch = fetch
        switch answer {
        case .view(let view), .stored(let view, _):
            guard see(view, into: &actions) else { return }
        default:
            guard let refusal = Self.refusal(answer) else { preconditionFailure("flags are not stored like that") }
            // The client gets what it has asked for, and hears that it is not marked.
            if !fetch.hasWarned { send("* \(refusal.reply)", into: &actions) }
            fetch.hasWarned = true
        }
        send(fetch, bodies, into: &actions)
    }

    private mutating func send(_ fetch: Fetch, _ bodies: [[UInt8]?], into actions: inout [Action]) {
        var fetch = fetch
        var writer = IMAPWriter()
        for (index, body) in zip(fetch.batch, bodies) {
            guard let body else {
                fetch.hasMissed = true
                continue
            }
            var tellsFlags = false
            if fetch.marksSeen, let before = selection?.shown[index] {
                tellsFlags = selection?.show(index).map { $0.flags != before.flags } ?? false
            }
            write(index, body, fetch, tellsFlags: tellsFlags, into: &writer)
        }
        send(writer.take(), into: &actions)
        goOn(fetch, into: &actions)
    }

    // MARK: Items

    private func write(_ index: Int, _ message: [UInt8]?, _ fetch: Fetch, tellsFlags: Bool, into writer: inout IMAPWriter) {
        guard let row = selection?.shown[index] else { return }
        var structure: MIMEStructure?
        func parsed() -> MIMEStructure {
            if let structure { return structure }
            let fresh = MIMEStructure(message ?? [])
            structure = fresh
            return fresh
        }
        writer.text("* ")
        writer.number(index + 1)
        writer.text(" FETCH (")
        var isFirst = true
        var hasFlags = false
        for item in fetch.request.items {
            if !isFirst { writer.octet(" ") }
            isFirst = false
            switch item {
            case .uid:
                writer.text("UID ")
                writer.number(row.uid)
            case .flags:
                hasFlags = true
                writer.text("FLAGS ")
                writer.flags(row.flags)
            case .internalDate:
                writer.text("INTERNALDATE \"")
                writer.text(IMAPDate.dateTime(row.internalDate))
                writer.octet("\"")
            case .size:
                writer.text("RFC822.SIZE ")
                writer.number(row.size)
            case .modSeq: Self.writeModSeq(row, into: &writer)
            case .envelope:
                writer.text("ENVELOPE ")
                writer.octets(parsed().envelope())
            case .body:
                writer.text("BODY ")
                writer.octets(parsed().bodyStructure(isExtended: false))
            case .bodyStructure:
                writer.text("BODYSTRUCTURE ")
                writer.octets(parsed().bodyStructure(isExtended: true))
            case .section(let section):
                let isWhole = section.section.part.isEmpty && section.section.what == .all
                Self.write(section, isWhole ? message : parsed().octets(of: section.section), into: &writer)
            }
        }
        if tellsFlags, !hasFlags {
            writer.text(" FLAGS ")
            writer.flags(row.flags)
        }
        if tellsFlags, usesCondStore, !fetch.request.items.contains(.modSeq) {
            writer.octet(" ")
            Self.writeModSeq(row, into: &writer)
        }
        writer.octet(")")
        writer.endLine()
    }

    private static func writeModSeq(_ row: IMAPRow, into writer: inout IMAPWriter) {
        writer.text("MODSEQ (")
        writer.number(row.modSeq)
        writer.octet(")")
    }

    private static func write(_ section: IMAPFetchSection, _ octets: [UInt8]?, into writer: inout IMAPWriter) {
        writer.text(section.label)
        if let partial = section.partial {
            writer.octet("<")
            writer.number(partial.offset)
            writer.octet(">")
        }
        writer.octet(" ")
        guard let octets else { return writer.text("NIL") }
        if let partial = section.partial {
            writer.literal(octets.dropFirst(partial.offset).prefix(partial.count))
        } else {
            writer.literal(octets)
        }
    }
}
