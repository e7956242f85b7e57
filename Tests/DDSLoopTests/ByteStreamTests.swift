// Streams and listeners over real loopback sockets, each test with both ends on the loop.

import DDSCore
import DDSLoop
import DDSTestKit
import Foundation
import Testing

@Suite(.timeLimit(.minutes(5))) struct ByteStreamTests {
    enum Transport: CaseIterable {
        case tcp, unix
    }

    @Test(arguments: Transport.allCases) @LoopActor
    func bytes_comeBackFromAnEcho(_ transport: Transport) async throws {
        let pair = try await StreamPair(transport)
        pair.server.echo()
        pair.client.stream.write(Array("hello ".utf8))
        pair.client.stream.write(Array("world".utf8))
        await pair.client.wait { $0.received.count >= 11 }
        #expect(pair.client.received == Array("hello world".utf8))
        await pair.close()
    }

    @Test(arguments: Transport.allCases) @LoopActor
    func manyMegabytes_arriveWholeThoughTheReaderPauses(_ transport: Transport) async throws {
        let pair = try await StreamPair(transport)
        let sent = payload(seed: 7, count: 6_000_000)
        pair.server.stream.stopReading()
        let client = pair.client.stream
        client.highWaterBytes = 100_000
        var drains = 0
        client.onDrain = { drains += 1 }
        client.write(Array(sent.prefix(4_000_000)))
        client.write(Array(sent.suffix(2_000_000)))
        try await Loop.sleep(for: .milliseconds(20))
        #expect(pair.server.received.isEmpty)
        #expect(client.queuedBytes > 100_000)
        #expect(drains == 0)
        pair.server.pauseEveryBytes = 500_000
        pair.server.stream.startReading()
        await pair.server.wait { $0.received.count >= sent.count }
        #expect(pair.server.received == sent)
        #expect(client.queuedBytes == 0)
        #expect(drains == 1)
        await pair.close()
    }

    @Test @LoopActor func aStreamWithMuchToRead_letsJobsInBetween() async throws {
        let pair = try await StreamPair(.tcp)
        let server = pair.server.stream
        server.stopReading()
        pair.client.stream.write([UInt8](repeating: 1, count: 4_000_000))
        // What the kernel takes of it waits in the socket.
        try await Loop.sleep(for: .milliseconds(20))
        var total = 0
        var inTurn: [UInt64: Int] = [:]
        server.onRead = { bytes in
            total += bytes.count
            inTurn[Loop.lag.count, default: 0] += bytes.count
        }
        server.startReading()
        while total < 4_000_000 { try await Loop.sleep(for: .milliseconds(1)) }
        #expect(inTurn.values.allSatisfy { $0 <= 192 * 1024 })
        await pair.close()
    }

    /// In a process of its own, because everything that other tests do wakes the loop.
    @Test func bytesWrittenByOnDrain_doNotWaitForAnotherEvent() async {
        await #expect(processExitsWith: .exitCode(50)) {
            exit(Loop.run { await chunksWrittenByOnDrain() })
        }
    }

    @Test(arguments: Transport.allCases) @LoopActor
    func finish_sendsAllBeforeTheEnd(_ transport: Transport) async throws {
        let pair = try await StreamPair(transport)
        let sent = payload(seed: 8, count: 3_000_000)
        pair.client.stream.write(sent)
        pair.client.stream.finish()
        pair.client.stream.write([1, 2, 3])
        await pair.server.wait { $0.ends.contains(.endOfInput) }
        #expect(pair.server.received == sent)
        #expect(pair.client.ends.isEmpty)
        pair.server.stream.close()
        await pair.client.wait { !$0.ends.isEmpty }
        #expect(pair.client.ends == [.closed])
        await pair.close()
    }

    @Test @LoopActor func halfClosedStream_canStillAnswer() async throws {
        let listener = try Listener.listen(on: .tcp(host: "127.0.0.1", port: 0)) { stream in
            let peer = Peer(stream)
            peer.onEndOfInput = {
                stream.write(Array("late answer".utf8))
                stream.finish()
            }
        }
        guard case .tcp(_, let port) = listener.endpoint else { return }
        // A blocking client, because only shutdown(2) ends one direction.
        let answer = try await Loop.offload { try BlockingClient(port: port).askAndShutDown("question") }
        #expect(answer == "late answer")
        listener.close()
    }

    @Test @LoopActor func peerThatNeverCloses_isCutOffAfterFinish() async throws {
        let pair = try await StreamPair(.tcp)
        pair.client.stream.write([1])
        let start = Loop.time.now
        pair.client.stream.finish()
        await pair.client.wait { !$0.ends.isEmpty }
        #expect(pair.client.ends == [.closed])
        #expect(Loop.time.now - start >= .seconds(2))
        await pair.close()
    }

    @Test @LoopActor func unreadQueue_isGivenUpWhenFinishTakesTooLong() async throws {
        let pair = try await StreamPair(.tcp)
        pair.server.stream.stopReading()
        pair.client.stream.write([UInt8](repeating: 1, count: 20_000_000))
        pair.client.stream.finish(within: .milliseconds(50))
        await pair.client.wait { !$0.ends.isEmpty }
        #expect(pair.client.ends == [.closed])
        await pair.close()
    }

    @Test @LoopActor func close_isIdempotentAndReportsOnce() async throws {
        let pair = try await StreamPair(.tcp)
        pair.client.stream.write([1, 2, 3])
        pair.client.stream.close()
        pair.client.stream.close()
        #expect(pair.client.ends.isEmpty)
        await pair.client.wait { !$0.ends.isEmpty }
        pair.client.stream.close()
        pair.client.stream.write([4])
        pair.client.stream.startReading()
        pair.client.stream.finish()
        try await Loop.sleep(for: .milliseconds(5))
        #expect(pair.client.ends == [.closed])
        #expect(pair.client.stream.queuedBytes == 0)
        await pair.close()
    }

    @Test @LoopActor func brokenConnection_isReportedWithTheSystemsWords() async throws {
        let pair = try await StreamPair(.tcp)
        pair.server.stream.stopReading()
        pair.client.stream.write([1, 2, 3])
        // What the system has taken lies at the other end of the loopback.
        try await until { pair.client.stream.queuedBytes == 0 }
        // Closing with unread bytes makes the kernel send a reset.
        pair.server.stream.close()
        await pair.client.wait { !$0.ends.isEmpty }
        #expect(pair.client.ends == [.reset("connection reset by peer")])
        #expect(!pair.client.stream.isOpen)
        await pair.close()
    }

    @Test @LoopActor func addresses_areKnownAtBothEnds() async throws {
        let pair = try await StreamPair(.tcp)
        #expect(pair.client.stream.peerHost == "127.0.0.1")
        #expect(pair.client.stream.peerPort == pair.server.stream.localPort)
        #expect(pair.server.stream.peerPort == pair.client.stream.localPort)
        #expect(pair.server.stream.peer == "127.0.0.1:\(pair.client.stream.localPort)")
        #expect(pair.server.stream.peerCredentials == nil)
        await pair.close()
    }

    @Test @LoopActor func dualStackListener_showsIPv4PeersAsIPv4() async throws {
        let listener: Listener
        var accepted: ByteStream?
        do {
            listener = try Listener.listen(on: .tcp(host: "::", port: 0)) { accepted = $0 }
        } catch {
            return  // This machine has no IPv6.
        }
        guard case .tcp(_, let port) = listener.endpoint else { return }
        let client = try await ByteStream.connect(to: .tcp(host: "127.0.0.1", port: port), timeout: .seconds(300))
        while accepted == nil { await Task.yield() }
        #expect(accepted?.peerHost == "127.0.0.1")
        client.close()
        accepted?.close()
        listener.close()
    }

    @Test @LoopActor func unixPeer_hasCredentials() async throws {
        let pair = try await StreamPair(.unix)
        let credentials = try #require(pair.server.stream.peerCredentials)
        #expect(credentials.uid == geteuid())
        #expect(credentials.pid == getpid())
        #expect(pair.server.stream.peer == "unix:uid=\(geteuid()),pid=\(getpid())")
        #expect(pair.server.stream.peerHost == "unix")
        await pair.close()
    }
}

/// How many chunks of 50 went out before the loop was woken by anything but itself: by a timer that comes when all is lost.
@LoopActor private func chunksWrittenByOnDrain() async -> Int32 {
    guard let pair = try? await StreamPair(.tcp) else { return 1 }
    let client = pair.client.stream
    client.highWaterBytes = 10
    // Nobody reads, so that no arriving byte wakes the loop; all 5000 fit into the kernel's buffers.
    pair.server.stream.stopReading()
    let chunks: Int32 = await withCheckedContinuation { continuation in
        var chunks: Int32 = 0
        let rescue = LoopTimer { continuation.resume(returning: chunks) }
        rescue.schedule(at: Loop.time.now + .seconds(120))
        client.onDrain = {
            chunks += 1
            if chunks < 50 { return client.write([UInt8](repeating: 1, count: 100)) }
            rescue.close()
            continuation.resume(returning: chunks)
        }
        client.write([UInt8](repeating: 1, count: 100))
    }
    client.onDrain = nil
    pair.server.stream.startReading()
    await pair.server.wait { $0.received.count >= 5000 }
    return pair.server.received.count == 5000 ? chunks : 2
}

/// Bytes whose order matters: a random block of a prime length, repeated.
private func payload(seed: UInt64, count: Int) -> [UInt8] {
    let block = SeededRandom(seed: seed).bytes(4093)
    var bytes: [UInt8] = []
    bytes.reserveCapacity(count + block.count)
    while bytes.count < count { bytes.append(contentsOf: block) }
    bytes.removeLast(bytes.count - count)
    return bytes
}
