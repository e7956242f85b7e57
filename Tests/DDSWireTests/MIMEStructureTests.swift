// Where the parts of a message are, and the octets of its sections.

import Testing

@testable import DDSWire

@Suite struct MIMEStructureTests {
    /// The shape of the example in RFC 9051 6.4.5.1.
    private static let example = mime(
        """
        Subject: all
        Content-Type: multipart/mixed; boundary=A

        --A
        Content-Type: text/plain

        one
        --A
        Content-Type: application/octet-stream

        two
        --A
        Content-Type: message/rfc822

        Subject: three
        Content-Type: multipart/mixed; boundary=B

        --B

        three-one
        --B
        Content-Type: application/octet-stream

        three-two
        --B--
        --A
        Content-Type: multipart/mixed; boundary=C

        --C
        Content-Type: image/gif

        four-one
        --C
        Content-Type: message/rfc822

        Subject: four-two
        Content-Type: multipart/mixed; boundary=D

        --D

        four-two-one
        --D
        Content-Type: multipart/alternative; boundary=E

        --E

        plain
        --E
        Content-Type: text/richtext

        rich
        --E--
        --D--
        --C--
        --A--

        """)

    @Test(arguments: [
        ([1], "one"), ([2], "two"), ([3, 1], "three-one"), ([3, 2], "three-two"), ([4, 1], "four-one"),
        ([4, 2, 1], "four-two-one"), ([4, 2, 2, 1], "plain"), ([4, 2, 2, 2], "rich"),
    ])
    func numbers_nameParts(part: [Int], text: String) {
        #expect(Self.example.text(part) == text)
    }

    @Test(arguments: [[0], [5], [-1], [1, 1], [1, 1, 1], [3, 3], [3, 1, 1], [4, 2, 2, 3], [4, 2, 2, 1, 1], [Int.max]])
    func otherNumbers_nameNothing(part: [Int]) {
        #expect(Self.example.text(part) == nil)
        #expect(Self.example.text(part, .mime) == nil)
    }

    @Test func headersAndTexts_areThoseOfMessages_andMIMEofParts() {
        let example = Self.example
        #expect(example.text([], .header) == "Subject: all\r\nContent-Type: multipart/mixed; boundary=A\r\n\r\n")
        #expect(example.text([3], .header) == "Subject: three\r\nContent-Type: multipart/mixed; boundary=B\r\n\r\n")
        #expect(example.text([3], .text)?.hasPrefix("--B\r\n\r\nthree-one\r\n") == true)
        #expect(example.text([3])?.hasPrefix("Subject: three\r\n") == true)
        #expect(example.text([4, 2], .header)?.hasPrefix("Subject: four-two\r\n") == true)
        #expect(example.text([4, 2], .fields(["SUBJECT"])) == "Subject: four-two\r\n\r\n")
        #expect(example.text([4, 2], .fieldsNot(["SUBJECT"])) == "Content-Type: multipart/mixed; boundary=D\r\n\r\n")
        #expect(example.text([4, 1], .mime) == "Content-Type: image/gif\r\n\r\n")
        #expect(example.text([4, 2, 1], .mime) == "\r\n")
        // No message: no header, no text; the message itself has no MIME header of its own.
        #expect(example.text([4], .header) == nil)
        #expect(example.text([1], .text) == nil)
        #expect(example.text([1], .fields(["SUBJECT"])) == nil)
        #expect(example.text([], .mime) == nil)
    }

    @Test func aMessageWithoutParts_isItsPartOne() {
        let simple = mime("Subject: s\n\nbody\n")
        #expect(simple.text([1]) == "body\r\n")
        #expect(simple.text([1], .mime) == "Subject: s\r\n\r\n")
        #expect(simple.text([2]) == nil)
        #expect(simple.text([1, 1]) == nil)
        let nested = mime("Content-Type: message/rfc822\n\nSubject: in\n\nbody\n")
        #expect(nested.text([1]) == "Subject: in\r\n\r\nbody\r\n")
        #expect(nested.text([1], .header) == "Subject: in\r\n\r\n")
        #expect(nested.text([1, 1]) == "body\r\n")
        #expect(nested.text([1, 1, 1]) == nil)
    }

    // MARK: Fields

    @Test func fields_areGivenAsWritten_foldsAndOrderAndDoublesIncluded() {
        let message = mime("B: 1\nreceived: x\n\ty\nA : 2\nb: 3\nnot a field\nC: 4\n\nbody")
        #expect(message.text([], .fields(["a", "B"])) == "B: 1\r\nA : 2\r\nb: 3\r\n\r\n")
        #expect(message.text([], .fields(["RECEIVED"])) == "received: x\r\n\ty\r\n\r\n")
        #expect(message.text([], .fieldsNot(["RECEIVED", "B", "a"])) == "not a field\r\nC: 4\r\n\r\n")
        #expect(message.text([], .fields(["X", ""])) == "\r\n")
        #expect(message.text([], .fieldsNot([])) == message.text([], .header))
        // RFC 9051 6.4.5.1: no empty line where the message has none.
        #expect(mime("A: 1\nB: 2\n").text([], .fields(["b"])) == "B: 2\r\n")
    }

    @Test(arguments: ["", "\n", "\n\n", "A: 1", "A: 1\n", "A: 1\n\n", " \n", ":\n\n", "A\n\nB"])
    func headerAndText_areTheMessage(text: String) {
        let structure = mime(text)
        #expect(mimeComplaints(structure) == [])
    }

    // MARK: Delimiters

    private static func parts(_ body: String, boundary: String = "b") -> [String]? {
        let structure = mime("Content-Type: multipart/mixed; boundary=\"\(boundary)\"\n\n" + body)
        #expect(mimeComplaints(structure) == [])
        guard case .multipart(let parts) = structure.root.content else { return nil }
        return parts.indices.map { structure.text([$0 + 1]) ?? "?" }
    }

    @Test(arguments: [
        ("--b\n\none\n--b\n\ntwo\n--b--\n", ["one", "two"]),
        ("preamble\n--b\n\none\n--b--\nepilogue\n--b\n\nno part\n--b--\n", ["one"]),
        // The line end before a delimiter is the delimiter's; others are the part's.
        ("--b\n\none\n\n--b--", ["one\r\n"]),
        ("--b  \t\n\none\n--b--\t \n", ["one"]),
        // No end.
        ("--b\n\none\n--b\n\ntwo\n", ["one", "two\r\n"]),
        ("--b\n\none\n--b", ["one", ""]),
        ("--b", [""]),
        // Empty parts, parts without header sections, and parts that are only those.
        ("--b\n--b\n\n--b\n\n\n--b\nA: 1\n--b\nA: 1\n\n--b--", ["", "", "", "", ""]),
        // Only whole lines are delimiters.
        (
            "--b\n\none\n--bb\n --b\nx--b\n-b\n--b-\n--b---\n--b--x\n--B\n--b--",
            ["one\r\n--bb\r\n --b\r\nx--b\r\n-b\r\n--b-\r\n--b---\r\n--b--x\r\n--B"]
        ),
    ])
    func delimiters_cutParts(body: String, expected: [String]) {
        #expect(Self.parts(body) == expected)
    }

    @Test func boundaries_mayContainMuch() {
        #expect(Self.parts("--a b:'=?\n\none\n--a b:'=?--", boundary: "a b:'=?") == ["one"])
        #expect(Self.parts("--b\n\none\n--b--", boundary: "b  ") == ["one"])
        #expect(Self.parts("--b--\n\none\n--b----", boundary: "b--") == ["one"])
        let long = String(repeating: "x", count: 500)
        #expect(Self.parts("--\(long)\n\none", boundary: long) == ["one"])
        #expect(Self.parts("--\n\none\n----\n", boundary: "") == nil)
    }

    @Test func whereNoPartIsFound_everythingIsText() {
        for body in ["no delimiter\n", "", "--b--\n", "--c\n\n--c--\n"] {
            let structure = mime("Content-Type: multipart/mixed; boundary=b\n\n" + body)
            #expect(structure.bodyText.hasPrefix("(\"TEXT\" \"PLAIN\" (\"CHARSET\" \"US-ASCII\") NIL NIL \"7BIT\" "))
            #expect(structure.octets(of: MIMESection(part: [1], what: .all)) == mimeOctets(body)[...])
        }
    }

    @Test func anOuterDelimiter_endsWhatIsWithin() {
        let structure = mime(
            """
            Content-Type: multipart/mixed; boundary=out

            --out
            Content-Type: multipart/mixed; boundary=out-in

            --out-in

            one
            --out-in
            Content-Type: message/rfc822

            Subject: cut
            --out

            two
            --out-in

            still two
            --out--
            """)
        #expect(structure.text([1, 1]) == "one")
        #expect(structure.text([1, 2]) == "Subject: cut")
        #expect(structure.text([1, 2], .header) == "Subject: cut")
        #expect(structure.text([2]) == "two\r\n--out-in\r\n\r\nstill two")
        #expect(structure.text([3]) == nil)
        #expect(mimeComplaints(structure) == [])
    }

    @Test func lineFeedsAlone_endLinesToo() {
        let structure = MIMEStructure(Array("Content-Type: multipart/mixed; boundary=b\n\n--b\n\none\rtwo\n--b--\n".utf8))
        #expect(structure.text([1]) == "one\rtwo")
        #expect(mimeComplaints(structure) == [])
    }

    // MARK: Limits

    private static func nested(_ levels: Int) -> [UInt8] {
        mimeOctets((0..<levels).map { "Content-Type: multipart/mixed; boundary=b\($0)\n\n--b\($0)\n" }.joined() + "\ncore")
    }

    @Test(arguments: [(2, true), (3, true), (4, false)])
    func nesting_hasALimit(levels: Int, isWhole: Bool) {
        let structure = MIMEStructure(Self.nested(levels), depthMax: 3)
        #expect(structure.text(Array(repeating: 1, count: levels)) == (isWhole ? "core" : nil))
        #expect(structure.bodyText.contains("OCTET-STREAM") == !isWhole)
        #expect(mimeComplaints(structure) == [])
    }

    @Test(arguments: [(2, true), (3, true), (4, false)])
    func messagesInMessages_haveTheSameLimit(levels: Int, isWhole: Bool) {
        let text = String(repeating: "Content-Type: message/rfc822\n\n", count: levels) + "\ncore"
        let structure = MIMEStructure(mimeOctets(text), depthMax: 3)
        #expect(structure.bodyText.contains("\"TEXT\"") == isWhole)
        #expect(structure.bodyText.contains("OCTET-STREAM") == !isWhole)
        #expect(mimeComplaints(structure) == [])
    }

    @Test(arguments: [2, 3, 4])
    func partsOverTheLimit_belongToTheLastOne(count: Int) {
        let body = (1...count).map { "--b\n\n\($0)\n" }.joined()
        // The multipart is one of four parts itself.
        let message = mimeOctets("Content-Type: multipart/mixed; boundary=b\n\n" + body + "--b--\n")
        let structure = MIMEStructure(message, partsMax: 4)
        #expect(structure.text([3]) == (count < 3 ? nil : count == 3 ? "3" : "3\r\n--b\r\n\r\n4"))
        #expect(structure.text([4]) == nil)
        #expect(mimeComplaints(structure, partsMax: 4) == [])
        #expect(MIMEStructure(message, partsMax: 1).bodyText.contains("OCTET-STREAM"))
    }

    /// Work is counted in octets; a search that began anew at each part would take minutes here.
    @Test func aHugeMessage_takesNoLongerThanItsOctets() {
        var message = Array("Content-Type: multipart/mixed; boundary=b\r\n\r\n".utf8)
        for index in 0..<200_000 { message += Array("--b\(index % 3 == 0 ? "" : "-")\r\n\r\n--\r\nfour\r\n".utf8) }
        let structure = MIMEStructure(message, partsMax: 100_000)
        #expect(structure.text([66_667]) == "--\r\nfour\r\n--b-\r\n\r\n--\r\nfour\r\n")
    }
}
