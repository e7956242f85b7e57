// The command line's side of the control socket.

package import DDSCore
package import DDSLoop

@LoopActor package enum ControlClient {
    /// Sends one request to the daemon at `path`. Returns nil when no daemon answers there; throws what the daemon refuses.
    package static func call(
        path: String, _ request: ControlRequest, onEvent: @escaping @LoopActor (JSONValue) -> Void = { _ in }
    ) async throws(Failure) -> JSONValue? {
        let stream: ByteStream
        do {
            stream = try await ByteStream.connect(to: .unix(path: path), timeout: .seconds(5))
        } catch {
            return nil
        }
        let reply = await withCheckedContinuation { (continuation: CheckedContinuation<ControlReply?, Never>) in
            let reader = ReplyReader(continuation: continuation, onEvent: onEvent)
            stream.onRead = { bytes in reader.received(bytes) }
            stream.onEnd = { _ in reader.ended() }
            stream.startReading()
            stream.write(request.line)
        }
        stream.onRead = nil
        stream.onEnd = nil
        stream.close()
        switch reply {
        case .done(let result): return result
        case .failed(let failure): throw failure
        case .event, nil: throw Failure(.unavailable, "the daemon closed the control connection; see its log")
        }
    }
}

@LoopActor private final class ReplyReader {
    private var continuation: CheckedContinuation<ControlReply?, Never>?
    private let onEvent: @LoopActor (JSONValue) -> Void
    private var input: [UInt8] = []

    init(continuation: CheckedContinuation<ControlReply?, Never>, onEvent: @escaping @LoopActor (JSONValue) -> Void) {
        self.continuation = continuation
        self.onEvent = onEvent
    }

    func received(_ bytes: ArraySlice<UInt8>) {
        // Only the new bytes can hold a line end: large answers come in many reads.
        var searchStart = input.count
        input += bytes
        while let end = input[searchStart...].firstIndex(of: 0x0a) {
            let reply = ControlReply(line: input[..<end])
            input.removeSubrange(...end)
            searchStart = 0
            if case .event(let value) = reply { onEvent(value) } else { finish(reply) }
        }
    }

    func ended() { finish(nil) }

    private func finish(_ reply: ControlReply?) {
        continuation?.resume(returning: reply)
        continuation = nil
    }
}
