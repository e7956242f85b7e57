// TLS between the gateway and mail programs: for all of its protocols or for none, from the first byte (RFC 8314 section 3). There
// is no STARTTLS: programs that use it as soon as it is offered would fail with a certificate that they do not know.

import DDSCore
import DDSLoop
import DDSNode
import DDSTLS
import Logging

extension GatewayDesk {
    /// Whether mail programs have to speak TLS.
    var isTLS: Bool { agent.services.config.agent.gateway.tls || book.isTLS }

    /// The certificate, made when it is wanted for the first time.
    private func readyCertificate() async throws(Failure) -> GatewayCertificate {
        if let certificate { return certificate }
        let (folder, user, now) = (agent.folder, user, agent.services.time.wall)
        let opened = try await Loop.offload { () throws(Failure) in
            try GatewayCertificate.open(folder, user: user, now: now)
        }
        // Another may have been as quick; both have read the same file.
        if certificate == nil { certificate = opened }
        return opened
    }

    /// Gets the certificate if TLS is on. Without it nobody is served: that is not the time to speak in clear. What was made before
    /// is only read, so that a start need not wait for the disk.
    func prepareTLS() {
        certificateTrouble = nil
        guard isTLS else { return }
        do throws(Failure) {
            if certificate == nil {
                certificate = try GatewayCertificate.open(agent.folder, user: user, now: agent.services.time.wall)
            }
            let fingerprint = certificate?.fingerprint
            guard let trusted = book.trusted, trusted != fingerprint else { return }
            certificateTrouble = "gateway: its certificate is another than mail programs trust; run: ddsnode gateway trust"
        } catch {
            certificateTrouble = "gateway: nobody can connect by TLS: \(error.publicText)"
            agent.services.log.error("gateway has no certificate", metadata: ["error": "\(error)"])
        }
    }

    /// Switches TLS on or off for everything. Whoever is connected in the other way has to connect anew.
    func use(tls: Bool) async throws(Failure) {
        guard tls || !agent.services.config.agent.gateway.tls else {
            throw Failure(
                .configuration, "agent.gateway.tls in the configuration has it on; set that to false and restart the agent")
        }
        let before = isTLS
        if tls { _ = try await readyCertificate() }
        try await book.use(tls: tls)
        prepareTLS()
        if isTLS != before { endSessions("TLS was switched \(tls ? "on" : "off")") { _ in true } }
    }

    /// The authority that mail programs shall trust, in PEM, and its fingerprint. From now on `problems` says when it changes.
    func trust() async throws(Failure) -> GatewayCertificate {
        let certificate = try await readyCertificate()
        try await book.trust(certificate.fingerprint)
        prepareTLS()
        return certificate
    }
}
