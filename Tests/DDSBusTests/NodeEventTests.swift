import DDSBus
import DDSTestKit
import Testing

@Suite struct NodeEventTests {
    static let all: [NodeEvent] = [
        .roleStarted(name: "server"), .roleStopped(name: "agent"), .configReloaded, .draining,
        .sessionOpened(sid: "9f3c", protocol: "smtp"),
        .sessionClosed(sid: "9f3c", protocol: "pop3", reason: "timeout", bytesIn: 512, bytesOut: 0),
        .loginFailed(protocol: "pop3"), .messageAccepted(bytes: 4096, recipients: 12),
        .deliveryStored(mailboxHash: "00ff"), .maildropErased(count: 3), .newMailFor(mailbox: .max), .fetched(count: 1),
        .memberAdded, .groupChanged, .inviteCreated, .inviteUsed, .enrolled, .outboxQueued, .outboxSent,
        .outboxDelayed(reason: "no \"route\" \\ \u{1}\u{9b}\u{2028}\u{1f600}\n"), .locked, .unlocked,
        .storeChanged(unread: -1), .spoolProblem(text: ""),
    ]

    @Test(arguments: all) func everyEvent_comesBackFromItsLine(event: NodeEvent) {
        let line = event.jsonLine(time: "2026-11-23T00:00:00Z")
        #expect(NodeEvent(jsonLine: line) == event)
        #expect(line.unicodeScalars.allSatisfy { $0.value >= 0x20 && !(0x7f..<0xa0).contains($0.value) && $0.value != 0x2028 })
        #expect(Topics.all.contains(event.topic) && event.topic.rawValue.nonzeroBitCount == 1)
    }

    @Test func names_areUnique() {
        #expect(Set(Self.all.map(\.name)).count == Self.all.count)
    }

    @Test func fields_keepTheirOrder() {
        let event = NodeEvent.sessionClosed(sid: "9f3c", protocol: "smtp", reason: "timeout", bytesIn: 512, bytesOut: 7)
        #expect(event.fields.map(\.0) == ["sid", "protocol", "reason", "bytesIn", "bytesOut"])
        #expect(event.fields.map(\.1) == ["9f3c", "smtp", "timeout", "512", "7"])
        let members = #""event":"sessionClosed","sid":"9f3c","protocol":"smtp","reason":"timeout","bytesIn":512,"bytesOut":7"#
        #expect(event.jsonLine() == "{\"v\":1,\(members)}")
    }

    @Test(arguments: [
        "", "{", "{}", "[]", #"{"v":1}"#, #"{"v":2,"event":"draining"}"#, #"{"v":1,"event":"no such"}"#,
        #"{"v":1,"event":"fetched"}"#, #"{"v":1,"event":"fetched","count":"3"}"#, #"{"v":1,"event":"draining"} x"#,
        #"{"v":1,"event":"draining","event":"locked"}"#, #"{"v":1,"event":"draining",}"#, #"{"v":1,"event":"\ud800"}"#,
        #"{"v":1,"event":"draining","x":99999999999999999999}"#, #"{"v":--1,"event":"draining"}"#,
    ])
    func otherLines_areNoEvents(line: String) {
        #expect(NodeEvent(jsonLine: line) == nil)
    }

    @Test func unknownMembers_areIgnored() {
        let line = #" { "v" : 1 , "event" : "f\u0065tched" , "count" : 3 , "new" : "\ud83d\ude00" } "#
        #expect(NodeEvent(jsonLine: line) == .fetched(count: 3))
    }

    @Test func mutatedLines_neverTrap() {
        let random = SeededRandom(seed: 1)
        for _ in 0..<3000 {
            var bytes = Array(Self.all[random.below(Self.all.count)].jsonLine().utf8)
            for _ in 0...random.below(3) { bytes[random.below(bytes.count)] = UInt8(random.below(256)) }
            if let event = NodeEvent(jsonLine: String(decoding: bytes, as: UTF8.self)) {
                #expect(NodeEvent(jsonLine: event.jsonLine()) == event)
            }
        }
    }
}
