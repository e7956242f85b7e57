import DDSCore
import DDSMail
import Testing

@Suite struct SubmittedMessageTests {
    private func address(_ text: String) throws -> MailAddress { try #require(MailAddress(text)) }

    private func defaults() throws -> MessageBuilder.Defaults {
        MessageBuilder.Defaults(
            from: MessageBuilder.Mailbox(name: "Alice", address: try address("alice@node.test")),
            date: WallTime(milliseconds: 1_795_600_000_000), messageID: "fresh@node.test",
            submission: [UInt8](repeating: 0xab, count: 16))
    }

    private func submitted(_ text: String) throws -> SubmittedMessage {
        try SubmittedMessage(Array(text.utf8), author: try address("alice@node.test"))
    }

    private func completed(_ text: String, list: String? = nil) throws -> String {
        let bytes = try submitted(text).completed(try defaults(), list: try list.map(address))
        return String(decoding: bytes, as: UTF8.self)
    }

    private static let id = "X-DDS-Submission: " + String(repeating: "ab", count: 16) + "\r\n"

    @Test func whatIsThere_staysOctetForOctet() throws {
        let head =
            "Subject : odd\r\nFrom:\tAlice <ALICE@Node.Test>\r\nTo: bob@node.test,\r\n\t carol@node.test \r\nDate: x\r\nMessage-ID:<1@x>\r\nX-\u{fc}: \u{e4}\r\n"
        // A name beyond ASCII is none.
        #expect(throws: SubmittedFault.malformedLine(7)) { try submitted(head + "\r\nbody") }
        let good = head.replacing("X-\u{fc}", with: "X-u")
        let body = " \r\n.\r\nFrom me\r\n\u{0}\u{e4}\r\n\r\n"
        #expect(
            try completed(good + "MIME-Version: 1.0\r\n\r\n" + body) == good + "MIME-Version: 1.0\r\n" + Self.id + "\r\n" + body
        )
    }

    @Test func hiddenRecipients_andWhatBelongsToOthers_areTakenOut() throws {
        let text =
            "Bcc: a@x,\r\n b@x\r\nFrom: alice@node.test\r\nbCC\t: c@x\r\nResent-Bcc: d@x\r\nX-DDS-Submission: 00112233445566778899aabbccddeeff\r\n"
            + "X-DDS-Pad: xxxx\r\n xxxx\r\nTo: bob@node.test\r\nDate: x\r\nMessage-ID: <1@x>\r\n\r\nBcc: in the text\r\n"
        #expect(
            try completed(text)
                == "From: alice@node.test\r\nTo: bob@node.test\r\nDate: x\r\nMessage-ID: <1@x>\r\n" + Self.id
                + "\r\nBcc: in the text\r\n")
    }

    @Test func whatIsMissing_isAdded() throws {
        let whole =
            "From: Alice <alice@node.test>\r\nDate: Wed, 25 Nov 2026 09:46:40 +0000\r\nMessage-ID: <fresh@node.test>\r\n"
            + Self.id
        #expect(try completed("") == whole + "\r\n")
        #expect(try completed("\r\nx") == whole + "\r\nx\r\n")
        #expect(try completed("Message-ID: <>\r\n\r\n") == whole + "\r\n")
        let list = "List-Id: <board.node.test>\r\nList-Post: <mailto:board@node.test>\r\n"
        #expect(try completed("\r\nx\r\n", list: "board@node.test") == whole + list + "\r\nx\r\n")
        let own = "List-Id: mine\r\n"
        #expect(
            try completed(own + "\r\nx\r\n", list: "board@node.test") == own + whole
                + "List-Post: <mailto:board@node.test>\r\n\r\nx\r\n")
        // A header section is all there is.
        #expect(try completed("Subject: x") == "Subject: x\r\n" + whole + "\r\n")
    }

    @Test func whoReadsIt_isInToAndCc() throws {
        let message = try submitted(
            "To: Bob <BOB@node.test>, all: carol@node.test;\r\nCc: \"x\" <board@node.test>\r\nBcc: dave@node.test\r\nReply-To: eve@node.test\r\n\r\n"
        )
        #expect(
            message.visible == [
                try address("bob@node.test"), try address("carol@node.test"), try address("board@node.test"),
            ])
    }

    @Test func whatIsNotTheAuthors_isRefused() throws {
        for (head, fault) in [
            ("From: bob@node.test\r\n", SubmittedFault.foreignAuthor(field: "From")),
            ("From: alice@node.test, bob@node.test\r\n", .foreignAuthor(field: "From")),
            ("From:\r\n", .foreignAuthor(field: "From")), ("From: Alice\r\n", .foreignAuthor(field: "From")),
            ("From: <>\r\n", .foreignAuthor(field: "From")),
            ("from : <alice@node.test.evil>\r\n", .foreignAuthor(field: "From")),
            ("From: alice@node.test\r\nSender: bob@node.test\r\n", .foreignAuthor(field: "Sender")),
            ("From: alice@node.test\r\nFROM: bob@node.test\r\n", .repeatedField("From")),
            ("To: a@x\r\nTo: b@x\r\n", .repeatedField("To")), ("Subject: x\r\nno field\r\n", .malformedLine(2)),
            (" leading\r\nSubject: x\r\n", .malformedLine(1)), ("From bob Mon\r\nSubject: x\r\n", .malformedLine(1)),
            ("Subject: a\r\n b\r\n c\r\n: x\r\n", .malformedLine(4)),
            ("Subject: " + String(repeating: "x", count: 256 * 1024) + "\r\n", .headerTooLarge),
        ] {
            #expect(throws: fault, "\(head.prefix(60))") { try submitted(head + "\r\nx\r\n") }
        }
        #expect(try completed("From: alice@node.test\r\nSender: <alice@node.test>\r\n\r\nx").contains("Sender"))
    }
}
