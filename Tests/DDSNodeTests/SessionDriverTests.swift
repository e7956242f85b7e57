import DDSCore
import DDSLoop
import DDSSeal
import DDSTLS
import DDSTestKit
import DDSWire
import Testing

@testable import DDSNode

/// A client's end of a connection, and the driver at the other.
@LoopActor private final class Setup {
    let client: ByteStream
    let handler = EchoHandler()
    private(set) weak var driver: SessionDriver<EchoMachine>?
    private(set) var received: [UInt8] = []
    /// The client stops reading behind everything that comes.
    var readsOnce = false
    private(set) var hasEnded = false
    private(set) var endCalls = 0
    private let listener: Listener
    private var tls: TLSConnection?
    private var accepted: ByteStream?

    init(
        tls context: TLSContext? = nil, tlsFirst: Bool = false, handshakeLimit: Duration = .seconds(300),
        stallLimit: Duration = .seconds(300)
    ) async throws {
        var taken: ByteStream?
        listener = try Listener.listen(on: .tcp(host: "127.0.0.1", port: 0)) { taken = $0 }
        client = try await ByteStream.connect(to: listener.endpoint, timeout: .seconds(300))
        try await until { taken != nil }
        let stream = try #require(taken)
        client.onRead = { [unowned self] bytes in
            if let tls {
                tls.feed(bytes)
                received += (try? tls.readPlain()) ?? []
            } else {
                received += bytes
                if readsOnce { client.stopReading() }
            }
        }
        client.onEnd = { [self] _ in hasEnded = true }
        client.startReading()
        let driver = SessionDriver(
            id: "t", stream: stream, machine: EchoMachine(), handler: handler, tls: context, tlsFirst: tlsFirst,
            handshakeLimit: handshakeLimit, stallLimit: stallLimit, onEnd: { [self] in endCalls += 1 })
        self.driver = driver
    }

    func send(_ text: String) {
        if let tls {
            try? tls.write(Array(text.utf8)[...])
            client.write(tls.pendingCipher())
        } else {
            client.write(Array(text.utf8))
        }
    }

    /// Begins TLS on the client's side and waits for its end.
    func startTLS() async throws {
        received = []
        let tls = try TLSConnection(context: .client(identity: nil, pinnedKeyHash: nil, minimum: .tls13))
        client.onRead = { [unowned self] bytes in
            tls.feed(bytes)
            if self.tls != nil { received += (try? tls.readPlain()) ?? [] }
        }
        var isOpen = false
        while !isOpen {
            if case .established = try tls.advance() { isOpen = true }
            let cipher = tls.pendingCipher()
            if !cipher.isEmpty { client.write(cipher) }
            if hasEnded { return }
            try await Loop.sleep(for: .milliseconds(1))
        }
        self.tls = tls
        received += try tls.readPlain()
    }

    var text: String { String(decoding: received, as: UTF8.self) }

    func close() async throws {
        client.close()
        listener.close()
        try await until { hasEnded && handler.summary != nil }
    }
}

@Suite(.timeLimit(.minutes(5))) struct SessionDriverTests {
    private func serverTLS() throws -> TLSContext {
        let seed = SystemRandom().bytes(32)
        return try .server(
            identity: .selfSigned(seed: seed, commonName: "localhost", notBefore: WallTime(milliseconds: 1_700_000_000_000), lifetimeDays: 9999),
            minimum: .tls13, requestClientCertificate: true)
    }

    @Test @LoopActor func commandsGoInAndRepliesComeOut_inOrder() async throws {
        let setup = try await Setup()
        setup.send("e one\na two\ne three\nt\nq\n")
        try await until { setup.hasEnded }
        #expect(setup.text.hasPrefix("hello\none\nTWO\nthree\n") && setup.text.contains("bye\n"))
        try await until { setup.handler.summary != nil }
        #expect(setup.handler.summary?.reason == .quit)
        #expect(setup.handler.summary?.bytesIn == 24)
        #expect(setup.handler.notes == ["close", "ended"])
        #expect(setup.endCalls == 1)
        try await setup.close()
    }

    @Test @LoopActor func timers_fireOnceAndCancelledOnesDoNot() async throws {
        let setup = try await Setup()
        setup.send("c\nt\n")
        try await until { setup.text.contains("timer\n") }
        try await Loop.sleep(for: .milliseconds(20))
        #expect(setup.text == "hello\ntimer\n")
        try await setup.close()
    }

    @Test @LoopActor func aSessionThatHasEnded_isFreed() async throws {
        let setup = try await Setup()
        setup.send("a x\nt\nq\n")
        try await until { setup.handler.summary != nil && setup.driver == nil }
        #expect(setup.driver == nil)
        try await setup.close()
    }

    @Test @LoopActor func aSessionCutOffByItsPeer_isFreed_evenWhileItAsks() async throws {
        let setup = try await Setup()
        setup.handler.isGated = true
        setup.send("a x\n")
        try await until { setup.handler.asked == 1 }
        setup.client.close()
        // The end of input comes to the machine at once: its closing does not wait for the answer.
        try await until { setup.handler.summary != nil }
        setup.handler.open()
        try await until { setup.driver == nil }
        #expect(setup.handler.answered == 1)
        #expect(setup.handler.notes.last == "ended")
        try await setup.close()
    }

    @Test @LoopActor func whatIsPerformedBehindTheClose_comesBeforeTheEnd() async throws {
        let setup = try await Setup()
        setup.send("z\n")
        try await until { setup.handler.summary != nil }
        #expect(setup.handler.notes == ["close", "behind", "ended"])
        try await setup.close()
    }

    @Test @LoopActor func aHalfClosedConnection_stillGetsItsReplies() async throws {
        let setup = try await Setup()
        setup.send("e last\n")
        setup.client.finish()
        try await until { setup.handler.summary != nil }
        #expect(setup.handler.summary?.reason == .endOfInput)
        #expect(setup.handler.notes == ["close", "ended"])
        try await setup.close()
    }

    @Test @LoopActor func abort_endsAtOnceAndAnswersAreDropped() async throws {
        let setup = try await Setup()
        setup.handler.isGated = true
        setup.send("a x\n")
        try await until { setup.handler.asked == 1 }
        setup.driver?.abort("test")
        setup.driver?.abort("again")
        #expect(setup.handler.summary?.detail == "test" && setup.endCalls == 1)
        setup.handler.open()
        try await until { setup.hasEnded && setup.driver == nil }
        #expect(setup.text == "hello\n")
        try await setup.close()
    }

    @Test @LoopActor func drain_isTheMachinesToAnswer() async throws {
        let setup = try await Setup()
        try await until { setup.text == "hello\n" }
        setup.driver?.drain()
        try await until { setup.hasEnded }
        #expect(setup.text == "hello\ndrain\n")
        #expect(setup.handler.summary?.reason == .draining)
        try await setup.close()
    }

    // MARK: Back-pressure

    @Test @LoopActor func answers_areHeldWhileThePeerDoesNotRead() async throws {
        let setup = try await Setup()
        setup.client.stopReading()
        setup.send(String(repeating: "b 1000000\n", count: 40))
        try await until { setup.handler.answered >= 2 }
        try await Loop.sleep(for: .milliseconds(50))
        // Socket buffers take some megabytes; the rest waits in one held answer and not in memory.
        #expect(setup.handler.asked < 40)
        setup.client.startReading()
        try await until { setup.received.count == 6 + 40 * 1_000_001 }
        #expect(setup.handler.answered == 40)
        try await setup.close()
    }

    @Test @LoopActor func anAnswerAtExactlyTheMark_isNotForgotten() async throws {
        let setup = try await Setup()
        // The reply to the first fills the queue to the mark exactly, before the second's answer comes.
        setup.send("b \(64 * 1024 - 1)\na x\nq\n")
        try await until { setup.hasEnded }
        #expect(setup.text.hasSuffix("X\nbye\n"))
        try await setup.close()
    }

    @Test @LoopActor func input_isNotReadWithoutEndWhileAnAnswerIsAwaited() async throws {
        let setup = try await Setup()
        setup.handler.isGated = true
        setup.send("a x\n" + String(repeating: "e y\n", count: 4_000_000))
        try await until { setup.handler.asked == 1 }
        try await Loop.sleep(for: .milliseconds(100))
        #expect(setup.client.queuedBytes > 0)
        setup.handler.isGated = false
        setup.handler.open()
        try await until { setup.received.count > 1_000_000 }
        try await setup.close()
    }

    @Test @LoopActor func aPeerThatDoesNotRead_isCutOff() async throws {
        let setup = try await Setup(stallLimit: .milliseconds(100))
        setup.client.stopReading()
        setup.send(String(repeating: "b 1000000\n", count: 40))
        try await until { setup.handler.summary != nil }
        #expect(setup.handler.summary?.reason == .timeout)
        #expect(setup.handler.summary?.detail == "the peer does not read")
        try await until { setup.driver == nil }
        try await setup.close()
    }

    @Test @LoopActor func aPeerThatReadsSlowly_isNot() async throws {
        let setup = try await Setup(stallLimit: .seconds(3600))
        // Piece by piece: a loop that is late would else find everything taken between two looks.
        setup.readsOnce = true
        let total = 6 + 20 * 1_000_001
        setup.send(String(repeating: "b 1000000\n", count: 20))
        // The driver looks ever again, and each time the peer has taken something since, however long that took.
        var looks = 0
        var taken = 0
        while setup.received.count < total, let driver = setup.driver, setup.handler.summary == nil {
            try await until {
                setup.client.startReading()
                return driver.bytesTaken > taken || setup.received.count == total || setup.handler.summary != nil
            }
            taken = driver.bytesTaken
            if driver.stream.queuedBytes > 0 { looks += 1 }
            driver.lookAtOutput()
        }
        #expect(setup.handler.summary == nil)
        #expect(looks > 1)
        setup.readsOnce = false
        setup.client.startReading()
        try await until { setup.received.count == total }
        try await setup.close()
    }

    // MARK: TLS

    @Test @LoopActor func tlsFirst_thenTheMachineStarts() async throws {
        let setup = try await Setup(tls: serverTLS(), tlsFirst: true)
        try await setup.startTLS()
        try await until { setup.text == "hello\n" }
        setup.send("a x\n")
        try await until { setup.text == "hello\nX\n" }
        setup.send("q\n")
        try await until { setup.hasEnded }
        #expect(setup.handler.summary?.reason == .quit)
        try await setup.close()
    }

    @Test @LoopActor func clearTextInsteadOfAHandshake_endsTheSession() async throws {
        let setup = try await Setup(tls: serverTLS(), tlsFirst: true)
        setup.send("e clear\n")
        try await until { setup.handler.summary != nil }
        #expect(setup.handler.summary?.reason == .protocolError)
        #expect(setup.handler.notes == ["ended"])
        #expect(!setup.text.contains("clear"))
        try await setup.close()
    }

    @Test @LoopActor func aHandshakeThatTakesTooLong_endsTheSession() async throws {
        let setup = try await Setup(tls: serverTLS(), tlsFirst: true, handshakeLimit: .milliseconds(50))
        try await until { setup.handler.summary != nil }
        #expect(setup.handler.summary?.reason == .timeout)
        #expect(setup.handler.summary?.detail == "no TLS handshake in time")
        #expect(setup.text.isEmpty)
        try await setup.close()
    }

    @Test @LoopActor func aPeerThatLeavesDuringTheHandshake_endsTheSession() async throws {
        let setup = try await Setup(tls: serverTLS(), tlsFirst: true)
        setup.client.finish()
        try await until { setup.handler.summary != nil }
        #expect(setup.handler.summary?.detail == "before the TLS handshake was done")
        try await until { setup.driver == nil }
        try await setup.close()
    }

    @Test @LoopActor func anUpgrade_worksAndIsSecret() async throws {
        let setup = try await Setup(tls: serverTLS())
        setup.send("s\n")
        try await until { setup.text == "hello\nbegin\n" }
        try await setup.startTLS()
        setup.send("a inside\n")
        try await until { setup.text == "INSIDE\n" }
        try await setup.close()
    }

    @Test @LoopActor func wordsSlippedInBehindTheUpgrade_areRefused() async throws {
        let setup = try await Setup(tls: serverTLS())
        setup.send("s\ne injected\n")
        try await until { setup.hasEnded }
        #expect(setup.text == "hello\nrefused\n")
        try await setup.close()
    }

    @Test @LoopActor func wordsSlippedInAfterTheUpgradeBegan_breakTheHandshake() async throws {
        let setup = try await Setup(tls: serverTLS())
        setup.send("s\n")
        try await until { setup.text == "hello\nbegin\n" }
        setup.send("e injected\n")
        try await until { setup.handler.summary != nil }
        #expect(setup.handler.summary?.reason == .protocolError)
        #expect(!setup.text.contains("injected"))
        try await setup.close()
    }
}
