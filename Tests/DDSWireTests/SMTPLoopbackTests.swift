// A submission session without TLS, as the agent's gateway has it, and AUTH LOGIN, which that is the first to need.

import DDSCore
import DDSTestKit
import DDSWire
import Testing

@Suite struct SMTPLoopbackTests {
    static func configuration(
        _ tls: SMTPServerConfiguration.TLS = .loopback, offersLogin: Bool = true
    ) -> SMTPServerConfiguration {
        var configuration = smtpServerConfiguration(.submission, tls)
        configuration.offersLogin = offersLogin
        return configuration
    }

    private static func greeted(_ configuration: SMTPServerConfiguration = configuration()) -> SMTPBench {
        var bench = SMTPBench(configuration)
        bench.feed("EHLO client.example\r\n")
        bench.sent = ""
        return bench
    }

    private static let name = smtpBase64("alice")
    private static let password = smtpBase64("secret")

    @Test func ehlo_saysWhatCanBeUsed() {
        var bench = SMTPBench(Self.configuration())
        _ = bench.take()
        bench.feed("EHLO client.example\r\n")
        #expect(
            bench.take().split(separator: "\r\n").map { String($0.dropFirst(4)) } == [
                "node.example", "PIPELINING", "SIZE 33554432", "8BITMIME", "SMTPUTF8", "CHUNKING", "ENHANCEDSTATUSCODES", "DSN",
                "AUTH PLAIN LOGIN",
            ])
        #expect(bench.codes("STARTTLS\r\n") == [502])
        #expect(bench.codes("AUTH EXTERNAL =\r\n") == [504])
        var inTLS = Self.greeted(Self.configuration(.implicit))
        inTLS.feed("EHLO client.example\r\n")
        #expect(inTLS.take().contains("250 AUTH PLAIN LOGIN\r\n"))
        // Nobody is told of a login before TLS, and nobody may use one.
        var clear = Self.greeted(Self.configuration(.startTLSRequired))
        clear.feed("EHLO client.example\r\n")
        #expect(!clear.take().contains("AUTH"))
        #expect(clear.codes("AUTH LOGIN\r\n") == [530])
    }

    /// Columns: fresh, anonymous, ready, sender, recipients, chunks.
    @Test(arguments: 1..<7) func everyPhase_isThatOfASessionInTLS(_ phase: Int) {
        for (command, codes) in SMTPServerDialogTests.table where command != "STARTTLS" {
            var bench = SMTPBench(Self.configuration(offersLogin: false))
            bench.feed(SMTPServerDialogTests.scripts[phase])
            #expect(bench.codes(command + "\r\n") == [codes[phase]], "\(command) in phase \(phase)")
        }
    }

    @Test func login_isADialogueOfTwoLines() {
        for (text, codes) in [
            ("AUTH LOGIN\r\n\(Self.name)\r\n\(Self.password)\r\n", [334, 334, 235]),
            ("auth login \(Self.name)\r\n\(Self.password)\r\n", [334, 235]),
            ("AUTH LOGIN\r\n*\r\n", [334, 501]), ("AUTH LOGIN\r\n\(Self.name)\r\n*\r\n", [334, 334, 501]),
            ("AUTH LOGIN\r\n!\r\n", [334, 501]), ("AUTH LOGIN !\r\n", [501]),
            ("AUTH LOGIN\r\n\(Self.name)\r\n!\r\n", [334, 334, 501]),
            ("AUTH LOGIN\r\n\r\n\(Self.password)\r\n", [334, 334, 501]),
            ("AUTH LOGIN\r\n\(Self.name)\r\n\r\n", [334, 334, 501]),
            ("AUTH LOGIN a b\r\n", [501]), ("AUTH LOGIN\r\nx\ny\r\n", [334, 501]),
            // A NUL would put words into another's mouth.
            ("AUTH LOGIN\r\n\(smtpBase64("alice\0secret"))\r\n\(smtpBase64(""))\r\n", [334, 334, 501]),
            ("AUTH LOGIN\r\n\(smtpBase64("alice\0"))\r\n\(Self.password)\r\n", [334, 334, 501]),
        ] {
            var bench = Self.greeted()
            #expect(bench.codes(text + "NOOP\r\n") == codes + [250], "\(text)")
        }
        var bench = Self.greeted()
        bench.feed("AUTH LOGIN\r\n\(Self.name)\r\n")
        #expect(bench.take() == "334 VXNlcm5hbWU6\r\n334 UGFzc3dvcmQ6\r\n")
    }

    @Test func wrongPasswords_areDelayedAndCounted() {
        var bench = Self.greeted()
        for attempt in 1...3 {
            bench.feed("AUTH LOGIN \(Self.name)\r\n\(smtpBase64("guess"))\r\nNOOP\r\n")
            #expect(SMTPBench.codes(bench.take()) == [334])
            bench.runDelay()
            #expect(SMTPBench.codes(bench.take()) == (attempt < 3 ? [535, 250] : [535, 421]))
        }
        #expect(bench.closed == .protocolError)
    }

    @Test func limits_areThoseOfTheOtherLogins() {
        for (length, code) in [(12_288, 501), (12_289, 500)] {
            var bench = Self.greeted()
            // Not base64, but read.
            #expect(
                bench.codes("AUTH LOGIN\r\n" + String(repeating: "!", count: length - 2) + "\r\nNOOP\r\n") == [334, code, 250])
            #expect(
                bench.codes("AUTH LOGIN \(Self.name)\r\n" + String(repeating: "!", count: length - 2) + "\r\nNOOP\r\n")
                    == [334, code, 250])
        }
    }

    @Test func timeEnds_andDrain_closeADialogue() {
        for text in ["AUTH LOGIN\r\n", "AUTH LOGIN\r\n\(Self.name)\r\n"] {
            var bench = Self.greeted()
            bench.feed(text)
            _ = bench.take()
            bench.handle(.timer(.idle))
            #expect(SMTPBench.codes(bench.take()) == [421] && bench.closed == .timeout)
            var drained = Self.greeted()
            drained.feed(text)
            _ = drained.take()
            drained.handle(.drain)
            #expect(SMTPBench.codes(drained.take()) == [421] && drained.closed == .draining)
            var ended = Self.greeted()
            ended.feed(text)
            ended.handle(.endOfInput)
            #expect(ended.closed == .endOfInput)
        }
    }

    @Test func aLoginThatIsDeclined_hasItsWords_andMayBeTriedAgain() {
        var isLocked = true
        var bench = Self.greeted()
        bench.policy = { question in
            if case .authenticate = question, isLocked {
                return .declined(SMTPReply(454, EnhancedCode(4, 7, 0), "The agent is locked"))
            }
            return SMTPBench.usual(question)
        }
        bench.feed(smtpPlainLogin)
        #expect(bench.take() == "454 4.7.0 The agent is locked\r\n")
        isLocked = false
        #expect(bench.codes(smtpPlainLogin) == [235])
    }

    @Test func dialogues_areTheSameHoweverTheyArrive() {
        let text =
            "EHLO c\r\nAUTH LOGIN\r\n*\r\nAUTH LOGIN\r\n\(Self.name)\r\n\(Self.password)\r\nMAIL FROM:<a@b>\r\n"
            + "RCPT TO:<c@d>\r\nRSET\r\nSTARTTLS\r\nQUIT\r\n"
        func run(_ pieces: [ArraySlice<UInt8>]) -> String {
            var bench = SMTPBench(Self.configuration())
            for piece in pieces { bench.feed(Array(piece)) }
            return "\(bench.sent) \(String(describing: bench.closed))"
        }
        let bytes = Array(text.utf8)
        let whole = run([bytes[...]])
        #expect(whole.contains("235 ") && whole.contains("221 "))
        for split in 0...bytes.count { #expect(run([bytes[..<split], bytes[split...]]) == whole, "split at \(split)") }
        #expect(run(bytes.indices.map { bytes[$0...$0] }) == whole)
    }
}
