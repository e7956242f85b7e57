// The transactions of a device that belongs to nobody yet with the node: looking what the node announces, and one sealed message
// to enrol@NODE. What is in the message, and what the answer means, is the caller's affair.

import DDSCore
import DDSLoop
import DDSNode
import DDSWire

@LoopActor struct EnrolmentDesk {
    /// What the sentences of refusals call things.
    struct Words: Sendable {
        /// What names the node: the invite or the kit.
        var source: String
        /// The remedy for a lost connection.
        var again: String
    }

    /// The node as it announces itself inside the TLS connection whose key is pinned.
    struct Node: Sendable {
        /// What submissions are sealed to.
        var seal: NodeSeal
        /// enrol@NODE.
        var address: MailAddress
        /// Nil from a node that has told none.
        var identity: [UInt8]?
    }

    let link: NodeLink
    let port: UInt16
    let services: Services
    let words: Words

    /// Throws with exit code 69 where no node answers.
    func node() async throws(Failure) -> Node {
        guard let nobody = MailAddress("enrol@localhost") else { preconditionFailure("a constant address is one") }
        var probe = configuration(nobody, [])
        probe.isProbe = true
        let (outcome, detail) = try await SubmissionClient.run(probe, link: link, port: port, id: "probe")
        guard case .offered(let capabilities) = outcome, let recipient = SealAnnouncement.recipient(in: capabilities),
            let domain = capabilities.first?.split(separator: " ").first
        else {
            if detail.contains("pin") || detail.contains("tls") {
                throw Failure(
                    .protocolError,
                    "the node at \(link.host) has not the key that the \(words.source) names (\(detail)); "
                        + (words.source == "invite" ? "ask who invited you" : "ask its administrator"))
            }
            throw Failure(.unavailable, "\(link.host) did not answer as a ddsnode does (\(outcome)); check the \(words.source)")
        }
        // The node's own name is not known yet; its greeting carries it, and the enrolment address works under it alone.
        guard let address = MailAddress(local: EnrolmentRequest.localPart, domain: String(domain)) else {
            throw Failure(.protocolError, "the node calls itself \"\(domain)\", which is no mail domain")
        }
        let identity = IdentityAnnouncement.key(in: capabilities)
        var seal = NodeSeal(recipient: recipient)
        switch seal.news(in: capabilities, of: address.domain, identity: identity) {
        case .unchanged: break
        case .newer(let stated): seal = stated
        case .mistrusted(let reason): throw Failure(.protocolError, "\(reason); nothing was sent, ask its administrator")
        }
        return Node(seal: seal, address: address, identity: identity)
    }

    /// Sends a message and returns the lines of the reply. Throws what the node says against it.
    func send(_ message: [UInt8], to node: Node) async throws(Failure) -> [String] {
        let sealed = try Submission.sealed(
            message, from: node.address, to: [node.address], node: node.seal, services: services)
        let (outcome, detail) = try await SubmissionClient.run(
            configuration(node.address, sealed), link: link, port: port, id: "enrol")
        switch outcome {
        case .delivered(let replies): return replies.first?.lines ?? []
        case .refused(_, let reply, let permanent):
            throw Failure(permanent ? .badInput : .tryAgain, reply.lines.joined(separator: " "))
        case .lost, .offered:
            throw Failure(.unavailable, "the connection to \(link.host) was lost (\(detail)); \(words.again)")
        }
    }

    private func configuration(_ address: MailAddress, _ message: [UInt8]) -> SMTPClientConfiguration {
        SMTPClientConfiguration(
            clientName: "[127.0.0.1]", tls: .implicit, credentials: .external(authzid: EnrolmentRequest.localPart),
            envelope: Envelope(reversePath: .address(address), recipients: [Recipient(address)]), message: message)
    }
}
