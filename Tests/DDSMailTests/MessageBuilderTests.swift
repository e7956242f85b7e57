import DDSCore
import DDSMail
import DDSTestKit
import Foundation
import Testing

@Suite struct MessageBuilderTests {
    static let python = "/usr/bin/python3"
    static let hasPython: Bool = {
        let isThere = FileManager.default.isExecutableFile(atPath: python)
        if !isThere { print("SKIPPED: there is no \(python), so nobody else reads what the builder writes") }
        return isThere
    }()

    static let texts = [
        "", "hello", "hello\n", "two\r\nlines\rthree\n", "From me\n. dot\n", "trailing \n\t\n",
        String(repeating: "a", count: 998), String(repeating: "a", count: 999),
        "Grüße aus Köln, wo es regnet und das Wetter so ist, wie es eben ist.\n", "你好，世界。\n再见\n",
        String(repeating: "wörd ", count: 500), "nul\u{0}l\u{1b}[31m",
        "\u{2028}x", "=3D= =\n",
    ]
    static let subjects = [
        "Hello", "", "Grüße", "a\r\nBcc: evil@example.org", String(repeating: "long words and ", count: 30) + "end",
        String(repeating: "x", count: 1200),
        String(repeating: "ü", count: 600), "你好 \u{1f469}\u{200d}\u{1f469}\u{200d}\u{1f467} world", "tab\there",
    ]

    static func builder(_ body: String, subject: String = "Hello") throws -> MessageBuilder {
        let alice = try #require(MailAddress("alice@node.example"))
        let board = try #require(MailAddress("board@node.example"))
        return MessageBuilder(
            from: .init(name: "Alice Müller, \"A\"", address: alice), to: [.init(address: board)], subject: subject,
            date: WallTime(milliseconds: 1_795_452_360_000), messageID: "m1@node.example",
            submission: [UInt8](repeating: 0xab, count: 16), body: body)
    }

    static func check(_ bytes: [UInt8]) {
        #expect(bytes.suffix(2) == [0x0d, 0x0a])
        let lines = bytes.split(separator: 0x0a, omittingEmptySubsequences: false).dropLast()
        #expect(lines.allSatisfy { $0.last == 0x0d && $0.count <= 999 && !$0.dropLast().contains(0x0d) })
        #expect(bytes.allSatisfy { $0 < 0x80 && $0 != 0 })
    }

    static func canonical(_ text: String) -> String {
        let lines = text.replacing("\r\n", with: "\n").replacing("\r", with: "\n")
        return lines.hasSuffix("\n") ? lines : lines + "\n"
    }

    @Test(arguments: texts) func bodies_comeBack(text: String) throws {
        let bytes = try Self.builder(text).build()
        Self.check(bytes)
        let message = ParsedMessage(bytes)
        #expect(Self.canonical(message.bestPlainText) == Self.canonical(text))
        #expect(message.attachments.isEmpty)
    }

    @Test(arguments: subjects) func subjects_comeBack(text: String) throws {
        let bytes = try Self.builder("x", subject: text).build()
        Self.check(bytes)
        #expect(ParsedMessage(bytes).subject.text == SafeText(text).text)
        let header = try HeaderSection(of: bytes)
        #expect(header.malformedLine == nil)
        #expect(
            Set(header.fields.map(\.name)) == [
                "From", "To", "Subject", "Date", "Message-Id", "X-DDS-Submission", "MIME-Version", "Content-Type",
                "Content-Transfer-Encoding",
            ])
    }

    @Test func encodings_fitTheText() throws {
        func encoding(_ text: String) throws -> String? {
            try HeaderSection(of: Self.builder(text).build()).first("Content-Transfer-Encoding")?.text
        }
        #expect(try encoding("plain\n") == "7bit")
        #expect(try encoding(String(repeating: "a", count: 998)) == "7bit")
        #expect(try encoding(String(repeating: "a", count: 999)) == "quoted-printable")
        #expect(try encoding("Mostly ASCII with an ü in it, which is rare.") == "quoted-printable")
        #expect(try encoding("你好，世界。") == "base64")
    }

    @Test func fields_areAllThere() throws {
        var builder = try Self.builder("x")
        builder.cc = [.init(name: "Bob", address: try #require(MailAddress("bob@node.example")))]
        builder.inReplyTo = "a@b"
        builder.references = (0..<100).map { "reference-number-\($0)@node.example" } + ["evil> \r\nBcc: <x@y"]
        builder.list = MailAddress(local: "board", domain: "node.example")
        let bytes = builder.build()
        Self.check(bytes)
        let header = try HeaderSection(of: bytes)
        #expect(header.first("X-DDS-Submission")?.text == String(repeating: "ab", count: 16))
        #expect(header.first("Date")?.text == "Mon, 23 Nov 2026 16:46:00 +0000")
        #expect(header.first("Bcc") == nil && header.malformedLine == nil)
        let message = ParsedMessage(bytes)
        #expect(message.from == Person(name: SafeText("Alice Müller, \"A\""), address: "alice@node.example"))
        #expect(message.to.map(\.address) == ["board@node.example"])
        #expect(message.cc.map(\.name.text) == ["Bob"])
        #expect(message.messageID == "m1@node.example")
        #expect(message.inReplyTo == ["a@b"])
        #expect(message.references == builder.references.dropLast() + ["evilBcc:x@y"])
        #expect(message.listID?.text == "board.node.example")
        #expect(header.first("List-Post")?.text == "<mailto:board@node.example>")
    }

    static let attachments: [MessageBuilder.Attachment] = [
        .init(
            fileName: "a.bin", type: "application/octet-stream",
            content: (0...255).map { UInt8($0) } + [0x0d, 0x0a, 0x0a, 0x0d]),
        .init(fileName: "Übersicht \"1\"; a\r\nX: y.pdf", type: "application/pdf", content: []),
        .init(
            fileName: String(repeating: "长", count: 60) + ".txt", type: "text/plain",
            content: Array("line\nline\r\nno end".utf8)),
        .init(fileName: "/etc/passwd", type: "message/rfc822", content: Array("Subject: x\r\n\r\ny".utf8)),
        .init(fileName: "", type: "x/y; boundary=\"z\"", content: SeededRandom(seed: 1).bytes(100_000)),
    ]

    @Test func attachments_comeBack() throws {
        var builder = try Self.builder("Grüße")
        builder.attachments = Self.attachments
        let bytes = builder.build()
        Self.check(bytes)
        let message = ParsedMessage(bytes)
        #expect(Self.canonical(message.bestPlainText) == "Grüße\n")
        #expect(
            message.attachments.map(\.declaredType) == [
                "application/octet-stream", "application/pdf", "text/plain", "application/octet-stream",
                "application/octet-stream",
            ])
        #expect(message.attachments.map(\.fileName.stem).first == "a")
        #expect(message.attachments[1].fileName.text == "Übersicht _1_; a X_ y.pdf")
        #expect(message.attachments[2].fileName.realExtension == "txt")
        #expect(message.attachments[3].fileName.text == "passwd")
        for (index, attachment) in Self.attachments.enumerated() {
            #expect(ParsedMessage.attachmentContent(index, of: bytes) == attachment.content)
        }
    }

    @Test(.enabled(if: hasPython, "there is no python3")) func python_readsTheSame() throws {
        let program = """
            import sys, json, email, email.policy
            m = email.message_from_binary_file(sys.stdin.buffer, policy=email.policy.default)
            body = m.get_body(("plain",))
            author = m["From"].addresses[0]
            print(json.dumps({"subject": m["Subject"], "from": author.display_name, "address": author.addr_spec,
                "body": body.get_content(), "defects": [str(d) for p in m.walk() for d in p.defects],
                "names": [a.get_filename() for a in m.iter_attachments()], "submission": m["X-DDS-Submission"],
                "date": m["Date"].datetime.isoformat(),
                "contents": [a.get_payload(decode=True).hex() for a in m.iter_attachments()]}))
            """
        for (index, text) in Self.texts.enumerated() {
            let subject = Self.subjects[index % Self.subjects.count]
            var builder = try Self.builder(text, subject: subject)
            builder.attachments = Array(Self.attachments.prefix(4))
            let output = try run(Self.python, ["-c", program], input: builder.build())
            let object = try #require(JSONSerialization.jsonObject(with: Data(output)) as? [String: Any])
            #expect(object["subject"] as? String == SafeText(subject).text)
            #expect(object["from"] as? String == "Alice Müller, \"A\"")
            #expect(object["address"] as? String == "alice@node.example")
            #expect((object["body"] as? String).map(Self.canonical) == Self.canonical(text))
            #expect(object["defects"] as? [String] == [])
            #expect(
                object["names"] as? [String] == [
                    "a.bin", "Übersicht \"1\"; a  X: y.pdf", String(repeating: "长", count: 60) + ".txt", "passwd",
                ])
            #expect(object["submission"] as? String == String(repeating: "ab", count: 16))
            #expect(object["date"] as? String == "2026-11-23T16:46:00+00:00")
            #expect(object["contents"] as? [String] == Self.attachments.prefix(4).map { Hex.encode($0.content) })
        }
    }

    @Test func padded_isStillTheSameMessage() throws {
        let bytes = try Self.builder("Grüße").build()
        let padded = Padding.pad(bytes)
        #expect(padded.count == 1024)
        #expect(ParsedMessage(padded) == ParsedMessage(bytes))
        #expect(Padding.strip(padded) == bytes)
    }
}

@Suite struct MessageCompletionTests {
    static func defaults() throws -> MessageBuilder.Defaults {
        MessageBuilder.Defaults(
            from: .init(name: "Jörg", address: try #require(MailAddress("joerg@node.example"))),
            date: WallTime(milliseconds: 0),
            messageID: "new@node.example", submission: [UInt8](repeating: 1, count: 16))
    }

    static func complete(_ text: String) throws -> CompletedMessage {
        try MessageBuilder.completing(raw: Array(text.utf8), defaults: defaults())
    }

    @Test func missingFields_areAdded() throws {
        let completed = try Self.complete(
            "To: Bob <bob@node.example>\nBCC: carol@node.example,\n dave@node.example\nSubject: x\n\nhello")
        #expect(
            String(decoding: completed.bytes, as: UTF8.self)
                == """
                To: Bob <bob@node.example>
                Subject: x
                From: =?UTF-8?b?SsO2cmc=?= <joerg@node.example>
                Date: Thu, 1 Jan 1970 00:00:00 +0000
                Message-ID: <new@node.example>
                X-DDS-Submission: 01010101010101010101010101010101

                hello

                """.replacing("\n", with: "\r\n"))
        #expect(completed.recipients.map(\.description) == ["bob@node.example", "carol@node.example", "dave@node.example"])
        #expect(completed.unusableRecipients.isEmpty)
        #expect(completed.messageID == "new@node.example")
        #expect(ParsedMessage(completed.bytes).from?.name.text == "Jörg")
    }

    @Test func whatIsThere_stays() throws {
        let text = """
            From: x@y.example
            to: a@b.example, bad address, A@b.example, "q q"@b.example, g: c@b.example;
            Date:  whenever
             folded
            Message-Id: <mine@y>
            X-DDS-Submission: ABABABABABABABABABABABABABABABAB
            X-Other: =?x

            body\u{c}

            """.replacing("\n", with: "\r\n")
        let completed = try Self.complete(text)
        #expect(String(decoding: completed.bytes, as: UTF8.self) == text)
        #expect(completed.recipients.map(\.description) == ["a@b.example", "c@b.example"])
        #expect(completed.unusableRecipients.contains { $0.contains("q q") })
        #expect(completed.messageID == "mine@y")
        #expect(completed.submission == [UInt8](repeating: 0xab, count: 16))
        #expect(try Self.complete(String(decoding: completed.bytes, as: UTF8.self)).bytes == completed.bytes)
    }

    @Test func lineEnds_becomeCRLF() throws {
        let completed = try Self.complete("From joe Mon Nov 23\nTo: a@b.example\rCc: c@d.example\r\n\none\rtwo\r\n\nthree")
        #expect(
            completed.bytes.split(separator: 0x0a, omittingEmptySubsequences: false).dropLast().allSatisfy { $0.last == 0x0d })
        #expect(String(decoding: completed.bytes, as: UTF8.self).hasSuffix("\r\n\r\none\r\ntwo\r\n\r\nthree\r\n"))
        #expect(completed.recipients.count == 2)
    }

    @Test func eightBitBodies_areLabelled() throws {
        let completed = try Self.complete("To: a@b.example\n\nGrüße\n")
        #expect(try HeaderSection(of: completed.bytes).first("Content-Type")?.text == "text/plain; charset=utf-8")
        #expect(ParsedMessage(completed.bytes).bestPlainText == "Grüße\n")
        let typed = try Self.complete("To: a@b.example\nContent-Type: text/html\n\nGrüße\n")
        #expect(try HeaderSection(of: typed.bytes).first("MIME-Version") == nil)
    }

    @Test func badSubmissionID_isReplaced() throws {
        let completed = try Self.complete("X-DDS-Submission: 12\nX-DDS-Pad: xx\n xx\nTo: a@b.example\n\n")
        #expect(
            try HeaderSection(of: completed.bytes).all("X-DDS-Submission").map(\.text) == [String(repeating: "01", count: 16)])
        #expect(try HeaderSection(of: completed.bytes).first("X-DDS-Pad") == nil)
    }

    @Test func textWithoutHeader_isRefusedWithItsLine() {
        #expect(throws: CompletionError.malformedLine(3)) {
            try Self.complete("To: a@b.example,\n c@d.example\nhello there\n\nmore\n")
        }
        #expect(throws: CompletionError.headerTooLarge) { try Self.complete("a: " + String(repeating: "x", count: 300_000)) }
    }

    @Test func empty_isCompletedToo() throws {
        let completed = try Self.complete("")
        #expect(completed.recipients.isEmpty)
        #expect(try HeaderSection(of: completed.bytes).fields.count == 4)
    }
}
