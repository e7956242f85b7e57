import DDSCore
import DDSTestKit
import Testing

@testable import DDSWire

/// BINARY (RFC 3516, RFC 9051 6.4.5): parts without their transfer encodings.
@Suite struct IMAPBinaryTests {
    private static let mail = mimeOctets(
        """
        Subject: x
        Content-Type: multipart/mixed; boundary=b

        --b
        Content-Type: text/plain; charset=utf-8
        Content-Transfer-Encoding: quoted-printable

        gr=C3=BC=C3=9F=
        e
        --b
        Content-Type: application/octet-stream
        Content-Transfer-Encoding: BASE64

        AEECAw==
        --b
        Content-Type: application/x
        Content-Transfer-Encoding: x-uuencode

        begin 644 x
        --b
        Content-Type: message/rfc822

        Content-Transfer-Encoding: base64

        aGk=
        --b--
        """)

    private func selecting() -> (IMAPModel, SessionHarness<IMAPServerSession>) {
        let model = IMAPModel()
        model.folders["Drafts"] = IMAPModel.Folder()
        model.add(Self.mail, to: "Drafts", flags: IMAPFlags())
        return (model, model.selecting("Drafts"))
    }

    private func say(_ harness: inout SessionHarness<IMAPServerSession>, _ line: String) -> String {
        harness.receive(line + "\r\n")
        return harness.takeText()
    }

    @Test func parts_areSentDecoded_andTheirSizesAreTrue() {
        let (model, first) = selecting()
        var harness = first
        for (items, text) in [
            ("BINARY.PEEK[1]", "BINARY[1] {7}\r\ngr\u{fc}\u{df}e"),
            ("BINARY.SIZE[1]", "BINARY.SIZE[1] 7"),
            ("BINARY.PEEK[2]", "BINARY[2] ~{4}\r\n\0A\u{2}\u{3}"),
            ("BINARY.PEEK[2]<1.2>", "BINARY[2]<1> {2}\r\nA\u{2}"),
            ("BINARY.PEEK[2]<4.9>", "BINARY[2]<4> {0}\r\n"),
            ("(BINARY.SIZE[2] BODY.PEEK[2])", "BINARY.SIZE[2] 4 BODY[2] {8}\r\nAEECAw=="),
            ("BINARY.PEEK[4.1]", "BINARY[4.1] {2}\r\nhi"),
            ("BINARY.PEEK[4]", "BINARY[4] {41}\r\nContent-Transfer-Encoding: base64\r\n\r\naGk="),
            ("BINARY.PEEK[9]", "BINARY[9] NIL"), ("BINARY.SIZE[9]", "BINARY.SIZE[9] 0"),
            ("BINARY.SIZE[]", "BINARY.SIZE[] \(Self.mail.count)"),
            ("BINARY.PEEK[]<9.1>", "BINARY[]<9> {1}\r\nx"),
        ] { #expect(say(&harness, "a FETCH 1 \(items)") == "* 1 FETCH (\(text))\r\na OK Done\r\n", "\(items)") }
        #expect(model.flags(1, in: "Drafts") == IMAPFlags())
        #expect(say(&harness, "a FETCH 1 BINARY[4.1]").hasSuffix("* 1 FETCH (FLAGS (\\Seen))\r\na OK Done\r\n"))
        #expect(say(&harness, "a CAPABILITY").contains(" BINARY "))
    }

    @Test func encodingsThatNobodyKnows_areRefused() {
        let (model, first) = selecting()
        var harness = first
        for items in ["BINARY[3]", "BINARY.SIZE[3]", "(BINARY[1] BINARY[3])"] {
            #expect(
                say(&harness, "a FETCH 1 \(items)")
                    == "a NO [UNKNOWN-CTE] The transfer encoding of this part is not known here\r\n", "\(items)")
        }
        #expect(model.flags(1, in: "Drafts") == IMAPFlags())
        #expect(say(&harness, "a FETCH 1 BODY.PEEK[3]").contains("begin 644 x"))
    }

    @Test(.enabled(if: Corpus.isPresent, Comment(rawValue: Corpus.absence)))
    func realMessages_inPieces_areTheWhole() throws {
        for (name, bytes) in Corpus.mail() where bytes.count < 60_000 {
            let model = IMAPModel()
            model.folders["Drafts"] = IMAPModel.Folder()
            model.add(bytes, to: "Drafts", flags: IMAPFlags())
            var harness = model.selecting("Drafts")
            for part in ["1", "2", "1.1", "2.1", "1.2"] {
                let size = say(&harness, "a FETCH 1 BINARY.SIZE[\(part)]")
                if size.hasPrefix("a NO [UNKNOWN-CTE]") { continue }
                let count = try #require(Int(size.drop { $0 != "]" }.dropFirst(2).prefix { $0 != ")" }), "\(name): \(size)")
                guard count > 0 else { continue }
                var pieces: [UInt8] = []
                for offset in stride(from: 0, to: count, by: 1 + count / 3) {
                    harness.receive("a FETCH 1 BINARY.PEEK[\(part)]<\(offset).\(1 + count / 3)>\r\n")
                    pieces += content(harness.takeOutput())
                }
                harness.receive("a FETCH 1 BINARY.PEEK[\(part)]\r\n")
                let whole = content(harness.takeOutput())
                #expect(whole.count == count && whole[...] == pieces[...], "\(name) \(part)")
            }
        }
    }

    /// What the literal of a reply holds.
    private func content(_ reply: [UInt8]) -> [UInt8] {
        guard let open = reply.firstIndex(of: 0x7b), let close = reply[open...].firstIndex(of: 0x7d),
            let count = Int(String(decoding: reply[open + 1..<close], as: UTF8.self))
        else { return [] }
        return Array(reply[(close + 3)...].prefix(count))
    }

    @Test func sessions_areTheSameHoweverTheyArrive() {
        let session = Array(
            ("a APPEND Drafts ~{\(Self.mail.count)+}\r\n" + String(decoding: Self.mail, as: UTF8.self) + "\r\n"
                + "b SELECT Drafts\r\nc FETCH 1 (BINARY.SIZE[2] BINARY.PEEK[2]<1.2>)\r\nd UID FETCH 1 BINARY.PEEK[1]\r\n").utf8)
        // What is asked behind a FETCH depends on whether more has come already.
        func run(_ pieces: [ArraySlice<UInt8>]) -> String {
            var harness = IMAPModel().loggedIn()
            for piece in pieces { harness.receive(piece) }
            return harness.takeText()
        }
        let whole = run([session[...]])
        #expect(whole.hasSuffix("* 1 FETCH (UID 1 BINARY[1] {7}\r\ngr\u{fc}\u{df}e)\r\nd OK Done\r\n"))
        for split in session.indices { #expect(run([session[..<split], session[split...]]) == whole, "split at \(split)") }
        #expect(run(session.indices.map { session[$0...$0] }) == whole)
    }
}
