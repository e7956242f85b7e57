import Testing

@testable import DDSWire

@Suite struct IMAPCommandReaderTests {
    /// Reads `input` with every literal accepted up to `literalMax`, in pieces of `size`.
    private func read(_ input: String, limit: Int = 40, literalMax: Int = 100, pieces size: Int = .max) -> [String] {
        var reader = IMAPCommandReader(limit: limit)
        var log: [String] = []
        var rest = Array(input.utf8)[...]
        repeat {
            reader.append(rest.prefix(size))
            rest = rest.dropFirst(size)
            while let item = reader.next() {
                switch item {
                case .literal(let literal):
                    if literal.octets <= literalMax {
                        reader.accept()
                        if literal.isSynchronizing { log.append("+") }
                    } else if reader.refuse("too big") {
                        log.append("refused")
                    }
                case .command(let text):
                    let parts = zip(text.lines, text.literals + [[]]).map { String(decoding: $0 + [0x7c] + $1, as: UTF8.self) }
                    log.append(parts.joined(separator: "|"))
                case .fault(let fault, let head): log.append("\(fault) \(String(decoding: head, as: UTF8.self))")
                }
            }
        } while !rest.isEmpty
        return log
    }

    @Test func commandsAndLiterals_areCutWhereTheyEnd() {
        #expect(read("a NOOP\r\nb X\r\n") == ["a NOOP|", "b X|"])
        #expect(read("a L {3}\r\nx\r\n {2+}\r\nyz\r\n") == ["+", "a L {3}|x\r\n| {2+}|yz||"])
        #expect(read("a L ~{0}\r\n\r\n") == ["+", "a L ~{0}|||"])
        #expect(read("a {3}b\r\n") == ["a {3}b|"])
        #expect(read("a {}\r\nb {+}\r\nc {x}\r\nd {9999999999999999999}\r\n").count == 4)
    }

    @Test func refusedLiterals_areThrownAway_andTheCommandWithThem() {
        #expect(read("a L {101}\r\nb NOOP\r\n") == ["refused", "b NOOP|"])
        let junk = String(repeating: "b NOOP\r\n", count: 20)
        #expect(
            read("a L {\(junk.utf8.count)+}\r\n\(junk) {2+}\r\n\r\n\r\nb NOOP\r\n")
                == ["refused(\"too big\") a L {\(junk.utf8.count)+}", "b NOOP|"])
        #expect(read("a L {100+}\r\n" + String(repeating: "x", count: 100) + "\r\n").count == 1)
    }

    @Test func lineLimit_countsAllLinesOfACommand() {
        // 40 octets with the CRLF.
        #expect(read("a " + String(repeating: "x", count: 36) + "\r\n").first?.hasPrefix("a xxx") == true)
        #expect(
            read("a " + String(repeating: "x", count: 37) + "\r\nb N\r\n") == [
                "overlong a " + String(repeating: "x", count: 37), "b N|",
            ])
        let most = "a {1+}\r\nx" + String(repeating: "y", count: 30) + "\r\n"
        #expect(read(most).first?.hasPrefix("a {1+}|x") == true)
        #expect(read("a {1+}\r\nx" + String(repeating: "y", count: 31) + "\r\nb N\r\n") == ["overlong a {1+}", "b N|"])
    }

    @Test func announcementAtTheEndOfAFaultyLine_isFollowed() {
        let long = String(repeating: "x", count: 200)
        #expect(read("a \(long) {7+}\r\nc EVIL\r\n more\r\nb N\r\n").map { $0.prefix(10) } == ["overlong a", "b N|"])
        #expect(read("a \n {7+}\r\nc EVIL\r\n more\r\nb N\r\n").map { $0.prefix(8) } == ["bareLine", "b N|"])
        // A client that waits for `+` gets its refusal.
        #expect(read("a \(long) {7}\r\nb N\r\n").map { $0.prefix(10) } == ["overlong a", "b N|"])
    }

    @Test func bareLineEnds_spoilTheWholeLine() {
        for bare in ["\n", "\r", "\r\r", "\n\n"] {
            let log = read("a \(bare)b NOOP\r\nc N\r\n")
            #expect(log.count == 2 && log[0].hasPrefix("bareLineEnd a ") && log[1] == "c N|", "\(log)")
        }
    }

    @Test func anyPieces_giveTheSame() {
        let long = String(repeating: "x", count: 60)
        let inputs = [
            "a L {3}\r\nx\r\n {2+}\r\nyz\r\nb N\r\n", "a \(long) {7+}\r\nc EVIL\r\n more\r\nb N\r\n",
            "a {101+}\r\n" + String(repeating: "\r\n", count: 50)
                + "xEND\r\nb \n\(long)\r\nc \r\(long){3+}\r\n\r\n\r\r\nd N\r\n",
            "\(long)\n\r\n\n\(long)\r\n{1}\r\n\r\n\r\n",
        ]
        for input in inputs {
            let whole = read(input)
            for size in 1...12 { #expect(read(input, pieces: size) == whole, "\(input.debugDescription) in pieces of \(size)") }
        }
    }

    @Test func faultyCommands_areNotStored() {
        var reader = IMAPCommandReader(limit: 100)
        for _ in 0..<1000 {
            reader.append(Array(repeating: UInt8(ascii: "x"), count: 1000)[...])
            if reader.next() != nil { Issue.record("no line has ended") }
            #expect(reader.count <= 100)
        }
    }
}
