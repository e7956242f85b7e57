// BODY and BODYSTRUCTURE, word for word.

import Testing

@testable import DDSWire

@Suite struct MIMEBodyStructureTests {
    /// So many octets in so many lines.
    private static func filler(octets: Int, lines: Int) -> String {
        // Each line end is two octets once it is sent.
        let last = octets - (lines - 1) * 3 - 2
        return String(repeating: "x\n", count: lines - 1) + String(repeating: "y", count: last) + "\n"
    }

    /// RFC 3501 8 and RFC 9051 8.
    @Test func theRFCsMessage_hasTheRFCsBody() {
        let message = mime("Content-Type: TEXT/PLAIN; CHARSET=US-ASCII\n\n" + Self.filler(octets: 3028, lines: 92))
        #expect(message.bodyText == #"("TEXT" "PLAIN" ("CHARSET" "US-ASCII") NIL NIL "7BIT" 3028 92)"#)
    }

    /// RFC 3501 7.4.2 and RFC 9051 7.5.2.
    @Test func theRFCsMultipart_hasTheRFCsBody() {
        let message = mime(
            """
            Content-Type: MULTIPART/MIXED; BOUNDARY=b

            --b
            Content-Type: TEXT/PLAIN; CHARSET=US-ASCII

            \(Self.filler(octets: 1152, lines: 23))
            --b
            Content-Type: TEXT/PLAIN; CHARSET=US-ASCII; NAME=cc.diff
            Content-ID: <960723163407.20117h@cac.washington.edu>
            Content-Description: Compiler diff
            Content-Transfer-Encoding: BASE64

            \(Self.filler(octets: 4554, lines: 73))
            --b--

            """)
        #expect(
            message.bodyText
                == #"(("TEXT" "PLAIN" ("CHARSET" "US-ASCII") NIL NIL "7BIT" 1152 23)("TEXT" "PLAIN" ("CHARSET" "US-ASCII" "#
                + #""NAME" "cc.diff") "<960723163407.20117h@cac.washington.edu>" "Compiler diff" "BASE64" 4554 73) "MIXED")"#)
    }

    @Test func extensionData_isAllThereIs() {
        let message = mime(
            """
            Content-Type: multipart/mixed; boundary=b; x=y
            Content-Disposition: inline
            Content-Language: de, en-GB
            Content-Location: http://a.test/

            --b
            Content-Type: image/png
            Content-MD5: Q2hlY2sgSW50ZWdyaXR5IQ==
            Content-Disposition: attachment; filename="a \\"b\\".png"; size=3
            Content-Language: fr
            Content-Location:
             x.png

            abc
            --b--
            """)
        #expect(
            message.extendedText
                == #"(("image" "png" NIL NIL NIL "7BIT" 3 "Q2hlY2sgSW50ZWdyaXR5IQ==" ("attachment" ("filename" "a \"b\".png" "#
                + #""size" "3")) ("fr") "x.png") "mixed" ("boundary" "b" "x" "y") ("inline" NIL) "#
                + #"("de" "en-GB") "http://a.test/")"#
        )
        #expect(message.bodyText == #"(("image" "png" NIL NIL NIL "7BIT" 3) "mixed")"#)
    }

    @Test(arguments: ["rfc822", "RFC822", "global"])
    func aMessageInAMessage_hasEnvelopeBodyAndLines(subtype: String) {
        let message = mime("Content-Type: message/\(subtype)\n\nSubject: in\nFrom: a@b\n\none\ntwo\n")
        let from = #"((NIL NIL "a" "b"))"#
        let envelope = #"(NIL "in" \#(from) \#(from) \#(from) NIL NIL NIL NIL NIL)"#
        let body = #"("TEXT" "PLAIN" ("CHARSET" "US-ASCII") NIL NIL "7BIT" 10 2"#
        #expect(message.bodyText == "(\"message\" \"\(subtype)\" NIL NIL NIL \"7BIT\" 36 \(envelope) \(body)) 5)")
        #expect(
            message.extendedText
                == "(\"message\" \"\(subtype)\" NIL NIL NIL \"7BIT\" 36 \(envelope) \(body) NIL NIL NIL NIL) 5 "
                + "NIL NIL NIL NIL)")
    }

    @Test func otherMessages_areOpaque() {
        let message = mime("Content-Type: message/partial; id=x\n\na\n")
        #expect(message.bodyText == #"("message" "partial" ("id" "x") NIL NIL "7BIT" 3)"#)
    }

    /// RFC 2046 5.1.5.
    @Test func inADigest_whatSaysNothing_isAMessage() {
        let message = mime(
            """
            Content-Type: multipart/digest; boundary=b

            --b

            Subject: one

            text
            --b
            Content-Type: text/plain

            two
            --b
            Content-Type: nonsense

            three
            --b--
            """)
        #expect(message.bodyText.hasPrefix(#"(("MESSAGE" "RFC822" NIL NIL NIL "7BIT" 20 (NIL "one" "#))
        #expect(message.text([1], .header) == "Subject: one\r\n\r\n")
        #expect(message.bodyText.contains(#"("text" "plain" NIL NIL NIL "7BIT" 3 0)("TEXT" "PLAIN" ("CHARSET" "US-ASCII")"#))
    }

    @Test(arguments: [
        "", "Content-Type:\n", "Content-Type: text\n", "Content-Type: /plain\n", "Content-Type: text/\n",
        "Content-Type: a/b/c\n", "Content-Type: ;charset=utf-8\n", "Content-Type: \"text\"/plain\n",
        "Content-Type: t\u{fc}xt/plain\n",
        "Content-Type: multipart/mixed\n", "Content-Type: multipart/mixed; boundary=\"\"\n",
        "Content-Type: multipart/mixed; boundary=\" \"\n",
    ])
    func whatIsBroken_isPlainText(field: String) {
        #expect(mime(field + "\na\n").bodyText == #"("TEXT" "PLAIN" ("CHARSET" "US-ASCII") NIL NIL "7BIT" 3 1)"#)
    }

    @Test(arguments: [
        ("text/plain", "NIL"),
        ("text/plain; charset=us-ascii (Plain text)", #"("charset" "us-ascii")"#),
        ("text / (c) plain (d(e)\\)) ; charset = \"utf-8\" ; x=y", #"("charset" "utf-8" "x" "y")"#),
        ("text/plain charset=utf-8", #"("charset" "utf-8")"#),
        ("text/plain;;; charset=utf-8;;", #"("charset" "utf-8")"#),
        ("text/plain; charset; =x; name", "NIL"),
        ("text/plain; charset=\"utf-8", #"("charset" "utf-8")"#),
        ("text/plain; name=My File.txt ; a=b", #"("name" "My File.txt" "a" "b")"#),
        ("text/plain; charset=utf-8; x (\\", #"("charset" "utf-8")"#),
        ("text/plain; charset=utf-8 (\\", #"("charset" "utf-8")"#),
        ("text/plain; x=\"\\", #"("x" "\\")"#),
        ("text/plain; name=a(1).txt", #"("name" "a(1).txt")"#),
        ("text/plain; name=\"a;b\\\"c\\\\\"; a=\"\"", #"("name" "a;b\"c\\" "a" "")"#),
        ("text/plain; name*0*=utf-8''a%20; name*1=b", #"("name*0*" "utf-8''a%20" "name*1" "b")"#),
        ("text/plain;\n\tcharset=\n utf-8", #"("charset" "utf-8")"#),
        ("text/plain; name=h\u{e4}", "(\"name\" {3}\r\nh\u{e4})"),
    ])
    func parameters_areReadAsMeant(field: String, expected: String) {
        #expect(mime("Content-Type: \(field)\n\na\n").bodyText == "(\"text\" \"plain\" \(expected) NIL NIL \"7BIT\" 3 1)")
    }

    @Test(arguments: [
        ("quoted-printable", "quoted-printable"), (" BASE64 (c)", "BASE64"), ("", "7BIT"), ("(c)", "7BIT"),
        ("8bit; x=y", "8bit"), ("x-uuencode", "x-uuencode"),
    ])
    func encodings_areWords(field: String, expected: String) {
        let message = mime("Content-Type: a/b\nContent-Transfer-Encoding: \(field)\n\na\n")
        #expect(message.bodyText == "(\"a\" \"b\" NIL NIL NIL \"\(expected)\" 3)")
    }

    @Test(arguments: [
        ("attachment", #"("attachment" NIL)"#), ("", "NIL"), (";filename=x", "NIL"),
        ("inline;filename=x", #"("inline" ("filename" "x"))"#),
    ])
    func dispositions_haveParameters(field: String, expected: String) {
        let message = mime("Content-Type: a/b\nContent-Disposition: \(field)\n\na\n")
        #expect(message.extendedText == "(\"a\" \"b\" NIL NIL NIL \"7BIT\" 3 NIL \(expected) NIL NIL)")
    }
}
