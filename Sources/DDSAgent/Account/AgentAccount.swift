// What `join` leaves in the state folder: who this is, which node it talks to, and where that node's key was pinned.

import DDSCore
import DDSLoop
import DDSNode

/// The account file of an agent, `account.json`. Holds no secret.
struct AgentAccount: Hashable, Sendable {
    static let fileName = "account.json"

    var address: MailAddress
    var display: String
    var groups: [String]
    var host: String
    var pop3sPort: UInt16
    var submissionsPort: UInt16
    /// What the node's TLS key must hash to, 16 bytes or more.
    var nodeKeyHash: [UInt8]
    /// The node's `age1...` recipient, as announced inside the pinned TLS connection at the enrolment, or stated since.
    var nodeRecipient: String
    /// The number of that key in the statement that the node has signed about it; nil of a node that has made none.
    var nodeSealKey: UInt64?
    /// The `age1...` recipient of the vault's own key: public, and of use while locked.
    var ownRecipient: String
    /// There is a file of mailbox keys; false for an agent that was enrolled before there were any and has made none since.
    var hasMailboxKeys = false
    /// The Ed25519 key that the node signs statements with: 32 bytes, pinned at the enrolment or at the first contact after it
    /// and never replaced. Nil as long as the node has announced none.
    var nodeIdentity: [UInt8]?
    /// Which of the member's devices this is: 1 for the one that was enrolled or restored.
    var device = 1
    /// Somebody began to join in the page and has not come to its end: the kit and the proof are outstanding.
    var isUnfinished = false
    /// Where the configuration wants the two ports to be, when not at `host`. Not stored.
    var pop3sHost: String?
    var submissionsHost: String?

    var nodeSeal: NodeSeal { NodeSeal(recipient: nodeRecipient, number: nodeSealKey) }

    var json: JSONValue {
        var fields: [String: JSONValue] = [
            "version": 1, "address": .text("\(address)"), "display": .text(display), "groups": .texts(groups),
            "host": .text(host),
            "pop3s_port": .number(Int64(pop3sPort)), "submissions_port": .number(Int64(submissionsPort)),
            "node_key": .text(Hex.encode(nodeKeyHash)), "node_recipient": .text(nodeRecipient),
            "own_recipient": .text(ownRecipient),
        ]
        if let nodeSealKey { fields["node_seal_key"] = .number(Int64(clamping: nodeSealKey)) }
        if hasMailboxKeys { fields["mailbox_keys"] = true }
        if isUnfinished { fields["unfinished"] = true }
        if device != 1 { fields["device"] = .number(device) }
        if let nodeIdentity { fields["node_identity"] = .text(Hex.encode(nodeIdentity)) }
        return .object(fields)
    }

    init?(json: JSONValue) {
        guard json["version"]?.integer == 1, let address = json["address"]?.string.flatMap({ MailAddress($0) }),
            let host = json["host"]?.string, let pop3s = json["pop3s_port"]?.integer.flatMap(UInt16.init(exactly:)),
            let submissions = json["submissions_port"]?.integer.flatMap(UInt16.init(exactly:)),
            let key = json["node_key"]?.string.flatMap({ Hex.decode($0) }), key.count >= 16,
            let recipient = json["node_recipient"]?.string, let ownRecipient = json["own_recipient"]?.string
        else { return nil }
        if let text = json["node_identity"]?.string {
            // A pin that cannot be read is damage: going on without one would pin whatever comes next.
            guard let identity = Hex.decode(text), identity.count == 32 else { return nil }
            nodeIdentity = identity
        }
        if let number = json["node_seal_key"] {
            // Without it an older key would be taken for a newer one.
            guard let number = number.integer.flatMap(UInt64.init(exactly:)), number > 0 else { return nil }
            nodeSealKey = number
        }
        self.address = address
        display = json["display"]?.string ?? address.local
        groups = json["groups"]?.strings ?? []
        self.host = host
        pop3sPort = pop3s
        submissionsPort = submissions
        nodeKeyHash = key
        nodeRecipient = recipient
        self.ownRecipient = ownRecipient
        hasMailboxKeys = json["mailbox_keys"]?.boolean ?? false
        isUnfinished = json["unfinished"]?.boolean ?? false
        if let number = json["device"] {
            guard let device = number.integer.flatMap({ Int(exactly: $0) }), device > 0 else { return nil }
            self.device = device
        }
    }

    init(
        address: MailAddress, display: String, groups: [String], host: String, pop3sPort: UInt16, submissionsPort: UInt16,
        nodeKeyHash: [UInt8], nodeRecipient: String, ownRecipient: String, nodeIdentity: [UInt8]? = nil
    ) {
        self.address = address
        self.display = display
        self.groups = groups
        self.host = host
        self.pop3sPort = pop3sPort
        self.submissionsPort = submissionsPort
        self.nodeKeyHash = nodeKeyHash
        self.nodeRecipient = nodeRecipient
        self.ownRecipient = ownRecipient
        self.nodeIdentity = nodeIdentity
    }
}

extension AgentAccount {
    /// What a node's welcome makes of somebody who has joined, come back or linked a device.
    init(
        _ welcome: EnrolmentWelcome, host: String, ports: (pop3s: UInt16, submissions: UInt16), nodeKeyHash: [UInt8],
        seal: NodeSeal, identity: [UInt8]?, ownRecipient: String
    ) {
        self.init(
            address: welcome.address, display: welcome.display, groups: welcome.groups, host: host, pop3sPort: ports.pop3s,
            submissionsPort: ports.submissions, nodeKeyHash: nodeKeyHash, nodeRecipient: seal.recipient,
            ownRecipient: ownRecipient, nodeIdentity: identity)
        nodeSealKey = seal.number
        hasMailboxKeys = true
        device = welcome.device ?? 1
    }

    /// The same with what whoever joins has said.
    func taking(_ wishes: JoiningWishes) -> AgentAccount {
        var account = self
        if !wishes.display.isEmpty { account.display = wishes.display }
        account.isUnfinished = wishes.isWatched
        return account
    }

    /// The same with what is set under `[agent]`, which wins over what `join` stored. Throws for a node key that cannot be
    /// read: going on with the stored one would trust what somebody meant to distrust.
    func overridden(by config: Config.Agent) throws(Failure) -> AgentAccount {
        var account = self
        if let address = MailAddress(config.address) { account.address = address }
        if !config.nodeKey.isEmpty {
            guard let hash = InviteLink.nodeKeyHash(config.nodeKey) else {
                throw Failure(
                    .configuration, "agent.node_key is no node key; copy the 26 characters between / and # of an invite")
            }
            account.nodeKeyHash = hash
        }
        if case .tcp(let host, let port)? = Endpoint(config.pop3s) { (account.pop3sHost, account.pop3sPort) = (host, port) }
        if case .tcp(let host, let port)? = Endpoint(config.submissions) {
            (account.submissionsHost, account.submissionsPort) = (host, port)
        }
        return account
    }
}

/// The files of an agent's state folder.
struct AgentFolder: Sendable {
    /// `state_dir/agent`.
    let path: String

    init(stateDir: String) {
        path = stateDir + "/agent"
    }

    var account: String { path + "/" + AgentAccount.fileName }
    /// Passphrase-protected private keys; an age scrypt file.
    var vault: String { path + "/keys.age" }
    /// The private keys that mail is sealed to, and what was said about them; sealed under a key of the vault.
    var mailboxKeys: String { path + "/mailbox.keys" }
    /// The device's Ed25519 seed: lies open (0600) so that a locked agent fetches.
    var deviceKey: String { path + "/device.key" }
    /// Where the gateway listens, and the verifiers of its passwords; see `GatewayBook`.
    var gateway: String { path + "/gateway.json" }
    /// The gateway's certificate with its authority and its key in clear (0600); see `GatewayCertificate`.
    var gatewayCertificate: String { path + "/gateway.pem" }
    /// The authority alone, for mail programs.
    var gatewayAuthority: String { path + "/gateway-ca.pem" }
    /// The root key of the agent's spool; its records are ciphertext under keys of the vault or of the node besides.
    var spoolKey: String { path + "/spool.key" }
    var spool: String { path + "/spool" }
    /// What searching need not make anew at each unlock, sealed under a key of the vault; see `SearchSnapshot`.
    var search: String { path + "/search" }

    /// The account, nil before `join`. Throws when the file is there and cannot be understood.
    func loadAccount() throws(Failure) -> AgentAccount? {
        guard HostFiles.exists(account) else { return nil }
        let bytes: [UInt8]
        do {
            bytes = try HostFiles.read(account, limit: 1 << 20)
        } catch {
            throw Failure(.inputOutput, "cannot read \(account): \(error)")
        }
        guard let value = JSONValue(parsing: bytes), let account = AgentAccount(json: value) else {
            throw Failure(.badInput, "\(self.account) is damaged; restore it from a backup, nothing was changed")
        }
        return account
    }

    func save(_ value: AgentAccount) throws(Failure) {
        do {
            try HostFiles.write(account, Array(value.json.pretty.utf8) + [0x0a])
        } catch {
            throw Failure(.cannotCreate, "cannot write \(account): \(error)")
        }
    }
}
