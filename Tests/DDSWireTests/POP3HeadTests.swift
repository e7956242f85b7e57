import DDSCore
import DDSTestKit
import DDSWire
import Testing

/// XDDS-HEAD on both sides: asked before each listing where it is announced, never in the way of the mail.
@Suite struct POP3HeadTests {
    private typealias Model = POP3ServerModel

    private static func capabilities(_ lines: String...) -> String {
        "+OK\r\n" + (["UIDL", "SASL EXTERNAL"] + lines).map { $0 + "\r\n" }.joined() + ".\r\n"
    }

    @Test func head_isAskedBehindTheLoginAndReported() {
        let model = Model()
        let store = POP3FetchStore()
        var pair = store.pair(with: model)
        pair.run()
        #expect(store.heads == ["00ff 7 c2lnbmF0dXJl"])
        #expect(store.capabilities.contains("XDDS-IDENTITY a2V5"))
        #expect(model.questions.contains(.head))
        #expect(store.outcome?.end == .completed)
        #expect(model.messages.isEmpty)
    }

    @Test func headThatIsRefused_keepsNoMailFromComing() {
        let model = Model()
        model.head = nil
        let store = POP3FetchStore()
        var pair = store.pair(with: model)
        pair.run()
        #expect(store.heads == [nil])
        #expect(store.outcome?.erasure == .confirmed(["id-one", "id-two"]))
    }

    @Test func head_isAskedAnewAfterAWait() {
        let model = Model([])
        model.isHeldBack = { if case .wait = $0 { true } else { false } }
        let store = POP3FetchStore()
        var pair = store.pair(with: model, waitSeconds: 600)
        pair.run()
        #expect(store.heads.count == 1)
        model.messages = Model.fixture
        model.head = "00ff 8 c2lnbmF0dXJl"
        pair.withServer { $0.answerOldest(model.lock(0)) }
        #expect(store.heads == ["00ff 7 c2lnbmF0dXJl", "00ff 8 c2lnbmF0dXJl"])
        #expect(model.messages.isEmpty)
    }

    @Test func serverWithoutTheExtension_isNotAsked() {
        let store = POP3FetchStore()
        var harness = store.harness(POP3FetchConfiguration(login: .external(user: nil)))
        harness.start(peer: Model.peer)
        harness.receive("+OK\r\n")
        harness.receive(Self.capabilities("PIPELINING"))
        _ = harness.takeText()
        harness.receive("+OK\r\n")
        #expect(harness.takeText() == "UIDL\r\nLIST\r\n")
        #expect(store.heads.isEmpty)
    }

    /// One command at a time: nothing is sent behind XDDS-HEAD before its reply, whatever that is.
    @Test(arguments: [("+OK aa 1 bb\r\n", "aa 1 bb"), ("-ERR no\r\n", nil), ("+OK\r\n", "")] as [(String, String?)])
    func withoutPipelining_theListingWaitsForTheHead(reply: String, words: String?) {
        let store = POP3FetchStore()
        var harness = store.harness(POP3FetchConfiguration(login: .external(user: nil)))
        harness.start(peer: Model.peer)
        harness.receive("+OK\r\n")
        harness.receive(Self.capabilities("XDDS-HEAD"))
        _ = harness.takeText()
        harness.receive("+OK\r\n")
        #expect(harness.takeText() == "XDDS-HEAD\r\n")
        harness.receive(reply)
        #expect(store.heads == [words])
        #expect(harness.takeText() == "UIDL\r\n")
        harness.receive("+OK\r\n.\r\n")
        #expect(harness.takeText() == "LIST\r\n")
        harness.receive("+OK\r\n.\r\n")
        #expect(harness.takeText() == "QUIT\r\n")
    }

    @Test func longReply_isCutAndCapabilitiesAreBounded() {
        let store = POP3FetchStore()
        var harness = store.harness(POP3FetchConfiguration(login: .external(user: nil)))
        harness.start(peer: Model.peer)
        harness.receive(
            "+OK\r\n+OK\r\nSASL EXTERNAL\r\nXDDS-HEAD\r\n" + String(repeating: "X\u{1}\r\n", count: 200) + ".\r\n+OK\r\n")
        #expect(store.capabilities.count == 64)
        #expect(store.capabilities.last == "X?")
        harness.receive("+OK " + String(repeating: "a", count: 400) + "\r\n")
        #expect(store.heads.first??.utf8.count == 200)
    }

    @Test func everyPieceOfASession_saysTheSame() {
        for octets in 1...40 {
            let model = Model()
            let store = POP3FetchStore()
            var pair = store.pair(with: model, pieceOctets: octets)
            pair.run()
            #expect(store.heads == ["00ff 7 c2lnbmF0dXJl"], "pieces of \(octets)")
            #expect(model.messages.isEmpty, "pieces of \(octets)")
        }
    }

    @Test func serverAnswersWhileUnlocked_andStaysThere() {
        let model = Model([])
        var harness = model.loggedIn()
        model.isHeldBack = { if case .wait = $0 { true } else { false } }
        harness.receive("XDDS-WAIT 100\r\n")
        harness.answerOldest(.inUse)
        _ = harness.takeText()
        harness.receive("XDDS-HEAD\r\nSTAT\r\n")
        let lines = harness.takeText().split(separator: "\r\n")
        #expect(lines.count == 2)
        #expect(lines.first == "+OK 00ff 7 c2lnbmF0dXJl")
        #expect(lines.last?.hasPrefix("-ERR [IN-USE]") == true)
    }

    @Test func serverThatCannotSay_saysSo() {
        let model = Model()
        model.head = nil
        var harness = model.loggedIn()
        harness.receive("XDDS-HEAD\r\n")
        #expect(harness.takeText() == "-ERR [SYS/TEMP] the disk is tired\r\n")
        harness.receive("STAT\r\n")
        #expect(harness.takeText().hasPrefix("+OK 2 "))
    }

    @Test func clientThatLeavesMeanwhile_freesTheMaildrop() {
        let model = Model()
        model.isHeldBack = { $0 == .head }
        var harness = model.loggedIn()
        harness.receive("XDDS-HEAD\r\n")
        #expect(model.isLocked)
        harness.deliver(.endOfInput)
        harness.deliver(.endOfInput)
        #expect(harness.closeReason == .endOfInput)
        #expect(!model.isLocked)
    }
}
