// The control socket: a unix socket in the runtime folder that only the daemon's own user and root may use. Roles register
// commands; there is no administration over TCP and no administrator's password.

package import DDSCore
package import DDSLoop
import Glibc

/// Where a command may send lines before its result, as `events --follow` does.
@LoopActor package protocol ControlOutput: AnyObject {
    func event(_ value: JSONValue)
    /// Becomes true when the other side is gone.
    var isClosed: Bool { get }
    /// Called when the other side goes away.
    var onClose: (@LoopActor () -> Void)? { get set }
}

/// The commands a process understands, whoever asks: the socket, or the command line in the same process.
@LoopActor package final class ControlCommands {
    package typealias Handler = @LoopActor (ControlRequest, any ControlOutput) async throws(Failure) -> JSONValue

    private var handlers: [String: Handler] = [:]

    package init() {}

    /// Adds a command; a second one of the same name is our bug.
    package func register(_ command: String, _ handler: @escaping Handler) {
        precondition(handlers.updateValue(handler, forKey: command) == nil, "the command \(command) has two handlers")
    }

    package func perform(_ request: ControlRequest, output: any ControlOutput) async throws(Failure) -> JSONValue {
        guard let handler = handlers[request.command] else {
            throw Failure(.usage, "this process has no role for \"\(request.command.split(separator: ".").joined(separator: " "))\"; check --config and --role")
        }
        return try await handler(request, output)
    }
}

@LoopActor package final class ControlServer {
    private static var lineLengthMax: Int { 64 << 20 }

    private let commands: ControlCommands
    private var listener: Listener?
    private var sessions: [ObjectIdentifier: ControlSession] = [:]

    /// Listens at `path`. Throws with exit code 75 when another daemon answers there.
    package init(path: String, commands: ControlCommands) throws(Failure) {
        self.commands = commands
        do {
            listener = try Listener.listen(on: .unix(path: path), backlog: 128) { [unowned self] stream in accepted(stream) }
        } catch {
            throw Failure(.tryAgain, "cannot listen at \(path): \(error); is a daemon with this configuration running already?")
        }
    }

    package func close() {
        listener?.close()
        listener = nil
        for session in sessions.values { session.close() }
    }

    private func accepted(_ stream: ByteStream) {
        let allowed = stream.peerCredentials.map { $0.uid == getuid() || $0.uid == 0 } ?? false
        guard allowed else { return stream.close() }
        let session = ControlSession(stream: stream, commands: commands, lineLengthMax: Self.lineLengthMax)
        sessions[ObjectIdentifier(session)] = session
        session.onEnd = { [unowned self, unowned session] in sessions[ObjectIdentifier(session)] = nil }
    }
}

/// One connection; requests are served one after the other.
@LoopActor private final class ControlSession: ControlOutput {
    private let stream: ByteStream
    private let commands: ControlCommands
    private let lineLengthMax: Int
    private var input: [UInt8] = []
    private var isBusy = false
    private(set) var isClosed = false
    var onClose: (@LoopActor () -> Void)?
    var onEnd: (@LoopActor () -> Void)?

    init(stream: ByteStream, commands: ControlCommands, lineLengthMax: Int) {
        self.stream = stream
        self.commands = commands
        self.lineLengthMax = lineLengthMax
        stream.onRead = { [unowned self] bytes in received(bytes) }
        stream.onEnd = { [self] _ in close() }
        stream.startReading()
    }

    func event(_ value: JSONValue) {
        // A follower that does not read must not grow the daemon.
        guard !isClosed, stream.queuedBytes < 4 << 20 else { return close() }
        stream.write(ControlReply.event(value).line)
    }

    func close() {
        guard !isClosed else { return }
        isClosed = true
        stream.onRead = nil
        stream.onEnd = nil
        stream.close()
        onClose?()
        onClose = nil
        onEnd?()
        onEnd = nil
    }

    private func received(_ bytes: ArraySlice<UInt8>) {
        input += bytes
        guard input.count <= lineLengthMax else { return close() }
        takeNext()
    }

    private func takeNext() {
        guard !isBusy, !isClosed, let end = input.firstIndex(of: 0x0a) else { return }
        let line = input[..<end]
        let request: ControlRequest
        do {
            request = try ControlRequest(line: line)
        } catch {
            input.removeSubrange(...end)
            stream.write(ControlReply.failed(error).line)
            return takeNext()
        }
        // The line may have held a passphrase.
        for index in input.indices[...end] { input[index] = 0 }
        input.removeSubrange(...end)
        isBusy = true
        Loop.spawn(name: "control") { [self] in
            let reply: ControlReply
            do throws(Failure) {
                reply = .done(try await commands.perform(request, output: self))
            } catch {
                reply = .failed(error)
            }
            isBusy = false
            guard !isClosed else { return }
            stream.write(reply.line)
            takeNext()
        }
    }
}
