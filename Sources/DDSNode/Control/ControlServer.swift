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
    /// Why a command may be missing for now, in words of the role that will bring it.
    package var explainMissing: (@LoopActor (String) -> Failure?)?

    package init() {}

    /// Adds a command; a second one of the same name is our bug.
    package func register(_ command: String, _ handler: @escaping Handler) {
        precondition(handlers.updateValue(handler, forKey: command) == nil, "the command \(command) has two handlers")
    }

    /// Forgets every command. Handlers hold their roles and roles their services, these commands among them: whoever made
    /// this ends that circle when the roles have stopped.
    package func removeAll() {
        handlers = [:]
        explainMissing = nil
    }

    package func perform(_ request: ControlRequest, output: any ControlOutput) async throws(Failure) -> JSONValue {
        guard let handler = handlers[request.command] else {
            if let failure = explainMissing?(request.command) { throw failure }
            throw Failure(
                .usage,
                "this process has no role for \"\(request.command.split(separator: ".").joined(separator: " "))\"; check --config and --role"
            )
        }
        return try await handler(request, output)
    }
}

@LoopActor package final class ControlServer {
    private static var lineLengthMax: Int { 64 << 20 }
    private static var closingTime: Duration { .seconds(2) }

    private let commands: ControlCommands
    private var listener: Listener?
    private var sessions: [ObjectIdentifier: ControlSession] = [:]
    private var whenEmpty: CheckedContinuation<Void, Never>?

    /// Listens at `path`, or with a socket that does so already. Throws with exit code 75 when another daemon answers there.
    package init(path: String, commands: ControlCommands, adopting descriptor: Int32? = nil) throws(Failure) {
        self.commands = commands
        let take: @LoopActor (ByteStream) -> Void = { [weak self] stream in
            if let self { accepted(stream) } else { stream.close() }
        }
        do {
            listener =
                try descriptor.map { descriptor throws(LoopError) in
                    try Listener.adopt(fileDescriptor: descriptor, ownsFile: true, onConnection: take)
                } ?? Listener.listen(on: .unix(path: path), backlog: 128, onConnection: take)
        } catch {
            throw Failure(.tryAgain, "cannot listen at \(path): \(error); is a daemon with this configuration running already?")
        }
    }

    /// Takes no new callers, who wait in the kernel, and lets the commands of the others be answered. Who only follows events is
    /// told their end.
    package func settle(within limit: Duration) async {
        listener?.rest()
        for session in sessions.values { session.settle() }
        await emptied(within: limit)
    }

    /// The listening socket for the next program; its callers wait in it.
    package func surrender() -> Int32? {
        defer { listener = nil }
        return listener?.surrender()
    }

    /// Stops accepting, lets commands that were answered reach their callers, and cuts off who does not listen.
    package func close() async {
        listener?.close()
        listener = nil
        for session in sessions.values { session.finish() }
        await emptied(within: Self.closingTime)
    }

    private func emptied(within limit: Duration) async {
        guard !sessions.isEmpty else { return }
        let deadline = LoopTimer { [self] in
            for session in sessions.values { session.close() }
        }
        deadline.schedule(at: Loop.time.now + limit)
        await withCheckedContinuation { continuation in
            if sessions.isEmpty { continuation.resume() } else { whenEmpty = continuation }
        }
        deadline.close()
    }

    private func accepted(_ stream: ByteStream) {
        let allowed = stream.peerCredentials.map { $0.uid == getuid() || $0.uid == 0 } ?? false
        guard allowed else { return stream.close() }
        let session = ControlSession(stream: stream, commands: commands, lineLengthMax: Self.lineLengthMax)
        let id = ObjectIdentifier(session)
        sessions[id] = session
        session.onEnd = { [weak self] in self?.ended(id) }
    }

    private func ended(_ id: ObjectIdentifier) {
        sessions[id] = nil
        guard sessions.isEmpty else { return }
        whenEmpty?.resume()
        whenEmpty = nil
    }
}

/// One connection; requests are served one after the other.
@LoopActor private final class ControlSession: ControlOutput {
    /// Events that wait for a follower who does not read, before it is cut off.
    private static let queuedBytesMax = 4 << 20

    private let stream: ByteStream
    private let commands: ControlCommands
    private let lineLengthMax: Int
    private var input: [UInt8] = []
    /// How much of `input` was searched for a line end.
    private var searched = 0
    private var isBusy = false
    private var hasSeenEnd = false
    /// A reply is being made of what a command has given.
    private var isAnswering = false
    /// No further request is taken; what was answered still goes out.
    private var isFinishing = false
    private var isFinishingSoon = false
    /// Nobody listens any more.
    private(set) var isClosed = false
    var onClose: (@LoopActor () -> Void)?
    var onEnd: (@LoopActor () -> Void)?

    init(stream: ByteStream, commands: ControlCommands, lineLengthMax: Int) {
        self.stream = stream
        self.commands = commands
        self.lineLengthMax = lineLengthMax
        stream.onRead = { [unowned self] bytes in received(bytes) }
        stream.onEnd = { [self] end in ended(end) }
        stream.startReading()
    }

    func event(_ value: JSONValue) {
        guard !isClosed, !isFinishing else { return }
        guard stream.queuedBytes < Self.queuedBytesMax else { return close() }
        stream.write(ControlReply.event(value).line)
    }

    /// Takes no more requests and ends once what was written has gone out.
    func finish() {
        guard !isFinishing, !isClosed else { return }
        // What was done is told first.
        isFinishingSoon = true
        guard !isAnswering else { return }
        isFinishing = true
        isBusy = true
        wipe(input.endIndex)
        // A command that only follows ends here.
        onClose?()
        onClose = nil
        stream.finish(within: .seconds(1))
    }

    /// As `finish`, but a command that is being carried out is still answered.
    func settle() {
        guard isBusy else { return finish() }
        isFinishingSoon = true
        onClose?()
        onClose = nil
    }

    /// Ends at once.
    func close() {
        stream.close()
    }

    private func ended(_ end: StreamEnd) {
        switch end {
        case .endOfInput:
            // The caller has closed, or only its sending side, as `socat` does: a reply that is owed is still sent.
            hasSeenEnd = true
            onClose?()
            onClose = nil
            if !isBusy { finish() }
        case .reset, .closed:
            isClosed = true
            isFinishing = true
            stream.onRead = nil
            stream.onEnd = nil
            onClose?()
            onClose = nil
            onEnd?()
            onEnd = nil
        }
    }

    private func received(_ bytes: ArraySlice<UInt8>) {
        guard !isFinishing else { return }
        input += bytes
        guard input.count <= lineLengthMax else { return close() }
        takeNext()
    }

    private func takeNext() {
        guard !isBusy, !isFinishing else { return }
        guard let end = input[searched...].firstIndex(of: 0x0a) else {
            searched = input.count
            return
        }
        searched = 0
        let request: ControlRequest
        do {
            request = try ControlRequest(line: input[..<end])
        } catch {
            // Who does not speak the protocol is told so once.
            stream.write(ControlReply.failed(error).line)
            return finish()
        }
        wipe(end + 1)
        isBusy = true
        Loop.spawn(name: "control") { [self] in await answer(request) }
    }

    private func answer(_ request: ControlRequest) async {
        let reply: ControlReply
        do throws(Failure) {
            reply = .done(try await commands.perform(request, output: self))
        } catch {
            reply = .failed(error)
        }
        isAnswering = true
        let line = await Loop.offload(when: reply.isLong) { reply.line }
        isAnswering = false
        guard !isFinishing else { return }
        stream.write(line)
        isBusy = false
        if hasSeenEnd || isFinishingSoon { finish() } else { takeNext() }
    }

    /// Overwrites and removes the first `count` bytes of the input: a line may have held a passphrase.
    private func wipe(_ count: Int) {
        for index in 0..<count { input[index] = 0 }
        input.removeSubrange(..<count)
    }
}
