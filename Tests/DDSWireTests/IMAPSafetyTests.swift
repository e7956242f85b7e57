import DDSCore
import DDSTestKit
import DDSTorture
import Testing

@testable import DDSWire

/// Limits, order, time, and what comes from people who mean no good.
@Suite struct IMAPSafetyTests {
    private typealias Harness = SessionHarness<IMAPServerSession>

    private func say(_ harness: inout Harness, _ line: String) -> String {
        harness.receive(line + "\r\n")
        return harness.takeText()
    }

    // MARK: Every command in every state

    private enum Standing: CaseIterable { case clear, notAuthenticated, authenticated, selected }

    private func harness(_ standing: Standing) -> Harness {
        let model = IMAPModel()
        switch standing {
        case .clear:
            var harness = model.harness(tls: .startTLSRequired)
            harness.start()
            _ = harness.takeOutput()
            return harness
        case .notAuthenticated: return model.greeted()
        case .authenticated: return model.loggedIn()
        case .selected: return model.selecting()
        }
    }

    @Test func everyCommandInEveryState_isAllowedOrRefused() {
        let first = "NO [PRIVACYREQUIRED]"
        let login = "BAD Log in first"
        let not = "BAD Not after login"
        let select = "BAD Select a mailbox first"
        let unknown = "BAD Unknown command"
        let table: [(String, [String])] = [
            ("CAPABILITY", ["OK", "OK", "OK", "OK"]), ("NOOP", ["OK", "OK", "OK", "OK"]), ("ID NIL", ["OK", "OK", "OK", "OK"]),
            ("LOGOUT", ["OK", "OK", "OK", "OK"]), ("STARTTLS", ["OK", "BAD TLS is active", not, not]),
            ("LOGIN bob secret", [first, "OK", not, not]), ("AUTHENTICATE PLAIN AGJvYgBzZWNyZXQ=", [first, "OK", not, not]),
            ("ENABLE CONDSTORE", [login, login, "OK", "BAD Not while"]),
            ("SELECT INBOX", [login, login, "OK", "OK"]), ("EXAMINE INBOX", [login, login, "OK", "OK"]),
            ("CREATE x", [login, login, "OK", "OK"]), ("DELETE Drafts", [login, login, "OK", "OK"]),
            ("RENAME Drafts x", [login, login, "OK", "OK"]), ("SUBSCRIBE INBOX", [login, login, "OK", "OK"]),
            ("UNSUBSCRIBE INBOX", [login, login, "OK", "OK"]), ("LIST \"\" *", [login, login, "OK", "OK"]),
            ("LSUB \"\" *", [login, login, "OK", "OK"]), ("NAMESPACE", [login, login, "OK", "OK"]),
            ("STATUS INBOX (UNSEEN)", [login, login, "OK", "OK"]), ("APPEND INBOX {1+}\r\nx", [login, login, "OK", "OK"]),
            ("IDLE\r\nDONE", [login, login, "OK", "OK"]), ("GETQUOTA \"\"", [login, login, "OK", "OK"]),
            ("GETQUOTAROOT INBOX", [login, login, "OK", "OK"]), ("SETQUOTA \"\" ()", [login, login, "NO", "NO"]),
            ("CHECK", [login, login, select, "OK"]), ("CLOSE", [login, login, select, "OK"]),
            ("UNSELECT", [login, login, select, "OK"]),
            ("EXPUNGE", [login, login, select, "OK"]), ("SEARCH ALL", [login, login, select, "OK"]),
            ("SORT (DATE) UTF-8 ALL", [login, login, select, "OK"]),
            ("THREAD REFERENCES UTF-8 ALL", [login, login, select, "OK"]),
            ("FETCH 1 FLAGS", [login, login, select, "OK"]), ("STORE 1 FLAGS ()", [login, login, select, "OK"]),
            ("COPY 1 Drafts", [login, login, select, "OK"]), ("MOVE 1 Drafts", [login, login, select, "OK"]),
            ("UID EXPUNGE 1", [login, login, select, "OK"]), ("UID SEARCH ALL", [login, login, select, "OK"]),
            ("UID FETCH 1 FLAGS", [login, login, select, "OK"]), ("UID NOOP", Array(repeating: unknown, count: 4)),
            ("XYZZY", Array(repeating: unknown, count: 4)), ("", Array(repeating: "BAD An argument is missing", count: 4)),
        ]
        for (command, replies) in table {
            for (standing, reply) in zip(Standing.allCases, replies) {
                var harness = harness(standing)
                harness.receive("tag\(command.isEmpty ? "" : " ")\(command)\r\n")
                if !harness.outstanding.isEmpty { harness.answerOldest(.changed) }
                let tagged = harness.takeText().split(separator: "\r\n").filter { $0.hasPrefix("tag ") }
                if standing == .clear || standing == .notAuthenticated, command.hasPrefix("IDLE") {
                    #expect(tagged == ["tag BAD Log in first"])
                } else {
                    #expect(tagged.count == 1, "\(command) in \(standing): \(tagged)")
                    #expect(tagged.first?.dropFirst(4).hasPrefix(reply) == true, "\(command) in \(standing): \(tagged)")
                }
            }
        }
    }

    @Test func wrongArguments_areBAD() {
        var harness = IMAPModel().selecting { $0.faultsMax = 1000 }
        for command in [
            "NOOP x", "CAPABILITY ", "LOGOUT now", "ID", "ID ()x", "ID (x y)", "ENABLE", "SELECT", "SELECT ", "SELECT a b",
            "SELECT  INBOX",
            "CREATE", "DELETE", "RENAME a", "RENAME a b c", "SUBSCRIBE", "LIST", "LIST \"\"", "LIST \"\" \"",
            "LIST \"\" () RETURN ()",
            "LIST (FOO) \"\" *", "LIST \"\" * RETURN (FOO)", "LIST \"\" * RETURN", "STATUS INBOX", "STATUS INBOX ()", "APPEND",
            "APPEND INBOX",
            "APPEND INBOX x", "IDLE x", "GETQUOTA", "GETQUOTAROOT", "CHECK x", "CLOSE x", "UNSELECT x", "EXPUNGE 1",
            "UID EXPUNGE", "UID",
            "SEARCH", "SORT", "SORT () UTF-8 ALL", "SORT (DATE) UTF-8", "THREAD", "FETCH", "FETCH 1", "FETCH x FLAGS", "STORE",
            "STORE 1",
            "STORE 1 FLAGS", "STORE 1 FLAGS (", "STORE 1 FLAGS (\\)", "COPY 1", "COPY x y", "MOVE", "SELECT \"a\\b\"",
            "SELECT \"a", "SELECT {3",
            "SELECT {3}x", "SELECT a\u{fc}", "SELECT a(b", "STORE 1 FLAGS () x", "NOOP\0", "SELECT \"a\0b\"", "\0", "  ",
        ] {
            let text = say(&harness, "t " + command)
            #expect(text.hasPrefix("t BAD ") || text.hasPrefix("t NO ["), "\(command): \(text)")
            #expect(text.split(separator: "\r\n").count == 1, "\(command): \(text)")
        }
        #expect(harness.closeReason == nil)
        #expect(say(&harness, "t FETCH 1 UID") == "* 1 FETCH (UID 1)\r\nt OK Done\r\n")
    }

    @Test func linesWithoutATag_areBAD() {
        for line in [
            "", " NOOP", "+ NOOP", "a+b NOOP",
            "\"a\" NOOP", "a(b NOOP", "\u{fc} NOOP",
            String(repeating: "t", count: 101) + " NOOP",
        ] {
            var harness = IMAPModel().loggedIn()
            #expect(say(&harness, line) == "* BAD Expected a tag\r\n", "\(line)")
        }
        var harness = IMAPModel().loggedIn()
        let tag = String(repeating: "t", count: 100)
        #expect(say(&harness, tag + " NOOP") == tag + " OK Done\r\n")
    }

    // MARK: Splits

    @Test func sessions_areTheSameHoweverTheyArrive() {
        let sessions = [
            "a AUTHENTICATE PLAIN\r\nAGJvYgBzZWNyZXQ=\r\n"
                + "b APPEND Drafts (\\Seen) {5+}\r\nA: b\n\r\nc APPEND None {3+}\r\n\r\n\r\r\nd NOOP\r\n",
            "a NOOP\nx\r\n\r\nb LOGIN bob {9999}\r\nc LOGIN bob {5000+}\r\n" + String(repeating: "\r\n", count: 2500)
                + "\r\nd NOOP\r\n",
            "a LOGIN bob secret\r\nb SELECT INBOX\r\nc UID MOVE 1 Drafts\r\n"
                + "d STORE 1 +FLAGS (\\Deleted)\r\ne EXPUNGE\r\nf SEARCH ALL",
        ]
        for session in sessions { #expect(verifySplits(session.utf8) { IMAPModel().greeted() } == []) }
    }

    /// What is asked depends on whether more has come already: how the mailbox is, behind a FETCH, and IDLE's wait.
    @Test func repliesToFetchAndIdle_areTheSameHoweverTheyArrive() {
        let session = Array(
            ("a LOGIN {3}\r\nbob {6+}\r\nsecret\r\nb SELECT INBOX\r\nc FETCH 1:* (UID BODY[])\r\nd IDLE\r\nDONE\r\n"
                + "e FETCH 1 (BODY.PEEK[TEXT]<1.5>)\r\nf LOGOUT\r\n").utf8)
        func run(_ pieces: [ArraySlice<UInt8>]) -> String {
            let model = IMAPModel()
            // A wait that nobody ends would go round and round.
            model.isHeldBack = { [unowned model] in if case .wait = $0 { model.stops == 0 } else { false } }
            var harness = model.greeted()
            for piece in pieces { harness.receive(piece) }
            return harness.takeText() + (harness.closeReason?.rawValue ?? "open")
        }
        let whole = run([session[...]])
        #expect(whole.hasSuffix("f OK Logged out\r\nquit"))
        for split in session.indices { #expect(run([session[..<split], session[split...]]) == whole, "split at \(split)") }
        #expect(run(session.indices.map { session[$0...$0] }) == whole)
    }

    // MARK: Limits

    @Test func lines_haveALimitBeforeLogin_andALargerOneBehindIt() {
        for (isLoggedIn, max) in [(false, 8192), (true, 65_536)] {
            for more in [-1, 0, 1] {
                var harness = isLoggedIn ? IMAPModel().loggedIn() : IMAPModel().greeted()
                let head = "a XX "
                let text = say(&harness, head + String(repeating: "x", count: max - 2 - head.utf8.count + more))
                #expect(text == (more > 0 ? "a BAD The command has more than \(max) octets\r\n" : "a BAD Unknown command\r\n"))
                #expect(say(&harness, "b NOOP") == "b OK Done\r\n")
            }
        }
    }

    @Test func literals_haveALimitBeforeLogin_andALargerOneBehindIt() {
        for more in [-1, 0, 1] {
            for sign in ["", "+"] {
                var harness = IMAPModel().greeted()
                let count = 4096 + more
                harness.receive("a LOGIN {\(count)\(sign)}\r\n")
                if more > 0 {
                    if sign == "+" { harness.receive(String(repeating: "x", count: count) + " y\r\n") }
                    #expect(harness.takeText() == "a BAD [TOOBIG] Literals here have at most 4096 octets\r\n")
                } else {
                    #expect(harness.takeText() == (sign == "" ? "+ Go on\r\n" : ""))
                    harness.receive(String(repeating: "x", count: count) + " y\r\n")
                    #expect(harness.takeText() == "a BAD Names and passwords are UTF-8 and not empty\r\n")
                }
                #expect(say(&harness, "b NOOP") == "b OK Done\r\n")
            }
        }
        var harness = IMAPModel().greeted()
        #expect(
            say(&harness, "a LOGIN {4000+}\r\n" + String(repeating: "x", count: 4000) + " {97}").hasPrefix("a BAD [TOOBIG]"))
        harness = IMAPModel().loggedIn()
        #expect(say(&harness, "a SELECT {65537}").hasPrefix("a BAD [TOOBIG]"))
        #expect(say(&harness, "a SELECT {65536}") == "+ Go on\r\n")
        #expect(say(&harness, String(repeating: "x", count: 65_536)).hasPrefix("a NO [CANNOT]"))
        // All of a command together.
        let large = "{60000+}\r\n" + String(repeating: "x", count: 60_000)
        harness = IMAPModel().selecting()
        #expect(say(&harness, "a SEARCH TEXT \(large) TEXT \(large) TEXT \(large) TEXT \(large)").hasSuffix("a OK Done\r\n"))
        #expect(
            say(&harness, "a SEARCH TEXT \(large) TEXT \(large) TEXT \(large) TEXT \(large) TEXT {22145}").hasPrefix(
                "a BAD [TOOBIG]"))
        #expect(
            say(&harness, "a SEARCH TEXT \(large) TEXT \(large) TEXT \(large) TEXT \(large) TEXT {22144}") == "+ Go on\r\n")
    }

    @Test func literals_whereNoneBelongs_areNotInvited() {
        for command in [
            "NOOP {5}", "XYZZY {5}", "STARTTLS {5}", "AUTHENTICATE {5}", "SELECT {5}", "LIST {5}", "{5}", "APPEND x {5}",
        ] {
            var harness = IMAPModel().greeted()
            let text = say(&harness, "a \(command)")
            #expect(text.hasPrefix("a BAD "), "\(command): \(text)")
            #expect(say(&harness, "b NOOP") == "b OK Done\r\n")
        }
        var harness = IMAPModel().greeted()
        #expect(say(&harness, "{5}") == "* BAD Expected a tag\r\n")
        #expect(say(&harness, "a NOOP {10+}\r\nb LOGOUT\r\n\r\nc NOOP") == "a BAD No literal belongs here\r\nc OK Done\r\n")
    }

    @Test func faults_areCounted_andEndTheSession() {
        var harness = IMAPModel().greeted()
        for _ in 1..<10 { #expect(say(&harness, "a FOO") == "a BAD Unknown command\r\n") }
        #expect(say(&harness, "a FOO") == "a BAD Unknown command\r\n* BYE Too many faults\r\n")
        #expect(harness.closeReason == .protocolError)
        // Behind a login a good command makes up for them.
        harness = IMAPModel().loggedIn { $0.faultsMax = 3 }
        for _ in 0..<5 { #expect(say(&harness, "a FOO\r\na FOO\r\na NOOP").hasSuffix("a OK Done\r\n")) }
        #expect(say(&harness, "a FOO\r\na FOO\r\na FOO").hasSuffix("* BYE Too many faults\r\n"))
    }

    @Test func strangersAreGivenLittleMemory() {
        var harness = IMAPModel().greeted()
        for _ in 0..<100 {
            harness.receive(String(repeating: "x", count: 1000))
            #expect(harness.session.reader.count <= 8192)
        }
        #expect(say(&harness, "").hasPrefix("* BAD Expected a tag"))
    }

    // MARK: Logins

    @Test func failedLogins_areHeldBack_longerEachTime_andEndTheSession() {
        var harness = IMAPModel().greeted()
        for (second, command) in zip([1, 2, 4], ["LOGIN bob wrong", "LOGIN nobody secret", "AUTHENTICATE PLAIN AGJvYgB4"]) {
            #expect(say(&harness, "a \(command)\r\nb NOOP") == "")
            harness.advance(by: .milliseconds(second * 1000 - 1))
            #expect(harness.takeText() == "")
            harness.advance(by: .milliseconds(1))
            let more = second == 4 ? "* BYE Too many failed logins\r\n" : "b OK Done\r\n"
            #expect(harness.takeText() == "a NO [AUTHENTICATIONFAILED] Login failed\r\n" + more)
        }
        #expect(harness.closeReason == .protocolError)
    }

    // MARK: TLS

    @Test func startTLS_forgetsWhatWasSaidBefore() {
        let model = IMAPModel()
        var harness = model.harness(tls: .startTLSRequired)
        harness.start()
        _ = harness.takeOutput()
        #expect(say(&harness, "a LOGIN bob secret") == "a NO [PRIVACYREQUIRED] Use STARTTLS first\r\n")
        #expect(say(&harness, "b STARTTLS") == "b OK Begin TLS\r\n")
        #expect(harness.hasBegunTLS)
        harness.receive("c LOGIN bob secret\r\n")
        harness.completeTLS(IMAPModel.peer)
        #expect(harness.takeText() == "")
        #expect(say(&harness, "d CAPABILITY").contains("AUTH=EXTERNAL AUTH=PLAIN\r\n"))
        #expect(say(&harness, "e STARTTLS") == "e BAD TLS is active already or not needed here\r\n")
        #expect(say(&harness, "f LOGIN bob secret").hasPrefix("f OK"))
        #expect(
            model.questions == [.authenticate(Credentials(mechanism: .plain, message: "\0bob\0secret".utf8)!, IMAPModel.peer)])
    }

    @Test func octetsBehindSTARTTLS_endTheSession() {
        for behind in ["x", "c NOOP\r\n", "\r\n", "\0"] {
            let model = IMAPModel()
            var harness = model.harness(tls: .startTLSRequired)
            harness.start()
            _ = harness.takeOutput()
            harness.receive("b STARTTLS\r\n" + behind)
            #expect(harness.takeText() == "b BAD No octets may follow STARTTLS\r\n")
            #expect(harness.closeReason == .protocolError && !harness.hasBegunTLS)
            #expect(model.questions == [])
        }
    }

    // MARK: Time and the end

    @Test func silence_endsSessions() {
        var harness = IMAPModel().greeted()
        harness.advance(by: .seconds(59))
        #expect(harness.closeReason == nil)
        harness.advance(by: .seconds(1))
        #expect(harness.takeText() == "* BYE Not logged in in time\r\n")
        harness = IMAPModel().harness(tls: .startTLSRequired)
        harness.start()
        harness.advance(by: .seconds(30))
        #expect(harness.closeReason == .timeout)
        let model = IMAPModel()
        harness = model.selecting()
        harness.advance(by: .seconds(1800))
        _ = say(&harness, "a NOOP")
        harness.advance(by: .seconds(1859))
        #expect(harness.closeReason == nil)
        harness.advance(by: .seconds(1))
        #expect(harness.takeText() == "* BYE Idle for too long\r\n")
        #expect(harness.closeReason == .timeout && model.closes == 1)
        harness = model.selecting()
        _ = say(&harness, "a IDLE")
        harness.advance(by: .seconds(1859))
        harness.answerOldest(.changed)
        harness.advance(by: .seconds(1))
        #expect(harness.closeReason == .timeout)
    }

    @Test func draining_finishesWhatWasBegun() {
        let model = IMAPModel()
        var harness = model.selecting()
        harness.deliver(.drain)
        #expect(harness.takeText() == "* BYE [UNAVAILABLE] The server is stopping, try again later\r\n")
        #expect(harness.closeReason == .draining)
        harness = model.selecting()
        model.isHeldBack = { if case .append = $0 { true } else { false } }
        harness.receive("a APPEND Drafts {2+}\r\nhi\r\nb NOOP\r\n")
        harness.deliver(.drain)
        #expect(harness.takeText() == "")
        harness.answerOldest(.appended(uidValidity: 7, uid: 1))
        #expect(harness.takeText().hasPrefix("a OK [APPENDUID 7 1] Appended\r\n* BYE [UNAVAILABLE]"))
        // Not for ever.
        harness = model.selecting()
        harness.receive("a APPEND Drafts {2+}\r\nhi\r\n")
        harness.deliver(.drain)
        harness.advance(by: .seconds(5))
        #expect(harness.closeReason == .draining)
        harness = model.harness()
        harness.deliver(.drain)
        harness.start()
        #expect(harness.takeText().hasPrefix("* BYE"))
    }

    @Test func endOfInput_comesBehindWhatWasSaid() {
        let model = IMAPModel()
        model.isHeldBack = { if case .store = $0 { true } else { false } }
        var harness = model.selecting()
        harness.receive("a STORE 1 FLAGS ()\r\nb NOOP\r\nc FET")
        harness.deliver(.endOfInput)
        #expect(harness.closeReason == nil)
        model.isHeldBack = { _ in false }
        harness.answerOldest(model.view())
        #expect(harness.takeText().hasSuffix("b OK Done\r\n"))
        #expect(harness.closeReason == .endOfInput && model.closes == 1)
    }

    @Test func lateAnswers_meanNothing() {
        let model = IMAPModel()
        model.isHeldBack = { _ in true }
        var harness = model.greeted()
        harness.receive("a LOGIN bob secret\r\n")
        let id = harness.outstanding[0].id
        harness.answerOldest(.refused)
        harness.deliver(.answer(id, .authenticated(name: "bob")))
        harness.advance(by: .seconds(1))
        #expect(harness.takeText() == "a NO [AUTHENTICATIONFAILED] Login failed\r\n")
    }

    @Test func wordsOfOthers_cannotMakeLines() {
        let model = IMAPModel()
        var harness = model.loggedIn()
        model.override = { if case .manage = $0 { .declined(IMAPRefusal("X\r\n* BYE", "a\r\n* BYE \u{fc}")) } else { nil } }
        #expect(say(&harness, "a CREATE x").split(separator: "\r\n").count == 1)
        model.override = { if case .manage = $0 { .unavailable("a\r\n* BYE") } else { nil } }
        #expect(say(&harness, "a CREATE x") == "a NO [UNAVAILABLE] a??* BYE\r\n")
    }

    // MARK: Fuzz

    private static let words = [
        "a ", "b1 ", " ", "\r\n", "\r", "\n", "(", ")", "\"", "\\", "{3}\r\n", "{3+}\r\nxyz", "~{2+}\r\n\0\0", "{0+}\r\n",
        "{99999999}\r\n",
        "{70000+}\r\n", "*", "1:*", "1", "2,3:1", "4294967295", "99999999999999999999", "$", "%", "LOGIN bob secret\r\n",
        "SELECT INBOX\r\n",
        "EXAMINE ", "FETCH ", "UID ", "BODY[", "BODY.PEEK[HEADER.FIELDS (", "]", "<0.5>", "FLAGS", "ALL", "SEARCH ", "NOT ",
        "OR ", "STORE ",
        "+FLAGS (\\Seen \\Deleted)", "EXPUNGE\r\n", "MOVE ", "COPY ", "INBOX", "Drafts", "APPEND ", "IDLE\r\n", "DONE\r\n",
        "NOOP\r\n",
        "ENABLE IMAP4rev2 CONDSTORE\r\n", "LIST \"\" ", "RETURN (", "STATUS ", "(MESSAGES)", "SORT (DATE) UTF-8 ",
        "THREAD REFERENCES UTF-8 ",
        "AUTHENTICATE PLAIN ", "AGJvYgBzZWNyZXQ=", "=", "CLOSE\r\n", "CHANGEDSINCE ", "UNCHANGEDSINCE ", "&APw-", "\u{fc}",
        "\0", "SAVE",
        "CREATE ", "DELETE ", "RENAME ", "GETQUOTAROOT ", "LOGOUT\r\n",
    ]

    private static let commands = [
        "LOGIN bob secret", "AUTHENTICATE PLAIN\r\nAGJvYgBzZWNyZXQ=", "SELECT INBOX", "SELECT Drafts (CONDSTORE)",
        "EXAMINE INBOX",
        "FETCH 1:* (FLAGS UID BODY[HEADER.FIELDS (Subject)]<0.20>)", "UID FETCH 1:* FULL", "FETCH 1:2 (BODYSTRUCTURE RFC822)",
        "FETCH 1:* FLAGS (CHANGEDSINCE 3)", "STORE 1:* +FLAGS.SILENT (\\Deleted x)", "STORE 1 (UNCHANGEDSINCE 4) FLAGS ()",
        "EXPUNGE",
        "UID EXPUNGE 1:3", "SEARCH RETURN (SAVE COUNT) OR NOT SEEN 2:* TEXT {2+}\r\nab", "UID SEARCH UID $",
        "UID MOVE 2 Drafts",
        "COPY 1:* Drafts", "APPEND INBOX (\\Seen) {4+}\r\nhi\r\n", "APPEND {6+}\r\nDrafts {3}\r\nabc", "IDLE\r\nDONE", "NOOP",
        "CLOSE",
        "SORT (REVERSE DATE) UTF-8 ALL", "THREAD REFERENCES UTF-8 ALL",
        "LIST (SUBSCRIBED) \"\" (\"*\" %) RETURN (STATUS (SIZE))",
        "STATUS INBOX (UNSEEN HIGHESTMODSEQ)", "ENABLE IMAP4rev2", "UNSELECT", "CREATE &APw-", "RENAME Drafts x", "DELETE x",
        "ID NIL",
    ]

    /// Commands, some of them made of words at random, with a tag each.
    private static func input(_ random: SeededRandom) -> String {
        var text = ""
        for _ in 0...random.below(20) {
            text += "a "
            if random.below(4) > 0 {
                text += commands[random.below(commands.count)]
            } else {
                for _ in 0...random.below(12) { text += words[random.below(words.count)] }
            }
            text += "\r\n"
        }
        return text
    }

    @Test func anyOctets_getRepliesInTheProtocolsWords() throws {
        try MutationRun.each("IMAPSafetyTests/anyOctets_getRepliesInTheProtocolsWords", standard: 600) { random, replay in
            let model = IMAPModel()
            model.isHeldBack = { if case .wait = $0 { random.below(2) == 0 } else { false } }
            var waits = 0
            model.override = {
                // Not round and round.
                guard case .wait = $0 else { return nil }
                waits += 1
                if waits > 20 { model.isHeldBack = { if case .wait = $0 { true } else { false } } }
                return .changed
            }
            var harness = random.below(3) == 0 ? model.greeted() : random.below(2) == 0 ? model.loggedIn() : model.selecting()
            let clean = Array(Self.input(random).utf8)
            let bytes = random.below(4) == 0 ? clean : Mutation.mutated([clean], random)
            var tagsIn = 0
            for piece in Mutation.pieces(bytes, random) {
                guard harness.closeReason == nil else { break }
                tagsIn += piece.count { $0 == 0x0a || $0 == 0x0d }
                harness.receive(piece)
                if random.below(4) == 0 {
                    model.add("new")
                    model.remove(UInt32(1 + random.below(4)))
                }
                while let first = harness.outstanding.first, harness.closeReason == nil, random.below(3) > 0 {
                    harness.deliver(.answer(first.id, .changed))
                }
                #expect(harness.outstanding.count <= 1, "\(replay)")
                #expect(harness.session.reader.count <= bytes.count, "\(replay)")
                #expect(harness.session.bufferedBytes <= harness.session.reader.count, "\(replay)")
            }
            let text = harness.takeText()
            // No more tagged replies than lines.
            let tagged = text.split(separator: "\r\n").count {
                $0.hasPrefix("a OK") || $0.hasPrefix("a NO") || $0.hasPrefix("a BAD")
            }
            #expect(tagged <= tagsIn, "\(replay)")
            if harness.closeReason == nil { harness.deliver(.endOfInput) }
            if harness.closeReason == nil { harness.deliver(.endOfInput) }
            #expect(harness.closeReason != nil, "\(replay)")
        }
    }
}
