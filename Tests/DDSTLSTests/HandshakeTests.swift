import DDSCore
import DDSTLS
import Testing

@Suite struct HandshakeTests {
    @Test func clientCertificate_isSeenByItsKeyHash() throws {
        let me = try Sample.identity(2, name: "alice")
        let pin = try Sample.identity(1).keyHash
        var pair = try Pair(client: .client(identity: me, pinnedKeyHash: pin, minimum: .tls13), server: Sample.server())
        pair.run()
        #expect(pair.server.peer == TLSPeer(version: "TLSv1.3", keyHash: me.keyHash))
        #expect(pair.client.peer == TLSPeer(version: "TLSv1.3", keyHash: pin))
    }

    @Test(arguments: [true, false])
    func noClientCertificate_givesNoKeyHash(asks: Bool) throws {
        let context = try TLSContext.client(identity: nil, pinnedKeyHash: nil, minimum: .tls13)
        var pair = try Pair(client: context, server: Sample.server(asks: asks))
        pair.run()
        #expect(pair.server.peer == TLSPeer(version: "TLSv1.3", keyHash: nil))
    }

    @Test func notAsked_clientKeepsItsCertificate() throws {
        let context = try TLSContext.client(identity: Sample.identity(2), pinnedKeyHash: nil, minimum: .tls13)
        var pair = try Pair(client: context, server: Sample.server(asks: false))
        pair.run()
        #expect(pair.server.peer == TLSPeer(version: "TLSv1.3", keyHash: nil))
    }

    @Test(arguments: [16, 17, 31, 32])
    func pinPrefix_isEnough(length: Int) throws {
        let pin = Array(try Sample.identity(1).keyHash.prefix(length))
        var pair = try Pair(client: .client(identity: nil, pinnedKeyHash: pin, minimum: .tls13), server: Sample.server())
        pair.run()
        #expect(pair.client.peer != nil && pair.server.peer != nil)
    }

    @Test(arguments: [16, 32])
    func pinMismatch_failsBeforeTheClientShowsItself(length: Int) throws {
        var pin = Array(try Sample.identity(1).keyHash.prefix(length))
        pin[length - 1] ^= 1
        let context = try TLSContext.client(identity: Sample.identity(2), pinnedKeyHash: pin, minimum: .tls12)
        var pair = try Pair(client: context, server: Sample.server(minimum: .tls12))
        pair.run()
        #expect(pair.client.failure?.kind == .pinMismatch)
        #expect(pair.client.peer == nil && pair.server.peer == nil)
        #expect(pair.server.failure?.kind == .peerAlert)
    }

    @Test func tls12Client_isServedAndStaysNameless() throws {
        let pin = try Sample.identity(1).keyHash
        let context = try TLSContext.client(
            identity: Sample.identity(2), pinnedKeyHash: pin, minimum: .tls12, maximum: .tls12)
        var pair = try Pair(client: context, server: Sample.server(minimum: .tls12))
        pair.run()
        #expect(pair.server.peer == TLSPeer(version: "TLSv1.2", keyHash: nil))
        #expect(pair.client.peer == TLSPeer(version: "TLSv1.2", keyHash: pin))
        try pair.client.machine.write(Array("hello".utf8)[...])
        pair.run()
        #expect(pair.server.plain == Array("hello".utf8))
    }

    @Test func tls12Client_isRefusedWhere13IsWanted() throws {
        let context = try TLSContext.client(identity: nil, pinnedKeyHash: nil, minimum: .tls12, maximum: .tls12)
        var pair = try Pair(client: context, server: Sample.server())
        pair.run()
        #expect(pair.server.failure?.kind == .protocolViolation)
        #expect(pair.client.failure?.kind == .peerAlert)
    }

    /// RFC 8996 forbids TLS 1.1; the alert is protocol_version (70).
    @Test(arguments: [(0x02 as UInt8, true), (0x01, true), (0x03, false)])
    func oldVersion_isRefused(minor: UInt8, isRefused: Bool) throws {
        let machine = End(try TLSConnection(context: Sample.server(minimum: .tls12)))
        machine.receive(clientHello(minor: minor))
        let answer = machine.machine.pendingCipher()
        #expect((machine.failure?.kind == .protocolViolation) == isRefused)
        #expect(answer.starts(with: isRefused ? [0x15, 0x03, minor, 0, 2, 2, 70] : [0x16, 0x03, 0x03]))
    }

    @Test func tls13_sendsNoTicket() throws {
        var pair = try Pair(client: .client(identity: nil, pinnedKeyHash: nil, minimum: .tls13), server: Sample.server())
        pair.run()
        // Tickets would be a flight of the server behind the client's last; there is none.
        #expect(pair.flights.map(\.isEmpty) == [false, false, false, true])
    }

    @Test func tls12_sendsNoTicketAndNoSessionID() throws {
        let context = try TLSContext.client(identity: nil, pinnedKeyHash: nil, minimum: .tls12, maximum: .tls12)
        var pair = try Pair(client: context, server: Sample.server(minimum: .tls12))
        pair.run()
        try #require(pair.flights.count >= 4)
        // The session id's length stands behind record header, message header, version and random.
        #expect(pair.flights[1][43] == 0)
        // A ticket would be a handshake record (22) before ChangeCipherSpec (20).
        #expect(pair.flights[3].first == 20)
    }

    @Test func handshake_byteByByte() throws {
        let me = try Sample.identity(2)
        var pair = try Pair(client: .client(identity: me, pinnedKeyHash: nil, minimum: .tls13), server: Sample.server())
        pair.run { _, length in Array(1..<max(1, length)) }
        #expect(pair.server.peer?.keyHash == me.keyHash)
        #expect(pair.client.peer != nil)
    }

    @Test func handshake_splitAnywhere() throws {
        let client = try TLSContext.client(identity: Sample.identity(2), pinnedKeyHash: nil, minimum: .tls13)
        let server = try Sample.server()
        var whole = try Pair(client: client, server: server)
        whole.run()
        for (number, flight) in whole.flights.enumerated() {
            for place in stride(from: 1, to: flight.count, by: 1) {
                var pair = try Pair(client: client, server: server)
                pair.run { flight, length in flight == number && place < length ? [place] : [] }
                #expect(pair.server.peer?.keyHash != nil && pair.client.peer != nil, "flight \(number) cut at \(place)")
            }
        }
    }

    @Test(arguments: [("node.example.org", true), ("127.0.0.1", false), ("::1", false)])
    func serverName_isSentUnlessItIsAnAddress(name: String, isSent: Bool) throws {
        let context = try TLSContext.client(identity: nil, pinnedKeyHash: nil, minimum: .tls13)
        let machine = try TLSConnection(context: context, serverName: name)
        #expect(try machine.advance() == .needsInput)
        let hello = String(decoding: machine.pendingCipher(), as: Unicode.ASCII.self)
        #expect(hello.contains(name) == isSent)
    }

    @Test func exporter_isEqualOnBothEndsAndBoundToTheConnection() throws {
        let client = try TLSContext.client(identity: nil, pinnedKeyHash: nil, minimum: .tls13)
        let server = try Sample.server()
        var first = try Pair(client: client, server: server)
        let label = "EXPORTER-Channel-Binding"
        #expect(throws: TLSError.self) { try first.client.machine.exporter(label: label) }
        first.run()
        var second = try Pair(client: client, server: server)
        second.run()
        let binding = try first.client.machine.exporter(label: label)
        #expect(binding.count == 32)
        #expect(try first.server.machine.exporter(label: label) == binding)
        #expect(try second.server.machine.exporter(label: label) != binding)
        #expect(try first.server.machine.exporter(label: "EXPORTER-else") != binding)
    }

    /// A ClientHello without extensions that an old client might send, with one CBC and two AEAD suites.
    private func clientHello(minor: UInt8) -> [UInt8] {
        let suites: [UInt8] = [0xc0, 0x09, 0xc0, 0x2b, 0xc0, 0x2c]
        // supported_groups with x25519; signature_algorithms with ed25519, which TLS 1.2 needs for our certificate.
        let extensions: [UInt8] = [0, 10, 0, 4, 0, 2, 0, 29, 0, 13, 0, 4, 0, 2, 8, 7]
        var body: [UInt8] = [3, minor] + [UInt8](repeating: 7, count: 32) + [0]
        body += [0, UInt8(suites.count)] + suites + [1, 0, 0, UInt8(extensions.count)] + extensions
        let message: [UInt8] = [1, 0, 0, UInt8(body.count)] + body
        return [22, 3, 1, 0, UInt8(message.count)] + message
    }
}
