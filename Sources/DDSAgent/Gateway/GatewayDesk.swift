// The gateway: where it listens on this machine, who may connect, and the sessions that run. What a session may do is decided
// by its handler; what is remembered between two starts is GatewayBook's.

import DDSBus
import DDSCore
import DDSHTTP
import DDSLoop
import DDSNode
import DDSTLS
import DDSWire
import Glibc
import Logging

/// What the gateway wants to know of a session's handler.
@LoopActor protocol GatewaySession: AnyObject {
    /// Something is on its way to the disk whose answer the mail program waits for.
    var isFinishing: Bool { get }
}

@LoopActor final class GatewayDesk {
    /// Connections at a time. A mail program has a handful.
    private static let connectionsMax = 64
    /// Ports that are tried from the standard one on.
    private static let portsTried: UInt16 = 20

    private struct Entry {
        let session: any RunningSession
        let handler: any GatewaySession
        var password: String?
    }

    let agent: Agent
    let book: GatewayBook
    /// What all IMAP sessions look at.
    let folders: FolderDesk
    private var services: Services { agent.services }
    private var listeners: [GatewayProtocol: Listener] = [:]
    /// Why something that is on is not there, in words.
    private var troubles: [GatewayProtocol: String] = [:]
    /// What mail programs are shown when TLS is on, and what is wrong with it, in words.
    var certificate: GatewayCertificate?
    var certificateTrouble: String?
    private var sessions: [String: Entry] = [:]
    private var whenEmpty: CheckedContinuation<Void, Never>?
    /// Mailboxes that a POP3 session has to itself (RFC 1939 8).
    private var leases: Set<GatewayMailbox> = []

    init(agent: Agent) throws(Failure) {
        self.agent = agent
        book = try GatewayBook(path: agent.folder.gateway, random: agent.services.random, time: agent.services.time)
        folders = FolderDesk(agent: agent)
        agent.gateway = self
    }

    // MARK: On and off

    /// The endpoint of what is on, as configured or chosen, whether it could be had or not.
    func place(of row: GatewayProtocol) -> String? {
        let configured = row.configured(in: services.config.agent.gateway)
        return configured.isEmpty ? book.places[row] : configured
    }

    /// Where it is listened at.
    func endpoint(of row: GatewayProtocol) -> Endpoint? { listeners[row]?.endpoint }

    var problems: [String] { GatewayProtocol.allCases.compactMap { troubles[$0] } + (certificateTrouble.map { [$0] } ?? []) }

    /// Listens wherever that is on. `inherited` are sockets of the program before this one.
    func start(inherited: [GatewayProtocol: [Int32]]) {
        prepareTLS()
        for row in GatewayProtocol.allCases {
            let place = place(of: row)
            for descriptor in inherited[row] ?? [] { adopt(descriptor, for: row, at: place) }
            guard let place, listeners[row] == nil else { continue }
            do throws(LoopError) {
                try listen(row, at: place)
            } catch {
                // Mail programs know this place: another would not be found, and nobody would say why.
                trouble(row, at: place, error)
            }
        }
    }

    private func adopt(_ descriptor: Int32, for row: GatewayProtocol, at place: String?) {
        guard
            let listener = try? Listener.adopt(
                fileDescriptor: descriptor, ownsFile: true, onConnection: { [weak self] in self?.connected($0, row) })
        else { return }
        guard let place, listeners[row] == nil, Endpoint(place) == listener.endpoint else { return listener.close() }
        listeners[row] = listener
    }

    private func listen(_ row: GatewayProtocol, at place: String) throws(LoopError) {
        guard let endpoint = Endpoint(place), endpoint.isLoopback else {
            throw LoopError(.invalid, operation: "listen at \(place)", detail: "no address of this machine alone")
        }
        let listener = try Listener.listen(on: endpoint) { [weak self] in self?.connected($0, row) }
        listeners[row] = listener
        troubles[row] = nil
        services.log.notice("gateway", metadata: ["protocol": "\(row.rawValue)", "address": "\(listener.endpoint)"])
    }

    private func trouble(_ row: GatewayProtocol, at place: String, _ error: LoopError) {
        troubles[row] = "gateway: no \(row.title) at \(place): \(error); \(remedy(for: row))"
        services.log.error("gateway does not listen", metadata: ["protocol": "\(row.rawValue)", "error": "\(error)"])
    }

    private func remedy(for row: GatewayProtocol) -> String {
        row.configured(in: services.config.agent.gateway).isEmpty
            ? "end what listens there and restart, or take another port: ddsnode gateway off \(row.word), then on"
            : "see \(row.configKey) in the configuration"
    }

    /// Switches on what is off. What has no place yet gets the first free port.
    func turnOn(_ rows: [GatewayProtocol]) async throws(Failure) {
        for row in rows where listeners[row] == nil {
            do throws(LoopError) {
                if let place = place(of: row) { try listen(row, at: place) } else { try listenSomewhere(row) }
            } catch {
                let remedy = place(of: row) == nil ? "" : "; \(remedy(for: row))"
                throw Failure(.unavailable, "\(row.title) cannot be switched on: \(error)\(remedy)")
            }
            guard row.configured(in: services.config.agent.gateway).isEmpty, let endpoint = endpoint(of: row) else { continue }
            do throws(Failure) {
                try await book.listen(row, at: endpoint.description)
            } catch {
                listeners.removeValue(forKey: row)?.close()
                throw error
            }
        }
    }

    private func listenSomewhere(_ row: GatewayProtocol) throws(LoopError) {
        var failure: LoopError?
        for offset in 0..<Self.portsTried {
            do throws(LoopError) {
                return try listen(row, at: "127.0.0.1:\(row.standardPort + offset)")
            } catch {
                guard error.kind == .addressInUse else { throw error }
                failure = error
            }
        }
        if let failure { throw failure }
    }

    func turnOff(_ rows: [GatewayProtocol]) async throws(Failure) {
        for row in rows {
            guard row.configured(in: services.config.agent.gateway).isEmpty else {
                throw Failure(
                    .configuration, "\(row.configKey) in the configuration has it on; empty that key and restart the agent")
            }
        }
        for row in rows {
            try await book.listen(row, at: nil)
            listeners.removeValue(forKey: row)?.close()
            troubles[row] = nil
            endSessions("switched off") { $0.hasPrefix(row.rawValue) }
        }
    }

    // MARK: The end

    /// The agent was locked: whoever is logged in has nothing to look at any more.
    func locked() {
        endSessions("the agent was locked") { _ in true }
        book.writeUses()
    }

    /// Says good-bye where a session is between two things, lets what is being made durable be answered, and ends the others in
    /// the midst of what they do.
    func endSessions(_ detail: String, where isMeant: (String) -> Bool) {
        for (id, entry) in sessions where isMeant(id) {
            entry.session.drain()
            if sessions[id] != nil, !entry.handler.isFinishing { entry.session.abort(detail) }
        }
    }

    /// Waits for the answers of what is being made durable. After a lock, when nobody begins anything.
    func finish() async {
        await book.close()
        await withCheckedContinuation { continuation in
            if sessions.isEmpty { return continuation.resume() }
            whenEmpty = continuation
        }
    }

    func revoke(_ name: String) async throws(Failure) {
        try await book.revoke(name)
        for entry in sessions.values where entry.password == name { entry.session.abort("its password was revoked") }
    }

    /// Accepts nothing more; whoever connects waits for the next program.
    func rest() { for listener in listeners.values { listener.rest() } }

    /// The listening sockets, for the next program. Followed by `stop`.
    func surrender() -> [(name: String, descriptor: Int32)] {
        defer { listeners = [:] }
        return listeners.compactMap { row, listener in listener.surrender().map { (row.handoverName, $0) } }
    }

    func stop() {
        for listener in listeners.values { listener.close() }
        listeners = [:]
        for entry in sessions.values { entry.session.abort("the agent stops") }
        folders.close()
        agent.gateway = nil
    }
}

// MARK: Sessions

extension GatewayDesk {
    private func connected(_ stream: ByteStream, _ row: GatewayProtocol) {
        let tls = isTLS ? certificate?.context : nil
        guard sessions.count < Self.connectionsMax, let endpoint = listeners[row]?.endpoint, Self.isOwn(stream, at: endpoint),
            !isTLS || tls != nil
        else {
            services.log.notice("gateway: connection refused", metadata: ["protocol": "\(row.rawValue)"])
            return stream.close()
        }
        switch row {
        case .imap:
            run(stream, tls, IMAPServerSession(configuration: imap), row) { IMAPHandler(desk: self, session: $0) }
        case .pop3:
            run(stream, tls, POP3ServerSession(configuration: pop3), row) { GatewayMaildrop(desk: self, session: $0) }
        case .smtp:
            run(stream, tls, SMTPServerSession(configuration: smtp), row) { GatewaySubmission(desk: self, session: $0) }
        }
    }

    /// True when the process at the other end is this person's own, or the superuser's, who can read everything anyway. Nobody
    /// else gets as much as a greeting.
    private static func isOwn(_ stream: ByteStream, at endpoint: Endpoint) -> Bool {
        if let credentials = stream.peerCredentials { return credentials.uid == geteuid() || credentials.uid == 0 }
        guard case .tcp(let host, let port) = endpoint, let local = HTTPEndpoint(host: host, port: port),
            let peer = HTTPEndpoint(host: stream.peerHost, port: stream.peerPort)
        else { return false }
        return PeerUID.isTrusted(peer: peer, local: local)
    }

    private var imap: IMAPServerConfiguration {
        var configuration = IMAPServerConfiguration(hostName: agent.account.address.domain, tls: isTLS ? .implicit : .none)
        configuration.messageOctetsMax = GatewaySubmission.messageBytesMax(
            nodeLimit: agent.services.config.server.limits.messageSize)
        configuration.version = ProgramVersion.number
        configuration.drainText = "The agent was locked or stops; try again later"
        return configuration
    }

    private var pop3: POP3ServerConfiguration {
        var configuration = POP3ServerConfiguration(
            hostName: agent.account.address.domain, tls: isTLS ? .implicit : .loopback)
        configuration.hasExtensions = false
        configuration.keepsMail = true
        configuration.tellsRetrievals = true
        return configuration
    }

    private var smtp: SMTPServerConfiguration {
        var configuration = SMTPServerConfiguration(
            hostName: agent.account.address.domain, flavour: .submission, tls: isTLS ? .implicit : .loopback)
        configuration.offersLogin = true
        configuration.limits.messageBytesMax = GatewaySubmission.messageBytesMax(
            nodeLimit: agent.services.config.server.limits.messageSize)
        configuration.limits.recipientsMax = GatewaySubmission.recipientsMax
        return configuration
    }

    private func run<Machine: WireSession>(
        _ stream: ByteStream, _ tls: TLSContext?, _ machine: Machine, _ row: GatewayProtocol,
        _ makeHandler: (String) -> any SessionHandler<Machine> & GatewaySession
    ) {
        let id = "\(row.rawValue)-\(Hex.encode(services.random.bytes(8)))"
        services.bus.publish(.sessionOpened(sid: id, protocol: "gateway-\(row.rawValue)"))
        let handler = makeHandler(id)
        let session = SessionDriver(
            id: id, stream: stream, machine: machine, handler: handler, tls: tls, tlsFirst: tls != nil,
            onEnd: { [weak self] in self?.ended(id) })
        // A session may end while it begins; then there is nothing to keep.
        if !session.isOver { sessions[id] = Entry(session: session, handler: handler) }
    }

    private func ended(_ id: String) {
        sessions[id] = nil
        guard sessions.isEmpty else { return }
        whenEmpty?.resume()
        whenEmpty = nil
    }

    /// A session has logged in with this password, and ends with it.
    func loggedIn(_ id: String, with password: String) { sessions[id]?.password = password }

    func sessionEnded(_ row: GatewayProtocol, _ summary: SessionSummary) {
        services.bus.publish(
            .sessionClosed(
                sid: summary.id, protocol: "gateway-\(row.rawValue)", reason: summary.reason.rawValue, bytesIn: summary.bytesIn,
                bytesOut: summary.bytesOut))
    }

    /// False when another session has the mailbox.
    func lease(_ mailbox: GatewayMailbox) -> Bool { leases.insert(mailbox).inserted }

    func release(_ mailbox: GatewayMailbox) { leases.remove(mailbox) }
}
