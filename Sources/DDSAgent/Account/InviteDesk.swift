// What can be known of a node and an invite before joining. Creates nothing: where there is no device key yet, one is made up for
// the question.

import DDSCore
import DDSLoop
import DDSNode
import DDSSeal

@LoopActor struct InviteDesk {
    let folder: AgentFolder
    let services: Services

    /// What an invitation is for, as far as it and the node say. Throws a sentence for every refusal.
    func look(_ invitation: Invitation) async throws(Failure) -> WelcomeCard {
        try folder.requireNobody()
        switch invitation {
        case .invite(let invite): return try await look(invite)
        case .device(let link, _):
            let node = try await desk(link.host, link.submissionsPort, link.nodeKeyHash, "link").node()
            return WelcomeCard(
                kind: .device, node: node.address.domain, host: link.host, keyWords: WordPhrase.text(link.nodeKeyHash),
                address: "\(link.user)@\(node.address.domain)")
        }
    }

    private func look(_ invite: InviteLink) async throws(Failure) -> WelcomeCard {
        let desk = try desk(invite.host, invite.submissionsPort, invite.nodeKeyHash, "invite")
        let node = try await desk.node()
        var card = WelcomeCard(
            kind: .invite, node: node.address.domain, host: invite.host, keyWords: WordPhrase.text(invite.nodeKeyHash))
        let lines: [String]
        do throws(Failure) {
            lines = try await desk.send(
                InviteLook(inviteNumber: invite.number, secret: invite.secret).message, to: node)
        } catch {
            // A node of before knows no such question; what it thinks of the invite is heard when it is used.
            if error.publicText.contains("this is no enrolment") { return card }
            throw error
        }
        guard let offer = InviteOffer(lines: lines) else {
            throw Failure(.protocolError, "the node's answer about the invite cannot be read; update ddsnode")
        }
        card.address = "\(offer.address)"
        card.display = offer.display
        card.groups = offer.groups
        card.until = offer.until
        return card
    }

    /// What a kit says of itself. The node is asked when the passphrase is there.
    func look(_ kit: RecoveryKit) throws(Failure) -> WelcomeCard {
        try folder.requireNobody()
        return WelcomeCard(
            kind: .kit, node: kit.address.domain, host: kit.host, keyWords: WordPhrase.text(Array(kit.nodeKeyHash.prefix(16))),
            address: "\(kit.address)")
    }

    private func desk(
        _ host: String, _ port: UInt16, _ nodeKeyHash: [UInt8], _ source: String
    ) throws(Failure) -> EnrolmentDesk {
        // An earlier try has used the invite in this device's name, and is to be known again.
        let seed = HostFiles.exists(folder.deviceKey) ? try folder.loadSecret(folder.deviceKey) : SecretBytes.random(32)
        return EnrolmentDesk(
            link: try NodeLink(host: host, nodeKeyHash: nodeKeyHash, deviceSeed: seed, time: services.time), port: port,
            services: services, words: EnrolmentDesk.Words(source: source, again: "try again"))
    }
}
