// When a notification appears, what it may say, and that there is one at a time.

import DDSCore
import DDSSystemd
import Testing

@testable import DDSDesktop

private let everything: Set = ["body", "body-markup", "actions"]

private func letters(_ count: Int) -> NewMail {
    .letters((1...count).map { NewLetter(id: "m\($0)", sender: "Bob \($0)", subject: "Subject \($0)") })
}

@Suite struct QuietHoursTests {
    @Test(arguments: ["22:00-07:00", "00:00-23:59"])
    func spans_areTaken(text: String) { #expect(QuietHours(text) != nil) }

    @Test(arguments: [
        "", "22:00", "22-07", "24:00-07:00", "22:60-07:00", "7:00-9:00", "08:00-08:00", "-", "22:00-07:00-09:00", "+2:00-07:00",
    ])
    func anythingElse_isNot(text: String) { #expect(QuietHours(text) == nil) }

    @Test func overMidnight_bothSidesAreQuiet() throws {
        let night = try #require(QuietHours("22:00-07:00"))
        for (minute, isQuiet) in [
            (0, true), (419, true), (420, false), (720, false), (1319, false), (1320, true), (1439, true),
        ] {
            #expect(night.contains(minute) == isQuiet, "minute \(minute)")
        }
    }

    @Test func withinADay_theEndIsNotQuiet() throws {
        let lunch = try #require(QuietHours("12:00-13:00"))
        for (minute, isQuiet) in [(719, false), (720, true), (779, true), (780, false)] {
            #expect(lunch.contains(minute) == isQuiet, "minute \(minute)")
        }
    }
}

@Suite struct NotificationPolicyTests {
    @Test func nothingAppears_whenSilencedPausedOrQuiet() throws {
        let now = WallTime(milliseconds: 1_000_000)
        var policy = NotificationPolicy()
        #expect(policy.mayShow(now: now, minute: 600))
        policy.pausedUntil = WallTime(milliseconds: 1_000_001)
        #expect(!policy.mayShow(now: now, minute: 600))
        policy.pausedUntil = now
        #expect(policy.mayShow(now: now, minute: 600), "a pause is over at its end")
        policy.quiet = [try #require(QuietHours("09:00-11:00"))]
        #expect(!policy.mayShow(now: now, minute: 600))
        #expect(policy.mayShow(now: now, minute: 700))
        policy.content = .none
        #expect(!policy.mayShow(now: now, minute: 700))
    }

    @Test func levels_sayNoMoreThanTheyMay() {
        func body(_ content: NotificationContent) -> String? {
            Bubble(letters(2), content: content, abilities: everything)?.body
        }
        #expect(body(.none) == nil)
        #expect(body(.count) == "")
        #expect(body(.sender) == "Bob 2\nBob 1")
        #expect(body(.subject) == "Bob 2: Subject 2\nBob 1: Subject 1")
        #expect(Bubble(letters(2), content: .subject, abilities: everything)?.summary == "2 new messages")
        #expect(Bubble(letters(1), content: .subject, abilities: everything)?.summary == "New message")
    }

    @Test func locked_onlyTheNumberIsSaid() {
        for content in [NotificationContent.count, .sender, .subject] {
            let bubble = Bubble(.locked(count: 3), content: content, abilities: everything)
            #expect(bubble?.summary == "3 new messages")
            #expect(bubble?.body == "Locked: unlock to read")
        }
        #expect(Bubble(.locked(count: 0), content: .count, abilities: everything) == nil)
    }

    @Test func manyLetters_areNamedToAnExtent() {
        let body = Bubble(letters(9), content: .sender, abilities: everything)?.body
        #expect(body == "Bob 9\nBob 8\nBob 7\nBob 6\nand 5 more")
        let long = NewMail.letters([NewLetter(id: "m", sender: "Bob", subject: String(repeating: "x", count: 5000))])
        #expect((Bubble(long, content: .subject, abilities: everything)?.body.count ?? 0) <= 100)
    }

    @Test func markup_isEscapedWhereTheServerReadsItAndOnlyThere() {
        let hostile = NewMail.letters([NewLetter(id: "m", sender: "<b>Eve</b> & \"co\"", subject: "<img src='x'>")])
        let read = Bubble(hostile, content: .subject, abilities: everything)
        #expect(read?.body == "&lt;b&gt;Eve&lt;/b&gt; &amp; &quot;co&quot;: &lt;img src=&#39;x&#39;&gt;")
        let plain = Bubble(hostile, content: .subject, abilities: ["body"])
        #expect(plain?.body == "<b>Eve</b> & \"co\": <img src='x'>")
        #expect(read?.summary == "New message", "the summary has no words of others in it")
    }

    @Test func abilities_decideWhatIsSent() {
        let bare = Bubble(letters(1), content: .subject, abilities: [])
        #expect(bare?.body == "")
        #expect(bare?.actions == [])
        #expect(Bubble(letters(1), content: .count, abilities: ["actions"])?.actions == ["default", "Open", "open", "Open"])
    }

    @Test func call_hasTheTypeOfTheSpecification() throws {
        let call = try #require(Bubble(letters(1), content: .count, abilities: everything)).call(replacing: 7)
        #expect(call.arguments.map(\.signature).joined() == "susssasa{sv}i")
        #expect(call.arguments[1] == .uint32(7))
        let hints = call.arguments[6]
        #expect(hints[key: "category"]?.text == "email.arrived")
        #expect(hints[key: "desktop-entry"]?.text == "ddsnode")
        #expect(hints[key: "urgency"]?.number == 1)
    }
}

@Suite struct NotificationBookTests {
    private func bubble(_ count: Int) throws -> Bubble {
        try #require(Bubble(letters(count), content: .count, abilities: everything))
    }

    @Test func theNext_takesThePlaceOfTheLast() throws {
        var book = NotificationBook()
        #expect(try book.want(bubble(1)) == .show(bubble(1), replacing: 0))
        #expect(book.answered(5) == nil)
        #expect(try book.want(bubble(2)) == .show(bubble(2), replacing: 5))
        #expect(book.answered(5) == nil)
        #expect(try book.want(bubble(2)) == nil, "the same is not said again")
    }

    @Test func whileACallIsInFlight_onlyTheLatestFollows() throws {
        var book = NotificationBook()
        _ = try book.want(bubble(1))
        #expect(try book.want(bubble(2)) == nil)
        #expect(try book.want(bubble(3)) == nil)
        #expect(try book.answered(9) == .show(bubble(3), replacing: 9))
    }

    @Test func readWhileInFlight_isClosedWithTheAnswer() throws {
        var book = NotificationBook()
        _ = try book.want(bubble(1))
        #expect(book.want(nil) == nil)
        #expect(book.answered(4) == .close(4))
        #expect(book.number == 0)
    }

    @Test func read_isClosedOnce() throws {
        var book = NotificationBook()
        _ = try book.want(bubble(1))
        _ = book.answered(4)
        #expect(book.want(nil) == .close(4))
        #expect(book.want(nil) == nil)
    }

    @Test func putAway_isNotClosedAndNotReplaced() throws {
        var book = NotificationBook()
        _ = try book.want(bubble(1))
        _ = book.answered(4)
        let wasAnothers = book.closed(3)
        let wasOurs = book.closed(4)
        #expect(!wasAnothers && wasOurs)
        #expect(book.want(nil) == nil)
        #expect(try book.want(bubble(2)) == .show(bubble(2), replacing: 0))
    }

    @Test func aServerThatRefuses_isNotAskedInACircle() throws {
        var book = NotificationBook()
        _ = try book.want(bubble(1))
        #expect(book.answered(nil) == nil)
        #expect(!book.isUp)
        #expect(try book.want(bubble(2)) == .show(bubble(2), replacing: 0))
    }
}
