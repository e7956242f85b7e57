import DDSMail
import Testing

@Suite struct ContentKindTests {
    @Test(
        arguments: [
            ([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a], ContentKind.png), ([0xff, 0xd8, 0xff, 0xe0], .jpeg),
            (Array("GIF89a".utf8), .gif),
            (Array("RIFF....WEBPVP8 ".utf8), .webp), (Array("RIFF\0...WAVEfmt ".utf8), .unknown),
            (Array("%PDF-1.7\n".utf8), .pdf),
            (Array("plain text\n".utf8), .text), ([], .unknown), ([0], .unknown), (Array("PK\u{3}\u{4}".utf8), .archive),
            ([0x7f, 0x45, 0x4c, 0x46], .program), ([0x4d, 0x5a, 0x90, 0, 3], .program), (Array("MZ is a text".utf8), .text),
            (Array("  <!DocType html>".utf8), .markup), (Array("text <script>x".utf8), .markup),
            (Array("\u{feff}<?xml version".utf8), .markup),
            (Array("<\0s\0v\0g\0 \0".utf8), .markup), (Array("a < b".utf8), .text),
            ([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a], .unknown),
        ] as [([UInt8], ContentKind)])
    func contents_areWhatTheirOctetsSay(octets: [UInt8], kind: ContentKind) { #expect(ContentKind(of: octets) == kind) }

    @Test(arguments: [
        (ContentKind.png, "image/png", false), (.png, "image/gif", true), (.png, "application/octet-stream", false),
        (.png, "text/plain", true),
        (.markup, "image/png", true), (.markup, "text/html", false), (.markup, "text/plain", false),
        (.markup, "application/pdf", true),
        (.text, "text/csv", false), (.text, "image/png", true), (.pdf, "application/msword", true),
        (.program, "text/plain", true),
        (.unknown, "application/msword", false), (.unknown, "image/jpeg", true), (.archive, "application/zip", false),
        (.png, "", false),
    ])
    func types_areClaims(kind: ContentKind, declared: String, isWrong: Bool) { #expect(kind.contradicts(declared) == isWrong) }
}

@Suite struct FormattedTextTests {
    private func message(_ type: String, _ body: String) -> ParsedMessage {
        ParsedMessage(Array("MIME-Version: 1.0\r\nContent-Type: \(type)\r\n\r\n\(body)".utf8))
    }

    @Test func theLastAlternativeInHTML_isTheFormattedOne() {
        let parts =
            "--b\r\nContent-Type: text/plain\r\n\r\nplain\r\n--b\r\nContent-Type: text/html\r\n\r\n<p>one\r\n--b\r\nContent-Type: text/html\r\n\r\n"
            + "<p>two\r\n--b\r\nContent-Type: text/plain\r\n\r\nagain\r\n--b--\r\n"
        let found = message("multipart/alternative; boundary=b", parts)
        #expect(found.formattedText == "<p>two" && found.bestPlainText == "again")
        #expect(
            message("multipart/mixed; boundary=b", parts).formattedText
                == "<pre>\nplain</pre>\n<p>one\n<p>two\n<pre>\nagain</pre>")
        #expect(message("text/plain", "<p>x").formattedText.isEmpty)
    }

    @Test(arguments: [
        ("", "<meta charset=iso-8859-2>\u{b1}", "<meta charset=iso-8859-2>ą"),
        ("; charset=utf-8", "<meta charset=iso-8859-2>x", "<meta charset=iso-8859-2>x"),
        ("", "<meta charset=utf-7>+ADw-b+AD4-", "<meta charset=utf-7>+ADw-b+AD4-"), ("", "x", "x"),
    ])
    func documentsWithoutACharset_maySayTheirs(declared: String, body: String, text: String) {
        let head = Array("MIME-Version: 1.0\r\nContent-Type: text/html\(declared)\r\n\r\n".utf8)
        #expect(ParsedMessage(head + body.unicodeScalars.map { UInt8($0.value) }).formattedText == text)
    }

    @Test func partsWithAnID_areFound() {
        let bytes = Array(
            ("MIME-Version: 1.0\r\nContent-Type: multipart/related; boundary=b\r\n\r\n--b\r\nContent-Type: text/html\r\n\r\n<img src=cid:a@b>\r\n"
                + "--b\r\nContent-Type: image/png\r\nContent-ID: <a@b>\r\n\r\nONE\r\n--b\r\nContent-Type: image/png\r\nContent-ID: <a@b>\r\n\r\nTWO\r\n"
                + "--b\r\nContent-Type: image/png\r\n\r\nTHREE\r\n--b--\r\n").utf8)
        #expect(ParsedMessage.relatedParts(of: bytes) == ["a@b": Array("ONE".utf8)])
        #expect(ParsedMessage(bytes).attachments.map(\.kind) == [.text, .text, .text])
    }
}
