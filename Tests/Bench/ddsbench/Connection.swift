// A client's end of one TLS connection for measuring: lines and bytes in, bytes out, no protocol machine in between, so that
// the client costs as little as a client can.

import DDSCore
import DDSLoop
import DDSTLS

/// A measurement that went wrong, in words.
struct BenchError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) {
        self.description = description
    }
}

@LoopActor final class Connection {
    private let stream: ByteStream
    private let tls: TLSConnection
    private var input: [UInt8] = []
    private var head = 0
    private var waiter: CheckedContinuation<Void, Never>?
    private var isEstablished = false
    private var end: String?

    /// Connects and shakes hands.
    static func open(port: UInt16, _ context: TLSContext) async throws -> Connection {
        let stream = try await ByteStream.connect(to: .tcp(host: "127.0.0.1", port: port), timeout: .seconds(20))
        let connection = try Connection(stream, context)
        while !connection.isEstablished { try await connection.more() }
        return connection
    }

    /// Takes a connection over that a listener has accepted.
    static func accept(_ stream: ByteStream, _ context: TLSContext) async throws -> Connection {
        let connection = try Connection(stream, context)
        while !connection.isEstablished { try await connection.more() }
        return connection
    }

    private init(_ stream: ByteStream, _ context: TLSContext) throws {
        self.stream = stream
        tls = try TLSConnection(context: context)
        stream.onRead = { [self] bytes in received(bytes) }
        stream.onEnd = { [self] end in ended("\(end)") }
        stream.onDrain = { [self] in wake() }
        received([])
        stream.startReading()
    }

    private func received(_ bytes: ArraySlice<UInt8>) {
        do {
            tls.feed(bytes)
            if case .established = try tls.advance() {
                isEstablished = true
                _ = try tls.advance()
            }
            if isEstablished {
                let plain = try tls.readPlain()
                if head == input.count {
                    input = plain
                    head = 0
                } else {
                    input += plain
                }
            }
        } catch {
            ended("\(error)")
        }
        stream.write(tls.pendingCipher())
        wake()
    }

    private func ended(_ words: String) {
        if end == nil { end = words }
        wake()
    }

    private func wake() {
        let waiter = waiter
        self.waiter = nil
        waiter?.resume()
    }

    /// Waits for input or for room; throws when there will be none.
    private func more() async throws {
        if let end { throw BenchError("the connection ended: \(end)") }
        await withCheckedContinuation { waiter = $0 }
    }

    func send(_ bytes: [UInt8]) throws {
        try tls.write(bytes[...])
        stream.write(tls.pendingCipher())
    }

    func send(_ text: String) throws { try send(Array(text.utf8)) }

    /// Waits until the kernel has taken most of what was sent.
    func drained() async throws {
        while stream.queuedBytes > stream.highWaterBytes { try await more() }
    }

    /// The next line without its line end.
    func line() async throws -> [UInt8] {
        var scan = head
        while true {
            while scan < input.count, input[scan] != 0x0a { scan += 1 }
            if scan < input.count {
                defer { head = scan + 1 }
                return Array(input[head..<scan - 1])
            }
            let seen = scan - head
            try await more()
            scan = head + seen
        }
    }

    /// Everything that has arrived, at least one byte.
    func bytes() async throws -> ArraySlice<UInt8> {
        while head == input.count { try await more() }
        defer { head = input.count }
        return input[head...]
    }

    /// Reads `count` bytes and forgets them.
    func skip(_ count: Int) async throws {
        var left = count
        while left > 0 {
            while head == input.count { try await more() }
            let taken = min(left, input.count - head)
            head += taken
            left -= taken
        }
    }

    /// The lines of one SMTP reply; throws unless its code begins with `digit`.
    func reply(_ digit: Character) async throws -> [String] {
        var lines: [String] = []
        while true {
            let text = String(decoding: try await line(), as: UTF8.self)
            lines.append(text)
            if text.utf8.count < 4 || text.utf8.dropFirst(3).first != 0x2d { break }
        }
        guard lines[0].first == digit else { throw BenchError("the server says: \(lines.joined(separator: " / "))") }
        return lines
    }

    /// The line of a POP3 reply; throws unless it is +OK.
    func okay() async throws -> String {
        let text = String(decoding: try await line(), as: UTF8.self)
        guard text.hasPrefix("+OK") else { throw BenchError("the server says: \(text)") }
        return text
    }

    func close() {
        stream.onEnd = nil
        stream.close()
    }
}
