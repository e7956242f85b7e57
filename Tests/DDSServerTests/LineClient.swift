// Clients and listeners of one test over loopback: real sockets and TLS, the real driver, and the world behind it.

import DDSCore
import DDSLoop
import DDSNode
import DDSSeal
import DDSTLS
import DDSWire
import Foundation

@testable import DDSServer

/// A client that speaks lines, through TLS when it has a context.
@LoopActor final class LineClient: Closable {
    /// The connection ended; the last lines of the dialog say where.
    struct Lost: Error, CustomStringConvertible {
        var description: String
    }

    private var dialog: [String] = []
    private var lost: Lost { Lost(description: dialog.suffix(6).joined(separator: " | ")) }

    private let stream: ByteStream
    private var tls: TLSConnection?
    private var plain: [UInt8] = []
    /// Where the first line not yet handed out begins.
    private var start = 0
    private(set) var hasEnded = false
    private var waiter: CheckedContinuation<Void, Never>?
    /// Grows with everything that comes from the server.
    private var happened = 0

    init(port: UInt16) async throws {
        stream = try await ByteStream.connect(to: .tcp(host: "127.0.0.1", port: port), timeout: .seconds(300))
        stream.onRead = { [self] bytes in received(bytes) }
        stream.onEnd = { [self] _ in
            hasEnded = true
            wake()
        }
        stream.startReading()
    }

    /// Begins TLS; `identity` is the client's certificate.
    func startTLS(_ identity: TLSIdentity?) async throws {
        plain = []
        start = 0
        dialog.append("begin TLS")
        let tls = try TLSConnection(context: .client(identity: identity, pinnedKeyHash: nil, minimum: .tls12))
        self.tls = tls
        while true {
            let seen = happened
            let progress = try tls.advance()
            flush()
            if case .established = progress {
                dialog.append("in TLS")
                return
            }
            if hasEnded { throw lost }
            await next(after: seen)
        }
    }

    /// Sends text with CRLF behind it; several lines go out together.
    func send(_ lines: String...) {
        dialog = dialog.suffix(5) + lines.map { "C: \($0)" }
        write(Array(lines.map { $0 + "\r\n" }.joined().utf8))
    }

    func write(_ bytes: [UInt8]) {
        if let tls {
            try? tls.write(bytes[...])
            flush()
        } else {
            stream.write(bytes)
        }
    }

    /// The next line without its CRLF. Throws `Lost` when the connection ends before it.
    func line() async throws -> String {
        while true {
            let seen = happened
            if let end = plain[start...].firstIndex(of: 0x0a) {
                let line = String(decoding: plain[start..<end].dropLast(), as: UTF8.self)
                start = end + 1
                dialog = dialog.suffix(5) + ["S: \(line)"]
                return line
            }
            plain.removeFirst(start)
            start = 0
            if hasEnded { throw lost }
            await next(after: seen)
        }
    }

    /// Sends a command and returns the first line of its reply.
    func ask(_ command: String) async throws -> String {
        send(command)
        return try await line()
    }

    /// The lines up to a lone dot, without dot-stuffing.
    func untilDot() async throws -> [String] {
        var lines: [String] = []
        while true {
            let line = try await line()
            if line == "." { return lines }
            lines.append(line.hasPrefix("..") ? String(line.dropFirst()) : line)
        }
    }

    /// All lines of one SMTP reply.
    func reply() async throws -> [String] {
        var lines: [String] = []
        repeat { lines.append(try await line()) } while lines.last?.dropFirst(3).first == "-"
        return lines
    }

    func command(_ text: String) async throws -> [String] {
        send(text)
        return try await reply()
    }

    /// Waits for the server's end.
    /// One SMTP transaction of a member; returns the last reply, or the first that refuses.
    func submit(from name: String, to recipients: [String], _ message: [UInt8]) async throws -> String {
        for text in ["MAIL FROM:<\(name)@node.test>"] + recipients.map({ "RCPT TO:<\($0)>" }) {
            let reply = try await command(text)
            if !reply[0].hasPrefix("250") {
                _ = try await command("RSET")
                return reply.joined(separator: " ")
            }
        }
        let go = try await command("DATA")
        guard go[0].hasPrefix("354") else { return go[0] }
        write(message)
        send(".")
        return try await reply().joined(separator: " ")
    }

    func end() async {
        while !hasEnded { await next(after: happened) }
    }

    func stopReading() { stream.stopReading() }

    func close() { stream.close() }

    /// Closes with a reset, which the other side notices also while it does not read.
    func reset() {
        var option = linger(l_onoff: 1, l_linger: 0)
        let size = socklen_t(MemoryLayout<linger>.size)
        let status = unsafe setsockopt(stream.descriptor, SOL_SOCKET, SO_LINGER, &option, size)
        precondition(status == 0, "a connected socket has this option")
        stream.close()
    }

    private func received(_ bytes: ArraySlice<UInt8>) {
        if let tls {
            tls.feed(bytes)
            if let more = try? tls.readPlain() { plain += more }
        } else {
            plain += bytes
        }
        wake()
    }

    private func flush() {
        if let cipher = tls?.pendingCipher(), !cipher.isEmpty { stream.write(cipher) }
    }

    /// Waits for something newer than `seen`. Whether there is, is asked where nothing can come between: a task that tests
    /// start may be moved to another thread at every await.
    private func next(after seen: Int) async {
        await withCheckedContinuation { continuation in
            if happened == seen { waiter = continuation } else { continuation.resume() }
        }
    }

    private func wake() {
        happened += 1
        waiter?.resume()
        waiter = nil
    }
}

@LoopActor private final class Listening: Closable {
    let listener: Listener
    init(_ listener: Listener) { self.listener = listener }
    func close() { listener.close() }
}

extension World {
    enum Service { case pop3s, submissions, lmtp, pop3, submission }

    /// A client that is connected to a listener of `service`, through TLS where that is how it begins. The greeting is read.
    func connect(_ service: Service, as person: Person? = nil) async throws -> LineClient {
        let context = context
        let seed = SystemRandom().bytes(32)
        let tls = try TLSContext.server(
            identity: .selfSigned(seed: seed, commonName: "localhost", notBefore: WallTime(milliseconds: 1_700_000_000_000), lifetimeDays: 9999),
            minimum: .tls12, requestClientCertificate: true)
        let listener = try Listener.listen(on: .tcp(host: "127.0.0.1", port: 0)) { stream in
            Self.serve(service, stream, context, tls)
        }
        keep(Listening(listener))
        guard case .tcp(_, let port) = listener.endpoint else { throw LineClient.Lost(description: "no port") }
        let client = try await LineClient(port: port)
        keep(client)
        if service == .pop3s || service == .submissions { try await client.startTLS(person?.device) }
        _ = try await client.line()
        return client
    }

    private static func serve(_ service: Service, _ stream: ByteStream, _ context: ServerContext, _ tls: TLSContext) {
        switch service {
        case .pop3s, .pop3:
            var configuration = POP3ServerConfiguration(hostName: domain, tls: service == .pop3s ? .implicit : .stlsRequired)
            configuration.failedLoginDelay = .zero
            _ = SessionDriver(
                id: "s", stream: stream, machine: POP3ServerSession(configuration: configuration),
                handler: MaildropHandler(server: context, peerHost: stream.peerHost), tls: tls, tlsFirst: service == .pop3s)
        case .submissions, .submission:
            var configuration = SMTPServerConfiguration(
                hostName: domain, flavour: .submission, tls: service == .submissions ? .implicit : .startTLSRequired)
            configuration.timeouts.failedLoginDelay = .zero
            _ = SessionDriver(
                id: "s", stream: stream, machine: SMTPServerSession(configuration: configuration),
                handler: SubmissionHandler(server: context, peerHost: stream.peerHost), tls: tls, tlsFirst: service == .submissions)
        case .lmtp:
            let configuration = SMTPServerConfiguration(hostName: domain, flavour: .lmtp, tls: .none)
            _ = SessionDriver(
                id: "s", stream: stream, machine: SMTPServerSession(configuration: configuration), handler: LMTPHandler(server: context),
                tls: nil, tlsFirst: false)
        }
    }

    /// A POP3 client that has logged in by its device key.
    func pop3(_ person: Person) async throws -> LineClient {
        let client = try await connect(.pop3s, as: person)
        let reply = try await client.ask("AUTH EXTERNAL =")
        guard reply.hasPrefix("+OK") else { throw Unexpected(reply) }
        return client
    }

    /// A submission client that has logged in by its device key, or with the password given.
    func submission(_ person: Person, password: String? = nil) async throws -> LineClient {
        let client = try await connect(.submissions, as: password == nil ? person : nil)
        _ = try await client.command("EHLO client.test")
        let plain = password.map { String(decoding: Base64.encode(Array("\0\(person.name)\0\($0)".utf8)), as: UTF8.self) }
        let reply = try await client.command(plain.map { "AUTH PLAIN \($0)" } ?? "AUTH EXTERNAL =")
        guard reply[0].hasPrefix("235") else { throw Unexpected(reply[0]) }
        return client
    }

    /// Stores a message for a member, as delivery does.
    func deliver(_ text: String = "Subject: x\r\n\r\nHello.\r\n", to name: String) async throws {
        let outcome = await delivery.deliver(try message(text), author: nil, destinations: [.member(name)])
        guard outcome == .delivered(readers: 1) else { throw Unexpected("\(outcome)") }
    }
}

struct Unexpected: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}
