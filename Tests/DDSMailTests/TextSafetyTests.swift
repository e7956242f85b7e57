import DDSMail
import Testing

@Suite struct TextSafetyTests {
    static let hidden: [(String, String)] = [
        ("invoice\u{202e}fdp.exe", "invoicefdp.exe"), ("a\u{2066}b\u{2069}", "ab"), ("a\u{061c}b\u{200e}c\u{200f}", "abc"),
        ("a\u{200b}b\u{2060}c\u{feff}d", "abcd"), ("hi\u{e0068}\u{e0069}\u{e007f}", "hi"),
        ("a\u{0}b\u{1b}[31m\u{9b}", "ab[31m"),
        ("a\u{2028}b", "a b"), ("a\r\nBcc: x", "a  Bcc: x"), ("pass\u{200d}word", "password"), ("pass\u{200c}word", "password"),
        ("a\u{ad}b\u{34f}c\u{180e}d\u{3164}", "abcd"), ("a\u{fe0f}\u{fe0e}b", "a\u{fe0f}b"),
        ("x\u{e0100}\u{e0101}", "x\u{e0100}"),
        ("\u{200d}\u{1f469}", "\u{1f469}"), ("a\u{200d}\u{1f469}", "a\u{1f469}"),
        ("\u{1f469}\u{200d}\u{200d}\u{1f469}", "\u{1f469}\u{200d}\u{1f469}"),
    ]

    @Test(arguments: hidden) func hiddenCharacters_goAndAreTold(raw: String, shown: String) {
        let safe = SafeText(raw)
        #expect(Array(safe.text.unicodeScalars) == Array(shown.unicodeScalars))
        #expect(safe.hadHidden)
        #expect(!SafeText(safe.text).hadHidden)
    }

    @Test(arguments: [
        "", "plain", "Grüße", "\u{5e9}\u{5dc}\u{5d5}\u{5dd}", "\u{645}\u{6cc}\u{200c}\u{62e}\u{648}\u{627}\u{647}\u{645}",
        "\u{1f469}\u{200d}\u{1f469}\u{200d}\u{1f467}", "\u{1f3f3}\u{fe0f}\u{200d}\u{1f308}",
        "\u{1f469}\u{1f3fd}\u{200d}\u{1f4bb}", "1\u{fe0f}\u{20e3}",
        "\u{915}\u{94d}\u{200d}\u{937}", "葛\u{e0100}城",
    ])
    func ordinaryText_stays(text: String) {
        #expect(Array(SafeText(text).text.unicodeScalars) == Array(text.unicodeScalars))
        #expect(!SafeText(text).hadHidden)
    }

    @Test func text_isComposed() {
        #expect(Array(SafeText("u\u{308}\tx").text.unicodeScalars) == ["\u{fc}", " ", "x"])
        #expect(!SafeText("u\u{308}\tx").hadHidden)
        #expect(Array(SafeText("u\u{308}\u{0}").text.unicodeScalars).last != "\u{0}")
    }

    @Test func bodies_showWhatReorders() {
        #expect(
            TextSafety.body("a\u{202e}b\u{200f}\r\nc\rd\u{1b}\te\u{2028}f\u{e0041}")
                == "a[U+202E]b\u{200f}\nc\nd[U+001B]\te\nf[U+E0041]")
    }

    static let names: [(String, String, String)] = [
        ("invoice\u{202e}fdp.exe", "invoicefdp", "exe"), ("../../etc/passwd", "passwd", ""), ("C:\\temp\\a.txt", "a", "txt"),
        ("a.tar.gz", "a.tar", "gz"), (".bashrc", "attachment", "bashrc"), ("", "attachment", ""), ("...", "attachment", ""),
        ("a.exe. . ", "a", "exe"), ("report.pdf              .EXE", "report.pdf", "exe"), ("a b\u{3000}c.txt", "a b c", "txt"),
        ("a.b .c", "a.b", "c"), ("x.html/", "x", "html"), ("CON:aux?.t|t", "CON_aux_", "t_t"), ("\u{200b}", "attachment", ""),
        ("a. exe", "a", "exe"), ("\u{301}.txt", "\u{301}", "txt"),
    ]

    @Test(arguments: names) func fileNames_showTheirRealEnd(raw: String, stem: String, end: String) {
        let name = SafeFileName(raw)
        #expect(name.stem == stem)
        #expect(name.realExtension == end)
        #expect(SafeFileName(name.text).text == name.text || stem == "attachment")
    }

    @Test func longNames_areCut() {
        let name = SafeFileName(String(repeating: "ü", count: 5000) + "." + String(repeating: "x", count: 5000))
        #expect(name.text.utf8.count <= 200)
        #expect(SafeFileName("a" + String(repeating: "\u{301}", count: 5000)).stem.utf8.count == 160)
    }
}

@Suite struct ThreaderTests {
    @Test(arguments: [
        ("Lunch", "lunch", false, false), ("Re: Lunch", "lunch", true, false),
        ("RE: re:Re[2]: AW:  Lunch", "lunch", true, false),
        ("Fwd: Re: [board] Lunch", "lunch", true, true), ("[board] Re: Lunch", "lunch", true, false),
        ("[board]", "[board]", false, false),
        ("Report: Re: x", "report: re: x", false, false), ("Re:", "", true, false), ("", "", false, false),
        ("Lunch (fwd)", "lunch", false, true),
        ("Regarding: x", "regarding: x", false, false), ("回复：午饭", "午饭", true, false), ("Re (2): x", "x", true, false),
        ("re^3: x", "x", true, false),
    ])
    func subjects_loseTheirPrefixes(raw: String, key: String, isReply: Bool, isForward: Bool) {
        let threadKey = ThreadKey(raw)
        #expect(threadKey.subject == key)
        #expect(threadKey.isReply == isReply)
        #expect(threadKey.isForward == isForward)
    }

    @Test func longSubjects_takeLinearTime() {
        #expect(ThreadKey(String(repeating: "[a] ", count: 20_000) + "x").subject == "x")
        #expect(ThreadKey(String(repeating: "re: ", count: 20_000) + "x").subject == "x")
    }

    private struct Message {
        var names: [String]
        var subject: String
        var date: Int64
    }

    /// The messages' places by thread.
    private static func threads(_ messages: [Message]) -> Set<[Int]> {
        var threader = Threader(count: messages.count)
        for (place, message) in messages.enumerated() {
            let key = ThreadKey(message.subject)
            threader.add(
                Int32(place), names: message.names.map(\.hashValue), subject: key.subject.isEmpty ? 0 : key.subject.hashValue,
                isOrphan: key.isReply && message.names.count < 2)
        }
        threader.joinOrphans { messages.enumerated().map { ($1.date, Int32($0)) } }
        return Set(Dictionary(grouping: messages.indices) { threader.root(Int32($0)) }.values)
    }

    @Test func threads_followIDs() {
        let messages = [
            Message(names: ["a"], subject: "Lunch", date: 10), Message(names: ["x"], subject: "Lunch", date: 11),
            Message(names: ["c", "a", "b"], subject: "other", date: 30), Message(names: ["b", "a"], subject: "Re: Lunch", date: 20),
            Message(names: ["z", "gone"], subject: "q", date: 5), Message(names: ["y", "gone"], subject: "r", date: 4),
            Message(names: [], subject: "", date: 1), Message(names: [], subject: "", date: 1),
        ]
        #expect(Self.threads(messages) == [[0, 2, 3], [1], [4, 5], [6], [7]])
    }

    @Test func repliesWithoutIDs_followTheSubject() {
        let messages = [
            Message(names: ["a"], subject: "Lunch", date: 10), Message(names: ["b"], subject: "RE: lunch", date: 20),
            Message(names: ["c"], subject: "Lunch", date: 30), Message(names: ["d"], subject: "Re: Lunch", date: 5),
            Message(names: ["e"], subject: "Fwd: Lunch", date: 40), Message(names: [], subject: "Re:", date: 50),
        ]
        #expect(Self.threads(messages) == [[0, 1], [2], [3], [4], [5]])
    }

    @Test func everyMessage_isInOneThread() {
        let messages = (0..<3000).map {
            Message(names: ["\($0 % 1000)", "\($0 * 7 % 1000)"], subject: "Re: \($0 % 50)", date: 0)
        }
        #expect(Self.threads(messages).flatMap { $0 }.sorted() == Array(0..<3000))
        #expect(Self.threads([]).isEmpty)
    }
}
