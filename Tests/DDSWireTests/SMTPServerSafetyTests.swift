// What must never happen: a 250 before the owner's answer, a message smuggled in another, words in clear counted as words in
// TLS, logins guessed at leisure, half-acknowledged mail at the end.

import DDSCore
import DDSTestKit
import DDSWire
import Testing

@Suite struct SMTPServerSafetyTests {
    // MARK: Durability

    @Test(arguments: ["DATA\r\nx\r\n.\r\n", "BDAT 3 LAST\r\nx\r\n"])
    func noPositiveReplyBeforeTheAnswer(_ text: String) {
        var bench = SMTPBench.withRecipients(policy: { _ in nil })
        #expect(!bench.codes(text + "NOOP\r\n").contains(250))
        bench.handle(.timer(.idle))
        #expect(bench.take().isEmpty && bench.closed == nil)
        #expect(bench.questions.last?.question == .endOfMessage)
        bench.answer(.message(SMTPReply(250, EnhancedCode(2, 6, 0), "Queued")))
        #expect(bench.take() == "250 2.6.0 Queued\r\n250 2.0.0 Here\r\n")
    }

    @Test func lateAndForeignAnswers_areIgnored() {
        var bench = SMTPBench.withRecipients(policy: { _ in nil })
        bench.feed("DATA\r\nx\r\n.\r\n")
        let id = bench.questions.removeFirst().id
        _ = bench.take()
        bench.handle(.answer(RequestID(rawValue: id.rawValue + 1), .message(SMTPReply(250, nil, "no"))))
        #expect(bench.take().isEmpty)
        bench.handle(.answer(id, .message(SMTPReply(250, nil, "yes"))))
        #expect(bench.take() == "250 yes\r\n")
        bench.handle(.answer(id, .message(SMTPReply(250, nil, "again"))))
        #expect(bench.take().isEmpty)
        bench.feed("MAIL FROM:<a@b>\r\n")
        bench.handle(.drain)
        let late = bench.questions.removeFirst().id
        _ = bench.take()
        bench.handle(.answer(late, .accepted))
        #expect(bench.take().isEmpty && bench.closed == .draining)
    }

    @Test func endOfInput_inTheMiddleOfAMessageGivesItUp() {
        for text in ["DATA\r\nhalf\r\n", "DATA\r\nhalf\r\n.", "BDAT 9 LAST\r\nhalf", "BDAT 4\r\nhalf"] {
            var bench = SMTPBench.withRecipients()
            bench.feed(text)
            bench.handle(.endOfInput)
            #expect(bench.abandoned == 1 && bench.messages.isEmpty && bench.closed == .endOfInput, "\(text)")
        }
    }

    @Test func endOfInput_behindTheMessageStillGetsTheAnswer() {
        var bench = SMTPBench.withRecipients(policy: { _ in nil })
        bench.feed("DATA\r\nx\r\n.\r\n")
        bench.handle(.endOfInput)
        #expect(bench.closed == nil && bench.abandoned == 0)
        _ = bench.take()
        bench.answer(.message(SMTPReply(250, nil, "Queued")))
        #expect(bench.take() == "250 Queued\r\n")
        #expect(bench.closed == .endOfInput)
    }

    // MARK: Smuggling

    static let falseEnds = [
        "\n.\n", "\n.\r\n", "\r.\r", "\r.\r\n", "\r\n.\n", "\r\n.\r", "\n\n.\r\n", "\r\n.\r\r\n", "\r\n.\n\r\n", "\n.\r",
        "\r.\n",
        "\r\n\r.\r\n", "\r\n.\0\r\n", "\r\n\0.\r\n", "\r\n..\r\n", "\r\n. \r\n", "\u{85}.\u{85}", "\u{2028}.\r\n",
    ]
    static let rider = "MAIL FROM:<evil@b>\r\nRCPT TO:<bob@b>\r\nDATA\r\nsmuggled\r\n.\r\n"

    @Test(arguments: falseEnds) func onlyOneSequenceEndsAMessage(_ end: String) {
        let text = "DATA\r\nfirst" + end + Self.rider
        var bench = SMTPBench.withRecipients()
        let hasBareEnd = end.replacing("\r\n", with: "").utf8.contains { $0 == 0x0d || $0 == 0x0a }
        #expect(bench.codes(text + "NOOP\r\n") == [354, hasBareEnd ? 550 : 250, 250])
        #expect(bench.messages.count == (hasBareEnd ? 0 : 1))
        #expect(bench.abandoned == (hasBareEnd ? 1 : 0))
        var lmtp = SMTPBench.withRecipients(smtpServerConfiguration(.lmtp, .none))
        #expect(lmtp.codes(text + "NOOP\r\n").count == 3)
        #expect(lmtp.messages.count <= 1)
    }

    @Test func bareCR_beforeTheTrueEndDoesNotHideIt() {
        var bench = SMTPBench.withRecipients()
        #expect(bench.codes("DATA\r\nx\r\r\n.\r\nNOOP\r\n") == [354, 550, 250])
    }

    @Test func lmtp_turnsLoneLFIntoCRLF() {
        var bench = SMTPBench.withRecipients(smtpServerConfiguration(.lmtp, .none))
        #expect(bench.codes("DATA\r\na\nb\n.\nc\r\n..d\n..e\r\n.\r\n") == [354, 250])
        #expect(bench.messages.map(\.text) == ["a\r\nb\r\n.\r\nc\r\n.d\r\n..e\r\n"])
    }

    @Test(arguments: ["NOOP\n", "NOOP\r", "NO\rOP\r\n", "NOOP\nQUIT\r\n", "NO\0OP\r\n"])
    func commands_endInCRLFOnly(_ text: String) {
        var bench = SMTPBench.loggedIn()
        let codes = bench.codes(text)
        #expect(codes == [500] || codes.isEmpty)
        #expect(bench.closed == nil)
    }

    @Test func invalidUTF8_isNoCommand() {
        var bench = SMTPBench.loggedIn()
        bench.feed(Array("MAIL FROM:<".utf8) + [0xff, 0xfe] + Array("@b> SMTPUTF8\r\n".utf8))
        #expect(SMTPBench.codes(bench.take()) == [500])
    }

    // MARK: STARTTLS

    @Test func startTLS_withBytesBehindItIsRefused() {
        for tail in ["N", "NOOP\r\n", "EHLO evil\r\n\(smtpPlainLogin)"] {
            var bench = SMTPBench(smtpServerConfiguration(.submission, .startTLSRequired))
            bench.feed("EHLO c\r\n")
            #expect(bench.codes("STARTTLS\r\n" + tail) == [503])
            #expect(bench.closed == .protocolError && !bench.startedTLS)
        }
    }

    @Test func startTLS_forgetsWhatWasSaidInClear() {
        var bench = SMTPBench(smtpServerConfiguration(.submission, .startTLSRequired))
        bench.feed("EHLO c\r\n")
        #expect(bench.codes("STARTTLS x\r\n") == [501])
        #expect(bench.codes("STARTTLS\r\n") == [220])
        #expect(bench.startedTLS)
        bench.feed("EHLO in.clear\r\nNOOP\r\n")
        #expect(bench.take().isEmpty && bench.session.bufferedBytes == 0)
        bench.handle(.tlsEstablished(smtpPeer))
        #expect(bench.take().isEmpty)
        #expect(bench.codes(smtpPlainLogin) == [503])
        #expect(bench.codes("STARTTLS\r\n") == [503])
        #expect(bench.codes("EHLO c\r\n" + smtpPlainLogin) == [250, 235])
    }

    @Test func startTLS_handshakeHasADeadline() {
        var bench = SMTPBench(smtpServerConfiguration(.submission, .startTLSRequired))
        bench.feed("EHLO c\r\nSTARTTLS\r\n")
        #expect(bench.timers[.idle] == bench.time.now + .seconds(30))
        _ = bench.take()
        bench.handle(.timer(.idle))
        #expect(bench.take().isEmpty && bench.closed == .timeout)
    }

    // MARK: Login

    @Test func auth_exchangesAreUnderstood() {
        let message = smtpBase64("\0alice\0secret")
        let cases: [(String, [Int])] = [
            ("AUTH PLAIN \(message)\r\n", [235]), ("auth plain\r\n\(message)\r\n", [334, 235]),
            ("AUTH PLAIN\r\n*\r\n", [334, 501]),
            ("AUTH PLAIN =\r\n", [501]), ("AUTH PLAIN !\r\n", [501]), ("AUTH PLAIN\r\n\r\n", [334, 501]),
            ("AUTH LOGIN\r\n", [504]),
            ("AUTH\r\n", [501]), ("AUTH PLAIN a b\r\n", [501]), ("AUTH PLAIN\r\nx\ny\r\n", [334, 501]),
            ("AUTH EXTERNAL\r\n\r\n", [334, 235]), ("AUTH EXTERNAL =\r\n", [235]), ("AUTH EXTERNAL\r\n=\r\n", [334, 235]),
            ("AUTH EXTERNAL \(smtpBase64("alice"))\r\n", [235]), ("AUTH EXTERNAL \(smtpBase64("a\nb"))\r\n", [501]),
        ]
        for (text, codes) in cases {
            var bench = SMTPBench(peer: smtpKeyedPeer)
            bench.feed("EHLO c\r\n")
            #expect(bench.codes(text) == codes, "\(text)")
            #expect((bench.timers[.login] == nil) == (codes.last == 235))
        }
    }

    @Test func auth_failuresAreSlowAlikeAndFew() {
        var bench = SMTPBench()
        bench.feed("EHLO c\r\n")
        var texts: Set<String> = []
        for (attempt, message) in ["\0alice\0wrong", "\0nobody\0x", "bob\0alice\0secret"].enumerated() {
            let before = bench.time.now
            #expect(bench.codes("AUTH PLAIN \(smtpBase64(message))\r\nNOOP\r\n").isEmpty)
            bench.runDelay()
            #expect(bench.time.now - before == .seconds(1 << attempt))
            texts.insert(String(bench.take().prefix { $0 != "\r\n" }))
        }
        #expect(texts.count == 1 && texts.first?.hasPrefix("535 5.7.8") == true)
        #expect(bench.closed == .protocolError)
    }

    @Test func auth_unavailableIsTemporary() {
        var bench = SMTPBench(policy: { _ in .unavailable })
        bench.feed("EHLO c\r\n")
        #expect(bench.codes(smtpPlainLogin) == [454])
        #expect(bench.closed == nil)
    }

    @Test func timeouts() {
        var bench = SMTPBench()
        #expect(bench.timers[.login] == bench.time.now + .seconds(60))
        bench.time.advance(by: .seconds(10))
        bench.feed("EHLO c\r\n")
        #expect(bench.timers[.login] == bench.time.now + .seconds(50))
        #expect(bench.timers[.idle] == bench.time.now + .seconds(300))
        _ = bench.take()
        bench.handle(.timer(.login))
        #expect(SMTPBench.codes(bench.take()) == [421])
        #expect(bench.closed == .timeout)
        var member = SMTPBench.withRecipients()
        member.feed("DATA\r\nhalf")
        _ = member.take()
        member.handle(.timer(.login))
        #expect(member.closed == nil)
        member.handle(.timer(.idle))
        #expect(SMTPBench.codes(member.take()) == [421])
        #expect(member.closed == .timeout && member.abandoned == 1)
    }

    @Test func lmtp_hasNoLoginToWaitFor_andIsIdleForFiveMinutesOnly() {
        var bench = SMTPBench(smtpServerConfiguration(.lmtp, .none))
        #expect(bench.timers[.login] == nil && bench.timers[.idle] == bench.time.now + .seconds(300))
        bench = SMTPBench.withRecipients(smtpServerConfiguration(.lmtp, .none))
        bench.feed("DATA\r\nhalf")
        _ = bench.take()
        bench.handle(.timer(.idle))
        #expect(SMTPBench.codes(bench.take()) == [421])
        #expect(bench.closed == .timeout && bench.abandoned == 1)
    }

    @Test func anMTA_mayErrMoreOftenThanAStranger() {
        var bench = SMTPBench(smtpServerConfiguration(.lmtp, .none))
        bench.feed("LHLO mta\r\n")
        _ = bench.take()
        #expect(bench.codes(String(repeating: "FOO\r\n", count: 99)).count == 99)
        #expect(bench.closed == nil)
        #expect(bench.codes("FOO\r\n") == [500, 421])
        #expect(bench.closed == .protocolError)
    }

    @Test func strangers_areNotListenedToForEver() {
        var bench = SMTPBench()
        #expect(bench.codes(String(repeating: "FOO\r\n", count: 9)) == Array(repeating: 500, count: 9))
        #expect(bench.closed == nil)
        #expect(bench.codes("FOO\r\nNOOP\r\n") == [500, 421])
        #expect(bench.closed == .protocolError)
        for verb in ["GET / HTTP/1.1", "POST /x HTTP/1.1", "CONNECT a:25 HTTP/1.1", "Host: node.example"] {
            var bench = SMTPBench(smtpServerConfiguration(.submission, .startTLSRequired))
            #expect(bench.codes(verb + "\r\nEHLO c\r\n").isEmpty)
            #expect(bench.closed == .protocolError)
        }
    }

    @Test(arguments: ["", "a b", "<script>", "a\u{1b}[0m", String(repeating: "a", count: 256)])
    func clientNames_areChecked(_ name: String) {
        var bench = SMTPBench()
        #expect([[500], [501]].contains(bench.codes("EHLO \(name)\r\n")))
        #expect(bench.codes("EHLO [IPv6:::1]\r\n") == [250])
    }

    // MARK: Draining

    @Test func drain_outsideAMessageIsAtOnce() {
        for script in SMTPServerDialogTests.scripts.dropLast() {
            var bench = SMTPBench()
            bench.feed(script)
            _ = bench.take()
            bench.handle(.drain)
            #expect(bench.take().hasPrefix("421 4.3.2 "))
            #expect(bench.closed == .draining)
        }
    }

    @Test(arguments: ["DATA\r\nx|\r\n.\r\n", "BDAT 3\r\nabc|BDAT 0 LAST\r\n", "BDAT 3 LAST\r\na|bc"])
    func drain_letsABegunMessageEnd(_ text: String) {
        let parts = text.split(separator: "|").map(String.init)
        var bench = SMTPBench.withRecipients()
        bench.feed(parts[0])
        _ = bench.take()
        bench.handle(.drain)
        bench.feed(parts[1] + "MAIL FROM:<a@b>\r\n")
        #expect(SMTPBench.codes(bench.take()).suffix(2) == [250, 421])
        #expect(bench.messages.count == 1)
        #expect(bench.closed == .draining)
    }

    @Test func drain_waitsForTheAnswer() {
        var bench = SMTPBench.withRecipients(policy: { _ in nil })
        bench.feed("DATA\r\nx\r\n.\r\n")
        _ = bench.take()
        bench.handle(.drain)
        #expect(bench.take().isEmpty && bench.closed == nil)
        bench.answer(.message(SMTPReply(250, nil, "Queued")))
        #expect(SMTPBench.codes(bench.take()) == [250, 421])
        #expect(bench.closed == .draining)
    }
}
