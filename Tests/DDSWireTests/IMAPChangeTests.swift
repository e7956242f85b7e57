import DDSCore
import DDSTestKit
import Testing

@testable import DDSWire

/// What is told of changes that others make, and when (RFC 9051 7.5.1).
@Suite struct IMAPChangeTests {
    private func say(_ harness: inout SessionHarness<IMAPServerSession>, _ line: String) -> String {
        harness.receive(line + "\r\n")
        return harness.takeText()
    }

    @Test func expunge_isToldAtNOOP_withNewMessagesAndFlagsBehindIt() {
        let model = IMAPModel()
        var harness = model.selecting()
        model.remove(1)
        model.remove(2)
        model.flag(3, .add(IMAPFlags(.seen)))
        model.add("four")
        #expect(
            say(&harness, "a NOOP")
                == "* 1 EXPUNGE\r\n* 1 EXPUNGE\r\n* 2 EXISTS\r\n* 1 FETCH (FLAGS (\\Seen))\r\na OK Done\r\n")
        #expect(say(&harness, "a FETCH 1:2 UID") == "* 1 FETCH (UID 3)\r\n* 2 FETCH (UID 4)\r\na OK Done\r\n")
        #expect(say(&harness, "a NOOP") == "a OK Done\r\n")
    }

    @Test func asManyNewAsGone_stillTellsTheNumber() {
        let model = IMAPModel()
        var harness = model.selecting()
        model.remove(2)
        model.add("four")
        #expect(say(&harness, "a NOOP") == "* 2 EXPUNGE\r\n* 3 EXISTS\r\na OK Done\r\n")
        model.remove(4)
        #expect(say(&harness, "a NOOP") == "* 3 EXPUNGE\r\na OK Done\r\n")
    }

    @Test func numbersStay_whileACommandSpeaksOfThem() {
        for command in [
            "FETCH 1 UID", "FETCH 2:3 BODY.PEEK[]", "FETCH 2 BODY[]", "STORE 2 +FLAGS (\\Seen)",
            "STORE 1:3 FLAGS.SILENT (\\Seen)",
            "SEARCH ALL", "SORT (DATE) UTF-8 ALL", "THREAD REFERENCES UTF-8 ALL",
        ] {
            let model = IMAPModel()
            var harness = model.selecting()
            model.remove(1)
            model.add("four")
            let text = say(&harness, "a \(command)")
            #expect(!text.contains("EXPUNGE\r\n"), "\(command): \(text)")
            #expect(text.contains("* 4 EXISTS\r\n"), "\(command): \(text)")
            #expect(say(&harness, "b FETCH 4 UID").contains("* 4 FETCH (UID 4)\r\n"), "\(command)")
            #expect(say(&harness, "c CHECK") == "* 1 EXPUNGE\r\nc OK Done\r\n", "\(command)")
            #expect(say(&harness, "d FETCH 3 UID").contains("* 3 FETCH (UID 4)\r\n"), "\(command)")
        }
    }

    @Test func uidCommandsAndOthers_tellWhatIsGone() {
        for command in [
            "UID FETCH 2 FLAGS", "UID STORE 2 +FLAGS (\\Seen)", "UID SEARCH ALL", "UID SORT (DATE) UTF-8 ALL", "COPY 2 Drafts",
            "UID COPY 2 Drafts", "UID MOVE 2 Drafts", "STATUS INBOX (MESSAGES)", "EXPUNGE", "APPEND Drafts {1+}\r\nx", "NOOP",
            "CHECK",
            "GETQUOTA \"\"", "SUBSCRIBE INBOX",
        ] {
            let model = IMAPModel()
            var harness = model.selecting()
            model.remove(1)
            let text = say(&harness, "a \(command)")
            #expect(text.contains("* 1 EXPUNGE\r\n"), "\(command): \(text)")
            #expect(text.split(separator: "\r\n").last?.hasPrefix("a OK") == true, "\(command): \(text)")
        }
    }

    @Test func messagesThatAreGone_areNoSuccess() {
        let model = IMAPModel()
        var harness = model.selecting()
        model.remove(1)
        #expect(
            say(&harness, "a FETCH 1:2 BODY.PEEK[TEXT]")
                == "* 2 FETCH (BODY[TEXT] {14}\r\nsecond\r\nbody\r\n)\r\n"
                + "a NO [EXPUNGEISSUED] Some of these messages are gone\r\n"
        )
        #expect(
            say(&harness, "a STORE 1 +FLAGS.SILENT (\\Seen)") == "a NO [EXPUNGEISSUED] Some of these messages are gone\r\n")
        #expect(say(&harness, "a UID FETCH 1 BODY.PEEK[]") == "* 1 EXPUNGE\r\na OK Done\r\n")
    }

    @Test func copyOfWhatIsGone_copiesNothing() {
        for verb in ["COPY", "MOVE"] {
            let model = IMAPModel()
            var harness = model.selecting()
            model.remove(1)
            #expect(
                say(&harness, "a \(verb) 1:2 Drafts")
                    == "* 1 EXPUNGE\r\na NO [EXPUNGEISSUED] Some of these messages are gone\r\n")
            #expect(model.folders["Drafts"]?.messages.count == 0 && model.folders["INBOX"]?.messages.count == 2)
            model.remove(2)
            #expect(say(&harness, "a UID \(verb) 2 Drafts") == "* 1 EXPUNGE\r\na OK Done\r\n")
            // Gone between the two questions.
            var isAsked = false
            model.override = {
                if case .refresh = $0, !isAsked {
                    isAsked = true
                    defer { model.remove(3) }
                    return .unchanged
                }
                return nil
            }
            #expect(
                say(&harness, "a \(verb) 1 Drafts")
                    == "* 1 EXPUNGE\r\na NO [EXPUNGEISSUED] Some of these messages are gone\r\n")
        }
    }

    @Test func searchFindsNothingTheClientDoesNotKnow() {
        let model = IMAPModel()
        var harness = model.selecting()
        model.add("four")
        #expect(say(&harness, "a SEARCH ALL") == "* SEARCH 1 2 3\r\n* 4 EXISTS\r\na OK Done\r\n")
        #expect(say(&harness, "a SEARCH RETURN (SAVE) 4") == "a OK Done\r\n")
        model.remove(4)
        #expect(say(&harness, "a NOOP") == "* 4 EXPUNGE\r\na OK Done\r\n")
        #expect(say(&harness, "a FETCH $ UID") == "a OK Done\r\n")
    }

    @Test func mailboxThatIsGone_endsTheSession() {
        let model = IMAPModel()
        var harness = model.selecting()
        model.folders["INBOX"] = nil
        #expect(say(&harness, "a NOOP") == "* BYE The mailbox cannot be read any more: No such mailbox\r\n")
        #expect(harness.closeReason == .failure)
        let other = IMAPModel()
        harness = other.selecting()
        other.folders["INBOX"]?.uidValidity = 8
        other.add("x")
        #expect(say(&harness, "a NOOP") == "* BYE The mailbox is another one now\r\n")
    }

    @Test func uidBelowTheLast_isNeverNumbered() {
        let model = IMAPModel()
        model.remove(2)
        var harness = model.selecting()
        let row = IMAPRow(uid: 2, modSeq: 9, internalDate: 0, size: 1)
        model.folders["INBOX"]?.messages.insert(IMAPModel.Message(row: row, bytes: [1]), at: 1)
        model.folders["INBOX"]?.modSeq = 9
        #expect(say(&harness, "a NOOP") == "a OK Done\r\n")
        #expect(say(&harness, "a FETCH 1:2 UID") == "* 1 FETCH (UID 1)\r\n* 2 FETCH (UID 3)\r\na OK Done\r\n")
    }

    // MARK: Questions

    @Test func unchangedMailbox_costsOneSmallQuestion() {
        let model = IMAPModel()
        var harness = model.selecting()
        _ = say(&harness, "a NOOP")
        #expect(model.questions == [.refresh(since: 4)])
    }

    @Test func bodies_areAskedInBatches_boundedByOctetsAndNumber() {
        let model = IMAPModel()
        model.folders["Drafts"] = IMAPModel.Folder()
        for size in [10, 40, 40, 200, 1, 1, 1] { model.add(String(repeating: "x", count: size), to: "Drafts") }
        var harness = model.selecting("Drafts") {
            $0.bodiesOctetsMax = 90
            $0.messagesAtOnce = 2
        }
        harness.receive("a FETCH 1:* BODY.PEEK[]\r\n")
        let asked: [[UInt32]] = model.questions.compactMap { if case .bodies(let uids, _) = $0 { uids } else { nil } }
        #expect(asked == [[1, 2], [3], [4], [5, 6], [7]])
        #expect(harness.takeText().components(of: "FETCH (BODY[]") == 7)
        // Each batch is sent before the next is asked for.
        let order = harness.transcript.filter { $0.contains("bodies") || $0.contains("BODY[]") }
        #expect(order.count == 10)
        for (index, line) in order.enumerated() { #expect(line.hasPrefix(index.isMultiple(of: 2) ? "ask" : "send")) }
    }

    @Test func flags_areStoredOnce_forAllMessagesOfACommand() {
        for command in ["STORE 1:3 +FLAGS.SILENT (\\Seen)", "FETCH 1:3 BODY[]", "UID FETCH 1:3 (BODY[TEXT] FLAGS)"] {
            let model = IMAPModel()
            var harness = model.selecting { $0.messagesAtOnce = 2 }
            harness.receive("a \(command)\r\n")
            let asked: [[UInt32]] = model.questions.compactMap { if case .store(let uids, _, _) = $0 { uids } else { nil } }
            #expect(asked == [[1, 2, 3]], "\(command)")
            #expect(harness.takeText().components(of: "FLAGS (\\Seen)") == (command.hasPrefix("STORE") ? 0 : 3), "\(command)")
        }
    }

    @Test func messagesThatWereNotSent_areNotMarked() {
        let model = IMAPModel()
        var harness = model.selecting { $0.messagesAtOnce = 1 }
        model.isHeldBack = { if case .bodies([2], _) = $0 { true } else { false } }
        harness.receive("a FETCH 1:3 BODY[]\r\n")
        #expect(harness.takeText().hasPrefix("* 1 FETCH (BODY[]"))
        harness.deliver(.endOfInput)
        harness.deliver(.endOfInput)
        #expect(!model.questions.contains { if case .store = $0 { true } else { false } })
    }

    @Test func largeMessageInPieces_isAskedForOnce() {
        let model = IMAPModel()
        model.add("A: b\r\n\r\n" + String(repeating: "y", count: 300_000 - 8))
        var harness = model.selecting()
        func asked() -> Int { model.questions.count { if case .bodies = $0 { true } else { false } } }
        for offset in [0, 100_000, 200_000] {
            harness.receive("a UID FETCH 4 BODY.PEEK[]<\(offset).100000>\r\n")
            #expect(harness.takeOutput().count > 100_000)
            #expect((harness.session.partlyRead == nil) == (offset == 200_000))
        }
        #expect(asked() == 1)
        harness.receive("a UID FETCH 4 BODY.PEEK[1]<0.1>\r\na UID FETCH 4 BODY.PEEK[]<9.1>\r\n")
        #expect(asked() == 2)
        harness.receive("a NOOP\r\na UID FETCH 4 BODY.PEEK[]<0.1>\r\n")
        #expect(asked() == 3)
        // Who comes for something that was not looked for is another reader.
        harness.receive("a UID FETCH 4 BODY.PEEK[1]<0.1>\r\na UID FETCH 4 BINARY.PEEK[1]<0.1>\r\n")
        #expect(asked() == 5)
        harness.receive("a UID FETCH 4 BINARY.PEEK[1]<1.1>\r\na UID FETCH 4 BODY.PEEK[]<9.1>\r\n")
        #expect(asked() == 5)
        harness.receive("a UID FETCH 3 BODY.PEEK[]\r\n")
        #expect(harness.session.partlyRead == nil)
    }

    /// Between two pieces others have their turn, and a client that reads slowly is waited for.
    @Test func aLargeReply_isSentInPieces() {
        let model = IMAPModel()
        let text = String(repeating: "0123456789abcdef", count: 60_000)
        model.add(text)
        var harness = model.selecting()
        func pauses() -> Int { model.questions.count { if case .pause = $0 { true } else { false } } }
        let before = pauses()
        let reply = say(&harness, "a FETCH 4 BODY.PEEK[]")
        #expect(reply == "* 4 FETCH (BODY[] {960000}\r\n\(text))\r\na OK Done\r\n")
        #expect(pauses() - before == 960_000 / (256 << 10))
        var sent = 0
        model.isHeldBack = { if case .pause = $0 { true } else { false } }
        harness.receive("b FETCH 4 BODY.PEEK[]\r\n")
        sent = harness.takeOutput().count
        #expect(sent == 256 << 10)
    }

    @Test func sameItems_areToldOnce() {
        let model = IMAPModel()
        var harness = model.selecting()
        #expect(
            say(&harness, "a FETCH 3 (BODY.PEEK[TEXT] UID BODY.PEEK[TEXT] UID BODY.PEEK[TEXT]<0.1> BODY.PEEK[TEXT]<0.1>)")
                == "* 3 FETCH (BODY[TEXT] {3}\r\n3\r\n UID 3 BODY[TEXT]<0> {1}\r\n3)\r\na OK Done\r\n")
        #expect(say(&harness, "a FETCH 3 (BODY[TEXT] BODY.PEEK[TEXT])").components(of: "BODY[TEXT]") == 1)
        #expect(model.flags(3) == IMAPFlags(.seen))
        #expect(say(&harness, "a FETCH 2 (BODY.PEEK[TEXT] BODY[TEXT])").components(of: "BODY[TEXT]") == 1)
        #expect(model.flags(2) == IMAPFlags(.seen))
    }

    @Test func onesMessageInManySections_isBounded() {
        let model = IMAPModel()
        model.add("A: b\r\n\r\n" + String(repeating: "x", count: 100_000 - 8))
        for more in [-1, 0, 1] {
            var harness = model.selecting()
            // Once whole, once in two parts, and as much as is to spare.
            let items = "BODY.PEEK[] BODY.PEEK[HEADER] BODY.PEEK[TEXT] BODY.PEEK[TEXT]<0.\(65_536 + more)>"
            let text = say(&harness, "a FETCH 3:4 (\(items))")
            #expect(text.hasPrefix("* 3 FETCH ("))
            if more > 0 {
                #expect(
                    text.hasSuffix("a NO [LIMIT] That is the same message too many times; ask for fewer sections at once\r\n"))
                #expect(text.utf8.count < 1000)
            } else {
                #expect(text.hasSuffix("a OK Done\r\n"))
                #expect(text.utf8.count > 265_000)
            }
        }
    }

    @Test func fetchItems_areBoundedInNumber() {
        for more in [-1, 0, 1] {
            var harness = IMAPModel().selecting()
            let items = (0..<50 + more).map { "BODY.PEEK[]<\($0).1>" } + ["BODY.PEEK[]<0.1>"]
            let text = say(&harness, "a FETCH 1 (\(items.joined(separator: " ")))")
            #expect(text.hasSuffix(more > 0 ? "a BAD More than 50 items\r\n" : "a OK Done\r\n"))
        }
    }

    @Test func rowsOfALargeMailbox_comeInPieces() {
        let model = IMAPModel()
        var folder = IMAPModel.Folder()
        folder.messages = (1...2500).map {
            IMAPModel.Message(row: IMAPRow(uid: UInt32($0), modSeq: UInt64($0), internalDate: 0, size: 1), bytes: [1])
        }
        model.folders["Drafts"] = folder
        var harness = model.selecting("Drafts")
        harness.receive("a FETCH 1:* UID\r\n")
        #expect(harness.takeText().components(of: "FETCH (UID") == 2500)
        #expect(model.questions == [.pause, .pause, .refresh(since: 1)])
        harness.receive("a FETCH 1:* UID (CHANGEDSINCE 2499)\r\n")
        #expect(harness.takeText().hasSuffix("* 2500 FETCH (UID 2500 MODSEQ (2500))\r\na OK Done\r\n"))
    }

    @Test func pipelinedCommands_areAnsweredInOrder() {
        var harness = IMAPModel().greeted()
        harness.receive("a LOGIN bob secret\r\nb SELECT INBOX\r\nc FETCH 1 UID\r\nd UID SEARCH ALL\r\ne LOGOUT\r\n")
        let tags = harness.takeText().split(separator: "\r\n").filter { !$0.hasPrefix("*") }.map { $0.prefix(4) }
        #expect(tags == ["a OK", "b OK", "c OK", "d OK", "e OK"])
    }

    // MARK: IDLE

    @Test func idle_tellsChanges_andEndsAtDONE() {
        let model = IMAPModel()
        var harness = model.selecting()
        model.add("four")
        #expect(say(&harness, "a IDLE") == "+ Idling\r\n* 4 EXISTS\r\n")
        #expect(harness.outstanding.count == 1)
        model.remove(1)
        model.flag(2, .add(IMAPFlags(.flagged)))
        harness.answerOldest(.changed)
        #expect(harness.takeText() == "* 1 EXPUNGE\r\n* 1 FETCH (FLAGS (\\Flagged))\r\n")
        harness.answerOldest(.changed)
        #expect(harness.takeText() == "")
        model.add("five")
        #expect(say(&harness, "done") == "")
        #expect(model.stops == 1)
        // One DONE is enough.
        harness.receive("b NOOP\r\n")
        harness.answerOldest(.changed)
        #expect(harness.takeText() == "* 4 EXISTS\r\na OK Idle ended\r\nb OK Done\r\n")
        #expect(model.stops == 1)
    }

    /// What comes between the answer about the mailbox and the wait for a change is no less a change.
    @Test func changeJustBeforeTheWait_isTold() {
        let model = IMAPModel()
        model.isHeldBack = { if case .wait(let since) = $0 { since == model.folders["INBOX"]?.modSeq } else { false } }
        var harness = model.selecting()
        var isAsked = false
        model.override = {
            guard case .refresh = $0, !isAsked else { return nil }
            isAsked = true
            defer { model.add("four") }
            return .unchanged
        }
        #expect(say(&harness, "a IDLE") == "+ Idling\r\n* 4 EXISTS\r\n")
        #expect(harness.outstanding.map(\.question) == [.wait(since: 5)])
    }

    @Test func idle_withoutAMailbox_waitsAndEnds() {
        let model = IMAPModel()
        var harness = model.loggedIn()
        #expect(say(&harness, "a IDLE") == "+ Idling\r\n")
        #expect(harness.outstanding.map(\.question) == [.wait(since: nil)])
        harness.answerOldest(.changed)
        #expect(harness.takeText() == "")
        #expect(harness.outstanding.map(\.question) == [.wait(since: nil)])
        harness.receive("DONE\r\n")
        harness.answerOldest(.changed)
        #expect(harness.takeText() == "a OK Idle ended\r\n")
    }

    @Test func idle_endedByAnythingElse_isBAD() {
        for line in ["b NOOP", "", "DONE x", "x\ny", String(repeating: "x", count: 70_000), "b NOOP {3}"] {
            let model = IMAPModel()
            var harness = model.selecting()
            _ = say(&harness, "a IDLE")
            harness.receive(line + "\r\n")
            #expect(model.stops == 1)
            harness.answerOldest(.changed)
            #expect(harness.takeText() == "a BAD Expected DONE\r\n")
        }
    }

    @Test func idle_endsWithTheConnectionAndTheNode() {
        let model = IMAPModel()
        var harness = model.selecting()
        _ = say(&harness, "a IDLE")
        harness.deliver(.endOfInput)
        #expect(harness.closeReason == .endOfInput)
        harness = model.selecting()
        _ = say(&harness, "a IDLE")
        harness.deliver(.drain)
        #expect(harness.takeText().hasPrefix("* BYE [UNAVAILABLE]"))
        #expect(harness.closeReason == .draining)
    }
}

extension String {
    fileprivate func components(of part: String) -> Int { ranges(of: part).count }
}
