import DDSCore
import DDSTLS
import DDSTestKit
import Testing

@Suite struct StreamTests {
    private func openPair() throws -> Pair {
        var pair = try Pair(client: .client(identity: nil, pinnedKeyHash: nil, minimum: .tls13), server: Sample.server())
        pair.run()
        try #require(pair.client.peer != nil && pair.server.peer != nil)
        return pair
    }

    @Test func oneMebibyte_goesThereAndBack() throws {
        var pair = try openPair()
        let bytes = SeededRandom(seed: 1).bytes(1 << 20)
        try pair.client.machine.write(bytes[...])
        pair.run()
        #expect(pair.server.plain == bytes)
        try pair.server.machine.write(pair.server.plain[...])
        pair.run { _, length in Array(stride(from: 1400, to: length, by: 1400)) }
        #expect(pair.client.plain == bytes)
    }

    @Test func data_byteByByte() throws {
        var pair = try openPair()
        try pair.server.machine.write(Array("+OK ready\r\n".utf8)[...])
        try pair.server.machine.write([])
        try pair.server.machine.write(Array("+OK again\r\n".utf8)[...])
        pair.run { _, length in Array(1..<max(1, length)) }
        #expect(pair.client.plain == Array("+OK ready\r\n+OK again\r\n".utf8))
    }

    @Test func dataGluedToTheHandshake_isNotLost() throws {
        let client = try TLSContext.client(identity: nil, pinnedKeyHash: nil, minimum: .tls13)
        let pair = try Pair(client: client, server: Sample.server())
        pair.client.turn()
        pair.server.receive(pair.client.machine.pendingCipher())
        pair.client.receive(pair.server.machine.pendingCipher())
        try pair.client.machine.write(Array("EHLO me\r\n".utf8)[...])
        pair.client.machine.sendCloseNotify()
        pair.server.receive(pair.client.machine.pendingCipher())
        #expect(pair.server.peer != nil)
        #expect(pair.server.plain == Array("EHLO me\r\n".utf8))
        pair.server.turn()
        #expect(pair.server.isClosed)
    }

    @Test func closeNotify_endsTheStreamBehindItsData() throws {
        var pair = try openPair()
        try pair.server.machine.write(Array("bye".utf8)[...])
        pair.server.machine.sendCloseNotify()
        pair.run()
        #expect(pair.client.isClosed && pair.client.failure == nil)
        #expect(pair.client.plain == Array("bye".utf8))
        pair.client.machine.feedEnd()
        #expect(try pair.client.machine.advance() == .closed)
        #expect(throws: TLSError.self) { try pair.server.machine.write([1]) }
        // The other direction is still open.
        try pair.client.machine.write([1, 2])
        pair.run()
        #expect(pair.server.plain == [1, 2])
    }

    @Test func endWithoutCloseNotify_isTruncation() throws {
        var pair = try openPair()
        try pair.server.machine.write(Array("half".utf8)[...])
        pair.run()
        pair.client.machine.feedEnd()
        pair.client.turn()
        #expect(pair.client.failure?.kind == .truncated)
        #expect(pair.client.plain == Array("half".utf8))
    }

    @Test func endDuringTheHandshake_isTruncation() throws {
        let server = End(try TLSConnection(context: Sample.server()))
        server.machine.feed([22, 3, 1])
        server.machine.feedEnd()
        server.turn()
        #expect(server.failure?.kind == .truncated)
    }

    @Test func changedRecord_isRefusedAndWhatCameBeforeIsKept() throws {
        var pair = try openPair()
        try pair.server.machine.write(Array("good".utf8)[...])
        let good = pair.server.machine.pendingCipher()
        try pair.server.machine.write(Array("evil".utf8)[...])
        var bad = pair.server.machine.pendingCipher()
        bad[bad.count - 1] ^= 1
        pair.client.receive(good + bad)
        #expect(pair.client.failure?.kind == .protocolViolation)
        #expect(pair.client.plain == Array("good".utf8))
        #expect(throws: TLSError.self) { try pair.client.machine.write([1]) }
        pair.run()
        #expect(pair.server.failure?.kind == .peerAlert)
    }

    @Test func writingBeforeTheHandshake_isRefused() throws {
        let machine = try TLSConnection(context: Sample.server())
        #expect(throws: TLSError.self) { try machine.write([1]) }
        machine.sendCloseNotify()
        #expect(machine.pendingCipher().isEmpty)
    }

    @Test(arguments: [
        "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "EHLO client.example\r\n", "\u{16}\u{03}\u{01}\u{ff}\u{ff}", "\0\0\0\0\0\0\0\0",
    ])
    func notTLS_isAnError(text: String) throws {
        let server = End(try TLSConnection(context: Sample.server(minimum: .tls12)))
        server.receive(Array(text.utf8))
        server.machine.feedEnd()
        server.turn()
        #expect(server.failure != nil)
        #expect(server.failure?.detail.isEmpty == false)
        #expect(server.peer == nil && server.plain.isEmpty)
    }

    @Test func randomDamage_neverTrapsAndNeverInventsPlaintext() throws {
        let client = try TLSContext.client(identity: Sample.identity(2), pinnedKeyHash: nil, minimum: .tls13)
        let server = try Sample.server(minimum: .tls12)
        let random = SeededRandom(seed: 20)
        for _ in 0..<300 {
            let pair = try Pair(client: client, server: server)
            let damaged = random.below(3)
            for flight in 0..<4 {
                let (from, to) = flight.isMultiple(of: 2) ? (pair.client, pair.server) : (pair.server, pair.client)
                from.turn()
                var bytes = from.machine.pendingCipher()
                if flight == damaged, !bytes.isEmpty {
                    for _ in 0...random.below(4) { bytes[random.below(bytes.count)] = random.bytes(1)[0] }
                }
                to.receive(bytes)
            }
            #expect(pair.server.plain.isEmpty && pair.client.plain.isEmpty)
        }
    }
}
