import DDSHTML
import DDSTestKit
import DDSTorture
import DDSUnicode
import Testing

/// The canonical form of a document, or the refusal.
private func cleaned(_ html: String) -> String {
    do throws(HTMLRefusal) {
        return String(decoding: try SanitizedHTML(Array(html.utf8)).canonical, as: UTF8.self)
    } catch {
        return "refused: \(error)"
    }
}

@Suite struct SanitizedHTMLTests {
    @Test func ordinaryMarkup_stays() {
        #expect(cleaned("<p>Hello <b>all</b>,<br>see <i>below</i>.</p>") == "<p>Hello <b>all</b>,<br>see <i>below</i>.</p>")
        #expect(cleaned("<ul><li>one<li>two</ul>") == "<ul><li>one</li><li>two</li></ul>")
        #expect(
            cleaned("<table border=1 width=\"100%\"><tr><td colspan=2 bgcolor=#FFF>x</table>")
                == "<table border=\"1\" width=\"100%\"><tbody><tr><td colspan=\"2\" bgcolor=\"#fff\">x</td></tr></tbody></table>"
        )
        #expect(cleaned("<p title='a\"b' lang=de>x") == "<p title=\"a&quot;b\" lang=\"de\">x</p>")
        #expect(cleaned("a &lt;b&gt; &amp; c&nbsp;d &euro;") == "a &lt;b&gt; &amp; c\u{a0}d €")
    }

    @Test func unknownElements_leaveTheirText_andOthersNothing() {
        #expect(cleaned("<form><center><blink>text</blink></center></form>") == "<center>text</center>")
        #expect(cleaned("a<style>p{}</style><title>t</title><iframe>f</iframe>b") == "ab")
        #expect(
            cleaned("<body style=\"color:white\" bgcolor=Black><p>x")
                == "<div bgcolor=\"black\" style=\"color:white\"><p>x</p></div>")
    }

    @Test func preformattedText_keepsItsFirstLine() {
        #expect(cleaned("<pre>\n\n  a\n b</pre>") == "<pre>\n\n  a\n b</pre>")
        #expect(cleaned("<pre>a</pre>") == "<pre>\na</pre>")
    }

    @Test(arguments: [
        ("color:red", "color:red"), ("COLOR : Red !important; margin: 0 auto", "color:Red;margin:0 auto"),
        ("color:red;position:fixed;top:0", "color:red"), ("background:url(http://x.test/)", ""), ("background:url(b.png)", ""),
        ("background:#fff", "background:#fff"),
        ("font-family:\"Segoe UI\", Arial", "font-family:'Segoe UI', Arial"), ("width:expression(alert(1))", ""),
        ("color:rgb(1, 2,3)", "color:rgb(1, 2,3)"), ("color:rgb(1,2", ""), ("color:r\\65 d", ""), ("margin:-5px", ""),
        ("margin:5px -.5em", ""),
        ("font-family:-apple-system", "font-family:-apple-system"), ("color:calc(1px)", ""), ("color:var(--x)", ""),
        ("color:/**/red", ""),
        ("color:url", "color:url"), ("font-family:'a", ""), ("color:a@b", ""), ("color:a{b}", ""),
        ("display:none", "display:none"), ("", ""),
    ])
    func styles_keepWhatOnlyLooks(style: String, kept: String) {
        let attribute = kept.isEmpty ? "" : " style=\"\(kept)\""
        #expect(cleaned("<p style='\(style.replacing("'", with: "&#39;"))'>x</p>") == "<p\(attribute)>x</p>")
    }

    @Test(
        arguments: [
            ("https://example.org", "https://example.org/"),
            (" HTTP://Example.ORG:80/a b?c=\"d\"#e ", "http://example.org:80/a%20b?c=%22d%22#e"),
            ("https:\\\\example.org\\x", "https://example.org/x"), ("https://u:p@example.org/", "https://example.org/"),
            ("ht\ntps://exam\tple.org/", "https://example.org/"),
            ("https://m\u{fc}nchen.example/\u{e9}", "https://xn--mnchen-3ya.example/%C3%A9"),
            ("https://ex%61mple.org/%41", "https://example.org/%41"),
            ("mailto:bob@example.org?subject=x", "mailto:bob@example.org"),
            ("https://[2001:DB8::1]:8443/x", "https://[2001:db8::1]:8443/x"), ("https://192.0.2.1/", "https://192.0.2.1/"),
            ("javascript:alert(1)", nil), ("javascript://example.org/%0aalert(1)", nil), ("java\tscript:alert(1)", nil),
            ("data:text/html,x", nil), ("//example.org/", nil),
            ("/x", nil), ("#x", nil),
            ("https:example.org", nil), ("https:///", nil), ("https://exa mple.org/", nil), ("http://0x7f.1/", nil),
            ("http://2130706433/", nil),
            ("http://127.1/", nil), ("http://1.2.3.4.5/", nil), ("https://example.org:99999/", nil), ("https://a..b/", nil),
            ("mailto:x", nil),
            ("https://" + String(repeating: "a", count: 64) + ".test/", nil), ("vbscript:x", nil), ("", nil),
            ("https://a.test/" + String(repeating: "a", count: 8200), nil),
        ] as [(String, String?)])
    func links_areMadeAnew(written: String, target: String?) { #expect(LinkTarget(written)?.text == target) }

    @Test func pages_getTheirOwnLinks() throws {
        let clean = try SanitizedHTML(
            Array(
                "<a href=\"https://a.test/?x=1&amp;y\">a</a><a href=/lock>b</a><a href=\"https://a.test/?x=1&amp;y\">c</a>".utf8
            ))
        #expect(clean.links.map(\.text) == ["https://a.test/?x=1&y"])
        let page = String(decoding: clean.rendered(path: { _ in "/o/1" }, image: { _ in nil }), as: UTF8.self)
        let link = "<a href=\"/o/1\" target=\"_blank\" rel=\"noopener noreferrer\">"
        #expect(page == "\(link)a</a>b\(link)c</a>")
    }

    private static let png: [UInt8] = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 1, 2, 3]

    @Test func picturesOfTheMessage_areIncluded_othersAreWords() throws {
        let clean = try SanitizedHTML(
            Array(
                "<img src='CID:a%40b' alt=A width=5><img src=cid:c alt=C><img src=http://x.test/ alt='D <'><img src=data:text/html;base64,eA== alt=E><img src=x>"
                    .utf8))
        let asked = clean.rendered(
            path: { _ in "" }, image: { $0 == "a@b" ? InlineImage(Self.png) : InlineImage(Array("<svg>".utf8)) })
        #expect(
            String(decoding: asked, as: UTF8.self)
                == "<img src=\"data:image/png;base64,iVBORw0KGgoBAgM=\" alt=\"A\" width=\"5\">[C][D &lt;][E]")
        #expect(clean.remote.images == 1 && clean.remote.hosts.map(\.ascii) == ["x.test"])
        let small = clean.rendered(path: { _ in "" }, image: { _ in InlineImage(Self.png) }, octetsMax: 11)
        #expect(String(decoding: small, as: UTF8.self).hasSuffix("[C][D &lt;][E]"))
    }

    @Test func remoteContent_isCountedWithItsHosts() throws {
        let remote = try SanitizedHTML.survey(
            Array(
                """
                <img src="https://Mail.Example/a.png"><img src="//pix.example/b"><table><td background="http://mail.example/c"></table><p style="background:URL( 'https://mail.example/d' )">
                <link rel=stylesheet href=https://style.example/><iframe src=https://frame.example></iframe><a href="https://no.example/">x</a><img src=cid:x><img src=/x>
                <img srcset="https://set.example/1 1x, https://set.example/2 2x">
                """.utf8))
        #expect(remote.images == 5 && remote.others == 2)
        #expect(
            remote.hosts.map(\.ascii) == ["mail.example", "pix.example", "style.example", "frame.example", "set.example"])
    }

    /// One reading is not enough: what is unwrapped may stand where it is read as something else.
    @Test func documents_areReadUntilThatChangesNothing() {
        #expect(cleaned("<p>a<marquee><p>b") == "<p>a</p><p>b</p><p></p>")
    }

    /// Honest mail and most of what is not can be shown: a guard that refuses everything guards nothing.
    @Test func fewDocuments_areRefused() {
        #expect(Payload.all.count { (try? SanitizedHTML(Array($0.html.utf8))) == nil } == 0)
    }

    @Test func depthAndSize_haveBounds() {
        let deep = cleaned(String(repeating: "<div>", count: 500) + "x")
        #expect(deep == String(repeating: "<div>", count: 200) + "x" + String(repeating: "</div>", count: 200))
        #expect(cleaned(String(repeating: "<div>", count: 100_000)) == "refused: tooDeep")
        #expect(cleaned(String(repeating: "<b><i>", count: 100_000)) == "refused: tooDeep")
        #expect(cleaned(String(repeating: "<svg>", count: 100_000)) == "refused: tooDeep")
        #expect(cleaned(String(repeating: "x", count: 1 << 20)) == "refused: tooLarge")
        #expect(cleaned(String(repeating: "x", count: (1 << 20) - 15)).utf8.count == (1 << 20) - 15)
        // One element's attributes are compared with one another.
        let attributes = "<a " + (0..<100_000).map { "a\($0) " }.joined() + "href=https://a.test/>x</a>"
        #expect(["refused: tooLong", "x"].contains(cleaned(attributes)))
    }

    @Test func overridesOfDirection_areShown() {
        #expect(cleaned("<p>a\u{202e}b&#x2066;c\u{200f}d</p>") == "<p>a[U+202E]b[U+2066]c\u{200f}d</p>")
    }

    @Test func mutatedDocuments_areHarmless_orRefused() throws {
        let samples =
            Payload.all.map { Array($0.html.utf8) } + [
                Array("<table><tr><td><p>a<table><td><b>x</table></b><i>y<p>z</i></table><ul><li>a<ol><li>b</ul>c".utf8),
                Array(
                    "<a href=https://a.test/><b><a href=https://b.test/><i></b>x</a><font color=red><p>y</font><pre>\n\nz</pre>"
                        .utf8),
            ]
        var (runs, refused) = (0, 0)
        try MutationRun.each("SanitizedHTMLTests/mutatedDocuments_areHarmless_orRefused", standard: 800) { random, replay in
            var bytes = Mutation.mutated(samples, random)
            if random.below(3) == 0 { bytes += Mutation.mutated(samples, random) }
            runs += 1
            guard let clean = try? SanitizedHTML(bytes) else {
                refused += 1
                return
            }
            expectHarmless(clean, replay)
        }
        #expect(refused * 20 <= runs, "\(refused) of \(runs) refused")
    }
}
