// What the server answers to whom and when: every command in every phase, and the dialogues that matter.

import DDSCore
import DDSWire
import Testing

@Suite struct SMTPServerDialogTests {
    /// Columns: clear, fresh, anonymous, ready, sender, recipients, chunks.
    static let table: [(command: String, codes: [Int])] = [
        ("EHLO client.example", [250, 250, 250, 250, 250, 250, 250]),
        ("HELO client.example", [250, 250, 250, 250, 250, 250, 250]),
        ("LHLO client.example", [500, 500, 500, 500, 500, 500, 500]),
        ("STARTTLS", [503, 503, 503, 503, 503, 503, 503]),
        ("AUTH PLAIN AGFsaWNlAHNlY3JldA==", [530, 503, 235, 503, 503, 503, 503]),
        ("AUTH LOGIN", [530, 503, 504, 503, 503, 503, 503]),
        ("MAIL FROM:<alice@node.example>", [530, 503, 530, 250, 503, 503, 503]),
        ("RCPT TO:<bob@node.example>", [530, 503, 530, 503, 250, 250, 503]),
        ("DATA", [530, 503, 530, 503, 503, 354, 503]),
        ("BDAT 0", [530, 503, 530, 503, 503, 250, 250]),
        ("BDAT 0 LAST", [530, 503, 530, 503, 503, 250, 250]),
        ("RSET", [250, 250, 250, 250, 250, 250, 250]),
        ("NOOP anything", [250, 250, 250, 250, 250, 250, 250]),
        ("VRFY bob", [530, 252, 252, 252, 252, 252, 252]),
        ("HELP", [214, 214, 214, 214, 214, 214, 214]),
        ("EXPN board", [502, 502, 502, 502, 502, 502, 502]),
        ("FROBNICATE", [500, 500, 500, 500, 500, 500, 500]),
        ("QUIT", [221, 221, 221, 221, 221, 221, 221]),
    ]

    static let scripts = [
        "", "", "EHLO c\r\n", "EHLO c\r\n" + smtpPlainLogin, "EHLO c\r\n" + smtpPlainLogin + "MAIL FROM:<a@b>\r\n",
        "EHLO c\r\n" + smtpPlainLogin + "MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\n",
        "EHLO c\r\n" + smtpPlainLogin + "MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nBDAT 3\r\nabc",
    ]

    @Test(arguments: 0..<7) func everyCommandInEveryPhase(_ phase: Int) {
        for (command, codes) in Self.table {
            var bench = SMTPBench(smtpServerConfiguration(.submission, phase == 0 ? .startTLSRequired : .implicit))
            bench.feed(Self.scripts[phase])
            #expect(bench.codes(command + "\r\n") == [codes[phase]], "\(command) in phase \(phase)")
            #expect((bench.closed == .quit) == (command == "QUIT"))
        }
    }

    @Test func lmtp_greetsWithLHLOOnlyAndNeedsNoLogin() {
        var bench = SMTPBench(smtpServerConfiguration(.lmtp, .none))
        #expect(bench.take() == "220 node.example LMTP\r\n")
        #expect(bench.codes("EHLO mta\r\n") == [500])
        #expect(bench.codes("HELO mta\r\n") == [500])
        #expect(bench.codes("MAIL FROM:<>\r\n") == [503])
        bench.feed("LHLO mta\r\n")
        let capabilities = bench.take()
        #expect(!capabilities.contains("AUTH"))
        #expect(capabilities.contains("250-PIPELINING\r\n") && !capabilities.contains("DSN"), "we send no notifications")
        #expect(bench.codes("STARTTLS\r\n") == [502])
        #expect(bench.codes(smtpPlainLogin) == [500])
        #expect(bench.codes("MAIL FROM:<>\r\n") == [250])
        #expect(bench.timers[.login] == nil)
    }

    @Test func capabilities_areThoseUsableNow() {
        var bench = SMTPBench(smtpServerConfiguration(.submission, .startTLSRequired))
        _ = bench.take()
        bench.feed("EHLO client.example\r\n")
        let clear = bench.take()
        #expect(clear.contains("STARTTLS\r\n") && !clear.contains("AUTH"))
        #expect(!clear.contains("client.example"))
        bench.feed("STARTTLS\r\n")
        bench.handle(.tlsEstablished(smtpKeyedPeer))
        _ = bench.take()
        bench.feed("EHLO client.example\r\n")
        #expect(
            bench.take() == """
                250-node.example\r
                250-PIPELINING\r
                250-SIZE 33554432\r
                250-8BITMIME\r
                250-SMTPUTF8\r
                250-CHUNKING\r
                250-ENHANCEDSTATUSCODES\r
                250-DSN\r
                250 AUTH EXTERNAL PLAIN\r\n
                """)
        var keyless = SMTPBench()
        keyless.feed("EHLO c\r\n")
        #expect(keyless.take().contains("250 AUTH PLAIN\r\n"))
        #expect(keyless.codes("AUTH EXTERNAL =\r\n") == [504])
    }

    @Test func submission_carriesTheMessageExactly() {
        var bench = SMTPBench.loggedIn()
        bench.feed("MAIL FROM:<Alice@Node.Example> SIZE=100 BODY=8BITMIME RET=HDRS ENVID=a+2Bb AUTH=<>\r\n")
        bench.feed("RCPT TO:<bob@node.example> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;bob+2Bx@example\r\n")
        #expect(bench.codes("RCPT TO:<nobody@node.example>\r\n") == [550])
        #expect(bench.codes("DATA\r\n") == [354])
        #expect(bench.codes("Subject: x\r\n\r\n..dot\r\n.\u{e9}\r\n..\r\n.\r\n") == [250])
        #expect(bench.messages.count == 1)
        #expect(bench.messages.first?.text == "Subject: x\r\n\r\n.dot\r\n\u{e9}\r\n.\r\n")
        var parameters = MailParameters()
        parameters.declaredSize = 100
        parameters.body = .eightBitMIME
        parameters.dsnReturn = .headers
        parameters.dsnEnvelopeID = "a+b"
        let bob = Recipient(
            smtpAddress("bob@node.example"), notify: [.success, .failure], originalRecipient: "rfc822;bob+x@example")
        #expect(
            bench.messages.first?.envelope
                == Envelope(
                    reversePath: .address(smtpAddress("alice@node.example")), parameters: parameters, recipients: [bob],
                    authenticated: "alice", clientName: "client.example"))
    }

    @Test func bdat_carriesTheMessageExactly() {
        var bench = SMTPBench.withRecipients()
        #expect(bench.codes("BDAT 6\r\n.\r\n..\rBDAT 5 LAST\r\n\nabc\rRSET\r\n") == [250, 550, 250])
        bench.feed("MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\n")
        #expect(bench.codes("BDAT 6\r\n.\r\n..\rBDAT 4\r\n\nabcBDAT 0 LAST\r\n") == [250, 250, 250])
        #expect(bench.messages.map(\.text) == [".\r\n..\r\nabc"])
    }

    @Test func bdat_withoutTransactionConsumesItsOctets() {
        var bench = SMTPBench.loggedIn()
        #expect(bench.codes("BDAT 6 LAST\r\nQUIT\r\nNOOP\r\n") == [503, 250])
        #expect(bench.closed == nil)
    }

    @Test(arguments: ["BDAT", "BDAT x", "BDAT -1", "BDAT 1 FIRST", "BDAT 1 LAST x", "BDAT 9999999999999999999"])
    func bdat_ofUnknownLengthEndsTheSession(_ command: String) {
        var bench = SMTPBench.withRecipients()
        #expect(bench.codes(command + "\r\nQUIT\r\n") == [501])
        #expect(bench.closed == .protocolError)
        #expect(bench.messages.isEmpty)
    }

    @Test func lmtp_answersPerRecipient() {
        var bench = SMTPBench.withRecipients(smtpServerConfiguration(.lmtp, .none), count: 3, policy: { _ in nil })
        #expect(bench.codes("DATA\r\nhello\r\n.\r\n") == [354])
        bench.answer(
            .perRecipient([
                SMTPReply(250, nil, "one"), SMTPReply(452, EnhancedCode(4, 2, 2), "two"), SMTPReply(250, nil, "three"),
            ]))
        #expect(bench.take() == "250 one\r\n452 4.2.2 two\r\n250 three\r\n")
        bench.policy = SMTPBench.usual
        let envelope = "MAIL FROM:<>\r\nRCPT TO:<a@b>\r\nRCPT TO:<c@d>\r\n"
        #expect(bench.codes(envelope + "DATA\r\nx\ry\r\n.\r\n") == [250, 250, 250, 354, 550, 550])
        #expect(bench.codes(envelope + "BDAT 2\r\nabBDAT 1 LAST\r\nc") == [250, 250, 250, 250, 250, 250])
    }

    @Test func addresses_areJudged() {
        var bench = SMTPBench.loggedIn()
        let cases: [(String, Int)] = [
            ("MAIL FROM:<>", 550), ("MAIL FROM:alice@node.example", 501), ("MAIL TO:<a@b>", 501), ("MAIL FROM:<a>", 501),
            ("MAIL FROM:<\"a b\"@c>", 501), ("MAIL FROM:<a@b>x", 501), ("MAIL FROM:<a@b> SIZE=x", 501),
            ("MAIL FROM:<a@b> SIZE=1 SIZE=2", 501), ("MAIL FROM:<a@b> FOO=1", 555), ("MAIL FROM:<a@b> SIZE=33554433", 552),
            ("MAIL FROM:<a@b> BODY=BINARYMIME", 501), ("MAIL FROM:<m\u{fc}ller@b>", 553), ("MAIL FROM:<a@b> ENVID=a=b", 501),
            ("MAIL FROM:<a@b> ENVID=+0D+0A", 501), ("MAIL FROM:<m\u{fc}ller@b> SMTPUTF8", 250), ("RSET", 250),
            ("mail from: <@relay,@relay2:a@b> size=33554432", 250), ("RCPT TO:<m\u{fc}ller@b>", 553), ("RCPT TO:<>", 501),
            ("RCPT TO:<a@b> NOTIFY=NEVER,DELAY", 501), ("RCPT TO:<a@b> ORCPT=x", 501), ("RCPT TO:<a@b> SIZE=1", 555),
            ("RCPT TO:<Postmaster>", 250), ("RCPT TO:<nobody@b>", 550),
        ]
        for (command, code) in cases { #expect(bench.codes(command + "\r\n") == [code], "\(command)") }
        #expect(bench.codes("DATA\r\n.\r\n") == [354, 250])
        #expect(bench.messages.last?.envelope.recipients == [Recipient(smtpAddress("postmaster@node.example"))])
        #expect(bench.messages.last?.body == [])
    }

    @Test(arguments: [
        ("A.B@Node.Example", "<A.B@Node.Example>"), ("\"john doe\"@c", "<\"john doe\"@c>"),
        ("root@[192.0.2.1]", "<root@[192.0.2.1]>"), ("a..b@c", "<a..b@c>"), ("prvs=1aB/x=\(String(repeating: "v", count: 90))@c", nil), ("a@b", "<a@b>"), ("", "<>"),
        ("@relay:a@b", "<a@b>"), ("\"a\\\"@b\"@c", "<\"a\\\"@b\"@c>"),
    ])
    func lmtp_takesAnySenderAsWritten(_ sender: String, _ wanted: String?) {
        var bench = SMTPBench(smtpServerConfiguration(.lmtp, .none))
        bench.feed("LHLO mta\r\n")
        #expect(bench.codes("MAIL FROM:<\(sender)>\r\nRCPT TO:<c@d>\r\nDATA\r\n.\r\n").suffix(2) == [354, 250])
        #expect(bench.messages.first?.envelope.reversePath.description == wanted ?? "<\(sender)>")
        var member = SMTPBench.loggedIn()
        let isOfThisKind = MailAddress(sender) != nil || sender.hasPrefix("@")
        #expect(member.codes("MAIL FROM:<\(sender)>\r\n") == [isOfThisKind ? 250 : sender.isEmpty ? 550 : 501])
    }

    @Test func lmtp_refusesWhatIsNoSender() {
        var bench = SMTPBench(smtpServerConfiguration(.lmtp, .none))
        bench.feed("LHLO mta\r\n")
        _ = bench.take()
        for sender in ["a", "a@", "@b", "a@b c", "a@b\"", "<a@b>", "a@b\\"] {
            #expect(bench.codes("MAIL FROM:<\(sender)>\r\n") == [501], "\(sender)")
        }
        #expect(bench.codes("MAIL FROM:<\"m\u{fc}ller x\"@b>\r\n") == [553])
        #expect(bench.codes("MAIL FROM:<\"m\u{fc}ller x\"@b> SMTPUTF8\r\n") == [250])
    }

    @Test func replies_carryTheOwnersWordsAndNothingElse() {
        var bench = SMTPBench.loggedIn(policy: { _ in .declined(SMTPReply(550, EnhancedCode(5, 7, 1), "Say \u{fc}\r\n250 no")) }
        )
        bench.feed("MAIL FROM:<a@b>\r\n")
        #expect(bench.take() == "550 5.7.1 Say ???250 no\r\n")
        bench.feed("MAIL FROM:<a@b> SMTPUTF8\r\n")
        #expect(bench.take() == "550 5.7.1 Say \u{fc}??250 no\r\n")
        let long = SMTPReply(250, nil, String(repeating: "x", count: 1200)).encoded()
        #expect(long.split(separator: 0x0a).allSatisfy { $0.count < SMTPReply.lineBytesMax })
        #expect(long.starts(with: Array("250-x".utf8)))
    }

    @Test func oneFailedTransactionLeavesTheSessionUsable() {
        var bench = SMTPBench.withRecipients(policy: { question in
            guard question == .endOfMessage else { return SMTPBench.usual(question) }
            return .message(SMTPReply(452, EnhancedCode(4, 3, 1), "The disk is full"))
        })
        #expect(bench.codes("DATA\r\nx\r\n.\r\n") == [354, 452])
        #expect(bench.codes("MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\ny\r\n.\r\n") == [250, 250, 354, 452])
    }

    @Test func rsetAndEHLO_giveUpAnOpenMessage() {
        for command in ["RSET\r\n", "EHLO c\r\n", "QUIT\r\n"] {
            var bench = SMTPBench.withRecipients()
            bench.feed("BDAT 3\r\nabc")
            #expect(bench.openMessage != nil)
            bench.feed(command)
            #expect(bench.openMessage == nil && bench.abandoned == 1)
            #expect(bench.messages.isEmpty)
        }
    }
}
