// The HTTP server of the local page. It knows limits and connections; what a request means is the handler's business.

package import DDSCore
package import DDSLoop

/// What was too much for the server; each has a refusal in the gate.
package enum HTTPLimit: Hashable, Sendable {
    case headersTooLarge
    case fieldsTooMany
    case bodyTooLarge
}

/// Serves HTTP/1.1 on loopback addresses with libmicrohttpd on the loop. Must be stopped.
@LoopActor
package final class HTTPServer {
    package struct Limits: Sendable {
        package var headerBytesMax = 16384
        package var headerFieldsMax = 100
        package var bodyBytesMax = 32 << 20
        /// A refused request's body is read up to here, so that its sender sees the answer.
        package var refusedBodyBytesMax = 65536
        package var headerSeconds = 10
        /// Without a byte in either direction.
        package var idleSeconds = 30
        package var heartbeatSeconds = 20
        package var connectionsMax = 64
        /// How many ports are tried beyond the one asked for.
        package var portsTriedMax = 20

        package init() {}
    }

    package struct Configuration: Sendable {
        package var limits = Limits()
        /// Asked at accept with the peer and our end; false closes the connection before anything is read.
        package var allowsPeer: @LoopActor @Sendable (HTTPEndpoint, HTTPEndpoint) -> Bool
        /// Asked when the header is there; an answer is sent in place of reading the body.
        package var screen: @LoopActor @Sendable (HTTPRequest) -> HTTPResponse?
        /// The answer to a request beyond a limit.
        package var overLimit: @LoopActor @Sendable (HTTPLimit) -> HTTPResponse
        /// Answers a request that passed `screen`.
        package var handler: @LoopActor @Sendable (HTTPRequest) async -> HTTPResponse

        package init(
            allowsPeer: @escaping @LoopActor @Sendable (HTTPEndpoint, HTTPEndpoint) -> Bool,
            screen: @escaping @LoopActor @Sendable (HTTPRequest) -> HTTPResponse?,
            overLimit: @escaping @LoopActor @Sendable (HTTPLimit) -> HTTPResponse,
            handler: @escaping @LoopActor @Sendable (HTTPRequest) async -> HTTPResponse
        ) {
            self.allowsPeer = allowsPeer
            self.screen = screen
            self.overLimit = overLimit
            self.handler = handler
        }
    }

    private let configuration: Configuration
    private var listeners: [HTTPListener] = []
    /// The port in use; nil while not started.
    package private(set) var port: UInt16?

    package init(_ configuration: Configuration) {
        self.configuration = configuration
    }

    /// Listens on all of `hosts` (IP addresses) at `port`, or at the next port that is free on all of them. A host this
    /// machine does not have is left out as long as one remains. Port 0 takes any. Throws when none can be had.
    package func start(hosts: [String] = ["127.0.0.1", "::1"], port wanted: UInt16) throws(Failure) {
        precondition(listeners.isEmpty, "a server is started once")
        let last = wanted == 0 ? 0 : min(Int(UInt16.max), Int(wanted) + configuration.limits.portsTriedMax)
        var candidate = Int(wanted)
        while candidate <= last {
            if let sockets = try bind(hosts, port: UInt16(candidate)) { return try serve(sockets) }
            candidate += 1
        }
        throw Failure(
            .unavailable, "Ports \(wanted) to \(last) are taken. Set another in [web] port.", fields: ["port": "\(wanted)"])
    }

    /// Serves on sockets that listen already, all of them at one port. Those that do not are closed.
    package func start(adopting descriptors: [Int32]) throws(Failure) {
        precondition(listeners.isEmpty, "a server is started once")
        var bound: [Bound] = []
        for descriptor in descriptors {
            if let endpoint = ListeningSocket.endpoint(of: descriptor) {
                bound.append((endpoint, descriptor))
            } else {
                ListeningSocket.close(descriptor)
            }
        }
        guard !bound.isEmpty else { throw Failure(.system, "The page cannot be served.", reason: "no socket was handed over") }
        try serve(bound)
    }

    /// Takes no new connections: they wait in the kernel. Those that are there are served on.
    package func rest() {
        for listener in listeners { listener.rest() }
    }

    /// Takes no new connections, and waits for the answers that are owed, for at most `limit`.
    package func finish(within limit: Duration) async {
        rest()
        let end = Loop.time.now + limit
        while Loop.time.now < end, listeners.contains(where: \.isBusy) { try? await Loop.sleep(for: .milliseconds(2)) }
    }

    /// Closes every connection and gives the listening sockets away as they are.
    package func surrender() -> [Int32] {
        let descriptors = listeners.compactMap { $0.surrender() }
        listeners = []
        port = nil
        return descriptors
    }

    /// Closes every connection and stops listening.
    package func stop() {
        for listener in listeners { listener.stop() }
        listeners = []
        port = nil
    }

    private typealias Bound = (endpoint: HTTPEndpoint, descriptor: Int32)

    /// The sockets of all hosts, or nil when the port is taken on one of them.
    private func bind(_ hosts: [String], port: UInt16) throws(Failure) -> [Bound]? {
        var bound: [Bound] = []
        var port = port
        for host in hosts {
            guard let address = ListeningSocket.address(host) else {
                bound.forEach { ListeningSocket.close($0.descriptor) }
                throw Failure(.configuration, "\(host) is not an IP address. Change [web] listen.")
            }
            do throws(ListeningSocket.Problem) {
                let socket = try ListeningSocket.open(HTTPEndpoint(address: address, port: port))
                port = socket.port
                bound.append((HTTPEndpoint(address: address, port: port), socket.descriptor))
            } catch {
                if case .addressUnavailable = error { continue }
                bound.forEach { ListeningSocket.close($0.descriptor) }
                if case .other(let code) = error {
                    throw Failure(.system, "The page cannot listen on \(host).", reason: "errno \(code)")
                }
                return nil
            }
        }
        guard !bound.isEmpty else {
            throw Failure(.configuration, "This machine has none of the addresses in [web] listen.", reason: "\(hosts)")
        }
        return bound
    }

    private func serve(_ bound: [Bound]) throws(Failure) {
        var rest = bound[...]
        while let socket = rest.popFirst() {
            let listener = HTTPListener(configuration: configuration, endpoint: socket.endpoint)
            do {
                try listener.start(
                    descriptor: socket.descriptor, connectionsMax: max(1, configuration.limits.connectionsMax / bound.count))
            } catch {
                rest.forEach { ListeningSocket.close($0.descriptor) }
                stop()
                throw error
            }
            listeners.append(listener)
        }
        port = bound[0].endpoint.port
    }
}
