// The client machine against scripted servers and against the server machine.

import DDSCore
import DDSTestKit
import DDSWire
import Testing

typealias SMTPClientAction = WireAction<Never, SMTPClientEffect>

/// One client session, driven by hand.
struct SMTPClientBench {
    var session: SMTPClientSession
    var time = ManualTime()
    var sent: [UInt8] = []
    var outcomes: [SMTPOutcome] = []
    var heard: [[String]] = []
    var closed: CloseReason?
    var startedTLS = false
    var due: Instant?

    init(_ configuration: SMTPClientConfiguration) {
        session = SMTPClientSession(configuration: configuration)
        if configuration.tls == .implicit { handle(.tlsEstablished(smtpPeer)) }
        var actions: [SMTPClientAction] = []
        session.start(now: time.now, into: &actions)
        perform(actions)
    }

    mutating func feed(_ text: String) { feed(Array(text.utf8)) }

    mutating func feed(_ bytes: [UInt8]) {
        var actions: [SMTPClientAction] = []
        session.receive(bytes[...], now: time.now, into: &actions)
        perform(actions)
    }

    mutating func handle(_ event: WireEvent<Never>) {
        var actions: [SMTPClientAction] = []
        session.handle(event, now: time.now, into: &actions)
        perform(actions)
    }

    mutating func take() -> String {
        defer { sent = [] }
        return String(decoding: sent, as: UTF8.self)
    }

    private mutating func perform(_ actions: [SMTPClientAction]) {
        for action in actions {
            switch action {
            case .send(let bytes): sent += bytes
            case .perform(.finished(let outcome)): outcomes.append(outcome)
            case .perform(.heard(let lines)): heard.append(lines)
            case .setTimer(_, let instant): due = instant
            case .cancelTimer: due = nil
            case .startTLS: startedTLS = true
            case .close(let reason): closed = reason
            }
        }
    }
}

func smtpClientConfiguration(
    to recipients: [String] = ["bob@node.example"], _ message: String = "Subject: x\r\n\r\n.hidden\r\n",
    tls: SMTPClientConfiguration.TLS = .implicit, credentials: Credentials? = .external(authzid: nil),
    flavour: SMTPClientConfiguration.Flavour = .submission
) -> SMTPClientConfiguration {
    SMTPClientConfiguration(
        clientName: "[127.0.0.1]", tls: tls, credentials: credentials,
        envelope: Envelope(
            reversePath: .address(smtpAddress("alice@node.example")),
            recipients: recipients.map { Recipient(smtpAddress($0)) }),
        message: Array(message.utf8), flavour: flavour)
}

@Suite struct SMTPClientTests {
    static let hello = "250-node\r\n250-PIPELINING\r\n250-SIZE 1000\r\n250 AUTH EXTERNAL PLAIN\r\n"

    @Test func plainServer_getsDATAWithDots() {
        var bench = SMTPClientBench(smtpClientConfiguration())
        #expect(bench.take() == "")
        bench.feed("220 node\r\n")
        #expect(bench.take() == "EHLO [127.0.0.1]\r\n")
        bench.feed("250-node\r\n250 AUTH EXTERNAL\r\n")
        #expect(bench.take() == "AUTH EXTERNAL =\r\n")
        bench.feed("235 ok\r\n")
        #expect(bench.take() == "MAIL FROM:<alice@node.example>\r\n")
        bench.feed("250 ok\r\n")
        #expect(bench.take() == "RCPT TO:<bob@node.example>\r\n")
        bench.feed("250 ok\r\n")
        #expect(bench.take() == "DATA\r\n")
        bench.feed("354 go\r\n")
        #expect(bench.take() == "Subject: x\r\n\r\n..hidden\r\n.\r\n")
        #expect(bench.outcomes.isEmpty)
        bench.feed("250 2.6.0 Queued\r\n")
        #expect(bench.outcomes == [.delivered([SMTPReply(250, EnhancedCode(2, 6, 0), "Queued")])])
        #expect(bench.take() == "QUIT\r\n")
        bench.feed("221 bye\r\n")
        #expect(bench.closed == .quit && bench.due == nil)
    }

    @Test func pipeliningServer_getsTheEnvelopeAtOnce() {
        var bench = SMTPClientBench(
            smtpClientConfiguration(
                to: ["a@b", "c@d", "e@f"],
                credentials: .plain(
                    authzid: nil, authcid: "alice", password: Redacted(Array("secret".utf8)))))
        bench.feed("220 node\r\n" + Self.hello)
        #expect(bench.take().hasSuffix(smtpPlainLogin))
        bench.feed("235 ok\r\n")
        #expect(
            bench.take() == "MAIL FROM:<alice@node.example> SIZE=23\r\nRCPT TO:<a@b>\r\nRCPT TO:<c@d>\r\nRCPT TO:<e@f>\r\n")
        bench.feed("250 ok\r\n550 5.1.1 who\r\n250 ok\r\n451 4.2.0 later\r\n")
        #expect(bench.take() == "DATA\r\n")
        bench.feed("354 go\r\n250 taken\r\n")
        #expect(
            bench.outcomes == [
                .delivered([
                    SMTPReply(550, EnhancedCode(5, 1, 1), "who"), SMTPReply(250, nil, "taken"),
                    SMTPReply(451, EnhancedCode(4, 2, 0), "later"),
                ])
            ])
    }

    /// Replies up to a stage, then the one that counts.
    static let refusals: [(String, SMTPStage, Bool)] = [
        ("554 no\r\n", .greeting, false), ("421 busy\r\n", .greeting, false), ("220 x\r\n500 no\r\n", .hello, false),
        ("220 x\r\n250 node\r\n", .authentication, false), ("220 x\r\n\(hello)535 no\r\n", .authentication, false),
        ("220 x\r\n\(hello)235 y\r\n550 no\r\n503 z\r\n", .sender, true),
        ("220 x\r\n\(hello)235 y\r\n451 no\r\n503 z\r\n", .sender, false),
        ("220 x\r\n\(hello)235 y\r\n250 y\r\n550 no\r\n", .recipients, true),
        ("220 x\r\n\(hello)235 y\r\n250 y\r\n450 no\r\n", .recipients, false),
        ("220 x\r\n\(hello)235 y\r\n250 y\r\n250 y\r\n554 no\r\n", .data, true),
        ("220 x\r\n\(hello)235 y\r\n250 y\r\n250 y\r\n354 y\r\n552 no\r\n", .message, true),
        ("220 x\r\n\(hello)235 y\r\n250 y\r\n250 y\r\n354 y\r\n452 no\r\n", .message, false),
        ("220 x\r\n\(hello)235 y\r\n250 y\r\n250 y\r\n354 y\r\n421 no\r\n", .message, false),
        ("220 x\r\n250-node\r\n250-AUTH EXTERNAL\r\n250 SIZE 22\r\n235 y\r\n", .sender, true),
    ]

    @Test(arguments: 0..<14) func refusals_nameStageAndHope(_ index: Int) {
        let (script, stage, permanent) = Self.refusals[index]
        for piecewise in [false, true] {
            var bench = SMTPClientBench(smtpClientConfiguration())
            if piecewise { for byte in script.utf8 { bench.feed([byte]) } } else { bench.feed(script) }
            guard case .refused(stage, let reply, permanent: permanent)? = bench.outcomes.first, bench.outcomes.count == 1
            else {
                Issue.record("\(script): \(bench.outcomes)")
                return
            }
            #expect((bench.closed == nil) == (reply.code != 421))
            bench.handle(.endOfInput)
            #expect(bench.outcomes.count == 1 && bench.closed != nil)
        }
    }

    static let steps = ["220 x\r\n", hello, "235 y\r\n", "250 y\r\n", "250 y\r\n", "354 y\r\n"]
    static let stages: [SMTPStage] = [.greeting, .hello, .authentication, .sender, .recipients, .data, .message]

    @Test(arguments: 0..<7) func lostLines_nameTheStage(_ count: Int) {
        for event in [WireEvent<Never>.endOfInput, .timer(.idle), .drain] {
            var bench = SMTPClientBench(smtpClientConfiguration())
            for step in Self.steps.prefix(count) { bench.feed(step) }
            #expect(bench.due != nil)
            bench.handle(event)
            if case .drain = event, count == 6 {
                #expect(bench.outcomes.isEmpty && bench.closed == nil)
                bench.feed("250 taken\r\n")
                #expect(bench.outcomes == [.delivered([SMTPReply(250, nil, "taken")])])
            } else {
                #expect(bench.outcomes == [.lost(Self.stages[count])])
                #expect(bench.closed != nil && bench.due == nil)
            }
        }
    }

    @Test(arguments: [
        "nonsense\r\n", "250\n", "99 x\r\n", "250-a\r\n251 b\r\n", "250 a\r\n250 unasked\r\n", "354 go\r\n", "6000\r\n",
    ]) func nonsense_endsIt(_ text: String) {
        var bench = SMTPClientBench(smtpClientConfiguration(credentials: nil))
        bench.feed("220 x\r\n250 node\r\n" + text + "250 b\r\n250 c\r\n250 d\r\n")
        #expect(bench.closed == .protocolError)
        guard case .lost? = bench.outcomes.first else {
            Issue.record("\(bench.outcomes)")
            return
        }
    }

    @Test func endlessReplies_areCutShort() {
        var bench = SMTPClientBench(smtpClientConfiguration())
        bench.feed("220 x\r\n" + String(repeating: "250-more\r\n", count: 1000))
        #expect(bench.outcomes == [.lost(.hello)])
        var long = SMTPClientBench(smtpClientConfiguration())
        long.feed("220 " + String(repeating: "x", count: 100_000))
        #expect(long.session.bufferedBytes <= SMTPClientSession.replyLineBytesMax)
        long.feed("\r\n")
        #expect(long.outcomes == [.lost(.greeting)])
    }

    @Test func startTLS_isInsistedOn() {
        var bench = SMTPClientBench(smtpClientConfiguration(tls: .startTLS))
        bench.feed("220 x\r\n250-node\r\n250 AUTH EXTERNAL\r\n")
        guard case .refused(.startTLS, _, permanent: false)? = bench.outcomes.first else {
            Issue.record("\(bench.outcomes)")
            return
        }
        #expect(bench.take() == "EHLO [127.0.0.1]\r\nQUIT\r\n")
    }

    @Test func startTLS_injectedRepliesAreNotBelieved() {
        var bench = SMTPClientBench(smtpClientConfiguration(tls: .startTLS))
        bench.feed("220 x\r\n250-node\r\n250 STARTTLS\r\n220 go\r\n250 AUTH EXTERNAL\r\n")
        #expect(bench.outcomes == [.lost(.startTLS)] && !bench.startedTLS && bench.closed == .protocolError)
    }

    @Test func startTLS_capabilitiesAreAskedAgain() {
        var bench = SMTPClientBench(smtpClientConfiguration(tls: .startTLS))
        bench.feed("220 x\r\n250-node\r\n250-AUTH EXTERNAL\r\n250 STARTTLS\r\n220 go\r\n")
        #expect(bench.startedTLS)
        bench.feed("250 AUTH EXTERNAL\r\n")
        _ = bench.take()
        bench.handle(.tlsEstablished(smtpPeer))
        #expect(bench.take() == "EHLO [127.0.0.1]\r\n")
        bench.feed("250 node\r\n")
        guard case .refused(.authentication, _, permanent: false)? = bench.outcomes.first else {
            Issue.record("\(bench.outcomes)")
            return
        }
    }

    @Test func probe_tellsTheOffersInsideTLSAndSendsNoMail() {
        var configuration = smtpClientConfiguration(tls: .startTLS)
        configuration.isProbe = true
        var listener = smtpServerConfiguration(.submission, .startTLSRequired)
        listener.extraCapabilities = ["XNODE age1"]
        var server = SMTPBench(listener, peer: smtpKeyedPeer)
        var client = SMTPClientBench(configuration)
        SMTPPairTests.converse(&client, &server, random: SeededRandom(seed: 3))
        guard case .offered(let lines)? = client.outcomes.first, client.outcomes.count == 1 else {
            Issue.record("\(client.outcomes)")
            return
        }
        #expect(lines.first == "node.example" && lines.contains("XNODE age1"))
        #expect(server.questions.isEmpty && server.messages.isEmpty && client.closed == .quit)
        var clear = SMTPBench(listener)
        clear.feed("EHLO c\r\n")
        #expect(!clear.take().contains("XNODE"))
    }

    /// Inside TLS only, once, before the message goes, and only where somebody wants to hear it.
    @Test(arguments: [SMTPClientConfiguration.TLS.implicit, .startTLS])
    func delivery_tellsTheOffersInsideTLS(_ tls: SMTPClientConfiguration.TLS) {
        for isWanted in [true, false] {
            var configuration = smtpClientConfiguration(tls: tls)
            configuration.wantsOffer = isWanted
            var listener = smtpServerConfiguration(.submission, tls == .implicit ? .implicit : .startTLSRequired)
            listener.extraCapabilities = ["XNODE age1"]
            var server = SMTPBench(listener, peer: smtpKeyedPeer)
            var client = SMTPClientBench(configuration)
            SMTPPairTests.converse(&client, &server, random: SeededRandom(seed: 4))
            #expect(client.heard.count == (isWanted ? 1 : 0) && server.messages.count == 1 && client.outcomes.count == 1)
            #expect(client.heard.allSatisfy { $0.first == "node.example" && $0.contains("XNODE age1") })
        }
    }

    @Test func utf8_needsTheServersConsent() {
        var bench = SMTPClientBench(smtpClientConfiguration(to: ["m\u{fc}ller@b"], "x: \u{fc}\r\n", credentials: nil))
        bench.feed("220 x\r\n250-node\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n")
        #expect(bench.take().hasSuffix("MAIL FROM:<alice@node.example> BODY=8BITMIME SMTPUTF8\r\n"))
        for (offer, code) in [("250 SMTPUTF8", 554), ("250 8BITMIME", 553)] {
            var other = SMTPClientBench(smtpClientConfiguration(to: ["m\u{fc}ller@b"], "x: \u{fc}\r\n", credentials: nil))
            other.feed("220 x\r\n250-node\r\n\(offer)\r\n")
            guard case .refused(.sender, let reply, permanent: true)? = other.outcomes.first else {
                Issue.record("\(other.outcomes)")
                return
            }
            #expect(reply.code == code)
        }
    }

    @Test func lmtp_collectsAReplyPerRecipient() {
        var configuration = smtpClientConfiguration(to: ["a@b", "c@d", "e@f"], tls: .none, credentials: nil, flavour: .lmtp)
        configuration.envelope.reversePath = .null
        var bench = SMTPClientBench(configuration)
        bench.feed("220 x\r\n250-node\r\n250-PIPELINING\r\n250 CHUNKING\r\n250 y\r\n250 y\r\n550 who\r\n250 y\r\n")
        let envelope = "MAIL FROM:<>\r\nRCPT TO:<a@b>\r\nRCPT TO:<c@d>\r\nRCPT TO:<e@f>\r\n"
        #expect(bench.take().hasSuffix(envelope + "BDAT 23 LAST\r\nSubject: x\r\n\r\n.hidden\r\n"))
        bench.feed("250 one\r\n")
        #expect(bench.outcomes.isEmpty)
        var cut = bench
        cut.feed("421 dying\r\n")
        #expect(cut.outcomes == [.lost(.message)])
        bench.feed("452 full\r\n")
        let replies = [SMTPReply(250, nil, "one"), SMTPReply(550, nil, "who"), SMTPReply(452, nil, "full")]
        #expect(bench.outcomes == [.delivered(replies)])
    }

    @Test(arguments: [
        ("", ".\r\n"), (".", "..\r\n.\r\n"), ("a", "a\r\n.\r\n"), ("a\r\n", "a\r\n.\r\n"), (".\r\n.\r\n", "..\r\n..\r\n.\r\n"),
        ("a\n.b\r\n", "a\n.b\r\n.\r\n"), ("a\r\n..b", "a\r\n...b\r\n.\r\n"), ("\r\n", "\r\n.\r\n"), ("\n", "\n\r\n.\r\n"),
    ]) func dotStuffing(_ message: String, _ wire: String) {
        #expect(String(decoding: SMTPDotStuffing.encode(Array(message.utf8)), as: UTF8.self) == wire)
    }

    @Test(arguments: Array(UInt64(1)...200)) func dotStuffing_isUndoneByTheReader(_ seed: UInt64) {
        let random = SeededRandom(seed: seed)
        let parts = ["\r\n", ".", "a", "..", "\r\n.\r\n"]
        let message = Array((0..<random.below(12)).map { _ in parts[random.below(parts.count)] }.joined().utf8)
        let wire = SMTPDotStuffing.encode(message)
        var reader = SMTPBodyReader(isDotStuffed: true, repairsBareLF: false, bytesMax: 1000)
        var output: [UInt8] = []
        #expect(reader.read((wire + [0x51])[...], into: &output) == wire.count)
        #expect(reader.isAtEnd && reader.fault == nil)
        let isWhole = message.isEmpty || message.suffix(2).elementsEqual([0x0d, 0x0a])
        #expect(output == (isWhole ? message : message + [0x0d, 0x0a]))
    }
}
