import DDSCore
import DDSLoop
import DDSTestKit
import Testing

@testable import DDSServer

@Suite(.timeLimit(.minutes(5))) struct SenderQuotaTests {
    private let start = Instant(nanoseconds: 1_000_000_000_000)

    @Test func messagesAnHour_countBySenderAndSlide() {
        var quota = SenderQuota(messagesPerHour: 3, bytesPerDay: 1_000_000)
        for minute in [0, 10, 20] {
            let now = start + .seconds(minute * 60)
            #expect(quota.refusal("a", size: 1, now: now) == nil)
            quota.sent("a", size: 1, now: now)
        }
        let now = start + .seconds(1800)
        #expect(quota.refusal("a", size: 1, now: now) == .messages(wait: .seconds(1800)))
        #expect(quota.refusal("b", size: 1, now: now) == nil)
        #expect(quota.refusal("a", size: 1, now: start + .seconds(3599)) == .messages(wait: .seconds(1)))
        #expect(quota.refusal("a", size: 1, now: start + .seconds(3600)) == nil)
    }

    @Test(arguments: [(-1, false), (0, false), (1, true)]) func bytesADay_holdToTheByte(beyond: Int, isRefused: Bool) {
        var quota = SenderQuota(messagesPerHour: 1000, bytesPerDay: 1000)
        quota.sent("a", size: 600, now: start)
        let now = start + .seconds(3600)
        #expect((quota.refusal("a", size: 400 + beyond, now: now) != nil) == isRefused)
        #expect(quota.refusal("a", size: 401, now: now) == .bytes(wait: .seconds(82_800)))
        #expect(quota.refusal("a", size: 401, now: start + .seconds(86400)) == nil)
        #expect(quota.refusal("b", size: 1001, now: now) == .never)
        #expect(quota.refusal("b", size: 1000, now: now) == nil)
    }

    @Test func theWait_isUntilEnoughHasLeft() {
        var quota = SenderQuota(messagesPerHour: 1000, bytesPerDay: 100)
        for hour in [0, 2, 4] { quota.sent("a", size: 30, now: start + .seconds(hour * 3600)) }
        let now = start + .seconds(5 * 3600)
        #expect(quota.refusal("a", size: 40, now: now) == .bytes(wait: .seconds(19 * 3600)))
        #expect(quota.refusal("a", size: 70, now: now) == .bytes(wait: .seconds(21 * 3600)))
    }

    @Test @LoopActor func aSession_isToldWhenItWorksAgain_andItDoes() async throws {
        try await withWorld(config: "[server.limits]\nmessages_per_hour = 2\nbytes_per_day = \"1KiB\"\n") { world in
            let alice = try await world.addPasswordMember("alice")
            try await world.addKeyMember("bob")
            let client = try await world.submission(alice, password: "correct horse")
            @LoopActor func send(_ text: String) async throws -> String {
                let mail = try await client.command("MAIL FROM:<alice@node.test>")
                guard mail[0].hasPrefix("250") else { return mail[0] }
                _ = try await client.command("RCPT TO:<bob@node.test>")
                _ = try await client.command("DATA")
                client.send("Subject: x\r\n\r\n\(text)\r\n.")
                return try await client.reply()[0]
            }
            #expect(try await send("one").hasPrefix("250"))
            // Refused mail is not counted.
            #expect(try await send(String(repeating: "long line\r\n", count: 110)).hasPrefix("552 5.3.4"))
            #expect(try await send("two").hasPrefix("250"))
            let refused = try await send("three")
            #expect(refused.hasPrefix("452 4.5.3"))
            #expect(refused.contains("it works again from ") && refused.contains(" UTC on "))
            #expect(try await world.waiting("bob").count == 2)
            world.time.advance(by: .seconds(3600))
            #expect(try await send("three").hasPrefix("250"))
            let declared = try await client.command("MAIL FROM:<alice@node.test> SIZE=1000")
            #expect(declared[0].hasPrefix("452 4.2.2"))
        }
    }
}
