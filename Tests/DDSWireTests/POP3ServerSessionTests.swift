import DDSCore
import DDSTestKit
import DDSWire
import Testing

@Suite struct POP3ServerSessionTests {
    private typealias Model = POP3ServerModel

    // MARK: Every command in every state

    private enum Standing: CaseIterable {
        case clear, authorization, transaction, unlocked
    }

    private static func harness(in standing: Standing, _ model: Model) -> SessionHarness<POP3ServerSession> {
        switch standing {
        case .clear:
            var harness = model.harness(tls: .stlsRequired)
            harness.start()
            _ = harness.takeOutput()
            return harness
        case .authorization:
            var harness = model.harness()
            harness.start(peer: Model.peer)
            _ = harness.takeOutput()
            return harness
        case .transaction:
            return model.loggedIn()
        case .unlocked:
            model.isHeldBack = { if case .wait = $0 { true } else { false } }
            var harness = model.loggedIn()
            harness.receive("XDDS-WAIT 10\r\n")
            harness.answerOldest(.inUse)
            model.isHeldBack = { _ in false }
            model.views[0]?.isClaiming = false
            _ = harness.takeOutput()
            return harness
        }
    }

    @Test func everyCommandInEveryState_isAllowedOrRefusedAsTheTableSays() {
        let stlsFirst = "-ERR Use STLS first"
        let loginFirst = "-ERR Log in first"
        let notAfter = "-ERR Not after login"
        let inUse = "-ERR [IN-USE]"
        // Command, then the reply in clear, in AUTHORIZATION, in TRANSACTION, and without the lock.
        let table: [(String, String, String, String, String)] = [
            ("CAPA", "+OK", "+OK", "+OK", "+OK"),
            ("STLS", "+OK Begin TLS", "-ERR TLS is active", notAfter, notAfter),
            ("USER bob", stlsFirst, "+OK", notAfter, notAfter),
            ("PASS x", stlsFirst, "-ERR USER comes first", notAfter, notAfter),
            ("AUTH EXTERNAL =", stlsFirst, "+OK 2 messages", notAfter, notAfter),
            ("AUTH EXTERNAL", stlsFirst, "+ ", notAfter, notAfter),
            ("QUIT", "+OK", "+OK", "+OK", "+OK"),
            ("NOOP", loginFirst, loginFirst, "+OK", "+OK"),
            ("STAT", loginFirst, loginFirst, "+OK 2 63", inUse),
            ("LIST", loginFirst, loginFirst, "+OK 2", inUse),
            ("LIST 1", loginFirst, loginFirst, "+OK 1 43", inUse),
            ("LIST 3", loginFirst, loginFirst, "-ERR No such", inUse),
            ("UIDL", loginFirst, loginFirst, "+OK 2", inUse),
            ("UIDL 1", loginFirst, loginFirst, "+OK 1 id-one", inUse),
            ("UIDL x", loginFirst, loginFirst, "-ERR No such", inUse),
            ("RETR 1", loginFirst, loginFirst, "+OK 43 octets", inUse),
            ("RETR 0", loginFirst, loginFirst, "-ERR No such", inUse),
            ("RETR -1", loginFirst, loginFirst, "-ERR No such", inUse),
            ("RETR 99999999999999999999", loginFirst, loginFirst, "-ERR No such", inUse),
            ("TOP 1 1", loginFirst, loginFirst, "+OK Header", inUse),
            ("TOP 1 x", loginFirst, loginFirst, "-ERR How many", inUse),
            ("TOP 3 1", loginFirst, loginFirst, "-ERR No such", inUse),
            ("DELE 1", loginFirst, loginFirst, "+OK Deleted", inUse),
            ("DELE 3", loginFirst, loginFirst, "-ERR No such", inUse),
            ("RSET", loginFirst, loginFirst, "+OK 2", inUse),
            ("XDDS-WAIT 10", loginFirst, loginFirst, "+OK 2", "+OK 2"),
            ("XDDS-WAIT 0", loginFirst, loginFirst, "-ERR 1 to 1740", "-ERR 1 to 1740"),
            ("XDDS-WAIT 1741", loginFirst, loginFirst, "-ERR 1 to 1740", "-ERR 1 to 1740"),
            ("APOP bob x", "-ERR Unknown", "-ERR Unknown", "-ERR Unknown", "-ERR Unknown"),
        ]
        for (command, inClear, inAuthorization, inTransaction, unlocked) in table {
            for (standing, reply) in zip(Standing.allCases, [inClear, inAuthorization, inTransaction, unlocked]) {
                let model = Model()
                var harness = Self.harness(in: standing, model)
                harness.receive(command + "\r\n")
                let text = harness.takeText()
                #expect(text.hasPrefix(reply), "\(command) in \(standing): \(text)")
                // However a session stands, the end of the connection unlocks and erases nothing.
                harness.deliver(.endOfInput)
                #expect(harness.closeReason != nil)
                #expect(!model.isLocked, "\(command) in \(standing)")
                #expect(model.messages == Model.fixture)
            }
        }
    }

    @Test func wrongArgumentCounts_areRefused() {
        var harness = Model().loggedIn()
        for command in [
            "RETR", "RETR 1 2", "DELE", "DELE 1 2", "TOP", "TOP 1", "TOP 1 2 3", "STAT 1", "LIST 1 2", "NOOP x", "RSET 1",
            "QUIT now", "CAPA x", "XDDS-WAIT", "XDDS-WAIT 1 2",
        ] {
            harness.receive(command + "\r\n")
            #expect(harness.takeText() == "-ERR Wrong number of arguments\r\n", "\(command)")
        }
        #expect(harness.closeReason == nil)
    }

    // MARK: Splits

    @Test func sessions_areTheSameHoweverTheyArrive() {
        let sessions = [
            "USER bob\r\nPASS secret word\r\nSTAT\r\nLIST\r\nUIDL\r\nRETR 1\r\nTOP 2 0\r\nDELE 1\r\nRSET\r\nDELE 2\r\nQUIT\r\n",
            "AUTH EXTERNAL\r\nYm9i\r\nRETR 2\r\nDELE 2\r\nXDDS-WAIT 5\r\nRSET\r\nXDDS-WAIT 5\r\n",
            "CAPA\nNOOP\r\nUSER \0\r\n\r\nAUTH PLAIN =\r\nAUTH EXTERNAL\r\n*\r\nAUTH EXTERNAL\r\n" + "QUIT",
            String(repeating: "x", count: 600) + "\r\nAUTH PLAIN\r\n" + String(repeating: "A", count: 300) + "\r\nQUIT\r\n",
        ]
        for session in sessions {
            #expect(
                verifySplits(session.utf8) {
                    var harness = Model().harness()
                    harness.start(peer: Model.peer)
                    return harness
                } == [])
        }
    }

    // MARK: Login

    @Test func passwords_reachTheQuestionUnprinted() {
        let model = Model()
        var harness = model.harness()
        harness.start(peer: Model.peerWithoutKey)
        harness.receive("USER bob\r\nPASS secret word\r\n")
        #expect(harness.takeText().hasSuffix("+OK 2 messages\r\n"))
        #expect(!harness.transcript.joined().contains("secret"))
    }

    @Test func secondLogin_isInUse_andTheFirstGoesOn() {
        let model = Model()
        var first = model.loggedIn(1)
        var second = model.harness(2)
        second.start(peer: Model.peer)
        second.receive("AUTH EXTERNAL =\r\n")
        #expect(second.takeText().hasSuffix("-ERR [IN-USE] Another session has this maildrop\r\n"))
        second.deliver(.endOfInput)
        #expect(model.views[2]?.releases == 0)
        first.receive("DELE 1\r\nQUIT\r\n")
        #expect(model.erased == ["id-one"])
        var third = model.loggedIn(3)
        third.receive("STAT\r\n")
        #expect(third.takeText() == "+OK 1 20\r\n")
    }

    @Test func connectionLostDuringLogin_givesUpTheClaim() {
        let model = Model()
        model.isHeldBack = { _ in true }
        var harness = model.harness()
        harness.start(peer: Model.peer)
        harness.receive("AUTH EXTERNAL =\r\n")
        let id = harness.outstanding[0].id
        // The end of input waits behind the login, so that a client may half-close; the second one is final.
        harness.deliver(.endOfInput)
        #expect(harness.closeReason == nil)
        harness.deliver(.endOfInput)
        #expect(harness.closeReason == .endOfInput)
        #expect(model.views[0]?.releases == 1)
        harness.deliver(.answer(id, .maildrop([])))
        #expect(model.views[0]?.releases == 1)
    }

    @Test func loginThatTakesTooLong_timesOutAndGivesUpTheClaim() {
        let model = Model()
        model.isHeldBack = { _ in true }
        var harness = model.harness()
        harness.start(peer: Model.peer)
        harness.receive("AUTH EXTERNAL =\r\n")
        harness.advance(by: .seconds(60))
        #expect(harness.closeReason == .timeout)
        #expect(model.views[0]?.releases == 1)
    }

    @Test func ourOwnTrouble_isTemporaryAndHarmless() {
        let model = Model()
        model.isHeldBack = { _ in true }
        var harness = model.harness()
        harness.start(peer: Model.peer)
        harness.receive("AUTH EXTERNAL =\r\n")
        _ = harness.takeText()
        harness.answerOldest(.unavailable("disk\r\n+OK fine"))
        #expect(harness.takeText() == "-ERR [SYS/TEMP] disk??+OK fine\r\n")
    }

    @Test func startTLS_forgetsAndDiscards() {
        let model = Model()
        var harness = model.harness(tls: .stlsRequired)
        harness.start()
        harness.receive("STLS\r\n")
        #expect(harness.hasBegunTLS)
        // A driver should not hand over what came in clear; if it did, nothing comes of it.
        harness.receive("USER bob\r\nPASS secret word\r\n")
        harness.completeTLS(Model.peer)
        _ = harness.takeText()
        harness.receive("PASS secret word\r\n")
        #expect(harness.takeText() == "-ERR USER comes first\r\n")
        #expect(model.questions.isEmpty)
        harness.advance(by: .seconds(60))
        #expect(harness.closeReason == .timeout)
    }

    @Test func saslLines_haveTheirOwnLimit() {
        for (octets, reply) in [(4095, "-ERR Malformed"), (4096, "-ERR Malformed"), (4097, "-ERR Line longer than 4096")] {
            var harness = Model().harness()
            harness.start(peer: Model.peer)
            harness.receive("AUTH PLAIN\r\n")
            _ = harness.takeText()
            harness.receive(String(repeating: "!", count: octets - 2) + "\r\nCAPA\r\n")
            let text = harness.takeText()
            #expect(text.hasPrefix(reply))
            #expect(text.contains("\r\n+OK\r\nTOP"), "the session goes on")
        }
    }

    // MARK: Messages

    @Test func retrieval_asksForTheNextPieceAfterTheLast() {
        let model = Model()
        model.isHeldBack = { if case .body = $0 { true } else { false } }
        var harness = model.loggedIn()
        harness.receive("RETR 1\r\nNOOP\r\n")
        #expect(harness.outstanding.map(\.question) == [.body(index: 0, offset: 0)])
        #expect(harness.takeText() == "")
        harness.answerOldest(.bytes(Array("a\r\n".utf8), isLast: false))
        #expect(harness.takeText() == "+OK 43 octets\r\na\r\n")
        #expect(harness.outstanding.map(\.question) == [.body(index: 0, offset: 3)])
        harness.answerOldest(.bytes(Array(".b".utf8), isLast: true))
        #expect(harness.takeText() == "..b\r\n.\r\n+OK\r\n")
    }

    @Test func messageGone_isRefusedAtItsStart_andEndsTheSessionInItsMiddle() {
        let model = Model()
        model.isHeldBack = { if case .body = $0 { true } else { false } }
        var harness = model.loggedIn()
        harness.receive("RETR 1\r\n")
        harness.answerOldest(.gone)
        #expect(harness.takeText().hasPrefix("-ERR [SYS/TEMP]"))
        harness.receive("RETR 1\r\n")
        harness.answerOldest(.bytes([0x61], isLast: false))
        harness.answerOldest(.gone)
        #expect(!harness.takeText().contains("\r\n.\r\n"))
        #expect(harness.closeReason == .failure)
        #expect(model.views[0]?.releases == 1)
    }

    @Test func top_stopsAskingWhenItHasItsLines() {
        let model = Model()
        var harness = model.loggedIn()
        harness.receive("TOP 1 0\r\n")
        #expect(harness.takeText() == "+OK Header and 0 lines\r\nSubject: one\r\n\r\n.\r\n")
        let asked = model.questions.filter { if case .body = $0 { true } else { false } }
        #expect(asked.count == 3)
    }

    // MARK: QUIT

    @Test func quit_isAcknowledgedOnlyAfterTheErasure() {
        let model = Model()
        model.isHeldBack = { if case .erase = $0 { true } else { false } }
        var harness = model.loggedIn()
        harness.receive("DELE 2\r\nDELE 1\r\n")
        _ = harness.takeText()
        harness.receive("QUIT\r\n")
        #expect(harness.takeText() == "")
        #expect(harness.outstanding.map(\.question) == [.erase([0, 1])])
        #expect(harness.closeReason == nil)
        harness.advance(by: .seconds(3600))
        harness.deliver(.drain)
        harness.deliver(.endOfInput)
        #expect(harness.closeReason == nil)
        harness.answerOldest(.erased)
        #expect(harness.takeText() == "+OK Bye\r\n")
        #expect(harness.closeReason == .quit)
        #expect(model.views[0]?.releases == 0)
    }

    @Test func failedErasure_isToldAtQuit() {
        let model = Model()
        model.eraseFails = true
        var harness = model.loggedIn()
        harness.receive("DELE 1\r\nQUIT\r\n")
        #expect(harness.takeText().hasSuffix("-ERR [SYS/TEMP] Some deleted messages not removed\r\n"))
        #expect(harness.closeReason == .quit)
        #expect(model.views[0]?.releases == 0)
        #expect(!model.isLocked)
    }

    @Test func quitWithoutMarks_releases() {
        let model = Model()
        var harness = model.loggedIn()
        harness.receive("DELE 1\r\nRSET\r\nQUIT\r\n")
        #expect(model.views[0]?.releases == 1)
        #expect(harness.closeReason == .quit)
        #expect(model.messages == Model.fixture)
    }

    // MARK: Abuse, time and draining

    @Test func tenthUnknownCommand_endsASessionBeforeLoginOnly() {
        let model = Model()
        var harness = model.harness()
        harness.start(peer: Model.peer)
        for _ in 0..<9 { harness.receive("BOGUS\r\n") }
        #expect(harness.closeReason == nil)
        harness.receive("BOGUS\r\n")
        #expect(harness.closeReason == .protocolError)
        var member = Model().loggedIn()
        for _ in 0..<100 { member.receive("BOGUS\r\n") }
        #expect(member.closeReason == nil)
    }

    @Test func idleTimer_countsFromTheLastSign() {
        let model = Model()
        var harness = model.loggedIn()
        harness.advance(by: .seconds(599))
        harness.receive("NOOP\r\n")
        harness.advance(by: .seconds(599))
        #expect(harness.closeReason == nil)
        harness.advance(by: .seconds(1))
        #expect(harness.closeReason == .timeout)
        #expect(!model.isLocked)
    }

    @Test func commandsDuringADelay_waitForItsEnd() {
        var harness = Model().harness()
        harness.start(peer: Model.peer)
        harness.receive("USER bob\r\nPASS wrong\r\nCAPA\r\n")
        #expect(harness.takeText().hasSuffix("+OK Password?\r\n"))
        harness.advance(by: .seconds(1))
        #expect(harness.takeText().hasPrefix("-ERR [AUTH] Login failed\r\n+OK\r\nTOP"))
    }

    @Test func draining_finishesTheMessageUnderWay_andCloses() {
        let model = Model()
        model.isHeldBack = { if case .body = $0 { true } else { false } }
        var harness = model.loggedIn()
        harness.receive("RETR 1\r\nDELE 1\r\n")
        harness.deliver(.drain)
        harness.answerOldest(.bytes(Array("a\r\n".utf8), isLast: true))
        #expect(harness.takeText().hasSuffix("a\r\n.\r\n-ERR [SYS/TEMP] The server is stopping, try again later\r\n"))
        #expect(harness.closeReason == .draining)
        #expect(model.views[0]?.releases == 1)
    }

    @Test func draining_closesASilentClientSoon() {
        let model = Model()
        var harness = model.loggedIn()
        harness.deliver(.drain)
        harness.advance(by: .seconds(5))
        #expect(harness.closeReason == .draining)
    }

    @Test func draining_letsAHarmlessQuitPass() {
        let model = Model()
        var harness = model.loggedIn()
        harness.deliver(.drain)
        harness.receive("QUIT\r\n")
        #expect(harness.takeText() == "+OK Bye\r\n")
        #expect(harness.closeReason == .quit)
    }

    @Test func longPipelines_pauseForTheDriver() {
        // Fewer than a list's piece has.
        let model = Model((0..<900).map { POP3ServerModel.Message(uidl: "message-number-\($0)", bytes: [0x61]) })
        model.isHeldBack = { $0 == .pause }
        var harness = model.loggedIn()
        harness.receive(String(repeating: "UIDL\r\n", count: 1000))
        #expect(harness.outstanding.map(\.question) == [.pause])
        #expect((200_000..<400_000).contains(harness.takeOutput().count))
        harness.answerOldest(.proceed)
        #expect((200_000..<400_000).contains(harness.takeOutput().count))
        #expect(harness.outstanding.map(\.question) == [.pause])
    }

    @Test(arguments: ["LIST", "UIDL"]) func longLists_goOutInPieces(_ command: String) {
        let many = (0..<2001).map { POP3ServerModel.Message(uidl: "m\($0)", bytes: [0x61]) }
        let model = Model(many)
        model.isHeldBack = { $0 == .pause }
        var harness = model.loggedIn()
        harness.receive("DELE 1\r\nDELE 1001\r\nDELE 2001\r\n")
        _ = harness.takeText()
        harness.receive("\(command)\r\nNOOP\r\n")
        let column = { (index: Int) in command == "UIDL" ? "m\(index)" : "1" }
        func lines(_ indices: Range<Int>, _ gone: Int) -> String {
            indices.filter { $0 != gone }.map { "\($0 + 1) \(column($0))\r\n" }.joined()
        }
        #expect(harness.takeText() == "+OK 1998 messages\r\n" + lines(0..<1000, 0))
        harness.answerOldest(.proceed)
        #expect(harness.takeText() == lines(1000..<2000, 1000))
        harness.answerOldest(.proceed)
        #expect(harness.takeText() == ".\r\n+OK\r\n")
        #expect(harness.outstanding.isEmpty)
    }

    @Test(arguments: 0..<300) func randomSessions_neverTrapAndKeepTheLockInOrder(seed: Int) {
        let random = SeededRandom(seed: UInt64(seed))
        let model = Model()
        let holdBack = random.below(3) == 0
        model.isHeldBack = { _ in holdBack && random.below(2) == 0 }
        var harness = random.below(4) == 0 ? model.harness(tls: .stlsRequired) : model.harness()
        harness.start(peer: random.below(4) == 0 ? Model.peerWithoutKey : Model.peer)
        let words = [
            "USER bob\r\n", "PASS secret word\r\n", "AUTH EXTERNAL =\r\n", "AUTH PLAIN\r\n", "AGJvYgBzZWNyZXQgd29yZA==\r\n",
            "CAPA\r\n", "STAT\r\n", "LIST\r\n", "UIDL 1\r\n", "RETR 1\r\n", "RETR 2\r\n", "TOP 1 3\r\n", "DELE 1\r\n",
            "DELE 2\r\n",
            "RSET\r\n", "XDDS-WAIT 9\r\n", "STLS\r\n", "QUIT\r\n", "\r", "\n", "\r\n", "NO", "OP\r\n", "\0",
        ]
        for _ in 0..<60 where harness.closeReason == nil {
            switch random.below(12) {
            case 0: harness.receive(random.bytes(random.below(40)))
            case 1: harness.advance(by: .seconds(random.below(30)))
            case 2 where random.below(10) == 0: harness.deliver(random.below(2) == 0 ? .drain : .endOfInput)
            case 3 where !harness.outstanding.isEmpty:
                let (id, question) = harness.outstanding[0]
                model.isHeldBack = { _ in false }
                if let answer = model.answer(question, 0) { harness.deliver(.answer(id, answer)) }
                model.isHeldBack = { _ in holdBack && random.below(2) == 0 }
            default: harness.receive(words[random.below(words.count)])
            }
            #expect(harness.session.bufferedBytes < 8192)
        }
        harness.deliver(.endOfInput)
        harness.deliver(.endOfInput)
        if harness.outstanding.contains(where: { if case .erase = $0.question { true } else { false } }) { return }
        #expect(harness.closeReason != nil)
        #expect(!model.isLocked, "seed \(seed)")
        #expect(!(model.views[0]?.isClaiming ?? false), "seed \(seed)")
    }
}
