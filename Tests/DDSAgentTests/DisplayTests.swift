import DDSAgent
import DDSCore
import Testing

@Suite struct DisplayTests {
    /// I1.
    @Test(arguments: [
        "\u{61c}", "\u{200e}", "\u{200f}", "\u{202a}", "\u{202e}", "\u{2066}", "\u{2069}", "\u{200b}", "\u{2060}", "\u{feff}",
        "\u{e0041}", "\u{e007f}", "\u{0}", "\u{1b}", "\u{7f}", "\u{85}",
    ])
    func hiddenCharacters_areRemovedFromLines(hidden: String) {
        #expect(DisplayText.line("a\(hidden)b") == DisplayText(text: "ab", hadHiddenCharacters: true))
    }

    @Test func lineEnds_becomeSpaces() {
        #expect(DisplayText.line("a\tb") == DisplayText(text: "a b", hadHiddenCharacters: false))
        // Honest ones were unfolded before.
        #expect(DisplayText.line("a\r\nb\u{2028}c") == DisplayText(text: "a  b c", hadHiddenCharacters: true))
    }

    /// I7.
    @Test func joiners_stayWhereTheyJoin() {
        let family = "👩\u{200d}👩\u{200d}👧"
        #expect(DisplayText.line(family) == DisplayText(text: family, hadHiddenCharacters: false))
        let persian = "می\u{200c}خواهم"
        #expect(DisplayText.line(persian).text == persian)
        #expect(DisplayText.line("pay\u{200d}pal") == DisplayText(text: "paypal", hadHiddenCharacters: true))
        #expect(DisplayText.line("\u{200d}").text == "")
    }

    @Test func bodies_keepMarksAndShowOverrides() {
        #expect(DisplayText.body("a\u{200f}b\r\nc\td") == DisplayText(text: "a\u{200f}b\nc\td", hadHiddenCharacters: false))
        #expect(DisplayText.body("a\u{202e}b\u{1b}[m") == DisplayText(text: "a[U+202E]b[U+001B][m", hadHiddenCharacters: false))
    }

    /// I5.
    @Test func addresses_showDomainsInASafeScript() {
        #expect(DisplayText.address("bob@b\u{fc}cher.example").text == "bob@b\u{fc}cher.example")
        #expect(DisplayText.address("bob@ex\u{430}mple.org").text == "bob@xn--exmple-4nf.org")
        #expect(DisplayText.address("a@b@example.org").text == "a@b@example.org")
        #expect(DisplayText.address("Bob <bob@example.org>").text == "Bob <bob@example.org>")
    }

    /// I2.
    @Test func fileName_showsItsRealEnding() {
        let name = DisplayText.fileName("invoice\u{202e}fdp.exe")
        #expect(name.stem == "invoicefdp" && name.ending == ".exe")
        #expect(DisplayText.fileName(".profile").stem == ".profile")
        #expect(DisplayText.fileName("x.").ending == "")
    }

    @Test func body_isCutIntoTextQuotesAndSignature() {
        let parts = BodyPart.parts(of: "one\n\n> q1\n>> q2\n\ntwo\n-- \nme\n> no quote")
        #expect(parts == [.text("one"), .quote("> q1\n>> q2", lines: 2), .text("two"), .signature("-- \nme\n> no quote")])
        #expect(BodyPart.parts(of: "") == [])
        #expect(BodyPart.parts(of: "\n \n") == [])
    }

    @Test func times_areShortNearbyAndWholeFarAway() {
        let now = WallTime(milliseconds: 1_795_478_400_000)  // Tue 2026-11-24 00:00 UTC
        func short(_ hours: Int64) -> String {
            DisplayTime(WallTime(milliseconds: now.milliseconds - hours * 3_600_000), now: now, offset: { _ in 3600 }).short
        }
        #expect(short(0) == "01:00")
        // What is still to come today, and after midnight.
        #expect(short(-22) == "23:00" && short(-23) == "Wed 00:00")
        #expect(short(1) == "00:00")
        #expect(short(2) == "Yesterday")
        #expect(short(60) == "Sat 13:00")
        #expect(short(24 * 30) == "25 Oct")
        #expect(short(24 * 400) == "20 Oct 2025")
    }

    @Test(arguments: ["/", "/l", "/p", "/x", "/d", "/w", "/g/abc", "/t/abc", "/w/abc", "/g/abc?c=c2"])
    func pages_mayBeReturnedTo(path: String) { #expect(Route.isPage(path)) }

    @Test(arguments: [
        "", "//evil.test", "/unlock", "/open/abc", "/lock", "/do", "/events", "http://evil.test/", "/t/a/b", "/t/", "/t/a%20b",
        "/?q=x",
        "/?c=<", "/t/abc#x", "/w/\n", "/a/abc",
    ])
    func otherTargets_mayNot(path: String) { #expect(!Route.isPage(path)) }
}
