import Logging
import Testing

@testable import DDSNode

@Suite struct LineLogTests {
    private func line(_ message: String = "event", _ fields: Logger.Metadata = [:], journal: Bool = false) -> String {
        LineLogHandler.line(level: .notice, message: message, fields: fields, underJournal: journal)
    }

    @Test func oneEvent_isOneLineWithItsSessionFirst() {
        #expect(line("smtp close", ["reason": "timeout", "sid": "9f3c", "bytes_in": "512"]) == "notice sid=9f3c smtp close bytes_in=512 reason=timeout\n")
        #expect(line("x", journal: true) == "<5>x\n")
    }

    @Test func valuesThatAreNotPlain_areQuoted() {
        #expect(line("e", ["k": ""]) == "notice e k=\"\"\n")
        #expect(line("e", ["k": "a b"]) == "notice e k=\"a b\"\n")
        #expect(line("e", ["k": "a=b"]) == "notice e k=\"a=b\"\n")
        #expect(line("e", ["k": "say \"hi\" \\"]) == "notice e k=\"say \\\"hi\\\" \\\\\"\n")
        #expect(line("e", ["k": "ü"]) == "notice e k=\"ü\"\n")
    }

    @Test(arguments: ["\n", "\r", "\r\n", "\u{0}", "\u{7}", "\u{1b}[2J", "\u{7f}", "\u{85}", "\u{9b}", "\u{2028}", "\u{2029}", "\u{202e}", "\u{2066}"])
    func nothing_canBeginALineOrTurnOne(text: String) {
        for line in [line("before\(text)after"), line("e", ["k": "before\(text)error forged=1"]), line("e", ["sid": "\(text)"])] {
            let scalars = line.unicodeScalars.dropLast()
            #expect(line.unicodeScalars.last == "\n")
            #expect(scalars.allSatisfy { $0.value >= 0x20 && !(0x7f...0x9f).contains($0.value) && !(0x2028...0x202e).contains($0.value) && $0.value != 0x2066 })
        }
    }
}
