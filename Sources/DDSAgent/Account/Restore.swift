// `key restore`: from a recovery kit and a new passphrase to an agent that goes on as the same person, on a new machine. The node
// is asked before any key is made, and told in one message that is good once; what exists already is never overwritten; what
// failed can be run again.

import DDSCore
import DDSLoop
import DDSNode
import DDSSeal
import DDSTLS

@LoopActor struct Restore {
    let folder: AgentFolder
    let services: Services
    let kit: RecoveryKit
    /// Nil is measured.
    let workFactor: Int?
    var wishes = JoiningWishes()

    init(folder: AgentFolder, services: Services, kit: RecoveryKit, workFactor: Int?, wishes: JoiningWishes = JoiningWishes()) {
        self.folder = folder
        self.services = services
        self.kit = kit
        self.workFactor = workFactor
        self.wishes = wishes
    }

    private static let again = "run the same again"

    /// Restores the account; returns how many messages were gone with the lost keys. `progress` is called with each step in words.
    /// Throws a sentence for every refusal; the files made so far stay and are used again by the next try with the same kit and
    /// passphrase.
    func run(passphrase: SecretBytes, progress: @LoopActor (String) -> Void) async throws(Failure) -> Int {
        try folder.requireNobody()
        let link = try NodeLink(
            host: kit.host, nodeKeyHash: kit.nodeKeyHash, deviceSeed: try folder.prepare(), time: services.time)
        let desk = EnrolmentDesk(
            link: link, port: kit.submissionsPort, services: services,
            words: EnrolmentDesk.Words(source: "kit", again: Self.again))
        let (node, identity) = try await node(desk)
        let head = try await head(desk, node, identity)
        progress("the node knows you as \(kit.address)")
        let keys = try await keys(passphrase, progress)
        let key = try mailboxKey(keys, device: link.device.keyHash, after: head)
        let welcome = try await take(desk, node, identity, key)
        progress("registered as \(welcome.address), with new keys")
        // What was written is what counts: open it again from the disk.
        guard try await Vault(path: folder.vault).open(passphrase: passphrase).identitySeed == kit.identitySeed else {
            throw Failure(.inputOutput, "the key file came back different from the disk; do not use this folder")
        }
        progress("closed and reopened")
        try await folder.prepareSpool(services)
        let account = AgentAccount(
            welcome, host: kit.host, ports: (kit.pop3sPort, kit.submissionsPort), nodeKeyHash: kit.nodeKeyHash,
            seal: node.seal, identity: identity, ownRecipient: "\(keys.mailbox.recipient)")
        // Last: with this file the folder is an agent's, and without it the next try begins where this one ended.
        try folder.save(account.taking(wishes))
        return welcome.lost ?? 0
    }

    // MARK: The node

    private func node(_ desk: EnrolmentDesk) async throws(Failure) -> (EnrolmentDesk.Node, identity: [UInt8]) {
        let node = try await desk.node()
        guard node.address.domain == kit.address.domain else {
            throw Failure(
                .badInput,
                "the node at \(kit.host) is \(node.address.domain), and the kit is for \(kit.address); ask its administrator")
        }
        guard let identity = node.identity else {
            throw Failure(.protocolError, "the node at \(kit.host) has no identity and restores no accounts; ask for an invite")
        }
        guard kit.nodeIdentity.map({ $0 == identity }) ?? true else {
            throw Failure(
                .protocolError,
                "the node at \(kit.host) has another identity than the kit names; nothing was sent, ask its administrator why")
        }
        return (node, identity)
    }

    private func claim(_ desk: EnrolmentDesk, _ identity: [UInt8], _ statement: [UInt8]? = nil) -> RestoreRequest {
        RestoreRequest(
            RestoreClaim(
                address: kit.address, device: desk.link.device.keyHash, node: identity, time: services.time.wall,
                statement: statement), signedBy: SigningKey(seed: kit.identitySeed))
    }

    private func head(
        _ desk: EnrolmentDesk, _ node: EnrolmentDesk.Node, _ identity: [UInt8]
    ) async throws(Failure) -> StatementHead {
        let lines = try await desk.send(claim(desk, identity).message, to: node)
        guard let head = lines.first.flatMap({ StatementHead(line: $0) }) else {
            throw Failure(.protocolError, "the node did not say which key it has for you; \(Self.again)")
        }
        return head
    }

    private func take(
        _ desk: EnrolmentDesk, _ node: EnrolmentDesk.Node, _ identity: [UInt8], _ key: MailboxRing.Key
    ) async throws(Failure) -> EnrolmentWelcome {
        let lines = try await desk.send(claim(desk, identity, key.statement).message, to: node)
        guard let welcome = EnrolmentWelcome(lines: lines), welcome.address == kit.address else {
            throw Failure(.protocolError, "the node took the new keys but did not say who you are; \(Self.again)")
        }
        return welcome
    }

    // MARK: Keys

    private func keys(_ passphrase: SecretBytes, _ progress: @LoopActor (String) -> Void) async throws(Failure) -> VaultKeys {
        let vault = Vault(path: folder.vault)
        if vault.exists {
            let keys = try await vault.open(passphrase: passphrase)
            guard keys.identitySeed == kit.identitySeed else {
                throw Failure(
                    .cannotCreate,
                    "\(folder.vault) holds the keys of another identity than the kit, and was left as it is; restore with another "
                        + "--config")
            }
            progress("key found from an earlier try")
            return keys
        }
        try PassphraseStrength.require(passphrase, known: [kit.host, kit.address.local])
        let keys = VaultKeys.generate(random: services.random, identitySeed: kit.identitySeed)
        let factor = if let workFactor { workFactor } else { await Vault.measuredWorkFactor(services.time) }
        try await vault.create(keys, passphrase: passphrase, workFactor: factor, random: services.random)
        progress("key made")
        return keys
    }

    /// The new mailbox key and the statement about it, durable before the node hears of it. An earlier try may have got it
    /// accepted without hearing so: what is on the disk is used again as long as it fits to what the node has.
    private func mailboxKey(
        _ vault: VaultKeys, device: [UInt8], after head: StatementHead
    ) throws(Failure) -> MailboxRing.Key {
        let file = MailboxKeyFile(path: folder.mailboxKeys)
        let kept = file.exists ? try file.load(vault).newest : nil
        if let kept, fits(kept, vault, device: device, after: head) { return kept }
        let identity = kept?.identity ?? AgeIdentity.generate(kind: .hybrid, random: services.random)
        let now = services.time.wall
        let statement = MailboxStatement(
            holder: .member(kit.address), device: device, number: head.number + 1, notBefore: now,
            notAfter: now + MailboxStatement.lifetime, recipient: "\(identity.recipient)", previous: head.hash)
        let key = MailboxRing.Key(
            number: head.number + 1, since: now, identity: identity, statement: statement.signed(by: vault.identity),
            isConfirmed: false)
        try file.save(MailboxRing(only: key), vault, random: services.random)
        return key
    }

    private func fits(_ key: MailboxRing.Key, _ vault: VaultKeys, device: [UInt8], after head: StatementHead) -> Bool {
        guard let statement = try? MailboxStatement(key.statement, by: vault.identity.publicKey),
            (try? statement.check(holder: .member(kit.address), device: device, recipient: "\(key.identity.recipient)")) != nil
        else { return false }
        let isAccepted = head.number == statement.number && head.hash == MailboxStatement.hash(of: key.statement)
        return isAccepted || (statement.number == head.number + 1 && statement.previous == head.hash)
    }
}
