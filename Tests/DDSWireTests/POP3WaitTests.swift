import DDSCore
import DDSTestKit
import DDSWire
import Testing

/// XDDS-WAIT on the server's side.
@Suite struct POP3WaitTests {
    private typealias Model = POP3ServerModel

    private static func waiting(_ model: Model) -> SessionHarness<POP3ServerSession> {
        model.isHeldBack = { if case .wait = $0 { true } else { false } }
        var harness = model.loggedIn()
        harness.receive("XDDS-WAIT 100\r\n")
        #expect(!model.isLocked)
        #expect(harness.outstanding.map(\.question) == [.wait(seconds: 100)])
        #expect(harness.takeText() == "")
        return harness
    }

    @Test func wait_endsWithNewMail_numberedAnew() {
        let model = Model()
        var harness = Self.waiting(model)
        model.messages.removeFirst()
        model.messages.append(.init(uidl: "new", bytes: Array("x: y\r\n\r\n".utf8)))
        harness.answerOldest(model.lock(0))
        harness.receive("UIDL\r\n")
        #expect(harness.takeText() == "+OK 2 messages\r\n+OK 2 messages\r\n1 id-two\r\n2 new\r\n.\r\n")
        harness.deliver(.endOfInput)
        #expect(model.views[0]?.releases == 2)
    }

    @Test func wait_endsWhenItsTimeIsOver() {
        let model = Model()
        var harness = Self.waiting(model)
        harness.advance(by: .seconds(99))
        #expect(model.stopsAsked == 0)
        harness.advance(by: .seconds(1))
        #expect(model.stopsAsked == 1)
        harness.answerOldest(model.lock(0))
        #expect(harness.takeText() == "+OK 2 messages\r\n")
        harness.advance(by: .seconds(599))
        #expect(harness.closeReason == nil)
        harness.advance(by: .seconds(1))
        #expect(harness.closeReason == .timeout)
    }

    @Test func wait_outlastsTheIdleTime() {
        let model = Model()
        model.isHeldBack = { if case .wait = $0 { true } else { false } }
        var harness = model.loggedIn()
        harness.receive("XDDS-WAIT 1740\r\n")
        harness.advance(by: .seconds(1739))
        #expect(harness.closeReason == nil)
    }

    @Test func wait_isEndedByALine_whichIsExecutedAfterIt() {
        let model = Model()
        var harness = Self.waiting(model)
        harness.receive("NO")
        #expect(model.stopsAsked == 0)
        harness.receive("OP\r\nSTAT\r\n")
        #expect(model.stopsAsked == 1)
        harness.advance(by: .seconds(100))
        #expect(model.stopsAsked == 1)
        harness.answerOldest(model.lock(0))
        #expect(harness.takeText() == "+OK 2 messages\r\n+OK\r\n+OK 2 63\r\n")
    }

    @Test func wait_thatFindsTheMaildropTaken_canBeRepeated() {
        let model = Model()
        var harness = Self.waiting(model)
        harness.answerOldest(.inUse)
        harness.receive("STAT\r\nXDDS-WAIT 1\r\n")
        #expect(harness.takeText().split(separator: "\r\n").allSatisfy { $0.hasPrefix("-ERR [IN-USE]") })
        harness.answerOldest(model.lock(0))
        #expect(harness.takeText() == "+OK 2 messages\r\n")
    }

    @Test func connectionLostDuringAWait_givesUpTheClaim() {
        let model = Model()
        var harness = Self.waiting(model)
        harness.deliver(.endOfInput)
        #expect(harness.closeReason == .endOfInput)
        #expect(model.views[0]?.releases == 2)
    }

    @Test func draining_endsAWaitAtOnce() {
        let model = Model()
        var harness = Self.waiting(model)
        harness.deliver(.drain)
        #expect(harness.takeText().hasPrefix("-ERR [SYS/TEMP]"))
        #expect(harness.closeReason == .draining)
        #expect(model.views[0]?.releases == 2)
    }
}
