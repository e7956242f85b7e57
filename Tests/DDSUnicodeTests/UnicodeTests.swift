import DDSUnicode
import Testing

@Suite struct HostNameTests {
    /// I5.
    @Test(arguments: [
        ("example.org", "example.org", "example.org"), ("M\u{fc}nchen.example", "xn--mnchen-3ya.example", "m\u{fc}nchen.example"),
        ("\u{4f8b}\u{3048}.\u{30c6}\u{30b9}\u{30c8}", "xn--r8jz45g.xn--zckzah", "\u{4f8b}\u{3048}.\u{30c6}\u{30b9}\u{30c8}"),
        // All Cyrillic, and looks like apple.
        ("\u{430}\u{440}\u{440}\u{4cf}\u{435}.com", "xn--80ak6aa92e.com", "xn--80ak6aa92e.com"),
        // A Cyrillic letter among Latin ones.
        ("p\u{430}ypal.com", "xn--pypal-4ve.com", "xn--pypal-4ve.com"),
        ("\u{43f}\u{440}\u{438}\u{43c}\u{435}\u{440}.example", "xn--e1afmkfd.example", "\u{43f}\u{440}\u{438}\u{43c}\u{435}\u{440}.example"),
        ("\u{5d3}\u{5d5}\u{5d2}\u{5de}\u{5d4}.example", "xn--6dbbec0c.example", "\u{5d3}\u{5d5}\u{5d2}\u{5de}\u{5d4}.example"),
        ("a\u{3002}b\u{ff0e}c", "a.b.c", "a.b.c"), ("EXAMPLE.", "example.", "example."), ("192.0.2.1", "192.0.2.1", "192.0.2.1"),
        ("[2001:DB8::1]", "[2001:db8::1]", "[2001:db8::1]"), ("a_b.example", "a_b.example", "a_b.example"),
    ])
    func names_areShownInTheirScript_whereThatIsSafe(written: String, ascii: String, shown: String) {
        let host = HostName(written)
        #expect(host?.ascii == ascii && host?.shown == shown, "\(host?.ascii ?? "nil") \(host?.shown ?? "nil")")
    }

    @Test(arguments: [
        "", ".", "a..b", ".a", "a b", "a/b", "a%b", "a@b", "a:b", "<b>", "xn--", "xn--a", "\u{202e}a", "a\u{200d}b", "1", "127.1", "0x7f.0.0.1",
        "1.2.3.4.5", "01.2.3.4", "256.1.1.1", "a.0x1", "[::1", "[]", "[x]", "a\u{0}b", String(repeating: "a", count: 64), String(repeating: "a.", count: 128),
    ])
    func otherTexts_areNoNames(text: String) { #expect(HostName(text) == nil) }
}

@Suite struct LookAlikeTests {
    /// I4.
    @Test(arguments: [
        ("Bob Miller", "B\u{43e}b Miller"), ("Alice", "AIice"), ("Alice", "ALICE"), ("Bob Miller", " bob  miller "), ("paypal", "\u{440}\u{430}\u{443}\u{440}\u{430}l"),
        ("Chen", "\u{ff23}hen"), ("Rosa", "Rosa"), ("Jos\u{e9}", "Jose\u{301}"),
    ])
    func names_areTakenForOneAnother(one: String, other: String) { #expect(LookAlike(one).isLike(LookAlike(other))) }

    @Test(arguments: [("Bob", "Rob"), ("Jos\u{e9}", "Jose"), ("", ""), (" ", ""), ("Anna", "Hanna"), ("Bob Miller", "BobMiller")])
    func names_areToldApart(one: String, other: String) { #expect(!LookAlike(one).isLike(LookAlike(other))) }

    @Test func longNames_areCompared() {
        let long = String(repeating: "x\u{fdfa}", count: 10_000)
        #expect(LookAlike(long).isLike(LookAlike(long)))
    }
}
