// The node's directory as a value: accounts, groups, invites. It is changed by events only; deciding which events a command
// makes is in Directory+Commands.

import DDSCore
import DDSNode

/// A member's account.
struct Account: Hashable, Sendable, Codable {
    var name: String
    var display: String
    /// The number of the member's maildrop in the spool; never reused.
    var mailbox: UInt64
    /// The `age1...` or `age1pq1...` recipient that mail is sealed to; nil until enrolled.
    var recipient: String?
    var login: LoginMethod?
    /// The verifier of a password that the administrator allowed beside the device key.
    var besides: String?
    var isSuspended = false
    /// The Ed25519 key that the member signs with, 32 bytes in hexadecimal. Nil for members with a password, and for those
    /// whose agent has told none yet.
    var identity: String?
    /// The last accepted statement about the mailbox key, signed, in base64; there is one wherever there is an identity.
    var statement: String?
    /// The number of that statement.
    var keyNumber: UInt64?
    /// After a restoration, as long as something may be left under them: the keys of lower numbers than this are lost.
    var lostBefore: UInt64?
    /// How many messages the last restoration found under lost keys.
    var lost: Int?
    /// The number of the device whose keys these are; nil for the first. See `perDevice`.
    var device: Int?
    /// What its owner calls it, and since when it is there (days since 1970); nil for the first.
    var deviceTitle: String?
    var deviceSince: Int?
    /// The member's other devices.
    var others: [AccountDevice]?
    /// The highest number that a device was given; nil while there was only the first.
    var devicesGiven: Int?

    /// True for members whose own agent seals what they send.
    var usesKey: Bool {
        if case .deviceKey = login { true } else { false }
    }

    /// What a password is checked against; nil where none is let in.
    var verifier: String? {
        if case .password(let verifier) = login { verifier } else { besides }
    }

    var state: String { isSuspended ? "suspended" : recipient == nil ? "invited" : "active" }
}

/// A group of members.
struct Group: Hashable, Sendable, Codable {
    var name: String
    var title: String
    var mode: GroupMode
    var posting: PostingPolicy
    /// Nil where none was ever chosen.
    var pq: PostQuantumPolicy?
    var senderAuth: SenderAuthentication?
    var members: Set<String> = []
    var owners: Set<String> = []

    var policy: PostQuantumPolicy { pq ?? .prefer }
    var senderAuthentication: SenderAuthentication { senderAuth ?? .attested }
}

struct Directory: Hashable, Sendable, Codable {
    /// Names nobody may take: addresses with a meaning of their own (RFC 5321 4.5.1 wants postmaster).
    static let reservedNames: Set<String> = ["enrol", "control", "dds", "postmaster", "node", "root", "all", "everyone"]
    /// Maildrops are numbered from here; lower numbers are the node's own mailboxes.
    static let firstMailbox: UInt64 = 1000

    private(set) var accounts: [String: Account] = [:]
    private(set) var groups: [String: Group] = [:]
    private(set) var invites: [UInt32: Invite] = [:]
    /// By the names of groups, also of some that are gone.
    private(set) var rosters: [String: RosterState] = [:]
    private(set) var nextMailbox = Directory.firstMailbox
    private var namesByDeviceKey: [String: String] = [:]
    /// Derived from `accounts` and not stored.
    private var namesByMailbox: [UInt64: String] = [:]

    init() {}

    private enum CodingKeys: CodingKey { case accounts, groups, invites, rosters, nextMailbox, namesByDeviceKey }

    init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        accounts = try values.decode([String: Account].self, forKey: .accounts)
        groups = try values.decode([String: Group].self, forKey: .groups)
        invites = try values.decode([UInt32: Invite].self, forKey: .invites)
        rosters = try values.decodeIfPresent([String: RosterState].self, forKey: .rosters) ?? [:]
        nextMailbox = try values.decode(UInt64.self, forKey: .nextMailbox)
        namesByDeviceKey = try values.decode([String: String].self, forKey: .namesByDeviceKey)
        for account in accounts.values.flatMap(\.perDevice) { namesByMailbox[account.mailbox] = account.name }
    }

    /// Whose maildrop this is, as the device has it that fetches there; nil once the member or the device is gone.
    func account(mailbox: UInt64) -> Account? {
        namesByMailbox[mailbox].flatMap { accounts[$0] }?.perDevice.first { $0.mailbox == mailbox }
    }

    /// The account that a device key's hash (hexadecimal) belongs to, as that device has it.
    func account(deviceKey: String) -> Account? {
        namesByDeviceKey[deviceKey].flatMap { accounts[$0] }?.perDevice.first { $0.login == .deviceKey(deviceKey) }
    }

    /// The names of the groups a member is in, sorted.
    func groupNames(of member: String) -> [String] {
        groups.values.filter { $0.members.contains(member) }.map(\.name).sorted()
    }

    /// Takes over what has happened. Events come from `Directory+Commands` or from the spool and are consistent.
    mutating func apply(_ event: DirectoryEvent) {
        for group in groupsConcerned(by: event) { rosters[group, default: RosterState()].isDue = true }
        for group in groupsOutdated(by: event) { rosters[group, default: RosterState()].isStale = true }
        switch event {
        case .accountAdded(let name, let display, let mailbox):
            accounts[name] = Account(name: name, display: display, mailbox: mailbox)
            namesByMailbox[mailbox] = name
            nextMailbox = max(nextMailbox, mailbox + 1)
        case .accessGranted(let name, let login, let recipient):
            forgetDevices(of: name)
            accounts[name]?.login = login
            accounts[name]?.besides = nil
            accounts[name]?.recipient = recipient
            // Access given anew is given to whoever comes: what the one before has signed is nothing about them.
            accounts[name]?.identity = nil
            accounts[name]?.statement = nil
            accounts[name]?.keyNumber = nil
            // The numbers of the new keys begin anew.
            accounts[name]?.lostBefore = nil
            accounts[name]?.lost = nil
            if case .deviceKey(let hash) = login { namesByDeviceKey[hash] = name }
        case .passwordLogin(let name, let verifier): accounts[name]?.besides = verifier
        case .keyStated(let name, let identity, let number, let recipient, let statement):
            accounts[name]?.identity = identity
            accounts[name]?.keyNumber = number
            accounts[name]?.recipient = recipient
            accounts[name]?.statement = statement
        case .accessRestored(let name, let device, let number, let recipient, let statement):
            forgetDevices(of: name)
            accounts[name]?.login = .deviceKey(device)
            // It may have been stored on the device that is lost.
            accounts[name]?.besides = nil
            accounts[name]?.keyNumber = number
            accounts[name]?.recipient = recipient
            accounts[name]?.statement = statement
            accounts[name]?.lostBefore = number
            accounts[name]?.lost = 0
            namesByDeviceKey[device] = name
        case .deviceLinked(let name, let device):
            accounts[name]?.link(device)
            namesByDeviceKey[device.deviceKey] = name
            namesByMailbox[device.mailbox] = name
            nextMailbox = max(nextMailbox, device.mailbox + 1)
        case .deviceKeyStated(let name, let device, let number, let recipient, let statement):
            accounts[name]?.state(device: device, keyNumber: number, recipient: recipient, statement: statement)
        case .deviceRevoked(let name, let number):
            forgetNumbers(of: name)
            accounts[name]?.revoke(device: number)
            noteNumbers(of: name)
        case .lostMailFound(let name, let count):
            let before = accounts[name]?.lost ?? 0
            accounts[name]?.lost = max(before, count)
        case .lostMailErased(let name): accounts[name]?.lostBefore = nil
        case .accountSuspended(let name): accounts[name]?.isSuspended = true
        case .accountResumed(let name): accounts[name]?.isSuspended = false
        case .accountRemoved(let name):
            forgetNumbers(of: name)
            accounts[name] = nil
            for group in groups.keys { remove(name, from: group) }
            for (number, invite) in invites where invite.user == name { invites[number] = nil }
        case .groupAdded(let name, let title, let mode, let posting, let pq, let senderAuth):
            groups[name] = Group(name: name, title: title, mode: mode, posting: posting, pq: pq, senderAuth: senderAuth)
        case .groupChanged(let name, let title, let mode, let posting, let pq, let senderAuth):
            groups[name]?.title = title
            groups[name]?.mode = mode
            groups[name]?.posting = posting
            groups[name]?.pq = pq
            groups[name]?.senderAuth = senderAuth
        case .groupRemoved(let name): groups[name] = nil
        case .rosterMade(let group, let number, let hash):
            rosters[group] = RosterState(number: number, hash: hash, isDue: false)
        case .rosterConfirmed(let group, let number, let owner):
            guard var state = rosters[group], state.number == number else { return }
            state.confirmedBy = (state.confirmedBy ?? []) + [owner]
            rosters[group] = state
        case .memberAdded(let group, let member, let isOwner):
            groups[group]?.members.insert(member)
            if isOwner { groups[group]?.owners.insert(member) }
        case .memberRemoved(let group, let member): remove(member, from: group)
        case .inviteCreated(let invite): invites[invite.number] = invite
        case .inviteTried(let number): invites[number]?.triesLeft -= 1
        case .inviteUsed(let number): invites[number]?.isUsed = true
        case .inviteRevoked(let number): invites[number]?.isRevoked = true
        case .checkpoint(let state): self = state
        }
    }

    private mutating func remove(_ member: String, from group: String) {
        groups[group]?.members.remove(member)
        groups[group]?.owners.remove(member)
    }

    private mutating func forgetNumbers(of name: String) {
        guard let account = accounts[name] else { return }
        for key in account.deviceKeys { namesByDeviceKey[key] = nil }
        for device in account.perDevice { namesByMailbox[device.mailbox] = nil }
    }

    private mutating func noteNumbers(of name: String) {
        guard let account = accounts[name] else { return }
        for key in account.deviceKeys { namesByDeviceKey[key] = name }
        for device in account.perDevice { namesByMailbox[device.mailbox] = name }
    }

    /// None of a member's devices logs in any more; whoever comes gets the first one's maildrop.
    private mutating func forgetDevices(of name: String) {
        forgetNumbers(of: name)
        accounts[name]?.others = nil
        accounts[name]?.login = nil
        accounts[name]?.deviceTitle = nil
        accounts[name]?.deviceSince = nil
        noteNumbers(of: name)
    }
}
