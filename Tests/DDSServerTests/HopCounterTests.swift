import DDSServer
import DDSTestKit
import Testing

@Suite struct HopCounterTests {
    private func count(_ text: String) -> Int {
        var counter = HopCounter()
        counter.feed(text.utf8)
        return counter.count
    }

    @Test(arguments: [
        ("Received: a\r\n\r\n", 1), ("RECEIVED:a\r\nreceived \t: b\r\n\r\n", 2),
        ("Received: a\nReceived: b\n\nReceived: c\n", 2),
        ("Received: a\r\n Received: b\r\n\tReceived: c\r\n\r\n", 1), ("Received: a\r\n\r\nReceived: b\r\n", 1),
        ("X-Received: a\r\nReceived-SPF: pass\r\nReceive: b\r\nReceivedd: c\r\n\r\n", 0), ("\r\nReceived: a\r\n", 0), ("", 0),
        ("Received", 0), ("Received\r\n: a\r\n", 0), ("Subject: Received: a\r\n\r\n", 0), ("Received\u{0}: a\r\n", 0),
    ])
    func fieldsOfTheHeader_areCounted(_ text: String, _ wanted: Int) {
        #expect(count(text) == wanted)
    }

    @Test func everySplit_andByteByByte_countTheSame() {
        let bytes = Array("Return-Path: <>\r\nReceived: a\r\n b\r\nreceived : c\r\n\r\nReceived: d\r\n".utf8)
        for place in 0...bytes.count {
            var counter = HopCounter()
            counter.feed(bytes[..<place])
            counter.feed(bytes[place...])
            #expect(counter.count == 2)
        }
        var counter = HopCounter()
        for byte in bytes { counter.feed([byte]) }
        #expect(counter.count == 2)
    }

    @Test func aHeaderOfAnyLength_isCountedToItsEnd() {
        let long = String(repeating: "X: \(String(repeating: "x", count: 900))\r\n", count: 1000)
        #expect(count(long + "Received: a\r\n" + long + "Received: b\r\n\r\nReceived: c\r\n") == 2)
    }
}
