// Formatted versions, files, sources and links on the page.

import DDSAgent
import DDSCore
import DDSHTML
import DDSHTTP
import DDSLoop
import DDSMail
import DDSTestKit
import Testing

@Suite struct TextLinkTests {
    @Test(
        arguments: [
            ("see https://a.test/x, or", ["https://a.test/x"]), ("(https://a.test/(x))", ["https://a.test/(x)"]),
            ("<https://a.test>", ["https://a.test"]),
            ("HTTP://A.test/b.", ["HTTP://A.test/b"]), ("xhttps://a.test", []), ("https:// x", []),
            ("javascript://a.test/", []), ("ftp://a.test", []),
            ("https://a.test\nhttps://b.test", ["https://a.test", "https://b.test"]),
            ("https://a.test/?u=https://b.test/", ["https://a.test/?u=https://b.test/"]),
            ("\"https://a.test/\"!", ["https://a.test/"]), ("no: link", []), (":", []), ("http", []),
            ("https://b\u{fc}cher.test/\u{e4}", ["https://b\u{fc}cher.test/\u{e4}"]),
            ("https://[::1]/x]", ["https://[::1]/x"]), ("https://a.test/**", ["https://a.test/"]),
        ] as [(String, [String])])
    func links_areFound_andTheTextStays(text: String, links: [String]) {
        let runs = TextLinks.runs(of: text)
        #expect(runs.filter { $0.target != nil }.map(\.text) == links)
        #expect(runs.map(\.text).joined() == text)
    }

    @Test func manyLinks_haveABound() {
        let text = String(repeating: "https://a.test/ ", count: 501)
        #expect(TextLinks.targets(in: text).count == 500)
        #expect(TextLinks.runs(of: text).map(\.text).joined() == text)
    }

    @Test func names_standForLinks_untilTheyAreTooMany() throws {
        var book = LinkBook(names: LinkNames(hash: testHash, key: [1, 2, 3]))
        let first = try #require(LinkTarget("https://first.test/"))
        book.note([first, first])
        let name = book.names.name(of: first)
        #expect(book.count == 1 && book.target(name) == first && Route.isID(name) && name.utf8.count == 32)
        #expect(LinkNames(hash: testHash, key: [1, 2, 4]).name(of: first) != name)
        book.note((1..<LinkBook.linksMax).compactMap { LinkTarget("https://a.test/\($0)") })
        #expect(book.count == LinkBook.linksMax && book.target(name) == first)
        book.note([try #require(LinkTarget("https://last.test/"))])
        #expect(book.count == LinkBook.linksMax && book.target(name) == nil)
    }
}

@Suite struct FileViewTests {
    @Test(arguments: [
        (ContentKind.png, "image/png", ".png", FileView.inline("image/png")), (.png, "", ".png", .inline("image/png")),
        (.png, "image/gif", ".gif", .none),
        (.png, "image/svg+xml", ".svg", .none), (.png, "image/png", ".html", .none),
        (.pdf, "application/pdf", ".pdf", .none),
        (.markup, "text/html", ".html", .none), (.markup, "text/plain", ".txt", .text),
        (.markup, "application/octet-stream", "", .none),
        (.markup, "image/svg+xml", ".svg", .none), (.text, "text/plain", ".txt", .text),
        (.text, "text/javascript", ".js", .none), (.text, "text/plain", ".js", .none),
        (.text, "text/html", ".txt", .none), (.text, "application/octet-stream", ".log", .text),
        (.text, "application/xml", ".xml", .none),
        (.archive, "application/zip", ".zip", .none), (.unknown, "image/png", ".png", .none),
        (.text, "application/json", ".json", .text),
    ])
    func files_areShownOnlyWhereThatIsSafe(kind: ContentKind, declared: String, ending: String, view: FileView) {
        #expect(FileView(kind: kind, declared: declared, ending: ending) == view)
    }
}

@Suite(.timeLimit(.minutes(5))) struct ContentRouteTests {
    private static let frame = [HTTPField("Sec-Fetch-Dest", "iframe")]

    @LoopActor private func browser() async throws -> Browser {
        let browser = Browser()
        let html = try SanitizedHTML(
            Array(
                "<p onclick=x>Formatted <a href='https://b\u{fc}cher.example/'>go</a><img src='http://mail.example/a.png'>".utf8
            ))
        browser.backend.formatted["m4"] = FormattedMessage(html: html)
        browser.backend.threads["tbudget"]?.messages[3].formatted = FormattedOffer(remote: html.remote)
        browser.backend.threads["tbudget"]?.messages[3].body = "See https://b\u{fc}cher.example/x and https://plain.example/."
        // The agent finds a thread by any message in it.
        browser.backend.threads["m4"] = browser.backend.threads["tbudget"]
        await browser.signIn()
        return browser
    }

    /// H3, H4 as far as the page decides.
    @Test @LoopActor func formattedVersion_isShownOnRequest_inAFrameOnly() async throws {
        let browser = try await browser()
        let thread = await browser.get("/t/tbudget").text
        #expect(
            thread.contains("This message has HTML.") && thread.contains("1 remote image blocked <bdi>(mail.example)</bdi>"))
        #expect(thread.contains("href=\"/m/m4#m-m4\"") && !thread.contains("<iframe"))
        let shown = await browser.get("/m/m4").text
        #expect(shown.contains("sandbox=\"allow-popups allow-popups-to-escape-sandbox\" src=\"/m/m4/html\""))
        #expect(shown.contains("href=\"/t/tbudget#m-m4\"") && !shown.contains("https://plain.example/</a>"))
        let document = await browser.get("/m/m4/html", Self.frame)
        #expect(
            document.status == 200 && document.text.contains("<p>Formatted <a href=\"/o/") && !document.text.contains("onclick")
        )
        #expect(document.headers.only("X-Frame-Options") == "SAMEORIGIN")
        #expect(
            document.headers.only("Content-Security-Policy")?.hasPrefix(
                "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'") == true)
        #expect(await browser.get("/m/m4/html").status == 403)
        #expect(await browser.get("/m/m4/html", [HTTPField("Sec-Fetch-Dest", "document")]).status == 403)
        #expect(await browser.get("/m/m3/html", Self.frame).status == 404)
        #expect(browser.app.gate.refusals[.siteForeign] == 2)
    }

    /// H6, and that no name outlives the lock.
    @Test @LoopActor func links_leadOverAPage_untilTheLock() async throws {
        let browser = try await browser()
        let thread = await browser.get("/t/tbudget").text
        let paths = scan(thread).compactMap { $0.attributes["href"] }.filter { $0.hasPrefix("/o/") }
        try #require(paths.count == 2)
        #expect(thread.contains("https://b\u{fc}cher.example/x</a> <small>(xn--bcher-kva.example)</small> and"))
        #expect(thread.contains("https://plain.example/</a>."))
        let page = await browser.get(paths[0]).text
        #expect(page.contains("<strong id=\"host\">xn--bcher-kva.example</strong><br><bdi>b\u{fc}cher.example</bdi>"))
        #expect(page.contains("href=\"https://xn--bcher-kva.example/x\" rel=\"noopener noreferrer\""))
        browser.cookie = nil
        #expect(await browser.get(paths[0]).status == 200)
        #expect(await browser.get("/o/0123456789abcdef").status == 404)
        await browser.backend.lock()
        let gone = await browser.get(paths[0])
        #expect(gone.status == 404 && !gone.text.contains("example"))
    }

    @Test @LoopActor func switchedOff_thereIsNoFormattedVersion() async throws {
        let time = ManualTime()
        var configuration = WebApp.Configuration(
            agentID: [1, 2, 3, 4], random: SeededRandom(seed: 5), hash: testHash, time: time)
        configuration.showsFormatted = false
        let browser = Browser(configuration, time)
        browser.backend.formatted["m4"] = FormattedMessage(html: try SanitizedHTML(Array("<p>x".utf8)))
        browser.backend.threads["m4"] = browser.backend.threads["tbudget"]
        await browser.signIn()
        #expect(await browser.get("/m/m4/html", Self.frame).status == 403)
        #expect(!(await browser.get("/m/m4").text.contains("<iframe")))
        let thread = await browser.get("/t/tbudget").text
        #expect(thread.contains("This message has HTML.") && !thread.contains("Show formatted"))
    }

    @Test @LoopActor func sourcesAndTexts_areEscaped() async throws {
        let browser = try await browser()
        browser.backend.sources["m4"] = SourceModel(text: "A: <b>\u{202e}x", size: 10, isCut: false)
        let source = await browser.get("/m/m4/source").text
        #expect(source.contains("A: &lt;b&gt;[U+202E]x</pre>"))
        #expect(await browser.get("/m/m9/source").status == 404)
        browser.backend.files["a2"] = AttachmentContent(
            name: "n.txt", bytes: Array("<i>\u{e9}".utf8), declaredType: "text/plain")
        #expect(await browser.get("/v/a2").text.contains("&lt;i&gt;\u{e9}</pre>"))
        let long = SourceModel(beginningOf: Array(repeating: 0x61, count: 300_000))
        #expect(long.isCut && long.text.utf8.count == 262_144 && long.size == 300_000)
    }

    /// H5.
    @Test @LoopActor func files_areShownByWhatTheyAre() async throws {
        let browser = try await browser()
        let png: [UInt8] = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]
        for (name, declared, bytes, type) in [
            ("a.png", "image/png", png, "image/png"), ("a.png", "image/png", Array("<html>".utf8), "application/octet-stream"),
            ("a.html", "text/html", Array("<html>".utf8), "application/octet-stream"),
            ("a.svg", "image/svg+xml", Array("<svg>".utf8), "application/octet-stream"),
        ] {
            browser.backend.files["a3"] = AttachmentContent(name: name, bytes: bytes, declaredType: declared)
            for path in ["/v/a3", "/a/a3"] {
                let file = await browser.get(path)
                let isShown = path == "/v/a3" && type != "application/octet-stream"
                #expect(
                    file.bytes == bytes && file.headers.only("Content-Type") == (isShown ? type : "application/octet-stream"))
                #expect(file.headers.only("Content-Disposition")?.hasPrefix(isShown ? "inline; " : "attachment; ") == true)
                #expect(file.headers.only("Content-Security-Policy")?.hasPrefix("sandbox; default-src 'none'") == true)
                #expect(file.headers.only("X-Content-Type-Options") == "nosniff")
            }
        }
        #expect(await browser.get("/v/a9").status == 404)
    }
}
