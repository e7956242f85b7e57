import DDSCore
import DDSTestKit
import DDSWire
import Testing

@Suite struct POP3FetchSessionTests {
    private typealias Model = POP3ServerModel

    private static let configuration = POP3FetchConfiguration(login: .external(user: nil))
    private static let capabilities = "+OK\r\nUIDL\r\nPIPELINING\r\nSASL EXTERNAL\r\nXDDS-WAIT 1740\r\n.\r\n"

    // MARK: Against our server

    @Test func fetch_emptiesTheMaildrop() {
        let model = Model()
        let store = POP3FetchStore()
        var pair = store.pair(with: model)
        pair.run()
        #expect(store.outcome?.end == .completed)
        #expect(store.outcome?.stored == ["id-one", "id-two"])
        #expect(store.outcome?.erasure == .confirmed(["id-one", "id-two"]))
        #expect(model.messages.isEmpty)
        for message in Model.fixture { #expect(store.messages[message.uidl] == message.bytes) }
    }

    /// The invariant of a cut anywhere: each message is on the server, or stored, or both, and a later session cleans up.
    private static func check(_ model: Model, _ store: POP3FetchStore, _ place: String) {
        for message in Model.fixture {
            let isStored = store.messages[message.uidl] == message.bytes
            #expect(isStored || model.messages.contains(message), "\(message.uidl) is lost: \(place)")
        }
        #expect(!model.isLocked, "locked: \(place)")
        #expect(store.outcome != nil, "unfinished: \(place)")
        switch store.outcome?.erasure {
        case .confirmed(let uidls)?: #expect(uidls.allSatisfy { model.erased.contains($0) }, "\(place)")
        case .unknown?: break
        case .some(.none), nil: #expect(model.erased.isEmpty, "erased unknown to the client: \(place)")
        }
        var again = store.pair(with: model)
        again.run()
        #expect(store.outcome?.end == .completed, "\(place)")
        #expect(model.messages.isEmpty, "\(place)")
        #expect(model.erased.sorted() == ["id-one", "id-two"], "each erased once: \(place)")
        #expect(store.messages.count == 2, "\(place)")
        #expect(store.stores.values.allSatisfy { $0 == 1 }, "stored once: \(place)")
    }

    @Test func cutAtEveryOctetToTheServer_losesNothing() {
        var cut = 0
        while true {
            let model = Model()
            let store = POP3FetchStore()
            var pair = store.pair(with: model, pieceOctets: 5, cutToServer: cut)
            pair.run()
            guard pair.isCut else { break }
            Self.check(model, store, "cut before octet \(cut) to the server")
            cut += 1
        }
        #expect(cut > 50)
    }

    @Test func cutAtEveryOctetToTheClient_losesNothing() {
        var cut = 0
        while true {
            let model = Model()
            let store = POP3FetchStore()
            var pair = store.pair(with: model, pieceOctets: 5, cutToClient: cut)
            pair.run()
            guard pair.isCut else { break }
            Self.check(model, store, "cut before octet \(cut) to the client")
            cut += 1
        }
        #expect(cut > 200)
    }

    @Test func lostReplyOfQuit_isUnknown_andTheNextSessionKnows() {
        let model = Model()
        model.isHeldBack = { if case .erase = $0 { true } else { false } }
        let store = POP3FetchStore()
        var pair = store.pair(with: model)
        pair.run()
        #expect(pair.server.outstanding.map(\.question) == [.erase([0, 1])])
        pair.withClient { $0.deliver(.endOfInput) }
        #expect(store.outcome?.erasure == .unknown(["id-one", "id-two"]))
        #expect(store.outcome?.end == .connectionLost)
    }

    @Test func notStored_isNeverDeleted() {
        let model = Model()
        let store = POP3FetchStore()
        store.refuses = ["id-one"]
        var pair = store.pair(with: model)
        pair.run()
        #expect(model.messages.map(\.uidl) == ["id-one"])
        #expect(store.outcome?.failed == ["id-one"])
        #expect(store.outcome?.erasure == .confirmed(["id-two"]))
    }

    @Test func deletion_waitsForTheStore() {
        let model = Model()
        let store = POP3FetchStore()
        store.isHeldBack = { if case .store = $0 { true } else { false } }
        var pair = store.pair(with: model)
        pair.run()
        #expect(pair.client.outstanding.count == 2)
        pair.withServer { $0.receive("STAT\r\n") }
        #expect(pair.client.closeReason != nil || model.messages.count == 2)
        #expect(!pair.client.transcript.joined().contains("DELE"))
    }

    @Test func inUse_isToldApart() {
        let model = Model()
        let holder = model.loggedIn(1)
        let store = POP3FetchStore()
        var pair = store.pair(with: model)
        pair.run()
        #expect(store.outcome?.end == .inUse("[IN-USE] Another session has this maildrop"))
        #expect(holder.closeReason == nil)
        #expect(model.views[0]?.releases == 0)
    }

    @Test func wait_fetchesWhatComes() {
        let model = Model([])
        model.isHeldBack = { if case .wait = $0 { true } else { false } }
        let store = POP3FetchStore()
        var pair = store.pair(with: model, waitSeconds: 600)
        pair.run()
        #expect(pair.server.outstanding.map(\.question) == [.wait(seconds: 600)])
        #expect(!model.isLocked)
        model.messages = Model.fixture
        pair.withServer { $0.answerOldest(model.lock(0)) }
        #expect(store.listings == 2)
        #expect(store.outcome?.erasure == .confirmed(["id-one", "id-two"]))
        #expect(model.messages.isEmpty)
    }

    @Test func wait_withoutMail_isRepeatedUntilToldToStop() {
        let model = Model([])
        model.isHeldBack = { if case .wait = $0 { true } else { false } }
        let store = POP3FetchStore()
        var pair = store.pair(with: model, waitSeconds: 600)
        pair.run()
        pair.advance(by: .seconds(600))
        pair.withServer { $0.answerOldest(model.lock(0)) }
        #expect(store.listings == 2)
        #expect(pair.server.outstanding.map(\.question) == [.wait(seconds: 600)])
        pair.withClient { $0.deliver(.drain) }
        #expect(model.stopsAsked == 2)
        pair.withServer { $0.answerOldest(model.lock(0)) }
        #expect(store.outcome?.end == .completed)
        #expect(pair.server.closeReason == .quit)
        #expect(!model.isLocked)
    }

    @Test func cutWaiting_atEveryOctet_endsBothSides() {
        var cut = 0
        while true {
            let model = Model([])
            let store = POP3FetchStore()
            model.isHeldBack = { if case .wait = $0 { true } else { false } }
            var pair = store.pair(with: model, waitSeconds: 600, pieceOctets: 5, cutToServer: cut)
            pair.run()
            guard pair.isCut else { break }
            #expect(store.outcome != nil)
            #expect(pair.server.closeReason != nil)
            #expect(!model.isLocked)
            cut += 1
        }
        #expect(cut > 30)
    }

    // MARK: Against scripted servers

    private static func loggedIn(
        _ store: POP3FetchStore, _ configuration: POP3FetchConfiguration = configuration
    ) -> SessionHarness<POP3FetchSession> {
        var harness = store.harness(configuration)
        harness.start(peer: Model.peer)
        harness.receive("+OK hello\r\n")
        #expect(harness.takeText() == "CAPA\r\n")
        harness.receive(capabilities)
        #expect(harness.takeText() == "AUTH EXTERNAL =\r\n")
        harness.receive("+OK\r\n")
        #expect(harness.takeText() == "UIDL\r\nLIST\r\n")
        return harness
    }

    @Test func retrievals_keepTheWindow() {
        let store = POP3FetchStore()
        var harness = Self.loggedIn(store)
        harness.receive("+OK\r\n1 a\r\n2 b\r\n3 c\r\n4 d\r\n5 e\r\n6 f\r\n.\r\n")
        harness.receive("+OK\r\n1 9\r\n2 9\r\n3 9\r\n4 9\r\n5 9\r\n6 9\r\n.\r\n")
        #expect(harness.takeText() == "RETR 1\r\nRETR 2\r\nRETR 3\r\nRETR 4\r\n")
        harness.receive("+OK\r\na\r\n.\r\n")
        #expect(harness.takeText() == "RETR 5\r\n")
        harness.receive("+OK\r\na\r\n.\r\n-ERR no\r\n+OK\r\na\r\n.\r\n+OK\r\na\r\n.\r\n")
        #expect(harness.takeText() == "RETR 6\r\n")
        harness.receive("+OK\r\na\r\n.\r\n")
        #expect(harness.takeText() == "DELE 1\r\nDELE 2\r\nDELE 4\r\nDELE 5\r\nDELE 6\r\n")
        harness.receive("+OK\r\n+OK\r\n-ERR\r\n+OK\r\n+OK\r\n")
        #expect(harness.takeText() == "QUIT\r\n")
        harness.receive("-ERR some deleted messages not removed\r\n")
        #expect(store.outcome?.erasure == .unknown(["a", "b", "e", "f"]))
        #expect(store.outcome?.failed == ["c"])
        #expect(harness.closeReason == .quit)
    }

    @Test func plainServer_isAskedStepByStep() {
        let store = POP3FetchStore()
        store.messages["b"] = []
        var harness = store.harness(POP3FetchConfiguration(login: .plain(user: "bob", password: Redacted(Array("pw x".utf8)))))
        harness.start(peer: Model.peer)
        let dialog = [
            ("+OK\r\n", "CAPA\r\n"), ("-ERR what\r\n", "USER bob\r\n"), ("+OK\r\n", "PASS pw x\r\n"), ("+OK\r\n", "UIDL\r\n"),
            ("+OK\r\n1 a\r\n2 b\r\n.\r\n", "LIST\r\n"), ("+OK\r\n1 5\r\n2 5\r\n.\r\n", "RETR 1\r\n"),
            ("+OK\r\n..x\r\n.\r\n", "DELE 2\r\n"), ("+OK\r\n", "DELE 1\r\n"), ("+OK\r\n", "QUIT\r\n"),
        ]
        for (reply, next) in dialog {
            harness.receive(reply)
            #expect(harness.takeText() == next)
        }
        harness.receive("+OK\r\n")
        #expect(store.outcome?.erasure == .confirmed(["b", "a"]))
        #expect(store.messages["a"] == Array(".x\r\n".utf8))
        #expect(store.outcome?.canWait == false)
    }

    @Test func longSASLResponses_waitForTheChallenge() {
        let store = POP3FetchStore()
        let name = String(repeating: "n", count: 250)
        var harness = store.harness(POP3FetchConfiguration(login: .external(user: name)))
        harness.start(peer: Model.peer)
        harness.receive("+OK\r\n" + Self.capabilities)
        #expect(harness.takeText() == "CAPA\r\nAUTH EXTERNAL\r\n")
        harness.receive("+ \r\n")
        #expect(harness.takeText() == String(decoding: Base64.encode(Array(name.utf8)), as: UTF8.self) + "\r\n")
        harness.receive("+OK\r\n")
        #expect(harness.takeText() == "UIDL\r\nLIST\r\n")
    }

    @Test func largeMessages_areSkippedAndReported() {
        let store = POP3FetchStore()
        var configuration = Self.configuration
        configuration.messageOctetsMax = 10
        var harness = Self.loggedIn(store, configuration)
        // The first and third say what they are; the second lies.
        harness.receive("+OK\r\n1 a\r\n2 b\r\n3 c\r\n.\r\n+OK\r\n1 11\r\n2 10\r\n3 10\r\n.\r\n")
        #expect(harness.takeText() == "RETR 2\r\nRETR 3\r\n")
        harness.receive("+OK\r\n" + String(repeating: "0123456789\r\n", count: 1000) + ".\r\n+OK\r\n12345678\r\n.\r\n")
        #expect(harness.takeText() == "DELE 3\r\n")
        harness.receive("+OK\r\n")
        harness.receive("+OK\r\n")
        #expect(store.outcome?.tooLarge.map(\.uidl) == ["a", "b"])
        #expect(store.outcome?.erasure == .confirmed(["c"]))
    }

    @Test func sessionLimit_postponesTheRest() {
        let store = POP3FetchStore()
        var configuration = Self.configuration
        configuration.sessionOctetsMax = 3
        configuration.retrievalsMax = 1
        var harness = Self.loggedIn(store, configuration)
        harness.receive("+OK\r\n1 a\r\n2 b\r\n.\r\n+OK\r\n1 3\r\n2 3\r\n.\r\n")
        harness.receive("+OK\r\nx\r\n.\r\n")
        #expect(harness.takeText() == "RETR 1\r\nDELE 1\r\n")
        harness.receive("+OK\r\n+OK\r\n")
        #expect(store.outcome?.postponed == ["b"])
        #expect(store.outcome?.end == .completed)
    }

    @Test func draining_keepsWhatIsUnderWay() {
        let store = POP3FetchStore()
        var configuration = Self.configuration
        configuration.retrievalsMax = 1
        var harness = Self.loggedIn(store, configuration)
        harness.receive("+OK\r\n1 a\r\n2 b\r\n.\r\n+OK\r\n1 3\r\n2 3\r\n.\r\n")
        harness.deliver(.drain)
        harness.receive("+OK\r\nx\r\n.\r\n")
        #expect(harness.takeText() == "RETR 1\r\nDELE 1\r\n")
        harness.receive("+OK\r\n+OK\r\n")
        #expect(store.outcome?.erasure == .confirmed(["a"]))
        #expect(store.outcome?.postponed == ["b"])
    }

    @Test func drainingAroundTheLogin_leavesNoLockBehind() {
        for isSent in [false, true] {
            let store = POP3FetchStore()
            var harness = store.harness(Self.configuration)
            harness.start(peer: Model.peer)
            harness.receive("+OK\r\n")
            if isSent { harness.receive(Self.capabilities) }
            _ = harness.takeText()
            harness.deliver(.drain)
            #expect((store.outcome == nil) == isSent)
            guard isSent else { continue }
            harness.receive("+OK 5000 messages\r\n")
            #expect(harness.takeText() == "QUIT\r\n" && store.outcome == nil)
            harness.receive("+OK Bye\r\n")
            #expect(store.outcome?.end == .stopped && store.outcome?.erasure == POP3FetchOutcome.Erasure.none)
        }
    }

    @Test func badReplies_endTheSessionWithWords() {
        for (replies, words) in [
            ("hello\r\n", "neither"), ("+OK\r\n+OK\r\nUIDL\r\n.\r\n+OK\r\n", "SASL"), ("+OKAY\r\n", "neither"),
            ("+OK\nx\r\n", "no line"), ("+OK " + String(repeating: "x", count: 600) + "\r\n", "no line"),
            ("-ERR [SYS/TEMP] stopping\r\n", "stopping"),
            ("+OK\r\n" + Self.capabilities + "-ERR [AUTH] no\u{7}\r\n+OK\r\n", "[AUTH] no?"),
            ("+OK\r\n" + Self.capabilities + "+OK\r\n+OK\r\nx a\r\n", "UIDL"),
            ("+OK\r\n" + Self.capabilities + "+OK\r\n+OK\r\n1 a\r\n1 b\r\n", "UIDL"),
            ("+OK\r\n" + Self.capabilities + "+OK\r\n+OK\r\n1 \u{e9}\r\n", "UIDL"),
            ("+OK\r\n" + Self.capabilities + "+OK\r\n+OK\r\n1 a\r\n.\r\n+OK\r\n1 -5\r\n", "LIST"),
            ("+OK\r\n" + Self.capabilities + "+OK\r\n-ERR none\r\n-ERR none\r\n+OK\r\n", "none"),
            ("+OK\r\n" + Self.capabilities + "+OK\r\n+OK\r\n.\r\n+OK\r\n.\r\n+OK\r\n+OK\r\n", ""),
        ] {
            let store = POP3FetchStore()
            var harness = store.harness(Self.configuration)
            harness.start(peer: Model.peer)
            harness.receive(replies)
            #expect(harness.closeReason != nil, "\(replies)")
            let end = store.outcome.map { "\($0.end)" } ?? "no outcome"
            #expect(words.isEmpty ? end == "completed" : end.contains(words), "\(replies): \(end)")
        }
    }

    @Test func silentServer_isGivenUp_butNotWhileWeOweTheAnswer() {
        let store = POP3FetchStore()
        store.isHeldBack = { _ in true }
        var harness = Self.loggedIn(store)
        harness.advance(by: .seconds(119))
        harness.receive("+OK\r\n1 a\r\n.\r\n+OK\r\n1 3\r\n")
        harness.advance(by: .seconds(119))
        harness.receive(".\r\n")
        harness.advance(by: .seconds(10_000))
        #expect(harness.closeReason == nil)
        harness.answerOldest(.plan(fetch: [0], alreadyStored: []))
        #expect(harness.takeText() == "RETR 1\r\n")
        harness.advance(by: .seconds(119))
        #expect(harness.closeReason == nil)
        harness.advance(by: .seconds(130))
        #expect(store.outcome?.end == .timedOut)
    }

    @Test func waitOfADeadServer_isGivenUp() {
        let store = POP3FetchStore()
        var harness = Self.loggedIn(store, POP3FetchConfiguration(login: .external(user: nil), waitSeconds: 600))
        harness.receive("+OK\r\n.\r\n+OK\r\n.\r\n")
        #expect(harness.takeText() == "XDDS-WAIT 600\r\n")
        harness.advance(by: .seconds(719))
        #expect(harness.closeReason == nil)
        harness.advance(by: .seconds(1))
        #expect(store.outcome?.end == .timedOut)
    }

    @Test func replies_meanTheSameHoweverTheyArrive() {
        let replies =
            "+OK\r\n" + Self.capabilities + "+OK\r\n+OK\r\n1 a\r\n2 b\r\n.\r\n+OK\r\n1 5\r\n2 5\r\n.\r\n"
            + "+OK\r\n..x\r\n\r\n..\r\n.\r\n+OK\r\n.\r\n+OK\r\n+OK\r\n+OK\r\n"
        #expect(
            verifySplits(replies.utf8) {
                var harness = POP3FetchStore().harness(Self.configuration)
                harness.start(peer: Model.peer)
                return harness
            } == [])
    }

    @Test(arguments: 0..<300) func randomReplies_neverTrap(seed: Int) {
        let random = SeededRandom(seed: UInt64(seed))
        let store = POP3FetchStore()
        var harness = store.harness(POP3FetchConfiguration(login: .external(user: nil), waitSeconds: 5))
        harness.start(peer: Model.peer)
        let words = [
            "+OK\r\n", "+OK\r\n", "+OK\r\n", "+OK 2 messages\r\n", "-ERR\r\n", "+ \r\n", ".\r\n", ".\r\n", "1 a\r\n2 b\r\n",
            "1 5\r\n2 9\r\n",
            "SASL EXTERNAL\r\nPIPELINING\r\n", "XDDS-WAIT 9\r\n", "..\r\n", "text\r\n",
        ]
        if random.below(2) == 0 { harness.receive("+OK\r\n" + Self.capabilities + "+OK\r\n") }
        for _ in 0..<80 where harness.closeReason == nil {
            switch random.below(20) {
            case 0: harness.receive(random.bytes(random.below(20)))
            case 1: harness.advance(by: .seconds(random.below(100)))
            case 2 where random.below(10) == 0: harness.deliver(.drain)
            default: harness.receive(words[random.below(words.count)])
            }
            #expect(harness.session.bufferedBytes < 2048)
        }
        harness.deliver(.endOfInput)
        #expect(store.outcome != nil, "seed \(seed)")
    }
}
