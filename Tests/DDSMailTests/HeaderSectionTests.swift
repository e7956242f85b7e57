import DDSMail
import DDSTestKit
import Testing

@Suite struct HeaderSectionTests {
    static let sample = Array(
        ("Received: by node\r\nSubject: =?utf-8?Q?a?=\r\n b\r\n\t c \nno field\r\nX-DDS-Submission : 00ff\r\nsubject:\r\n"
            + "X-Dds-pad: xxxx\r\n xxx:\r\n \r\nTo:a\rb\r\n\r\nFrom: body\r\n\r\n")
            .utf8)

    @Test func fields_keepTheirBytes() throws {
        let section = try HeaderSection(of: Self.sample)
        #expect(section.fields.map(\.name) == ["Received", "Subject", "", "X-DDS-Submission", "subject", "X-Dds-pad", "To"])
        #expect(section.first("SUBJECT")?.rawValue == Array(" =?utf-8?Q?a?=\r\n b\r\n\t c ".utf8))
        #expect(section.first("Subject")?.text == "=?utf-8?Q?a?= b\t c")
        #expect(section.all("Subject").map(\.text) == ["=?utf-8?Q?a?= b\t c", ""])
        #expect(section.malformedLine?.text == "no field")
        #expect(section.first("X-DDS-Submission")?.text == "00ff")
        #expect(section.first("X-DDS-Pad")?.rawValue == [])
        #expect(section.first("To")?.rawValue == Array("a\rb".utf8))
        #expect(section.first("From") == nil)
        #expect(Self.sample[section.byteCount...].starts(with: "From: body".utf8))
    }

    @Test func everySplit_givesTheSame() throws {
        let whole = try HeaderSection(of: Self.sample)
        for split in 0...Self.sample.count {
            var scanner = HeaderScanner()
            var section = try scanner.feed(Self.sample[..<split])
            if section == nil { section = try scanner.feed(Self.sample[split...]) }
            #expect(section == whole)
        }
        var scanner = HeaderScanner()
        var section: HeaderSection?
        for octet in Self.sample where section == nil { section = try scanner.feed([octet]) }
        #expect(section == whole)
    }

    @Test func limit_countsTheEmptyLine() throws {
        let message = Array("Subject: hello\r\n\r\nbody".utf8)
        #expect(throws: HeaderError.tooLarge) { _ = try HeaderSection(of: message, limit: 17) }
        #expect(try HeaderSection(of: message, limit: 18).byteCount == 18)
        #expect(try HeaderSection(of: message, limit: 19).byteCount == 18)
    }

    @Test func endlessLine_isRefused() {
        #expect(throws: HeaderError.tooLarge) { _ = try HeaderSection(of: [UInt8](repeating: 0x61, count: 300_000)) }
        #expect(throws: HeaderError.tooLarge) {
            _ = try HeaderSection(of: Array("a:\n".utf8) + [UInt8](repeating: 0x20, count: 300_000))
        }
    }

    @Test func padding_doesNotCount() throws {
        let pad = "X-DDS-Pad: " + String(repeating: "xxxxxxxx\r\n ", count: 50_000) + "x\r\n"
        let message = Array(("From: a\r\n" + pad + "To: b\r\n\r\n").utf8)
        let section = try HeaderSection(of: message, limit: 64)
        #expect(section.fields.map(\.name) == ["From", "X-DDS-Pad", "To"])
        #expect(section.byteCount == message.count)
    }

    @Test(arguments: ["", "\n", "\r\n", "a", "a:", ":", " a", "\r", "\r\r\n", "a: b\n c", "a: b\n\n", "\u{0}:\n"])
    func oddSections_end(text: String) throws {
        let section = try HeaderSection(of: Array(text.utf8))
        #expect(section.byteCount <= text.utf8.count)
        #expect(section.fields.allSatisfy { !$0.isNamed("missing") })
    }

    @Test func continuationOfNothing_isMalformed() throws {
        let section = try HeaderSection(of: Array(" a: b\r\nc: d\r\n\r\n".utf8))
        #expect(section.malformedLine?.text == "a: b")
        #expect(section.first("c")?.text == "d")
    }

    @Test func names_compareInASCIIOnly() {
        #expect(HeaderField(name: "X-Dds-Pad", rawValue: []).isNamed("x-dds-PAD"))
        #expect(!HeaderField(name: "X@", rawValue: []).isNamed("X`"))
        #expect(!HeaderField(name: "X", rawValue: []).isNamed("XY"))
    }

    @Test func garbage_neverTraps() throws {
        let random = SeededRandom(seed: 11)
        let pieces: [[UInt8]] =
            ["X-DDS-Pad:", "\r\n", "\n", " ", "\t", ":", "a", "\r", "Subject: x"].map { Array($0.utf8) } + [[0], [0xff]]
        for _ in 0..<4000 {
            let message = (0..<random.below(30)).flatMap { _ in pieces[random.below(pieces.count)] }
            let whole = try HeaderSection(of: message)
            let split = random.below(message.count + 1)
            var scanner = HeaderScanner()
            var section = try scanner.feed(message[..<split])
            if section == nil { section = try scanner.feed(message[split...]) }
            #expect((section ?? scanner.finish()) == whole)
        }
    }
}

@Suite struct PaddingTests {
    @Test(arguments: [
        (0, 1024), (1, 1024), (1024, 1024), (1025, 1088), (1088, 1088), (1089, 1152), (2048, 2048), (2049, 2176), (4095, 4096),
        (65_537, 67_584), (1_048_577, 1_081_344),
    ])
    func sizes_arePadme(length: Int, size: Int) {
        #expect(Padding.paddedSize(length) == size)
        #expect(Padding.paddedSize(size) == size)
    }

    @Test func sizeClasses_areFew() {
        var size = 0
        var classes = 0
        while size < 1_048_576 {
            size = Padding.paddedSize(size + 1)
            classes += 1
        }
        #expect(classes == 225 && size == 1_048_576)
        #expect((1024...100_000).allSatisfy { Double(Padding.paddedSize($0)) <= Double($0) * 1.0625 })
    }

    @Test func paddedMessages_haveExactlyTheirClass() throws {
        let head = Array("From: a@b\r\nSubject: c\r\n".utf8)
        for bodyCount in Array(0...1300) + Array(2000...2150) + Array(70_000...70_080) {
            let message = head + [0x0d, 0x0a] + [UInt8](repeating: 0x2e, count: bodyCount)
            let padded = Padding.pad(message)
            guard padded.count == Padding.paddedSize(padded.count), padded.count >= 1024,
                padded.count == Padding.paddedSize(message.count + 14), padded.starts(with: head + "X-DDS-Pad: x".utf8),
                Padding.strip(padded) == message
            else {
                Issue.record("\(bodyCount)")
                return
            }
            let section = try HeaderSection(of: padded)
            let lines = padded[..<section.byteCount].split(separator: 0x0a)
            #expect(lines.allSatisfy { $0.count <= 77 && $0.last == 0x0d })
            #expect(lines.dropLast().allSatisfy { $0.contains { $0 > 0x20 } })
            #expect(section.fields.last?.name == "X-DDS-Pad")
        }
    }

    @Test func unendedHeader_isEnded() {
        let padded = Padding.pad(Array("a: b".utf8))
        #expect(padded.count == 1024)
        #expect(Padding.strip(padded) == Array("a: b\r\n".utf8))
    }

    @Test(arguments: [
        "", "\r\n", "a: b\r\n", "a: b\n", "a: b\n\nbody\n", "X-DDS-Pad: old\r\n more\r\na: b\r\n\r\nX-DDS-Pad: body\r\n",
    ])
    func oddMessages_arePaddedToo(text: String) {
        let padded = Padding.pad(Array(text.utf8))
        #expect(padded.count == 1024)
        #expect(
            String(decoding: Padding.strip(padded), as: UTF8.self) == text.replacing("X-DDS-Pad: old\r\n more\r\n", with: ""))
    }
}
