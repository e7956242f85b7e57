// One request and its answer on a connection: collects, suspends while the page thinks, answers, streams. The limits that
// need the request's size are applied here; everything else is decided by the page.

import CMicroHTTPD
import DDSCore
import DDSLoop

/// Lives from the request line until libmicrohttpd reports the request as completed.
@LoopActor @safe
final class HTTPExchange {
    private enum State {
        /// The request line is there, header fields may be missing.
        case begun
        /// Reading the body; it is thrown away when the answer is known already.
        case receiving(FormReader?, answer: HTTPResponse?)
        /// The connection is suspended while the page works.
        case handling
        case ready(HTTPResponse)
        /// Bytes of a stream may be waiting; `isSuspended` while none are.
        case streaming(EventChannel, isSuspended: Bool)
        case answered
        case over
    }

    private unowned let listener: HTTPListener
    private let connection: OpaquePointer
    private var request: HTTPRequest
    private var state = State.begun
    private var received = 0

    init(listener: HTTPListener, connection: OpaquePointer, target: String) {
        self.listener = listener
        unsafe self.connection = connection
        request = HTTPRequest(method: "", target: target, headers: HTTPHeaders())
    }

    /// libmicrohttpd's call: once with the header, then for each piece of the body, once at its end, and again after every
    /// resumption.
    func proceed(method: String, piece: UnsafeRawBufferPointer) -> MHD_Result {
        switch state {
        case .begun:
            request.method = method
            return begin()
        case .receiving(let reader, let answer):
            return unsafe piece.isEmpty ? finishBody(reader, answer) : receive(piece, reader, answer)
        case .ready(let response):
            return queue(response)
        case .handling, .streaming, .answered, .over:
            return .YES
        }
    }

    /// The request is over: answered, given up by the peer, or cut off.
    func end() {
        let last = state
        state = .over
        switch last {
        case .receiving(let reader, _): _ = reader?.finish()
        case .streaming(let channel, _):
            channel.onChange = nil
            channel.end()
        case .begun, .handling, .ready, .answered, .over: break
        }
        listener.forget(self)
    }

    /// Before the daemon stops, no connection may be suspended.
    func resumeForStop() {
        switch state {
        case .handling: resume()
        case .streaming(let channel, true):
            state = .streaming(channel, isSuspended: false)
            resume()
        case .begun, .receiving, .ready, .streaming, .answered, .over: break
        }
    }

    func heartbeat() {
        if case .streaming(let channel, _) = state { channel.sendHeartbeat() }
    }

    private func resume() {
        unsafe MHD_resume_connection(connection)
    }
}

// The way of a request.
extension HTTPExchange {
    private func begin() -> MHD_Result {
        unsafe listener.headerArrived(connection: connection)
        let limits = listener.configuration.limits
        unsafe request.headers = Self.headers(of: connection)
        request.local = listener.endpoint
        if let peer = unsafe dds_mhd_peer(connection), let endpoint = unsafe HTTPEndpoint(peer: peer) {
            request.peer = endpoint
        }
        let declared = request.headers.values("Content-Length").compactMap { Int($0) }.max() ?? 0
        let answer: HTTPResponse?
        if unsafe dds_mhd_header_size(connection) > limits.headerBytesMax {
            answer = listener.configuration.overLimit(.headersTooLarge)
        } else if request.headers.fields.count > limits.headerFieldsMax {
            answer = listener.configuration.overLimit(.fieldsTooMany)
        } else if declared > limits.bodyBytesMax {
            answer = listener.configuration.overLimit(.bodyTooLarge)
        } else {
            answer = listener.configuration.screen(request)
        }
        // A short body is read and dropped, so that the peer sees the answer and not a reset connection.
        if let answer, declared > limits.refusedBodyBytesMax { return queue(answer) }
        let reader = unsafe answer == nil && request.method == "POST" ? FormReader(connection: connection) : nil
        state = .receiving(reader, answer: answer)
        return .YES
    }

    private func receive(_ piece: UnsafeRawBufferPointer, _ reader: FormReader?, _ answer: HTTPResponse?) -> MHD_Result {
        received += piece.count
        let limits = listener.configuration.limits
        if answer != nil || reader == nil { return received <= limits.refusedBodyBytesMax ? .YES : .NO }
        guard received <= limits.bodyBytesMax else {
            // Only a body of undeclared length comes here; the peer is still writing and would not read an answer.
            _ = listener.configuration.overLimit(.bodyTooLarge)
            return .NO
        }
        return unsafe reader?.feed(piece) == true ? .YES : .NO
    }

    private func finishBody(_ reader: FormReader?, _ answer: HTTPResponse?) -> MHD_Result {
        if let reader { request.body = reader.finish() }
        if let answer { return queue(answer) }
        state = .handling
        unsafe MHD_suspend_connection(connection)
        let request = request
        let handler = listener.configuration.handler
        Loop.spawn(name: "http") { [self] in
            let response = await handler(request)
            self.finish(with: response)
        }
        return .YES
    }

    private func finish(with response: HTTPResponse) {
        switch state {
        case .handling:
            state = .ready(response)
            resume()
            listener.runSoon()
        case .begun, .receiving, .ready, .streaming, .answered, .over:
            // The peer or the server is gone; a stream that nobody will read must still tell its owner.
            if case .events(let channel) = response.body { channel.end() }
        }
    }

    private static func headers(of connection: OpaquePointer) -> HTTPHeaders {
        final class Collector { var headers = HTTPHeaders() }
        let collector = Collector()
        unsafe MHD_get_connection_values_n(
            connection, .HEADER_KIND,
            { context, _, key, keySize, value, valueSize in
                guard let context = unsafe context, let key = unsafe key else { return .YES }
                let name = unsafe String(decoding: UnsafeRawBufferPointer(start: key, count: keySize), as: UTF8.self)
                var text = ""
                if let value = unsafe value {
                    text = unsafe String(decoding: UnsafeRawBufferPointer(start: value, count: valueSize), as: UTF8.self)
                }
                unsafe Unmanaged<Collector>.fromOpaque(context).takeUnretainedValue().headers.add(name, text)
                return .YES
            }, Unmanaged.passUnretained(collector).toOpaque())
        return collector.headers
    }
}

// The way of a response.
extension HTTPExchange {
    private func queue(_ response: HTTPResponse) -> MHD_Result {
        let message: OpaquePointer?
        switch response.body {
        case .bytes(var bytes):
            state = .answered
            unsafe message = bytes.withUnsafeMutableBytes {
                unsafe MHD_create_response_from_buffer($0.count, $0.baseAddress, .RESPMEM_MUST_COPY)
            }
        case .events(let channel):
            unsafe message = stream(channel)
        }
        guard let message = unsafe message else { return .NO }
        defer { unsafe MHD_destroy_response(message) }
        for field in response.headers.fields {
            // Refused only for line ends and the like: then rather no answer than one without a security field.
            guard unsafe MHD_add_response_header(message, field.name, field.value) == .YES else { return .NO }
        }
        return unsafe MHD_queue_response(connection, UInt32(response.status), message)
    }

    private func stream(_ channel: EventChannel) -> OpaquePointer? {
        state = .streaming(channel, isSuspended: false)
        channel.onChange = { [weak self] in self?.streamChanged() }
        unsafe dds_mhd_set_idle_seconds(connection, 0)
        // Retained until libmicrohttpd frees the response, which may be after `end`.
        return unsafe MHD_create_response_from_callback(
            UInt64.max, 4096,
            { context, _, buffer, size in
                guard let context = unsafe context, let buffer = unsafe buffer else { return -1 }
                let exchange = unsafe Unmanaged<HTTPExchange>.fromOpaque(context).takeUnretainedValue()
                return unsafe exchange.read(into: UnsafeMutableRawBufferPointer(start: buffer, count: size))
            }, Unmanaged.passRetained(self).toOpaque(),
            { context in
                guard let context = unsafe context else { return }
                unsafe Unmanaged<HTTPExchange>.fromOpaque(context).release()
            })
    }

    private func read(into buffer: UnsafeMutableRawBufferPointer) -> Int {
        guard case .streaming(let channel, _) = state else { return -1 }
        if channel.waiting.isEmpty {
            guard channel.isOpen else { return -1 }
            state = .streaming(channel, isSuspended: true)
            unsafe MHD_suspend_connection(connection)
            return 0
        }
        let count = min(buffer.count, channel.waiting.count)
        unsafe buffer.copyBytes(from: channel.waiting[..<count])
        channel.waiting.removeFirst(count)
        return count
    }

    private func streamChanged() {
        guard case .streaming(let channel, true) = state else { return }
        state = .streaming(channel, isSuspended: false)
        resume()
        listener.runSoon()
    }
}
