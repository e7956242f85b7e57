// The page's settings about mail programs: what the gateway does, and what a form changes of it.

import DDSCore
import DDSLoop
import DDSNode

extension MailPage {
    /// A password that was just made is shown by this one model and no other.
    func gatewayModel() -> GatewayModel {
        defer { freshPassword = nil }
        let desk = agent.gateway
        let gateway = agent.services.config.agent.gateway
        var model = GatewayModel(
            rows: GatewayProtocol.allCases.map { row in
                var model = GatewayModel.Row(
                    name: row.rawValue, title: row.title, isConfigured: !row.configured(in: gateway).isEmpty)
                if case .tcp(let host, let port)? = desk?.endpoint(of: row) { (model.host, model.port) = (host, port) }
                return model
            }, user: "\(agent.account.address)",
            passwords: (desk?.book.passwords ?? []).map(Self.model),
            problems: (desk?.problems ?? []).map(WelcomeWay.sentence))
        model.isTLS = desk?.isTLS ?? false
        model.isTLSConfigured = gateway.tls
        model.fingerprint = model.isTLS ? desk?.certificate?.fingerprint : nil
        if let freshPassword, let made = desk?.book.passwords.first(where: { $0.name == freshPassword.name }) {
            model.fresh = Self.model(made)
            model.freshText = freshPassword.text
        }
        return model
    }

    private static func model(_ password: AppPassword) -> GatewayModel.Password {
        GatewayModel.Password(name: password.name, made: password.made, lastUsed: password.lastUsed)
    }

    var autoconfig: String? { agent.gateway?.autoconfig }
    var gatewayAuthority: [UInt8]? { agent.gateway?.certificate?.authority }

    func change(gateway change: GatewayChange) async -> String {
        guard let desk = agent.gateway, !agent.isLocked else { return "Nothing was changed: the agent is locked or stopping." }
        do throws(Failure) {
            switch change {
            case .on(let name):
                guard let row = GatewayProtocol(rawValue: name) else { return "Nothing was changed." }
                try await desk.turnOn([row])
                return desk.book.passwords.isEmpty
                    ? "\(row.title) is on. Make a password for your mail program." : "\(row.title) is on."
            case .off(let name):
                guard let row = GatewayProtocol(rawValue: name) else { return "Nothing was changed." }
                try await desk.turnOff([row])
                return "\(row.title) is off."
            case .tls(let isOn):
                try await desk.use(tls: isOn)
                return isOn ? "TLS is on. Have your mail program trust the certificate." : "TLS is off."
            case .add(let text):
                let made = try await desk.book.addPassword(text)
                freshPassword = AppPassword.name(text).map { ($0, made) }
                return "The password is made."
            case .revoke(let name):
                try await desk.revoke(name)
                return "It is revoked, and what was logged in with it is cut off."
            }
        } catch {
            return "Nothing was changed: \(error.publicText)."
        }
    }
}
