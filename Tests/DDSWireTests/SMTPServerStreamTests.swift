// The same dialogue however it is cut, limits on both sides of the edge, and noise.

import DDSCore
import DDSTestKit
import DDSWire
import Testing

@Suite struct SMTPServerStreamTests {
    static let dialogue = """
        EHLO client.example\r
        AUTH PLAIN\r
        \(smtpBase64("\0alice\0secret"))\r
        NO\nOP\r
        MAIL FROM:<m\u{fc}ller@node.example> SMTPUTF8 BODY=8BITMIME\r
        RCPT TO:<bob@node.example>\r
        RCPT TO:<nobody@node.example>\r
        DATA\r
        Subject: one\r
        \r
        ..\r
        ...\r
        \r
        .\r
        RSET\r
        MAIL FROM:<alice@node.example>\r
        RCPT TO:<bob@node.example>\r
        BDAT 9\r
        Subject:\rBDAT 6 LAST\r
        \n\r
        .\r
        MAIL FROM:<alice@node.example>\r
        RCPT TO:<bob@node.example>\r
        DATA\r
        lone \r and \n and\r.\r
        .\r
        FROB\r
        QUIT\r
        trailing
        """

    struct Result: Hashable {
        var sent: String
        var messages: [SMTPBench.Message]
        var abandoned: Int
        var closed: CloseReason?
    }

    static func run(_ pieces: [ArraySlice<UInt8>], answerLate: Bool = false) -> Result {
        var bench = SMTPBench(policy: { question in answerLate ? nil : SMTPBench.usual(question) })
        for piece in pieces {
            bench.feed(Array(piece))
            while answerLate, let (_, question) = bench.questions.first, let answer = SMTPBench.usual(question) {
                bench.answer(answer)
            }
        }
        return Result(sent: bench.sent, messages: bench.messages, abandoned: bench.abandoned, closed: bench.closed)
    }

    @Test func everyTwoWaySplitAndByteByByte_giveTheSame() {
        let bytes = Array(Self.dialogue.utf8)
        let whole = Self.run([bytes[...]])
        #expect(
            SMTPBench.codes(whole.sent)
                == [220, 250, 334, 235, 500, 250, 250, 550, 354, 250, 250, 250, 250, 250, 250, 250, 250, 354, 550, 500, 221])
        #expect(whole.messages.map(\.text) == ["Subject: one\r\n\r\n.\r\n..\r\n\r\n", "Subject:\r\n\r\n.\r\n"])
        #expect(whole.closed == .quit && whole.abandoned == 1)
        for split in bytes.indices { #expect(Self.run([bytes[..<split], bytes[split...]]) == whole, "split at \(split)") }
        #expect(Self.run(bytes.indices.map { bytes[$0...$0] }) == whole)
        #expect(Self.run([bytes[...]], answerLate: true) == whole)
        #expect(Self.run(bytes.indices.map { bytes[$0...$0] }, answerLate: true) == whole)
    }

    // MARK: Limits

    @Test(arguments: [-1, 0, 1]) func messageSize(_ offset: Int) {
        var configuration = smtpServerConfiguration()
        configuration.limits.messageBytesMax = 100
        let body = String(repeating: "x", count: 98 + offset) + "\r\n"
        let code = offset > 0 ? 552 : 250
        var bench = SMTPBench.withRecipients(configuration)
        #expect(bench.codes("DATA\r\n.\(body).\r\nNOOP\r\n") == [354, code, 250])
        bench.feed("MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\n")
        #expect(bench.codes("BDAT \(100 + offset) LAST\r\n\(body)NOOP\r\n") == [code, 250])
        bench.feed("MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\n")
        let chunks = "BDAT 50\r\n\(body.prefix(50))BDAT \(50 + offset) LAST\r\n\(body.dropFirst(50))"
        #expect(bench.codes(chunks + "NOOP\r\n") == [250, code, 250])
        #expect(bench.codes("MAIL FROM:<a@b> SIZE=\(100 + offset)\r\n") == [offset > 0 ? 552 : 250])
        #expect(bench.abandoned == (offset > 0 ? 3 : 0))
    }

    @Test(arguments: [-1, 0, 1]) func lineLengths(_ offset: Int) {
        func line(_ head: String, _ tail: String, _ octets: Int) -> String {
            head + String(repeating: "x", count: octets + offset - head.utf8.count - tail.utf8.count - 2) + tail + "\r\n"
        }
        var bench = SMTPBench.loggedIn()
        let isOver = offset > 0
        #expect(bench.codes(line("NOOP ", "", 512)) == [isOver ? 500 : 250])
        #expect(bench.codes(line("MAIL FROM:<a@b> AUTH=", "", 512 + 669)) == [isOver ? 500 : 250])
        bench.feed("MAIL FROM:<a@b>\r\n")
        #expect(bench.codes(line("RCPT TO:<c@d>", "", 512 + 528)) == [isOver ? 500 : 501])
        var stranger = SMTPBench()
        stranger.feed("EHLO c\r\n")
        // One octet more would be no base64 in any case, so the text tells them apart.
        stranger.sent = ""
        stranger.feed(line("AUTH PLAIN ", "", 12_288))
        #expect(stranger.take().hasPrefix(isOver ? "500 5.5.2 The line is too long" : "501 5.5.2 This is"))
        stranger.feed("AUTH PLAIN\r\n" + line("", "", 12_288))
        #expect(stranger.take().hasPrefix(isOver ? "334 \r\n500 5.5.6" : "334 \r\n501 5.5.2"))
        #expect(stranger.codes("NOOP\r\n") == [250])
    }

    @Test(arguments: [-1, 0, 1]) func recipientCount(_ offset: Int) {
        var configuration = smtpServerConfiguration()
        configuration.limits.recipientsMax = 5
        var bench = SMTPBench.withRecipients(configuration, count: 4 + offset)
        #expect(bench.codes("RCPT TO:<last@b>\r\n") == [offset > 0 ? 452 : 250])
        #expect(bench.codes("DATA\r\nx\r\n.\r\n") == [354, 250])
        #expect(bench.messages.last?.envelope.recipients.count == min(5, 5 + offset))
    }

    @Test func bodies_comeInPiecesAndAreNeverStored() {
        var configuration = smtpServerConfiguration(.lmtp, .none)
        configuration.limits.bodyPieceBytesMax = 1000
        var bench = SMTPBench.withRecipients(configuration)
        bench.feed("DATA\r\n")
        for _ in 0..<20 {
            bench.feed(String(repeating: "\n", count: 5000))
            #expect(bench.session.bufferedBytes == 0)
        }
        #expect(bench.codes("\r\n.\r\n") == [250])
        #expect(bench.bodyPieceMax <= 1000 && bench.messages.last?.body.count == 200_002)
    }

    @Test func overlongLines_areNotStored() {
        var bench = SMTPBench()
        for _ in 0..<100 {
            bench.feed(String(repeating: "x", count: 4096))
            #expect(bench.session.bufferedBytes <= 12_288)
        }
        #expect(bench.codes("\r\nNOOP\r\n") == [500, 250])
    }

    // MARK: Noise

    static let words = [
        "EHLO c", "LHLO c", "HELO c", smtpPlainLogin, "AUTH PLAIN\r\n", "AUTH EXTERNAL =", "*", "MAIL FROM:<a@b>",
        "MAIL FROM:<>",
        "MAIL FROM:<\u{fc}@b> SMTPUTF8", "RCPT TO:<c@d>", "RCPT TO:<nobody@d> NOTIFY=NEVER", "DATA", "BDAT 5\r\nab\r\nc",
        "BDAT 0 LAST",
        "BDAT 3 LAST\r\nabc", "RSET", "NOOP", "QUIT", "STARTTLS", "HELP", "VRFY x", ".", "..", "\r\n.\r\n", "\n.\r\n", "\r",
        "\n", "x",
        "\0", "<", ">", " ", "=", "\u{fc}",
    ]

    @Test(arguments: Array(UInt64(1)...40)) func noise_neitherTrapsNorGrowsNorLies(_ seed: UInt64) {
        let random = SeededRandom(seed: seed)
        let flavour: SMTPServerConfiguration.Flavour = random.below(2) == 0 ? .submission : .lmtp
        var configuration = smtpServerConfiguration(flavour, flavour == .lmtp ? .none : .implicit)
        configuration.limits.messageBytesMax = 64
        var bench = SMTPBench(configuration, peer: smtpKeyedPeer, policy: { _ in nil })
        if flavour == .lmtp { bench.feed("LHLO c\r\n") } else { bench.feed("EHLO c\r\n") }
        var queued = 0
        var fed = 0
        var isAnswered = true
        for _ in 0..<600 where bench.closed == nil {
            var text = Self.words[random.below(Self.words.count)]
            if random.below(8) > 0, !text.hasSuffix("\r\n") { text += "\r\n" }
            if random.below(4) == 0 { text = String(text.prefix(random.below(text.count + 1))) }
            if random.below(20) > 0, text.hasPrefix("QUIT") { text = "NOOP\r\n" }
            let sentBefore = bench.sent
            bench.feed(text)
            fed += text.utf8.count
            if !isAnswered { #expect(bench.sent == sentBefore, "nothing is said behind an open question") }
            if random.below(3) > 0, let question = bench.questions.first?.question {
                if question == .endOfMessage { queued += 1 }
                bench.answer(SMTPBench.usual(question) ?? .refused)
                if bench.timers[.delay] != nil { bench.runDelay() }
            }
            isAnswered = bench.questions.isEmpty
            if isAnswered { #expect(bench.session.bufferedBytes <= 12_288) }
        }
        #expect(bench.sent.split(separator: "\r\n").filter { $0.contains("2.6.0 Queued") }.count >= (queued > 0 ? 1 : 0))
        #expect(queued > 0 || !bench.sent.contains("2.6.0 Queued"))
        bench.handle(.endOfInput)
        #expect(bench.openMessage == nil || bench.closed == nil)
    }

    @Test(arguments: Array(UInt64(1)...20)) func bytes_ofAnyKindAreSurvived(_ seed: UInt64) {
        let random = SeededRandom(seed: seed)
        var bench = SMTPBench.withRecipients(smtpServerConfiguration(.lmtp, .none))
        let alphabet: [UInt8] = [0x0d, 0x0a, 0x2e, 0x61, 0xff, 0]
        if random.below(2) == 0 { bench.feed("DATA\r\n") }
        for _ in 0..<200 {
            bench.feed((0..<random.below(40)).map { _ in alphabet[random.below(alphabet.count)] })
            #expect(bench.session.bufferedBytes <= 2048)
        }
    }
}
