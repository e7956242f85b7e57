// One listening socket and its libmicrohttpd daemon, driven by the loop: runs it when its epoll descriptor is readable,
// when its timeout has passed, and when something was resumed.

import CMicroHTTPD
import DDSCore
import DDSLoop
import Glibc

@LoopActor @safe
final class HTTPListener {
    let configuration: HTTPServer.Configuration
    let endpoint: HTTPEndpoint
    private var daemon: OpaquePointer?
    /// The socket of a daemon that was told to accept nothing more: libmicrohttpd closes it no longer.
    private var resting: Int32?
    private var poll: PollHandle?
    private var runTimer: LoopTimer?
    private var sweepTimer: LoopTimer?
    private var exchanges: [ObjectIdentifier: HTTPExchange] = [:]
    /// Connections whose header is not complete, and until when it must be.
    private var headerDeadlines: [OpaquePointer: Instant] = unsafe [:]
    private var nextHeartbeat = Instant(nanoseconds: 0)
    /// A connection has ended in this run.
    private var hasRoom = false

    init(configuration: HTTPServer.Configuration, endpoint: HTTPEndpoint) {
        self.configuration = configuration
        self.endpoint = endpoint
    }

    /// Takes over the listening socket. Must be followed by `stop`.
    func start(descriptor: Int32, connectionsMax: Int) throws(Failure) {
        let limits = configuration.limits
        // Room for a header above our own limit, so that its sender gets our page and not libmicrohttpd's.
        let memory = limits.headerBytesMax * 4
        let started = unsafe dds_mhd_start(
            descriptor, UInt32(connectionsMax), memory, UInt32(limits.idleSeconds), callbacks())
        guard let started = unsafe started else {
            Glibc.close(descriptor)
            throw Failure(.system, "The page cannot be served.", reason: "MHD_start_daemon failed")
        }
        unsafe daemon = started
        do {
            poll = try PollHandle(fileDescriptor: unsafe dds_mhd_epoll_descriptor(started), readable: true, writable: false) {
                [unowned self] _ in run()
            }
        } catch {
            stop()
            throw Failure(.system, "The page cannot be served.", reason: "\(error)")
        }
        runTimer = LoopTimer { [unowned self] in run() }
        sweepTimer = LoopTimer { [unowned self] in sweep() }
        nextHeartbeat = Loop.time.now + .seconds(limits.heartbeatSeconds)
        scheduleSweep()
        run()
    }

    /// Ends every connection. Handlers that still run finish into nothing.
    func stop() {
        for exchange in exchanges.values { exchange.resumeForStop() }
        poll?.close()
        runTimer?.close()
        sweepTimer?.close()
        poll = nil
        runTimer = nil
        sweepTimer = nil
        if let stopping = unsafe daemon {
            unsafe MHD_stop_daemon(stopping)
            unsafe daemon = nil
        }
        if let resting { ListeningSocket.close(resting) }
        resting = nil
    }

    /// True while a request waits for its answer.
    var isBusy: Bool { !exchanges.isEmpty }

    /// Accepts nothing more. The socket is ours from here on, and stays open.
    func rest() {
        guard resting == nil, let daemon = unsafe daemon else { return }
        let descriptor = unsafe MHD_quiesce_daemon(daemon)
        if descriptor >= 0 { resting = descriptor }
    }

    /// As `stop`, but the socket goes on listening and is the caller's.
    func surrender() -> Int32? {
        rest()
        let descriptor = resting
        resting = nil
        stop()
        return descriptor
    }

    /// Something was resumed: run on the next turn, never from inside a callback.
    func runSoon() {
        runTimer?.schedule(at: Loop.time.now)
    }

    func headerArrived(connection: OpaquePointer) {
        unsafe headerDeadlines[connection] = nil
    }

    func forget(_ exchange: HTTPExchange) {
        exchanges[ObjectIdentifier(exchange)] = nil
    }

    private func run() {
        guard let daemon = unsafe daemon else { return }
        hasRoom = false
        unsafe MHD_run(daemon)
        // Some may have waited while there were too many: libmicrohttpd looks at its listening socket again only when it is
        // run, and where no connection is left it names no time for that.
        if hasRoom { return runSoon() }
        var milliseconds: UInt64 = 0
        if unsafe MHD_get_timeout(daemon, &milliseconds) == .YES {
            runTimer?.schedule(at: Loop.time.now + .milliseconds(Int64(clamping: milliseconds)))
        } else {
            runTimer?.cancel()
        }
    }
}

// Deadlines of our own: headers that drip in, and peers that went away while nothing was written to them.
extension HTTPListener {
    private func scheduleSweep() {
        let next = unsafe headerDeadlines.values.min().map { min($0, nextHeartbeat) } ?? nextHeartbeat
        sweepTimer?.schedule(at: next)
    }

    private func sweep() {
        let now = Loop.time.now
        for unsafe(connection, deadline) in unsafe headerDeadlines where deadline <= now {
            unsafe headerDeadlines[connection] = nil
            // libmicrohttpd has no call to close a connection; it sees the end of the stream and does.
            let descriptor = unsafe dds_mhd_descriptor(connection)
            if descriptor >= 0 { shutdown(descriptor, Int32(SHUT_RDWR)) }
        }
        if nextHeartbeat <= now {
            nextHeartbeat = now + .seconds(configuration.limits.heartbeatSeconds)
            for exchange in exchanges.values { exchange.heartbeat() }
        }
        scheduleSweep()
    }
}

// What libmicrohttpd calls. All of it happens inside MHD_run or MHD_stop_daemon, thus on the loop; Swift checks that.
extension HTTPListener {
    private func callbacks() -> dds_mhd_callbacks {
        // Unretained: `stop` ends the daemon, and every call with it, before the server lets go of the listener.
        let context = unsafe Unmanaged.passUnretained(self).toOpaque()
        return unsafe dds_mhd_callbacks(
            context: context,
            accept: { context, address, length in
                guard let context = unsafe context, let address = unsafe address else { return .NO }
                let listener = unsafe Unmanaged<HTTPListener>.fromOpaque(context).takeUnretainedValue()
                let bytes = unsafe UnsafeRawBufferPointer(start: address, count: Int(length))
                guard let peer = unsafe HTTPEndpoint(sockaddr: bytes) else { return .NO }
                return listener.configuration.allowsPeer(peer, listener.endpoint) ? .YES : .NO
            },
            handle: { _, connection, _, method, _, data, size, request in
                guard let method = unsafe method, let size = unsafe size, let opaque = unsafe request?.pointee else {
                    return .NO
                }
                let exchange = unsafe Unmanaged<HTTPExchange>.fromOpaque(opaque).takeUnretainedValue()
                let piece = unsafe UnsafeRawBufferPointer(start: data, count: size.pointee)
                let result = unsafe exchange.proceed(method: String(cString: method), piece: piece)
                if result == .YES { unsafe size.pointee = 0 }
                return result
            },
            begin: { context, target, connection in
                guard let context = unsafe context, let target = unsafe target, let connection = unsafe connection else {
                    return nil
                }
                let listener = unsafe Unmanaged<HTTPListener>.fromOpaque(context).takeUnretainedValue()
                return unsafe listener.begin(connection, target: String(cString: target))
            },
            completed: { _, _, request, _ in
                guard let opaque = unsafe request?.pointee else { return }
                unsafe request?.pointee = nil
                unsafe Unmanaged<HTTPExchange>.fromOpaque(opaque).takeRetainedValue().end()
            },
            connection: { context, connection, _, what in
                guard let context = unsafe context, let connection = unsafe connection else { return }
                let listener = unsafe Unmanaged<HTTPListener>.fromOpaque(context).takeUnretainedValue()
                unsafe listener.connectionChanged(connection, hasStarted: what == .CONNECTION_NOTIFY_STARTED)
            })
    }

    /// A request line came. The exchange is retained for libmicrohttpd until `completed`.
    private func begin(_ connection: OpaquePointer, target: String) -> UnsafeMutableRawPointer {
        let exchange = unsafe HTTPExchange(listener: self, connection: connection, target: target)
        exchanges[ObjectIdentifier(exchange)] = exchange
        unsafe expectHeader(connection)
        return unsafe Unmanaged.passRetained(exchange).toOpaque()
    }

    private func connectionChanged(_ connection: OpaquePointer, hasStarted: Bool) {
        if hasStarted {
            unsafe expectHeader(connection)
        } else {
            unsafe headerDeadlines[connection] = nil
            hasRoom = true
        }
    }

    private func expectHeader(_ connection: OpaquePointer) {
        guard unsafe headerDeadlines[connection] == nil else { return }
        unsafe headerDeadlines[connection] = Loop.time.now + .seconds(configuration.limits.headerSeconds)
        scheduleSweep()
    }
}

extension HTTPEndpoint {
    /// From an address whose family tells its length.
    init?(peer: UnsafePointer<sockaddr>) {
        let length =
            unsafe Int32(peer.pointee.sa_family) == AF_INET6 ? MemoryLayout<sockaddr_in6>.size : MemoryLayout<sockaddr_in>.size
        unsafe self.init(sockaddr: UnsafeRawBufferPointer(start: peer, count: length))
    }
}
