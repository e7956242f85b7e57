// A POP3 session without TLS, as the agent's gateway has it: logins in clear, no extensions, and reads that are told.

import DDSCore
import DDSTestKit
import DDSWire
import Testing

@Suite struct POP3LoopbackTests {
    private typealias Model = POP3ServerModel

    private static func model() -> Model {
        let model = Model()
        model.configure = {
            $0.extraCapabilities = []
            $0.hasExtensions = false
            $0.keepsMail = true
            $0.tellsRetrievals = true
        }
        return model
    }

    private static func harness(_ model: Model) -> SessionHarness<POP3ServerSession> {
        var harness = model.harness(tls: .loopback)
        harness.start()
        _ = harness.takeOutput()
        return harness
    }

    private static func loggedIn(_ model: Model) -> SessionHarness<POP3ServerSession> {
        var harness = harness(model)
        harness.receive("USER bob\r\nPASS secret word\r\n")
        _ = harness.takeOutput()
        return harness
    }

    @Test func capabilities_areThoseThatCanBeUsed() {
        var harness = Self.harness(Self.model())
        harness.receive("CAPA\r\n")
        let lines = harness.takeText().split(separator: "\r\n").map(String.init)
        #expect(
            lines == [
                "+OK", "TOP", "UIDL", "RESP-CODES", "AUTH-RESP-CODE", "PIPELINING", "EXPIRE NEVER", "USER", "SASL PLAIN",
                "IMPLEMENTATION ddsnode", ".",
            ])
    }

    @Test func everyCommandInEveryState() {
        // Command, then the reply before login, and after it.
        let table: [(String, String, String)] = [
            ("CAPA", "+OK", "+OK"), ("STLS", "-ERR TLS is not offered here", "-ERR Not after login"),
            ("USER bob", "+OK", "-ERR Not after login"), ("PASS x", "-ERR USER comes first", "-ERR Not after login"),
            ("AUTH PLAIN AGJvYgBzZWNyZXQgd29yZA==", "+OK 2 messages", "-ERR Not after login"),
            ("AUTH EXTERNAL =", "-ERR Mechanism not available", "-ERR Not after login"),
            ("XDDS-WAIT 10", "-ERR Unknown command", "-ERR Unknown command"),
            ("XDDS-HEAD", "-ERR Unknown command", "-ERR Unknown command"), ("NOOP", "-ERR Log in first", "+OK"),
            ("STAT", "-ERR Log in first", "+OK 2 63"), ("RETR 1", "-ERR Log in first", "+OK 43 octets"),
            ("TOP 1 1", "-ERR Log in first", "+OK Header"), ("DELE 1", "-ERR Log in first", "+OK Deleted"),
            ("RSET", "-ERR Log in first", "+OK 2"), ("QUIT", "+OK", "+OK"),
        ]
        for (command, before, after) in table {
            for (isLoggedIn, reply) in [(false, before), (true, after)] {
                let model = Self.model()
                var harness = isLoggedIn ? Self.loggedIn(model) : Self.harness(model)
                harness.receive(command + "\r\n")
                let text = harness.takeText()
                #expect(text.hasPrefix(reply), "\(command): \(text)")
                harness.deliver(.endOfInput)
                #expect(harness.closeReason != nil && !model.isLocked)
            }
        }
    }

    @Test func whoDoesNotLogIn_hasTheTimeForLoginsAndNotThatForTLS() {
        var harness = Self.harness(Self.model())
        harness.advance(by: .seconds(59))
        #expect(harness.closeReason == nil)
        harness.advance(by: .seconds(1))
        #expect(harness.closeReason == .timeout)
    }

    @Test func onlyWhatRETRHasGivenOutWhole_isTold() {
        let model = Self.model()
        var harness = Self.loggedIn(model)
        harness.receive("TOP 2 1\r\nTOP 2 99\r\nLIST\r\n")
        #expect(model.retrieved.isEmpty)
        harness.receive("RETR 2\r\nRETR 1\r\nRETR 9\r\n")
        #expect(model.retrieved == [1, 0])
        model.isHeldBack = { if case .body(_, let offset) = $0 { offset > 0 } else { false } }
        harness.receive("RETR 2\r\n")
        harness.deliver(.endOfInput)
        harness.deliver(.endOfInput)
        #expect(model.retrieved == [1, 0])
        // An owner that has not asked for it does not hear of it.
        let other = Model()
        var plain = other.loggedIn()
        plain.receive("RETR 1\r\n")
        #expect(other.retrieved.isEmpty)
    }

    @Test func unavailable_isSaidInItsWords() {
        let model = Self.model()
        model.isHeldBack = { _ in true }
        var harness = Self.harness(model)
        harness.receive("USER bob\r\nPASS secret word\r\n")
        _ = harness.takeOutput()
        harness.answerOldest(.unavailable("the agent is locked"))
        #expect(harness.takeText() == "-ERR [SYS/TEMP] the agent is locked\r\n")
        #expect(harness.closeReason == nil)
    }

    @Test func sessions_areTheSameHoweverTheyArrive() {
        for session in [
            "CAPA\r\nUSER bob\r\nPASS secret word\r\nSTAT\r\nRETR 1\r\nRETR 2\r\nDELE 1\r\nQUIT\r\n",
            "STLS\r\nAUTH PLAIN\r\nAGJvYgBzZWNyZXQgd29yZA==\r\nTOP 1 0\r\nXDDS-WAIT 5\r\nRETR 2\r\n",
        ] {
            #expect(verifySplits(session.utf8) { Self.harness(Self.model()) }.isEmpty)
        }
    }
}
