// A client machine against a server machine over a wire in memory, which can be cut after any octet.

package import DDSCore
package import DDSWire

/// Two sessions and the octets between them. Time stands still unless `advance` is called.
package struct ConnectionPair<Client: WireSession, Server: WireSession> {
    package private(set) var client: SessionHarness<Client>
    package private(set) var server: SessionHarness<Server>
    /// Octets on their way; delivered in order, `pieceOctets` at a time.
    private var toServer: [UInt8] = []
    private var toClient: [UInt8] = []
    package private(set) var deliveredToServer = 0
    package private(set) var deliveredToClient = 0
    private var hasEndedServer = false
    private var hasEndedClient = false
    private let serverSees: TLSPeer?
    private let clientSees: TLSPeer?
    private let pieceOctets: Int
    private let cutToServer: Int?
    private let cutToClient: Int?
    private let isServerBlind: Bool
    private let cutsReplyWhen: () -> Bool
    /// What was on its way when the wire was cut.
    private var late: [UInt8] = []

    /// `clientPeer` is what the server learns of the client in TLS, `serverPeer` the opposite. With `isImplicit` both are told
    /// before the start. The wire is cut for good, in both directions, before the octet after `cutToServer` or `cutToClient`.
    /// It is cut too instead of carrying anything to the client while `cutsReplyWhen` says so.
    /// With `isServerBlind` the server does not learn of that before `deliverLate`.
    package init(
        client: SessionHarness<Client>, server: SessionHarness<Server>, clientPeer: TLSPeer?, serverPeer: TLSPeer?,
        isImplicit: Bool, pieceOctets: Int = .max, cutToServer: Int? = nil, cutToClient: Int? = nil,
        isServerBlind: Bool = false,
        cutsReplyWhen: @escaping () -> Bool = { false }
    ) {
        self.client = client
        self.server = server
        serverSees = clientPeer
        clientSees = serverPeer
        self.pieceOctets = pieceOctets
        self.cutToServer = cutToServer
        self.cutToClient = cutToClient
        self.isServerBlind = isServerBlind
        self.cutsReplyWhen = cutsReplyWhen
        self.server.start(peer: isImplicit ? clientPeer : nil)
        self.client.start(peer: isImplicit ? serverPeer : nil)
    }

    /// Carries octets until neither side has anything more to say.
    package mutating func run() {
        while true {
            collect()
            if client.hasBegunTLS, server.hasBegunTLS, toServer.isEmpty, toClient.isEmpty, let serverSees, let clientSees {
                server.completeTLS(serverSees)
                client.completeTLS(clientSees)
                continue
            }
            guard carryToServer() || carryToClient() || carryEnds() else { return }
        }
    }

    /// Moves the time of both sides and runs on.
    package mutating func advance(by duration: Duration) {
        server.advance(by: duration)
        client.advance(by: duration)
        run()
    }

    /// Cuts the wire now, whatever is on its way.
    package mutating func cutNow() {
        guard !isCut else { return }
        _ = cut()
        run()
    }

    /// The server of a wire that was cut without its knowledge gets what the client had sent, and then the end.
    package mutating func deliverLate() {
        guard isCut, server.closeReason == nil else { return }
        server.receive(late)
        late = []
        if server.closeReason == nil { server.deliver(.endOfInput) }
        _ = server.takeOutput()
    }

    package mutating func withServer(_ change: (inout SessionHarness<Server>) -> Void) {
        change(&server)
        run()
    }

    package mutating func withClient(_ change: (inout SessionHarness<Client>) -> Void) {
        change(&client)
        run()
    }

    /// True when the wire was cut, which a test at the end of a sweep wants to see no more.
    package private(set) var isCut = false

    private mutating func collect() {
        toServer += client.takeOutput()
        toClient += server.takeOutput()
    }

    private mutating func carryToServer() -> Bool {
        guard !isCut, !toServer.isEmpty, server.closeReason == nil else {
            toServer = []
            return false
        }
        let room = cutToServer.map { $0 - deliveredToServer } ?? .max
        guard room > 0 else { return cut() }
        let piece = Array(toServer.prefix(min(pieceOctets, room)))
        toServer.removeFirst(piece.count)
        deliveredToServer += piece.count
        server.receive(piece)
        return true
    }

    private mutating func carryToClient() -> Bool {
        guard !isCut, !toClient.isEmpty, client.closeReason == nil else {
            toClient = []
            return false
        }
        let room = cutToClient.map { $0 - deliveredToClient } ?? .max
        guard room > 0, !cutsReplyWhen() else { return cut() }
        let piece = Array(toClient.prefix(min(pieceOctets, room)))
        toClient.removeFirst(piece.count)
        deliveredToClient += piece.count
        client.receive(piece)
        return true
    }

    private mutating func cut() -> Bool {
        isCut = true
        late = toServer
        toServer = []
        toClient = []
        return true
    }

    /// A side that has closed, or lost the wire, ends the other's input once.
    private mutating func carryEnds() -> Bool {
        var hasMoved = false
        if !hasEndedServer, isCut && !isServerBlind || !isCut && client.closeReason != nil {
            hasEndedServer = true
            hasMoved = true
            if server.closeReason == nil { server.deliver(.endOfInput) }
        }
        if !hasEndedClient, isCut || server.closeReason != nil {
            hasEndedClient = true
            hasMoved = true
            if client.closeReason == nil { client.deliver(.endOfInput) }
        }
        return hasMoved
    }
}
