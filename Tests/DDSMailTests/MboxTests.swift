import DDSCore
import DDSTestKit
import Testing

@testable import DDSMail

@Suite struct MboxTests {
    private static let received = WallTime(milliseconds: 1_764_256_561_000)

    /// All messages of a file, fed in pieces of `octets`.
    private func read(_ file: [UInt8], octets: Int = .max, limit: Int = 1 << 20) throws -> [MboxMessage] {
        var reader = MboxReader(limit: limit)
        var found: [MboxMessage] = []
        var rest = file[...]
        while !rest.isEmpty {
            found += try reader.feed(rest.prefix(octets))
            rest = rest.dropFirst(octets)
        }
        if let last = try reader.finish() { found.append(last) }
        return found
    }

    private func written(_ messages: [[UInt8]]) -> [UInt8] {
        messages.flatMap { Mbox.entry($0, sender: "bob@node.test", received: Self.received) }
    }

    static let awkward: [String] = [
        "Subject: x\r\n\r\nbody\r\n", "Subject: x\n\nbody\n", "Subject: x\r\n\r\nno end", "Subject: x\r\n\r\nends with CR\r",
        "Subject: x\r\n\r\n\r\n\r\n", "Subject: x\r\n\r\n\n\n\n", "", "\n", "\r\n", "\r", "From ", "From here\r\nTo: x\r\n\r\n",
        "S: x\r\n\r\nFrom me Thu Nov 27 15:16:01 2026\r\n>From you\r\n>>From us\r\n> From\r\n>>>> From\r\nFrom\r\n",
        "S: x\r\n\r\nFrom Mon\r\n\r\nFrom a Mon Jan  1 00:00:00 2024\n", "S: x\n\nlast line\n>From ", "S: x\n\n>>>From x",
        "S: \u{0}\u{1}\r\n\r\n\u{0}\r\r\n", ">From the start\r\n",
    ]

    @Test(arguments: awkward) func anyMessage_comesBackByteForByte(text: String) throws {
        let message = Array(text.utf8)
        for others in [[], [Array("A: b\r\n\r\nc\r\n".utf8)]] {
            let file = written(others + [message] + others)
            for octets in [1, 2, 3, 7, Int.max] {
                let found = try read(file, octets: octets)
                #expect(found.map(\.bytes) == others + [message] + others, "pieces of \(octets)")
                #expect(found.allSatisfy { $0.received == Self.received })
            }
        }
    }

    @Test func randomBytes_comeBack() throws {
        let random = SeededRandom(seed: 4711)
        let words = ["From ", ">", "\n", "\r\n", "\r", "x", "From a Mon Jan  1 00:00:00 2024\n", " ", "\u{0}"].map {
            Array($0.utf8)
        }
        for _ in 0..<2000 {
            let messages = (0..<1 + random.below(4)).map { _ in
                (0..<random.below(13)).flatMap { _ in words[random.below(words.count)] }
            }
            let found = try read(written(messages), octets: 1 + random.below(20))
            #expect(found.map(\.bytes) == messages)
        }
    }

    @Test func separator_hasSenderAndDate() {
        let entry = Mbox.entry(
            Array("A: b\n".utf8), sender: "bob@node.test", received: WallTime(milliseconds: 1_764_547_200_000))
        #expect(String(decoding: entry, as: UTF8.self) == "From bob@node.test Mon Dec  1 00:00:00 2025\nA: b\n\n")
        let nobody = Mbox.entry([], sender: " \r\n\u{0}é", received: Self.received)
        #expect(String(decoding: nobody, as: UTF8.self) == "From MAILER-DAEMON Thu Nov 27 15:16:01 2025\n\n")
        let strange = Mbox.entry([], sender: "a b\nFrom c@d", received: Self.received)
        #expect(String(decoding: strange, as: UTF8.self) == "From abFromc@d Thu Nov 27 15:16:01 2025\n\n")
    }

    @Test func filesOfOtherPrograms_areUnderstood() throws {
        let crlf =
            "From x@y Mon Jan  1 10:00:00 2024\r\nA: 1\r\n\r\none\r\n\r\nFrom x@y Tue Jan  2 10:00:00 2024\r\nA: 2\r\n\r\ntwo\r\n\r\n"
        #expect(
            try read(Array(crlf.utf8)).map { String(decoding: $0.bytes, as: UTF8.self) } == [
                "A: 1\r\n\r\none\r\n", "A: 2\r\n\r\ntwo\r\n",
            ])
        let zone = "From x@y Mon Jan  1 10:00:00 2024 +0100\nA: 1\n\nFrom here on\n\n"
        #expect(try read(Array(zone.utf8)).map { String(decoding: $0.bytes, as: UTF8.self) } == ["A: 1\n\nFrom here on\n"])
        let undated = try read(Array("From somebody\nA: 1\n\n".utf8))
        #expect(undated.count == 1 && undated.first?.received == nil && undated.first?.line == 1)
        #expect(try read([]).isEmpty)
    }

    @Test(arguments: ["Subject: x\n\nbody\n", "from x\n", " From x\n", "\nFrom x Mon Jan  1 10:00:00 2024\n"])
    func otherFiles_areNone(text: String) {
        #expect(throws: MboxReader.NotMbox.self) { try read(Array(text.utf8)) }
    }

    @Test func messageOverTheLimit_isReportedAndTheOthersCome() throws {
        let messages = [7, 8, 9].map { [UInt8](repeating: 0x61, count: $0) }
        let found = try read(written([messages[0], messages[2], messages[1]]), limit: 8)
        #expect(found.map(\.isTooLarge) == [false, true, false])
        #expect(found.map(\.line) == [1, 3, 5])
        #expect(found.map(\.bytes) == [messages[0], [], messages[1]])
    }

    @Test func asctime_andItsInverse_agree() {
        for seconds: Int64 in [0, 951_782_400, 951_868_799, 1_709_164_800, 1_764_256_561, 4_102_444_799, 253_402_300_799] {
            let words = CivilTime(secondsSinceEpoch: seconds).asctime.split(separator: " ")
            #expect(CivilTime.seconds(asctime: words[...]) == seconds)
        }
        for bad in [
            "Mon Jan 32 10:00:00 2024", "Mon Jan 1 24:00:00 2024", "Mon Foo 1 10:00:00 2024", "Mon Jan 1 10:00 2024",
            "Mon Jan 1 10:00:00 24",
        ] {
            #expect(CivilTime.seconds(asctime: bad.split(separator: " ")[...]) == nil, "\(bad)")
        }
    }
}

@Suite struct MaildirNameTests {
    @Test func names_sayWhenAndWhetherRead() {
        let received = WallTime(milliseconds: 1_764_256_561_250)
        let read = MaildirName.text(received: received, unique: "ab_1", size: 12, isSeen: true)
        #expect(read == "1764256561.ab_1.ddsnode,S=12:2,S")
        #expect(MaildirName(read).isSeen)
        #expect(MaildirName(read).received == WallTime(milliseconds: 1_764_256_561_000))
        let new = MaildirName.text(received: received, unique: "ab_1", size: 12, isSeen: false)
        #expect(new == "1764256561.ab_1.ddsnode,S=12")
        #expect(!MaildirName(new).isSeen)
    }

    @Test(
        arguments: [
            ("1.x.y:2,RS", true, 1000), ("1.x.y:2,", false, 1000), ("S.x:2,F", false, nil), ("-1.x", false, nil),
            ("", false, nil),
            ("99999999999999999999.x:2,S", true, nil),
        ] as [(String, Bool, Int64?)])
    func otherPrograms_areUnderstood(name: String, isSeen: Bool, milliseconds: Int64?) {
        #expect(MaildirName(name).isSeen == isSeen)
        #expect(MaildirName(name).received?.milliseconds == milliseconds)
    }
}
