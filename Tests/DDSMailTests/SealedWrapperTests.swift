import DDSCore
import DDSMail
import DDSTestKit
import Foundation
import Testing

@Suite struct SealedWrapperTests {
    let bob: MailAddress

    init() throws {
        bob = try #require(MailAddress("bob@node.example"))
    }

    static func armor(_ age: [UInt8]) -> [UInt8] {
        var lines = ["-----BEGIN AGE ENCRYPTED FILE-----"]
        let text = Base64.encode(age)
        for start in stride(from: 0, to: text.count, by: 64) {
            lines.append(String(decoding: text[start..<min(start + 64, text.count)], as: UTF8.self))
        }
        lines.append("-----END AGE ENCRYPTED FILE-----")
        return Array(lines.map { $0 + "\r\n" }.joined().utf8)
    }

    @Test func head_isTheDesignsLetterForLetter() {
        let head = SealedWrapper.head(node: "node.example", recipient: bob, uidl: "0123456789abcdef", day: 20780)
        #expect(
            String(decoding: head, as: UTF8.self)
                == """
                From: <dds@node.example>
                To: <bob@node.example>
                Subject: Sealed message
                Message-ID: <0123456789abcdef@node.example>
                Date: Mon, 23 Nov 2026 00:00:00 +0000
                MIME-Version: 1.0
                Content-Type: application/age; name="message.eml.age"
                Content-Disposition: attachment; filename="message.eml.age"
                Content-Transfer-Encoding: 7bit


                """.replacing("\n", with: "\r\n"))
    }

    @Test func submissionHead_namesSenderAndGroup() throws {
        let board = try #require(MailAddress("board@node.example"))
        let head = SealedWrapper.head(node: "node.example", from: bob, to: board, id: "ff", day: 0)
        let text = String(decoding: head, as: UTF8.self)
        #expect(text.hasPrefix("From: <bob@node.example>\r\nTo: <board@node.example>\r\nSubject: Sealed message\r\n"))
        #expect(text.contains("\r\nMessage-ID: <ff@node.example>\r\n"))
        #expect(text.contains("\r\nDate: Thu, 1 Jan 1970 00:00:00 +0000\r\n"))
    }

    @Test func octets_agreeWithRealArmor() {
        let head = SealedWrapper.head(node: "node.example", recipient: bob, uidl: "ab", day: 20780)
        for count in Array(0...300) + [4095, 4096, 4097, 65_536 + 200] {
            let octets = SealedWrapper.octets(node: "node.example", recipient: bob, uidl: "ab", day: 20780, ageBytes: count)
            #expect(octets == head.count + Self.armor([UInt8](repeating: 7, count: count)).count)
        }
    }

    @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: "/bin/sed"), "there is no sed"))
    func sed_extractsTheArmor() throws {
        let age = SeededRandom(seed: 5).bytes(1000)
        let message = SealedWrapper.head(node: "node.example", recipient: bob, uidl: "ab", day: 1) + Self.armor(age)
        let extracted = try run("/bin/sed", ["-n", "/BEGIN AGE/,/END AGE/p"], input: message)
        #expect(extracted == Self.armor(age))
    }
}

@Suite struct SealedWrapperReaderTests {
    static func read(_ chunks: [[UInt8]], limit: Int = HeaderScanner.defaultLimit) throws -> (SealedWrapperReader.Kind, [UInt8])
    {
        var reader = SealedWrapperReader(headerLimit: limit)
        var output: [UInt8] = []
        for chunk in chunks { output += try reader.feed(chunk) }
        output += try reader.finish()
        return (reader.kind, output)
    }

    @Test(arguments: ["\r\n", "\n"]) func everySplit_yieldsTheArmor(lineEnd: String) throws {
        let bob = try #require(MailAddress("bob@node.example"))
        let received = Array("Received: from a\r\n by b; today\r\nReturn-Path: <>\r\n".utf8)
        let armor = SealedWrapperTests.armor(SeededRandom(seed: 6).bytes(100))
        let wrapped = received + SealedWrapper.head(node: "node.example", recipient: bob, uidl: "ab", day: 1) + armor
        let message = Array(String(decoding: wrapped, as: UTF8.self).replacing("\r\n", with: lineEnd).utf8)
        let wanted = Array(String(decoding: armor, as: UTF8.self).replacing("\r\n", with: lineEnd).utf8)
        for split in 0...message.count {
            let (kind, output) = try Self.read([Array(message[..<split]), Array(message[split...])])
            #expect(kind == .sealed && output == wanted)
        }
        let (kind, output) = try Self.read(message.map { [$0] })
        #expect(kind == .sealed && output == wanted)
    }

    @Test(arguments: [
        "", "\r\n", "hello", "Subject: a\r\n\r\n-----BEGIN AGE ENCRYPTED FILE-----\r\n",
        "Content-Type: text/plain\r\n\r\napplication/age", "Content-Type: application/age-something\r\n\r\nx",
        "Content-Type: application/age\r\nContent-Type: text/plain\r\n\r\nx",
        "Content-Type: multipart/mixed; boundary=\"application/age\"\r\n\r\nx", "X: Content-Type: application/age\r\n\r\nx",
        "\r\nContent-Type: application/age\r\n\r\nx",
    ])
    func otherMail_comesUnchanged(text: String) throws {
        let message = Array(text.utf8)
        for split in 0...message.count {
            let (kind, output) = try Self.read([Array(message[..<split]), Array(message[split...])])
            #expect(kind == .plain)
            #expect(output == message)
        }
    }

    @Test(arguments: ["application/age", "Application/AGE", "application/age;name=x", "\r\n application/age ; x=y"])
    func contentType_isReadByItsToken(value: String) throws {
        let (kind, output) = try Self.read([Array("CONTENT-TYPE: \(value)\r\n\r\nbody".utf8)])
        #expect(kind == .sealed)
        #expect(output == Array("body".utf8))
    }

    @Test func otherEncoding_isRefused() {
        let message = Array("Content-Type: application/age\r\nContent-Transfer-Encoding: Base64\r\n\r\nbody".utf8)
        #expect(throws: SealedWrapperReader.ReaderError.unsupportedEncoding("base64")) { try Self.read([message]) }
    }

    @Test func headerBeyondTheLimit_isPlainAndWhole() throws {
        let head = "Content-Type: application/age\r\n\r\n"
        #expect(try Self.read([Array((head + "x").utf8)], limit: head.utf8.count).0 == .sealed)
        let (kind, output) = try Self.read([Array((head + "x").utf8)], limit: head.utf8.count - 1)
        #expect(kind == .plain)
        #expect(output == Array((head + "x").utf8))
        let endless = Array(("X-DDS-Pad: " + String(repeating: "x", count: 4000)).utf8)
        var reader = SealedWrapperReader(headerLimit: 1000)
        var released: [UInt8] = []
        for octet in endless { released += try reader.feed([octet]) }
        #expect(released.count == endless.count && reader.kind == .plain)
    }

    /// The scanner does not count a pad field, but its octets are held: what the message is must not hang on how it comes.
    @Test(arguments: [-1, 0, 1]) func headerWithALongPad_isTheSameHoweverItIsCut(excess: Int) throws {
        let head = "X-DDS-Pad: \(String(repeating: "x", count: 300))\r\nContent-Type: application/age\r\n\r\n"
        let message = Array((head + "body").utf8)
        let limit = head.utf8.count - excess
        var ways = (0...message.count).map { [Array(message[..<$0]), Array(message[$0...])] }
        ways.append(message.map { [$0] })
        for way in ways {
            let (kind, output) = try Self.read(way, limit: limit)
            #expect(kind == (excess > 0 ? .plain : .sealed))
            #expect(output == (excess > 0 ? message : Array("body".utf8)))
        }
    }

    @Test(.enabled(if: Corpus.isPresent, "\(Corpus.absence)")) func corpus_isPlain() throws {
        for (name, bytes) in Corpus.mail() {
            let (kind, output) = try Self.read([bytes])
            #expect(kind == .plain && output == bytes, "\(name)")
        }
    }
}

/// Runs a program with `input` on its standard input.
func run(_ program: String, _ arguments: [String], input: [UInt8]) throws -> [UInt8] {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: program)
    process.arguments = arguments
    // A file, not a pipe: a pipe that nobody reads yet would block.
    let file = FileManager.default.temporaryDirectory.appendingPathComponent("ddsmail-\(UUID().uuidString)")
    try Data(input).write(to: file)
    defer { try? FileManager.default.removeItem(at: file) }
    let output = Pipe()
    process.standardInput = try FileHandle(forReadingFrom: file)
    process.standardOutput = output
    try process.run()
    let data = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    #expect(process.terminationStatus == 0)
    return [UInt8](data)
}
