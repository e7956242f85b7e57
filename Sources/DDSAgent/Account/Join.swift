// `join`: from an invite and a passphrase to an account that has proven itself: key made, registered, closed and reopened,
// a message sent through the node and back. What exists already is never overwritten; what failed can be run again.

import DDSCore
import DDSLoop
import DDSNode
import DDSSeal
import DDSTLS

/// The steps of joining, each of which may be repeated after a crash.
@LoopActor struct Join {
    let folder: AgentFolder
    let services: Services
    let invite: InviteLink
    /// Nil is measured.
    let workFactor: Int?
    var wishes = JoiningWishes()

    init(
        folder: AgentFolder, services: Services, invite: InviteLink, workFactor: Int?, wishes: JoiningWishes = JoiningWishes()
    ) {
        self.folder = folder
        self.services = services
        self.invite = invite
        self.workFactor = workFactor
        self.wishes = wishes
    }

    /// Joins and returns the account. `progress` is called with each step in words. Throws a sentence for every refusal; the
    /// files made so far stay and are used again by the next try with the same passphrase.
    func run(passphrase: SecretBytes, progress: @LoopActor (String) -> Void) async throws(Failure) -> AgentAccount {
        try folder.requireNobody()
        let deviceSeed = try folder.prepare()
        let vault = Vault(path: folder.vault)
        let keys: VaultKeys
        if vault.exists {
            keys = try await vault.open(passphrase: passphrase)
            progress("key found from an earlier try")
        } else {
            try PassphraseStrength.require(passphrase, known: [invite.host])
            keys = VaultKeys.generate(random: services.random)
            let factor = if let workFactor { workFactor } else { await Vault.measuredWorkFactor(services.time) }
            try await vault.create(keys, passphrase: passphrase, workFactor: factor, random: services.random)
            progress("key made")
        }
        let link = try NodeLink(host: invite.host, nodeKeyHash: invite.nodeKeyHash, deviceSeed: deviceSeed, time: services.time)
        let account = try await enrol(link, keys)
        progress("registered as \(account.address)")
        // What was written is what counts: open it again from the disk.
        let reopened = try await vault.open(passphrase: passphrase)
        guard reopened.mailbox.recipient == keys.mailbox.recipient else {
            throw Failure(.inputOutput, "the key file came back different from the disk; do not use this folder")
        }
        progress("closed and reopened")
        try await folder.prepareSpool(services)
        // Last: with this file the folder is an agent's, and without it the next try begins where this one ended.
        let own = account.taking(wishes)
        try folder.save(own)
        return own
    }

    private func enrol(_ link: NodeLink, _ keys: VaultKeys) async throws(Failure) -> AgentAccount {
        let desk = EnrolmentDesk(
            link: link, port: invite.submissionsPort, services: services,
            words: EnrolmentDesk.Words(source: "invite", again: "run join again with the same invite"))
        let node = try await desk.node()
        let key = try mailboxKey(keys, domain: node.address.domain, device: link.device.keyHash)
        let request = EnrolmentRequest(
            inviteNumber: invite.number, secret: invite.secret, recipient: "\(key.identity.recipient)",
            credential: MemberCredential(identity: keys.identity.publicKey, statement: key.statement))
        guard let welcome = EnrolmentWelcome(lines: try await desk.send(request.message, to: node)) else {
            throw Failure(.protocolError, "the node took the enrolment but did not say who you are; run join again")
        }
        return AgentAccount(
            welcome, host: invite.host, ports: (invite.pop3sPort, invite.submissionsPort), nodeKeyHash: invite.nodeKeyHash,
            seal: node.seal, identity: welcome.identity, ownRecipient: "\(keys.mailbox.recipient)")
    }

    /// The first mailbox key and statement 1 about it, durable before the node hears of it. An earlier try may have got it accepted
    /// without hearing so, and the next statement names what was accepted: what is on the disk is used again.
    private func mailboxKey(_ vault: VaultKeys, domain: String, device: [UInt8]) throws(Failure) -> MailboxRing.Key {
        let file = MailboxKeyFile(path: folder.mailboxKeys)
        let kept = file.exists ? try file.load(vault).newest : nil
        let identity = kept?.identity ?? AgeIdentity.generate(kind: .hybrid, random: services.random)
        let recipient = "\(identity.recipient)"
        if let kept {
            let credential = MemberCredential(identity: vault.identity.publicKey, statement: kept.statement)
            let isOurs =
                (try? credential.checked(invite: invite.number, domain: domain, device: device, recipient: recipient)) != nil
            if isOurs { return kept }
        }
        let now = services.time.wall
        let statement = MailboxStatement.first(
            invite: invite.number, domain: domain, device: device, recipient: recipient, now: now
        ).signed(by: vault.identity)
        let key = MailboxRing.Key(number: 1, since: now, identity: identity, statement: statement, isConfirmed: false)
        try file.save(MailboxRing(only: key), vault, random: services.random)
        return key
    }
}

extension AgentFolder {
    /// Throws when somebody has joined from here, or something is here whose key is lost.
    func requireNobody() throws(Failure) {
        if let account = try loadAccount() {
            throw Failure(
                .cannotCreate,
                "this state folder belongs to \(account.address) already, and was left as it is; use another --config for a second account"
            )
        }
        if let lostKey { throw lostKey }
    }

    /// The folder, the device key and the spool of a new agent.
    func prepare() throws(Failure) -> SecretBytes {
        do {
            try HostFiles.makeFolders(path)
            // A try that was killed while writing a key leaves a part of it under another name.
            for name in try HostFiles.list(path) where name.hasSuffix(".tmp") {
                try HostFiles.remove(path + "/" + name)
            }
            for path in [deviceKey, spoolKey] where !HostFiles.exists(path) {
                try SecretBytes.random(32).withExposed { bytes throws(DiskError) in try HostFiles.create(path, bytes) }
            }
        } catch {
            throw Failure(.cannotCreate, "cannot prepare \(path): \(error)")
        }
        return try loadSecret(deviceKey)
    }

    /// The agent's spool; one that an earlier try has made is used. Nothing that is there is overwritten.
    func prepareSpool(_ services: Services) async throws(Failure) {
        let root = try loadSecret(spoolKey)
        if HostFiles.exists(spool),
            let spool = try? await EmbeddedSpool.open(
                folder: spool, root: root, random: services.random, time: services.time, onStopped: { _ in })
        {
            return await spool.close()
        }
        try await EmbeddedSpool.create(
            folder: spool, root: root, bodyBytes: Agent.segmentBytes, random: services.random, time: services.time)
    }

    /// A 32-byte key file that must be private.
    func loadSecret(_ path: String) throws(Failure) -> SecretBytes {
        do {
            var bytes = try HostFiles.read(path, limit: 4096)
            guard bytes.count == 32 else {
                throw Failure(.badInput, "\(path) is damaged; restore it from a backup, nothing was changed")
            }
            if let status = HostFiles.status(path), !status.isPrivate {
                throw Failure(.permission, "\(path) can be read by others; run: chmod 600 \(path)")
            }
            return SecretBytes(consuming: &bytes)
        } catch let failure as Failure {
            throw failure
        } catch {
            throw Failure(.inputOutput, "cannot read \(path): \(error)")
        }
    }
}
