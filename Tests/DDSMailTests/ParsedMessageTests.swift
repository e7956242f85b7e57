import DDSMail
import DDSTestKit
import Testing

@Suite struct ParsedMessageTests {
    static func parse(_ lines: String) -> ParsedMessage {
        ParsedMessage(Array(lines.replacing("\n", with: "\r\n").utf8))
    }

    static func parse(_ head: String, octets: [UInt8]) -> ParsedMessage {
        ParsedMessage(Array(head.replacing("\n", with: "\r\n").utf8) + octets)
    }

    @Test func headers_areDecoded() {
        let message = Self.parse(
            """
            From: =?iso-8859-1?Q?J=F6rg?= =?utf-8?B?4oKs?= <Joerg@example.org>, other@example.org
            To: board: alice@node.example, "B, ob" <bob@node.example>;, carol@node.example
            Cc: Dave <dave@node.example>
            Subject: =?utf-8?Q?Gr=C3=BC=C3=9Fe_=E2=80=AEx?=
             folded
            Date: Mon, 23 Nov 2026 17:46:00 +0130
            Message-ID: <id1@example.org>
            In-Reply-To: <id0@example.org>
            References: <a@b> <id0@example.org>
            List-Id: Board <board.node.example>

            text
            """)
        #expect(message.from == Person(name: SafeText("Jörg€"), address: "Joerg@example.org"))
        #expect(message.to.map(\.address) == ["alice@node.example", "bob@node.example", "carol@node.example"])
        #expect(message.to.map(\.name.text) == ["", "B, ob", ""])
        #expect(message.cc.map(\.address) == ["dave@node.example"])
        #expect(message.subject.text == "Grüße x folded" && message.subject.hadHidden)
        #expect(message.date == ParsedMessage.Date(seconds: 1_795_450_560, zoneMinutes: 90))
        #expect(message.messageID == "id1@example.org")
        #expect(message.inReplyTo == ["id0@example.org"])
        #expect(message.references == ["a@b", "id0@example.org"])
        #expect(message.listID?.text == "board.node.example")
        #expect(message.bestPlainText == "text")
    }

    static let charsets: [(String, [UInt8], String)] = [
        ("; charset=iso-8859-15", [0x47, 0xa4, 0xfc], "G€ü"), ("; charset=windows-1251", [0xcf, 0xf0], "Пр"),
        ("; charset=UTF-8", Array("ü".utf8), "ü"), ("; charset=utf-8", [0x61, 0x80], "a€"), ("", [0xfc], "ü"),
        ("", Array("ü€".utf8), "ü€"),
        ("; charset=x-no-such", [0xe9], "é"), ("; charset=us-ascii", [0xe9], "é"),
        ("; charset=iso-2022-jp", Array("\u{1b}$B$\"\u{1b}(B".utf8), "あ"),
        ("; charset=gb18030", [0xc4, 0xe3], "你"), ("; charset=utf-8", [0x61, 0x00, 0x62], "a\u{0}b"),
        ("; charset=utf-16be", [0x00, 0x61], "a"),
    ]

    @Test(arguments: charsets) func legacyCharsets_areDecoded(parameter: String, octets: [UInt8], text: String) {
        let message = Self.parse("Content-Type: text/plain\(parameter)\nContent-Transfer-Encoding: 8bit\n\n", octets: octets)
        #expect(message.bestPlainText == text)
        #expect(!message.wasHTML && !message.hasHTML && message.attachments.isEmpty)
    }

    @Test func alternative_prefersPlainText() {
        let message = Self.parse(
            """
            Content-Type: multipart/alternative; boundary=x

            --x
            Content-Type: text/plain

            plain
            --x
            Content-Type: text/html

            <p>html</p>
            --x--
            """)
        #expect(message.bestPlainText == "plain")
        #expect(message.hasHTML && !message.wasHTML)
        #expect(message.attachments.isEmpty)
    }

    @Test func htmlOnly_isRenderedAndSaysSo() {
        let message = Self.parse(
            """
            Content-Type: text/html; charset=utf-8

            <html><head><title>no</title><style>p{}</style></head><body><!-- no > --><p>One &amp; <b>two</b>&#33;&nbsp;&lt;b&gt;
            three</p><script>no()</script><ul><li>a<li>b</ul>x<br>y<img alt=">" src='http://no'> 1 < 2 &unknown; end
            """)
        #expect(message.wasHTML && message.hasHTML)
        #expect(message.bestPlainText == "One & two! <b> three\n\n- a\n- b\n\nx\ny[>] 1 < 2 &unknown; end")
    }

    @Test(arguments: [
        ("<a href=\"https://a.test/?x=1&amp;y\">shop</a>.", "shop <https://a.test/?x=1&y>."), ("<a href=https://a.test/x>https://a.test/x</a>", "https://a.test/x"),
        ("<a class='b' href='https://a.test'>www.a.test</a>", "www.a.test"), ("<a href=javascript:x>x</a>", "x"), ("<a href=https://a.test/></a>x", "x"),
        ("<a href=https://a.test/>one<a href=https://b.test/>two</a>", "one <https://a.test/>two <https://b.test/>"), ("<a href='https://a.test/ <b>'>x</a>", "x"),
        ("<img src=x alt='A &quot;b&quot;'>", "[A \"b\"]"), ("&Ntilde;&ouml;&divide;&yuml;&nbsp;&bdquo;", "Ñö÷ÿ „"), ("<a href", ""), ("<img alt=", ""), ("<img alt='x", "[x]"),
    ])
    func htmlOnly_saysWhereLinksLead_andWhatPicturesAre(html: String, text: String) {
        let head = "MIME-Version: 1.0\nContent-Type: text/html; charset=utf-8\n\n"
        #expect(ParsedMessage(Array((head + html).utf8)).bestPlainText == text)
    }

    static let mixed = """
        Content-Type: multipart/mixed; boundary=x

        --x
        Content-Type: text/plain

        first
        --x
        Content-Type: application/pdf; name="ignored.pdf"
        Content-Disposition: attachment; filename*=utf-8''%E2%80%AEfdp%2Eexe
        Content-Transfer-Encoding: base64

        AAEC/w==
        --x
        Content-Type: message/rfc822

        Subject: inner

        inner text
        --x
        Content-Type: text/plain; name=patch.diff

        diff
        --x
        Content-Type: text/plain

        footer
        --x--

        """

    @Test func attachments_areListedAndDecoded() {
        let message = Self.parse(Self.mixed)
        let bytes = Array(Self.mixed.replacing("\n", with: "\r\n").utf8)
        #expect(message.bestPlainText == "first\nfooter")
        #expect(message.attachments.map(\.index) == [0, 1, 2])
        #expect(message.attachments.map(\.declaredType) == ["application/pdf", "message/rfc822", "text/plain"])
        #expect(message.attachments.map(\.fileName.text) == ["fdp.exe", "message.eml", "patch.diff"])
        #expect(message.attachments.map(\.fileName.hadHidden) == [true, false, false])
        #expect(ParsedMessage.attachmentContent(0, of: bytes) == [0, 1, 2, 255])
        #expect(ParsedMessage.attachmentContent(2, of: bytes) == Array("diff".utf8))
        for attachment in message.attachments {
            #expect(ParsedMessage.attachmentContent(attachment.index, of: bytes)?.count == attachment.size)
        }
        #expect(ParsedMessage.attachmentContent(3, of: bytes) == nil)
        #expect(ParsedMessage.attachmentContent(-1, of: bytes) == nil)
    }

    @Test func signedMessages_hideTheirSignature() {
        let message = Self.parse(
            """
            Content-Type: multipart/signed; protocol="application/vnd.minisign"; boundary=x

            --x
            Content-Type: text/plain

            said
            --x
            Content-Type: application/vnd.minisign

            sig
            --x--
            """)
        #expect(message.bestPlainText == "said")
        #expect(message.attachments.isEmpty)
    }

    @Test(.enabled(if: Corpus.isPresent, "\(Corpus.absence)")) func corpus_parsesWhole() {
        let messages = Corpus.mail()
        #expect(messages.count == 107)
        var texts = 0
        for (name, bytes) in messages {
            let message = ParsedMessage(bytes)
            #expect(!message.isRaw, "\(name)")
            if !message.bestPlainText.isEmpty { texts += 1 }
            for attachment in message.attachments {
                #expect(ParsedMessage.attachmentContent(attachment.index, of: bytes)?.count == attachment.size, "\(name)")
            }
            #expect(ParsedMessage.attachmentContent(message.attachments.count, of: bytes) == nil, "\(name)")
            #expect(message.subject.text.unicodeScalars.allSatisfy { $0.value >= 0x20 }, "\(name)")
        }
        #expect(texts > 80)
    }

    @Test(.enabled(if: Corpus.isPresent, "\(Corpus.absence)")) func mutatedCorpus_neverTraps() {
        let messages = Corpus.mail().filter { $0.bytes.count < 20_000 }
        let random = SeededRandom(seed: 21)
        for _ in 0..<400 {
            var bytes = messages[random.below(messages.count)].bytes
            for _ in 0..<random.below(20) { bytes[random.below(bytes.count)] = UInt8(random.below(256)) }
            bytes.removeLast(random.below(bytes.count))
            let message = ParsedMessage(bytes)
            #expect(ParsedMessage.attachmentContent(message.attachments.count, of: bytes) == nil)
        }
    }

    @Test func deepNesting_ends() {
        var text = ""
        for depth in 0..<3000 { text += "Content-Type: multipart/mixed; boundary=b\(depth)\n\n--b\(depth)\n" }
        #expect(Self.parse(text + "\n\ndeep").attachments.isEmpty)
        let nested = String(repeating: "Content-Type: message/rfc822\n\n", count: 3000)
        #expect(Self.parse(nested + "deep").attachments.count <= 1)
    }

    @Test(arguments: [
        [], [0], [0x0a], [0x0d, 0x0a, 0x0d, 0x0a], Array(repeating: 0xff, count: 5000), Array("From: ".utf8),
        Array("Content-Type: multipart/mixed\n\n--\n".utf8),
    ])
    func garbage_givesEmptyFields(bytes: [UInt8]) {
        #expect(ParsedMessage(bytes).subject.isEmpty)
        #expect(ParsedMessage(bytes).from == nil)
    }

    @Test func contrivedMessages_areShownRaw() throws {
        let groups = "Subject: =?x\nTo: " + String(repeating: "g:", count: 100_000) + "\n\nbody"
        let message = Self.parse(groups)
        #expect(message.isRaw && message.bestPlainText == "body" && message.subject.text == "=?x" && message.to.isEmpty)
        let folded = "To:\n" + String(repeating: " g:\n", count: 100_000) + "\nbody"
        #expect(Self.parse(folded).isRaw)
        #expect(Self.parse("Content-Type: message/rfc822\n\nBCC : " + String(repeating: "g:", count: 201) + "\n\nbody").isRaw)
        #expect(!Self.parse("To: " + String(repeating: "g:", count: 200) + "\n\nbody").isRaw)
        #expect(!Self.parse("Subject: " + String(repeating: "g:", count: 1000) + "\n\nbody").isRaw)
        var deep = ""
        for depth in 0..<2000 { deep += "Content-Type: multipart/mixed; BOUNDARY=b\(depth)\n\n--b\(depth)\n" }
        #expect(!Self.parse(deep).isRaw)
        #expect(Self.parse(deep + String(repeating: "--\n", count: 20_000)).isRaw)
        #expect(ParsedMessage.attachmentContent(0, of: Array(groups.utf8)) == nil)
        let defaults = try MessageCompletionTests.defaults()
        let raw = Array("To: \(String(repeating: "g:", count: 100_000))\n\nbody".utf8)
        #expect(try MessageBuilder.completing(raw: raw, defaults: defaults).recipients.isEmpty)
    }

    @Test func parsing_worksOnManyThreads() async {
        let expected = Self.parse(Self.mixed)
        await withTaskGroup(of: Bool.self) { group in
            for _ in 0..<8 { group.addTask { @concurrent in (0..<50).allSatisfy { _ in Self.parse(Self.mixed) == expected } } }
            for await isEqual in group { #expect(isEqual) }
        }
    }
}
