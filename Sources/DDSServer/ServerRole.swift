// The server role: opens the node's state, listens, serves, drains. What it does with mail is in Delivery and Sessions.

import DDSBus
package import DDSCore
package import DDSLoop
package import DDSNode
import DDSSeal
import DDSSpool
import DDSTLS
import DDSWire
import Logging

@LoopActor package final class ServerRole: Role {
    package static let name = "server"

    let services: Services
    private(set) var state: ServerState?
    private(set) var context: ServerContext?
    private(set) var housekeeping: Housekeeping?
    private(set) var rootKeeper: RootKeeper?
    private(set) var sealKeeper: SealKeeper?
    private var tls: TLSContext?
    private(set) var listeners: [String: [Listener]] = [:]
    private(set) var sessions: [String: any RunningSession] = [:]
    private var limits: ConnectionLimits
    private var whenEmpty: CheckedContinuation<Void, Never>?
    /// The node waits for its passphrase and serves nobody.
    private(set) var isSealed = false
    private var isUnsealing = false

    package init(services: Services) throws(Failure) {
        self.services = services
        let configured = services.config.server.limits
        limits = ConnectionLimits(total: configured.connections, perHost: configured.connectionsPerIP)
    }

    package func start() async throws(Failure) {
        guard services.config.server.keys.master == .passphrase else { return try await open(passphrase: nil) }
        // What a sealed start would only find out after the passphrase is said now.
        _ = try MasterKey.keyring(in: ServerFolder(stateDir: services.config.node.stateDirectory))
        isSealed = true
        services.control.explainMissing = { _ in
            Failure(.permission, "the node is sealed and serves nobody yet; open it with: ddsnode unlock")
        }
        services.control.register("server.unlock") { [unowned self] request, _ throws(Failure) in try await unseal(request) }
        services.log.notice("sealed, waiting for the passphrase")
    }

    private func unseal(_ request: ControlRequest) async throws(Failure) -> JSONValue {
        guard isSealed else { return ["sealed": false] }
        guard !isUnsealing else { throw Failure(.tryAgain, "the node is being opened already") }
        isUnsealing = true
        defer { isUnsealing = false }
        var bytes = Array(try request.text("passphrase").utf8)
        do throws(Failure) {
            try await open(passphrase: SecretBytes(consuming: &bytes))
        } catch {
            // As sealed as before; a wrong passphrase is no reason to stop.
            await release()
            throw error
        }
        isSealed = false
        services.control.explainMissing = nil
        return ["sealed": false]
    }

    /// Opens state and listeners and begins to serve.
    private func open(passphrase: SecretBytes?) async throws(Failure) {
        let state = try await ServerState.open(
            config: services.config, passphrase: passphrase, random: services.random, time: services.time,
            onSpoolStopped: { [services] reason in
                services.log.critical("the spool stopped", metadata: ["error": "\(reason)"])
                services.bus.publish(
                    .spoolProblem(text: "a write failed; nothing more is accepted until the node has read its disk again"))
                services.requestStop(Failure.Code.bug.rawValue)
            })
        self.state = state
        report(state.spool)
        let context = try await makeContext(state)
        self.context = context
        context.delivery.tlsKeyHash = state.identity.keyHash
        tls = try Self.tlsContext(state.identity)
        let sealKeeper = SealKeeper(
            keys: state.keys, folder: ServerFolder(stateDir: services.config.node.stateDirectory), delivery: context.delivery,
            fence: state.store.fence, services: services)
        self.sealKeeper = sealKeeper
        // Before anybody is told which key to seal to.
        await sealKeeper.look()
        try listen(context)
        registerAdmin(state, context, sealKeeper)
        let housekeeping = Housekeeping(
            store: state.store, spool: state.spool, book: context.book, delivery: context.delivery, services: services,
            keepUndelivered: services.config.server.spool.keepUndelivered)
        self.housekeeping = housekeeping
        housekeeping.start()
        let rootKeeper = RootKeeper(spool: state.spool, services: services, every: services.config.server.spool.rotateRoot)
        self.rootKeeper = rootKeeper
        rootKeeper.start()
        sealKeeper.start()
        context.delivery.reports.start()
        context.delivery.rosters.start()
    }

    /// What opening the spool has found, for whoever reads the log.
    private func report(_ spool: EmbeddedSpool) {
        services.log.info("\(spool.recovery.words)")
        for lost in spool.recovery.lost { services.log.error("lost", metadata: ["what": "\(lost)"]) }
        if spool.ground.verdict != .overwritesInPlace { services.log.warning("\(spool.ground.words)") }
    }

    private func makeContext(_ state: ServerState) async throws(Failure) -> ServerContext {
        do throws(SpoolError) {
            let book = MaildropBook(try await state.spool.mailboxes())
            let delivery = try await DeliveryService.open(
                store: state.store, spool: state.spool, book: book, services: services, keys: state.keys)
            let login = LoginService(
                store: state.store, services: services, failuresPerMinute: services.config.server.limits.loginsPerMinute)
            return ServerContext(
                services: services, keys: state.keys, store: state.store, spool: state.spool, book: book, delivery: delivery,
                login: login)
        } catch {
            throw Failure(.inputOutput, "the spool cannot be read: \(error)")
        }
    }

    private func registerAdmin(_ state: ServerState, _ context: ServerContext, _ sealKeeper: SealKeeper) {
        let facts = state.facts(
            config: services.config, pop3sPort: boundPort("pop3s"), submissionsPort: boundPort("submissions"))
        let admin = ServerAdmin(
            store: state.store, facts: facts, time: services.time, random: services.random,
            delivery: context.delivery,
            queue: QueueDesk(delivery: context.delivery, store: state.store, spool: state.spool, book: context.book),
            publish: { [services] in services.bus.publish($0) },
            onRemoved: { context.ended($0, "the account or the device was removed") })
        admin.register(in: services.control)
        KeyAdmin(
            state: state, config: services.config, sealKeeper: sealKeeper, time: services.time, random: services.random
        ).register(in: services.control)
        SpoolAdmin(spool: state.spool).register(in: services.control)
    }

    private func boundPort(_ name: String) -> UInt16? {
        if case .tcp(_, let port) = listeners[name]?.first?.endpoint { port } else { nil }
    }

    package func reload(_ config: Config) async {
        limits.total = config.server.limits.connections
        limits.perHost = config.server.limits.connectionsPerIP
        context?.maildropQuota = config.server.spool.mailboxQuota
        context?.messageBytesMax = config.server.limits.messageSize
        context?.quota.messagesPerHour = config.server.limits.messagesPerHour
        context?.quota.bytesPerDay = config.server.limits.bytesPerDay
        context?.delivery.reports.pace.every = config.server.spool.statesEvery
        context?.login.adopt(config)
        housekeeping?.keepUndelivered = config.server.spool.keepUndelivered
        rootKeeper?.every = config.server.spool.rotateRoot
        reloadCertificate(config)
    }

    /// New connections get the certificate of the new configuration; one that cannot be read leaves the old one in use.
    private func reloadCertificate(_ config: Config) {
        guard let state else { return }
        do throws(Failure) {
            try state.reloadIdentity(config: config, time: services.time)
            tls = try Self.tlsContext(state.identity)
            context?.delivery.tlsKeyHash = state.identity.keyHash
        } catch {
            services.log.error("certificate not loaded, the old one stays in use", metadata: ["error": "\(error)"])
        }
    }

    package func drain() async {
        closeListeners()
        await Loop.inTurns(sessions.values) { $0.drain() }
        await withCheckedContinuation { continuation in
            if sessions.isEmpty { return continuation.resume() }
            whenEmpty = continuation
        }
    }

    package func stop() async { await release() }

    private func release() async {
        closeListeners()
        housekeeping?.stop()
        housekeeping = nil
        rootKeeper?.stop()
        rootKeeper = nil
        context?.delivery.reports.stop()
        context?.delivery.rosters.stop()
        await Loop.inTurns(sessions.values) { $0.abort("the node stops") }
        // While the spool is open no other process writes the file of the keys.
        await sealKeeper?.stop()
        sealKeeper = nil
        await state?.close()
        state = nil
        context = nil
    }

    private func closeListeners() {
        for listener in listeners.values.joined() { listener.close() }
        listeners = [:]
    }
}

// MARK: Listening

extension ServerRole {
    private func listen(_ context: ServerContext) throws(Failure) {
        let listen = services.config.server.listen
        try open("pop3s", listen.pop3s) { [self] in pop3($0, context, isImplicit: true) }
        try open("pop3", listen.pop3) { [self] in pop3($0, context, isImplicit: false) }
        try open("submissions", listen.submissions) { [self] in submission($0, context, isImplicit: true) }
        try open("submission", listen.submission) { [self] in submission($0, context, isImplicit: false) }
        // An MTA runs as a user of its own, whom its administrator puts into the node's group.
        try open("lmtp", listen.lmtp, socketMode: 0o660) { [self] in lmtp($0, context) }
    }

    private static func tlsContext(_ identity: TLSIdentity) throws(Failure) -> TLSContext {
        do {
            return try TLSContext.server(identity: identity, minimum: .tls12, requestClientCertificate: true)
        } catch {
            throw Failure(.configuration, "TLS cannot be set up: \(error)")
        }
    }

    private func open(
        _ name: String, _ addresses: [String], socketMode: UInt32 = 0o600, _ accept: @escaping @LoopActor (ByteStream) -> Void
    ) throws(Failure) {
        for address in addresses {
            guard let endpoint = Endpoint(address) else {
                throw Failure(
                    .configuration, "server.listen.\(name): \"\(address)\" is no address; write host:port or unix:/path")
            }
            do {
                let listener = try Listener.listen(on: endpoint, mode: socketMode) { [unowned self] stream in
                    guard limits.admit(Self.limitedHost(stream)) else {
                        services.log.notice(
                            "connection refused", metadata: ["reason": "too many connections", "listener": "\(name)"])
                        return stream.close()
                    }
                    accept(stream)
                }
                listeners[name, default: []].append(listener)
                services.log.notice("listening", metadata: ["listener": "\(name)", "address": "\(listener.endpoint)"])
            } catch {
                throw Failure(.unavailable, "cannot listen at \(address) (server.listen.\(name)): \(error)")
            }
        }
    }

    /// Peers on unix sockets have no address of their own and count only in all.
    private static func limitedHost(_ stream: ByteStream) -> String {
        stream.peerCredentials == nil ? stream.peerHost : ""
    }

    private func pop3(_ stream: ByteStream, _ context: ServerContext, isImplicit: Bool) {
        var configuration = POP3ServerConfiguration(hostName: context.domain, tls: isImplicit ? .implicit : .stlsRequired)
        configuration.extraCapabilities = [IdentityAnnouncement.capability(context.keys.nodeIdentity.publicKey)]
        let machine = POP3ServerSession(configuration: configuration)
        run(
            stream, machine, MaildropHandler(server: context, peerHost: stream.peerHost), tls, tlsFirst: isImplicit,
            name: "pop3")
    }

    private func submission(_ stream: ByteStream, _ context: ServerContext, isImplicit: Bool) {
        var configuration = SMTPServerConfiguration(
            hostName: context.domain, flavour: .submission, tls: isImplicit ? .implicit : .startTLSRequired)
        configuration.limits.messageBytesMax = context.messageBytesMax
        configuration.offersLogin = true
        configuration.extraCapabilities =
            context.keys.announcement(of: context.domain)
            + [IdentityAnnouncement.capability(context.keys.nodeIdentity.publicKey)]
        run(
            stream, SMTPServerSession(configuration: configuration),
            SubmissionHandler(server: context, peerHost: stream.peerHost), tls,
            tlsFirst: isImplicit, name: "submission")
    }

    private func lmtp(_ stream: ByteStream, _ context: ServerContext) {
        var configuration = SMTPServerConfiguration(hostName: context.domain, flavour: .lmtp, tls: .none)
        configuration.limits.messageBytesMax = context.messageBytesMax
        run(
            stream, SMTPServerSession(configuration: configuration), LMTPHandler(server: context), nil, tlsFirst: false,
            name: "lmtp")
    }

    private func run<Machine: WireSession>(
        _ stream: ByteStream, _ machine: Machine, _ handler: any SessionHandler<Machine>, _ tls: TLSContext?, tlsFirst: Bool,
        name: String
    ) {
        let id = Hex.encode(services.random.bytes(8))
        let host = Self.limitedHost(stream)
        services.bus.publish(.sessionOpened(sid: id, protocol: name))
        let session = SessionDriver(
            id: id, stream: stream, machine: machine, handler: handler, tls: tls, tlsFirst: tlsFirst,
            onEnd: { [weak self] in self?.ended(id, host) })
        // A session may end while it begins; then there is nothing to keep.
        if !session.isOver { sessions[id] = session }
    }

    private func ended(_ id: String, _ host: String) {
        sessions[id] = nil
        limits.leave(host)
        guard sessions.isEmpty else { return }
        whenEmpty?.resume()
        whenEmpty = nil
    }
}
