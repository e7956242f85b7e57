// `join` with the link of a person's first device: this machine makes its own keys, proves to the first device that it has the link,
// gets the identity from it, and becomes a device of the same person. What exists already is never overwritten; what failed once the
// identity was here can be run again with the same link.

import DDSCore
import DDSLoop
import DDSNode
import DDSSeal
import DDSTLS

@LoopActor struct LinkedJoin {
    let folder: AgentFolder
    let services: Services
    let link: DeviceLink
    /// What this device is called.
    let title: String
    /// Nil is measured.
    let workFactor: Int?
    let pause: @LoopActor () async throws(Failure) -> Void
    var wishes = JoiningWishes()

    private static let again = "run join again with the same link"

    /// Joins and returns the account. `progress` is called with each step in words. Throws a sentence for every refusal.
    func run(passphrase: SecretBytes, progress: @LoopActor (String) -> Void) async throws(Failure) -> AgentAccount {
        try folder.requireNobody()
        let connection = try NodeLink(
            host: link.host, nodeKeyHash: link.nodeKeyHash, deviceSeed: try folder.prepare(), time: services.time)
        let desk = EnrolmentDesk(
            link: connection, port: link.submissionsPort, services: services,
            words: EnrolmentDesk.Words(source: "link", again: Self.again))
        let node = try await desk.node()
        guard let identity = node.identity else {
            throw Failure(.protocolError, "the node at \(link.host) has no identity and links no devices; have it updated")
        }
        guard let address = MailAddress(local: link.user, domain: node.address.domain) else {
            throw Failure(.badInput, "\(link.user)@\(node.address.domain) is no address; copy the whole link again")
        }
        let vault = Vault(path: folder.vault)
        let keys: VaultKeys
        let key: MailboxRing.Key
        if vault.exists {
            keys = try await vault.open(passphrase: passphrase)
            key = try keptKey(keys)
            progress("key found from an earlier try")
        } else {
            try PassphraseStrength.require(passphrase, known: [link.host, link.user])
            let mailbox = AgeIdentity.generate(kind: .hybrid, random: services.random)
            let claim = LinkClaim(
                address: address, device: connection.device.keyHash, node: identity, recipient: "\(mailbox.recipient)", by: link
            )
            let seed = try await seed(claim, mailbox, desk, node, progress)
            keys = VaultKeys.generate(random: services.random, identitySeed: seed)
            key = try firstKey(mailbox, keys, address, device: connection.device.keyHash)
            let factor = if let workFactor { workFactor } else { await Vault.measuredWorkFactor(services.time) }
            try await vault.create(keys, passphrase: passphrase, workFactor: factor, random: services.random)
            progress("key made")
        }
        let welcome = try await confirm(key, desk, node)
        guard welcome.address == address, let number = welcome.device else {
            throw Failure(.protocolError, "the node took the device but did not say whose it is; \(Self.again)")
        }
        progress("device \(number) of \(address)")
        // What was written is what counts: open it again from the disk.
        guard try await vault.open(passphrase: passphrase).identitySeed == keys.identitySeed else {
            throw Failure(.inputOutput, "the key file came back different from the disk; do not use this folder")
        }
        progress("closed and reopened")
        try await folder.prepareSpool(services)
        let account = AgentAccount(
            welcome, host: link.host, ports: (link.pop3sPort, link.submissionsPort), nodeKeyHash: link.nodeKeyHash,
            seal: node.seal, identity: identity, ownRecipient: "\(keys.mailbox.recipient)")
        // Last: with this file the folder is an agent's, and without it the next try begins where this one ended.
        let own = account.taking(wishes)
        try folder.save(own)
        return own
    }

    // MARK: The other device

    /// Waits until the first device has handed the identity over.
    private func seed(
        _ claim: LinkClaim, _ mailbox: AgeIdentity, _ desk: EnrolmentDesk, _ node: EnrolmentDesk.Node,
        _ progress: @LoopActor (String) -> Void
    ) async throws(Failure) -> SecretBytes {
        let request = LinkRequest(
            link: link.id, title: title, step: .claim(recipient: claim.recipient, proof: claim.proof))
        let begin = services.time.now
        var isTold = false
        while services.time.now - begin < DeviceLink.lifetime {
            guard let answer = LinkAnswer(lines: try await desk.send(request.message, to: node)) else {
                throw Failure(.protocolError, "the node's answer about the link cannot be read; update ddsnode")
            }
            if case .parcel(let parcel) = answer { return try opened(parcel, claim, mailbox) }
            if !isTold { progress("waiting for your other device, on which the link was made") }
            isTold = true
            try await pause()
        }
        throw Failure(.tryAgain, "your other device has not answered; is its agent unlocked? Make another link there")
    }

    private func opened(
        _ parcel: LinkParcel, _ claim: LinkClaim, _ mailbox: AgeIdentity
    ) throws(Failure) -> SecretBytes {
        guard link.isAuthentic(parcel, for: claim), let seed = parcel.opened(by: mailbox) else {
            throw Failure(
                .protocolError,
                "what came is not from your other device; nothing was kept. Ask the node's administrator, and make another link"
            )
        }
        return seed
    }

    private func confirm(
        _ key: MailboxRing.Key, _ desk: EnrolmentDesk, _ node: EnrolmentDesk.Node
    ) async throws(Failure) -> EnrolmentWelcome {
        let request = LinkRequest(link: link.id, title: title, step: .confirm(statement: key.statement))
        guard let welcome = EnrolmentWelcome(lines: try await desk.send(request.message, to: node)) else {
            throw Failure(.protocolError, "the node took the device but did not say who you are; \(Self.again)")
        }
        return welcome
    }

    // MARK: Keys

    /// Statement 1 about the key that the claim named, durable with the key before the vault is there and the node hears of it.
    private func firstKey(
        _ identity: AgeIdentity, _ vault: VaultKeys, _ address: MailAddress, device: [UInt8]
    ) throws(Failure) -> MailboxRing.Key {
        let now = services.time.wall
        let statement = MailboxStatement(
            holder: .member(address), device: device, number: 1, notBefore: now, notAfter: now + MailboxStatement.lifetime,
            recipient: "\(identity.recipient)", previous: MailboxStatement.noPrevious)
        let key = MailboxRing.Key(
            number: 1, since: now, identity: identity, statement: statement.signed(by: vault.identity), isConfirmed: false)
        try MailboxKeyFile(path: folder.mailboxKeys).save(MailboxRing(only: key), vault, random: services.random)
        return key
    }

    private func keptKey(_ keys: VaultKeys) throws(Failure) -> MailboxRing.Key {
        let file = MailboxKeyFile(path: folder.mailboxKeys)
        guard file.exists else {
            throw Failure(
                .cannotCreate,
                "\(folder.vault) is of somebody else's or another try, and was left as it is; join with another --config")
        }
        return try file.load(keys).newest
    }
}
