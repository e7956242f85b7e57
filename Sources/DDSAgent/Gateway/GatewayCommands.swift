// The commands about the gateway, answered by a running agent: on and off, what is there, passwords, and the file by which mail
// programs set themselves up.

import DDSCore
import DDSLoop
import DDSNode

@LoopActor final class GatewayCommands {
    /// What a first password is called, which `on` makes where there is none.
    private static let firstPassword = "first"

    private let role: AgentRole

    init(role: AgentRole) {
        self.role = role
    }

    func register(in commands: ControlCommands) {
        commands.register("agent.gateway.on") { [self] request, _ throws(Failure) in try await on(request) }
        commands.register("agent.gateway.off") { [self] request, _ throws(Failure) in
            let gateway = try gateway()
            try await gateway.turnOff(Self.rows(request))
            return gateway.report()
        }
        commands.register("agent.gateway.show") { [self] _, _ throws(Failure) in try gateway().report() }
        commands.register("agent.gateway.password.add") { [self] request, _ throws(Failure) in
            let gateway = try gateway()
            let name = try request.text("name")
            return gateway.report(with: (name, try await gateway.book.addPassword(name)))
        }
        commands.register("agent.gateway.password.list") { [self] _, _ throws(Failure) in
            ["passwords": .list(try gateway().book.passwords.map(GatewayDesk.described))]
        }
        commands.register("agent.gateway.password.revoke") { [self] request, _ throws(Failure) in
            let gateway = try gateway()
            let name = try request.text("name")
            try await gateway.revoke(name)
            return ["revoked": .text(name), "passwords": .list(gateway.book.passwords.map(GatewayDesk.described))]
        }
        commands.register("agent.gateway.trust") { [self] _, _ throws(Failure) in
            let gateway = try gateway()
            let certificate = try await gateway.trust()
            return [
                "certificate": .text(String(decoding: certificate.authority, as: UTF8.self)),
                "file": .text(gateway.agent.folder.gatewayAuthority), "fingerprint": .text(certificate.fingerprint),
                "until": .text(CivilTime(secondsSinceEpoch: certificate.notAfter.seconds).rfc3339),
                "user": .text(gateway.user), "tls": .bool(gateway.isTLS),
            ]
        }
        commands.register("agent.gateway.autoconfig") { [self] _, _ throws(Failure) in
            guard let text = try gateway().autoconfig else {
                throw Failure(.unavailable, "the gateway is off; run: ddsnode gateway on")
            }
            return ["xml": .text(text)]
        }
    }

    private func gateway() throws(Failure) -> GatewayDesk {
        if let gateway = role.gateway { return gateway }
        guard role.agent != nil else {
            throw Failure(.fileMissing, "nobody has joined a node from here yet; run: ddsnode join INVITE")
        }
        throw Failure(.unavailable, role.gatewayTrouble ?? "the agent is starting or stopping; try again")
    }

    private func on(_ request: ControlRequest) async throws(Failure) -> JSONValue {
        let gateway = try gateway()
        let rows = try Self.rows(request)
        if let tls = request.arguments["tls"]?.boolean { try await gateway.use(tls: tls) }
        try await gateway.turnOn(rows)
        guard gateway.book.passwords.isEmpty else { return gateway.report() }
        return gateway.report(with: (Self.firstPassword, try await gateway.book.addPassword(Self.firstPassword)))
    }

    /// What the request names, or everything.
    private static func rows(_ request: ControlRequest) throws(Failure) -> [GatewayProtocol] {
        let words = request.arguments["protocols"]?.strings ?? []
        guard !words.isEmpty else { return GatewayProtocol.allCases }
        var rows: [GatewayProtocol] = []
        for word in words {
            guard let row = GatewayProtocol(word: word) else {
                throw Failure(.usage, "the gateway does not speak \"\(word.prefix(20))\"; it speaks \(GatewayProtocol.words)")
            }
            rows.append(row)
        }
        return rows
    }
}

extension GatewayDesk {
    /// The user name for mail programs; `+GROUP` behind the name before the @ shows one group.
    var user: String { "\(agent.account.address)" }

    /// What is on and for whom; `password` has just been made.
    func report(with password: (name: String, text: Redacted<String>)? = nil) -> JSONValue {
        var fields: [String: JSONValue] = [
            "listeners": .list(
                GatewayProtocol.allCases.compactMap { row in
                    endpoint(of: row).map { endpoint in
                        var fields: [String: JSONValue] = [
                            "protocol": .text(row.rawValue), "title": .text(row.title), "address": .text(endpoint.description),
                            "tls": .bool(isTLS), "configured": .bool(!row.configured(in: agent.services.config.agent.gateway).isEmpty),
                        ]
                        if case .tcp(let host, let port) = endpoint {
                            fields["host"] = .text(host)
                            fields["port"] = .number(Int64(port))
                        }
                        return .object(fields)
                    }
                }),
            "user": .text(user), "locked": .bool(agent.isLocked), "problems": .texts(problems),
            "tls": .bool(isTLS), "fingerprint": isTLS ? certificate.map { .text($0.fingerprint) } ?? .null : .null,
            "passwords": .list(book.passwords.map(Self.described)),
        ]
        if let password {
            fields["password"] = .text(password.text.exposed)
            fields["password_name"] = .text(password.name)
        }
        return .object(fields)
    }

    static func described(_ password: AppPassword) -> JSONValue {
        [
            "name": .text(password.name), "made": .text(CivilTime(secondsSinceEpoch: password.made.seconds).rfc3339),
            "last_used": password.lastUsed.map { .text(CivilTime(secondsSinceEpoch: $0.seconds).rfc3339) } ?? .null,
        ]
    }
}
