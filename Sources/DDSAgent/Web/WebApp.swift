// The local page as a whole: asks the gate, finds the route, adds the security fields. Owns the sessions, the unlock limiter
// and the event streams; everything about mail is the backend's.

package import DDSCore
package import DDSHTTP
package import DDSLoop

/// Serves the page for one agent. Lives on the loop until `stop`.
@LoopActor
package final class WebApp {
    package struct Configuration: Sendable {
        /// At least four octets that tell this agent from others of the same user.
        package var agentID: [UInt8]
        package var random: any RandomSource
        /// A one-way function of at least 256 bits.
        package var hash: WebHash
        package var time: any TimeSource
        /// `agent.web.host`: the name of our own that no other local server shares cookies with.
        package var hostName = WebSite.defaultName
        /// `agent.web.check_peer_uid`.
        package var checksPeerUID = true
        /// Names with port from `[web] hosts`.
        package var configuredHosts: [String] = []
        /// `agent.web.html`: formatted versions of messages are shown when they are asked for.
        package var showsFormatted = true
        /// The idle lock; pages without the script reload a little later.
        package var idleLockSeconds = 900
        /// The seconds that local time is ahead of UTC at a moment.
        package var offset: @Sendable (WallTime) -> Int = { _ in 0 }

        package init(
            agentID: [UInt8], random: any RandomSource, hash: @escaping WebHash, time: any TimeSource
        ) {
            self.agentID = agentID
            self.random = random
            self.hash = hash
            self.time = time
        }
    }

    /// More would block the browser's other tabs: it allows six connections to one host.
    static let streamsMax = 3

    let configuration: Configuration
    /// The mail; nil until somebody has joined.
    private var mail: (any WebBackend)?
    /// Leads through joining.
    let welcome: any WelcomeBackend
    let pages: PageRenderer
    package internal(set) var gate: WebGate
    var limiter = UnlockLimiter()
    var links: LinkBook
    /// The open event streams and whose they are, the oldest first.
    var streams: [(channel: EventChannel, session: WebSessionID?)] = []
    private var subscription: WebSubscription?
    private var server: HTTPServer?
    /// True from the moment on when another program takes over.
    private var isResting = false
    private var lastUnread: WebEvent?
    private var lastState: String?

    /// Without mail, until `use(backend:)`: the gate lets nobody past the page that leads through joining.
    package init(_ configuration: Configuration, welcome: any WelcomeBackend) {
        self.configuration = configuration
        self.welcome = welcome
        gate = WebGate(
            site: WebSite(port: 0, name: configuration.hostName, configuredHosts: configuration.configuredHosts),
            agentID: configuration.agentID,
            sessions: WebSessions(random: configuration.random, hash: configuration.hash))
        links = Self.emptyLinks(configuration)
        pages = PageRenderer(
            hash: configuration.hash, refreshSeconds: configuration.idleLockSeconds + 5, offset: configuration.offset)
    }

    /// Somebody's mail is here from now on. Called once.
    package func use(backend: any WebBackend) {
        precondition(mail == nil, "a page is one agent's")
        mail = backend
        subscription = backend.subscribe { [weak self] event in self?.heard(event) }
    }

    var hasMail: Bool { mail != nil }
    var isLocked: Bool { mail?.isLocked ?? true }

    /// The mail. Only behind the gate, which lets nobody past while there is none.
    var backend: any WebBackend {
        guard let mail else { preconditionFailure("nobody is signed in before there is mail") }
        return mail
    }

    /// Serves on the loopback addresses at `port` or one of the next; returns the one that was free. Must be followed by
    /// `stop` or `surrender`. `adopting` are sockets of this page that listen already; with them the port is theirs.
    @discardableResult
    package func start(
        port: UInt16, adopting: [Int32] = [], limits: HTTPServer.Limits = HTTPServer.Limits()
    ) throws(Failure) -> UInt16 {
        var settings = HTTPServer.Configuration(
            allowsPeer: { [weak self] peer, local in self?.allows(peer: peer, local: local) ?? false },
            screen: { [weak self] request in self?.screen(request) },
            overLimit: { [weak self] limit in self?.overLimit(limit) ?? HTTPResponse(status: 503) },
            handler: { [weak self] request in await self?.respond(to: request) ?? HTTPResponse(status: 503) })
        settings.limits = limits
        let server = HTTPServer(settings)
        if adopting.isEmpty { try server.start(port: port) } else { try server.start(adopting: adopting) }
        self.server = server
        let got = server.port ?? port
        use(port: got)
        return got
    }

    /// Tells the gate which port it serves; `start` does.
    package func use(port: UInt16) {
        gate.site = WebSite(port: port, name: configuration.hostName, configuredHosts: configuration.configuredHosts)
    }

    /// This program ends and another one takes over its sockets: who connects from now on waits for that one, and who is connected
    /// is sent there. A page from here would name visitors whom the next program does not know.
    package func rest() {
        isResting = true
        server?.rest()
    }

    /// Lets the answers that are owed go out, for at most `limit`, and takes no new requests.
    package func finish(within limit: Duration) async { await server?.finish(within: limit) }

    /// Ends all streams and connections, and gives the listening sockets away.
    package func surrender() -> [Int32] {
        endStreams()
        defer { server = nil }
        return server?.surrender() ?? []
    }

    /// Ends all streams and connections.
    package func stop() {
        endStreams()
        server?.stop()
        server = nil
    }

    private func endStreams() {
        if let subscription { mail?.unsubscribe(subscription) }
        subscription = nil
        for (channel, _) in streams { Self.end(channel, by: "bye") }
        streams = []
    }

    /// The address that signs a browser in once within a minute, for `ddsnode open` over the control socket and for the desktop.
    package func makeOpenAddress(for target: OpenTarget = OpenTarget()) -> String {
        gate.site.address + "/open/" + gate.sessions.makeOpenToken(for: target, now: configuration.time.now)
    }

    /// What the backend has to say, to every open tab. After a lock nobody is signed in.
    private func heard(_ event: WebEvent) {
        switch event {
        case .unread(let total, let folders):
            lastUnread = event
            let data = unreadData(total: total, folders: folders)
            for (channel, _) in streams { channel.send(event: "unread", data: data) }
        case .state(let text):
            let line = DisplayText.line(text).text
            lastState = line
            for (channel, _) in streams { channel.send(event: "state", data: line) }
        case .locked:
            gate.sessions.lock()
            links = Self.emptyLinks(configuration)
            welcome.forgetAll()
            lastUnread = nil
            lastState = nil
            let ending = streams
            streams = []
            for (channel, _) in ending { Self.end(channel, by: "lock") }
        }
    }

    /// Under a new key: names from before a lock mean nothing after it.
    private static func emptyLinks(_ configuration: Configuration) -> LinkBook {
        LinkBook(names: LinkNames(hash: configuration.hash, key: configuration.random.bytes(32)))
    }

    static func end(_ channel: EventChannel, by event: String) {
        channel.send(event: event, data: "")
        channel.close()
    }

    /// Opens a stream and tells it what is known; beyond the limit the oldest ends.
    func openStream(of session: WebSessionID?) -> EventChannel {
        while streams.count >= Self.streamsMax {
            Self.end(streams.removeFirst().channel, by: "bye")
        }
        let stream = EventChannel()
        stream.onClose = { [weak self, weak stream] in self?.streams.removeAll { $0.channel === stream } }
        streams.append((stream, session))
        // Something must be written at once, or the browser does not learn that the stream is open.
        stream.sendHeartbeat()
        if case .unread(let total, let folders) = lastUnread {
            stream.send(event: "unread", data: unreadData(total: total, folders: folders))
        }
        if let lastState { stream.send(event: "state", data: lastState) }
        return stream
    }

    /// Numbers by the address of their folder; addresses need no escaping in JSON.
    private func unreadData(total: Int, folders: [FolderReference: Int]) -> String {
        let counts = folders.map { "\"\(Route.path($0.key))\":\($0.value)" }.sorted()
        return "{" + (["\"total\":\(total)"] + counts).joined(separator: ",") + "}"
    }
}

// What the HTTP server asks.
extension WebApp {
    /// Only processes of the user who runs the agent get a byte.
    package func allows(peer: HTTPEndpoint, local: HTTPEndpoint) -> Bool {
        if !configuration.checksPeerUID || PeerUID.isTrusted(peer: peer, local: local) { return true }
        gate.count(.peerForeign)
        return false
    }

    /// The answer to a request whose body need not be read; nil for the others.
    package func screen(_ request: HTTPRequest) -> HTTPResponse? {
        if let verdict = gate.screen(request) { return finish(answer(verdict, to: request)) }
        guard isResting else { return nil }
        // The same address, on a new connection. Browsers take a backslash for a slash, and two of them for another host.
        let again = HTTPResponse.redirect(307, to: request.target.replacing("\\", with: "%5C"))
        return finish(again.with([HTTPField("Connection", "close")]))
    }

    package func overLimit(_ limit: HTTPLimit) -> HTTPResponse {
        let refusal: WebRefusal =
            switch limit {
            case .headersTooLarge: .headersTooLarge
            case .fieldsTooMany: .fieldsTooMany
            case .bodyTooLarge: .bodyTooLarge
            }
        gate.count(refusal)
        return finish(page(for: refusal))
    }

    /// Answers a whole request.
    package func respond(to request: HTTPRequest) async -> HTTPResponse {
        let verdict = gate.judge(request, isLocked: isLocked, now: configuration.time.now)
        guard case .serve(let visit) = verdict else {
            if case .unlockFirst = verdict { await shelterDraft(request) }
            return finish(answer(verdict, to: request))
        }
        return finish(await serve(request, visit))
    }

    /// Adds the fields that everything carries; static files have brought their own.
    private func finish(_ response: HTTPResponse) -> HTTPResponse {
        response.headers.contains("Content-Security-Policy") ? response : response.with(SecurityHeaders.page)
    }

    private func answer(_ verdict: WebGate.Verdict, to request: HTTPRequest) -> HTTPResponse {
        switch verdict {
        case .serve: preconditionFailure("served by a route")
        case .refuse(let refusal): page(for: refusal)
        case .moved(let address): .redirect(302, to: address)
        case .offerLink(let path):
            .html(
                pages.plain(
                    heading: "Continue", text: "You come from another site. Go on to your mail?",
                    link: (path, "Continue")))
        case .unlockFirst(let visit, _): unlockFirst(visit, request)
        }
    }

    /// The public text of a refusal as a page. Never repeats anything of the request.
    func page(for refusal: WebRefusal, status: Int? = nil) -> HTTPResponse {
        var response = HTTPResponse.html(
            pages.plain(
                heading: "Not served", text: refusal.publicText(address: gate.site.address),
                link: refusal == .hostForeign || refusal == .hostMissing ? (gate.site.address + "/", gate.site.address) : nil),
            status: status ?? refusal.status)
        if refusal == .methodNotAllowed { response.headers.set("Allow", "GET, HEAD, POST") }
        return response
    }

    /// To the unlock page, remembering in memory where a reader wanted to go.
    private func unlockFirst(_ visit: WebGate.Visit?, _ request: HTTPRequest) -> HTTPResponse {
        // The script asks for a stream after the lock: an answer that is no stream ends it.
        if request.path == "/events" || request.path == "/active" { return HTTPResponse(status: 403) }
        guard hasMail else { return .redirect(to: "/welcome") }
        var response = HTTPResponse.redirect(to: "/unlock")
        var id = visit?.id
        if id == nil, gate.maySetCookie(request) {
            let token = gate.sessions.begin(.visitor, now: configuration.time.now)
            response.headers.set("Set-Cookie", gate.cookie(token))
            id = gate.sessions.find(token, now: configuration.time.now)?.id
        }
        if let id, request.method == "GET", Route.isPage(request.target) {
            gate.sessions.remember(wanted: request.target, for: id)
        }
        return response
    }

    /// A draft that was posted after the lock is not lost. The gate has seen that the form came from our own origin.
    private func shelterDraft(_ request: HTTPRequest) async {
        guard hasMail, request.method == "POST", case .draft(let id)? = Route(path: request.path),
            request.body.value("body") != nil, request.body.value("action") != "discard"
        else { return }
        await backend.shelter(draft: id, Self.fields(request.body))
    }
}
