import DDSCore
import DDSNode
import DDSTestKit
import Testing

@Suite struct SealedBundleTests {
    static let head = RosterHead(number: 7, hash: [UInt8](repeating: 0xab, count: 32))
    static let bundle = SealedBundle(
        group: "board", roster: head,
        readers: [
            .init(name: "carol", keyNumber: nil, header: Array("two\nlines\n".utf8)),
            .init(name: "bob", keyNumber: 3, header: Array("age header".utf8)),
        ])
    /// With line ends in it.
    static let payload = Array("ddsnode-sealed/1\n\u{0}payload\n".utf8)

    /// What a reader makes of `bytes`, fed in pieces that end at `cuts`.
    private func read(_ bytes: [UInt8], cuts: [Int] = []) throws(SealedBundleRefusal) -> (SealedBundle?, [UInt8]) {
        var reader = SealedBundleReader()
        var payload: [UInt8] = []
        var start = 0
        for cut in cuts + [bytes.count] {
            payload += try reader.feed(Array(bytes[start..<cut]))
            start = cut
        }
        try reader.finish()
        return (reader.bundle, payload)
    }

    private func refusal(_ bytes: [UInt8], cuts: [Int] = []) -> SealedBundleRefusal? {
        do throws(SealedBundleRefusal) {
            _ = try read(bytes, cuts: cuts)
            return nil
        } catch {
            return error
        }
    }

    private func text(_ lines: String) -> [UInt8] { Array(lines.utf8) }
    private var hash: String { String(repeating: "ab", count: 32) }

    @Test func aBundle_isWrittenAsDescribed() {
        #expect(
            Self.bundle.head
                == text("ddsnode-sealed/1 board 7 \(hash) 2\nbob 3 10\nage headercarol - 10\ntwo\nlines\n"))
    }

    @Test func aBundle_comesBackHoweverItIsCut() throws {
        let whole = Self.bundle.head + Self.payload
        func expect(_ cuts: [Int]) throws {
            let (bundle, payload) = try read(whole, cuts: cuts)
            #expect(bundle == Self.bundle && payload == Self.payload, "\(cuts)")
        }
        try expect([])
        for cut in 0...whole.count { try expect([cut]) }
        try expect(Array(0..<whole.count))
    }

    @Test func withoutReaders_thereIsAPayloadAllTheSame() throws {
        let empty = SealedBundle(group: "board", roster: Self.head, readers: [])
        let (bundle, payload) = try read(empty.head + Self.payload)
        #expect(bundle == empty && payload == Self.payload)
    }

    @Test func whatIsCutOff_isTruncated() {
        let head = Self.bundle.head
        for count in 0..<head.count { #expect(refusal(Array(head.prefix(count))) == .truncated, "\(count)") }
        #expect(refusal(head) == nil)
    }

    @Test func eachFault_hasItsRefusal_howeverItIsCut() {
        let start = "ddsnode-sealed/1 board 7 \(hash)"
        let cases: [(String, SealedBundleRefusal)] = [
            ("Subject: x\r\n\r\n", .noBundle), ("ddsnode-sealer/1 ", .noBundle),
            ("ddsnode-sealed/2 and what comes then\n", .newerVersion("2")), ("ddsnode-sealed/x board\n", .malformed),
            ("ddsnode-sealed/ board\n", .malformed), ("\(start)\n", .malformed), ("\(start) 2 \n", .malformed),
            ("\(start) 02\n", .malformed), ("\(start) -1\n", .malformed), ("\(start) +1\n", .malformed),
            ("ddsnode-sealed/1 board 07 \(hash) 0\n", .malformed), ("ddsnode-sealed/1  7 \(hash) 0\n", .malformed),
            ("ddsnode-sealed/1 board 7 \(hash)ab 0\n", .malformed),
            ("ddsnode-sealed/1 board 7 \(hash.uppercased()) 0\n", .malformed),
            ("\(start) 1\nbob 3\n", .malformed), ("\(start) 1\nbob 3 0\n", .malformed), ("\(start) 1\nbob 03 4\n", .malformed),
            ("\(start) 1\nbob x 4\n", .malformed), ("\(start) 1\n - 4\n", .malformed), ("\(start) 1\nbob - 04\n", .malformed),
            ("\(start) 2\nbob - 1\nxbob - 1\nx", .unordered), ("\(start) 2\ncarol - 1\nxbob - 1\nx", .unordered),
        ]
        for (lines, expected) in cases {
            let bytes = text(lines)
            #expect(refusal(bytes) == expected, "\(lines)")
            #expect(refusal(bytes, cuts: Array(0..<bytes.count)) == expected, "\(lines)")
        }
        // Octets that are no text are not taken for some that are.
        for bytes in [
            text("ddsnode-sealed/1 bo") + [0xff] + text("ard 7 \(hash) 0\n"),
            text("\(start) 1\nbo") + [0xff] + text("b - 1\nx"),
        ] {
            #expect(refusal(bytes) == .malformed)
            #expect(refusal(bytes, cuts: Array(0..<bytes.count)) == .malformed)
        }
        #expect(SealedBundleRefusal.newerVersion("2").words.contains("have the node updated"))
    }

    @Test func limits_areWhatIsSaid() {
        func header(_ octets: Int) -> [UInt8] {
            text("ddsnode-sealed/1 board 7 \(hash) 1\nbob - \(octets)\n") + [UInt8](repeating: 0x61, count: octets)
        }
        #expect(refusal(header(SealedBundle.headerBytesMax - 1)) == nil)
        #expect(refusal(header(SealedBundle.headerBytesMax)) == nil)
        #expect(refusal(header(SealedBundle.headerBytesMax + 1)) == .oversized)
        func line(_ octets: Int) -> [UInt8] {
            let rest = " - 1"
            return text("ddsnode-sealed/1 board 7 \(hash) 1\n\(String(repeating: "n", count: octets - rest.count))\(rest)\nx")
        }
        #expect(refusal(line(SealedBundle.lineBytesMax - 1)) == nil)
        #expect(refusal(line(SealedBundle.lineBytesMax)) == nil)
        #expect(refusal(line(SealedBundle.lineBytesMax + 1)) == .oversized)
        // Also before its end has come.
        #expect(refusal(text("ddsnode-sealed/1 " + String(repeating: "n", count: 256))) == .oversized)
        #expect(refusal(text("ddsnode-sealed/1 board 7 \(hash) \(Roster.membersMax)\n")) == .truncated)
        #expect(refusal(text("ddsnode-sealed/1 board 7 \(hash) \(Roster.membersMax + 1)\n")) == .oversized)
    }

    @Test func aRefusal_stands() {
        var reader = SealedBundleReader()
        #expect(throws: SealedBundleRefusal.noBundle) { try reader.feed(Array("x".utf8)) }
        #expect(throws: SealedBundleRefusal.noBundle) { try reader.feed(Self.bundle.head) }
        #expect(throws: SealedBundleRefusal.noBundle) { try reader.finish() }
        #expect(reader.bundle == nil)
    }

    @Test func aPointer_comesBackOutOfAReply() {
        let pointer = RosterPointer(group: "board", head: Self.head)
        #expect(pointer.word == "roster=board:7:\(hash)")
        #expect(RosterPointer(in: "\(pointer.word) is the current one; fetch it") == pointer)
        #expect(RosterPointer(in: "send again \(pointer.word)") == pointer)
        for text in ["", "roster=", "roster=board:7", "roster=:7:\(hash)", "roster=board:x:\(hash)", "roster=board:7:ab"] {
            #expect(RosterPointer(in: text) == nil, "\(text)")
        }
    }
}
