import DDSTestKit
import DDSTorture
import Testing

@testable import DDSWire

@Suite struct IMAPSyntaxTests {
    // MARK: Names

    @Test(arguments: [
        ("INBOX", "INBOX"), ("A&B", "A&-B"), ("Gr\u{fc}n", "Gr&APw-n"), ("\u{65e5}\u{672c}\u{8a9e}", "&ZeVnLIqe-"),
        ("~peter/mail/\u{53f0}\u{5317}/\u{65e5}\u{672c}\u{8a9e}", "~peter/mail/&U,BTFw-/&ZeVnLIqe-"), ("\u{1f600}", "&2D3eAA-"),
        ("&-", "&--"), ("", ""),
    ])
    func modifiedUTF7_goesBothWays(name: String, text: String) {
        #expect(IMAPMailboxName.encode(name) == Array(text.utf8))
        #expect(IMAPMailboxName.decode(Array(text.utf8)) == name)
    }

    @Test(arguments: [
        "&", "&AP", "&APw", "&AP-", "Gr\u{fc}n", "&AGE-", "&APw-&APw-", "&2D0-", "&3gA-", "&APx-", "a\tb", "&U/BTFw-", "&APw=-",
        "&,-",
    ])
    func otherSpellings_areNoNames(text: String) {
        #expect(IMAPMailboxName.decode(Array(text.utf8)) == nil)
    }

    @Test func anyName_comesBack() {
        let random = SeededRandom(seed: 5)
        let scalars: [ClosedRange<UInt32>] = [0x20...0x7e, 0xa0...0x7ff, 0x800...0xd7ff, 0x1_0000...0x1_ffff]
        for _ in 0..<2000 {
            var name = ""
            for _ in 0..<random.below(12) {
                let range = scalars[random.below(scalars.count)]
                if let scalar = Unicode.Scalar(range.lowerBound + UInt32(random.below(range.count))) {
                    name.unicodeScalars.append(scalar)
                }
            }
            #expect(IMAPMailboxName.decode(IMAPMailboxName.encode(name)).map { Array($0.utf8) } == Array(name.utf8))
        }
    }

    @Test func inbox_isTheSameInAnyCase() throws {
        #expect(try IMAPMailboxName.read(Array("inBox".utf8), isUTF8: false) == "INBOX")
        #expect(try IMAPMailboxName.read(Array("inbox/A".utf8), isUTF8: true) == "INBOX/A")
        #expect(try IMAPMailboxName.read(Array("inboxes".utf8), isUTF8: true) == "inboxes")
        #expect(throws: IMAPFault.self) { try IMAPMailboxName.read([0xff], isUTF8: true) }
        #expect(throws: IMAPFault.self) { try IMAPMailboxName.read([0x41, 0x0a], isUTF8: true) }
        #expect(throws: IMAPFault.self) { try IMAPMailboxName.read(Array(repeating: 0x41, count: 1001), isUTF8: true) }
    }

    @Test(arguments: [
        ("*", "a/b", true), ("%", "a/b", false), ("%", "ab", true), ("a/%", "a/b", true), ("a/%", "a/b/c", false),
        ("a*c", "a/b/c", true), ("%/%", "a/b", true), ("", "", true), ("", "a", false), ("*%", "a/b", true),
        ("%*", "a/b", true),
        ("a%b*c", "axb/yc", true), ("a%b*c", "a/b/yc", false),
    ])
    func patterns(pattern: String, name: String, matches: Bool) {
        #expect(IMAPListPattern(pattern).matches(name) == matches)
    }

    // MARK: Dates

    @Test(arguments: [
        (Int64(0), "01-Jan-1970 00:00:00 +0000"), (-1, "31-Dec-1969 23:59:59 +0000"),
        (951_825_600, "29-Feb-2000 12:00:00 +0000"),
        (1_709_251_199, "29-Feb-2024 23:59:59 +0000"), (253_402_300_799, "31-Dec-9999 23:59:59 +0000"),
        (.max, "31-Dec-9999 23:59:59 +0000"), (.min, "01-Jan-0001 00:00:00 +0000"),
    ])
    func dateTime(seconds: Int64, text: String) {
        #expect(IMAPDate.dateTime(seconds) == text)
        if seconds != .max, seconds != .min { #expect(IMAPDate.parseDateTime(text) == seconds) }
    }

    @Test func dates_thatExist_andOthers() {
        #expect(IMAPDate.parseDate("1-Feb-1994") == 8797)
        #expect(IMAPDate.parseDate("01-feb-1994") == 8797)
        #expect(IMAPDate.parseDateTime(" 7-Feb-1994 21:52:25 -0800") == 760_686_745)
        for text in [
            "30-Feb-2000", "29-Feb-2023", "0-Jan-2000", "1-Foo-2000", "1-Jan-00", "1-1-2000", "", "--", "1-Jan-0000",
            "-1-Jan-2000",
        ] {
            #expect(IMAPDate.parseDate(text) == nil, "\(text)")
        }
        for text in [
            "1-Jan-2000", "1-Jan-2000 00:00:00", "1-Jan-2000 24:00:00 +0000", "1-Jan-2000 00:60:00 +0000",
            "1-Jan-2000 0:0:0 +0000", "1-Jan-2000 00:00:00 0000", "1-Jan-2000 00:00:00 +00", "1-Jan-2000 00:00:00 +0099",
        ] { #expect(IMAPDate.parseDateTime(text) == nil, "\(text)") }
    }

    // MARK: Search keys

    private func key(_ text: String, literals: [[UInt8]] = []) throws -> IMAPSearchKey {
        let lines = text.split(separator: "|", omittingEmptySubsequences: false).map { Array($0.utf8) }
        var parser = IMAPParser(IMAPCommandText(lines: lines, literals: literals))
        var search = IMAPSearchParser { set, isUID throws(IMAPFault) in
            guard case .ranges(let ranges) = set else { return IMAPSet([]) }
            return IMAPSet(ranges.map { min($0.first, $0.last)...max($0.first, $0.last) })
        }
        let key = try search.keys(&parser)
        try parser.end()
        return key
    }

    @Test func everySearchKey_isUnderstood() throws {
        let table: [(String, IMAPSearchKey)] = [
            ("ALL", .all), ("all", .all), ("OLD", .all), ("NEW", .not(.all)), ("RECENT", .not(.all)),
            ("ANSWERED", .flag(.answered, true)), ("UNANSWERED", .flag(.answered, false)), ("DELETED", .flag(.deleted, true)),
            ("UNDELETED", .flag(.deleted, false)), ("DRAFT", .flag(.draft, true)), ("UNDRAFT", .flag(.draft, false)),
            ("FLAGGED", .flag(.flagged, true)), ("UNFLAGGED", .flag(.flagged, false)), ("SEEN", .flag(.seen, true)),
            ("UNSEEN", .flag(.seen, false)), ("KEYWORD $Junk", .keyword("$Junk", true)), ("UNKEYWORD x", .keyword("x", false)),
            ("BCC x", .header("bcc", "x")), ("CC x", .header("cc", "x")), ("FROM \"a b\"", .header("from", "a b")),
            ("SUBJECT \"\"", .header("subject", "")), ("TO x", .header("to", "x")),
            ("HEADER List-Id y", .header("list-id", "y")),
            ("BODY x", .body("x")), ("TEXT \"\u{fc}\"", .text("\u{fc}")),
            ("BEFORE 1-Feb-1994", .before(8797, sent: false)), ("SENTBEFORE \"1-Feb-1994\"", .before(8797, sent: true)),
            ("ON 1-Feb-1994", .on(8797, sent: false)), ("SENTON 1-Feb-1994", .on(8797, sent: true)),
            ("SINCE 1-Feb-1994", .since(8797, sent: false)), ("SENTSINCE 1-Feb-1994", .since(8797, sent: true)),
            ("YOUNGER 60", .younger(60)), ("OLDER 60", .older(60)), ("LARGER 5", .larger(5)), ("SMALLER 0", .smaller(0)),
            ("MODSEQ 7", .modSeq(7)), ("MODSEQ \"/flags/\\\\seen\" all 7", .modSeq(7)), ("UID 3:1", .uids(IMAPSet([1...3]))),
            ("1,3", .uids(IMAPSet([1...1, 3...3]))), ("NOT SEEN", .not(.flag(.seen, true))),
            ("OR SEEN DRAFT", .or(.flag(.seen, true), .flag(.draft, true))),
            ("SEEN DRAFT", .and([.flag(.seen, true), .flag(.draft, true)])),
            ("(SEEN DRAFT) ALL", .and([.and([.flag(.seen, true), .flag(.draft, true)]), .all])),
            ("NOT (OR (ALL) NOT ALL)", .not(.or(.all, .not(.all)))),
        ]
        for (text, expected) in table { #expect(try key(text) == expected, "\(text)") }
        #expect(
            try key("SUBJECT {2}| TEXT {1}|", literals: [Array("hi".utf8), Array("x".utf8)])
                == .and([.header("subject", "hi"), .text("x")]))
    }

    @Test(arguments: [
        "", " ", "FOO", "NOT", "OR SEEN", "(", "()", "(SEEN", "SEEN)", "SEEN  DRAFT", "SUBJECT", "SUBJECT ", "HEADER x",
        "HEADER \"a:b\" x",
        "BEFORE x", "BEFORE 30-Feb-2000", "YOUNGER 0", "LARGER x", "LARGER 99999999999999999999", "KEYWORD \"x\"", "UID",
        "UID x", "0", "1:",
        "1,,2", "1:2:3", "MODSEQ", "MODSEQ \"x\" 7", "SUBJECT {2}", "TEXT \"x", "4294967296", "SEEN{2}",
    ])
    func otherSearchKeys_areRefused(text: String) {
        #expect(throws: IMAPFault.self) { try key(text) }
    }

    @Test func searchKeys_areBoundedInDepthAndNumber() throws {
        let most = IMAPSearchParser.depthMax - 1
        for (open, close) in [("(", ")"), ("NOT ", ""), ("OR ALL ", "")] {
            func nested(_ depth: Int) -> String {
                String(repeating: open, count: depth) + "ALL" + String(repeating: close, count: depth)
            }
            _ = try key(nested(most))
            #expect(throws: IMAPFault.self) { try key(nested(most + 1)) }
            #expect(throws: IMAPFault.self) { try key(nested(20_000)) }
        }
        let many = Array(repeating: "ALL", count: IMAPSearchParser.keysMax)
        _ = try key(many.joined(separator: " "))
        #expect(throws: IMAPFault.self) { try key((many + ["ALL"]).joined(separator: " ")) }
    }

    @Test func setsAreBounded() throws {
        func parse(_ count: Int) throws -> IMAPSequenceSet {
            var parser = IMAPParser(
                IMAPCommandText(lines: [Array(Array(repeating: "1", count: count).joined(separator: ",").utf8)]))
            return try parser.sequenceSet()
        }
        _ = try parse(IMAPParser.rangesMax)
        #expect(throws: IMAPFault.self) { try parse(IMAPParser.rangesMax + 1) }
    }

    // MARK: Fetch items

    private func request(_ text: String) throws -> IMAPFetchRequest {
        var parser = IMAPParser(IMAPCommandText(lines: [Array(text.utf8)]))
        return try parser.fetchRequest()
    }

    @Test(arguments: [
        "BODY[]", "BODY[HEADER]", "BODY[TEXT]", "BODY[1]", "BODY[1.2.3]", "BODY[1.MIME]", "BODY[1.HEADER]", "BODY[2.TEXT]",
        "BODY[HEADER.FIELDS (Date From)]", "BODY[1.HEADER.FIELDS.NOT (X)]",
    ])
    func sections_areCalledAsTheyWereAskedFor(text: String) throws {
        guard case .section(let section) = try request(text).items[0] else {
            Issue.record("no section")
            return
        }
        #expect(section.label == text)
        #expect(section.marksSeen)
        guard case .section(let peek) = try request("(body.peek" + text.dropFirst(4).lowercased() + "<1.2>)").items[0] else {
            return
        }
        #expect(!peek.marksSeen)
        #expect(peek.partial == .init(offset: 1, count: 2))
    }

    @Test(arguments: [
        "", "()", "(FLAGS", "FLAGS)", "FLAGS UID", "(ALL)", "(FLAGS  UID)", "BODY[", "BODY[]]", "BODY[0]", "BODY[1.]",
        "BODY[.1]", "BODY[MIME]",
        "BODY[TEXT.1]", "BODY[FOO]", "BODY[HEADER.FIELDS]", "BODY[HEADER.FIELDS ()]", "BODY[HEADER.FIELDS (a:b)]", "BODY[]<1>",
        "BODY[]<1.0>", "BODY[]<.1>", "BODY[]<1.2", "BODY.PEEK", "BODY[1234567890]", "FLAGS (CHANGEDSINCE)", "FLAGS (FOO 1)",
        "BODY[HEADER.]", "BODY[1..2]", "RFC822.FOO", "BINARY", "BINARY.PEEK", "BINARY.SIZE", "BINARY[", "BINARY[0]",
        "BINARY[1.]", "BINARY[TEXT]", "BINARY[1.MIME]", "BINARY[1]<0>", "BINARY.SIZE[1]<0.1>", "BINARY.SIZE[HEADER]",
    ])
    func otherItems_areRefused(text: String) {
        #expect(throws: IMAPFault.self) { try request(text) }
    }

    @Test(arguments: [
        ("BINARY[]", "BINARY[]", [], IMAPFetchSection.Form.decoded, true),
        ("BINARY[1.2]", "BINARY[1.2]", [1, 2], .decoded, true),
        ("BINARY.PEEK[3]", "BINARY[3]", [3], .decoded, false),
        ("binary.size[2.1]", "BINARY.SIZE[2.1]", [2, 1], .decodedSize, false),
    ])
    func binarySections(text: String, label: String, part: [Int], form: IMAPFetchSection.Form, marksSeen: Bool) throws {
        let section = try #require(try request(text).items[0].section)
        #expect(section.label == label && section.section == MIMESection(part: part, what: .all))
        #expect(section.form == form && section.marksSeen == marksSeen && section.partial == nil)
    }

    // MARK: Sets

    @Test func setsOfASearch_areFewRanges() {
        let rows = [2, 4, 5, 9].map { IMAPRow(uid: $0, modSeq: 1, internalDate: 0, size: 1) }
        let selection = IMAPSelection(
            isExamined: false, view: IMAPView(uidValidity: 1, uidNext: 10, highestModSeq: 1, rows: rows))
        func uids(_ ranges: [(UInt32, UInt32)], isUID: Bool) -> [ClosedRange<UInt32>] {
            selection.uids(.ranges(ranges.map { IMAPNumberRange(first: $0.0, last: $0.1) }), isUID: isUID).ranges
        }
        #expect(uids([(1, 3), (2, 2), (4, 4)], isUID: true) == [2...4])
        #expect(uids([(9, 9), (2, 2), (3, 3)], isUID: true) == [2...2, 9...9])
        #expect(uids([(5, 0), (9, .max)], isUID: true) == [5...9])
        #expect(uids([(10, 0), (3, 3)], isUID: true) == [9...9])
        #expect(uids([(4, 4), (1, 1), (2, 2)], isUID: false) == [2...4, 9...9])
        #expect(uids([(7, 3), (9, 9), (8, 0)], isUID: false) == [5...9])
        #expect(uids(Array(repeating: (1, 4), count: 10_000), isUID: false) == [2...9])
        var saving = selection
        saving.saved = [2, 4, 7, 9]
        #expect(saving.uids(.saved, isUID: false).ranges == [2...4, 9...9])
        let nobody = IMAPSelection(isExamined: false, view: IMAPView(uidValidity: 1, uidNext: 1, highestModSeq: 1, rows: []))
        #expect(nobody.uids(.ranges([IMAPNumberRange(first: 1, last: 0)]), isUID: true).ranges == [])
        #expect(nobody.uids(.ranges([IMAPNumberRange(first: 0, last: 0)]), isUID: false).ranges == [])
    }

    // MARK: Threads

    @Test func threads_areWrittenAsTheRFCShows() {
        func leaf(_ uid: UInt32) -> IMAPThread { IMAPThread(uid: uid) }
        let chain = IMAPThread(uid: 4, children: [leaf(23)])
        let other = IMAPThread(uid: 44, children: [IMAPThread(uid: 7, children: [leaf(96)])])
        let tree = IMAPThread(uid: 3, children: [IMAPThread(uid: 6, children: [chain, other])])
        func write(_ threads: [IMAPThread], hidden: Set<UInt32> = []) -> String {
            var writer = IMAPThreadWriter { hidden.contains($0) ? nil : $0 }
            return String(decoding: writer.write(threads), as: UTF8.self)
        }
        #expect(write([leaf(2), tree]) == " (2)(3 6 (4 23)(44 7 96))")
        #expect(write([IMAPThread(uid: nil, children: [leaf(3), leaf(5)])]) == " ((3)(5))")
        #expect(write([IMAPThread(uid: nil, children: [leaf(3)])]) == " (3)")
        #expect(write([leaf(2), leaf(3)], hidden: [2]) == " (3)")
        #expect(write([tree], hidden: [6]) == " (3 (4 23)(44 7 96))")
        #expect(write([tree], hidden: [4, 23]) == " (3 6 (44 7 96))")
    }
}
