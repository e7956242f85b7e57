import DDSTestKit
import DDSWire
import Testing

@Suite struct LineReaderTests {
    private static func read(_ pieces: [some Collection<UInt8>], limit: Int) -> [LineReader.Line] {
        var reader = LineReader(limit: limit)
        var lines: [LineReader.Line] = []
        for piece in pieces {
            reader.append(piece)
            while let line = reader.next() { lines.append(line) }
        }
        return lines
    }

    /// Whole, at every split and byte by byte.
    private static func readEachWay(_ text: String, limit: Int) -> [LineReader.Line] {
        let bytes = Array(text.utf8)
        let whole = read([bytes], limit: limit)
        for split in 0...bytes.count {
            #expect(read([bytes[..<split], bytes[split...]], limit: limit) == whole, "\(text.debugDescription) at \(split)")
        }
        #expect(read(bytes.map { [$0] }, limit: limit) == whole, "\(text.debugDescription) byte by byte")
        return whole
    }

    private static func line(_ text: String) -> LineReader.Line { .complete(Array(text.utf8)) }

    @Test func linesEndInCRLFOnly() {
        let lines = Self.readEachWay("NOOP\r\n\r\nQUIT\r\nmore", limit: 20)
        #expect(lines == [Self.line("NOOP"), Self.line(""), Self.line("QUIT")])
    }

    @Test func limitCountsTheLineEnd() {
        #expect(Self.readEachWay("123\r\n", limit: 6) == [Self.line("123")])
        #expect(Self.readEachWay("1234\r\n", limit: 6) == [Self.line("1234")])
        #expect(Self.readEachWay("12345\r\nab\r\n", limit: 6) == [.overlong, Self.line("ab")])
        #expect(Self.readEachWay("\r\nx\r\n", limit: 2) == [Self.line(""), .overlong])
    }

    @Test func overlongLine_isReportedOnceAtItsEnd_andNotKept() {
        var reader = LineReader(limit: 10)
        for _ in 0..<1000 {
            reader.append(Array("0123456789".utf8))
            #expect(reader.next() == nil)
            #expect(reader.count <= 10)
        }
        reader.append(Array("x\ny\r\nNOOP\r\n".utf8))
        #expect(reader.next() == .overlong)
        #expect(reader.next() == Self.line("NOOP"))
        #expect(reader.next() == nil)
    }

    @Test func bareLineEnds_areReportedOnce_andHideTheRestOfTheirLine() {
        let expected = [LineReader.Line.bareLineEnd, Self.line("NOOP")]
        #expect(Self.readEachWay("A\nQUIT\r\nNOOP\r\n", limit: 20) == expected)
        #expect(Self.readEachWay("A\rQUIT\r\nNOOP\r\n", limit: 20) == expected)
        #expect(Self.readEachWay("A\r\r\nNOOP\r\n", limit: 20) == expected)
        #expect(Self.readEachWay("A\n\r\nNOOP\r\n", limit: 20) == expected)
        #expect(Self.readEachWay("A\nB\nC\rD\n\r\nNOOP\r\n", limit: 20) == expected)
        #expect(Self.readEachWay("\n", limit: 20) == [.bareLineEnd])
    }

    @Test func rawRuns_comeBetweenLines() {
        var reader = LineReader(limit: 20)
        reader.append(Array("BDAT 5\r\nab\r\ncNOOP\r\nQ".utf8))
        #expect(reader.next() == Self.line("BDAT 5"))
        #expect(Array(reader.take(upTo: 3)) == Array("ab\r".utf8))
        #expect(Array(reader.pending.prefix(2)) == Array("\nc".utf8))
        reader.consume(2)
        #expect(reader.next() == Self.line("NOOP"))
        #expect(reader.next() == nil)
        #expect(reader.count == 1)
        #expect(reader.discardAll() == 1)
        #expect(reader.isEmpty)
        reader.append(Array("X\r\n".utf8))
        #expect(reader.next() == Self.line("X"))
    }

    @Test func takingAPartialLine_startsAnewBehindIt() {
        var reader = LineReader(limit: 20)
        reader.append(Array("half".utf8))
        #expect(reader.next() == nil)
        #expect(Array(reader.take()) == Array("half".utf8))
        reader.append(Array("whole\r\n".utf8))
        #expect(reader.next() == Self.line("whole"))
    }

    /// A framer that began its search anew at each octet would look at 20 thousand million of them here.
    @Test(.timeLimit(.minutes(5))) func drippedLongLine_isLookedAtOnce() {
        var reader = LineReader(limit: 300_000)
        let octet: [UInt8] = [0x61]
        for _ in 0..<200_000 {
            reader.append(octet)
            #expect(reader.next() == nil)
        }
        reader.append([13, 10])
        #expect(reader.next().map { $0 != .overlong } == true)
    }

    /// What the reader must say, computed the slow way from all octets at once.
    private static func reference(_ bytes: [UInt8], limit: Int) -> [LineReader.Line] {
        var lines: [LineReader.Line] = []
        var start = 0
        while true {
            guard let end = bytes.indices.dropFirst(start).first(where: { bytes[$0...].starts(with: [13, 10]) }) else { break }
            let content = Array(bytes[start..<end])
            let bare = content.firstIndex { $0 == 13 || $0 == 10 }
            if let bare, bare + 3 <= limit {
                lines.append(.bareLineEnd)
            } else {
                lines.append(content.count + 2 > limit ? .overlong : .complete(content))
            }
            start = end + 2
        }
        // A last CR may still become a CRLF.
        let tail = bytes[start...].last == 13 ? bytes[start...].dropLast() : bytes[start...]
        if let bare = tail.firstIndex(where: { $0 == 13 || $0 == 10 }), bare - start + 3 <= limit { lines.append(.bareLineEnd) }
        return lines
    }

    @Test(arguments: 0..<200) func randomInput_agreesWithTheSlowReader(seed: Int) {
        let random = SeededRandom(seed: UInt64(seed))
        let alphabet: [UInt8] = [13, 10, 13, 10, 0x61, 0x62, 0, 0xff]
        let bytes = (0..<random.below(120)).map { _ in alphabet[random.below(alphabet.count)] }
        let limit = 2 + random.below(8)
        var pieces: [ArraySlice<UInt8>] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = 1 + random.below(9)
            pieces.append(rest.prefix(count))
            rest = rest.dropFirst(count)
        }
        #expect(Self.read(pieces, limit: limit) == Self.reference(bytes, limit: limit), "seed \(seed)")
    }
}
