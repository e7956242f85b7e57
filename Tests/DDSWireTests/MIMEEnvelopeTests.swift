// ENVELOPE, word for word.

import Testing

@testable import DDSWire

@Suite struct MIMEEnvelopeTests {
    /// RFC 3501 8 and RFC 9051 8.
    @Test func theRFCsMessage_hasTheRFCsEnvelope() {
        let message = mime(
            """
            Date: Wed, 17 Jul 1996 02:23:25 -0700 (PDT)
            From: Terry Gray <gray@cac.washington.edu>
            Subject: IMAP4rev1 WG mtg summary and minutes
            To: imap@cac.washington.edu
            cc: minutes@CNRI.Reston.VA.US, John Klensin <KLENSIN@MIT.EDU>
            Message-Id: <B27397-0100000@cac.washington.edu>
            MIME-Version: 1.0
            Content-Type: TEXT/PLAIN; CHARSET=US-ASCII


            """)
        let gray = #"(("Terry Gray" NIL "gray" "cac.washington.edu"))"#
        #expect(
            message.envelopeText
                == #"("Wed, 17 Jul 1996 02:23:25 -0700 (PDT)" "IMAP4rev1 WG mtg summary and minutes" "#
                + "\(gray) \(gray) \(gray) "
                + #"((NIL NIL "imap" "cac.washington.edu")) "#
                + #"((NIL NIL "minutes" "CNRI.Reston.VA.US")("John Klensin" NIL "KLENSIN" "MIT.EDU")) NIL NIL "#
                + #""<B27397-0100000@cac.washington.edu>")"#)
    }

    @Test func fieldsAbsent_areNil_andFieldsEmpty_areEmpty() {
        #expect(mime("\nbody").envelopeText == "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)")
        let empty = mime("Date:\nSubject: \nFrom:\nSender:\nReply-To:\nTo:\nCc:\nBcc:\nIn-Reply-To:\nMessage-ID:\n\nbody")
        #expect(empty.envelopeText == #"("" "" NIL NIL NIL NIL NIL NIL "" "")"#)
    }

    /// RFC 9051 7.5.2.
    @Test func senderAndReplyTo_areFrom_unlessTheySayMore() {
        func addresses(_ header: String) -> [IMAPValue] {
            IMAPValue(mime(header + "\n").envelope())?.items.map { Array($0[2..<5]) } ?? []
        }
        let (from, other) = (IMAPValue(Array(#"((NIL NIL "a" "b"))"#.utf8)), IMAPValue(Array(#"((NIL NIL "c" "d"))"#.utf8)))
        #expect(addresses("From: a@b\n") == [from, from, from])
        #expect(addresses("From: a@b\nSender: c@d\n") == [from, other, from])
        #expect(addresses("Reply-To: c@d\nFrom: a@b\nSender: (nobody)\n") == [from, from, other])
    }

    private static func to(_ field: String) -> String {
        let text = mime("To: \(field)\n\n").envelopeText
        let (start, end) = ("(NIL NIL NIL NIL NIL ", " NIL NIL NIL NIL)")
        #expect(text.hasPrefix(start) && text.hasSuffix(end))
        return String(text.dropFirst(start.count).dropLast(end.count))
    }

    @Test(arguments: [
        ("a@b", #"((NIL NIL "a" "b"))"#),
        ("<a@b>", #"((NIL NIL "a" "b"))"#),
        // RFC 5322 A.1.2
        (#""Joe Q. Public" <john.q.public@example.com>"#, #"(("Joe Q. Public" NIL "john.q.public" "example.com"))"#),
        (
            #"Mary Smith <mary@x.test>, jdoe@example.org, Who? <one@y.test>"#,
            #"(("Mary Smith" NIL "mary" "x.test")(NIL NIL "jdoe" "example.org")("Who?" NIL "one" "y.test"))"#
        ),
        (
            #"<boss@nil.test>, "Giant; \"Big\" Box" <sysservices@example.net>"#,
            #"((NIL NIL "boss" "nil.test")("Giant; \"Big\" Box" NIL "sysservices" "example.net"))"#
        ),
        // RFC 5322 A.1.3
        (
            "A Group:Ed Jones <c@a.test>,joe@where.test,John <jdoe@one.test>;",
            #"((NIL NIL "A Group" NIL)("Ed Jones" NIL "c" "a.test")(NIL NIL "joe" "where.test")"#
                + #"("John" NIL "jdoe" "one.test")(NIL NIL NIL NIL))"#
        ),
        ("Undisclosed recipients:;", #"((NIL NIL "Undisclosed recipients" NIL)(NIL NIL NIL NIL))"#),
        ("x@y, g:a@b;, c@d", #"((NIL NIL "x" "y")(NIL NIL "g" NIL)(NIL NIL "a" "b")(NIL NIL NIL NIL)(NIL NIL "c" "d"))"#),
        // A group without end, and one in another: lists stay lists.
        ("g: a@b", #"((NIL NIL "g" NIL)(NIL NIL "a" "b")(NIL NIL NIL NIL))"#),
        ("g: h: a@b;", #"((NIL NIL "g" NIL)(NIL NIL NIL NIL)(NIL NIL "h" NIL)(NIL NIL "a" "b")(NIL NIL NIL NIL))"#),
        // RFC 5322 A.5
        (
            #"Pete(A nice \) chap) <pete(his account)@silly.test(his host)>"#, #"(("Pete" NIL "pete" "silly.test"))"#
        ),
        (
            "A Group(Some people)\n     :Chris Jones <c@(Chris's host.)public.example>,\n         joe@example.org,\n"
                + "  John <jdoe@one.test> (my dear friend); (the end of the group)",
            #"((NIL NIL "A Group" NIL)("Chris Jones" NIL "c" "public.example")(NIL NIL "joe" "example.org")"#
                + #"("John" NIL "jdoe" "one.test")(NIL NIL NIL NIL))"#
        ),
        // RFC 5322 A.6.1 and A.6.3
        (
            "Mary Smith <@node.test:mary@example.net>, , jdoe@test  . example",
            #"(("Mary Smith" "@node.test" "mary" "example.net")(NIL NIL "jdoe" "test.example"))"#
        ),
        ("<@a.test,@b.test:c@d>", #"((NIL "@a.test,@b.test" "c" "d"))"#),
        ("Joe Q. Public <john . q @ x>", #"(("Joe Q. Public" NIL "john.q" "x"))"#),
        // What real mail has.
        ("bob@x (Bob \"B\" (the) Builder)", #"(("Bob \"B\" (the) Builder" NIL "bob" "x"))"#),
        ("bob@x.test <bob@x.test>", #"(("bob@x.test" NIL "bob" "x.test"))"#),
        ("[Bot] Robot <r@[127.0.0.1]>", #"(("[Bot] Robot" NIL "r" "[127.0.0.1]"))"#),
        (#""a b"@c"#, #"((NIL NIL "a b" "c"))"#),
        ("postmaster", #"((NIL NIL "postmaster" ""))"#),
        ("John Smith", #"(("John Smith" NIL "" ""))"#),
        ("<>", #"((NIL NIL "" ""))"#),
        ("a <b@c, d@e", #"(("a" NIL "b" "c")(NIL NIL "d" "e"))"#),
        ("=?utf-8?q?J=C3=B6rg?= =?utf-8?q?_M?= <j@x>", #"(("=?utf-8?q?J=C3=B6rg?= =?utf-8?q?_M?=" NIL "j" "x"))"#),
        ("J\u{f6}rg <j@x>", "(({5}\r\nJ\u{f6}rg NIL \"j\" \"x\"))"),
        (",, ;", "NIL"),
        ("(only a comment)", "NIL"),
        ("\"open <a@b>", "((NIL NIL \"open <a@b>\" \"\"))"),
        ("(open a@b", "NIL"),
        ("a@b (\\", #"(("\\" NIL "a" "b"))"#),
        ("\"\\", #"((NIL NIL "\\" ""))"#),
        ("a@b> c, d@e", #"((NIL NIL "a" "b>")(NIL NIL "d" "e"))"#),
    ])
    func addresses_areReadAsMeant(field: String, expected: String) {
        #expect(Self.to(field) == expected)
    }

    @Test func aFieldThatIsThereTwice_countsTwice_ifItHoldsAddresses() {
        let message = mime("To: a@b\nSubject: one\nSubject: two\nTo: c@d\n\n")
        #expect(message.envelopeText == #"(NIL "one" NIL NIL NIL ((NIL NIL "a" "b")(NIL NIL "c" "d")) NIL NIL NIL NIL)"#)
    }

    @Test(arguments: [
        ("plain", "\"plain\""), ("a \"b\" \\c", #""a \"b\" \\c""#), ("folded\n  twice\n\tover", "{18}\r\nfolded  twice\tover"),
        ("h\u{e4}", "{3}\r\nh\u{e4}"), ("n\u{0}ul", "\"nul\""), ("=?utf-8?q?=C3=A4?=", "\"=?utf-8?q?=C3=A4?=\""),
        ("\u{7f}", "{1}\r\n\u{7f}"),
        ("bare\rcr", "\"barecr\""),
    ])
    func strings_areQuoted_orLiterals(field: String, expected: String) {
        #expect(mime("Subject: \(field)\n\n").envelopeText == "(NIL \(expected) NIL NIL NIL NIL NIL NIL NIL NIL)")
    }

    // MARK: Limits

    @Test(arguments: [-1, 0, 1])
    func addresses_haveALimit(over: Int) {
        let max = MIMEDescription.addressesMax
        let field = Array(repeating: "a", count: max + over).joined(separator: ",")
        let list = IMAPValue(mime("To: \(field)\n\n").envelope())?.items?[5].items
        #expect(list?.count == min(max, max + over))
    }

    @Test(arguments: [-1, 0, 1])
    func values_haveALimit(over: Int) {
        let max = MIMEField.valueOctetsMax
        // The space behind the colon is one of them.
        let field = String(repeating: "s", count: max - 1 + over)
        #expect(IMAPValue(mime("Subject: \(field)\n\n").envelope())?.items?[1].octets?.count == min(max - 1, max - 1 + over))
    }
}
