import DDSTestKit
import Testing

@testable import DDSWire

/// What a session says it has stored, by which its driver stops reading.
@Suite struct IMAPBackPressureTests {
    private typealias Harness = SessionHarness<IMAPServerSession>

    /// Says `text` in pieces, as the driver does: not while more than its mark is stored.
    private func feed(_ harness: inout Harness, _ text: String) {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            guard harness.session.bufferedBytes <= 16 << 10 else {
                Issue.record("nobody reads on, and \(rest.count) octets are left")
                return
            }
            harness.receive(rest.prefix(8 << 10))
            rest = rest.dropFirst(8 << 10)
        }
    }

    @Test func longCommands_areReadToTheirEnd() {
        let set = Array(repeating: "7654321", count: 5000).joined(separator: ",")
        let long = String(repeating: "x", count: 40 << 10)
        for (command, reply) in [
            ("a UID SEARCH UID \(set),1:3 SUBJECT {\(long.utf8.count)+}\r\n\(long)\r\n", "a OK Done\r\n"),
            ("a NOOP \(long)\r\n", "a BAD Too many arguments, or malformed ones\r\n"),
            ("a NOOP \(long)\(long)\r\n", "a BAD The command has more than 65536 octets\r\n"),
            ("a AUTHENTICATE \(long)\r\n", "a BAD Not after login\r\n"),
        ] {
            var harness = IMAPModel().selecting()
            feed(&harness, command)
            #expect(harness.takeText().hasSuffix(reply))
        }
        // IDLE waits for a line too.
        let model = IMAPModel()
        var harness = model.selecting()
        harness.receive("a IDLE\r\n")
        feed(&harness, long + "\r\n")
        #expect(model.stops == 1)
    }

    @Test func whatComesBehindAnOwedReply_holdsTheDriverBack() {
        let model = IMAPModel()
        model.isHeldBack = { _ in true }
        var harness = model.greeted()
        harness.receive("a LOGIN bob secret\r\n")
        for count in 1...40 {
            harness.receive(String(repeating: "x", count: 1000))
            #expect(harness.session.bufferedBytes == count * 1000)
        }
        model.isHeldBack = { _ in false }
        var idling = model.selecting()
        model.isHeldBack = { _ in true }
        idling.receive("a IDLE\r\nDONE\r\nb NOOP\r\n")
        #expect(idling.session.bufferedBytes == "b NOOP\r\n".utf8.count)
    }
}
